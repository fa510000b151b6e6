"""What waits for somebody: votes, steps, answers to questions, permits that end soon."""

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from madang.base.translate import _
from madang.node.database import now
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.people.models import Permit
from madang.services.access import procedure
from madang.services.access.models import Application
from madang.services.access.service import conflicted, steps_of
from madang.web.cards import Card

SOON = timedelta(days=30)


def waiting(node: Node, actor: Actor) -> list[Card]:
    """The cards of the start page."""
    cards: list[Card] = []
    committees, desks = actor.organizations("committee"), actor.organizations("steward")
    with node.read() as session:
        query = (
            select(Application)
            .where(Application.state.in_(("in-review", "returned", "approved")))
            .options(selectinload(Application.steps), selectinload(Application.votes))
            .order_by(Application.urgent.desc(), Application.id)
            .limit(200)
        )
        for each in session.scalars(query):
            address = f"/applications/{each.id}"
            what = _("{title} (urgent)").format(title=each.title) if each.urgent else each.title
            for step in steps_of(each):
                if step.state != "open":
                    continue
                title = _(procedure.NAMES[step.name].title)
                if step.name == "committee" and each.organization_id in committees:
                    voted = any(v.person_id == actor.person_id and v.edition == each.edition for v in each.votes)
                    if not voted and actor.person_id and not conflicted(session, each, actor.person_id):
                        cards.append(Card(_("Your vote", "committee"), what, address, step.opened))
                elif step.name != "committee" and each.organization_id in desks:
                    cards.append(Card(title, what, address, step.opened))
            if each.state == "returned" and each.project_id in actor.projects:
                cards.append(Card(_("A question to you"), each.title, address))
        if actor.projects:
            ending = select(Permit).where(
                Permit.project_id.in_(list(actor.projects)), Permit.state == "in-force",
                Permit.ends > now(), Permit.ends < now() + SOON,
            )  # fmt: skip
            for permit in session.scalars(ending):
                cards.append(
                    Card(
                        _("A permit ends"),
                        _("Permit {number}").format(number=permit.number),
                        f"/permits/{permit.number}",
                        until=permit.ends,
                    )
                )
    return cards
