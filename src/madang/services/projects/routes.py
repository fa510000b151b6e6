"""The pages of projects, the start page, and those of the menu's places."""

from datetime import UTC, datetime, time
from typing import Annotated, Any, Literal

from fastapi import Path
from pydantic import Field

from madang.base.errors import MadangError
from madang.base.translate import _, in_language
from madang.node.acts import label
from madang.node.people import Project, projects
from madang.node.people.actor import Actor
from madang.node.people.models import Organization
from madang.node.permissions import may
from madang.node.rooms import MenuItem, Place, kind_of_role, open_plans, plans
from madang.web import Done, Here, Room, View
from madang.web.cards import Card, Part, waiting
from madang.web.menu import PLACES, is_for

room = Room("projects", __package__)
Name = Annotated[str, Path(max_length=63)]
_DAY = r"^$|^\d{4}-\d{2}-\d{2}$"


class CardView(View):
    """One thing that waits."""

    why: str
    what: str
    address: str
    since: datetime | None
    until: datetime | None


class Start(View):
    """What waits for the reader, and their projects."""

    name: str
    cards: list[CardView]
    projects: list["Line"]


class Line(View):
    """A project in a list."""

    name: str
    title: str
    organization: str
    state: str
    created: datetime


class Projects(View):
    """The projects that one may see, and where one can begin another."""

    projects: list[Line]
    organizations: list["OrganizationView"]


class OrganizationView(View):
    """An institution for which one can begin a project."""

    name: str
    title: str


class MemberView(View):
    """Somebody in a project."""

    login: str
    name: str
    role: str
    begins: datetime
    ends: datetime | None


class ApprovalView(View):
    """An approval from outside."""

    kind: str
    body: str
    number: str
    given: datetime
    ends: datetime | None


class PartView(View):
    """What a room has of a project."""

    title: str
    rows: list["RowView"]


class RowView(View):
    """A line of what a room has of a project."""

    what: str
    address: str
    state: str
    at: datetime | None


class One(View):
    """A project with everything of it."""

    name: str
    title: str
    purpose: str
    organization: str
    state: str
    state_name: str
    created: datetime
    ends: datetime | None
    members: list[MemberView]
    approvals: list[ApprovalView]
    parts: list[PartView]
    leads: bool


class PlaceView(View):
    """What is in one of the menu's places."""

    place: str
    title: str
    lines: list["PlaceLine"]


class PlaceLine(View):
    """A line of a place: its title and address; or, without an address, which packages are missing for it."""

    title: str
    said: str
    address: str
    missing: str


class NewProject(View):
    """A project to begin."""

    name: str = Field(title="The short name", min_length=1, max_length=63)
    title: str = Field(title="The title", min_length=1, max_length=300)
    organization: str = Field(default="house", title="The institution", max_length=70)
    purpose: str = Field(default="", title="The purpose", max_length=5_000)


class NewMember(View):
    """Somebody to take in."""

    login: str = Field(title="The account", min_length=1, max_length=100)
    role: str = Field(default=projects.MEMBER, title="The role", max_length=70)
    ends: str = Field(default="", title="The end", pattern=_DAY)


class Leaving(View):
    """Somebody to take out."""

    login: str = Field(title="The account", min_length=1, max_length=100)


class NewApproval(View):
    """An approval to note."""

    kind: Literal["ethics", "data-review", "other"] = Field(title="The kind")
    body: str = Field(title="The board", min_length=1, max_length=200)
    number: str = Field(title="The number", min_length=1, max_length=100)
    given: str = Field(title="The day it was given", pattern=r"^\d{4}-\d{2}-\d{2}$")
    ends: str = Field(default="", title="The end", pattern=_DAY)


@room.page("/start", "start.html")
def start(visit: Here) -> Start:
    """What waits for you: everything in all rooms, by due date."""
    if not visit.actor.is_signed_in:
        raise MadangError("permission.sign_in", _("This needs an account."), _("Sign in first."))
    mine = [each for each in projects.list_projects(visit.node, visit.actor) if each.id in visit.actor.projects]
    cards = [_card(each) for each in waiting(visit.node, visit.actor)]
    return Start(name=visit.actor.name, cards=cards, projects=[_line(each) for each in mine])


def _card(card: Card) -> CardView:
    return CardView(why=card.why, what=card.what, address=card.address, since=card.since, until=card.until)


@room.page("/projects", "projects.html")
def project_list(visit: Here) -> Projects:
    """The projects that you may see."""
    found = projects.list_projects(visit.node, visit.actor)
    held = {number for number, roles in visit.actor.roles.items() if roles}
    with visit.node.read() as session:
        every = session.query(Organization).order_by(Organization.id).all()
    offered = [each for each in every if each.id in held or visit.actor.kind == "owner"]
    return Projects(
        projects=[_line(each) for each in found],
        organizations=[OrganizationView(name=each.name, title=each.title) for each in offered],
    )


@room.act("/projects", at=project_list)
def begin(visit: Here, given: NewProject) -> Done:
    """Begin a project that you lead."""
    made = projects.make_project(
        visit.node, visit.actor, given.name, given.title, organization=given.organization, purpose=given.purpose
    )
    return Done(see=f"/projects/{made.name}", message=_("The project is begun."))


@room.page("/projects/{name}", "project.html")
def project(visit: Here, name: Name) -> One:
    """A project: its people, approvals, and everything that rooms have of it."""
    found = projects.see_project(visit.node, visit.actor, name)
    parts = [_part(part) for plan in open_plans() if plan.project for part in _parts(plan, visit, found)]
    return One(
        name=found.name,
        title=found.title,
        purpose=found.purpose,
        organization=in_language(found.organization.title, found.organization.title_en),
        state=found.state,
        state_name=label("project", found.state),
        created=found.created,
        ends=found.ends,
        members=[
            MemberView(login=m.person.login, name=m.person.name, role=m.role, begins=m.begins, ends=m.ends)
            for m in sorted(found.members, key=lambda m: (m.role != projects.LEADER, m.id))
        ],
        approvals=[
            ApprovalView(kind=a.kind, body=a.body, number=a.number, given=a.given, ends=a.ends) for a in found.approvals
        ],
        parts=[part for part in parts if part.rows],
        leads=may(visit.actor, projects.INVITE, found) and found.state == "active",
    )


def _parts(plan: Any, visit: Any, found: Project) -> list[Part]:
    made: list[Part] = plan.load(plan.project)(visit.node, visit.actor, found.id)
    return made


def _part(part: Part) -> PartView:
    return PartView(
        title=part.title,
        rows=[RowView(what=row.what, address=row.address, state=row.state, at=row.at) for row in part.rows],
    )


@room.act("/projects/{name}/members", at=project)
def add_member(visit: Here, name: Name, given: NewMember) -> Done:
    """Take somebody into a project."""
    projects.add_member(visit.node, visit.actor, name, given.login, given.role, _end(given.ends))
    return Done(see=f"/projects/{name}", message=_("{login} is in the project.").format(login=given.login))


@room.act("/projects/{name}/members/remove", at=project)
def remove_member(visit: Here, name: Name, given: Leaving) -> Done:
    """Take somebody out of a project, or leave it."""
    projects.remove_member(visit.node, visit.actor, name, given.login)
    return Done(see="/projects", message=_("{login} is no longer in the project.").format(login=given.login))


@room.act("/projects/{name}/approvals", at=project)
def approve(visit: Here, name: Name, given: NewApproval) -> Done:
    """Note an approval that a board outside gave."""
    begun = _begin(given.given)
    projects.note_approval(visit.node, visit.actor, name, given.kind, given.body, given.number, begun, _end(given.ends))
    return Done(see=f"/projects/{name}", message=_("The approval is noted."))


@room.act("/projects/{name}/end", at=project)
def end(visit: Here, name: Name) -> Done:
    """End a project: its permits open nothing any more."""
    projects.end_project(visit.node, visit.actor, name)
    return Done(see=f"/projects/{name}", message=_("The project is ended."))


@room.page("/places/{place}", "place.html")
def place(visit: Here, place: Place) -> PlaceView:
    """What is in one of the five places, for who may see it, and what each part is for."""
    title = _(PLACES[place], "place") if place == "access" else _(PLACES[place])
    lines = [
        PlaceLine(title=_(item.title), said=_(item.said) if item.said else "", address=item.address, missing="")
        for plan in open_plans()
        for item in plan.menu
        if item.place == place and (is_for(visit.actor, item) or is_for_whoever_signs_in(visit.actor, item))
    ]
    shut = [
        PlaceLine(title=_(plan.title), said="", address="", missing=", ".join(plan.missing()))
        for plan in plans()
        if plan.missing()
    ]
    return PlaceView(place=place, title=title, lines=lines + shut)


def is_for_whoever_signs_in(actor: Actor, item: MenuItem) -> bool:
    """Whether a stranger is told of it: they see what they would find."""
    return not actor.is_signed_in and item.signed_in and not item.act


def _line(found: Project) -> Line:
    return Line(
        name=found.name,
        title=found.title,
        organization=in_language(found.organization.title, found.organization.title_en),
        state=label("project", found.state),
        created=found.created,
    )


def _begin(day: str) -> datetime:
    try:
        return datetime.combine(datetime.fromisoformat(day).date(), time.min, UTC)
    except ValueError:
        raise MadangError("web.value", _("{day} is no day.").format(day=day), _("Write it as 2026-12-31.")) from None


def _end(day: str) -> datetime | None:
    return datetime.combine(_begin(day).date(), time(23, 59, 59), UTC) if day else None


def role_named(role: str) -> str:
    """A role in the reader's language."""
    kind = kind_of_role(role)
    return _(kind.title) if kind is not None else role


def roles_in_projects() -> list[tuple[str, str]]:
    """The roles that people can hold in a project, for a choice."""
    kinds = {kind.name: kind for plan in plans() for kind in plan.roles if kind.where == "project"}
    return [(kind.name, f"{_(kind.title)}: {_(kind.purpose)}") for kind in kinds.values()]


def kinds_of_approval() -> list[tuple[str, str]]:
    """The kinds of approvals, for a choice."""
    return [(kind, _(title)) for kind, title in projects.APPROVALS.items()]


room.helpers |= {
    "role_named": role_named,
    "organizations_named": lambda offered: [(each.name, each.title) for each in offered],
    "roles_in_projects": roles_in_projects,
    "kinds_of_approval": kinds_of_approval,
    "approval_named": lambda kind: _(projects.APPROVALS[kind]),
}
