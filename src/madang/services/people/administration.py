"""The pages of administrators: accounts, the roles that they hold, and organizations.

An open session that somebody finds must not give them an account of their own: whatever makes a way in wants the
administrator's own proof once more.
"""

from datetime import datetime
from typing import Annotated

from fastapi import Path
from pydantic import Field

from madang.base.errors import MadangError
from madang.base.translate import _, in_language
from madang.node.people import accounts, invitations, second
from madang.node.people.models import HOUSE, Person
from madang.node.people.proof import prove
from madang.node.permissions import check
from madang.services.people.account import Own, Proved, own
from madang.services.people.roles import role_named, roles_named
from madang.services.people.routes import room
from madang.web import Done, Here, View

Login = Annotated[str, Path(max_length=100)]


class Held(View):
    """A role that somebody holds, and where."""

    role: str
    organization: str
    title: str


class Somebody(View):
    """An account, as administrators and auditors see it."""

    login: str
    name: str
    email: str
    has_password: bool
    has_codes: bool
    disabled: datetime | None
    created: datetime
    roles: list[Held]


class People(View):
    """Everybody with an account."""

    people: list[Somebody]
    own: Own | None


class PersonPage(View):
    """One account, and what can be given to it."""

    person: Somebody
    roles: list[str]
    organizations: list["OrganizationView"]
    own: Own | None


class OrganizationView(View):
    """An organization; `minimum` is how few persons numbers of its data may be about."""

    name: str
    title: str
    title_en: str
    minimum: int


class Organizations(View):
    """Every organization here."""

    organizations: list[OrganizationView]


class NewPerson(Proved):
    """An account to be made: with an invitation, with a first password, or for a linked identity only."""

    login: str = Field(title="The account", min_length=1, max_length=100)
    name: str = Field(title="The name", min_length=1, max_length=120)
    email: str = Field(default="", title="The e-mail address", max_length=254)
    new: str = Field(default="", title="The new password", max_length=1_000)
    invite: bool = Field(default=False, title="An invitation")


class Link(View):
    """A link that is shown this once."""

    title: str
    link: str
    back: str


class ARole(Proved):
    """A role in an organization."""

    role: str = Field(title="The role", min_length=1, max_length=60)
    organization: str = Field(default="house", title="The organization", max_length=63)


class Taken(View):
    """A role in an organization that is not to be held any more."""

    role: str = Field(title="The role", min_length=1, max_length=60)
    organization: str = Field(default="house", title="The organization", max_length=63)


class SetPassword(Proved):
    """Somebody's new password."""

    new: str = Field(title="The new password", min_length=1, max_length=1_000)


class NewOrganization(View):
    """An organization to be added."""

    name: str = Field(title="The short name", min_length=1, max_length=63)
    title: str = Field(title="The title", min_length=1, max_length=200)
    title_en: str = Field(default="", title="The title in English", max_length=200)


@room.page("/people", "people.html")
def people(visit: Here) -> People:
    """Everybody with an account here."""
    found = accounts.list_people(visit.node, visit.actor)
    return People(people=[_somebody(each) for each in found], own=own(visit))


@room.act("/people", at=people)
def create(visit: Here, given: NewPerson) -> Done | Link:
    """Make an account; where there is no mail server, an invitation is shown this once."""
    check(visit.actor, "person.create")
    prove(visit.node, visit.actor, given.proof)
    number = accounts.create_person(
        visit.node,
        visit.actor,
        given.login,
        given.name,
        email=given.email,
        password=given.new or None,
        to_be_changed=True,
    )
    login = given.login.strip().casefold()
    if given.invite and not given.new:
        return _invitation(visit, number, login)
    return Done(see=f"/people/{login}", message=_("The account {login} is made.").format(login=login))


@room.page("/people/{login}", "person.html")
def person(visit: Here, login: Login) -> PersonPage:
    """One account, the roles that it holds, and whether it is disabled."""
    found = accounts.see_person(visit.node, visit.actor, login)
    return PersonPage(
        person=_somebody(found),
        roles=[each.name for each in accounts.roles()],
        organizations=_organizations(visit),
        own=own(visit),
    )


@room.act("/people/{login}/roles", at=person)
def give(visit: Here, login: Login, given: ARole) -> Done:
    """Have somebody hold a role in an organization."""
    check(visit.actor, "role.give")
    found, place = _found(visit, login), _place(visit, given.organization)
    prove(visit.node, visit.actor, given.proof)
    if accounts.give_role(visit.node, visit.actor, found.id, given.role, place):
        return _asked()
    return _done(found, _("{login} holds the role {role}.").format(login=found.login, role=given.role))


@room.act("/people/{login}/roles/take", at=person)
def take(visit: Here, login: Login, given: Taken) -> Done:
    """Have somebody hold a role no longer."""
    check(visit.actor, "role.give")
    found, place = _found(visit, login), _place(visit, given.organization)
    if found.id == visit.actor.person_id and given.role == "administrator" and place == HOUSE:
        raise MadangError(
            "people.own_role", _("Nobody takes their own role from themselves."), _("Another administrator does it.")
        )
    accounts.take_role(visit.node, visit.actor, found.id, given.role, place)
    return _done(found, _("{login} no longer holds the role {role}.").format(login=found.login, role=given.role))


@room.act("/people/{login}/disable", at=person)
def disable(visit: Here, login: Login) -> Done:
    """Disable an account: its sessions end and its tokens stop."""
    found = _found(visit, login, "person.edit")
    if found.id == visit.actor.person_id:
        raise MadangError(
            "people.own_account", _("Nobody disables their own account."), _("Another administrator does it.")
        )
    accounts.set_disabled(visit.node, visit.actor, found.id, True)
    return _done(found, _("{login} is disabled.").format(login=found.login))


@room.act("/people/{login}/enable", at=person)
def enable(visit: Here, login: Login, given: Proved) -> Done:
    """Enable an account again."""
    found = _found(visit, login, "person.edit")
    prove(visit.node, visit.actor, given.proof)
    accounts.set_disabled(visit.node, visit.actor, found.id, False)
    return _done(found, _("{login} is enabled.").format(login=found.login))


@room.act("/people/{login}/password", at=person)
def set_password(visit: Here, login: Login, given: SetPassword) -> Done:
    """Set somebody's password; their sessions end."""
    found = _found(visit, login, "person.edit")
    prove(visit.node, visit.actor, given.proof)
    if accounts.set_password(visit.node, visit.actor, found.id, given.new, to_be_changed=True):
        return _asked()
    return _done(found, _("The password of {login} is set.").format(login=found.login))


@room.act("/people/{login}/invite", at=person)
def invite(visit: Here, login: Login, given: Proved) -> Done | Link:
    """Invite somebody to choose a new password; where there is no mail server, the link is shown this once."""
    found = _found(visit, login, "person.edit")
    prove(visit.node, visit.actor, given.proof)
    return _invitation(visit, found.id, found.login)


@room.act("/people/{login}/codes/forget", at=person)
def forget_codes(visit: Here, login: Login, given: Proved) -> Done:
    """Ask somebody who lost everything for no one-time codes any more."""
    found = _found(visit, login, "person.edit")
    prove(visit.node, visit.actor, given.proof)
    if second.clear_codes(visit.node, visit.actor, found.id):
        return _asked()
    return _done(found, _("{login} signs in without one-time codes.").format(login=found.login))


@room.page("/organizations", "organizations.html")
def organizations(visit: Here) -> Organizations:
    """The organizations that hold data here or whose people work here."""
    return Organizations(organizations=_organizations(visit))


@room.act("/organizations", at=organizations)
def add_organization(visit: Here, given: NewOrganization) -> Done:
    """Add an organization."""
    accounts.create_organization(visit.node, visit.actor, given.name, given.title, given.title_en)
    return Done(see="/organizations", message=_("Added the organization {name}.").format(name=given.name))


def _found(visit: Here, login: str, act: str = "person.list") -> Person:
    check(visit.actor, act)
    return accounts.see_person(visit.node, visit.actor, login)


def _place(visit: Here, organization: str) -> int:
    with visit.node.read() as session:
        return accounts.find_organization(session, organization).id


def _invitation(visit: Here, number: int, login: str) -> Done | Link:
    link = invitations.invite(visit.node, visit.actor, number, visit.origin)
    if not link:
        return Done(see=f"/people/{login}", message=_("The invitation is on its way to {login}.").format(login=login))
    title = _("Hand this link to {login}. It is shown this once.").format(login=login)
    return Link(title=title, link=link, back=f"/people/{login}")


def _asked() -> Done:
    return Done(see="/people-changes", message=_("This waits for a second person."))


def _done(found: Person, message: str) -> Done:
    return Done(see=f"/people/{found.login}", message=message)


def _somebody(found: Person) -> Somebody:
    return Somebody(
        login=found.login,
        name=found.name,
        email=found.email,
        has_password=found.password is not None,
        has_codes=found.code_secret is not None,
        disabled=found.disabled,
        created=found.created,
        roles=[
            Held(
                role=each.role,
                organization=each.organization.name,
                title=in_language(each.organization.title, each.organization.title_en),
            )
            for each in sorted(found.roles, key=lambda each: (each.organization_id, each.role))
        ],
    )


def _organizations(visit: Here) -> list[OrganizationView]:
    return [
        OrganizationView(name=each.name, title=each.title, title_en=each.title_en, minimum=each.minimum)
        for each in accounts.list_organizations(visit.node, visit.actor)
    ]


def organizations_named(organizations: list[OrganizationView]) -> list[tuple[str, str]]:
    """Organizations, for a choice."""
    return [(each.name, in_language(each.title, each.title_en)) for each in organizations]


room.helpers |= {"role_named": role_named, "roles_named": roles_named, "organizations_named": organizations_named}
