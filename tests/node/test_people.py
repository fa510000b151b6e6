"""Accounts, roles, passwords, codes, sessions, tokens and limits."""

import time
from datetime import timedelta

import pyotp
import pytest
from sqlalchemy import select, update

from madang.base.errors import MadangError
from madang.node.database import now
from madang.node.node import Node
from madang.node.people import HOUSE, Actor, Person, accounts, codes, second, sessions, tokens
from madang.node.people.models import ApiToken, Attempts, RecoveryCode, SignInSession
from madang.node.people.proof import Proof
from madang.node.people.sign_in import sign_in
from madang.node.permissions import may
from support import quick_passwords

OWNER = Actor.owner()
PASSWORD = "붉은 소나무 and a lake"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quick_passwords(monkeypatch)


def kim(node: Node) -> int:
    return accounts.create_person(node, OWNER, "Kim@example.org", "김 연구", password=PASSWORD)


def actor(node: Node, person_id: int) -> Actor:
    with node.read() as session:
        return Actor.person(session, person_id)


def refused(code: str) -> object:
    return pytest.raises(MadangError, check=lambda error: error.code == code)


def test_the_first_person_and_their_roles(node: Node) -> None:
    number = kim(node)
    assert actor(node, number).roles == {HOUSE: frozenset({"member"})}
    accounts.give_role(node, OWNER, number, "administrator")
    clinic = accounts.create_organization(node, actor(node, number), "clinic", "병원", "The clinic")
    accounts.give_role(node, OWNER, number, "steward", clinic)
    accounts.give_role(node, OWNER, number, "steward", clinic)
    now_is = actor(node, number)
    assert now_is.holds("administrator") and now_is.holds("steward", clinic) and not now_is.holds("steward")
    accounts.take_role(node, OWNER, number, "administrator")
    assert not may(actor(node, number), "person.create")
    (person,) = accounts.list_people(node, OWNER)
    assert (person.login, person.name, sorted(role.role for role in person.roles)) == (
        "kim@example.org",
        "김 연구",
        ["member", "steward"],
    )
    with node.read() as session:
        acts = [event.act for event in node.audit.events(session)][::-1]
    assert acts == ["person.create", "role.give", "organization.create", "role.give", "role.take"]


def test_what_cannot_be_an_account_or_a_role(node: Node) -> None:
    number = kim(node)
    create = accounts.create_person
    for code, login, name, more in [
        ("people.login_taken", "KIM@example.org", "Kim", {}),
        ("people.login", "a b", "Kim", {}),
        ("people.login", "<script>", "Kim", {}),
        ("people.login", "ki\u202em", "Kim", {}),
        ("text.character", "lee", "Le\u202ee", {}),
        ("text.missing", "lee", "  ", {}),
        ("people.email", "lee", "Lee", {"email": "Lee <lee@x>"}),
        ("people.password_short", "lee", "Lee", {"password": "short"}),
        ("people.password_plain", "lee", "Lee", {"password": "aaaaaaaaaaaaaaaa"}),
        ("people.password_plain", "lee", "Lee", {"password": "abcdefghijklmnop"}),
        ("people.password_plain", "leeminho", "Lee", {"password": "iam LEEMINHO 1"}),
        ("people.password_long", "lee", "Lee", {"password": "xyzw1" * 300}),
    ]:
        with refused(code):
            create(node, OWNER, login, name, **more)
    with refused("people.no_role"):
        accounts.give_role(node, OWNER, number, "king")
    clinic = accounts.create_organization(node, OWNER, "clinic", "병원")
    with refused("people.role_of_the_node"):
        accounts.give_role(node, OWNER, number, "auditor", clinic)
    with refused("people.organization_taken"):
        accounts.create_organization(node, OWNER, "clinic", "병원")
    for act in (
        lambda: create(node, actor(node, number), "lee", "Lee"),
        lambda: accounts.give_role(node, actor(node, number), number, "administrator"),
        lambda: accounts.set_password(node, actor(node, number), number, PASSWORD),
        lambda: accounts.list_people(node, actor(node, number)),
    ):
        with refused("permission.denied"):
            act()


def test_signing_in_with_a_password(node: Node) -> None:
    number = kim(node)
    cookie = sign_in(node, " KIM@example.org", PASSWORD, address="192.0.2.1", browser="A\x00 browser")
    found = sessions.actor_of_cookie(node, cookie, "192.0.2.1")
    assert found is not None and (found.person_id, found.via) == (number, "session")
    for login, password in [("kim@example.org", "wrong"), ("nobody", PASSWORD), ("kim@example.org", "")]:
        with refused("people.wrong"):
            sign_in(node, login, password)
    with node.read() as session:
        row = session.scalars(select(SignInSession)).one()
        stored = session.scalars(select(Person.password)).one()
        events = node.audit.events(session)
    assert (
        cookie not in f"{row.hash}{row.browser}"
        and PASSWORD not in str(stored)
        and str(stored).startswith("$argon2id$")
    )
    assert [event.act for event in events][:4] == ["session.refuse"] * 3 + ["session.begin"]
    assert not any(PASSWORD in str(event) or "wrong" in str(event) for event in events)


def test_a_session_ends_when_idle_when_old_when_asked_and_with_the_account(node: Node) -> None:
    number = kim(node)

    def is_alive(cookie: str) -> bool:
        return sessions.actor_of_cookie(node, cookie) is not None

    def move(**values: object) -> None:
        with node.write() as session:
            session.execute(update(SignInSession).values(**values))

    cookie = sign_in(node, "kim@example.org", PASSWORD)
    move(seen=now() - timedelta(minutes=59))
    assert is_alive(cookie)
    move(seen=now() - timedelta(minutes=61))
    assert not is_alive(cookie)
    move(seen=now(), ends=now())
    assert not is_alive(cookie)
    one, two, three = (sign_in(node, "kim@example.org", PASSWORD, browser=name) for name in "abc")
    me = sessions.actor_of_cookie(node, one)
    assert me is not None
    assert [each.browser for each in sessions.list_sessions(node, me, number)] == ["c", "b", "a"]
    sessions.end_session(node, me, sessions.list_sessions(node, me, number)[0].id)
    assert [is_alive(each) for each in (one, two, three)] == [True, True, False]
    assert sessions.end_other_sessions(node, me) == 1
    assert [is_alive(each) for each in (one, two)] == [True, False]
    other = accounts.create_person(node, OWNER, "lee", "Lee")
    with refused("permission.denied"):
        sessions.end_session(node, actor(node, other), me.session_id or 0)
    accounts.change_password(node, me, Proof(PASSWORD), "another lake, and a pine")
    assert is_alive(one)
    with refused("people.wrong"):
        accounts.change_password(node, me, Proof(PASSWORD), "yet another lake, no pine")
    accounts.set_password(node, OWNER, number, PASSWORD)
    assert not is_alive(one)
    cookie = sign_in(node, "kim@example.org", PASSWORD)
    accounts.set_disabled(node, OWNER, number, True)
    assert not is_alive(cookie)
    with refused("people.wrong"):
        sign_in(node, "kim@example.org", PASSWORD)


def test_one_time_codes_and_recovery_codes_are_good_once(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    number = kim(node)
    clock = [1_800_000_000.0]
    monkeypatch.setattr(time, "time", lambda: clock[0])
    secret = codes.new_secret()
    authenticator = pyotp.TOTP(secret)

    def code(steps: int = 0) -> str:
        return authenticator.at(int(clock[0]) + 30 * steps)

    with refused("people.code_wrong"):
        second.set_up_codes(node, actor(node, number), Proof(PASSWORD), secret, "000000")
    with refused("people.wrong"):
        second.set_up_codes(node, actor(node, number), Proof("a guess"), secret, code())
    recovery = second.set_up_codes(node, actor(node, number), Proof(PASSWORD), secret, code())
    assert len(set(recovery)) == second.RECOVERY_CODES
    with refused("people.code_needed"):
        sign_in(node, "kim@example.org", PASSWORD)
    with refused("people.wrong"):
        sign_in(node, "kim@example.org", PASSWORD, code())  # it was used to set up
    clock[0] += 30
    assert sign_in(node, "kim@example.org", PASSWORD, f" {code()[:3]} {code()[3:]}")
    for bad in (code(), code(-1), code(-3), code(3), "", "123"):
        with refused("people.wrong" if bad else "people.code_needed"):
            sign_in(node, "kim@example.org", PASSWORD, bad)
    assert sign_in(node, "kim@example.org", PASSWORD, recovery[3].upper().replace("-", " "))
    with refused("people.wrong"):
        sign_in(node, "kim@example.org", PASSWORD, recovery[3])
    with refused("people.code_needed"):
        second.new_recovery_codes(node, actor(node, number), Proof(PASSWORD))
    renewed = second.new_recovery_codes(node, actor(node, number), Proof(PASSWORD, recovery[5]))
    with refused("people.wrong"):
        sign_in(node, "kim@example.org", PASSWORD, recovery[4])
    assert sign_in(node, "kim@example.org", PASSWORD, renewed[0])
    with node.read() as session:
        person = session.get(Person, number)
        hashes = list(session.scalars(select(RecoveryCode.hash)))
    assert person is not None and secret.encode() not in (person.code_secret or b"")
    assert not set(hashes) & set(renewed)
    second.clear_codes(node, OWNER, number)
    assert sign_in(node, "kim@example.org", PASSWORD)
    with refused("people.no_codes"):
        second.new_recovery_codes(node, actor(node, number), Proof(PASSWORD))


def test_who_needs_a_code_and_has_none_holds_no_roles(node: Node) -> None:
    number = kim(node)
    accounts.give_role(node, OWNER, number, "administrator")
    strict = node.settings.model_copy(
        update={"sign_in": node.settings.sign_in.model_copy(update={"require_code": True})}
    )
    cookie = sign_in(node, "kim@example.org", PASSWORD)
    node.settings = strict
    found = sessions.actor_of_cookie(node, cookie)
    assert found is not None and not found.roles
    secret = codes.new_secret()
    second.set_up_codes(node, found, Proof(PASSWORD), secret, pyotp.TOTP(secret).now())
    found = sessions.actor_of_cookie(node, cookie)
    assert found is not None and found.holds("administrator")


def test_guessing_is_slowed_down_per_account_and_per_address(node: Node) -> None:
    kim(node)
    few = node.settings.sign_in.model_copy(update={"account_attempts": 3, "address_attempts": 6})
    node.settings = node.settings.model_copy(update={"sign_in": few})
    for _attempt in range(3):
        with refused("people.wrong"):
            sign_in(node, "kim@example.org", "guess", address="192.0.2.1")
    with refused("people.too_many_attempts"):
        sign_in(node, "kim@example.org", PASSWORD, address="198.51.100.7")
    for attempt in range(2):
        with refused("people.wrong"):
            sign_in(node, f"nobody{attempt}", "guess", address="192.0.2.1")
    with refused("people.wrong"):
        sign_in(node, "somebody", "guess", address="192.0.2.1")
    with refused("people.too_many_attempts"):
        sign_in(node, "somebody else", "guess", address="192.0.2.1")
    with refused("people.wrong"):
        sign_in(node, "somebody else", "guess", address="192.0.2.2")
    with node.write() as session:
        session.execute(update(Attempts).values(since=now() - timedelta(minutes=16)))
    assert sign_in(node, "kim@example.org", PASSWORD, address="192.0.2.1")
    with node.read() as session:
        assert [row.bucket for row in session.scalars(select(Attempts))] == ["address:192.0.2.1"]


def test_tokens_have_scopes_an_end_and_can_be_revoked(node: Node) -> None:
    number = kim(node)
    accounts.give_role(node, OWNER, number, "auditor")
    me = actor(node, number)
    secret = tokens.make_token(node, me, Proof(PASSWORD), "my script", ["read"], 30)
    found = tokens.actor_of_token(node, secret)
    assert found is not None and found.scopes == {"read"} and found.via == "token"
    assert may(found, "audit.read") and not may(found, "audit.anchor")
    with refused("permission.scope"):
        tokens.make_token(node, found, Proof(PASSWORD), "more", ["write"], 1)
    for scopes, days, code in [
        (["everything"], 1, "people.scope"),
        ([], 1, "people.scope"),
        (["token.make"], 1, "people.scope"),
        (["read"], 0, "people.token_days"),
        (["read"], 91, "people.token_days"),
    ]:
        with refused(code):
            tokens.make_token(node, me, Proof(PASSWORD), "x", scopes, days)
    (token,) = tokens.list_tokens(node, me, number)
    assert secret not in f"{token.hash}{token.name}" and token.used is not None
    lee = actor(node, accounts.create_person(node, OWNER, "lee", "Lee"))
    with refused("permission.denied"):
        tokens.revoke_token(node, lee, token.id)
    with refused("permission.denied"):
        tokens.list_tokens(node, lee, number)
    tokens.revoke_token(node, me, token.id)
    assert tokens.actor_of_token(node, secret) is None
    assert tokens.actor_of_token(node, "madang_never") is None
    later = tokens.make_token(node, me, Proof(PASSWORD), "another", ["read", "job.*"], 1)
    with node.write() as session:
        session.execute(update(ApiToken).values(expires=now()))
    assert tokens.actor_of_token(node, later) is None


def test_an_open_session_is_no_proof(node: Node) -> None:
    few = node.settings.sign_in.model_copy(update={"account_attempts": 3})
    node.settings = node.settings.model_copy(update={"sign_in": few})
    kim(node)
    found = sessions.actor_of_cookie(node, sign_in(node, "kim@example.org", PASSWORD))
    assert found is not None
    for _attempt in range(3):
        with refused("people.wrong"):
            tokens.make_token(node, found, Proof("a guess"), "mine for ever", ["write"], 1)
    with refused("people.too_many_attempts"):
        accounts.change_password(node, found, Proof(PASSWORD), "another lake, and a pine")


def test_who_has_no_password_proves_it_by_a_sign_in_of_just_now(node: Node) -> None:
    number = accounts.create_person(node, OWNER, "lee", "Lee")
    with node.write() as session:
        person = session.get(Person, number)
        assert person is not None
        cookie = sessions.begin_session(session, node, person, method="openid")
    found = sessions.actor_of_cookie(node, cookie)
    assert found is not None and tokens.make_token(node, found, Proof(), "mine", ["read"], 1)
    with node.write() as session:
        session.execute(update(SignInSession).values(created=now() - timedelta(minutes=11)))
    with refused("people.sign_in_again"):
        accounts.change_password(node, found, Proof(), "another lake, and a pine")
