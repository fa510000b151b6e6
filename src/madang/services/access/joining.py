"""Who comes into a project, or leaves it: what permits and votes forbid by then.

A permit is for the people of a project, and a vote is by somebody who has nothing to do with it. Both are looked at
when they are given; here, when people move afterwards. A refusal undoes the move.
"""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.acts import Told
from madang.node.database import now
from madang.node.people.models import Permit, Person, ProjectMember
from madang.services.access.models import Application, Grant, Vote
from madang.services.access.service import RECUSED, people_of_committee
from madang.services.access.terms import untrained

OPEN = ("draft", "in-review", "returned", "approved")  # states in which a vote can still matter


def joins(told: Told) -> None:
    """Somebody is taken into a project. Errors: `access.training`, `access.two_exact`,
    `access.conflict_of_interest` for who voted on what the project asks for."""
    project_id, person_id = int(told.thing.partition(":")[2]), int(told.details["person"])
    grants = grants_of(told.session, [project_id])
    _check_training(told, grants, person_id)
    _check_exact(told.session, grants, project_id, person_id)
    _check_voted(told.session, project_id, person_id)


def leaves(told: Told) -> None:
    """Somebody leaves a project: they never vote on what it asked for while they were in it."""
    project_id, person_id = int(told.thing.partition(":")[2]), int(told.details["person"])
    query = select(Application).where(Application.project_id == project_id, Application.state.in_(OPEN))
    for application in told.session.scalars(query):
        if person_id in people_of_committee(told.session, application.organization_id):
            application.votes.append(Vote(edition=application.edition, person_id=person_id, choice=RECUSED))


def grants_of(session: Session, projects: Sequence[int]) -> Sequence[Grant]:
    """The permits of projects, those that are over too."""
    return session.scalars(select(Grant).join(Permit).where(Permit.project_id.in_(projects))).all()


def _check_training(told: Told, grants: Sequence[Grant], person_id: int) -> None:
    from madang.services.catalog import holder_of
    from madang.services.training import trusted

    at = now()
    open_ = {each.source for each in grants if each.permit.state in ("in-force", "suspended") and each.permit.ends > at}
    for source in sorted(open_):
        holding = holder_of(told.session, source)
        skill = holding.asks_training if holding is not None else ""
        if skill and not trusted(skill, told.node, person_id):
            raise untrained(skill, [told.session.get_one(Person, person_id).name])


def exact(grant: Grant) -> bool:
    """Whether a permit gives rows with exact dates, by which two extracts of the same people could be joined."""
    agreed = grant.agreed
    return agreed.get("recipe", {}).get("dates") == "keep" and agreed.get("answer") != "results-only"


def _check_exact(session: Session, grants: Sequence[Grant], project_id: int, person_id: int) -> None:
    """Nobody comes to see two extracts of one source with exact dates. Permits that are over count: who has seen rows
    may have kept what they saw."""
    mine = select(ProjectMember.project_id).where(
        ProjectMember.person_id == person_id, ProjectMember.project_id != project_id
    )
    theirs = {each.source: each for each in grants_of(session, list(session.scalars(mine))) if exact(each)}
    for each in grants:
        if exact(each) and each.source in theirs:
            raise MadangError(
                "access.two_exact",
                _("{name} is in a project that holds {number}, whose dates are exact as well.").format(
                    name=session.get_one(Person, person_id).name, number=theirs[each.source].permit.number
                ),
                _("Two such extracts can be joined by their dates; nobody gets both."),
            )


def _check_voted(session: Session, project_id: int, person_id: int) -> None:
    query = (
        select(Vote.id)
        .join(Application)
        .where(
            Application.project_id == project_id,
            Application.state.in_((*OPEN, "permitted")),
            Vote.person_id == person_id,
            Vote.choice != RECUSED,
        )
    )
    if session.scalar(query.limit(1)) is not None:
        raise MadangError(
            "access.conflict_of_interest",
            _("{name} voted on what this project asked for.").format(name=session.get_one(Person, person_id).name),
            _("Who decided about data does not come into the project that got them."),
        )
