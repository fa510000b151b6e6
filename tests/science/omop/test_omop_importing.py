"""A model that exists already comes in whole: what differs is told, and nothing is changed or lost in silence."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
from small_model import commit

from madang.base.errors import MadangError
from madang.lake import Lake, Version
from madang.lake.engine import Engine, quote_paths, quote_text
from madang.science.omop.cdm import TABLES
from madang.science.omop.export import Format, export
from madang.science.omop.importing import Imported, What, import_model
from madang.science.omop.release import mapped_with
from postgres import Postgres

PERSON = "person_id,gender_concept_id,year_of_birth,race_concept_id,ethnicity_concept_id"
ONE = f"{PERSON}\n1,8507,1960,0,0\n"


@pytest.fixture
def brought(lake: Lake, tmp_path: Path) -> Callable[..., Imported]:
    """Import a folder with these files."""

    def bring(files: dict[str, str | bytes], name: str = "ours", **options: str) -> Imported:
        folder = tmp_path / "given"
        folder.mkdir(exist_ok=True)
        for file, text in files.items():
            (folder / file).write_bytes(text.encode() if isinstance(text, str) else text)
        return import_model(str(folder), lake.dataset(name), **options)

    return bring


def rows(version: Version, table: str, columns: str) -> list[tuple[object, ...]]:
    with Engine() as engine:
        return engine.rows(f"SELECT {columns} FROM read_parquet({quote_paths(version.tables[table].paths)})")


def told(done: Imported) -> set[tuple[What, str, str, int | None]]:
    return {(d.what, d.table, d.column, d.count) for d in done.differences}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("format", [Format.PARQUET, Format.CSV, Format.DUCKDB, Format.POSTGRESQL])
def test_what_was_exported_comes_back_as_it_was(
    format: Format,
    people: Version,
    vocabulary: Version,
    lake: Lake,
    engine: Engine,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    folder = export(people, tmp_path / "out", format, engine, vocabulary=vocabulary).folder
    source = str(folder / "people.duckdb" if format is Format.DUCKDB else folder)
    if format is Format.POSTGRESQL:
        server: Postgres = request.getfixturevalue("postgres")
        database = server.fresh()
        server.psql("-v", "schema=cdm", "-f", str(folder / "load.sql"), database=database)
        source = server.url(database)
    done = import_model(source, lake.dataset("back"))
    again = export(done.version, tmp_path / "again", Format.PARQUET, engine, vocabulary=done.vocabulary).folder
    plain = export(people, tmp_path / "plain", Format.PARQUET, engine, vocabulary=vocabulary).folder
    for table in TABLES:
        both = [f"FROM read_parquet({quote_text(str(place / f'{table}.parquet'))})" for place in (again, plain)]
        for one, other in (both, both[::-1]):
            assert engine.rows(f"{one} EXCEPT ALL {other}") == [], table
    assert done.vocabulary is not None and mapped_with(lake, done.version) == done.vocabulary
    assert {what for what, *_ in told(done)} <= {What.NO_COLUMN, What.NO_TABLE}
    assert all(rejected == 0 for _given, rejected in done.rows.values())
    assert not import_model(source, lake.dataset("back")).new


def test_a_source_that_changed_makes_the_next_version(brought: Callable[..., Imported]) -> None:
    first = brought({"person.csv": ONE})
    assert (first.version.number, first.new) == (1, True)
    assert (brought({}).version.number, brought({}).new) == (1, False)
    second = brought({"person.csv": ONE + "2,8532,1970,0,0\n"})
    assert (second.version.number, second.new) == (2, True)
    assert second.version.manifest["parent"]["number"] == 1


def test_names_of_the_model_5_3_are_carried_over_and_told(brought: Callable[..., Imported]) -> None:
    visits = (
        "visit_occurrence_id,person_id,visit_concept_id,visit_start_date,visit_end_date,visit_type_concept_id,"
        "ADMITTING_SOURCE_CONCEPT_ID,discharge_to_concept_id,colour\n7,1,9201,2020-01-01,20200103,32817,8844,0,red\n"
    )
    done = brought(
        {"PERSON.csv": ONE, "VISIT_OCCURRENCE.CSV": visits, "attribute_definition.csv": "a\n1\n", "READ.ME": ""}
    )
    found = rows(done.version, "visit_occurrence", "admitted_from_concept_id, discharged_to_concept_id, visit_end_date")
    assert [tuple(map(str, row)) for row in found] == [("8844", "0", "2020-01-03")]
    assert done.cdm_version == "5.3"
    assert {
        (What.RENAMED, "visit_occurrence", "admitting_source_concept_id", None),
        (What.RENAMED, "visit_occurrence", "discharge_to_concept_id", None),
        (What.NO_COLUMN, "visit_occurrence", "colour", 1),
        (What.NO_TABLE, "attribute_definition", "", 1),
        (What.NO_TABLE, "READ.ME", "", None),
        (What.MISSING, "visit_occurrence", "care_site_id", None),
    } <= told(done)
    assert set(done.version.tables) >= {"measurement", "episode"} and "concept" not in done.version.tables
    assert done.vocabulary is None


def test_what_cannot_be_read_is_counted_and_every_row_is_accounted_for(brought: Callable[..., Imported]) -> None:
    persons = (
        f"{PERSON},birth_datetime,month_of_birth,person_source_value\n"
        '1,8507,1960.0,0,0,2020-02-30,13,""\n'  # that day is none
        "x,8507,1960,0,0,,,\n"  # a key that is no number
        "3,8507,1960.5,0,0,,,\n"  # a year that is no whole number
        " 4 ,8507,1960,0,0,1960-05-06T07:08:09,5,가\n"
    )
    deaths = "person_id,death_date\n1,2020-01-01 13:00:00\n4,20200102\n"
    done = brought({"person.csv": persons, "death.csv": deaths})
    assert done.rows == {"death": (2, 0), "person": (4, 2)}
    found = rows(done.version, "person", "person_id, year_of_birth, birth_datetime::VARCHAR, person_source_value")
    assert found == [(1, 1960, None, ""), (4, 1960, "1960-05-06 07:08:09", "가")]
    assert {
        (What.REJECTED, "person", "person_id", 1),
        (What.REJECTED, "person", "year_of_birth", 1),
        (What.EMPTIED, "person", "birth_datetime", 1),
        (What.SHORTENED, "death", "death_date", 1),
    } <= told(done)
    assert done.version.info["report"]["sources"]["person"] == [1, 4, 2, 2, 0]
    with Engine() as engine:
        fates = quote_paths(done.version.companion["fates"].paths)
        noted = engine.rows(f"SELECT file, line, reason FROM read_parquet({fates})")
    assert [(done.version.info["files"][file - 1]["table"], line) for file, line, _reason in noted] == [
        ("person", 2),
        ("person", 3),
    ]


def test_moments_are_kept_as_everybody_can_read_them(brought: Callable[..., Imported], lake: Lake) -> None:
    written = ["2020-01-01 00:00:00+09", "2020-01-01T00:00:00Z", "infinity", "10000-01-01 00:00:00", "2020-01-01 08:00"]
    lines = [f"{number},8507,1960,0,0,{moment}" for number, moment in enumerate(written)]
    done = brought({"person.csv": f"{PERSON},birth_datetime\n" + "\n".join(lines) + "\n"})
    found = [value for (value,) in rows(done.version, "person", "birth_datetime::VARCHAR")]
    assert found == ["2020-01-01 00:00:00", "2020-01-01 09:00:00", None, None, "2020-01-01 08:00:00"]
    assert {(What.ZONED, "person", "birth_datetime", 2), (What.EMPTIED, "person", "birth_datetime", 2)} <= told(done)
    with Engine() as engine:
        select = "SELECT 1.0 AS person_id, DATE 'infinity' AS death_date"
        engine.execute(f"COPY ({select}) TO {quote_text(str(lake.root.parent / 'given/death.parquet'))}")
    done = brought({})
    assert rows(done.version, "death", "person_id, death_date") == []
    assert (What.CONVERTED, "death", "person_id", None) in told(done) and done.rows["death"] == (1, 1)


def test_a_dataset_that_was_made_otherwise_is_left_alone(brought: Callable[..., Imported], people: Version) -> None:
    with pytest.raises(MadangError) as error:
        brought({"person.csv": ONE}, name="people")
    assert error.value.code == "import.other_kind" and people.dataset.versions() == [1]


def test_text_comes_with_its_line_breaks_quotes_and_encoding(brought: Callable[..., Imported]) -> None:
    notes = (
        "\ufeffnote_id,person_id,note_date,note_type_concept_id,note_class_concept_id,note_text,encoding_concept_id,"
        'language_concept_id\r\n1,1,2020-01-01,0,0,"one\r\n""two"", three",0,0\r\n2,1,2020-01-01,0,0,"",0,0\r\n'
    )
    done = brought({"person.csv": ONE, "note.csv": notes})
    assert rows(done.version, "note", "note_text") == [('one\r\n"two", three',), ("",)]
    named = ONE.replace("concept_id\n", "concept_id,person_source_value\n").replace("0,0\n", "0,0,홍길\n")
    korean = brought(
        {"person.csv": named.encode("cp949"), "note.csv": notes.encode("cp949", "ignore")}, encoding="cp949"
    )
    assert rows(korean.version, "person", "person_source_value") == [("홍길",)]


def test_files_with_tabs_packed_files_and_parts_are_read(brought: Callable[..., Imported], tmp_path: Path) -> None:
    tabs = 'device_exposure_id\tperson_id\tunique_device_id\n1\t1\ta 5" tube\n'
    (tmp_path / "given/death").mkdir(parents=True)
    with Engine() as engine:
        for number in (1, 2):
            sql = f"SELECT {number}::INTEGER AS person_id, TIMESTAMP '2020-01-01' AS death_date"
            engine.copy_to_parquet(sql, tmp_path / f"given/death/part-{number}.parquet")
    done = brought({"person.csv.gz": gzip.compress(ONE.encode()), "device_exposure.tsv": tabs})
    assert rows(done.version, "device_exposure", "unique_device_id") == [('a 5" tube',)]
    assert rows(done.version, "death", "person_id, death_date::VARCHAR") == [(1, "2020-01-01"), (2, "2020-01-01")]


@pytest.mark.parametrize(
    ("files", "code", "sentence"),
    [
        ({}, "import.not_a_model", "no table PERSON"),
        ({"readme.txt": "hello"}, "import.not_a_model", "no table PERSON"),
        ({"person.csv": ""}, "import.file", "is empty"),
        ({"person.csv": ONE, "PERSON.tsv": ONE}, "import.twice", "twice"),
        ({"person.csv": "person_id,Person_ID\n1,1\n"}, "import.file", "twice"),
        ({"person.csv": "1,8507,1960,0,0\n2,8507,1960,0,0\n"}, "import.file", "no column of PERSON"),
        ({"person.csv": ONE, "concept.csv": "concept_id,concept_name\nx,one\n"}, "import.vocabulary", "concept.csv"),
        ({"person.csv": ONE, "concept.csv": "concept_id\n1\n1\n"}, "vocabulary.file", "more than once"),
        ({"person.csv": ONE + "2\n", "concept.csv": "concept_id\n1\n"}, "import.file", "line 3"),
        ({"person.csv": "person_id,\n1,1\n"}, "import.file", "without a name"),
        ({"person.csv": ONE + "2,8507\n"}, "import.file", "line 3"),
        ({"person.csv": ONE + "2,8507,1960,0,0,9,9\n"}, "import.file", "line 3"),
        ({"person.csv": ONE + '2,8507,1960,0,"0\n'}, "import.file", "no row of 5 columns"),
        ({"person.csv": ONE.encode() + "3,8507,1960,0,가\n".encode("cp949")}, "import.file", "UTF-8"),
        ({"person.csv": ONE.encode("utf-16")}, "import.file", "UTF-8"),
        ({"person.csv.gz": gzip.compress(ONE.encode() * 1000)[:-20]}, "import.file", "person.csv.gz"),
        ({"person.csv": ONE.replace("\n", "\r\n", 1) + "2,8507,1960,0,0\r\n"}, "import.file", "line ends"),
        ({"person.csv.gz": b"no gzip"}, "import.file", "gzip"),
        ({"person.parquet": b"PAR1 and no more"}, "import.file", "person.parquet"),
    ],
)
def test_a_source_that_cannot_be_read_is_told_in_a_sentence_and_nothing_is_made(
    brought: Callable[..., Imported], lake: Lake, files: dict[str, str | bytes], code: str, sentence: str
) -> None:
    with pytest.raises(MadangError, match=sentence) as error:
        brought(files)
    assert error.value.code == code and error.value.hint
    assert not lake.datasets()


def test_databases_that_cannot_be_read_are_told_in_a_sentence(lake: Lake, tmp_path: Path, postgres: Postgres) -> None:
    broken = tmp_path / "broken.duckdb"
    broken.write_bytes(b"not a database" * 100)
    two = tmp_path / "two.duckdb"
    with Engine(database=two) as engine:
        for schema in ("a", "b"):
            engine.execute(f"CREATE SCHEMA {schema}; CREATE TABLE {schema}.person AS SELECT 1::BIGINT AS person_id")
        engine.execute("CREATE VIEW a.death AS SELECT * FROM read_csv('/etc/passwd')")
    for source, code, schema in (
        (str(broken), "import.file", ""),
        (str(two), "import.schema", ""),
        (str(two), "import.schema", "c"),
        (str(tmp_path / "none"), "import.not_found", ""),
        (postgres.url("nowhere").replace("postgres@", "postgres:secret@"), "import.database", ""),
        (postgres.url(postgres.fresh()), "import.not_a_model", ""),
    ):
        with pytest.raises(MadangError) as error:
            import_model(source, lake.dataset("ours"), schema=schema)
        assert error.value.code == code and "secret" not in str(error.value)
    done = import_model(str(two), lake.dataset("ours"), schema="a")
    assert done.rows == {"person": (1, 0)} and (What.NO_TABLE, "death", "", None) in told(done)


def test_a_vocabulary_that_is_loaded_already_can_be_named(
    brought: Callable[..., Imported], lake: Lake, engine: Engine
) -> None:
    release = commit(lake, engine, "loaded", {"concept": "SELECT 1::BIGINT AS concept_id"})
    done = brought({"person.csv": ONE}, vocabulary=release)
    assert done.vocabulary == release and done.version.info["vocabulary"]["version"] == "loaded@1"


def test_long_numbers_of_postgresql_stay_who_they_are_and_views_are_read(lake: Lake, postgres: Postgres) -> None:
    """Identifiers of `numeric` above 2^53 would be equal as doubles."""
    from adbc_driver_postgresql import dbapi

    url = postgres.url(postgres.fresh())
    ids = (9007199254740992, 9007199254740993, 3589912774911670296)
    values = ", ".join(f"({one}, 8507, 1970, 0, 0, 1.5)" for one in ids)
    made = (
        f"CREATE TABLE person ({', '.join(f'{c} numeric(20,0)' for c in PERSON.split(','))}, extra numeric)",
        f"INSERT INTO person VALUES {values}",
        "CREATE TABLE measurement (measurement_id bigint, person_id bigint, measurement_concept_id int, "
        "measurement_date date, measurement_type_concept_id int, value_as_number numeric, range_low real)",
        "INSERT INTO measurement SELECT n, 1, 0, '2020-01-01', 0, v, 0.1 FROM "
        "(VALUES (1, 0.775), (2, 9007199254740993), (3, 'NaN'::numeric)) AS t(n, v)",
        f"CREATE VIEW death AS SELECT {ids[1]}::numeric(20,0) AS person_id, date '2020-01-01' AS death_date",
        f"CREATE MATERIALIZED VIEW observation_period AS SELECT 1 AS observation_period_id, {ids[1]}::numeric(20,0) "
        "AS person_id, date '2019-01-01' AS observation_period_start_date, date '2020-01-01' AS "
        "observation_period_end_date, 32817 AS period_type_concept_id",
    )
    with dbapi.connect(url) as connection, connection.cursor() as cursor:
        for sql in made:
            cursor.execute(sql)
        connection.commit()
    done = import_model(url, lake.dataset("long"))
    assert {row[0] for row in rows(done.version, "person", "person_id")} == set(ids)
    assert rows(done.version, "death", "person_id") == [(ids[1],)]
    assert rows(done.version, "observation_period", "person_id") == [(ids[1],)]
    measured = rows(done.version, "measurement", "value_as_number, range_low")
    assert measured == [(0.775, 0.1), (None, 0.1), (None, 0.1)]
    assert (What.EMPTIED, "measurement", "value_as_number", 2) in told(done)


def test_identifiers_that_are_doubles_are_taken_only_where_they_are_exact(lake: Lake, tmp_path: Path) -> None:
    folder = tmp_path / "given"
    folder.mkdir()
    with Engine() as engine:
        values = ", ".join(f"({one}::DOUBLE, 8507, 1960, 0, 0)" for one in (1, 2**53 - 1, 2**60))
        sql = f"SELECT * FROM (VALUES {values}) v({PERSON})"
        engine.copy_to_parquet(sql, folder / "person.parquet")
    done = import_model(str(folder), lake.dataset("doubles"))
    assert {row[0] for row in rows(done.version, "person", "person_id")} == {1, 2**53 - 1}
    assert done.rows["person"] == (3, 1)


def test_views_of_a_duckdb_file_are_named_as_views(lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / "cdm.duckdb"
    with Engine(database=path) as engine:
        engine.execute(f"CREATE TABLE person AS SELECT * FROM (VALUES (1, 8507, 1960, 0, 0)) v({PERSON})")
        engine.execute("CREATE VIEW death AS SELECT person_id, DATE '2020-01-01' AS death_date FROM person")
    done = import_model(str(path), lake.dataset("views"))
    assert ("death", "view") in {(d.table, d.detail) for d in done.differences}
    with Engine(database=path) as engine:
        engine.execute("ALTER TABLE person RENAME TO people; CREATE VIEW person AS FROM people")
    with pytest.raises(MadangError, match=r"PERSON of cdm\.duckdb is a view"):
        import_model(str(path), lake.dataset("views"))


def test_moments_with_an_offset_are_local_as_written_or_of_the_zone_that_is_named(
    brought: Callable[..., Imported],
) -> None:
    """One rule for standardize and import: the day of a moment is the day that was written, unless a zone is named."""
    visits = (
        "visit_occurrence_id,person_id,visit_concept_id,visit_start_date,visit_start_datetime,visit_end_date,"
        "visit_type_concept_id\n"
        "1,1,9202,2020-01-02,2020-01-02T00:30:00+09:00,2020-01-02 23:30:00-05:00,32817\n"
        "2,1,9202,2020-01-02,2020-01-01T20:00:00Z,2020-01-02,32817\n"
    )
    files = {"person.csv": ONE, "visit_occurrence.csv": visits}
    done = brought(files)
    columns = "visit_start_datetime::VARCHAR, visit_end_date::VARCHAR"
    assert rows(done.version, "visit_occurrence", columns) == [
        ("2020-01-02 00:30:00", "2020-01-02"),
        ("2020-01-01 20:00:00", "2020-01-02"),
    ]
    assert {
        (What.OFFSET, "visit_occurrence", "visit_start_datetime", 2),
        (What.ODD, "visit_occurrence", "visit_start_datetime", 1),
    } <= told(done)
    done = brought(files, "seoul", timezone="Asia/Seoul")
    assert rows(done.version, "visit_occurrence", columns) == [
        ("2020-01-02 00:30:00", "2020-01-03"),
        ("2020-01-02 05:00:00", "2020-01-02"),
    ]
    assert (What.ZONED, "visit_occurrence", "visit_start_datetime", 2) in told(done)
    with pytest.raises(MadangError, match="no time zone"):
        brought(files, "nowhere", timezone="Nowhere/There")


@pytest.mark.parametrize(
    ("start", "said"), [(b"SQLite format 3\0", "is SQLite"), (b"PK\x03\x04", "is ZIP"), (b"PAR1", "is Parquet")]
)
def test_other_kinds_of_files_are_named(lake: Lake, tmp_path: Path, start: bytes, said: str) -> None:
    (tmp_path / "cdm.db").write_bytes(start + bytes(200))
    with pytest.raises(MadangError, match=said):
        import_model(str(tmp_path / "cdm.db"), lake.dataset("other"))


def test_numbers_stay_what_they_are_deaths_are_one_each_and_names_are_told(brought: Callable[..., Imported]) -> None:
    values = {"0.1": 0.1, "120": 120.0, str(2**53): float(2**53), str(2**53 + 1): None, "1e400": None, "0,775": None,
              str(2**60): float(2**60), str(2**60 + 1): None, "1e20": 1e20, "-5.0": -5.0}  # fmt: skip
    head = (
        "measurement_id,person_id,measurement_concept_id,measurement_date,measurement_type_concept_id,value_as_number"
    )
    lines = [f'{n},1,0,2020-01-01,32817,"{text}"' for n, text in enumerate(values)]
    deaths = "person_id,death_date,death_type_concept_id\n1,2020-01-01,32817\n1,2020-01-02,32817\n"
    files = {"person.csv": ONE, "measurement.csv": "\n".join([head, *lines]) + "\n", "death.csv": deaths}
    done = brought({**files, "person - copy.csv": ONE, "visits_occurrence.csv": "a\n1\n"})
    assert rows(done.version, "measurement", "value_as_number") == [(value,) for value in values.values()]
    emptied = (What.EMPTIED, "measurement", "value_as_number", sum(value is None for value in values.values()))
    assert {emptied, (What.ODD, "death", "person_id", 1)} <= told(done)
    meant = {d.table: d.detail for d in done.differences if d.what is What.NO_TABLE}
    assert meant == {"person - copy": "person?", "visits_occurrence": "visit_occurrence?"}


def test_identifiers_that_come_twice_are_told_and_numbers_that_are_none_emptied(lake: Lake, tmp_path: Path) -> None:
    """`0001` is 1: two persons of a source with text identifiers are one number here."""
    folder = tmp_path / "given"
    folder.mkdir()
    (folder / "person.csv").write_text(f"{ONE}0001,8532,1970,0,0\n2,8507,1980,0,0\n", encoding="utf-8")
    with Engine() as engine:
        sql = (
            "SELECT n AS measurement_id, 1 AS person_id, 5 AS measurement_concept_id, DATE '2020-01-01' AS "
            "measurement_date, 0 AS measurement_type_concept_id, v::DOUBLE AS value_as_number, 0.1::FLOAT AS range_low "
            "FROM (VALUES (1, 'nan'), (2, 'inf'), (2, '1.5')) t(n, v)"
        )
        engine.execute(f"COPY ({sql}) TO {quote_text(str(folder / 'measurement'))} "
                       "(FORMAT parquet, PARTITION_BY (measurement_concept_id))")  # fmt: skip
    done = import_model(str(folder), lake.dataset("twice"))
    assert {(What.ODD, "person", "person_id", 1), (What.ODD, "measurement", "measurement_id", 1)} <= told(done)
    assert (What.EMPTIED, "measurement", "value_as_number", 2) in told(done)
    found = rows(done.version, "measurement", "value_as_number, range_low, measurement_concept_id")
    assert sorted(found, key=str) == [(1.5, 0.1, 5), (None, 0.1, 5), (None, 0.1, 5)]
