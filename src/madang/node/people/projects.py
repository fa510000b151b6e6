"""Projects: what permits, workspaces, jobs, deposits and studies name.

A project is people of an organization with a purpose. Its principal investigator answers for it; members join with a
role, from a day until a day. Approvals that somebody outside gave (an ethics board, a data review board) stand in it
with number and end. A role in an organization can be handed to somebody else for a time.
"""

import re
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from madang.base.errors import MadangError
from madang.base.translate import _, later
from madang.node.acts import States, doing
from madang.node.database import now
from madang.node.node import Node
from madang.node.people.accounts import find_organization, find_person
from madang.node.people.actor import Actor
from madang.node.people.models import HOUSE, Handover, Person, Project, ProjectApproval, ProjectMember, Role
from madang.node.permissions import (
    Details,
    administrator,
    allow,
    auditor,
    in_project,
    may,
    role,
    signed_in,
    theirs,
    visible,
)
from madang.node.rooms import kind_of_role
from madang.node.text import clean_line, clean_prose

LEADER, MEMBER = "principal-investigator", "project-member"
APPROVALS = {"ethics": later("Ethics board"), "data-review": later("Data review board"), "other": later("Other")}
_NAME = re.compile(r"[a-z][a-z0-9-]{1,62}")


class Named(Details):
    """A project that was begun or described."""

    name: str
    title: str


class Joined(Details):
    """Who came into a project, or left it, in which role."""

    person: int
    role: str


class Approved(Details):
    """An approval from outside."""

    kind: str
    body: str
    number: str


class Handed(Details):
    """A role that was handed to somebody for a time, or taken back."""

    to: int
    role: str
    organization: int
    ends: datetime


leads = in_project(LEADER)
MAKE = allow("project.make", signed_in, title=later("begin a project"), to="active", details=Named)
SEE = allow(
    "project.see", in_project() | role("steward") | administrator | auditor, reads=True, title=later("see a project")
)
EDIT = allow("project.edit", leads, title=later("describe a project"), frm=("active",), details=Named)
INVITE = allow("project.invite", leads, title=later("take somebody into a project"), frm=("active",), details=Joined)
REMOVE = allow("project.remove", leads | administrator, title=later("take somebody out of a project"), details=Joined)
LEAVE = allow("project.leave", in_project(), title=later("leave a project"), details=Joined)
APPROVE = allow(
    "project.approve", leads, title=later("note an approval from outside"), frm=("active",), details=Approved
)
END = allow("project.end", leads | administrator, title=later("end a project"), frm=("active",), to="ended", lasts=True)
HAND = allow("role.hand", theirs, by_token=False, title=later("hand a role to somebody for a time"), details=Handed)
TAKE_BACK = allow(
    "role.take_back", theirs | administrator, by_token=False, title=later("take a handed role back"), details=Handed
)
PROJECT_STATES = States("project", "active", {"active": later("active"), "ended": later("ended")})


def make_project(
    node: Node,
    actor: Actor,
    name: str,
    title: str,
    *,
    organization: str = "house",
    purpose: str = "",
    leader: str = "",
    ends: datetime | None = None,
) -> Project:
    """Begin a project; who begins it leads it, unless the owner of the home names a `leader`.

    Errors: `project.name`, `project.taken`, `people.no_organization`, `people.no_person`.
    """
    name = name.strip().lower()
    if not _NAME.fullmatch(name):
        raise MadangError(
            "project.name",
            _("{name!r} cannot be the name of a project.").format(name=name),
            _("Use 2 to 63 small letters, digits and hyphens."),
        )

    def new(session: Session) -> Project:
        if session.scalar(select(Project.id).where(Project.name == name)) is not None:
            raise MadangError("project.taken", _("There is a project {name} already.").format(name=name))
        holder = find_organization(session, organization)
        return Project(
            name=name,
            title=clean_line(title, _("The title"), 300, required=True),
            purpose=clean_prose(purpose, _("The purpose"), 5_000),
            organization_id=holder.id,
            owner_id=actor.person_id,
            ends=ends,
        )

    with doing(node, actor, MAKE, new) as done:
        chief = find_person(done.session, leader).id if leader else actor.person_id
        if chief is not None:
            done.thing.members.append(ProjectMember(person_id=chief, role=LEADER))
        done.tell(name=name, title=done.thing.title)
    return done.thing


def find_project(session: Session, name: str) -> Project:
    """A project by its name. Errors: `project.none`."""
    found = session.scalar(
        select(Project)
        .where(Project.name == name)
        .options(
            selectinload(Project.members).selectinload(ProjectMember.person),
            selectinload(Project.approvals),
            selectinload(Project.organization),
        )
    )
    if found is None:
        raise MadangError("project.none", _("There is no project {name}.").format(name=name), _("Look at yours."))
    return found


def see_project(node: Node, actor: Actor, name: str) -> Project:
    """A project with its members and approvals. Errors: `project.none`, also where one may not know of it."""
    with node.read() as session:
        found = find_project(session, name)
        if not may(actor, SEE, found):
            raise MadangError("project.none", _("There is no project {name}.").format(name=name), _("Look at yours."))
    node.audit.read(actor, SEE.name, f"project:{found.id}")
    return found


def list_projects(node: Node, actor: Actor) -> Sequence[Project]:
    """The projects that one may see, the newest first."""
    if not actor.is_signed_in:
        raise MadangError("permission.sign_in", _("This needs an account."), _("Sign in first."))
    with node.read() as session:
        query = select(Project).where(visible(actor, SEE, Project)).order_by(Project.id.desc())
        return session.scalars(query.options(selectinload(Project.organization))).all()


def edit_project(node: Node, actor: Actor, name: str, title: str, purpose: str) -> None:
    """Describe a project anew."""
    with doing(node, actor, EDIT, lambda session: find_project(session, name)) as done:
        done.thing.title = clean_line(title, _("The title"), 300, required=True)
        done.thing.purpose = clean_prose(purpose, _("The purpose"), 5_000)
        done.tell(name=name, title=done.thing.title)


def add_member(
    node: Node, actor: Actor, name: str, login: str, role_name: str = MEMBER, ends: datetime | None = None
) -> None:
    """Take somebody into a project. Errors: `people.no_role`, `people.no_person`."""
    kind = kind_of_role(role_name)
    if kind is None or kind.where != "project":
        raise MadangError("people.no_role", _("There is no role {role} in projects.").format(role=role_name))
    with doing(node, actor, INVITE, lambda session: find_project(session, name)) as done:
        person = find_person(done.session, login)
        known = next((m for m in done.thing.members if (m.person_id, m.role) == (person.id, role_name)), None)
        if known is None:
            done.thing.members.append(ProjectMember(person_id=person.id, role=role_name, ends=ends))
        else:
            known.ends = ends
        done.tell(person=person.id, role=role_name)


def remove_member(node: Node, actor: Actor, name: str, login: str) -> None:
    """Take somebody out of a project at once, whatever they hold there; anybody may leave.

    Errors: `project.leader` where nobody would lead it any more.
    """

    with node.read() as session:
        leaving = find_person(session, login).id == actor.person_id
    with doing(node, actor, LEAVE if leaving else REMOVE, lambda session: find_project(session, name)) as done:
        person = find_person(done.session, login)
        staying = [m for m in done.thing.members if m.person_id != person.id]
        if not any(m.role == LEADER and (m.ends is None or m.ends > now()) for m in staying):
            raise MadangError(
                "project.leader", _("Nobody would lead the project any more."), _("Name another leader first.")
            )
        held = [m for m in done.thing.members if m.person_id == person.id]
        for each in held:
            done.session.delete(each)
        done.tell(person=person.id, role=", ".join(sorted(m.role for m in held)))


def note_approval(
    node: Node,
    actor: Actor,
    name: str,
    kind: str,
    body: str,
    number: str,
    given: datetime,
    ends: datetime | None = None,
) -> None:
    """Note an approval that somebody outside gave. Errors: `project.approval`."""
    if kind not in APPROVALS:
        raise MadangError("project.approval", _("There is no such kind of approval."), ", ".join(APPROVALS))
    if ends is not None and ends <= given:
        raise MadangError("project.approval", _("An approval ends after it was given."), _("Look at the two dates."))
    with doing(node, actor, APPROVE, lambda session: find_project(session, name)) as done:
        approval = ProjectApproval(
            kind=kind,
            body=clean_line(body, _("The board"), 200, required=True),
            number=clean_line(number, _("The number"), 100, required=True),
            given=given,
            ends=ends,
        )
        done.thing.approvals.append(approval)
        done.tell(kind=kind, body=approval.body, number=approval.number)


def end_project(node: Node, actor: Actor, name: str) -> None:
    """End a project: its permits open nothing any more, and who listens closes what belongs to it."""
    with doing(node, actor, END, lambda session: find_project(session, name)) as done:
        done.thing.ends = now()


def hand_role(
    node: Node,
    actor: Actor,
    role_name: str,
    to: str,
    begins: datetime,
    ends: datetime,
    *,
    organization: int = HOUSE,
    reason: str = "",
) -> None:
    """Hand a role that one holds to somebody else for a time (대결·위임). Errors: `people.handover`."""

    def new(session: Session) -> Handover:
        held = select(Role.id).where(
            Role.person_id == actor.person_id, Role.role == role_name, Role.organization_id == organization
        )
        if actor.person_id is None or session.scalar(held) is None:
            raise MadangError("people.handover", _("You do not hold this role there."))
        if ends <= begins or ends <= now():
            raise MadangError("people.handover", _("The end has to come after the beginning."))
        receiver = find_person(session, to)
        if receiver.id == actor.person_id or receiver.disabled:
            raise MadangError("people.handover", _("A role is handed to somebody else who has an account in use."))
        return Handover(
            person_id=actor.person_id,
            to_id=receiver.id,
            organization_id=organization,
            role=role_name,
            reason=clean_line(reason, _("The reason"), 300),
            begins=begins,
            ends=ends,
        )

    with doing(node, actor, HAND, new) as done:
        done.tell(to=done.thing.to_id, role=role_name, organization=organization, ends=ends)


def take_back(node: Node, actor: Actor, handover: int) -> None:
    """End a handover before its time. Errors: `people.handover`."""

    def find(session: Session) -> Handover:
        found = session.get(Handover, handover)
        if found is None:
            raise MadangError("people.handover", _("There is no such handover."))
        return found

    with doing(node, actor, TAKE_BACK, find) as done:
        done.thing.revoked = now()
        told = done.thing
        done.tell(to=told.to_id, role=told.role, organization=told.organization_id, ends=told.ends)


def handovers(node: Node, actor: Actor) -> Sequence[Handover]:
    """The roles that one has handed to others, the newest first."""
    with node.read() as session:
        query = select(Handover).where(Handover.person_id == actor.person_id).order_by(Handover.id.desc())
        return session.scalars(query).all()


def people_of(session: Session, project_id: int, *roles: str) -> list[Person]:
    """Who is in a project now, in one of these roles; without any, everybody."""
    at = now()
    query = (
        select(Person)
        .join(ProjectMember, ProjectMember.person_id == Person.id)
        .where(
            ProjectMember.project_id == project_id,
            ProjectMember.begins <= at,
            (ProjectMember.ends.is_(None)) | (ProjectMember.ends > at),
            Person.disabled.is_(None),
        )
    )
    if roles:
        query = query.where(ProjectMember.role.in_(roles))
    return list(session.scalars(query.distinct().order_by(Person.id)))
