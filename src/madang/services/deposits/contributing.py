"""What deposits add to statements of use: whose they were, and who deposited them."""

from sqlalchemy import select

from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.people.models import Organization, Person
from madang.node.permissions import may
from madang.services.contributions import Link, Thing
from madang.services.deposits.acts import SEE
from madang.services.deposits.models import Deposit


def of_deposit(node: Node, reference: str, actor: Actor | None = None) -> list[Link]:
    """The links of `deposit:NAME`, and from the dataset that it became to it; with an actor only if they may see it."""
    kind, _colon, name = reference.partition(":")
    if kind == "dataset" and name.startswith("deposit-"):
        deposited = name.removeprefix("deposit-").partition("@")[0]
        return [Link(reference, Thing(f"deposit:{deposited}", deposited), "source")]
    if kind != "deposit":
        return []
    with node.read() as session:
        found = session.scalar(select(Deposit).where(Deposit.name == name))
        if found is None or (actor is not None and not may(actor, SEE, found)):
            return []
        holder = session.get_one(Organization, found.organization_id)
        owner = session.get(Person, found.owner_id) if found.owner_id is not None else None
    links = [Link(reference, Thing(f"organization:{holder.name}", holder.title), "by")]
    if owner is not None:
        links.append(Link(reference, Thing(f"person:{owner.id}", owner.name), "by"))
    return links
