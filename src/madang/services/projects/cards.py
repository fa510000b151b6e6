"""What waits for who leads a project: its end and the ends of approvals."""

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from madang.base.translate import _
from madang.node.database import now
from madang.node.node import Node
from madang.node.people import Actor, Project
from madang.node.people.projects import LEADER
from madang.web.cards import Card

_SOON = timedelta(days=60)


def ending(node: Node, actor: Actor) -> list[Card]:
    """Approvals and projects that end soon, of those that the reader leads."""
    led = [number for number, roles in actor.projects.items() if LEADER in roles]
    if not led:
        return []
    with node.read() as session:
        query = select(Project).where(Project.id.in_(led)).options(selectinload(Project.approvals))
        projects = session.scalars(query).all()
    soon, cards = now() + _SOON, []
    for project in projects:
        address = f"/projects/{project.name}"
        if project.ends is not None and project.ends < soon:
            cards.append(Card(_("ends soon"), project.title, address, project.created, project.ends))
        cards += [
            Card(_("approval ends soon"), f"{project.title}: {each.body} {each.number}", address, each.given, each.ends)
            for each in project.approvals
            if each.ends is not None and each.ends < soon
        ]
    return cards
