"""Databases that hold a common data model: a DuckDB file, read where it is, and PostgreSQL, copied table by table."""

import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from madang.base.errors import MadangError
from madang.base.progress import Progress
from madang.base.translate import _
from madang.lake.engine import Engine, quote_name, quote_text
from madang.science.omop.importing.given import Given, GivenTable

_FILE = "given_file"
_CASTS = {"money": "numeric::text"}
_PLAIN = {"smallint", "integer", "bigint", "real", "double precision", "text", "character varying", "date", "boolean"}
_PLAIN |= {"timestamp without time zone", "timestamp with time zone"}


def duckdb_file(path: Path, engine: Engine, schema: str) -> Given:
    """The tables of a DuckDB file, which is not changed. Its views are left alone: they could read anything."""
    with path.open("rb") as file:
        start = file.read(16)
    for magic, kind, instead in (
        (b"SQLite format 3", "SQLite", _("Export it to CSV, Parquet or DuckDB.")),
        (b"PK\x03\x04", "ZIP", _("Unpack it and give the folder.")),
        (b"PAR1", "Parquet", _("Give the folder in which it lies.")),
        (b"\x1f\x8b", "gzip", _("Give the folder in which it lies.")),
    ):
        if start.startswith(magic):
            raise MadangError(
                "import.file", _("{file} is {kind}, which is not read.").format(file=path.name, kind=kind), instead
            )
    try:
        engine.execute(f"ATTACH {quote_text(str(path))} AS {_FILE} (READ_ONLY)")
    except MadangError as error:
        raise MadangError(
            "import.file",
            _("{file} cannot be read as a DuckDB file.").format(file=path.name),
            error.message + " " + _("It may be damaged, open in another program, or of another kind."),
        ) from None
    rows = engine.rows(
        f"SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = '{_FILE}' ORDER BY ALL"
    )
    views = engine.rows(
        f"SELECT view_name FROM duckdb_views() WHERE database_name = '{_FILE}' AND NOT internal ORDER BY ALL"
    )
    wanted = _schema(path.name, [(str(place), str(name)) for place, name in rows], schema)
    tables = {}
    for place, name in rows:
        if place == wanted:
            relation = ".".join(quote_name(part) for part in (_FILE, place, name))
            columns = engine.describe(f"SELECT * FROM {relation}")
            tables[name.lower()] = GivenTable(
                name.lower(), relation, tuple(columns), _state(engine, relation, columns), f"{place}.{name}"
            )
    return Given("duckdb", path.name, tables, tuple(str(view) for (view,) in views))


def postgresql(address: str, engine: Engine, schema: str, scratch: Path, progress: Progress) -> Given:
    """The tables of a PostgreSQL database as of one moment, copied to Parquet files in `scratch`."""
    try:
        from adbc_driver_postgresql import dbapi
    except ModuleNotFoundError:
        raise MadangError(
            "import.driver",
            _("Reading PostgreSQL needs a package that is not installed."),
            _("Install madang with its extra: `madang[postgresql]`."),
        ) from None
    parsed = urlsplit(address)
    name = f"{parsed.hostname or 'localhost'}{parsed.path}"
    try:
        connection = dbapi.connect(address)
    except dbapi.Error as error:
        raise _unreachable(name, parsed.password, error) from None
    with connection, connection.cursor() as cursor:
        try:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            cursor.execute(
                "SELECT n.nspname::text, c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
                "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND has_table_privilege(c.oid, 'SELECT') "
                "AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_toast%' "
                "ORDER BY 1, 2"
            )
            found = cursor.fetchall()
            wanted = _schema(name, found, schema)
            mine = [table for place, table in found if place == wanted]
            tables: dict[str, GivenTable] = {}
            _check_names(wanted, mine)
            with progress.step(_("copy from PostgreSQL"), len(mine), _("tables")):
                for number, table in enumerate(mine):
                    path = scratch / f"{number}.parquet"
                    tables[table.lower()] = _copied(cursor, engine, wanted, table, path)
                    progress.advance(1)
        except dbapi.Error as error:
            raise _unreachable(name, parsed.password, error) from None
    return Given("postgresql", name, tables)


def _copied(cursor: Any, engine: Engine, schema: str, table: str, path: Path) -> GivenTable:
    """One table, in a file that is read instead of it."""
    cursor.execute(
        "SELECT a.attname::text, format_type(a.atttypid, NULL) "
        "FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 "
        "AND NOT a.attisdropped ORDER BY a.attnum",
        (schema, table),
    )
    columns = ", ".join(
        # Numbers of any length go by their digits: as doubles two persons might become one, and values others. They are
        # read as those of a text file are.
        quote_name(column) + ("" if kind in _PLAIN else f"::{_CASTS.get(kind, 'text')} AS {quote_name(column)}")
        for column, kind in cursor.fetchall()
    )
    cursor.execute(f"SELECT {columns} FROM {quote_name(schema)}.{quote_name(table)}")
    engine.register("_given", cursor.fetch_record_batch())
    try:
        engine.copy_to_parquet("FROM _given", path, codec="snappy")
    finally:
        engine.unregister("_given")
    relation = f"read_parquet({quote_text(str(path))})"
    found = engine.describe(f"SELECT * FROM {relation}")
    return GivenTable(table.lower(), relation, tuple(found), _state(engine, relation, found), f"{schema}.{table}")


def _check_names(schema: str, tables: list[str]) -> None:
    """Refuse tables whose names differ in case alone: which one is meant cannot be told."""
    seen: dict[str, str] = {}
    for table in tables:
        other = seen.setdefault(table.lower(), table)
        if other != table:
            raise MadangError(
                "import.twice",
                _("{source} has the table {table} twice: {first} and {second}.").format(
                    source=schema, table=table.lower(), first=other, second=table
                ),
                _("Keep one of them."),
            )


def _schema(source: str, tables: list[tuple[str, str]], wanted: str) -> str:
    """The schema that was asked for, or the only one with a table PERSON."""
    having = sorted({place for place, name in tables if name.lower() == "person"})
    if wanted:
        if wanted not in {place for place, _name in tables}:
            raise MadangError(
                "import.schema",
                _("{source} has no schema {name}.").format(source=source, name=wanted),
                _("It has: {names}.").format(names=", ".join(sorted({place for place, _name in tables})) or "-"),
            )
        return wanted
    if len(having) > 1:
        raise MadangError(
            "import.schema",
            _("{source} has a table PERSON in more than one schema: {names}.").format(
                source=source, names=", ".join(having)
            ),
            _("Name one with --schema."),
        )
    return having[0] if having else ""


def _state(engine: Engine, relation: str, columns: list[tuple[str, str]]) -> str:
    """A hash of a table's content that only has to change when the content does."""
    count, mixed = engine.rows(f"SELECT count(*), bit_xor(hash(t)) FROM {relation} AS t")[0]
    return hashlib.sha256(f"{columns} {count} {mixed}".encode()).hexdigest()


def _unreachable(name: str, password: str | None, error: Exception) -> MadangError:
    lines = str(error).strip().splitlines()
    reason = (lines[-1] if lines else type(error).__name__).strip().rstrip(".")
    if password:
        reason = reason.replace(password, "********")
    return MadangError(
        "import.database",
        _("The database {name} cannot be read: {reason}.").format(name=name, reason=reason),
        _("Look whether the server runs, and at user, password and name of the database."),
    )
