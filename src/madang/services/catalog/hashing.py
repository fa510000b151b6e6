"""Every file of what is published, hashed again on a schedule: a flipped bit is found before it is given out.

A file whose bytes are no longer those of its manifest is marked, though its date and size may not have changed. From
then on the version is withheld from whoever downloads it, asks it or works on it; administrators see why on their start
page, in the doctor and in an e-mail. Once the file is mended (from a backup), the next look clears the mark.
"""

import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Select, exists, func, or_, select
from sqlalchemy.orm import Session

from madang.base.canonical import sha256_of_file
from madang.base.errors import MadangError
from madang.base.progress import Progress
from madang.base.translate import _, later
from madang.node import jobs, mail
from madang.node.database import now
from madang.node.doctor import Finding
from madang.node.jobs.models import Job
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.people.addresses import addresses
from madang.node.permissions import check, may
from madang.services.catalog.acts import CHECK_FILES
from madang.services.catalog.models import Record, RecordVersion
from madang.web.cards import Card

_LOOK_EVERY = 600.0  # seconds between two looks at what is due
_next_look: dict[str, float] = {}  # by home


def keep(node: Node) -> None:
    """Start the job that hashes what is due; the keeper calls it every few seconds, most of which it lets pass."""
    days, place, at = node.settings.keeping.hash_days, str(node.home.path), time.monotonic()
    if not days or at < _next_look.get(place, 0.0):
        return
    _next_look[place] = at + _LOOK_EVERY
    begin(node, Actor.node(), now() - timedelta(days=days))


def begin(node: Node, actor: Actor, before: datetime) -> int | None:
    """Start the job that hashes what was last hashed before a moment; its number, or None where nothing is due.

    Errors: those of permissions.
    """
    check(actor, CHECK_FILES)
    with node.read() as session:
        if session.scalar(_due(before).limit(1)) is None:
            return None
    with node.write() as session:
        running = select(Job.id).where(Job.function == "catalog.hash", Job.state.in_(("waiting", "running")))
        number = session.scalar(running)
        if number is None:
            title = later("Hash the files of what is published")
            number = jobs.start(session, node, actor, hash_files, {"before": before.isoformat()}, title)
        return number


@jobs.job
def hash_files(work: jobs.Work, *, before: str) -> None:
    """The job that hashes every file of the versions that are due."""
    damaged = check_files(work.node, work.actor, datetime.fromisoformat(before), work)
    with work.finish({"damaged": damaged}):
        pass


def last_whole(node: Node, manifest: str) -> datetime | None:
    """When every file of the version with that manifest was last read and found whole; None where that is not known."""
    mine = (RecordVersion.manifest == manifest, RecordVersion.state.in_(("ready", "published")))
    with node.read() as session:
        return session.scalar(select(func.max(RecordVersion.hashed)).where(*mine, RecordVersion.damaged == 0))


def check_files(node: Node, actor: Actor, before: datetime, progress: Progress) -> int:
    """Hash every file of what was last hashed before a moment, one version after the other; how many are damaged.

    Errors: those of permissions.
    """
    check(actor, CHECK_FILES)
    with node.read() as session:
        numbers = session.scalars(_due(before)).all()
    damaged = 0
    with progress.step("hash", len(numbers), "versions"):
        for number in numbers:
            damaged += _hash_version(node, actor, number, progress)
            progress.advance()
    return damaged


def _hash_version(node: Node, actor: Actor, number: int, progress: Progress) -> int:
    """Hash the files of a version; how many are not what they should be."""
    with node.read() as session:
        version = session.get(RecordVersion, number)
        if version is None or version.state not in ("ready", "published"):
            return 0
        dataset, lake_number, known = version.record.dataset, version.number, version.damaged
    try:
        lake = node.home.lake().dataset(dataset).version(lake_number)
    except MadangError:  # removed meanwhile, or its manifest is damaged, of which the doctor tells
        return 0
    bad = {
        file.sha256
        for table in lake.tables.values()
        for file, path in zip(table.files, table.paths, strict=True)
        if _is_bad(path, file.sha256, progress)
    }
    with node.write() as session:
        version = session.get(RecordVersion, number)
        if version is None:
            return 0
        version.damaged, version.hashed = len(bad), now()
        if bad or known:
            details = {"version": lake_number, "damaged": len(bad)}
            node.audit.record(session, actor, "record.check_files", f"record:{version.record_id}", details)
        if bad and not known:
            _tell(session, version.record)
    return len(bad)


def _is_bad(path: Path, sha256: str, progress: Progress) -> bool:
    progress.check()
    try:
        return sha256_of_file(path) != sha256
    except OSError:
        return True


def _due(before: datetime) -> Select[int]:
    late = or_(RecordVersion.hashed.is_(None), RecordVersion.hashed < before)
    query = select(RecordVersion.id).where(RecordVersion.state.in_(("ready", "published")), late)
    return query.order_by(RecordVersion.hashed.is_not(None), RecordVersion.hashed, RecordVersion.id)


def _tell(session: Session, record: Record) -> None:
    for email in addresses(session, "administrator"):
        mail.write(session, email, _("A file is damaged"), _sentence(record))


def _sentence(record: Record) -> str:
    return _("Files of {name} are no longer what their manifest says. The version is withheld; restore them.").format(
        name=record.name
    )


def damaged_records(session: Session) -> Sequence[Record]:
    """The records of which a version is damaged."""
    bad = exists().where(RecordVersion.record_id == Record.id, RecordVersion.damaged > 0)
    return session.scalars(select(Record).where(bad).order_by(Record.name)).all()


def look(node: Node) -> Iterator[Finding]:
    """What the doctor says of the files of what is published."""
    what = _("published files")
    with node.read() as session:
        found = damaged_records(session)
        for record in found:
            hint = _("`madang datasets verify {name}` names them; restore them from a backup.")
            yield Finding(what, "bad", _sentence(record), hint.format(name=record.dataset))
        if not found:
            oldest = session.scalar(
                select(RecordVersion.hashed).where(RecordVersion.state == "published").order_by(
                    RecordVersion.hashed.is_not(None), RecordVersion.hashed
                ).limit(1)
            )  # fmt: skip
            since = node.settings.local(oldest).date() if oldest else None
            yield Finding(
                what, "good",
                _("All of them were whole when last hashed, since {day}.").format(day=since)
                if since
                else _("None is damaged, as far as they were hashed."),
            )  # fmt: skip


def waiting(node: Node, actor: Actor) -> list[Card]:
    """The cards of administrators: records that are withheld because a file is damaged."""
    if not may(actor, CHECK_FILES):
        return []
    with node.read() as session:
        return [
            Card(_("A file is damaged"), _sentence(each), f"/records/{each.name}") for each in damaged_records(session)
        ]
