"""One-time codes (TOTP, RFC 6238) as a second proof, and recovery codes for whoever lost the telephone."""

import hashlib
import hmac
import secrets
import time

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.database import now
from madang.node.home import Home
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.people.models import Person, RecoveryCode
from madang.node.permissions import check
from madang.node.sealing import seal, unseal

RECOVERY_CODES = 10
_PERIOD = 30
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that looks like something else


def new_secret() -> str:
    """A secret for one-time codes, to be shown once and confirmed with a code."""
    import pyotp

    return pyotp.random_base32()


def secret_address(node: Node, person: Person, secret: str) -> str:
    """What the QR code says that an authenticator reads."""
    import pyotp

    return pyotp.TOTP(secret).provisioning_uri(name=person.login, issuer_name=node.settings.title)


def set_up_codes(node: Node, actor: Actor, secret: str, code: str) -> list[str]:
    """Ask for one-time codes from now on; `code` proves that the authenticator has the secret. The recovery codes."""
    step = _step_of(secret, code, 0)
    with node.write() as session:
        person = _own(session, actor)
        if step is None:
            raise MadangError("people.code_wrong", _("This is not the code of this moment."))
        person.code_secret = seal(node.home, secret.encode(), f"code person:{person.id}")
        person.code_step = step
        codes = _new_recovery_codes(session, person)
        node.audit.record(session, actor, "account.codes_on", f"person:{person.id}")
    return codes


def new_recovery_codes(node: Node, actor: Actor) -> list[str]:
    """New recovery codes; the old ones are void."""
    with node.write() as session:
        person = _own(session, actor)
        codes = _new_recovery_codes(session, person)
        node.audit.record(session, actor, "account.recovery_codes", f"person:{person.id}")
    return codes


def clear_codes(node: Node, actor: Actor, person_id: int) -> None:
    """Ask this person for no one-time codes any more, because everything is lost; an administrator does it."""
    with node.write() as session:
        person = session.get(Person, person_id)
        check(actor, "person.edit", person)
        if person is None:
            raise MadangError("people.no_person", _("There is no such person."))
        person.code_secret = None
        session.execute(delete(RecoveryCode).where(RecoveryCode.person_id == person.id))
        node.audit.record(session, actor, "account.codes_off", f"person:{person.id}")


def use_code(session: Session, home: Home, person: Person, code: str) -> bool:
    """Whether `code` is this person's one-time code of now, or a recovery code; no code is good twice."""
    if person.code_secret is None:
        return False
    secret = unseal(home, person.code_secret, f"code person:{person.id}").decode()
    step = _step_of(secret, code, person.code_step)
    if step is not None:
        person.code_step = step
        return True
    query = select(RecoveryCode).where(
        RecoveryCode.person_id == person.id, RecoveryCode.hash == _hash(code), RecoveryCode.used.is_(None)
    )
    found = session.scalar(query.with_for_update())
    if found is None:
        return False
    found.used = now()
    return True


def _own(session: Session, actor: Actor) -> Person:
    person = session.get(Person, actor.person_id) if actor.person_id is not None else None
    if person is None:
        raise MadangError("permission.sign_in", _("This needs an account."), _("Sign in first."))
    check(actor, "account.edit", person)
    return person


def _step_of(secret: str, code: str, after: int) -> int | None:
    """The time step, now or one beside it and later than `after`, whose code this is."""
    import pyotp

    digits = "".join(code.split())
    made = pyotp.TOTP(secret, interval=_PERIOD)
    at = int(time.time()) // _PERIOD
    fits = [step for step in (at - 1, at, at + 1) if hmac.compare_digest(made.generate_otp(step), digits)]
    return next((step for step in fits if step > after), None)


def _new_recovery_codes(session: Session, person: Person) -> list[str]:
    session.execute(delete(RecoveryCode).where(RecoveryCode.person_id == person.id))
    codes = [_new_code() for _number in range(RECOVERY_CODES)]
    session.add_all(RecoveryCode(person_id=person.id, hash=_hash(code)) for code in codes)
    return codes


def _new_code() -> str:
    letters = "".join(secrets.choice(_ALPHABET) for _place in range(16))
    return "-".join(letters[start : start + 4] for start in range(0, 16, 4))


def _hash(code: str) -> str:
    """Recovery codes are random, of 79 bits: a plain hash hides them."""
    plain = "".join(character for character in code.casefold() if character in _ALPHABET)
    return hashlib.sha256(plain.encode()).hexdigest()
