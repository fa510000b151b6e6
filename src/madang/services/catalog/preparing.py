"""Preparing a version: what has to be computed before it can be published, as a job."""

from sqlalchemy.orm import Session

from madang.base.errors import MadangError
from madang.base.translate import _, later
from madang.lake import Version
from madang.node import jobs
from madang.node.database import now
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.services.catalog import life
from madang.services.catalog.models import Record, RecordVersion
from madang.services.catalog.prepare import prepare
from madang.services.certification import holding


def take_in(session: Session, node: Node, actor: Actor, record: Record, version: Version) -> RecordVersion:
    """Take a version into its record, with the certificate that it has, and begin to prepare it."""
    certified = holding(session, version.digest)
    added = RecordVersion(
        record_id=record.id,
        number=version.number,
        manifest=version.digest,
        certificate=certified.number if certified is not None else "",
        certified_until=certified.valid_until if certified is not None else None,
    )
    session.add(added)
    session.flush()
    begin_preparing(session, node, actor, record, added)
    record.changed = now()
    return added


def begin_preparing(session: Session, node: Node, actor: Actor, record: Record, version: RecordVersion) -> None:
    """Start the job that assesses and profiles a version, for the tier that holds now."""
    title, name = later("Prepare {name}"), f"{record.dataset}@{version.number}"
    version.job_id = jobs.start(session, node, actor, prepare_version, {"version": version.id}, title, name=name)


@jobs.job
def prepare_version(work: jobs.Work, *, version: int) -> None:
    """The job that assesses and profiles a version of a record."""
    node = work.node
    with node.read() as session:
        found = session.get(RecordVersion, version)
        if found is None:
            raise MadangError("catalog.none", _("There is no such record."))
        dataset, number, minimum = found.record.dataset, found.number, found.record.minimum
    lake_version = node.home.lake().dataset(dataset).version(number)
    made = prepare(node.home, lake_version, minimum=minimum, progress=work)
    with work.finish({"verdict": made.verdict}) as session:
        found = session.get(RecordVersion, version)
        if found is not None:
            life.prepared(session, node, found, lake_version, made)
            begin_again(session, node, work.actor, found.record)


def preparing_failed(session: Session, node: Node, state: str, *, version: int) -> None:
    """Have a version whose preparing came to nothing say so; one that was published keeps what it shows."""
    found = session.get(RecordVersion, version)
    if found is not None and found.state == "preparing":
        found.state = "failed"


def begin_again(session: Session, node: Node, actor: Actor, record: Record) -> None:
    """Prepare anew the versions whose profile was made for another tier than the one that holds."""
    for version in record.versions:
        if version.state in ("ready", "published") and version.minimum != record.minimum:
            begin_preparing(session, node, actor, record, version)
