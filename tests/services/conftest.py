"""An installation on each database, with people, and its portal on loopback."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from madang.app.portal import portal
from madang.node import jobs
from madang.node.home import Home
from madang.node.node import Node
from madang.node.people import accounts
from madang.node.people.models import HOUSE, Person
from madang.node.people.sessions import begin_session
from portal_house import OWNER, PASSWORD, House
from postgres import Postgres
from support import quick_passwords
from web.served import Served, serving


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
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        monkeypatch.setenv("MADANG_DATABASE_URL", server.url(server.fresh()))
    node = Node.open(Home(tmp_path / "home"))
    hospital = accounts.create_organization(node, OWNER, "hospital", "병원", "Hospital")
    cookies = {}
    for role, place in (("member", hospital), ("steward", hospital), ("auditor", HOUSE), ("administrator", HOUSE)):
        person = accounts.create_person(node, OWNER, role, role.title(), password=PASSWORD)
        accounts.give_role(node, OWNER, person, role, place)
        with node.write() as session:
            found = session.get(Person, person)
            assert found is not None
            cookies[role] = begin_session(session, node, found)
    yield House(node, cookies)
    node.close()


@pytest.fixture
def site(house: House) -> Iterator[Served]:
    with serving(portal(house.node, keeper=False)) as served:
        yield served
