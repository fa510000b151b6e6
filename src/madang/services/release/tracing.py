"""From a release back: its project and permit, the version of the data, certificates, checks, and the raw line."""

from sqlalchemy import or_, select

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.node import Node
from madang.node.people import Actor
from madang.node.people.models import Permit
from madang.node.permissions import may
from madang.services.datasets import Link, chain_of
from madang.services.release.service import see

TRACE = "dataset.trace"  # who may see raw lines


def trace(node: Node, actor: Actor, name: str) -> list[Link]:
    """The chain of `release:N`. Errors: `release.none`."""
    number = name.rpartition(":")[2]
    if not number.isascii() or not number.isdigit() or len(number) > 9:
        raise MadangError("release.none", _("There is no release {n}.").format(n=number), _("Look at the list."))
    release = see(node, actor, int(number))
    files = ", ".join(each.name for each in release.files)
    chain = [Link("release", f"release:{release.id}", files)]
    if release.project is not None:
        chain.append(Link("project", release.project.name, release.project.title))
    if not release.dataset:
        return chain
    dataset = release.dataset.partition("@")[0]
    with node.read() as session:
        mine = or_(Permit.dataset == dataset, Permit.number == _permit_of(node, release.dataset))
        query = select(Permit).where(mine, Permit.project_id == release.project_id)
        chain += [
            Link("permit", f"permit:{permit.number}", f"{permit.begins:%Y-%m-%d} – {permit.ends:%Y-%m-%d}")
            for permit in session.scalars(query)
        ]
    return [*chain, *chain_of(node, release.dataset, lines=may(actor, TRACE))]


def _permit_of(node: Node, reference: str) -> str:
    """The permit that a version was extracted by, as its manifest says; rows of results only are opened by none."""
    try:
        return str(node.home.lake().find(reference).info.get("permit", ""))
    except MadangError:
        return ""
