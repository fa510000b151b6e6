"""Who does something: a person, a token of a person, the owner of the home, a stranger, or the node itself."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Literal, Self

from sqlalchemy import DateTime, Integer, bindparam, cast, exists, literal, null, or_, select, type_coerce, union_all
from sqlalchemy.orm import Session

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.database import Moment, now
from madang.node.people.models import HOUSE, Handover, Organization, Permit, Person, Project, ProjectMember, Role

Kind = Literal["owner", "person", "stranger", "node"]


@dataclass(frozen=True)
class Held:
    """A permit of a project: its number, which dataset it opens, and from when until when."""

    permit_id: int
    project_id: int
    dataset: str
    begins: datetime
    ends: datetime


@dataclass(frozen=True)
class Actor:
    """Who acts, with the roles that they hold at this moment.

    `roles` is {organization's number: names of roles}; roles in organization 1, the installation itself, hold for the
    whole node. `scopes` is None except for a token, which may do no more than they say. `via` is how they came:
    `command`, `session`, `token`, `job`, `web`; `address` from where; `session_id` is the session of a browser.
    """

    kind: Kind
    name: str
    person_id: int | None = None
    roles: Mapping[int, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))
    scopes: frozenset[str] | None = None
    via: str = "command"
    address: str = ""
    session_id: int | None = None
    projects: Mapping[int, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))  # and roles in them
    permits: tuple["Held", ...] = ()  # that their projects hold
    stands_for: str = ""  # whose role they act in, where somebody handed it to them
    lacks: str = ""  # what they have to set up before they can do anything: `code` or `password`

    @classmethod
    def owner(cls) -> Self:
        """The owner of MADANG_HOME, as whom the command line acts."""
        import getpass

        try:
            name = getpass.getuser()
        except (OSError, KeyError):
            name = "?"
        return cls("owner", name)

    @classmethod
    def stranger(cls, address: str = "") -> Self:
        """Somebody who has not signed in."""
        return cls("stranger", "", via="web", address=address)

    @classmethod
    def node(cls) -> Self:
        """The installation, when it does something that nobody asked for: tidying, upgrades."""
        return cls("node", "madang", via="job")

    @classmethod
    def person(
        cls,
        session: Session,
        person_id: int,
        *,
        scopes: frozenset[str] | None = None,
        via: str = "session",
        address: str = "",
        session_id: int | None = None,
    ) -> Self:
        """A person as they are now; `people.no_person` if there is none, `people.disabled` if they may not act."""
        person = session.get(Person, person_id)
        if person is None:
            raise MadangError("people.no_person", _("There is no such person."))
        if person.disabled:
            raise MadangError("people.disabled", _("The account {login} is disabled.").format(login=person.login))
        roles: dict[int, set[str]] = {}
        projects: dict[int, set[str]] = {}
        permits, stands_for, at = [], [], now()
        for row in session.execute(_ALL_HELD, {"person": person_id, "at": at}):
            if row.what == "project":
                projects.setdefault(row.place, set()).add(row.name)
            elif row.what == "permit":
                permits.append(Held(row.number, row.place, row.name, row.begins, row.ends))
            else:
                roles.setdefault(row.place, set()).add(row.name)
                if row.what == "handover":
                    stands_for.append(f"person:{row.number} as {row.name}")
        return cls(
            *("person", person.name, person_id, _closed(roles), scopes, via, address, session_id, _closed(projects)),
            *(tuple(permits), ", ".join(sorted(stands_for))),
        )

    def permitted(self) -> frozenset[str]:
        """The datasets that a permit opens to them at this moment."""
        at = now()
        return frozenset(held.dataset for held in self.permits if held.begins <= at < held.ends)

    def in_project(self, project_id: int, *roles: str) -> bool:
        """Whether they are in a project, in one of these roles; without any, in whichever."""
        held = self.projects.get(project_id, frozenset())
        return bool(held & set(roles)) if roles else bool(held)

    @property
    def is_signed_in(self) -> bool:
        """Whether we know who it is."""
        return self.kind != "stranger"

    def holds(self, role: str, organization_id: int = HOUSE) -> bool:
        """Whether they hold `role` in that organization; by default, in the installation itself."""
        return role in self.roles.get(organization_id, ())

    def organizations(self, role: str) -> list[int]:
        """The organizations in which they hold `role`."""
        return sorted(number for number, names in self.roles.items() if role in names)

    @property
    def reference(self) -> str:
        """How audit events and jobs name them: `person:12`, or the kind."""
        return self.kind if self.person_id is None else f"{self.kind}:{self.person_id}"


def actor_as_json(actor: Actor, language: str = "") -> str:
    """As whom something is done later, kept as text, and in which language; `jobs.work.actor_of` reads it."""
    scopes = None if actor.scopes is None else sorted(actor.scopes)
    kept = {"kind": actor.kind, "name": actor.name, "person_id": actor.person_id, "scopes": scopes}
    if language:
        kept["language"] = language
    return json.dumps(kept, ensure_ascii=False)


def _closed(held: Mapping[int, set[str]]) -> Mapping[int, frozenset[str]]:
    return MappingProxyType({number: frozenset(names) for number, names in held.items()})


def _all_held() -> Any:
    """All that a person holds, as one question: it is asked at every page."""
    person, at = bindparam("person", type_=Integer()), bindparam("at", type_=Moment())
    never = type_coerce(cast(null(), DateTime(timezone=True)), Moment())

    def rows(what: str, place: Any, name: Any, number: Any, begins: Any = never, ends: Any = never) -> Any:
        return select(
            literal(what).label("what"),
            place.label("place"),
            name.label("name"),
            type_coerce(number, Integer()).label("number"),
            begins.label("begins"),
            ends.label("ends"),
        )

    mine = select(ProjectMember.project_id).where(
        *(ProjectMember.person_id == person, ProjectMember.begins <= at),
        or_(ProjectMember.ends.is_(None), ProjectMember.ends > at),
    )
    roles = rows("role", Role.organization_id, Role.role, literal(0)).where(Role.person_id == person)
    handed = rows("handover", Handover.organization_id, Handover.role, Handover.person_id).where(
        *(Handover.to_id == person, Handover.revoked.is_(None), Handover.begins <= at, Handover.ends > at),
        exists().where(
            *(Role.person_id == Handover.person_id, Role.role == Handover.role),
            Role.organization_id == Handover.organization_id,
        ),
        exists().where(Person.id == Handover.person_id, Person.disabled.is_(None)),
    )
    projects = rows("project", ProjectMember.project_id, ProjectMember.role, literal(0)).where(
        *(ProjectMember.person_id == person, ProjectMember.begins <= at),
        or_(ProjectMember.ends.is_(None), ProjectMember.ends > at),
        exists().where(Project.id == ProjectMember.project_id, Project.state == "active"),
    )
    permits = rows("permit", Permit.project_id, Permit.dataset, Permit.id, Permit.begins, Permit.ends).where(
        *(Permit.project_id.in_(mine), Permit.state == "in-force", Permit.ends > at),
        exists().where(Project.id == Permit.project_id, Project.state == "active"),
    )
    return union_all(roles, handed, projects, permits)


_ALL_HELD = _all_held()


def add_house(session: Session, title: str) -> Organization:
    """The organization that is this installation, made if it is not there yet."""
    house = session.get(Organization, HOUSE)
    connection = session.connection()
    if house is None and connection.dialect.name == "postgresql":  # others may start at once
        connection.exec_driver_sql("LOCK TABLE organizations IN SHARE ROW EXCLUSIVE MODE")
        house = session.get(Organization, HOUSE)
    if house is None:
        house = Organization(name="house", title=title)
        session.add(house)
        session.flush()
        if house.id != HOUSE:
            raise RuntimeError("the table of organizations was not empty")
    return house
