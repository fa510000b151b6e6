"""The truth of the insurer's files against a plain reader of the files that follows the written rules."""

from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from plain_insurer import PlainInsurer

from madang.science.synthesis import synthesize
from madang.science.synthesis.nhis.events import EVENT_TABLES

EVENT_COLUMNS = (
    "person_source_value",
    "concept_id",
    "start_date",
    "end_date",
    "source_value",
    "source_table",
    "key_seq",
    "seq_no",
    "visit_key",
    "quantity",
    "days_supply",
    "value_as_number",
    "value_as_concept_id",
    "status_concept_id",
)


@pytest.mark.sampled
@pytest.mark.parametrize("dirt", [0, 1, 2])
def test_a_plain_reading_of_the_files_comes_to_the_truth(tmp_path: Path, dirt: int) -> None:
    folder = tmp_path / "nhis"
    synthesize("nhis", folder, persons=200, seed=dirt + 5, start_year=2010, end_year=2012, dirt=dirt)
    plain = PlainInsurer(folder)

    told = pq.read_table(folder / "truth" / "fates.parquet").to_pylist()
    truth = {(row["file"], row["line"]): (row["fate"], row["reason"]) for row in told}
    wrong = {place: (mine, truth.get(place)) for place, mine in plain.fates.items() if mine != truth.get(place)}
    assert not wrong
    assert truth.keys() == plain.fates.keys()

    events: Counter[tuple[object, ...]] = Counter()
    for table in EVENT_TABLES:
        for row in pq.read_table(folder / "truth" / f"{table}.parquet").to_pylist():
            events[(table, *(row[column] for column in EVENT_COLUMNS))] += 1
    assert not list((events - plain.events).items())[:5]
    assert not list((plain.events - events).items())[:5]

    visits = Counter(
        tuple(row.values()) for row in pq.read_table(folder / "truth" / "visit_occurrence.parquet").to_pylist()
    )
    assert visits == plain.visits
    reasons = {reason for _, reason in truth.values()}
    assert len(reasons) == {0: 3, 1: 13, 2: 13}[dirt], reasons
