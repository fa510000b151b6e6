"""What a change of an account does, in a transaction that is open; who may make it is asked before."""

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.people.models import Invitation, Organization, Person, RecoveryCode, Role, SignInSession


def put_password(
    session: Session, node: Node, actor: Actor, person: Person, hashed: str, act: str, *, to_be_changed: bool = False
) -> None:
    """The password of somebody is another now; their sessions end, but for the one in which they do it themselves."""
    person.password, person.must_change = hashed, to_be_changed
    others = delete(SignInSession).where(SignInSession.person_id == person.id)
    if actor.person_id == person.id:
        others = others.where(SignInSession.id != (actor.session_id or 0))
    session.execute(others)
    session.execute(delete(Invitation).where(Invitation.person_id == person.id))
    node.audit.record(session, actor, act, f"person:{person.id}")


def hold(session: Session, node: Node, actor: Actor, person: Person, role: str, organization: Organization) -> None:
    """A person holds a role from now on; nothing happens if they do already."""
    if not holds(session, person, role, organization):
        session.add(Role(person_id=person.id, organization_id=organization.id, role=role))
        details = {"role": role, "organization": organization.name}
        node.audit.record(session, actor, "role.give", f"person:{person.id}", details)


def holds(session: Session, person: Person, role: str, organization: Organization) -> bool:
    """Whether a person holds a role in an organization."""
    held = select(Role).filter_by(person_id=person.id, organization_id=organization.id, role=role)
    return session.scalar(held) is not None


def forget(session: Session, node: Node, actor: Actor, person: Person) -> None:
    """Somebody signs in without codes from now on."""
    person.code_secret = None
    session.execute(delete(RecoveryCode).where(RecoveryCode.person_id == person.id))
    node.audit.record(session, actor, "account.codes_off", f"person:{person.id}")
