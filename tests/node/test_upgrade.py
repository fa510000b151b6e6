"""Upgrades of the database: from every earlier revision with data in it, on SQLite and PostgreSQL."""

import json
import re
import threading
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Boolean, Date, DateTime, Float, Integer, LargeBinary, MetaData, Table, insert, select, text

from madang.base.errors import MadangError
from madang.node import rooms
from madang.node import upgrade as upgrades
from madang.node.database import Database, is_kept
from madang.node.dump import load, revision_in
from madang.node.home import Home
from madang.node.models import Base
from madang.node.node import Node, open_database
from madang.node.settings import load_settings
from madang.node.upgrade import newest, revision_of, revisions, upgrade
from postgres import Postgres


@pytest.fixture(params=["sqlite", "postgresql"])
def home(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home whose database has no tables yet."""
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        monkeypatch.setenv("MADANG_DATABASE_URL", server.url(server.fresh()))
    return Home(tmp_path / "home")


def opened(home: Home) -> Database:
    return open_database(home, load_settings(home.path))


def reflected(database: Database) -> MetaData:
    found = MetaData()
    found.reflect(database.engine, only=lambda name, _metadata: is_kept(name))
    found.remove(found.tables["alembic_version"])
    return found


def some_row(table: Table, number: int) -> dict[str, Any]:
    """A row that the table takes, whatever its columns are; rows of one number belong together."""
    row: dict[str, Any] = {}
    for column in table.columns:
        if column.computed is not None:
            continue
        if isinstance(column.type, Boolean):
            row[column.name] = bool(number % 2)
        elif isinstance(column.type, Integer):
            row[column.name] = number
        elif isinstance(column.type, Float):
            row[column.name] = number / 2
        elif isinstance(column.type, DateTime):
            moment = datetime(2026, 1, number, 12, tzinfo=UTC)
            row[column.name] = moment if column.type.timezone else moment.replace(tzinfo=None)
        elif isinstance(column.type, Date):
            row[column.name] = date(2026, 1, number)
        elif isinstance(column.type, LargeBinary):
            row[column.name] = bytes([number, 0, 255])
        elif table.name == "audit_events" and column.name == "text":
            row[column.name] = json.dumps({"number": number, "at": "x", "act": "x", "actor": "x", "thing": "x"})
        else:
            row[column.name] = f"{column.name} 값 {number}"
    return row


DROPPED = {("record_files", "damaged")}  # columns that nobody read, so that a later revision took them away


@pytest.mark.parametrize("start", revisions()[:-1])
def test_every_earlier_revision_is_upgraded_with_its_data_after_a_backup(home: Home, start: str) -> None:
    database = opened(home)
    upgrade(home, database, to=start)
    tables = reflected(database)
    lasting = [
        [each for each in table.columns if (table.name, each.name) not in DROPPED] for table in tables.sorted_tables
    ]
    with database.engine.begin() as connection:
        for table in tables.sorted_tables:
            connection.execute(insert(table), [some_row(table, number) for number in (1, 2)])
        kept = [connection.execute(select(*columns)).all() for columns in lasting]
    assert upgrade(home, database) == start
    with database.engine.connect() as connection:
        for columns, rows in zip(lasting, kept, strict=True):
            assert connection.execute(select(*columns)).all() == rows, columns[0].table.name
    (copy,) = (home.path / "backups").iterdir()
    assert revision_in(copy) == start
    assert len((copy / "persons.ndjson").read_text().splitlines()) == 2
    database.close()


def of_models(name: str | None, kind: str, _parents: object) -> bool:
    return kind != "table" or is_kept(str(name))


def test_all_revisions_lead_to_what_the_models_say(home: Home) -> None:
    database = opened(home)
    assert upgrade(home, database) is None
    assert not (home.path / "backups").exists(), "there was nothing to back up"
    with database.engine.connect() as connection:
        rooms.load_models()
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": of_models})
        assert compare_metadata(context, Base.metadata) == []
    database.close()


def test_revisions_are_one_history_and_import_no_model() -> None:
    files = sorted((upgrades.MIGRATIONS / "versions").glob("*.py"))
    assert len(revisions()) == len(files), "each follows another one, and none is left out"
    for path in files:
        written = path.read_text()
        assert "madang" not in written, path.name
        assert path.stem.startswith(re.search(r'^revision = "(\w+)"', written, re.MULTILINE)[1])  # type: ignore[index]  # every file has one


def test_a_database_of_a_newer_madang_is_left_alone(home: Home) -> None:
    Node.open(home).close()
    database = opened(home)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(MadangError, check=lambda error: error.code == "database.newer"):
        Node.open(home)
    assert revision_of(database) == "9999"
    database.close()


def test_several_that_start_at_once_upgrade_once(home: Home) -> None:
    problems: list[BaseException] = []

    def start() -> None:
        try:
            Node.open(home).close()
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=start) for _process in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    database = opened(home)
    assert revision_of(database) == newest()
    with database.read() as session:
        assert session.execute(text("SELECT count(*) FROM organizations")).scalar() == 1
    database.close()


def test_an_upgrade_that_fails_leaves_the_database_as_it_was(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    database = opened(home)
    upgrade(home, database, to="0001")
    run = upgrades._run

    def half_way(connection: Any, target: str) -> None:
        run(connection, target)
        raise ZeroDivisionError

    monkeypatch.setattr(upgrades, "_run", half_way)
    with pytest.raises(ZeroDivisionError):
        upgrade(home, database)
    monkeypatch.undo()
    assert revision_of(database) == "0001"
    (copy,) = (home.path / "backups").iterdir()
    with pytest.raises(MadangError, check=lambda error: error.code == "backup.not_empty"):
        with database.engine.begin() as connection:
            connection.execute(text("INSERT INTO organizations VALUES (7, 'a', 'a', 'a', '2026-01-01')"))
        load(database, copy)
    database.close()
