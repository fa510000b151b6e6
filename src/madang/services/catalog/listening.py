"""What the catalog hears of others: certificates that come and go, data that are removed."""

from collections.abc import Iterable

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from madang.base.errors import MadangError
from madang.node import editions, files
from madang.node.acts import Told
from madang.services.catalog.life import summarize
from madang.services.catalog.models import CATALOG, Record, RecordFile, RecordVersion
from madang.services.catalog.preparing import take_in
from madang.services.certification import holding


def certified(told: Told) -> None:
    """A certificate of a version was issued, or its state has changed: record, filter and count say so.

    The register is asked, since another certificate of the same version may hold on.
    """
    manifest = told.details["manifest"]
    found = holding(told.session, manifest)
    for version in told.session.scalars(select(RecordVersion).where(RecordVersion.manifest == manifest)):
        version.certificate = found.number if found is not None else ""
        version.certified_until = found.valid_until if found is not None else None
        if version is _newest(version.record):
            summarize(version.record, version)
    editions.changed(told.session, CATALOG)


def removed(told: Told) -> None:
    """Versions of a dataset went for good: nothing of what was counted in them is shown or kept any more.

    What is there instead of a version that was published is prepared at once, and published when it is ready.
    """
    name = told.thing.partition(":")[2]
    record = told.session.scalar(select(Record).where(Record.dataset == name))
    if record is None:
        return
    try:
        newest = told.node.home.lake().dataset(name).version()
    except MadangError:
        newest = None  # the whole dataset went
    gone = [each for each in record.versions if newest is None or each.number in told.details["gone"]]
    was_published = any(each.state == "published" for each in gone)
    forget(told.session, gone)
    known = {each.number for each in record.versions}
    if newest is not None and newest.number not in known and gone:
        added = take_in(told.session, told.node, told.actor, record, newest)
        added.published = record.published if was_published else None
    summarize(record, _newest(record))
    record.edition += 1
    editions.changed(told.session, CATALOG)
    _drop_documents(told, gone)


def forget(session: Session, versions: Iterable[RecordVersion]) -> None:
    """Have versions tell nothing any more of what was in them."""
    for version in versions:
        session.execute(delete(RecordFile).where(RecordFile.version_id == version.id))
        version.state, version.published, version.verdict, version.certificate = "removed", None, "", ""
        version.tables = version.files = version.rows = version.bytes = 0
        version.passed = version.failed = version.fatal = 0
        version.certified_until = None


def _drop_documents(told: Told, gone: Iterable[RecordVersion]) -> None:
    """Take the documents that were made of them from the disk, but for those that other versions have too."""
    theirs = {sha256 for version in gone for sha256 in version.documents.values()}
    for version in gone:
        version.documents = {}
    told.session.flush()
    kept = {sha for documents in told.session.scalars(select(RecordVersion.documents)) for sha in documents.values()}
    for sha256 in theirs - kept:
        files.remove(told.node.home, sha256)


def _newest(record: Record) -> RecordVersion | None:
    return next((each for each in record.versions if each.state == "published"), None)
