"""`madang trace permit:NUMBER`: from a permit to its extract, the version that it was made from, and the raw line."""

from sqlalchemy import select

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.people.models import Permit
from madang.node.permissions import may
from madang.services.access.permits import see_permit
from madang.services.datasets import Link, chain_of


def trace(node: Node, actor: Actor, name: str) -> list[Link]:
    """The chain of a permit. Errors: those of `see_permit`."""
    number = name.partition(":")[2]
    see_permit(node, actor, number)
    with node.read() as session:
        permit = session.scalar(select(Permit).where(Permit.number == number))
    if permit is None:
        raise MadangError("access.none", _("There is no permit {number}.").format(number=number))
    period = f"{permit.begins:%Y-%m-%d} - {permit.ends:%Y-%m-%d}"
    chain = [Link("permit", f"permit:{number}", period, f"/permits/{number}")]
    return [*chain, *chain_of(node, permit.dataset, lines=may(actor, "dataset.trace"))]
