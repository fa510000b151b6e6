"""Accounts, organizations and roles: who is here, and what they are."""

import re
from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.orm import Session, selectinload

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.database import now
from madang.node.node import Node
from madang.node.people import changing, guarded
from madang.node.people.actor import Actor
from madang.node.people.models import HOUSE, Organization, Person, Role, SignInSession
from madang.node.people.passwords import check_new_password, hash_password, is_password
from madang.node.people.proof import Proof, prove
from madang.node.permissions import check
from madang.node.rooms import RoleKind, kind_of_role, plans
from madang.node.text import clean_line

_LOGIN = re.compile(r"[a-z0-9][a-z0-9._@-]{1,99}")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")


def roles() -> list[RoleKind]:
    """Every role that can be held in an organization or in the installation itself; rooms name theirs."""
    kinds = {kind.name: kind for plan in plans() for kind in plan.roles if kind.where != "project"}
    return sorted(kinds.values(), key=lambda kind: kind.name)


def create_person(
    node: Node,
    actor: Actor,
    login: str,
    name: str,
    *,
    email: str = "",
    password: str | None = None,
    to_be_changed: bool = False,
) -> int:
    """Make an account; its number. Without a password it is used through a linked identity or an invitation only.

    A password that is `to_be_changed` opens nothing but the page on which its person chooses their own.
    """
    login = login.strip().casefold()
    if not _LOGIN.fullmatch(login):
        raise MadangError(
            "people.login",
            _("{login!r} cannot be the name of an account.").format(login=login),
            _("Use 2 to 100 small letters, digits and . _ - @."),
        )
    name = clean_line(name, _("The name"), 120, required=True)
    email = _checked_email(email)
    check(actor, "person.create")
    hashed = None
    if password is not None:
        check_new_password(password, login)
        hashed = hash_password(password)
    with node.write() as session:
        if session.scalar(select(Person.id).where(Person.login == login)) is not None:
            raise MadangError("people.login_taken", _("There is an account {login} already.").format(login=login))
        person = Person(login=login, name=name, email=email, password=hashed, must_change=to_be_changed)
        session.add(person)
        session.flush()
        session.add(Role(person_id=person.id, organization_id=HOUSE, role="member"))
        node.audit.record(session, actor, "person.create", f"person:{person.id}", {"login": login})
        return person.id


def find_person(session: Session, login: str) -> Person:
    """The account of that name."""
    person = session.scalar(select(Person).where(Person.login == login.strip().casefold()))
    if person is None:
        raise MadangError(
            "people.no_login",
            _("There is no account {login}.").format(login=login),
            _("`madang admin list` shows them."),
        )
    return person


def list_people(node: Node, actor: Actor) -> Sequence[Person]:
    """Everybody with an account, with their roles, by login."""
    check(actor, "person.list")
    with node.read() as session:
        query = select(Person).options(selectinload(Person.roles).selectinload(Role.organization))
        return session.scalars(query.order_by(Person.login)).all()


def see_person(node: Node, actor: Actor, login: str) -> Person:
    """An account, with its roles."""
    check(actor, "person.list")
    with node.read() as session:
        query = select(Person).options(selectinload(Person.roles).selectinload(Role.organization))
        return session.scalars(query.where(Person.id == find_person(session, login).id)).one()


def change_password(node: Node, actor: Actor, proof: Proof, new: str) -> None:
    """Set one's own password; whoever is signed in elsewhere has to sign in again."""
    prove(node, actor, proof)
    with node.read() as session:
        person = _person(session, actor.person_id)
    check_new_password(new, person.login)
    if person.must_change and is_password(person.password, new):
        raise MadangError("people.password_same", _("This is the password that you were given."), _("Choose another."))
    hashed = hash_password(new)
    with node.write() as session:
        changing.put_password(session, node, actor, _person(session, person.id), hashed, "account.password")


def set_password(node: Node, actor: Actor, person_id: int, new: str, *, to_be_changed: bool = False) -> int | None:
    """Set somebody's password; all their sessions end. The number of the change where a second person is needed."""
    with node.read() as session:
        person = _person(session, person_id)
    check(actor, "person.edit", person)
    check_new_password(new, person.login)
    hashed = hash_password(new)
    with node.write() as session:
        person = _person(session, person_id)
        if guarded.is_guarded(session, actor, "password", person):
            return guarded.ask(session, node, actor, "password", person, secret=hashed)
        changing.put_password(session, node, actor, person, hashed, "person.password", to_be_changed=to_be_changed)
    return None


def set_disabled(node: Node, actor: Actor, person_id: int, disabled: bool) -> None:
    """Disable an account, which ends its sessions and stops its tokens, or enable it again."""
    with node.write() as session:
        person = _person(session, person_id)
        check(actor, "person.edit", person)
        person.disabled = now() if disabled else None
        if disabled:
            session.execute(delete(SignInSession).where(SignInSession.person_id == person.id))
        node.audit.record(session, actor, f"person.{'disable' if disabled else 'enable'}", f"person:{person.id}")


def give_role(node: Node, actor: Actor, person_id: int, role: str, organization_id: int = HOUSE) -> int | None:
    """Have a person hold a role in an organization. The number of the change where a second person is needed."""
    with node.write() as session:
        person, organization = _for_role(session, actor, person_id, role, organization_id)
        if not changing.holds(session, person, role, organization) and guarded.is_guarded(
            session, actor, "role", person, role
        ):
            return guarded.ask(
                session, node, actor, "role", person, role=role, place=organization.name, title=organization.title
            )
        changing.hold(session, node, actor, person, role, organization)
    return None


def take_role(node: Node, actor: Actor, person_id: int, role: str, organization_id: int = HOUSE) -> None:
    """Have a person hold a role no longer."""
    with node.write() as session:
        person, organization = _for_role(session, actor, person_id, role, organization_id)
        held = select(Role).filter_by(person_id=person.id, organization_id=organization.id, role=role)
        found = session.scalar(held)
        if found is not None:
            session.delete(found)
            details = {"role": role, "organization": organization.name}
            node.audit.record(session, actor, "role.take", f"person:{person.id}", details)


def create_organization(node: Node, actor: Actor, name: str, title: str, title_en: str = "") -> int:
    """Add an organization; its number."""
    check(actor, "organization.create")
    if not _NAME.fullmatch(name):
        raise MadangError(
            "people.organization_name",
            _("{name!r} cannot be the short name of an organization.").format(name=name),
            _("Use small letters, digits and -, beginning with a letter."),
        )
    with node.write() as session:
        if session.scalar(select(Organization.id).where(Organization.name == name)) is not None:
            raise MadangError(
                "people.organization_taken", _("There is an organization {name} already.").format(name=name)
            )
        organization = Organization(
            name=name,
            title=clean_line(title, _("The title"), required=True),
            title_en=clean_line(title_en, _("The title"), required=False),
        )
        session.add(organization)
        session.flush()
        node.audit.record(session, actor, "organization.create", f"organization:{organization.id}", {"name": name})
        return organization.id


def list_organizations(node: Node, actor: Actor) -> Sequence[Organization]:
    """Every organization, this installation first, the others by their short name."""
    check(actor, "organization.list")
    with node.read() as session:
        return session.scalars(select(Organization).order_by(Organization.id != HOUSE, Organization.name)).all()


def find_organization(session: Session, name: str) -> Organization:
    """The organization of that short name."""
    organization = session.scalar(select(Organization).where(Organization.name == name))
    if organization is None:
        raise MadangError("people.no_organization", _("There is no organization {name}.").format(name=name))
    return organization


def _for_role(
    session: Session, actor: Actor, person_id: int, role: str, organization_id: int
) -> tuple[Person, Organization]:
    person = _person(session, person_id)
    organization = session.get(Organization, organization_id)
    if organization is None:
        raise MadangError("people.no_organization", _("There is no organization {name}.").format(name=organization_id))
    check(actor, "role.give", organization)
    kind = kind_of_role(role)
    if kind is None:
        raise MadangError(
            "people.no_role",
            _("There is no role {role}.").format(role=role),
            _("There are: {roles}.").format(roles=", ".join(each.name for each in roles())),
        )
    if kind.where == "node" and organization.id != HOUSE:
        raise MadangError(
            "people.role_of_the_node", _("The role {role} is held in the installation itself only.").format(role=role)
        )
    return person, organization


def _person(session: Session, person_id: int | None) -> Person:
    person = session.get(Person, person_id) if person_id is not None else None
    if person is None:
        raise MadangError("people.no_person", _("There is no such person."))
    return person


def _checked_email(email: str) -> str:
    email = clean_line(email, _("The e-mail address"), 254)
    if email and not re.fullmatch(r"[^@\s<>]+@[^@\s<>]+", email):
        raise MadangError("people.email", _("{email} is no e-mail address.").format(email=email))
    return email
