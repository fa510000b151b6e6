"""What may be shown of data that are not open: one place below every door.

A count, a picture or a document is shown only where the tier lets the reader look, where it was made for a tier at
least as strict as the one that holds now, and while nobody is being removed from the data.
"""

from collections.abc import Mapping

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from madang.node.acts import Intent
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.permissions import may
from madang.services.catalog.acts import EDIT, LOOK, READ
from madang.services.catalog.models import Record, RecordVersion

REMOVING = ("dataset.remove_persons", "dataset.remove")


BEING_REMOVED = (  # of a record that is read, in the question that reads it: `is_being_removed` of its dataset
    select(Intent.id)
    .where(Intent.thing == "dataset:" + Record.dataset, or_(*(Intent.act == act for act in REMOVING)))
    .exists()
)


def close_enough(record: Record, version: RecordVersion) -> bool:
    """Whether what was counted of a version was counted for a tier as strict as the one that holds now."""
    return version.minimum >= record.minimum


def may_look(actor: Actor, record: Record, version: RecordVersion | None) -> bool:
    """Whether what was counted of a version may be shown to a reader."""
    return version is not None and not record.withheld and may(actor, LOOK, record) and close_enough(record, version)


def may_read(actor: Actor, record: Record, version: RecordVersion | None) -> bool:
    """Whether a reader may have the data themselves."""
    return version is not None and not record.withheld and may(actor, READ, record)


def documents_of(actor: Actor, record: Record, version: RecordVersion | None) -> Mapping[str, str]:
    """The documents of a version that may be shown to a reader, by kind; none where nothing may be."""
    return version.documents if version is not None and may_look(actor, record, version) else {}


def is_being_removed(session: Session, dataset: str) -> bool:
    """Whether people or versions are being removed from a dataset: from the first moment on nothing of it is shown."""
    at = select(Intent.id).where(Intent.thing == f"dataset:{dataset}", Intent.act.in_(REMOVING)).limit(1)
    return session.scalar(at) is not None


def may_count(actor: Actor, record: Record) -> bool:
    """Whether sizes, hashes and verdicts of a record may be told: not under embargo, but to whoever answers for it."""
    return record.access != "embargoed" or may(actor, EDIT, record)


def may_be_known(node: Node, dataset: str) -> bool:
    """Whether strangers may know how much there is in a dataset: it is published, and not under embargo."""
    with node.read() as session:
        record = session.scalar(select(Record).where(Record.dataset == dataset))
    return record is None or (record.state == "published" and record.access != "embargoed")
