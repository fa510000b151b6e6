"""What other rooms ask of permits: which are in force, what one allows, which extract belongs to it."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake import Version
from madang.lake.engine import Engine
from madang.node.database import now
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.people.models import Permit
from madang.services.access.models import Grant

if TYPE_CHECKING:
    from madang.lake.engine import Engine


def permits_in_force(
    session: Session, *, project_id: int | None = None, person_id: int | None = None
) -> Sequence[Permit]:
    """The permits in force now of a project, or of all projects that a person is in; without either, all."""
    at = now()
    query = select(Permit).where(Permit.state == "in-force", Permit.begins <= at, Permit.ends > at)
    if project_id is not None:
        query = query.where(Permit.project_id == project_id)
    if person_id is not None:
        from madang.node.people.models import ProjectMember

        mine = select(ProjectMember.project_id).where(
            ProjectMember.person_id == person_id,
            ProjectMember.begins <= at,
            (ProjectMember.ends.is_(None)) | (ProjectMember.ends > at),
        )
        query = query.where(Permit.project_id.in_(mine))
    return session.scalars(query.options(joinedload(Permit.project)).order_by(Permit.id)).all()


def extract_of(node: Node, number: str) -> Version:
    """The dataset version that a permit in force opens, if the permit still is what was signed.

    Errors: `access.none`, `access.not_in_force`, `access.altered`, `access.no_extract`.
    """
    from madang.services.access.permits import checked_terms

    with node.read() as session:
        grant = grant_of(session, number)
        checked_terms(node, grant)
        version, dataset = grant.version, grant.permit.dataset
    if version is None:
        raise MadangError(
            "access.no_extract",
            _("No extract has been made for the permit {number}.").format(number=number),
            _("The holder's data engineer makes it: madang extract {number}.").format(number=number),
        )
    return node.home.lake().find(f"{dataset}@{version}")


def count_before_a_permit(node: Node, actor: Actor, version: Version, members: Collection[int]) -> int | None:
    """How many persons a set has, as it may be told to somebody without a permit; None where it is about too few.

    The same set gets the same answer at every door, and a set that differs by few persons gets that of the other.
    Errors: `access.too_many`.
    """
    import pyarrow as pa

    from madang.services.access.counting import told_before_a_permit

    def persons(engine: "Engine") -> str:
        engine.register("asked_members", pa.table({"person_id": pa.array(sorted(members), pa.int64())}))
        return "SELECT person_id FROM asked_members"

    return told_before_a_permit(node, actor, version, persons).count


def permit_document(node: Node, number: str) -> dict[str, Any]:
    """What a permit says, read from its signed document. Errors: `access.none`, `access.altered`."""
    from madang.services.access.signed import read_permit

    with node.read() as session:
        return read_permit(node, grant_of(session, number).permit.document)


def apart(node: Node, one: str, other: str) -> tuple[int, int] | None:
    """How many persons of one permit's population are not of the other's, and the other way round.

    Counted in the newest version of their source; None where the sources are not the same, or there is none any more.
    """
    from madang.services.access.people import population_in

    terms = [permit_document(node, number) for number in (one, other)]
    if terms[0]["source"] != terms[1]["source"]:
        return None
    dataset = node.home.lake().dataset(terms[0]["source"])
    if not dataset.exists:
        return None
    version = dataset.version()
    with Engine() as engine:
        version.attach(engine)
        for name, each in zip(("one", "other"), terms, strict=True):
            people = population_in(engine, version, each["population"])
            engine.execute(f"CREATE TABLE _{name} AS {people.persons_sql()}")
        only = "SELECT count(*) FROM _{} ANTI JOIN _{} USING (person_id)"
        return int(engine.value(only.format("one", "other"))), int(engine.value(only.format("other", "one")))


def grant_of(session: Session, number: str) -> Grant:
    """A permit with all that belongs to it. Errors: `access.none`."""
    found = session.scalar(
        select(Grant)
        .join(Permit, Grant.permit_id == Permit.id)
        .where(Permit.number == number)
        .options(joinedload(Grant.permit).joinedload(Permit.project), joinedload(Grant.application))
    )
    if found is None:
        raise MadangError("access.none", _("There is no permit {number}.").format(number=number), _("Look at yours."))
    return found


def check_in_force(grant: Grant) -> None:
    """Raise `access.not_in_force` unless the permit opens something at this moment."""
    permit, at = grant.permit, now()
    if permit.state != "in-force" or not permit.begins <= at < permit.ends:
        why = (
            _("it ended on {day}").format(day=f"{permit.ends:%Y-%m-%d %H:%M:%S}")
            if permit.state == "in-force" and at >= permit.ends
            else _("it is {state}").format(state=permit.state)
        )
        raise MadangError(
            "access.not_in_force",
            _("The permit {number} is not in force: {why}.").format(number=permit.number, why=why),
            _("Ask for an extension."),
        )


def permits_of_visas(node: Node, tokens: Sequence[str]) -> list[str]:
    """The permits in force that visas of this installation are for, of people who are in the project now."""
    from madang.node.people.models import Person
    from madang.services.access.signed import read_visas

    found = []
    with node.read() as session:
        for number, login in read_visas(node, tokens):
            person = session.scalar(select(Person).where(Person.login == login, Person.disabled.is_(None)))
            if person is not None:
                held = permits_in_force(session, person_id=person.id)
                found += [each.number for each in held if each.number == number]
    return found
