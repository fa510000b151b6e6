"""One-time codes (TOTP, RFC 6238) as a second proof, and recovery codes for whoever lost the telephone: what is right.

Setting them up is in `second`.
"""

import hashlib
import hmac
import time

from sqlalchemy import select
from sqlalchemy.orm import Session

from madang.node.database import now
from madang.node.home import Home
from madang.node.node import Node
from madang.node.people.models import Person, RecoveryCode
from madang.node.sealing import unseal

_PERIOD = 30
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that looks like something else


def new_secret() -> str:
    """A secret for one-time codes, to be shown once and confirmed with a code."""
    import pyotp

    return pyotp.random_base32()


def secret_address(node: Node, person: Person, secret: str) -> str:
    """What the QR code says that an authenticator reads."""
    import pyotp

    return pyotp.TOTP(secret).provisioning_uri(name=person.login, issuer_name=node.settings.title)


def use_code(session: Session, home: Home, person: Person, code: str) -> bool:
    """Whether `code` is this person's one-time code of now, or a recovery code; no code is good twice."""
    if person.code_secret is None:
        return False
    secret = unseal(home, person.code_secret, f"code person:{person.id}").decode()
    step = step_of(secret, code, person.code_step)
    if step is not None:
        person.code_step = step
        return True
    query = select(RecoveryCode).where(
        RecoveryCode.person_id == person.id, RecoveryCode.hash == hash_code(code), RecoveryCode.used.is_(None)
    )
    found = session.scalar(query.with_for_update())
    if found is None:
        return False
    found.used = now()
    return True


def step_of(secret: str, code: str, after: int) -> int | None:
    """The time step, now or one beside it and later than `after`, whose code this is."""
    import pyotp

    digits = "".join(code.split())
    made = pyotp.TOTP(secret, interval=_PERIOD)
    at = int(time.time()) // _PERIOD
    fits = [step for step in (at - 1, at, at + 1) if hmac.compare_digest(made.generate_otp(step), digits)]
    return next((step for step in fits if step > after), None)


def hash_code(code: str) -> str:
    """Recovery codes are random, of 79 bits: a plain hash hides them."""
    plain = "".join(character for character in code.casefold() if character in ALPHABET)
    return hashlib.sha256(plain.encode()).hexdigest()
