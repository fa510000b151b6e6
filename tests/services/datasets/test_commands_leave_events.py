"""Every command that changes or reads data leaves its event, under whoever gave it; and may be refused."""

from pathlib import Path

import pytest

from madang.app import cli
from madang.node.home import Home
from madang.node.node import Node, opened
from madang.node.people import Actor, Person
from madang.node.people.accounts import create_person, give_role
from madang.node.people.models import HOUSE
from madang.node.people.proof import Proof
from madang.node.people.sessions import begin_session
from madang.node.people.tokens import make_token
from madang.services.datasets.chain import chain_of
from portal_house import PASSWORD, PEOPLE, VISITS, commit
from support import quick_passwords


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home with one dataset of two versions."""
    monkeypatch.setenv("MADANG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MADANG_LANG", "en")
    quick_passwords(monkeypatch)
    with opened() as node:
        commit(node, "ours", person=PEOPLE, visit_occurrence=VISITS)
        commit(node, "ours", person=PEOPLE)
    return Home(tmp_path / "home")


def events(act: str = "dataset.*") -> list[tuple[str, str, str]]:
    with opened() as node, node.read() as session:
        found = node.audit.events(session, act=act)
    return [(event.act, event.actor, event.thing) for event in reversed(found)]


@pytest.mark.usefixtures("home")
def test_reading_and_changing_leave_events() -> None:
    assert cli.run(["sql", "ours", "select count(*) from person"]) == 0
    assert cli.run(["quality", "assess", "ours"]) == 0
    assert cli.run(["datasets", "remove-persons", "ours", "--ids", "1", "--yes"]) == 0
    assert cli.run(["datasets", "remove", "ours", "--yes"]) == 0
    told = [act for act, actor, thing in events() if (actor, thing) == ("owner", "dataset:ours")]
    assert [act for act in told if act.count(".") == 1] == [
        *("dataset.sql", "dataset.assess", "dataset.remove_persons", "dataset.remove")
    ]


def token(node: Node, login: str, *roles: str) -> str:
    number = create_person(node, Actor.owner(), login, login, password=PASSWORD)
    for role in roles:
        give_role(node, Actor.owner(), number, role, HOUSE)
    with node.write() as session:
        begin_session(session, node, session.get_one(Person, number), address="", browser="", method="password")
    with node.read() as session:
        actor = Actor.person(session, number)
    return make_token(node, actor, Proof(PASSWORD), "mine", ["write"], 1)


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("roles", [(), ("data-engineer",)])
def test_with_a_token_a_command_acts_as_its_person_and_is_refused_without_the_role(
    roles: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with opened() as node:
        monkeypatch.setenv("MADANG_TOKEN", token(node, "kim", *roles))
    assert cli.run(["sql", "ours", "select count(*) from person"]) == (0 if roles else 2)
    said = capsys.readouterr().err
    monkeypatch.delenv("MADANG_TOKEN")
    assert [actor.startswith("person:") for _act, actor, _thing in events("dataset.sql")] == [True] * len(roles)
    assert roles or "may not do this" in said


@pytest.mark.usefixtures("home")
def test_a_command_that_fails_is_withdrawn(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert cli.run(["import", str(tmp_path / "empty"), "--into", "new"]) == 2
    assert [act for act, _actor, _thing in events()] == ["dataset.import.begin", "dataset.import.withdraw"]


@pytest.mark.usefixtures("home")
def test_the_chain_below_a_version_stays_where_it_cannot_be_followed() -> None:
    with opened() as node:
        assert [link.kind for link in chain_of(node, "ours@1", lines=True)] == ["version"]
        assert [link.kind for link in chain_of(node, "nothing@1", lines=True)] == ["version"]
