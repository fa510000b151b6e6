"""A database as plain files, and back: one file of JSON lines per table, the same from SQLite and PostgreSQL.

Backups are made of it, also the one before an upgrade, so a node can move from one database to the other. The tables
are taken as the database has them, so it works at every revision. Search indexes, which a database keeps in tables of
its own, are left out and made again.
"""

import base64
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection, Date, DateTime, LargeBinary, MetaData, Table, func, insert, select, text

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake.files import make_folder, sentences, sync_file, sync_folder
from madang.node.database import Database, is_kept
from madang.node.database import sentences as database_sentences

REVISION = "revision"
_BATCH = 1_000
_REVISION_TABLE = "alembic_version"


def dump(database: Database, folder: Path) -> None:
    """Write every table into the new folder, as of one moment, while others go on to work."""
    with sentences("write the copy of the database"):
        make_folder(folder, 0o700)
        with database.read() as session:
            connection = session.connection()
            tables = _tables(connection)
            revision = connection.execute(select(tables.tables[_REVISION_TABLE].c.version_num)).scalar_one()
            for table in tables.sorted_tables:
                if table.name == _REVISION_TABLE:
                    continue
                path = folder / f"{table.name}.ndjson"
                with path.open("wb") as file:
                    for row in _rows(connection, table):
                        file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
                path.chmod(0o600)
                sync_file(path)
        (folder / REVISION).write_text(revision)
        sync_file(folder / REVISION)
        sync_folder(folder)


def load(database: Database, folder: Path) -> None:
    """Fill the tables of a database that is empty, and at the revision of the copy, from `folder`."""
    with sentences("read the copy of the database"), database_sentences(), database.engine.begin() as connection:
        tables = _tables(connection)
        for table in tables.sorted_tables:
            if table.name == _REVISION_TABLE:
                continue
            if connection.execute(select(func.count()).select_from(table)).scalar_one():
                raise MadangError(
                    "backup.not_empty",
                    _("The database has data already (table {table}).").format(table=table.name),
                    _("Restore into an empty database."),
                )
            for batch in _batches(folder / f"{table.name}.ndjson"):
                connection.execute(insert(table), [_typed(table, row) for row in batch])
            if connection.dialect.name == "postgresql":
                _set_counter(connection, table)


def revision_in(folder: Path) -> str:
    """The revision of the database that a copy was made from."""
    with sentences("read the copy of the database"):
        return (folder / REVISION).read_text().strip()


def _tables(connection: Connection) -> MetaData:
    """The tables as the database has them, without those that it keeps for its own indexes."""
    own: set[str] = set()
    if connection.dialect.name == "sqlite":
        listed = connection.exec_driver_sql("SELECT name FROM pragma_table_list WHERE type IN ('virtual', 'shadow')")
        own = {name for (name,) in listed}
    found = MetaData()
    found.reflect(connection, only=lambda name, _metadata: name not in own and is_kept(name))
    return found


def _rows(connection: Connection, table: Table) -> Iterator[dict[str, Any]]:
    columns = [column for column in table.columns if column.computed is None]
    order = list(table.primary_key.columns) or ([table.c.number] if "number" in table.c else [])
    query = select(*columns).order_by(*order).execution_options(yield_per=_BATCH)
    for row in connection.execute(query):
        yield {str(column.name): _plain(value) for column, value in zip(columns, row, strict=True)}


def _plain(value: Any) -> Any:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(bytes(value)).decode()
    return value


def _typed(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    typed = dict(row)
    for column in table.columns:
        value = row.get(column.name)
        if value is None:
            continue
        if isinstance(column.type, Date):
            typed[column.name] = date.fromisoformat(value)
        elif isinstance(column.type, DateTime):
            moment = datetime.fromisoformat(value)
            typed[column.name] = moment if column.type.timezone else moment.replace(tzinfo=None)
        elif isinstance(column.type, LargeBinary):
            typed[column.name] = base64.b64decode(value)
    return typed


def _batches(path: Path) -> Iterator[list[dict[str, Any]]]:
    if not path.exists():
        return
    batch = []
    with path.open("rb") as file:
        for line in file:
            batch.append(orjson.loads(line))
            if len(batch) == _BATCH:
                yield batch
                batch = []
    if batch:
        yield batch


def _set_counter(connection: Connection, table: Table) -> None:
    """Have PostgreSQL go on counting after the rows that were put in with their numbers."""
    for column in table.primary_key.columns:
        counter = connection.execute(select(func.pg_get_serial_sequence(f'"{table.name}"', column.name))).scalar()
        if counter:
            highest = connection.execute(select(func.max(column))).scalar()
            if highest is not None:
                connection.execute(text("SELECT setval(:counter, :highest)"), {"counter": counter, "highest": highest})
