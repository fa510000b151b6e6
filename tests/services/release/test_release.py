"""The release desk: what is asked for, refused by rule, voted on blindly, and taken once by who is named."""

import io
import json
import zipfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from madang.base.errors import MadangError
from madang.lake.engine import Engine
from madang.node import closed
from madang.node.database import now
from madang.node.node import Node
from madang.node.people import Actor, Permit, accounts
from madang.node.people.models import HOUSE
from madang.node.people.projects import add_member, find_project, make_project
from madang.node.people.sessions import begin_session
from madang.research.study import output_of
from madang.science.privacy.outputs.compute import compute
from madang.science.privacy.outputs.queries import query_of
from madang.science.privacy.outputs.rules import Rules
from madang.services.release import asking, service
from madang.services.release.examine import Upload
from madang.services.release.models import Release, ReleasedTable
from madang.services.release.tracing import trace
from portal_house import OURS, OWNER, PASSWORD, House, commit
from web.served import Served

PEOPLE = """SELECT range + 1 AS person_id, CASE WHEN range % 3 = 0 THEN 'F' ELSE 'M' END AS sex,
    CASE WHEN range < 60 THEN 'north' WHEN range < 110 THEN 'south' ELSE 'island' END AS region,
    CASE WHEN range % 10 < 7 THEN 'I' ELSE 'II' END AS stage, 20 + range % 50 AS age FROM range(117)"""
TABLE = b"group,count\nA,40\nB,62\n"


@dataclass
class Desk:
    """A house with a project of a company, two checkers of the house and one of the company."""

    node: Node
    actors: dict[str, Actor]

    def ask(self, *uploads: Upload, by: str = "researcher", **more: Any) -> int:
        given = {"project": "kidney", "dataset": "extract"} | more
        return service.ask(self.node, self.actors[by], uploads, **given)

    def state(self, number: int) -> str:
        return service.see(self.node, OWNER, number).state

    def vote(self, number: int, by: str, agrees: bool = True, words: str = "because") -> str:
        return service.vote(self.node, self.actors[by], number, agrees, words)

    def approved(self, *uploads: Upload, **more: Any) -> int:
        number = self.ask(*uploads, **more)
        self.vote(number, "first")
        assert self.vote(number, "second") == "approved"
        return number


@pytest.fixture
def desk(house: House) -> Desk:
    node = house.node
    company = accounts.create_organization(node, OWNER, "company", "회사", "Company")
    places = {"researcher": (company, "member"), "colleague": (company, "member"), "stranger": (HOUSE, "member")}
    places |= {"first": (HOUSE, "release-checker"), "second": (HOUSE, "release-checker")}
    for login, (place, role) in places.items():
        number = accounts.create_person(node, OWNER, login, login.title(), password=PASSWORD)
        if (place, role) != (HOUSE, "member"):
            accounts.give_role(node, OWNER, number, role, place)
    biased = accounts.create_person(node, OWNER, "biased", "Biased", password=PASSWORD)
    accounts.give_role(node, OWNER, biased, "release-checker", HOUSE)
    accounts.give_role(node, OWNER, biased, "member", company)
    make_project(node, OWNER, "kidney", "Kidneys", organization="company", leader="researcher")
    add_member(node, OWNER, "kidney", "colleague")
    commit(node, "extract", person=PEOPLE)
    with node.write() as session:
        project = find_project(session, "kidney").id
        session.add(
            Permit(
                number="P-1",
                project_id=project,
                dataset="extract",
                organization_id=HOUSE,
                begins=now(),
                ends=now() + timedelta(days=9),
            )
        )
    actors = {}
    with node.read() as session:
        for login in [*places, "biased"]:
            actors[login] = Actor.person(session, accounts.find_person(session, login).id)
    return Desk(node, actors)


def made(name: str, **query: Any) -> list[Upload]:
    """A result as madang.research saves it, with its declared query."""
    document = {"kind": "count", "source": "person", "person": "person_id"} | query
    with Engine() as engine:
        engine.execute(f"CREATE TABLE person AS {PEOPLE}")
        output = output_of(compute(engine, query_of(document), Rules()), Rules())
    return [
        Upload(f"{name}.csv", output.csv().encode()),
        Upload(f"{name}.query.json", json.dumps(output.query.document()).encode()),
    ]


def test_a_table_is_asked_for_judged_and_taken_once(desk: Desk) -> None:
    number = desk.ask(Upload("table.csv", TABLE, "Table 1"))
    assert desk.state(number) == "asked"
    assert desk.vote(number, "first") == "asked"
    assert desk.vote(number, "second") == "approved"
    name, content = service.take(desk.node, desk.actors["researcher"], number)
    with zipfile.ZipFile(io.BytesIO(content)) as parcel:
        assert parcel.read("table.csv") == TABLE
        record = json.loads(parcel.read("RELEASE.json"))
    assert name == f"release-{number}.zip"
    assert record["rules"]["name"] == "standard" and len(record["votes"]) == 2
    assert {said["criterion"] for said in record["files"][0]["criteria"]} >= {"minimum_count", "identifiers"}
    with pytest.raises(MadangError) as again:
        service.take(desk.node, desk.actors["researcher"], number)
    assert again.value.code == "act.state"


def test_what_fails_a_rule_is_refused_at_once(desk: Desk) -> None:
    number = desk.ask(Upload("table.csv", b"group,count\nA,4\nB,62\n"))
    assert desk.state(number) == "refused"
    with pytest.raises(MadangError):
        desk.vote(number, "first")


def test_votes_are_hidden_until_all_are_in(desk: Desk) -> None:
    number = desk.ask(Upload("table.csv", TABLE))
    desk.vote(number, "first", agrees=False, words="unclear")
    found = service.see(desk.node, desk.actors["second"], number)
    assert service.record(found)["votes"] == 1
    assert "unclear" not in json.dumps(service.record(found))
    assert desk.vote(number, "second") == "refused"
    assert "unclear" in json.dumps(service.record(service.see(desk.node, desk.actors["researcher"], number)))


@pytest.mark.parametrize("who", ["researcher", "colleague", "stranger", "biased"])
def test_who_may_not_judge(desk: Desk, who: str) -> None:
    number = desk.ask(Upload("table.csv", TABLE))
    with pytest.raises(MadangError) as refused:
        desk.vote(number, who)
    assert refused.value.code == "release.conflict" or refused.value.code.startswith("permission.")


def test_two_checkers_are_two_people(desk: Desk) -> None:
    number = desk.ask(Upload("table.csv", TABLE))
    desk.vote(number, "first")
    with pytest.raises(MadangError) as refused:
        desk.vote(number, "first")
    assert refused.value.code == "release.voted"


def test_a_refusal_says_why(desk: Desk) -> None:
    number = desk.ask(Upload("table.csv", TABLE))
    with pytest.raises(MadangError) as refused:
        desk.vote(number, "first", agrees=False, words="  ")
    assert refused.value.code == "release.words"


def test_it_is_released_to_who_is_named(desk: Desk) -> None:
    number = desk.approved(Upload("table.csv", TABLE), recipients=["colleague"])
    for who in ("researcher", "stranger", "first"):
        with pytest.raises(MadangError):
            service.take(desk.node, desk.actors[who], number)
    assert service.take(desk.node, desk.actors["colleague"], number)


def test_a_file_that_changes_after_a_vote_does_not_leave(desk: Desk) -> None:
    number = desk.ask(Upload("table.csv", TABLE))
    desk.vote(number, "first")
    with desk.node.write() as session:
        found = session.get(Release, number)
        assert found is not None
        found.files[0].leaves = "0" * 64
    with pytest.raises(MadangError) as refused:
        desk.vote(number, "second")
    assert refused.value.code == "release.changed"


def test_bytes_that_change_on_the_disk_do_not_leave(desk: Desk) -> None:
    number = desk.approved(Upload("table.csv", TABLE))
    with desk.node.read() as session:
        name = session.scalars(select(Release).where(Release.id == number)).one().files[0].leaves
    path = desk.node.home.path / "files" / name[:2] / name
    path.chmod(0o600)
    path.write_bytes(b"other")
    with pytest.raises(MadangError) as refused:
        service.take(desk.node, desk.actors["researcher"], number)
    assert refused.value.code == "files.damaged" and desk.state(number) == "approved"


def test_only_data_that_a_permit_opens(desk: Desk) -> None:
    commit(desk.node, "other", person=PEOPLE)
    with pytest.raises(MadangError) as refused:
        desk.ask(Upload("table.csv", TABLE), dataset="other")
    assert refused.value.code == "release.dataset"


def test_there_is_an_end_to_requests(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "MOST_OPEN", 2)
    for _time in range(2):
        desk.ask(Upload("table.csv", TABLE))
    with pytest.raises(MadangError) as refused:
        desk.ask(Upload("table.csv", TABLE))
    assert refused.value.code == "release.too_many"


def test_a_holder_with_one_checker_says_so(desk: Desk) -> None:
    policy = desk.node.home.folder("releases") / "policy.toml"
    policy.write_text('checkers = 1\nsecond = 0.0\nrules = "standard-1"\n')
    number = desk.ask(Upload("table.csv", TABLE))
    assert desk.vote(number, "first") == "approved"
    policy.write_text("checkers = 1\nsecond = 1.0\n")
    number = desk.ask(Upload("table.csv", TABLE))
    assert desk.vote(number, "first") == "asked"
    assert service.see(desk.node, OWNER, number).sampled
    policy.write_text("checkers = 3\n")
    with pytest.raises(MadangError) as refused:
        desk.ask(Upload("table.csv", TABLE))
    assert refused.value.code == "release.policy"


def test_questions_and_answers(desk: Desk) -> None:
    number = desk.ask(Upload("table.csv", TABLE))
    service.say(desk.node, desk.actors["first"], number, "What is A?")
    service.say(desk.node, desk.actors["researcher"], number, "The treated.")
    found = service.see(desk.node, desk.actors["researcher"], number)
    assert [(each.by_checker, each.text) for each in found.questions] == [(True, "What is A?"), (False, "The treated.")]


# -- computed again, and against the ledger ---------------------------------------------------------------------------

needs_box = pytest.mark.skipif(not closed.is_available(), reason="missing: bubblewrap")


@needs_box
def test_a_declared_query_is_computed_again(desk: Desk) -> None:
    number = desk.ask(*made("regions", by=["sex"]))
    (file,) = service.see(desk.node, OWNER, number).files
    assert (file.match, file.status) == ("same", "pass")


@needs_box
def test_forged_numbers_are_refused(desk: Desk) -> None:
    table, query = made("regions", by=["sex"])
    forged = Upload(table.name, table.content.replace(b"F,39", b"F,49"))
    assert forged.content != table.content
    number = desk.ask(forged, query)
    (file,) = service.see(desk.node, OWNER, number).files
    assert (file.match, file.status, desk.state(number)) == ("different", "fail", "refused")


@needs_box
def test_what_cannot_be_computed_goes_to_a_person(desk: Desk) -> None:
    table, query = made("regions", by=["sex"])
    number = desk.ask(table, Upload(query.name, query.content.replace(b'"person"', b'"nothing"', 1)))
    (file,) = service.see(desk.node, OWNER, number).files
    assert (file.match, file.status, desk.state(number)) == ("unverified", "review", "asked")


@needs_box
def test_a_table_that_opens_what_left_before_is_refused_with_its_allowed_form(desk: Desk) -> None:
    desk.approved(*made("first", by=["region", "stage"]))
    number = desk.ask(*made("second", by=["sex"]))
    (file,) = service.see(desk.node, OWNER, number).files
    assert desk.state(number) == "refused" and file.read("opens") and file.read("proposal")
    found = service.see(desk.node, desk.actors["researcher"], number)
    assert not service.judges(desk.actors["researcher"], found) and service.judges(desk.actors["first"], found)


@needs_box
def test_two_requests_that_are_safe_alone_and_not_together(desk: Desk) -> None:
    one, other = desk.ask(*made("one", by=["region", "stage"])), desk.ask(*made("other", by=["sex"]))
    assert desk.state(one) == desk.state(other) == "asked"
    for number, last in ((one, "approved"), (other, "refused")):
        desk.vote(number, "first")
        assert desk.vote(number, "second") == last


@needs_box
def test_the_ledger_is_of_the_dataset_whatever_the_project(desk: Desk) -> None:
    desk.approved(*made("first", by=["sex"]))
    with desk.node.read() as session:
        rows = session.scalars(select(ReleasedTable)).all()
        assert [(row.source, row.name) for row in rows] == [("dataset:extract", "first.csv")]


def test_trace_leads_from_a_release_to_its_permit_and_version(desk: Desk) -> None:
    number = desk.approved(Upload("table.csv", TABLE))
    chain = trace(desk.node, OWNER, f"release:{number}")
    assert [link.kind for link in chain][:4] == ["release", "project", "permit", "version"]
    with pytest.raises(MadangError):
        trace(desk.node, OWNER, "release:x")


# -- through the doors ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_journey_through_pages(desk: Desk, house: House, site: Served, language: str) -> None:
    cookies = {}
    with desk.node.write() as session:
        for login in ("researcher", "first", "second"):
            cookies[login] = begin_session(session, desk.node, accounts.find_person(session, login))

    def as_(login: str) -> dict[str, str]:
        return {"cookie": f"madang={cookies[login]}", "accept-language": language, **OURS}

    with site.browser() as client:
        form = {"name": "table.csv", "project": "kidney", "dataset": "extract"}
        answer = client.post("/releases", data=form, files={"file": ("x", TABLE)}, headers=as_("researcher"))
        assert answer.status_code == 303, answer.text
        address = answer.headers["location"]
        page = client.get(address, headers=as_("researcher"))
        assert page.status_code == 200
        assert ("No count is below 10." in page.text) == (language == "en"), "findings are in the reader's language"
        for login in ("first", "second"):
            page = client.get(address, headers=as_(login))
            assert page.status_code == 200 and "A" in page.text
            answer = client.post(f"{address}/vote", data={"agrees": "true"}, headers=as_(login))
            assert answer.status_code == 303, answer.text
        told = client.get(f"/api/v1{address}", headers=as_("researcher")).json()
        assert told["state"] == "approved" and told["can_take"]
        taken = client.post(f"{address}/take", headers=as_("researcher"))
        assert taken.status_code == 200 and zipfile.is_zipfile(io.BytesIO(taken.content))
        assert client.post(f"{address}/take", headers=as_("researcher")).status_code == 409
        assert client.get("/start", headers=as_("first")).status_code == 200
        assert client.get("/projects/kidney", headers=as_("researcher")).status_code == 200


def test_the_demo_asks_twice_and_only_once(house: House, tmp_path: Path) -> None:
    from madang.base.progress import Progress
    from madang.services.release import demo

    accounts.create_person(house.node, OWNER, "demo-researcher", "Researcher", password=PASSWORD)
    make_project(house.node, OWNER, demo.PROJECT, "Demo", leader="demo-researcher")
    for _time in range(2):
        demo.make(house.node, Progress())
    assert [each.state for each in service.listed(house.node, OWNER)] == ["asked", "refused"]
