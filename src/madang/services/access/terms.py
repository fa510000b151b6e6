"""What the data themselves ask for, whatever the guideline: conditions of consent, and training of the people."""

from typing import Any

from sqlalchemy.orm import Session

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node import rooms
from madang.node.node import Node
from madang.node.people.models import Person
from madang.node.people.projects import people_of
from madang.science.privacy.duo import Purpose, diseases_of, said_of, terms_of
from madang.services.access.models import Application

PROFIT = ("company", "insurer")  # kinds of applicants that want to profit


def facts(node: Node, session: Session, application: Application) -> dict[str, Any]:
    """What the rules of the pack `duo` look at: a finding for each term of the data, and who lacks the training."""
    from madang.services.catalog import holder_of

    holding = holder_of(session, application.dataset)
    if holding is None:
        return {}
    found: dict[str, Any] = {name: each.value for name, each in _terms(application, holding.data_use).items()}
    if holding.asks_training:
        people = lacking(node, session, application.project_id, holding.asks_training)
        found["asks_training"] = True
        found["people_without_training"] = None if people is None else [person.name for person in people]
    return found


def _terms(application: Application, data_use: tuple[str, ...]) -> dict[str, Any]:
    return said_of(terms_of(data_use), purpose_of(application)) if data_use else {}


def purpose_of(application: Application) -> Purpose:
    """What an application wants, as terms of consent ask for it; what it does not say is None."""
    told, project = application.told, application.project
    return Purpose(
        research=told.research or None,
        diseases=diseases_of(told.diseases) or None,
        for_profit=application.applicant_kind in PROFIT,
        genetic=told.genetic,
        publishes=told.publishes,
        waits_to_publish=told.waits_to_publish,
        collaborates=told.collaborates,
        ethics_approval={"approved": True, "none": False}.get(told.ethics),
        returns_results=told.returns_results,
        region=told.region or None,
        user=application.owner.login if application.owner is not None else None,
        project=project.name,
        institution=project.organization.name,
        months=told.months,
    )


def lacking(node: Node, session: Session, project_id: int, skill: str) -> list[Person] | None:
    """Who in a project holds no badge in force of a skill; None where this installation gives no badges."""
    if not any(plan.name == "training" for plan in rooms.open_plans()):
        return None
    from madang.services.training import trusted

    return [person for person in people_of(session, project_id) if not trusted(skill, node, person.id)]


def check_training(node: Node, session: Session, application: Application) -> None:
    """Raise `access.training` unless everybody in the project has had the training that the data ask for."""
    from madang.services.catalog import holder_of

    holding = holder_of(session, application.dataset)
    if holding is None or not holding.asks_training:
        return
    people = lacking(node, session, application.project_id, holding.asks_training)
    if people is None or people:
        raise untrained(holding.asks_training, [person.name for person in people or []])


def untrained(skill: str, names: list[str]) -> MadangError:
    """That people lack a training."""
    return MadangError(
        "access.training",
        _("The data ask for the training “{skill}”, and no badge of it is held by: {names}.").format(
            skill=skill, names=", ".join(names) or "?"
        ),
        _("They take the course (Learning), and it is asked again."),
    )
