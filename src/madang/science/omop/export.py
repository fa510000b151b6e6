"""A dataset version written out for others: DuckDB, Parquet, CSV, or scripts that fill a PostgreSQL database.

All 39 tables are written, empty ones too, with the columns and types of the model in its order; columns that the
model does not know are left out. Only open tables are read: the restricted companion of a version has no way in here.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from madang.base.errors import MadangError
from madang.base.progress import Progress, Silent
from madang.lake import Version
from madang.lake.engine import Engine, quote_name, quote_text
from madang.lake.files import explain
from madang.science.omop.athena import empty_select
from madang.science.omop.cdm import TABLES, VERSION, Table, duckdb_type
from madang.science.omop.ddl import Dialect, create_table, foreign_keys, indices, name_of, primary_key

_DATA, _VOCABULARY, _VIEWS, _FILE = "export_data", "export_vocabulary", "export_views", "export_file"


class Format(StrEnum):
    """What to write."""

    DUCKDB = "duckdb"
    PARQUET = "parquet"
    CSV = "csv"
    POSTGRESQL = "postgresql-scripts"


@dataclass(frozen=True)
class Exported:
    """What was written: rows per table, and notes on what a reader of the export must know."""

    folder: Path
    rows: Mapping[str, int]
    notes: tuple[str, ...]


def export(
    version: Version,
    target: Path,
    format: Format,
    engine: Engine,
    *,
    vocabulary: Version | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> Exported:
    """Write `version` as a common data model to the folder `target`, with the tables of `vocabulary` if given.

    Nothing is seen in `target` before all of it is written. Raises MadangError `export.not_empty` where the folder
    has something in it (unless `force`, which replaces files of the same name), and `export.required` or `export.key`
    where rows lack what a database with keys must have.
    """
    progress = progress or Silent()
    with _staged(target, force) as folder, progress.interruptible(engine.cancel):
        _attach(engine, version, vocabulary)
        try:
            rows = {name: int(engine.value(f"SELECT count(*) FROM {_view(name)}")) for name in TABLES}
            notes = _WRITERS[format](engine, folder, rows, version, progress)
        finally:
            for schema in (_VIEWS, _DATA, _VOCABULARY):
                engine.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
    if not rows["concept"]:
        notes = [*notes, "There is no vocabulary in this export: give one to include it."]
    return Exported(target, rows, tuple(notes))


@contextmanager
def _staged(target: Path, force: bool) -> Iterator[Path]:
    """A folder beside `target` whose content moves into `target` at the end."""
    if target.exists() and not target.is_dir():
        raise MadangError("export.not_empty", f"{target} is a file, not a folder.", "Name another folder.")
    if not force and target.is_dir() and any(target.iterdir()):
        raise MadangError("export.not_empty", f"The folder {target} is not empty.", "Name another, or add --force.")
    folder = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        yield folder
        target.mkdir(exist_ok=True)
        for path in folder.iterdir():
            if (target / path.name).is_dir():
                shutil.rmtree(target / path.name)
            os.replace(path, target / path.name)
    except OSError as error:
        raise explain(error, f"write to {target}") from None
    finally:
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


def _view(table: str) -> str:
    return f"{_VIEWS}.{quote_name(table)}"


def _attach(engine: Engine, version: Version, vocabulary: Version | None) -> None:
    """Make a view per table of the model, typed as the model says."""
    version.attach(engine, schema=_DATA)
    if vocabulary:
        vocabulary.attach(engine, schema=_VOCABULARY)
    engine.execute(f"CREATE SCHEMA IF NOT EXISTS {_VIEWS}")
    for table in TABLES.values():
        select = empty_select(table.name)
        for source, schema in ((version, _DATA), (vocabulary, _VOCABULARY)):
            if source is not None and table.name in source.tables:
                present = {column for column, _ in source.tables[table.name].schema}
                select = _typed(table, present) + f" FROM {schema}.{quote_name(table.name)}"
                break
        engine.execute(f"CREATE OR REPLACE VIEW {_view(table.name)} AS {select}")


def _typed(table: Table, present: set[str]) -> str:
    columns = []
    for field in table.fields:
        name = quote_name(field.name)
        columns.append(f"{name if field.name in present else 'NULL'}::{duckdb_type(field)} AS {name}")
    return "SELECT " + ", ".join(columns)


def _check_required(engine: Engine, rows: Mapping[str, int]) -> None:
    """Refuse rows without a value that the model requires, which no database with constraints would take."""
    for table in TABLES.values():
        required = [field.name for field in table.fields if field.required]
        if not rows[table.name] or not required:
            continue
        counts = ", ".join(f"count({quote_name(name)})" for name in required)
        [filled] = engine.rows(f"SELECT {counts} FROM {_view(table.name)}")
        for name, count in zip(required, filled, strict=True):
            if count < rows[table.name]:
                raise MadangError(
                    "export.required",
                    f"{rows[table.name] - count:,} rows of {table.name} have no {name}, which the model requires.",
                    "Export as parquet or csv, which keep such rows.",
                )


def _check_keys(engine: Engine, rows: Mapping[str, int]) -> None:
    """Refuse identifiers that occur twice."""
    for table in TABLES.values():
        if table.primary_key and rows[table.name]:
            name = table.primary_key.name
            twice = engine.value(f"SELECT {name} FROM {_view(table.name)} GROUP BY {name} HAVING count(*) > 1 LIMIT 1")
            if twice is not None:
                raise MadangError(
                    "export.key",
                    f"{table.name} has {name} {twice} more than once, so it cannot be a primary key.",
                    "Export as parquet or csv, which keep such rows.",
                )


def _duckdb(engine: Engine, folder: Path, rows: Mapping[str, int], version: Version, progress: Progress) -> list[str]:
    """One file with primary keys; indices besides would only make it larger, since DuckDB reads whole columns."""
    _check_required(engine, rows)
    _check_keys(engine, rows)
    path = folder / f"{version.dataset.name}.duckdb"
    engine.execute(f"ATTACH {quote_text(str(path))} AS {_FILE}")
    try:
        for table in TABLES.values():
            with progress.step(table.name):
                place = f"{_FILE}.main"
                engine.execute(create_table(table, Dialect.DUCKDB, schema=place))
                if rows[table.name]:
                    engine.execute(f"INSERT INTO {place}.{quote_name(table.name)} FROM {_view(table.name)}")
                engine.execute(primary_key(table, Dialect.DUCKDB, schema=place))
    finally:
        engine.execute(f"DETACH {_FILE}")
    return []


def _parquet(engine: Engine, folder: Path, rows: Mapping[str, int], version: Version, progress: Progress) -> list[str]:
    """A file per table."""
    for name in TABLES:
        with progress.step(name):
            engine.copy_to_parquet(f"FROM {_view(name)}", folder / f"{name}.parquet")
    return []


def _csv(engine: Engine, folder: Path, rows: Mapping[str, int], version: Version, progress: Progress) -> list[str]:
    """A file per table: RFC 4180, UTF-8, with a header; no value is empty, an empty text is two quotes."""
    for name in TABLES:
        with progress.step(name):
            path = quote_text(str(folder / f"{name}.csv"))
            engine.execute(f"COPY (FROM {_view(name)}) TO {path} (FORMAT csv, HEADER, NEW_LINE '\\r\\n')")
    return []


_LOAD = """-- Fills an empty PostgreSQL database (12 or newer), all or nothing:
--   psql -d DATABASE -f {folder}/load.sql
-- Tables go to the first schema of the search path, or to another with: psql -v schema=cdm ...
\\set ON_ERROR_STOP on
SET client_encoding = 'UTF8';
BEGIN;
\\if :{{?schema}}
CREATE SCHEMA IF NOT EXISTS :"schema";
SET search_path TO :"schema";
\\endif
{includes}
COMMIT;
ANALYZE;
"""


def _postgresql(
    engine: Engine, folder: Path, rows: Mapping[str, int], version: Version, progress: Progress
) -> list[str]:
    """Numbered scripts and data in COPY's text format; load.sql runs them all."""
    _check_required(engine, rows)
    _check_keys(engine, rows)
    notes: list[str] = []
    (folder / "2_data").mkdir()
    for table in TABLES.values():
        if rows[table.name]:
            with progress.step(table.name):
                _copy_script(engine, table, folder / "2_data" / f"{table.name}.sql")
    with progress.step("keys"):
        statements: dict[str, list[str]] = {"1_tables": [], "3_primary_keys": [], "4_indices": [], "5_foreign_keys": []}
        for table in TABLES.values():
            wide, broken = _too_long(engine, table), _broken_keys(engine, table) if rows[table.name] else {}
            notes += [
                f"{table.name}.{name} has texts longer than the model allows, so its type is text." for name in wide
            ]
            notes += [
                f"{table.name}.{name}: {count:,} rows refer to nothing, so its foreign key is NOT VALID."
                for name, count in broken.items()
            ]
            statements["1_tables"].append(create_table(table, Dialect.POSTGRESQL, wide=wide))
            statements["3_primary_keys"].append(primary_key(table, Dialect.POSTGRESQL))
            statements["4_indices"] += indices(table, Dialect.POSTGRESQL)
            statements["5_foreign_keys"] += foreign_keys(table, Dialect.POSTGRESQL, broken=broken)
    for name, lines in statements.items():
        (folder / f"{name}.sql").write_text("\n".join(filter(None, lines)) + "\n", encoding="utf-8")
    data = [f"2_data/{name}" for name in TABLES if rows[name]]
    order = ["1_tables", *data, "3_primary_keys", "4_indices", "5_foreign_keys"]
    head = f"-- {version.name} as OMOP CDM {VERSION}, vocabulary included if it had one.\n"
    head += "".join(f"-- Note: {note}\n" for note in notes)
    load = _LOAD.format(folder="FOLDER", includes="\n".join(f"\\ir {name}.sql" for name in order))
    (folder / "load.sql").write_text(head + load, encoding="utf-8")
    return notes


def _copy_script(engine: Engine, table: Table, path: Path) -> None:
    """Rows as psql reads them after COPY ... FROM stdin: a line per row, tabs between, `\\N` for nothing.

    NUL characters, which PostgreSQL cannot hold, are left out.
    """
    columns = ", ".join(
        _escaped(quote_name(field.name)) if duckdb_type(field) == "VARCHAR" else quote_name(field.name)
        for field in table.fields
    )
    names = ", ".join(name_of(field, Dialect.POSTGRESQL) for field in table.fields)
    start = quote_text(f"COPY {table.name} ({names}) FROM stdin;\n")
    engine.execute(
        f"COPY (SELECT {columns} FROM {_view(table.name)}) TO {quote_text(str(path))} (FORMAT csv, HEADER false, "
        f"DELIMITER '\t', QUOTE '', ESCAPE '', NULL '\\N', PREFIX {start}, SUFFIX '\n\\.\n')"
    )


def _escaped(column: str) -> str:
    """SQL: a text with backslashes, line ends and tabs written as PostgreSQL's COPY reads them."""
    for character, written in ((92, "\\\\"), (9, "\\t"), (10, "\\n"), (13, "\\r"), (0, "")):
        column = f"replace({column}, chr({character}), {quote_text(written)})"
    return column


def _too_long(engine: Engine, table: Table) -> list[str]:
    """Columns with texts longer than the model allows."""
    limited = [field for field in table.fields if field.width]
    if not limited:
        return []
    [longest] = engine.rows(
        f"SELECT {', '.join(f'max(length({quote_name(f.name)}))' for f in limited)} FROM {_view(table.name)}"
    )
    return [f.name for f, length in zip(limited, longest, strict=True) if f.width and length and length > f.width]


def _broken_keys(engine: Engine, table: Table) -> dict[str, int]:
    """Columns whose foreign key some rows break, with the number of these rows."""
    broken = {}
    for field in table.fields:
        if field.foreign_key is None:
            continue
        there, column = field.foreign_key
        count = engine.value(
            f"SELECT coalesce(sum(n), 0)::BIGINT FROM (SELECT {quote_name(field.name)} AS value, count(*) AS n "
            f"FROM {_view(table.name)} WHERE value IS NOT NULL GROUP BY ALL) "
            f"WHERE value NOT IN (SELECT {quote_name(column)} FROM {_view(there)})"
        )
        if count:
            broken[field.name] = int(count)
    return broken


_WRITERS: dict[Format, Callable[[Engine, Path, Mapping[str, int], Version, Progress], list[str]]] = {
    Format.DUCKDB: _duckdb,
    Format.PARQUET: _parquet,
    Format.CSV: _csv,
    Format.POSTGRESQL: _postgresql,
}
