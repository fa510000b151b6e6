"""A node with a runner in this process."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from madang.node import closed
from madang.node.database import now
from madang.node.people.models import ApiToken, Permit, Person, Project
from madang.node.people.projects import make_project
from madang.node.people.sessions import hash_of
from madang.services.compute.runner import Runner
from portal_house import OWNER, House, commit
from support import MISSING, needs


@pytest.fixture(autouse=True)
def _no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests work tasks off in this process."""
    monkeypatch.setattr("madang.services.compute.runner.wake", lambda node: None)


@pytest.fixture
def boxes() -> None:
    needs("bwrap")
    if not closed.is_available():
        pytest.skip(f"{MISSING}closed boxes: {closed.why_not()}")


@pytest.fixture
def working(house: House, boxes: None) -> Iterator[House]:
    """The house with a runner that works until the test is over."""
    runner, stop = Runner(house.node), threading.Event()

    def work() -> None:
        while not stop.is_set() or runner.is_busy:
            runner.round()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    yield house
    stop.set()
    thread.join(60)


@pytest.fixture
def permit(house: House) -> str:
    """A permit in force of the project genomes, for the dataset `extract`."""
    commit(house.node, "extract", person="SELECT 1::BIGINT AS person_id")
    make_project(house.node, OWNER, "genomes", "Genomes", organization="hospital", leader="member")
    with house.node.write() as session:
        project = session.scalar(select(Project.id).where(Project.name == "genomes"))
        ends = now() + timedelta(days=1)
        session.add(
            Permit(number="P-1", project_id=project, dataset="extract", organization_id=1, begins=now(), ends=ends)
        )
    return "P-1"


def token(house: House, login: str, scopes: str = "read write") -> str:
    """A token of a person, as the portal would have made it."""
    secret = f"madang_{login}_{scopes.replace(' ', '_')}"
    with house.node.write() as session:
        person: Any = session.scalar(select(Person).where(Person.login == login))
        made = ApiToken(
            person_id=person.id, name="test", hash=hash_of(secret), scopes=scopes, expires=now() + timedelta(days=1)
        )
        session.add(made)
    return secret
