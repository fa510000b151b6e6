"""Versions are written out whole, typed, and without their companion."""

import csv
import datetime
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_model import NOTE, PERSONS, SECRET, commit

from madang.base.errors import MadangError
from madang.lake import Lake, Version
from madang.lake.engine import Engine
from madang.science.omop.cdm import TABLES, arrow_schema
from madang.science.omop.export import Format, export
from postgres import Postgres


def test_parquet_has_every_table_with_the_types_of_the_model(
    people: Version, vocabulary: Version, engine: Engine, tmp_path: Path
) -> None:
    done = export(people, tmp_path / "out", Format.PARQUET, engine, vocabulary=vocabulary)
    assert {path.name for path in done.folder.iterdir()} == {f"{name}.parquet" for name in TABLES}
    for name in TABLES:
        schema = pq.read_schema(done.folder / f"{name}.parquet")
        assert list(zip(schema.names, schema.types, strict=True)) == [(f.name, f.type) for f in arrow_schema(name)]
    assert pq.read_table(done.folder / "person.parquet")["person_id"].to_pylist() == [1, 9007199254740991]
    assert (done.rows["person"], done.rows["concept"], done.rows["death"]) == (2, 3, 0)
    assert sum(done.rows.values()) == 2 + 1 + 3 + 3 + 3


def test_csv_keeps_every_text_and_tells_empty_from_missing(people: Version, engine: Engine, tmp_path: Path) -> None:
    done = export(people, tmp_path / "out", Format.CSV, engine)
    data = (done.folder / "note.csv").read_bytes()
    assert data.endswith(b"\r\n")
    with (done.folder / "note.csv").open(encoding="utf-8", newline="") as file:
        [note] = csv.DictReader(file, strict=True)
    assert note["note_text"] == NOTE
    persons = (done.folder / "person.csv").read_text(encoding="utf-8").splitlines()
    assert persons[1].split(",")[11] == "a"
    assert persons[2].split(",")[11:13] == ['""', ""]
    assert (done.folder / "death.csv").read_text().count("\n") == 1
    assert done.notes == ("There is no vocabulary in this export: give one to include it.",)


def test_duckdb_is_one_file_with_keys(people: Version, vocabulary: Version, engine: Engine, tmp_path: Path) -> None:
    done = export(people, tmp_path / "out", Format.DUCKDB, engine, vocabulary=vocabulary)
    [path] = done.folder.iterdir()
    with Engine(database=path) as other:
        assert other.value("SELECT count(*) FROM duckdb_tables()") == len(TABLES)
        assert other.value("SELECT note_text FROM note") == NOTE
        with pytest.raises(MadangError, match=r"[Dd]uplicate key"):
            other.execute("INSERT INTO person FROM person")


def test_postgresql_loads_the_scripts_with_constraints_indices_and_vocabulary(
    people: Version, vocabulary: Version, engine: Engine, tmp_path: Path, postgres: Postgres
) -> None:
    done = export(people, tmp_path / "out", Format.POSTGRESQL, engine, vocabulary=vocabulary)
    assert done.notes == (
        "measurement.unit_concept_id: 1 rows refer to nothing, so its foreign key is NOT VALID.",
        "note.note_source_value has texts longer than the model allows, so its type is text.",
    )
    database = postgres.database("exported")
    postgres.psql("-v", "schema=cdm", "-f", str(done.folder / "load.sql"), database=database)

    def ask(sql: str) -> str:
        return postgres.psql("-c", f"SET search_path TO cdm; {sql}", database=database)

    for name, rows in done.rows.items():
        assert int(ask(f"SELECT count(*) FROM {name}")) == rows
    assert bytes.fromhex(ask("SELECT encode(convert_to(note_text, 'UTF8'), 'hex') FROM note")).decode() == NOTE
    assert ask("SELECT note_date, note_datetime FROM note") == "2020-02-29|2020-02-29 23:59:59.5"
    assert ask("SELECT value_as_number FROM measurement ORDER BY 1").split() == ["0.1", "1e+300"]
    assert ask("SELECT count(*) FROM person WHERE person_source_value = ''") == "1"
    assert ask("SELECT count(*) FROM pg_constraint WHERE contype = 'f'") == "176"
    assert ask("SELECT conname FROM pg_constraint WHERE NOT convalidated") == "fk_measurement_unit_concept_id"
    assert "violates foreign key" in postgres.psql(
        "-v", "ON_ERROR_STOP=1", "-c", "UPDATE cdm.person SET gender_concept_id = 5", database=database, fails=True
    )
    again = postgres.psql("-v", "schema=cdm", "-f", str(done.folder / "load.sql"), database=database, fails=True)
    assert "already exists" in again


def test_texts_of_every_kind_arrive_in_postgresql(
    lake: Lake, engine: Engine, tmp_path: Path, postgres: Postgres
) -> None:
    random = Random(20260101)
    pieces = ["\\", "\\.", "\\N", "\t", "\n", "\r", '"', "'", ",", ";", "a", " ", "마당", "😀", "\u200b", "\x7f", "--"]
    texts = ["", *("".join(random.choices(pieces, k=random.randint(1, 6))) for _ in range(400))]
    engine.register("texts", pa.table({"note_id": range(len(texts)), "note_text": texts}))
    note = """
        SELECT note_id, 0::BIGINT AS person_id, DATE '0001-01-01' + note_id::INTEGER AS note_date,
            0::BIGINT AS note_type_concept_id, 0::BIGINT AS note_class_concept_id, note_text,
            0::BIGINT AS encoding_concept_id, 0::BIGINT AS language_concept_id FROM texts
    """
    version = commit(lake, engine, "texts", {"note": note})
    engine.unregister("texts")
    done = export(version, tmp_path / "out", Format.POSTGRESQL, engine)
    database = postgres.database("texts")
    postgres.psql("-f", str(done.folder / "load.sql"), database=database)
    arrived = postgres.psql(
        "-c", "SELECT 'x' || encode(convert_to(note_text, 'UTF8'), 'hex') FROM note ORDER BY note_id", database=database
    )
    assert [bytes.fromhex(line[1:]).decode() for line in arrived.splitlines()] == texts


@pytest.mark.parametrize("format", Format)
def test_the_companion_and_columns_outside_the_model_stay_at_home(
    people: Version, engine: Engine, tmp_path: Path, format: Format
) -> None:
    done = export(people, tmp_path / "out", format, engine)
    for path in done.folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert SECRET.encode() not in data
            assert b"not_in_the_model" not in data
    assert engine.rows("SELECT schema_name FROM duckdb_schemas() WHERE schema_name LIKE 'export%'") == []


def test_a_folder_with_something_in_it_is_left_alone_unless_forced(
    people: Version, engine: Engine, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    (out / "person.csv").write_text("old")
    with pytest.raises(MadangError, match="is not empty"):
        export(people, out, Format.CSV, engine)
    assert {path.name for path in out.iterdir()} == {"mine.txt", "person.csv"}
    export(people, out, Format.CSV, engine, force=True)
    assert (out / "mine.txt").read_text() == "mine"
    assert (out / "person.csv").read_text().startswith("person_id,")
    with pytest.raises(MadangError, match="is a file"):
        export(people, out / "mine.txt", Format.CSV, engine)


def test_rows_that_no_database_would_take_are_named_and_nothing_is_written(
    lake: Lake, engine: Engine, tmp_path: Path
) -> None:
    deaths = "SELECT 1::BIGINT AS person_id, NULL::DATE AS death_date"
    version = commit(lake, engine, "odd", {"person": f"{PERSONS} UNION ALL ({PERSONS})", "death": deaths})
    for format in (Format.DUCKDB, Format.POSTGRESQL):
        with pytest.raises(MadangError, match="1 rows of death have no death_date"):
            export(version, tmp_path / "out", format, engine)
        assert not (tmp_path / "out").exists()
    version = commit(lake, engine, "twice", {"person": f"{PERSONS} UNION ALL ({PERSONS})"})
    for format in (Format.DUCKDB, Format.POSTGRESQL):
        with pytest.raises(MadangError, match=r"person has person_id .* more than once"):
            export(version, tmp_path / "out", format, engine)
    assert export(version, tmp_path / "out", Format.PARQUET, engine).rows["person"] == 4
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_dates_survive(people: Version, engine: Engine, tmp_path: Path) -> None:
    done = export(people, tmp_path / "out", Format.PARQUET, engine)
    [note] = pq.read_table(done.folder / "note.parquet").to_pylist()
    assert note["note_date"] == datetime.date(2020, 2, 29)
