"""An installation on each database, with people, and its portal on loopback."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from madang.app.portal import portal
from madang.node import jobs
from madang.node.node import Node
from madang.node.people import accounts
from madang.node.people.models import HOUSE
from madang.node.people.sessions import begin_session
from portal_house import OWNER, PASSWORD, House
from support import quick_passwords
from templates import templates
from web.served import Served, serving

ROLES = ("member", "steward", "auditor", "administrator")


def peopled(node: Node) -> None:
    """A hospital, and a person of each role in it or in the house."""
    hospital = accounts.create_organization(node, OWNER, "hospital", "병원", "Hospital")
    for role in ROLES:
        person = accounts.create_person(node, OWNER, role, role.title(), password=PASSWORD)
        accounts.give_role(node, OWNER, person, role, hospital if role in ("member", "steward") else HOUSE)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.big)])
def house(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """The installation; on PostgreSQL with --all, since what differs there is tested in node and in the search."""
    yield from _opened(request, tmp_path, monkeypatch)


@pytest.fixture(params=["sqlite", "postgresql"])
def each_house(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """The installation, on each database in every run."""
    yield from _opened(request, tmp_path, monkeypatch)


def _opened(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    quick_passwords(monkeypatch)
    monkeypatch.setenv("MADANG_LANG", "en")
    monkeypatch.setattr(jobs.queue, "wake", lambda node: None)
    server = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    node = templates().copied(peopled, tmp_path / "home", server, monkeypatch)
    cookies = {}
    with node.write() as session:
        for role in ROLES:
            cookies[role] = begin_session(session, node, accounts.find_person(session, role))
    yield House(node, cookies)
    node.close()


@pytest.fixture
def site(house: House) -> Iterator[Served]:
    with serving(portal(house.node, keeper=False)) as served:
        yield served
