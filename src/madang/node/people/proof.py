"""Proving once more who one is, before the ways in which one proves it are changed.

Whoever finds an open session must not be able to make it last: passwords, one-time codes, recovery codes, links to a
provider and tokens are changed or made only with a `Proof` that was just given.
"""

from dataclasses import dataclass
from datetime import timedelta

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.database import now
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.people.codes import use_code
from madang.node.people.limits import account_bucket, count_attempt, forgive
from madang.node.people.models import Person, SignInSession
from madang.node.people.passwords import is_password
from madang.node.permissions import check

_FRESH = timedelta(minutes=10)  # since signing in, for who has neither password nor codes here


@dataclass(frozen=True)
class Proof:
    """The password of the account, and a one-time or recovery code where codes are set up."""

    password: str = ""
    code: str = ""


def prove(node: Node, actor: Actor, proof: Proof) -> None:
    """Return if `actor` is a person who signed in and just proved it again; attempts are counted as in signing in.

    Who has neither a password nor codes here must have signed in within ten minutes. Errors: `people.wrong`,
    `people.code_needed`, `people.sign_in_again`, `people.too_many_attempts`, those of permissions.
    """
    with node.read() as session:
        person = own(session.get(Person, actor.person_id) if actor.person_id is not None else None)
        check(actor, "account.edit", person)
        begun = session.get(SignInSession, actor.session_id) if actor.session_id is not None else None
    if person.password is None and person.code_secret is None:
        if begun is not None and begun.created < now() - _FRESH:
            raise MadangError(
                "people.sign_in_again", _("You signed in a while ago."), _("Sign out, sign in, and do it then.")
            )
        return
    account = account_bucket(person.login)
    count_attempt(node, {account: node.settings.sign_in.account_attempts}, node.settings.sign_in.attempt_minutes)
    right = person.password is None or is_password(person.password, proof.password)
    if right and person.code_secret is not None:
        if not proof.code.strip():
            raise MadangError("people.code_needed", _("Enter the one-time code as well."))
        with node.write() as session:
            again = session.get(Person, person.id, with_for_update=True)
            right = again is not None and use_code(session, node.home, again, proof.code)
    if not right:
        with node.write() as session:
            node.audit.record(session, actor, "account.refuse", f"person:{person.id}")
        raise MadangError(
            "people.wrong", _("The password or the code is not right."), _("Enter what you sign in with now.")
        )
    forgive(node, account, "")


def own(person: Person | None) -> Person:
    """The person, if there is one; otherwise somebody has to sign in first."""
    if person is None:
        raise MadangError("permission.sign_in", _("This needs an account."), _("Sign in first."))
    return person
