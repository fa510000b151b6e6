"""Who answers for a dataset, for other rooms."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from madang.node.people.models import Organization
from madang.services.catalog.models import Record


@dataclass(frozen=True)
class Holding:
    """The organization that answers for a dataset, the fewest persons that its numbers are about, and its record."""

    dataset: str
    organization_id: int
    minimum: int
    record: str
    state: str


def holder_of(session: Session, dataset: str) -> Holding | None:
    """Who answers for a dataset of the lake; None where it has no record."""
    row = session.execute(
        select(Record.organization_id, Organization.minimum, Record.name, Record.state)
        .join(Organization, Organization.id == Record.organization_id)
        .where(Record.dataset == dataset)
    ).first()
    return None if row is None else Holding(dataset, *row)
