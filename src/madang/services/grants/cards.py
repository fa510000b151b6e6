"""What waits for whom: promises that are late or due, excuses that somebody has to decide on."""

from datetime import UTC, date, datetime, time

from sqlalchemy import select

from madang.base.translate import _
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.services.grants import service
from madang.services.grants.models import Award, Promise, PromiseEvent
from madang.web.cards import Card, Part, Row


def late(node: Node, actor: Actor) -> list[Card]:
    """Late and due promises of the reader's projects, and excuses for the funder to decide on."""
    cards = []
    if actor.projects:
        for status, why in (("late", _("a promised dataset is late")), ("due", _("a promised dataset is due soon"))):
            cards += [
                Card(why, each.promise.title, f"/promises/{each.promise.id}", None, _end(each.due))
                for each in service.lines(node, actor, status=status, limit=50)
                if each.award.project_id in actor.projects
            ]
    funded = actor.organizations("funder")
    if funded:
        event = PromiseEvent
        query = (
            select(event, Promise)
            .join(Promise, Promise.id == event.promise_id)
            .join(Award, Award.id == Promise.award_id)
            .where(event.topic == "request", event.kind == "asked", event.replaced.is_(None))
            .where(Award.organization_id.in_(funded))
            .limit(50)
        )
        with node.read() as session:
            asked = session.execute(query).all()
        cards += [Card(_("asks to be excused"), p.title, f"/promises/{p.id}", e.at, None) for e, p in asked]
    return cards


def of_project(node: Node, actor: Actor, project: int) -> list[Part]:
    """The promises of a project, for its page."""
    from madang.services.grants.words import status_name

    found = [each for each in service.lines(node, actor, limit=500) if each.award.project_id == project]
    rows = [
        Row(each.promise.title, f"/promises/{each.promise.id}", status_name(each.status), _end(each.due))
        for each in found
    ]
    return [Part(_("Promised datasets"), rows)]


def _end(day: date | None) -> datetime | None:
    return datetime.combine(day, time(), UTC) if day is not None else None
