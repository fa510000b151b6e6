"""A table ten times the memory limit is assessed within the limit, and what does not fit is answered all the same."""

import json
import subprocess
import sys
from datetime import date
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import cdm_data
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from madang.base.errors import MadangError
from madang.base.progress import Silent
from madang.lake import Lake
from madang.lake.engine import Engine, Parameters, quote_text
from madang.science.quality import default_checks, plan, questions
from madang.science.quality.columns import read_columns
from madang.science.quality.plan.given import EVER, Given
from madang.science.quality.plan.keys import _Bits, unique
from madang.science.quality.plan.partner import Partner, ranges

TODAY = date(2024, 5, 6)
LIMIT = 200_000_000
ROWS, PERSONS, TEXT = 4_000_000, 200_000, 500  # 2 GB of text alone, in keys that are far apart and in no order
ALONE = """
import json, sys
from pathlib import Path
from madang.base.errors import MadangError
from madang.base.progress import Silent
from madang.lake import Lake
from madang.science.quality import assess, default_checks
import duckdb, numpy, pyarrow.parquet, pyarrow.compute, madang.science.quality.plan
def highest():  # getrusage tells of the process that started this one as well
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("VmHWM")).split()[1])
before = highest()
checks = [each for each in default_checks() if each.table in ("person", "visit_occurrence", "measurement")]
version = Lake(Path(sys.argv[1])).find("large")
found = assess(version, checks=checks, threads=2, memory=int(sys.argv[2]))
counted = {each.check.id: each.violated for each in found.results}
print(json.dumps({"counted": counted, "before": before, "after": highest()}))
"""


def large(root: Path, rows: int) -> None:
    """Persons, visits and measurements: one visit in 1,000 is not there, one day in 1,000 before the birth."""
    texts = f"repeat(chr(97 + (n % 20)::INTEGER), {TEXT})"
    tables = {
        "person": f"SELECT range AS person_id, 8507 AS gender_concept_id, 1980 AS year_of_birth, 1 AS month_of_birth, "
        f"1 AS day_of_birth, TIMESTAMP '1980-01-01' AS birth_datetime FROM range({PERSONS})",
        "visit_occurrence": f"SELECT 3 * range + 1 AS visit_occurrence_id, range % {PERSONS} AS person_id, "
        f"DATE '2010-01-01' AS visit_start_date, DATE '2010-01-03' AS visit_end_date FROM range({rows // 2})",
        "measurement": f"SELECT (n * 7_368_787) % {rows * 300 + 7} AS measurement_id, n % {PERSONS} AS person_id, "
        f"3 * (n // 2) + CASE WHEN n % 1000 = 7 THEN 2 ELSE 1 END AS visit_occurrence_id, "
        f"CASE WHEN n % 1000 = 3 THEN DATE '1970-01-01' ELSE DATE '2010-01-02' END AS measurement_date, "
        f"n % 50 AS measurement_concept_id, {texts} AS measurement_source_value "
        f"FROM (SELECT range AS n FROM range({rows}))",
    }
    with Engine("500MB", 2) as engine, Lake(root).dataset("large").write() as writer:
        for name, sql in tables.items():
            path = writer.new_file(name)
            engine.copy_to_parquet(sql, path)
            writer.add(name, path)
        writer.commit("import", {})


def test_a_table_ten_times_the_limit_is_assessed_within_it(tmp_path: Path) -> None:
    large(tmp_path, ROWS)
    assert ROWS * TEXT >= 10 * LIMIT
    words = [sys.executable, "-c", ALONE, str(tmp_path), str(LIMIT)]
    told = json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    counted = told["counted"]
    assert counted["field_isprimarykey_measurement_measurement_id"] == 0
    assert counted["field_isforeignkey_measurement_visit_occurrence_id"] == ROWS // 1000
    assert counted["field_plausibleafterbirth_measurement_measurement_date"] == ROWS // 1000
    assert told["after"] - told["before"] < 1.5 * LIMIT


@settings(max_examples=max(4, settings().max_examples // 10))
@given(seed=st.integers(0, 2**32))
def test_with_next_to_no_memory_the_counts_are_the_same(seed: int) -> None:
    chance = Random(seed)
    checks = chance.sample(default_checks(vocabulary=True), 300)
    with TemporaryDirectory() as folder, Engine(threads=1) as engine:
        files = cdm_data.write_wild_model(Path(folder), chance, checks)
        cdm_data.open_files(engine, files)
        with_room = plan.count(engine, files, checks, today=TODAY, threads=1)
        for memory in (0, 300, 1000, 10_000):
            assert plan.count(engine, files, checks, today=TODAY, threads=1, memory=memory) == with_room


def test_a_question_that_ran_out_of_memory_is_asked_once_more_by_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    checks = [check for check in default_checks() if check.id.startswith("field_isprimarykey_person")]
    threads: list[int] = []
    value = Engine.value

    def short(engine: Engine, sql: str, params: Parameters = None) -> object:
        if sql.startswith("SELECT count(*) FROM (") and not threads:
            threads.append(0)
            raise MadangError("engine.memory", "Out of memory.")
        if sql.startswith("SELECT count(*) FROM ("):
            threads.append(value(engine, "SELECT current_setting('threads')"))
        return value(engine, sql, params)

    monkeypatch.setattr(Engine, "value", short)
    with Engine(threads=2) as engine:
        engine.execute("CREATE TABLE person AS SELECT unnest([1, 1, 2])::BIGINT AS person_id")
        (found,) = questions.count(engine, checks, today=TODAY).values()
        assert (found.violated, threads) == (2, [0, 1])
        assert value(engine, "SELECT current_setting('threads')") == 2


@given(
    visits=st.dictionaries(st.integers(-300, 300) | st.integers(-(2**61), 2**61), st.integers(0, 40), max_size=40),
    named=st.lists(st.none() | st.integers(-300, 300) | st.integers(0, 39), min_size=1, max_size=60),
    memory=st.integers(30, 1000),
    group=st.integers(1, 9),
)
def test_partners_that_do_not_fit_are_held_a_range_of_keys_at_a_time(
    visits: dict[int, int], named: list[int | None], memory: int, group: int
) -> None:
    known = list(visits)
    keys = [known[n] if n is not None and n < len(known) and n >= 0 else n for n in named]  # most name a visit
    tables = {
        "visit_occurrence": pa.table(
            {
                "visit_occurrence_id": pa.array(known, pa.int64()),
                "visit_start_date": pa.array(list(visits.values()), pa.int32()).cast(pa.date32()),
                "visit_end_date": pa.array([day + 3 for day in visits.values()], pa.int32()).cast(pa.date32()),
            }
        ),
        "measurement": pa.table(
            {
                "visit_occurrence_id": pa.array(keys, pa.int64()),
                "measurement_date": pa.array([n % 50 for n in range(len(keys))], pa.int32()).cast(pa.date32()),
            }
        ),
    }
    with TemporaryDirectory() as folder, Engine(threads=1) as engine:
        files = {}
        for name, rows in tables.items():
            files[name] = [Path(folder) / f"{name}.parquet"]
            pq.write_table(rows, files[name][0], row_group_size=group)
            engine.execute(f"CREATE VIEW {name} AS FROM read_parquet({quote_text(str(files[name][0]))})")
        checks = [check for check in default_checks() if check.name in ("isForeignKey", "withinVisitDates")]
        right = questions.count(engine, checks, today=TODAY)
        assert plan.count(engine, files, checks, today=TODAY, threads=2, memory=memory) == right
        parts = ranges(
            Given(engine, files, read_columns(engine), TODAY, False, 1, Silent(), memory),
            "visit_occurrence",
            "visit_occurrence_id",
        )
        for key in known if parts else ():
            assert sum(bool(part.holds(np.array([key]))[0]) for part in parts) == 1
        bytes_of_one = 8 + 2 * 4 + 16
        if memory >= bytes_of_one * len(known):
            assert len(parts) == 1


KEYS = st.lists(st.one_of(st.none(), st.integers(-40, 40), st.integers(-(2**40), 2**40)), min_size=1, max_size=60)


@given(keys=KEYS, group=st.integers(1, 7))
def test_keys_are_unique_by_marks_bits_and_sorting_alike(keys: list[int | None], group: int) -> None:
    with TemporaryDirectory() as folder, Engine(threads=1) as engine:
        path = Path(folder) / "person.parquet"
        table = pa.table({"person_id": pa.array(keys, pa.int64())})
        pq.write_table(table, path, row_group_size=group)
        engine.execute(f"CREATE VIEW person AS FROM read_parquet({quote_text(str(path))})")
        known = [key for key in keys if key is not None]
        right = len(set(known)) == len(known)
        base = {"person": [path]}, read_columns(engine), TODAY, False, 2, Silent()
        assert unique(Given(engine, *base), "person", "person_id") == right
        for memory in (0, 8, 200):  # what is not known a query tells
            assert right or not unique(Given(engine, *base, memory=memory), "person", "person_id")
        low, high = min(known, default=0), max(known, default=0)
        if high - low < 2**20:
            assert _Bits(low, high - low + 1).takes(Given(engine, *base), "person", "person_id") == right


@given(
    keys=st.lists(st.integers(-50, 50), unique=True, max_size=40),
    asked=st.lists(st.integers(-60, 60), min_size=1, max_size=30),
    dense=st.booleans(),
)
def test_partners_are_found_by_their_place_and_by_searching(keys: list[int], asked: list[int], dense: bool) -> None:
    dates = [key * 7 for key in keys]
    low, high = min(keys, default=0), max(keys, default=0)
    partner = Partner(len(keys), low, high, {"born": EVER}, dense=dense and bool(keys))
    for start in range(0, len(keys), 5):
        part = slice(start, start + 5)
        partner.add(np.array(keys[part], np.int64), {"born": np.array(dates[part], np.int32)})
    partner.close()
    assert partner.unique
    found = partner.find(np.array(asked, np.int64), None)
    told = [int(partner.dates["born"][place]) if place >= 0 else None for place in found]
    assert told == [7 * key if key in keys else None for key in asked]
