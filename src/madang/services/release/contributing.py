"""What releases add to statements of use: the data and the permit that they rest on, and who checked them."""

from collections.abc import Iterator

from sqlalchemy import or_, select

from madang.node.node import Node
from madang.node.people import Actor
from madang.node.people.models import Permit
from madang.services.contributions import Link, Thing, Use
from madang.services.release.models import Release, ReleaseVote
from madang.services.release.service import see


def of_release(node: Node, reference: str, actor: Actor | None = None) -> list[Link]:
    """The links of `release:N`; with an actor only if they may see it. Errors: `release.none`."""
    kind, _colon, number = reference.partition(":")
    if kind != "release" or not number.isascii() or not number.isdigit() or len(number) > 9:
        return []
    if actor is not None:
        see(node, actor, int(number))
    with node.read() as session:
        found = session.get(Release, int(number))
        if found is None:
            return []
        links = []
        if found.project is not None:
            links.append(Link(reference, Thing(f"project:{found.project.name}", found.project.title), "by"))
        if found.dataset:
            links.append(Link(reference, Thing(f"dataset:{found.dataset}", found.dataset), "source"))
            name = found.dataset.partition("@")[0]
            query = select(Permit.number).where(Permit.dataset == name, Permit.project_id == found.project_id)
            links += [Link(reference, Thing(f"permit:{each}", each), "permit") for each in session.scalars(query)]
        for vote in session.scalars(select(ReleaseVote.id).where(ReleaseVote.release_id == found.id)):
            links.append(Link(reference, Thing(f"check:release-{found.id}-{vote}", f"{vote}"), "check"))
    return links


def uses(node: Node, dataset: str) -> Iterator[Use]:
    """Releases of results that were made from a dataset."""
    of = or_(Release.dataset == dataset, Release.dataset.startswith(f"{dataset}@", autoescape=True))
    with node.read() as session:
        found = session.execute(
            select(Release.id, Release.asked).where(of, Release.state.in_(("approved", "taken")))
        ).all()
    for number, asked in found:
        yield Use(asked, "release", f"release:{number}")
