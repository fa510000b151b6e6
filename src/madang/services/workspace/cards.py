"""What waits for somebody: files to be looked at, workspaces whose permit ends soon."""

from datetime import timedelta

from madang.base.translate import _
from madang.node.database import now
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.services.workspace import bring, service
from madang.web.cards import Card

_SOON = timedelta(days=14)


def waiting(node: Node, actor: Actor) -> list[Card]:
    """The cards of a person's start page."""
    cards = [
        Card(
            _("A file is to be brought in"),
            _("{name}, for {workspace}").format(name=each.name, workspace=each.workspace.title),
            f"/workspaces/{each.workspace_id}",
            since=each.created,
        )
        for each in bring.waiting(node, actor)
    ]
    for each in service.list_workspaces(node, actor):
        mine = each.owner_id == actor.person_id or (each.project_id is not None and actor.in_project(each.project_id))
        if mine and each.permit is not None and now() < each.permit.ends < now() + _SOON:
            why = _("The permit of a workspace ends soon")
            cards.append(Card(why, each.title, f"/workspaces/{each.id}", until=each.permit.ends))
    return cards
