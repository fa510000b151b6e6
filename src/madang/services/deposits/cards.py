"""What waits for whom: deposits to be reviewed, and questions of curators to be answered."""

from sqlalchemy import and_, or_, select

from madang.base.translate import _
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.permissions import visible
from madang.services.deposits.acts import APPROVE
from madang.services.deposits.models import Deposit
from madang.web.cards import Card


def waiting(node: Node, actor: Actor) -> list[Card]:
    """For curators what was submitted; for depositors what was given back with a question."""
    to_review = and_(Deposit.state == "submitted", visible(actor, APPROVE, Deposit))
    asked = and_(Deposit.state == "draft", Deposit.asked != "", Deposit.owner_id == actor.person_id)
    with node.read() as session:
        found = session.scalars(select(Deposit).where(or_(to_review, asked)).order_by(Deposit.changed).limit(50)).all()
    return [
        Card(
            _("to be reviewed") if each.state == "submitted" else _("a question to answer"),
            each.title,
            f"/deposits/{each.name}",
            each.changed,
        )
        for each in found
    ]
