"""The SQL that makes an empty common data model runs where it says."""

from pathlib import Path

from madang.lake.engine import Engine
from madang.science.omop.cdm import TABLES, duckdb_type
from madang.science.omop.ddl import INDEXED, Dialect, script
from postgres import Postgres


def test_duckdb_takes_it(engine: Engine) -> None:
    engine.execute("CREATE SCHEMA cdm")
    engine.execute(script(Dialect.DUCKDB, schema="cdm"))
    columns = engine.rows(
        "SELECT table_name, column_name, data_type, NOT is_nullable FROM duckdb_columns() WHERE schema_name = 'cdm' "
        "ORDER BY table_oid, column_index"
    )
    assert columns == [(t.name, f.name, duckdb_type(f), f.required) for t in TABLES.values() for f in t.fields]
    keys = engine.value(
        "SELECT count(*) FROM duckdb_constraints() WHERE constraint_type = 'PRIMARY KEY' AND schema_name = 'cdm'"
    )
    assert keys == sum(table.primary_key is not None for table in TABLES.values())
    indices = engine.value("SELECT count(*) FROM duckdb_indexes() WHERE schema_name = 'cdm'")
    assert indices == sum(map(len, INDEXED.values()))
    engine.execute("DROP SCHEMA cdm CASCADE")


def test_postgresql_takes_it_with_every_constraint(postgres: Postgres, tmp_path: Path) -> None:
    path = tmp_path / "cdm.sql"
    path.write_text("CREATE SCHEMA cdm;\n" + script(Dialect.POSTGRESQL, schema="cdm"))
    database = postgres.database("ddl")
    postgres.psql("-v", "ON_ERROR_STOP=1", "-f", str(path), database=database)
    answer = postgres.psql(
        "-c",
        "SELECT contype, count(*) FROM pg_constraint WHERE connamespace = 'cdm'::regnamespace GROUP BY 1",
        database=database,
    )
    counted = dict(line.split("|") for line in answer.splitlines())
    fields = [field for table in TABLES.values() for field in table.fields]
    assert int(counted["f"]) == sum(field.foreign_key is not None for field in fields)
    assert int(counted["p"]) == sum(table.primary_key is not None for table in TABLES.values())
    columns = "SELECT count(*), count(*) FILTER (WHERE is_nullable = 'NO') FROM information_schema.columns"
    answer = postgres.psql("-c", f"{columns} WHERE table_schema = 'cdm'", database=database)
    assert answer == f"{len(fields)}|{sum(field.required for field in fields)}"
    indices = postgres.psql("-c", "SELECT count(*) FROM pg_indexes WHERE indexname LIKE 'ix\\_%'", database=database)
    assert int(indices) == sum(map(len, INDEXED.values()))


def test_spark_gets_its_own_types_and_quotes() -> None:
    text = script(Dialect.SPARK, schema="cdm")
    assert text.count("CREATE TABLE cdm.") == len(TABLES)
    assert text.count(" USING delta;") == len(TABLES)
    assert "    `offset` STRING" in text
    assert "    person_id BIGINT NOT NULL" in text
    assert "PRIMARY KEY (person_id) NOT ENFORCED;" in text
    for foreign in ("VARCHAR", "INTEGER", "CREATE INDEX", '"'):
        assert foreign not in text
