"""The hospital's monthly deliveries: one by one or at once, back to their lines, and nobody's name in the lake."""

import csv
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hospital_run import KEY, Compared, dataset_in, make_hospital, run_pack

from madang.lake import Version
from madang.lake.engine import Engine, quote_paths
from madang.science.standardize import Standardized
from madang.science.standardize.compiler.outputs import identifier_of
from madang.science.standardize.intake import pseudonymizer
from madang.science.standardize.trace import Tracer

Steps = Callable[[Sequence[str]], list[Sequence[str]]]

SECRETS = {
    "PATIENT": ("환자번호", "환자명", "주민등록번호", "전화번호", "주소"),
    "DOCTOR": ("의사번호", "의사명"),
}


def deliver(source: Path, folder: Path, months: Sequence[str]) -> None:
    """Put the files of some months, and with the first the code tables, into a folder."""
    folder.mkdir(exist_ok=True)
    for path in source.glob("*.csv"):
        month = path.stem.partition("_")[2]
        if month in months or not month:
            shutil.copy2(path, folder / path.name)


def fates(version: Version) -> list[tuple[object, ...]]:
    names = {file["number"]: file["name"] for file in version.info["files"]}
    with Engine() as engine:
        found = engine.rows(f"SELECT * FROM read_parquet({quote_paths(version.companion['fates'].paths)})")
    return sorted((names[number], line, fate, reason) for number, line, fate, reason in found)


@dataclass(frozen=True)
class Hospital:
    """One synthetic hospital, standardized into a lake in `home`; `clean` is its export before anything went wrong."""

    source: Path
    clean: Path
    home: Path
    done: Standardized


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Hospital:
    folder = tmp_path_factory.mktemp("hospital")
    source, clean = (make_hospital(folder / str(dirt), persons=150, seed=9, dirt=dirt) for dirt in (1, 0))
    return Hospital(source, clean, folder / "home", run_pack(source, dataset_in(folder / "home")))


def every(months: Sequence[str]) -> list[Sequence[str]]:
    return [[month] for month in months]


def some(months: Sequence[str]) -> list[Sequence[str]]:
    return [months[:9], months[9:10], months[10:]]


@pytest.mark.parametrize("steps", [some, pytest.param(every, marks=pytest.mark.big)])
def test_deliveries_one_by_one_come_to_the_same_as_all_at_once(tmp_path: Path, steps: Steps) -> None:
    source = make_hospital(tmp_path, persons=150, seed=8, dirt=2)
    months = [f"2013{month:02d}" for month in range(1, 13)]
    for step in steps(months):
        deliver(source, tmp_path / "in", step)
        grown = run_pack(tmp_path / "in", dataset_in(tmp_path / "grown")).version
    whole = run_pack(source, dataset_in(tmp_path / "whole")).version
    assert {name: table.content for name, table in grown.tables.items()} == {
        name: table.content for name, table in whole.tables.items()
    }
    assert fates(grown) == fates(whole)
    assert grown.number == len(steps(months))


def test_every_row_leads_to_the_line_that_told_it(hospital: Hospital) -> None:
    with Engine() as engine:
        Compared(engine, hospital.done, hospital.source)
        tracer = Tracer(hospital.done.version, engine)
        checked = corrected = 0
        for table, date in (
            ("condition_occurrence", "condition_start_date"),
            ("drug_exposure", "drug_exposure_start_date"),
            ("procedure_occurrence", "procedure_date"),
            ("measurement", "measurement_date"),
        ):
            key = identifier_of(table)
            value = f"{table.split('_')[0]}_source_value"
            rows = engine.rows(f"SELECT {key}, {date}, {value} FROM cdm.{table} ORDER BY hash({key}) LIMIT 25")
            for identifier, day, text in rows:
                lines = tracer.row(table, identifier).lines
                told = engine.rows(
                    f"SELECT start_date, source_value FROM truth.{table} WHERE file = ? AND line = ?",
                    [lines[-1].file.name, lines[-1].line],
                )
                assert (day, text) in told, (table, identifier)
                assert tracer.fate(lines[-1].file.number, lines[-1].line) is None
                checked += 1
                corrected += len(lines) > 1
        for identifier, number in engine.rows(
            "SELECT visit_occurrence_id, visit_source_value FROM cdm.visit_occurrence "
            "ORDER BY visit_concept_id <> 262, hash(visit_occurrence_id) LIMIT 25"
        ):
            found = {(line.file.name, line.line) for line in tracer.row("visit_occurrence", identifier).lines}
            told = set(engine.rows(f"SELECT file, line FROM truth.visit_detail WHERE visit_key = '{number}'"))
            assert told <= found
            checked += 1
        assert checked == 125
        assert corrected


def secrets_of(source: Path) -> set[str]:
    """Every direct identifier and every number of a patient or doctor in the files, read the plain way."""
    found: set[str] = set()
    for table, columns in SECRETS.items():
        for path in source.glob(f"{table}*.csv"):
            with path.open(encoding="cp949", newline="") as lines:
                for row in csv.DictReader(lines):
                    found |= {row[column] for column in columns}
    return found


def texts_of(path: Path) -> Iterator[str]:
    """Every text in a file of a lake, as it stands and decompressed."""
    raw = path.read_bytes()
    yield from (raw.decode(encoding, "ignore") for encoding in ("utf-8", "cp949", "utf-16-le"))
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        for column in table.columns:
            if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
                yield "\n".join(str(value) for value in column.unique().to_pylist())


def test_nobody_is_named_anywhere_in_the_lake(hospital: Hospital) -> None:
    secrets = secrets_of(hospital.clean)
    assert len(secrets) > 5 * 60
    registered = set(pq.read_table(hospital.source / "truth" / "person.parquet")["person_source_value"].to_pylist())
    assert registered <= secrets
    pseudonym = pseudonymizer(KEY)
    files = [path for path in hospital.home.rglob("*") if path.is_file()]
    assert {path.relative_to(hospital.home).parts[0] for path in files} == {"lake", "restricted"}
    found: set[str] = set()
    for path in files:
        text = "\n".join(texts_of(path))
        assert not {secret for secret in secrets if secret in text}, path
        found |= {number for number in registered if pseudonym(number) in text}
        found |= {word for word in ("V000000001", "소아청소년과") if word in text}
    assert found == {*registered, "V000000001", "소아청소년과"}  # the search does find what is there


def test_another_key_gives_other_pseudonyms_and_the_same_facts(hospital: Hospital) -> None:
    one, other = hospital.done, run_pack(hospital.source, key=b"another key that only tests know")
    people = [set(done.table("person")["person_source_value"].to_pylist()) for done in (one, other)]
    assert len(people[0]) == len(people[1]) > 10
    assert not people[0] & people[1]
    for table in ("condition_occurrence", "drug_exposure", "measurement", "visit_occurrence"):
        assert one.version.tables[table].content == other.version.tables[table].content
    assert one.version.tables["person"].content != other.version.tables["person"].content


def test_korean_text_stays_as_it_is(hospital: Hospital) -> None:
    answers = {
        "select distinct gender_source_value from person": {"남", "여"},
        "select distinct route_source_value from drug_exposure where route_concept_id = 4128794": {"경구"},
        "select care_site_name from care_site where care_site_source_value = 'PED'": {"소아청소년과"},
        "select distinct value_source_value from measurement where value_as_concept_id = 9189": {
            *("음성", "Negative", "(-)")
        },
        "select distinct unit_source_value from measurement where unit_concept_id = 8840": {"mg/dl", "mg/dL", "㎎/㎗"},
        "select code_name from source_codes where code = 'L1001'": {"혈색소"},
    }
    for query, words in answers.items():
        assert set(hospital.done.sql(query).column(0).to_pylist()) == words, query
