"""What permits add to statements of use: the data that they are for, and that data were used by them."""

from collections.abc import Iterator

from sqlalchemy import or_, select

from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.people.models import Permit
from madang.services.access.models import Grant
from madang.services.access.permits import see_permit
from madang.services.contributions import Link, Thing, Use


def of_permit(node: Node, reference: str, actor: Actor | None = None) -> list[Link]:
    """The links of `permit:NUMBER`; with an actor only if they may see it. Errors: those of `see_permit`."""
    kind, _colon, number = reference.partition(":")
    if kind != "permit":
        return []
    if actor is not None:
        see_permit(node, actor, number)
    query = select(Grant.source).join(Permit, Permit.id == Grant.permit_id).where(Permit.number == number)
    with node.read() as session:
        sources = session.scalars(query).all()
    return [Link(reference, Thing(f"dataset:{source}", source), "source") for source in sources]


def uses(node: Node, dataset: str) -> Iterator[Use]:
    """Permits for a dataset, and the extracts that were made for them."""
    of = or_(Grant.source == dataset, Grant.source.startswith(f"{dataset}@", autoescape=True))
    query = select(Permit.number, Permit.begins, Permit.dataset).join(Grant, Grant.permit_id == Permit.id).where(of)
    with node.read() as session:
        found = session.execute(query).all()
    for number, begins, extract in found:
        yield Use(begins, "permit", f"permit:{number}")
        if extract != dataset:
            yield Use(begins, "extract", f"dataset:{extract}")
