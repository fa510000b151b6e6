"""An installation on each database, with people, a small dataset in its lake, and its portal on loopback."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from madang.app.portal import portal
from madang.lake import Version
from madang.lake.engine import Engine
from madang.node import jobs
from madang.node.home import Home
from madang.node.node import Node
from madang.node.people import accounts
from madang.node.people.actor import Actor
from madang.node.people.models import Person
from madang.node.people.sessions import begin_session
from madang.services.catalog import service
from postgres import Postgres
from web.served import Served, serving

OWNER = Actor.owner()
PEOPLE = """SELECT range + 1 AS person_id, (CASE WHEN range % 2 = 0 THEN 8507 ELSE 8532 END)::BIGINT AS
    gender_concept_id, 1980 AS year_of_birth, '=1+1' AS person_source_value FROM range(20)"""
VISITS = """SELECT range + 1 AS visit_occurrence_id, range % 20 + 1 AS person_id, 9201::BIGINT AS visit_concept_id,
    DATE '2020-01-01' + (range % 300)::INTEGER AS visit_start_date FROM range(300)"""
SOURCE = "SELECT 'Ours' AS cdm_source_name, 'A synthetic test' AS source_description, 'us' AS cdm_holder"
OURS = {"Sec-Fetch-Site": "same-origin"}


def commit(node: Node, name: str, **tables: str) -> Version:
    """The next version of a dataset, with these tables."""
    dataset = node.home.lake().dataset(name)
    with Engine() as engine, dataset.write(dataset.version() if dataset.exists else None) as writer:
        for table, sql in tables.items():
            path = writer.new_file(table)
            engine.copy_to_parquet(sql, path)
            writer.add(table, path)
        return writer.commit("import", {"report": {}})


def work_off(node: Node) -> None:
    """Do all jobs that wait, in this process."""
    from madang.node.jobs.worker import run_next

    while run_next(node, ("madang",)):
        pass


@dataclass
class House:
    """The installation; `cookie` is that of a person of a role in the organization `hospital`."""

    node: Node
    cookies: dict[str, str]

    def published(self, name: str = "ours", tier: str = "open", **more: object) -> str:
        """A published record of a small dataset."""
        commit(self.node, name, person=PEOPLE, visit_occurrence=VISITS, cdm_source=SOURCE)
        made = service.make(self.node, OWNER, name, "hospital")
        record = service.see(self.node, OWNER, made)
        service.edit(
            self.node,
            OWNER,
            made,
            service.Edited(
                edition=record.edition,
                title=str(more.get("title", f"Record {name}")),
                title_en=str(more.get("title_en", "")),
                tier=tier,
                tier_after=str(more.get("tier_after", "open")),
                embargo_reason="Not yet.",
                embargo_end=more.get("end"),  # type: ignore[arg-type]  # a moment, or nothing
                description=service.describe(record).model_copy(update={"description": more.get("description", "")}),
            ),
        )
        work_off(self.node)
        service.publish(self.node, OWNER, made, 1)
        return made


@pytest.fixture(params=["sqlite", "postgresql"])
def house(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setenv("MADANG_LANG", "en")
    monkeypatch.setattr(jobs.queue, "wake", lambda node: None)
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        monkeypatch.setenv("MADANG_DATABASE_URL", server.url(server.fresh()))
    node = Node.open(Home(tmp_path / "home"))
    hospital = accounts.create_organization(node, OWNER, "hospital", "병원", "Hospital")
    cookies = {}
    for role in ("member", "steward"):
        person = accounts.create_person(node, OWNER, role, role.title(), password="a long password it is")
        accounts.give_role(node, OWNER, person, role, hospital)
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
