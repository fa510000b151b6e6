"""Invitations: a link with which somebody chooses the password of their account, once and within some days.

The link is kept as its hash. It goes by e-mail where the person has an address and a mail server is set; otherwise
whoever made it is shown it once and hands it over.
"""

import secrets
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node import mail
from madang.node.database import now
from madang.node.node import Node
from madang.node.people import changing, guarded
from madang.node.people.actor import Actor
from madang.node.people.models import Invitation, Person
from madang.node.people.passwords import check_new_password, hash_password
from madang.node.people.sessions import hash_of
from madang.node.permissions import check


def invite(node: Node, actor: Actor, person_id: int, site: str) -> str:
    """Make a person's one invitation, below the address `site`; the link, or empty text where it went by e-mail.

    Errors: `people.guarded` for an account whose password takes two persons, those of permissions.
    """
    with node.write() as session:
        person = session.get(Person, person_id)
        check(actor, "person.edit", person)
        if person is None:
            raise MadangError("people.no_person", _("There is no such person."))
        if guarded.is_guarded(session, actor, "password", person):
            raise MadangError(
                "people.guarded",
                _("Nobody alone makes a way into the account of an administrator or auditor."),
                _("Set a new password: a second person confirms it."),
            )
        secret = secrets.token_urlsafe(32)
        session.execute(delete(Invitation).where(Invitation.person_id == person.id))
        ends = now() + timedelta(days=node.settings.sign_in.invitation_days)
        session.add(Invitation(person_id=person.id, hash=hash_of(secret), ends=ends))
        node.audit.record(session, actor, "account.invite", f"person:{person.id}")
        link = f"{site}/invitations/{secret}"
        if not (person.email and node.settings.mail.server):
            return link
        text = _("{name}, an account {login} was made for you. Choose your password until {day}:").format(
            name=person.name, login=person.login, day=f"{node.settings.local(ends):%Y-%m-%d}"
        )
        mail.write(session, person.email, _("Your account"), f"{text}\n\n{link}")
    return ""


def invited(node: Node, secret: str) -> str:
    """The login of whom an invitation is for. Errors: `people.no_invitation`."""
    with node.read() as session:
        return _found(session, secret)[1].login


def accept(node: Node, secret: str, new: str, *, address: str = "") -> str:
    """Choose the password of one's account; the login. The invitation is used up, and other sessions end."""
    with node.read() as session:
        _invitation, person = _found(session, secret)
    check_new_password(new, person.login)
    hashed = hash_password(new)
    with node.write() as session:
        invitation, person = _found(session, secret)  # another browser may have been faster
        session.delete(invitation)
        actor = Actor.person(session, person.id, via="web", address=address)
        changing.put_password(session, node, actor, person, hashed, "account.password")
    return person.login


def _found(session: Session, secret: str) -> tuple[Invitation, Person]:
    query = select(Invitation, Person).join(Person, Person.id == Invitation.person_id)
    row = session.execute(query.where(Invitation.hash == hash_of(secret), Invitation.ends > now())).first()
    if row is None or row.Person.disabled is not None:
        raise MadangError(
            "people.no_invitation",
            _("This invitation was used, is over, or never was."),
            _("Ask whoever invited you for a new one."),
        )
    return row.Invitation, row.Person
