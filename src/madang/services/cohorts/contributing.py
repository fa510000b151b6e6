"""What cohorts add to statements of use: the versions on which they were counted."""

from collections.abc import Iterator

from sqlalchemy import select

from madang.node.node import Node
from madang.node.people import Actor
from madang.node.permissions import may
from madang.services.cohorts.acts import SEE
from madang.services.cohorts.models import Cohort, CohortCount, CohortVersion
from madang.services.contributions import Link, Thing, Use


def of_cohort(node: Node, reference: str, actor: Actor | None = None) -> list[Link]:
    """The links of `cohort:NAME`; with an actor only if they may see it."""
    kind, _colon, name = reference.partition(":")
    if kind != "cohort":
        return []
    counted = (
        select(CohortCount.dataset, CohortCount.number)
        .join(CohortVersion, CohortVersion.id == CohortCount.version_id)
        .where(CohortCount.state == "done")
        .distinct()
    )
    with node.read() as session:
        found = session.scalar(select(Cohort).where(Cohort.name == name))
        if found is None or (actor is not None and not may(actor, SEE, found)):
            return []
        versions = session.execute(counted.where(CohortVersion.cohort_id == found.id)).all()
    names = [f"{dataset}@{number}" for dataset, number in versions]
    return [Link(reference, Thing(f"dataset:{each}", each), "source") for each in names]


def uses(node: Node, dataset: str) -> Iterator[Use]:
    """Counts of cohorts on a dataset."""
    query = select(CohortCount.id, CohortCount.created).where(
        CohortCount.dataset == dataset, CohortCount.state == "done"
    )
    with node.read() as session:
        found = session.execute(query).all()
    for number, created in found:
        yield Use(created, "count", f"count:{number}")
