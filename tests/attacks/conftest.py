"""Workspaces with people in them, behind a real gateway on loopback."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest

from madang.node import closed
from madang.node.database import now
from madang.node.people.actor import Actor
from madang.node.people.models import Permit, Person, Project, ProjectMember, SignInSession
from madang.services.workspace import door, service
from madang.services.workspace.environment import find_environment
from madang.services.workspace.gateway import make_gateway
from madang.services.workspace.guests import Gateway
from madang.services.workspace.models import Workspace
from portal_house import PEOPLE, House, commit
from services.conftest import house as house
from support import needs
from web.served import Served, serving


@pytest.fixture(scope="module")
def boxes_are_made() -> None:
    """Programs can be closed in on this machine; else the tests of the module are skipped."""
    needs("bwrap")
    if not closed.is_available():
        needs("/permission to close programs in")


@pytest.fixture
def port() -> Iterator[int]:
    """Of somebody who listens on loopback and whom no box reaches."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@dataclass
class Guest:
    """A browser that went in, by hand: its cookie, and how it asks."""

    client: httpx.Client
    origin: str

    def ask(self, what: str, given: object = None, **headers: str) -> httpx.Response:
        """POST as the page does; headers over those of the page."""
        sent = {"Origin": self.origin, "Sec-Fetch-Site": "same-origin", **headers}
        data = given if isinstance(given, bytes) else json.dumps(given or {}).encode()
        return self.client.post(f"/do/{what}", content=data, headers=sent)

    def run(self, code: str, seconds: float = 30) -> list[dict[str, Any]]:
        """Run a cell in a notebook of its own, and have all that is said of it."""
        name = f"n{len(self.ask('list').json()['notebooks'])}"
        made = self.ask("create", {"name": name}).json()
        heard = []
        with self.client.stream("GET", "/events", timeout=seconds) as events:
            cell = made["cells"][0]["id"]
            assert self.ask("run", {"notebook": name, "cell": cell, "code": code}).status_code == 200
            last = time.monotonic() + 4 * seconds  # the stream says something every few seconds for ever
            for line in events.iter_lines():
                assert time.monotonic() < last, f"the cell did not end: {heard}"
                if line.startswith("data: "):
                    message = json.loads(line[6:])
                    heard.append(message)
                    if message["say"] in ("done", "asleep", "over") and message.get("cell", cell) == cell:
                        return heard
        return heard


@dataclass
class Spaces:
    """A gateway, and people by their names: `lee` and `kim` are in the project, `park` is in another one."""

    house: House
    gateway: Gateway
    served: Served
    workspace: Workspace
    permit: int
    people: dict[str, int]
    sessions: dict[str, int]

    def ticket(self, who: str, workspace: int | None = None) -> str:
        """A ticket as the portal makes it."""
        number = workspace or self.workspace.id
        return door.make_ticket(self.house.node, number, self.people[who], self.sessions[who], "en")

    def client(self) -> httpx.Client:
        """A browser that has not gone in."""
        return httpx.Client(base_url=self.served.address, timeout=30)

    def enter(self, who: str = "lee") -> Guest:
        """Somebody who went in."""
        client = self.client()
        answer = client.get("/enter", params={"ticket": self.ticket(who)})
        assert answer.status_code == 200, answer.text
        return Guest(client, self.served.address)

    def change(self, change: Callable[[Any], None]) -> None:
        """Change the database, and have the gateway ask it again."""
        with self.house.node.write() as session:
            change(session)
        for guest in self.gateway.guests.values():
            guest.checked = 0


@pytest.fixture
def spaces(house: House, boxes_are_made: None) -> Iterator[Spaces]:
    node = house.node
    try:
        find_environment(node)
    except Exception:
        needs("/environment of workspaces (script/environment workspace)")
    commit(node, "extract", person=PEOPLE)
    people, sessions = {}, {}
    from madang.node.people import accounts

    for name in ("lee", "kim", "park"):
        people[name] = accounts.create_person(node, Actor.owner(), name, name.title(), password="a long password it is")
    with node.write() as session:
        for name, number in people.items():
            kept = SignInSession(person_id=number, hash=name, ends=now() + timedelta(hours=1))
            session.add(kept)
            session.flush()
            sessions[name] = kept.id
        for title, members in (("first", ("lee", "kim")), ("second", ("park",))):
            project = Project(name=title, title=title.title(), organization_id=1)
            session.add(project)
            session.flush()
            for each in members:
                member = ProjectMember(
                    project_id=project.id, person_id=people[each], role="project-member", begins=now()
                )
                session.add(member)
            permit = Permit(
                number=f"P-{title}",
                project_id=project.id,
                dataset="extract",
                organization_id=1,
                begins=now() - timedelta(days=1),
                ends=now() + timedelta(days=30),
            )
            session.add(permit)
            session.flush()
            if title == "first":
                first = permit.id
        lee = session.get(Person, people["lee"])
        assert lee is not None
        actor = Actor.person(session, lee.id)
    workspace = service.open_workspace(node, actor, "P-first")
    hosts: set[str] = set()
    gateway = Gateway(node, lambda: hosts)
    with serving(make_gateway(gateway)) as served:
        hosts.add(served.address.partition("://")[2])
        yield Spaces(house, gateway, served, workspace, first, people, sessions)
        gateway.close()
