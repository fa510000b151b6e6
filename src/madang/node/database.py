"""The one database of an installation: SQLite by default, PostgreSQL by `database_url`.

There is one way to read and one way to write: `database.read()` gives a session that sees one moment and cannot
change anything, `database.write()` one whose changes are committed together or not at all. Keep both short; no
transaction is ever open during science.
"""

import contextlib
import re
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import DateTime, Engine, MetaData, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError, StatementError
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator

from madang.base.errors import MadangError
from madang.base.translate import _

INDEX = "index_"  # how tables begin that are no models: rooms make them anew, they are not backed up
BUSY_SECONDS = 20  # how long a writer waits for another process


def now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(UTC)


class Moment(TypeDecorator[datetime]):
    """A moment in UTC; in Python always with its time zone, on both databases."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Into the database."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs a time zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Out of the database."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


_BEGIN = {True: "BEGIN", False: "BEGIN IMMEDIATE"}  # who only reads does not wait for who writes


class Base(DeclarativeBase):
    """What every table of node and of the rooms derives from; its history is in node/migrations."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: Moment()}  # noqa: RUF012 - SQLAlchemy's way to say it


def is_kept(table: str) -> bool:
    """Whether a table holds what cannot be made anew: those of rooms' indexes can."""
    return not table.startswith(INDEX)


class Database:
    """Opens transactions. Safe to use from several threads and processes."""

    def __init__(self, url: str | URL) -> None:
        self.engine = _engine(url)
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        # SQLite's own waiting sleeps up to 100 ms at a time; threads of one process queue here instead.
        self._turn = threading.Lock()
        self._writer = threading.local()
        if self.is_sqlite:
            self._reading = _engine(url, reading=True)
            self._writing = self.engine
        else:
            self._reading = self.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            self._writing = self.engine

    @contextlib.contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees the database as of one moment; to change something raises `database.read_only`."""
        with sentences(), Session(self._reading, autoflush=False, expire_on_commit=False) as session:
            yield session
            if session.new or session.dirty or session.deleted:
                raise MadangError("database.read_only", "Something was to be changed in a transaction for reading.")

    @contextlib.contextmanager
    def write(self) -> Iterator[Session]:
        """A session whose changes are committed at the end of the block, all or, after an exception, none.

        What `before_commit` was given runs at the end of the block, what `after_commit` was given once the changes are
        committed; the block is left only then. Writing does not nest: pass the session on.
        """
        if getattr(self._writer, "busy", False):
            raise RuntimeError("a transaction for writing is open in this thread already")
        self._writer.busy = True
        try:
            with sentences():
                with self._in_turn(), Session(self._writing, expire_on_commit=False) as session, session.begin():
                    session.connection()  # take the lock now, not at the first question
                    yield session
                    session.flush()
                    _run(session, "before_commit")
                self._writer.busy = False  # what runs now may write again
                _run(session, "after_commit")
        finally:
            self._writer.busy = False

    def _in_turn(self) -> contextlib.AbstractContextManager[Any]:
        return self._turn if self.is_sqlite else contextlib.nullcontext()

    def close(self) -> None:
        """Give all connections back."""
        self._reading.dispose()
        self.engine.dispose()


def before_commit(session: Session, todo: Callable[[], None]) -> None:
    """Have `todo` called as the last thing within this `write()`."""
    session.info.setdefault("before_commit", []).append(todo)


def after_commit(session: Session, todo: Callable[[], None]) -> None:
    """Have `todo` called once the changes of this `write()` are committed, and before its block is left."""
    session.info.setdefault("after_commit", []).append(todo)


def _run(session: Session, when: str) -> None:
    todo: list[Callable[[], None]] = session.info.pop(when, [])
    for each in todo:
        each()


def sqlite_url(path: Path) -> URL:
    """The address of a SQLite file."""
    return URL.create("sqlite", database=str(path))


def _engine(url: str | URL, *, reading: bool = False) -> Engine:
    """The pool of connections; with `reading` those of SQLite can change nothing, and take no lock to begin."""
    try:
        parsed = make_url(url)
        if parsed.drivername in ("postgresql", "postgres"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        if parsed.get_backend_name() not in ("sqlite", "postgresql"):
            raise ArgumentError(parsed.drivername)
        options: dict[str, Any] = (
            {"connect_args": {"timeout": BUSY_SECONDS, "check_same_thread": False}}
            if parsed.get_backend_name() == "sqlite"
            else {"pool_pre_ping": True, "connect_args": {"connect_timeout": 10, "options": "-c timezone=UTC"}}
        )
        engine = create_engine(parsed, pool_size=20, max_overflow=20, **options)
    except (ArgumentError, NoSuchModuleError):
        raise MadangError(
            "database.url",
            _("database_url names no database that Madang works with."),
            _("Write postgresql://user:password@host/name, or leave it empty for SQLite."),
        ) from None
    except ModuleNotFoundError:
        raise MadangError(
            "database.driver",
            _("PostgreSQL needs a package that is not installed."),
            _("Install madang with its extra: `madang[postgresql]`."),
        ) from None
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        if reading:
            event.listen(engine, "connect", lambda connection, _record: connection.execute("PRAGMA query_only=ON"))
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(_BEGIN[reading]))
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves, so that changes of the schema are transactions too
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


@contextlib.contextmanager
def sentences() -> Iterator[None]:
    """Turn what a database says when it cannot go on into one sentence."""
    try:
        yield
    except IntegrityError:
        raise
    except DBAPIError as error:
        known = explain(error)
        if known is None:
            raise
        raise known from error
    except StatementError as error:
        if isinstance(error.orig, MadangError):  # a column's own rule refused the value
            raise error.orig from None
        raise


def explain(error: DBAPIError) -> MadangError | None:
    """The sentence for an error of the database itself; None for a mistake of ours."""
    text = str(error.orig).strip()
    first = text.splitlines()[0] if text else ""
    hint = ""
    state = getattr(error.orig, "sqlstate", None) or ""
    if re.search(r"database is locked|database table is locked", text) or state in ("40001", "40P01", "55P03"):
        code, message = "database.busy", _("The database is in use by another process.")
        hint = _("Try again in a moment.")
    elif re.search(r"disk is full|No space left", text) or state == "53100":
        code, message = "database.disk_full", _("The disk with the database is full; nothing was changed.")
        hint = _("Free some space and try again.")
    elif re.search(r"readonly database|query_only", text) or state in ("25006",):
        code, message = "database.read_only", _("The database cannot be changed: {reason}.").format(reason=first)
    elif re.search(r"malformed|not a database", text):
        code, message = "database.damaged", _("The database is damaged: {reason}.").format(reason=first)
        hint = _("Restore it from a backup: `madang restore`.")
    elif "unable to open database file" in text or "disk I/O error" in text:
        code, message = "database.unreachable", _("The database cannot be opened: {reason}.").format(reason=first)
    elif error.connection_invalidated or state[:2] in ("08", "28", "3D", "53", "57") or "connection" in text:
        code, message = (
            "database.unreachable",
            _("The database does not answer: {reason}.").format(reason=first.rstrip(".")),
        )
        hint = _("Look whether the server runs and whether database_url is right.")
    else:
        return None
    return MadangError(code, message, hint)
