"""What waits for checkers and applicants, and what a project has asked to take away."""

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from madang.base.translate import _
from madang.node.acts import label
from madang.node.node import Node
from madang.node.people import Actor
from madang.services.release.acts import CHECKER
from madang.services.release.models import Release
from madang.services.release.service import judges
from madang.web.cards import Card, Part, Row


def waiting(node: Node, actor: Actor) -> list[Card]:
    """Requests to vote on, questions to answer, results to take."""
    cards = []
    with node.read() as session:
        query = select(Release).where(Release.state.in_(["asked", "approved"]))
        query = query.options(
            selectinload(Release.votes),
            selectinload(Release.questions),
            selectinload(Release.recipients),
            selectinload(Release.project),
        )
        found = session.scalars(query.order_by(Release.id).limit(500)).all()
    for each in found:
        title, address = _("Release {n}").format(n=each.id), f"/releases/{each.id}"
        voted = any(vote.checker_id == actor.person_id for vote in each.votes)
        if each.state == "asked" and actor.holds(CHECKER, each.organization_id) and judges(actor, each) and not voted:
            cards.append(Card(_("to vote on"), title, address, each.asked))
        mine = actor.person_id is not None and each.owner_id == actor.person_id
        if mine and each.state == "asked" and each.questions and each.questions[-1].by_checker:
            cards.append(Card(_("a question to answer"), title, address, each.questions[-1].at))
        named = any(actor.person_id == recipient.person_id for recipient in each.recipients)
        if named and each.state == "approved":
            cards.append(Card(_("ready to take"), title, address, each.decided))
    return cards


def of_project(node: Node, actor: Actor, project: int) -> list[Part]:
    """The requests of a project, for its page."""
    with node.read() as session:
        found = session.scalars(select(Release).where(Release.project_id == project).order_by(Release.id.desc())).all()
    rows = [
        Row(_("Release {n}").format(n=each.id), f"/releases/{each.id}", label("release", each.state), each.asked)
        for each in found
    ]
    return [Part(_("Releases"), rows)]
