"""Setting up the second proof: one-time codes from an authenticator, and recovery codes."""

import secrets

from sqlalchemy import delete
from sqlalchemy.orm import Session

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.node import Node
from madang.node.people import changing, guarded
from madang.node.people.actor import Actor
from madang.node.people.codes import ALPHABET, hash_code, step_of
from madang.node.people.models import Person, RecoveryCode
from madang.node.people.proof import Proof, own, prove
from madang.node.permissions import check
from madang.node.sealing import seal

RECOVERY_CODES = 10


def set_up_codes(node: Node, actor: Actor, proof: Proof, secret: str, code: str) -> list[str]:
    """Ask for one-time codes from now on; `code` proves that the authenticator has the secret. The recovery codes."""
    prove(node, actor, proof)
    step = step_of(secret, code, 0)
    with node.write() as session:
        person = own(session.get(Person, actor.person_id))
        if step is None:
            raise MadangError("people.code_wrong", _("This is not the code of this moment."))
        person.code_secret = seal(node.home, secret.encode(), f"code person:{person.id}")
        person.code_step = step
        codes = _new_recovery_codes(session, person)
        node.audit.record(session, actor, "account.codes_on", f"person:{person.id}")
    return codes


def new_recovery_codes(node: Node, actor: Actor, proof: Proof) -> list[str]:
    """New recovery codes; the old ones are void. Errors: `people.no_codes` where no codes are set up."""
    prove(node, actor, proof)
    with node.write() as session:
        person = own(session.get(Person, actor.person_id))
        if person.code_secret is None:
            raise MadangError("people.no_codes", _("One-time codes are not set up."), _("Set them up first."))
        codes = _new_recovery_codes(session, person)
        node.audit.record(session, actor, "account.recovery_codes", f"person:{person.id}")
    return codes


def clear_codes(node: Node, actor: Actor, person_id: int) -> int | None:
    """Ask this person for no one-time codes any more, because everything is lost; an administrator does it.

    The number of the change where a second person is needed.
    """
    with node.write() as session:
        person = session.get(Person, person_id)
        check(actor, "person.edit", person)
        if person is None:
            raise MadangError("people.no_person", _("There is no such person."))
        if guarded.is_guarded(session, actor, "codes", person):
            return guarded.ask(session, node, actor, "codes", person)
        changing.forget(session, node, actor, person)
    return None


def _new_recovery_codes(session: Session, person: Person) -> list[str]:
    session.execute(delete(RecoveryCode).where(RecoveryCode.person_id == person.id))
    codes = [_new_code() for _number in range(RECOVERY_CODES)]
    session.add_all(RecoveryCode(person_id=person.id, hash=hash_code(code)) for code in codes)
    return codes


def _new_code() -> str:
    letters = "".join(secrets.choice(ALPHABET) for _place in range(16))
    return "-".join(letters[start : start + 4] for start in range(0, 16, 4))
