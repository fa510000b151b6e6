"""What waits for whom: studies to decide on, partners to confirm, agreements to sign."""

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from madang.base.translate import _
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.permissions import may
from madang.services.alliance.acts import APPROVE, CONFIRM
from madang.services.alliance.models import AllianceStudy, Partner
from madang.web.cards import Card


def waiting(node: Node, actor: Actor) -> list[Card]:
    """Studies for stewards, partners and agreements for administrators."""
    cards = []
    with node.read() as session:
        if may(actor, APPROVE):
            query = (
                select(AllianceStudy)
                .where(AllianceStudy.state == "waiting")
                .options(selectinload(AllianceStudy.partner))
                .limit(50)
            )
            for study in session.scalars(query):
                who = study.partner.name if study.partner is not None else ""
                why = _("{partner} asks a study").format(partner=who)
                cards.append(Card(why, study.title, f"/alliance/studies/{study.id}", study.created))
        if may(actor, CONFIRM):
            for partner in session.scalars(select(Partner).where(Partner.state == "joined").limit(50)):
                address = f"/alliance/partners/{partner.id}"
                cards.append(Card(_("a partner to confirm"), partner.name, address, partner.created))
    return cards
