"""Bringing the database of an installation to what this program needs, at start, after a backup."""

import contextlib
import logging
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake.files import locked, make_folder, sentences
from madang.node.database import Database
from madang.node.database import sentences as database_sentences
from madang.node.home import Home

MIGRATIONS = Path(__file__).parent / "migrations"
_SAID = re.compile(r"^(revision|down_revision) = (\S+)$", re.MULTILINE)
_LOCK = 0x6D6164616E68  # PostgreSQL's advisory lock of whoever upgrades


def revisions() -> list[str]:
    """Every revision, oldest first: each file of the history names itself and the one before it.

    Two with one forerunner are a mistake: whoever came later has to stand behind the other.
    """
    after: dict[str | None, str] = {}
    for path in sorted((MIGRATIONS / "versions").glob("*.py")):
        said = dict(_SAID.findall(path.read_text(encoding="utf-8")))
        before = said["down_revision"].strip("\"'")
        before = None if before == "None" else before
        if before in after:
            raise RuntimeError(f"{after[before]} and {path.stem} both follow {before}")
        after[before] = said["revision"].strip("\"'")
    found: list[str] = []
    current: str | None = None
    while (current := after.get(current)) is not None:
        found.append(current)
    return found


def newest() -> str:
    """The revision that this program works with."""
    return revisions()[-1]


def revision_of(database: Database) -> str | None:
    """The revision of a database; None if it is empty."""
    with database_sentences(), database.engine.connect() as connection:
        return _current(connection)


def _current(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return found


def check_known(revision: str | None) -> None:
    """Refuse a database that a newer program has worked with."""
    if revision is not None and revision not in revisions():
        raise MadangError(
            "database.newer",
            _("The database is of a newer Madang (revision {found}; this one knows {newest}).").format(
                found=revision, newest=newest()
            ),
            _("Install that version, or restore a backup from before."),
        )


def upgrade(home: Home, database: Database, to: str | None = None) -> str | None:
    """Bring the database to the newest revision, or to `to`; what it was before, or None if it was empty.

    Two that start at once take turns. All steps are one transaction: it is done, or nothing is.
    """
    target = to or newest()
    before = revision_of(database)
    if before == target:
        return before
    check_known(before)
    with _alone(home):
        before = revision_of(database)
        check_known(before)
        if before is not None and before != target:
            from madang.node.dump import dump

            folder = home.folder("backups") / f"database-{before}-{time.strftime('%Y%m%dT%H%M%S')}"
            dump(database, folder)
        with database_sentences(), database.engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
                before = _current(connection)
            if before != target:
                _run(connection, target)
    return before


@contextlib.contextmanager
def _alone(home: Home) -> Iterator[None]:
    with sentences("prepare the home folder"):
        make_folder(home.path, 0o755)
    busy = MadangError("database.upgrading", _("Another process is upgrading the database."), _("Try again later."))
    with locked(home.path / "upgrade.lock", exclusive=True, patience=600, busy=busy):
        yield


def _run(connection: Connection, target: str) -> None:
    from alembic import command

    logging.getLogger("alembic").setLevel(logging.WARNING)
    command.upgrade(configuration(connection), target)


def configuration(connection: Connection, metadata: Any = None) -> Any:
    """Alembic's configuration for a connection."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    config.attributes["metadata"] = metadata
    return config
