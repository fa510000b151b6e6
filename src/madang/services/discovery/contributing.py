"""What discovery adds to statements of use: the library and the reviewers on which a shortlist stands."""

from sqlalchemy import func, select

from madang.node.node import Node
from madang.node.people import Actor
from madang.node.people.models import Organization
from madang.node.permissions import may
from madang.services.contributions import Link, Thing
from madang.services.discovery.acts import SEE
from madang.services.discovery.models import MoleculeLibrary, Shortlist, Verdict


def of_shortlist(node: Node, reference: str, actor: Actor | None = None) -> list[Link]:
    """The links of `shortlist:N`; with an actor only if they may see it."""
    kind, _colon, number = reference.partition(":")
    if kind != "shortlist" or not number.isascii() or not number.isdigit() or len(number) > 9:
        return []
    with node.read() as session:
        found = session.get(Shortlist, int(number))
        if found is None or (actor is not None and not may(actor, SEE, found)):
            return []
        library = session.get_one(MoleculeLibrary, found.library_id)
        holder = session.get_one(Organization, found.organization_id)
        query = select(func.count()).select_from(Verdict).where(Verdict.shortlist_id == found.id)
        verdicts = session.scalar(query) or 0
    version = f"{library.name}@{found.version}"
    links = [
        Link(reference, Thing(f"dataset:{version}", version), "source"),
        Link(reference, Thing(f"organization:{holder.name}", holder.title), "by"),
    ]
    if verdicts:
        links.append(Link(reference, Thing(f"check:shortlist-{number}", f"{verdicts}"), "check"))
    return links
