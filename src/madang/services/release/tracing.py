"""From a release back: its permit, the version of the data, its certificates, the files that it was made of."""

from dataclasses import dataclass

from sqlalchemy import select

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.node import Node
from madang.node.people import Actor
from madang.node.people.models import Permit
from madang.services.release.service import see


@dataclass(frozen=True)
class Link:
    """One link of the chain: what kind of thing, its name, and a sentence about it."""

    kind: str
    name: str
    says: str


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
        query = select(Permit).where(Permit.dataset == dataset, Permit.project_id == release.project_id)
        chain += [
            Link("permit", f"permit:{permit.number}", f"{permit.begins:%Y-%m-%d} – {permit.ends:%Y-%m-%d}")
            for permit in session.scalars(query)
        ]
    try:
        version = node.home.lake().find(release.dataset)
    except MadangError as error:
        return [*chain, Link("version", release.dataset, error.message)]
    chain.append(Link("version", release.dataset, version.digest))
    chain += _certificates(node, version.digest)
    for file in list(version.info.get("files", []))[:20]:
        chain.append(Link("source", str(file.get("name", "")), _("{n} lines").format(n=file.get("lines", "?"))))
    return chain


def _certificates(node: Node, digest: str) -> list[Link]:
    from madang.services import certification

    return [
        Link("certificate", str(getattr(each, "number", "")), str(getattr(each, "status", "")))
        for each in certification.register(node.home)
        if getattr(each, "manifest", None) == digest
    ]
