"""Signing in with a password and, where it is set up, a one-time code."""

from sqlalchemy import select

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.people.codes import use_code
from madang.node.people.limits import account_bucket, address_bucket, count_attempt, forgive
from madang.node.people.models import Person
from madang.node.people.passwords import hash_password, is_outdated, is_password
from madang.node.people.sessions import begin_session


def sign_in(node: Node, login: str, password: str, code: str = "", *, address: str = "", browser: str = "") -> str:
    """Begin a session; what the cookie holds.

    `people.code_needed` asks for a code after a right password. `people.wrong` does not say what of it was wrong, and
    takes as long for an account that does not exist. After too many attempts: `people.too_many_attempts`.
    """
    login = login.strip().casefold()
    limits = node.settings.sign_in
    account, from_where = account_bucket(login), address_bucket(address)
    most = {account: limits.account_attempts, from_where: limits.address_attempts}
    count_attempt(node, most, limits.attempt_minutes)
    with node.read() as session:
        person = session.scalar(select(Person).where(Person.login == login))
    hashed = person.password if person is not None and person.disabled is None else None
    right = is_password(hashed, password)
    if person is None or not right:
        _tell(node, person, address, "password")
        raise _wrong()
    if person.code_secret is not None and not code.strip():
        forgive(node, "", from_where)  # the account's attempt stays counted until the code is right, too
        raise MadangError("people.code_needed", _("Enter the one-time code as well."))
    cookie = ""
    with node.write() as session:
        # What was true a moment ago may have changed: the decision is made here, one sign-in after the other.
        again = session.get(Person, person.id, with_for_update=True)
        same = again is not None and again.disabled is None and again.password == hashed
        if again is not None and same and (again.code_secret is None or use_code(session, node.home, again, code)):
            if is_outdated(again.password or ""):
                again.password = hash_password(password)
            cookie = begin_session(session, node, again, address=address, browser=browser)
    if not cookie:
        _tell(node, person, address, "code")
        raise _wrong()
    forgive(node, account, from_where)
    return cookie


def _wrong() -> MadangError:
    return MadangError(
        "people.wrong", _("The account, the password or the code is not right."), _("Check them and try again.")
    )


def _tell(node: Node, person: Person | None, address: str, what: str) -> None:
    """A failure goes to the audit; what was typed does not, it may have been a password in the wrong field."""
    with node.write() as session:
        thing = f"person:{person.id}" if person is not None else ""
        node.audit.record(session, Actor.stranger(address), "session.refuse", thing, {"what": what})
