"""What an administrator cannot do alone, invitations, and passwords that are changed at first use."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from madang.base.errors import MadangError
from madang.node.database import now
from madang.node.mail import Mail
from madang.node.node import Node
from madang.node.people import Actor, accounts, guarded, invitations, second, sessions, tokens
from madang.node.people.models import GuardedChange
from madang.node.people.proof import Proof
from madang.node.people.sign_in import sign_in
from madang.node.permissions import may
from support import quick_passwords

OWNER = Actor.owner()
PASSWORD, OTHER = "붉은 소나무 and a lake", "a quiet river in November"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quick_passwords(monkeypatch)


def somebody(node: Node, login: str, *roles: str) -> int:
    number = accounts.create_person(node, OWNER, login, login, email=f"{login}@example.org", password=PASSWORD)
    for role in roles:
        accounts.give_role(node, OWNER, number, role)
    return number


def actor(node: Node, number: int) -> Actor:
    with node.read() as session:
        return Actor.person(session, number)


def refused(code: str) -> object:
    return pytest.raises(MadangError, check=lambda error: error.code == code)


def hours(node: Node, count: int) -> None:
    signing = node.settings.sign_in.model_copy(update={"guarded_hours": count})
    node.settings = node.settings.model_copy(update={"sign_in": signing})


def test_an_administrator_gets_no_role_and_no_overseer_alone(node: Node) -> None:
    admin, checker = somebody(node, "admin", "administrator"), somebody(node, "aud", "auditor")
    friend = somebody(node, "kim")
    me = actor(node, admin)
    mine = accounts.give_role(node, me, admin, "auditor")
    another = accounts.give_role(node, me, friend, "administrator")
    assert (
        mine and another and not actor(node, admin).holds("auditor") and not actor(node, friend).holds("administrator")
    )
    assert accounts.give_role(node, me, friend, "steward") is None and actor(node, friend).holds("steward")
    with node.read() as session:  # everybody who oversees is told, the asker too
        assert set(session.scalars(select(Mail.recipient))) == {"admin@example.org", "aud@example.org"}
    with refused("permission.denied"):
        guarded.decide(node, me, mine, yes=True)
    with refused("permission.denied"):
        guarded.decide(node, actor(node, friend), mine, yes=True)
    guarded.decide(node, actor(node, checker), mine, yes=True)
    guarded.decide(node, me, another, yes=False)  # whoever asked may think better of it
    assert actor(node, admin).holds("auditor") and not actor(node, friend).holds("administrator")
    with refused("act.state"):
        guarded.decide(node, actor(node, checker), another, yes=True)


def test_nobody_alone_gets_into_the_account_of_an_auditor(node: Node) -> None:
    admin, checker = somebody(node, "admin", "administrator"), somebody(node, "aud", "auditor")
    friend = somebody(node, "kim")
    me = actor(node, admin)
    asked = accounts.set_password(node, me, checker, OTHER)
    assert asked and second.clear_codes(node, me, checker)
    with refused("people.guarded"):
        invitations.invite(node, me, checker, "http://x")
    assert sign_in(node, "aud", PASSWORD)
    with refused("people.wrong"):
        sign_in(node, "aud", OTHER)
    assert accounts.set_password(node, me, friend, OTHER) is None
    assert accounts.set_password(node, OWNER, checker, PASSWORD) is None  # whoever has the home has everything
    guarded.decide(node, actor(node, somebody(node, "second", "administrator")), asked, yes=True)
    assert sign_in(node, "aud", OTHER)
    with node.read() as session:
        assert not any(session.scalars(select(GuardedChange.secret).where(GuardedChange.state != "asked")))


def test_after_its_hours_a_change_is_done_unless_it_was_refused(node: Node) -> None:
    admin = somebody(node, "admin", "administrator")
    me = actor(node, admin)
    first, later = accounts.give_role(node, me, admin, "auditor"), accounts.give_role(node, me, admin, "steward")
    guarded.keep(node)
    assert not actor(node, admin).holds("auditor")
    guarded.decide(node, OWNER, later or 0, yes=False)
    with node.write() as session:
        session.execute(update(GuardedChange).values(created=now() - timedelta(hours=25)))
    hours(node, 0)
    guarded.keep(node)
    assert not actor(node, admin).holds("auditor")  # 0: never without a second person
    hours(node, 24)
    guarded.keep(node)
    found = actor(node, admin)
    assert found.holds("auditor") and not found.holds("steward") and first
    with node.read() as session:
        acts = {(event.act, event.actor) for event in node.audit.events(session)}
    assert {("change.confirm", "node"), ("change.refuse", "owner")} <= acts


def test_asking_twice_leaves_one_change(node: Node) -> None:
    admin, checker = somebody(node, "admin", "administrator"), somebody(node, "aud", "auditor")
    accounts.set_password(node, actor(node, admin), checker, OTHER)
    again = accounts.set_password(node, actor(node, admin), checker, "another quiet river, later")
    waiting = [each for each in guarded.list_changes(node, actor(node, checker)) if each.state == "asked"]
    assert [each.id for each in waiting] == [again]


def test_a_given_password_opens_nothing_but_its_change(node: Node) -> None:
    admin = somebody(node, "admin", "administrator")
    accounts.set_password(node, OWNER, admin, OTHER, to_be_changed=True)
    cookie = sign_in(node, "admin", OTHER)
    found = sessions.actor_of_cookie(node, cookie)
    assert found is not None and found.lacks == "password" and not may(found, "person.list")
    with refused("people.lacks_password"):
        tokens.make_token(node, found, Proof(OTHER), "mine", ["read"], 1)
    with refused("people.password_same"):
        accounts.change_password(node, found, Proof(OTHER), OTHER)
    accounts.change_password(node, found, Proof(OTHER), PASSWORD)
    found = sessions.actor_of_cookie(node, cookie)
    assert found is not None and not found.lacks and may(found, "person.list")


def test_an_invitation_is_good_once_until_its_end_and_the_newest_only(node: Node) -> None:
    number = accounts.create_person(node, OWNER, "kim", "김 연구")
    old, link = (invitations.invite(node, OWNER, number, "https://x.example").rpartition("/")[2] for _each in range(2))
    with refused("people.no_invitation"):
        invitations.accept(node, old, PASSWORD)
    assert invitations.invited(node, link) == "kim"
    with refused("people.password_short"):
        invitations.accept(node, link, "short")
    assert invitations.accept(node, link, PASSWORD) == "kim"
    with refused("people.no_invitation"):
        invitations.accept(node, link, OTHER)
    cookie = sign_in(node, "kim", PASSWORD)
    found = sessions.actor_of_cookie(node, cookie)
    assert found is not None and not found.lacks
    late = invitations.invite(node, OWNER, number, "https://x.example").rpartition("/")[2]
    accounts.set_disabled(node, OWNER, number, True)
    with refused("people.no_invitation"):
        invitations.invited(node, late)
