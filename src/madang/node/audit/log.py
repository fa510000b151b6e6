"""Writing events, reading them, and checking that they are what was written."""

import contextlib
import threading
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from madang.base.canonical import canonical_json
from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.audit.chain import START, Event, Report, check_chain, check_quickly, link, mac
from madang.node.audit.head import Head, HeadFile
from madang.node.audit.models import audit_events, columns_differ
from madang.node.database import Database, after_commit, before_commit, now
from madang.node.home import Home
from madang.node.people.actor import Actor

KEY = "audit"
LOCK = 0x6D6164616E67  # PostgreSQL's advisory lock of whoever adds to the chain
_BATCH = 5_000
# Asked at every page, so made once.
_LAST = text("SELECT number, digest FROM audit_events ORDER BY number DESC LIMIT 1")
_DIGEST_AT = text("SELECT digest FROM audit_events WHERE number = :number")
_ADD = text("INSERT INTO audit_events (text, digest, mac) VALUES (:text, :digest, :mac)")


@dataclass
class _Read:
    """Events of reads that wait for their commit; shared by the threads whose reads they are."""

    events: list[dict[str, Any]] = field(default_factory=list)
    done: threading.Event = field(default_factory=threading.Event)
    error: BaseException | None = None


class Audit:
    """The events of one installation."""

    def __init__(self, home: Home, database: Database) -> None:
        self._database = database
        self._home = home
        self._key_: bytes | None = None
        self._head: HeadFile | None = None
        self._waiting: _Read | None = None
        self._lock = threading.Lock()
        self._leading = threading.Lock()  # held while a batch is committed, so that the next one grows meanwhile

    @property
    def _key(self) -> bytes:
        if self._key_ is None:
            self._key_ = self._home.key(KEY)
        return self._key_

    @property
    def head(self) -> HeadFile:
        """The file that says how far the chain reaches."""
        if self._head is None:
            self._head = HeadFile(self._home.path / "keys" / "audit.head", self._key)
        return self._head

    def record(
        self, session: Session, actor: Actor, act: str, thing: str = "", details: dict[str, Any] | None = None
    ) -> None:
        """Have the event committed together with the changes of `session`, from `database.write()`.

        `thing` names what was acted on, as `record:7`; `details` is JSON. Nobody's secrets belong in it.
        """
        event = _event(actor, act, thing, details)
        waiting = session.info.setdefault("audit", [])
        waiting.append(event)
        if len(waiting) == 1:
            before_commit(session, lambda: self._append(session, session.info.pop("audit")))

    def read(self, actor: Actor, act: str, thing: str = "", details: dict[str, Any] | None = None) -> None:
        """Return when the event of a read is committed; only then give out what is read.

        Reads that come while others are being committed go together into the next commit.
        """
        with self._lock:
            leads = self._waiting is None
            if self._waiting is None:
                self._waiting = _Read()
            batch = self._waiting
            batch.events.append(_event(actor, act, thing, details))
        if not leads:
            batch.done.wait()
            if batch.error is not None:
                raise batch.error
            return
        try:
            with self._leading, self._database.write() as session:
                with self._lock:  # from here on others begin a new batch
                    self._waiting = None
                before_commit(session, lambda: self._append(session, batch.events))
        except BaseException as error:
            batch.error = error
            raise
        finally:
            with self._lock:
                if self._waiting is batch:
                    self._waiting = None
            batch.done.set()

    def _append(self, session: Session, events: list[dict[str, Any]]) -> None:
        """Add events to the end of the chain, within the transaction of `session`."""
        connection = session.connection()
        if not self._database.is_sqlite:  # SQLite has one writer at a time anyway
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
        last = connection.execute(_LAST).first()
        number, digest = (last.number, last.digest) if last else (0, START)
        try:
            head = self.head.read()
        except MadangError:
            contradicted = True
        else:
            if head is None and number == 0:  # so that from the first event on there is a head
                self.head.advance(Head())
            contradicted = head != Head(number, digest) and (
                number > 0 if head is None else _digest_at(connection, head.length) != head.digest
            )
        rows = []
        for event in events:
            number += 1
            written = canonical_json(event | {"number": number, "at": _stamp()}).decode()
            digest = link(digest, written)
            rows.append({"text": written, "digest": digest, "mac": mac(self._key, digest)})
        connection.execute(_ADD, rows)
        if not contradicted:  # otherwise the head stays as it is: it is the proof
            reached = Head(number, digest)
            after_commit(session, lambda: self.head.advance(reached))

    def events(
        self,
        session: Session,
        *,
        actor: str | None = None,
        act: str | None = None,
        thing: str | None = None,
        before: int | None = None,
        limit: int = 100,
        since: str | None = None,
        until: str | None = None,
        without: Collection[str] = (),
    ) -> list[Event]:
        """The newest events first, of one actor (`person:12`), act (or area, `record.*`) or thing if given.

        `since` and `until` are moments in UTC as events have them, the second one not included; `without` are acts.
        """
        query = select(audit_events.c.text).order_by(audit_events.c.number.desc()).limit(limit)
        if actor is not None:
            query = query.where(audit_events.c.actor == actor)
        if act is not None and act.endswith(".*"):
            query = query.where(audit_events.c.act.like(act[:-1].replace("_", r"\_") + "%", escape="\\"))
        elif act is not None:
            query = query.where(audit_events.c.act == act)
        if thing is not None:
            query = query.where(audit_events.c.thing == thing)
        if before is not None:
            query = query.where(audit_events.c.number < before)
        if since is not None:
            query = query.where(audit_events.c.at >= since)
        if until is not None:
            query = query.where(audit_events.c.at < until)
        if without:
            query = query.where(audit_events.c.act.not_in(sorted(without)))
        return [Event.from_text(written) for written in session.scalars(query)]

    def texts(self, session: Session) -> Iterator[str]:
        """The canonical JSON of every event, oldest first."""
        query = select(audit_events.c.text).order_by(audit_events.c.number)
        yield from session.scalars(query.execution_options(yield_per=_BATCH))

    def verify(self, anchors: dict[int, str] | None = None) -> Report:
        """Check every event, the end of the chain, and the digests that anchors name for lengths of it."""
        with self._database.read() as session:
            return self.check(session.connection(), anchors)

    def check(self, connection: Connection, anchors: dict[int, str] | None = None) -> Report:
        """The same as `verify`, of what this connection sees."""
        anchors = anchors or {}
        try:
            head = self.head.read()
            broken = ""
        except MadangError as error:
            head, broken = None, error.message
        wanted = frozenset(anchors) | ({head.length} if head else frozenset())
        report, seen = self._check_quickly(connection, wanted) or self._check_plainly(connection, wanted)
        seen[0] = START
        if broken:
            report.found(None, broken)
        elif head is None and report.length:
            report.found(None, _("The file that says how far the events reach is gone."))
        elif head is not None and head.length > report.length:
            gone = head.length - report.length
            report.found(None, _("The last {count} event(s) are gone.").format(count=gone))
        elif head is not None and seen.get(head.length) != head.digest:
            report.found(head.length, _("It is not the event that was written there."))
        for length, digest in sorted(anchors.items()):
            if seen.get(length) != digest:
                report.found(length, _("An anchor names another event there."))
        return report

    def _check_quickly(self, connection: Connection, wanted: frozenset[int]) -> tuple[Report, dict[int, str]] | None:
        try:
            with connection.begin_nested():
                if columns_differ(connection):
                    return None
        except DBAPIError:  # a text that is no JSON any more
            return None
        return check_quickly(_batches(connection, "text, digest, mac, number"), self._key, wanted)

    def _check_plainly(self, connection: Connection, wanted: frozenset[int]) -> tuple[Report, dict[int, str]]:
        columns = "text, digest, mac, number, at, act, actor, thing"
        rows = (row for batch in _batches(connection, columns) for row in batch)
        return check_chain(rows, self._key, wanted)


def _batches(connection: Connection, columns: str) -> Iterator[Sequence[Sequence[Any]]]:
    """All events in order, many at a time, as the driver gives them: this is the long loop of the house."""
    driver = connection.connection  # SQLAlchemy's rows would take as long to make as the hashes of what is in them
    named = {} if connection.dialect.name == "sqlite" else {"name": "audit_events"}  # psycopg: leave them in the server
    with contextlib.closing(driver.cursor(**named)) as cursor:
        cursor.execute(f"SELECT {columns} FROM audit_events ORDER BY number")
        while batch := cursor.fetchmany(_BATCH):
            yield batch


def _event(actor: Actor, act: str, thing: str, details: dict[str, Any] | None) -> dict[str, Any]:
    stands_for = {"stands_for": actor.stands_for} if actor.stands_for else {}
    return stands_for | {
        "act": act,
        "actor": actor.reference,
        "name": actor.name,
        "via": actor.via,
        "address": actor.address,
        "thing": thing,
        "details": _plain(details or {}),
    }


def _plain(value: Any) -> Any:
    """JSON whose texts any database keeps: no NUL, no half of a surrogate pair."""
    if isinstance(value, str):
        return value.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_plain(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value


def _stamp() -> str:
    return now().isoformat(timespec="microseconds").replace("+00:00", "Z")


def _digest_at(connection: Connection, number: int) -> str | None:
    if number == 0:
        return START
    return connection.scalar(_DIGEST_AT, {"number": number})
