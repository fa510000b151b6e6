"""The room: libraries of a project are secret, queries stand in the audit as keyed hashes, shortlists are decided."""

import json

import pytest

pytest.importorskip("rdkit")

from madang.base.errors import MadangError
from madang.node import signing
from madang.node.node import Node
from madang.node.people import Actor
from madang.node.people.accounts import find_person
from madang.node.people.projects import make_project
from madang.services.discovery import service
from madang.services.discovery.demo import _GOALS, make, molecules, plate
from portal_house import OWNER, House
from web.served import Served

NAME = "secret"


def actor(node: Node, login: str) -> Actor:
    with node.read() as session:
        return Actor.person(session, find_person(session, login).id)


@pytest.fixture
def filled(house: House) -> House:
    make_project(house.node, OWNER, "kinase", "Kinase", organization="hospital", leader="member")
    text = "".join(molecules().splitlines(keepends=True)[:60]) + "C1CC bad\n"
    service.fill(house.node, actor(house.node, "member"), NAME, "kinase", [("m.smi", text.encode())], "Secret")
    return house


def events(node: Node) -> str:
    with node.read() as session:
        return "\n".join(node.audit.texts(session))


def test_a_library_is_seen_by_its_project_alone(filled: House) -> None:
    node = filled.node
    assert [each.name for each in service.libraries(node, actor(node, "member"))] == [NAME]
    for login in ("steward", "auditor", "administrator"):
        other = actor(node, login)
        assert service.libraries(node, other) == []
        for attempt in (
            lambda who=other: service.see(node, who, NAME),
            lambda who=other: service.search(node, who, NAME, "similar", "CCO", 3),
            lambda who=other: service.measure(node, who, NAME, "t", plate()),
            lambda who=other: service.shortlist(node, who, NAME, "t", _GOALS),
            lambda who=other: service.fill(node, who, "other", "kinase", [("m.smi", b"CCO a\n")]),
        ):
            with pytest.raises(MadangError):
                attempt()
    assert not node.home.lake().dataset("other").exists


def test_a_search_finds_and_is_audited_as_a_keyed_hash(filled: House) -> None:
    node, member = filled.node, actor(filled.node, "member")
    query = "CNC(=O)c1ccc(F)cc1"
    found = service.search(node, member, NAME, "similar", query, 3)
    assert found.hits[0].score == 1 and len(found.hits) == 3
    inside = service.search(node, member, NAME, "smarts", "C(=O)N", 100)
    assert len(inside.hits) == 60
    assert service.search(node, member, NAME, "exact", query, 1).total == 1
    with pytest.raises(MadangError, match="not a SMARTS"):
        service.search(node, member, NAME, "smarts", "((", 5)
    told = events(node)
    assert told.count("library.search") == 4 and "c1ccc" not in told and "C(=O)N" not in told


def test_a_pattern_that_explodes_is_ended(filled: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "PATIENCE", 0.01)
    with pytest.raises(MadangError) as error:
        service.search(filled.node, actor(filled.node, "member"), NAME, "smarts", "*~*~*~*", 5)
    assert error.value.code == "chemistry.too_slow"


def test_plates_become_a_table_and_a_shortlist_that_is_decided_and_signed(filled: House) -> None:
    node, member = filled.node, actor(filled.node, "member")
    service.measure(node, member, NAME, "First plates", plate())
    table = service.activity_table(node, member, NAME)
    assert [row["id"] for row in table] == ["DEMO-0001", "DEMO-0031"] and all(row["pic50"] for row in table)
    made = service.shortlist(node, member, NAME, "Candidates", _GOALS)
    rows = json.loads(made.rows)
    assert rows[0]["id"] in ("DEMO-0001", "DEMO-0031")  # the others have no pic50, so a score of 0
    service.decide(node, member, made.id, rows[0]["id"], "make", "the most potent")
    with pytest.raises(MadangError, match="not in the shortlist"):
        service.decide(node, member, made.id, "nobody", "make", "")
    service.lock(node, member, made.id)
    locked = service.see_shortlist(node, member, made.id)
    said = signing.read_signed(locked.signed, signing.public_keys(node.home), "shortlist+jwt")
    assert said["sha256"] == made.sha256 and said["decisions"][0][:3] == [rows[0]["id"], "make", "the most potent"]
    with pytest.raises(MadangError):
        service.decide(node, member, made.id, rows[0]["id"], "drop", "too late")


def test_a_closed_library_takes_nothing_more(filled: House) -> None:
    node, member = filled.node, actor(filled.node, "member")
    service.close(node, member, NAME)
    before = node.home.lake().dataset(NAME).newest()
    with pytest.raises(MadangError):
        service.fill(node, member, NAME, "kinase", [("m.smi", b"CCCCCO new\n")])
    assert node.home.lake().dataset(NAME).newest() == before


def test_a_dataset_of_somebody_else_is_not_taken_over(filled: House) -> None:
    filled.published("ours")
    with pytest.raises(MadangError, match="something else"):
        service.fill(filled.node, actor(filled.node, "member"), "ours", "kinase", [("m.smi", b"CCO a\n")])


def test_pages_and_their_twins(filled: House, site: Served) -> None:
    node, member = filled.node, actor(filled.node, "member")
    assay = service.measure(node, member, NAME, "<script>alert(1)</script>", plate())
    made = service.shortlist(node, member, NAME, "Candidates", _GOALS)
    paths = (
        "/discovery",
        f"/discovery/{NAME}",
        f"/discovery/{NAME}?similar=CCO",
        f"/discovery/{NAME}/activity",
        f"/discovery/{NAME}/assays/{assay.id}",
        f"/discovery/shortlists/{made.id}",
    )
    with site.browser({"madang": filled.cookies["member"]}) as browser:
        for path in paths:
            for language in ("ko", "en"):
                answer = browser.get(path, headers={"Accept-Language": language})
                assert answer.status_code == 200, answer.text[:300]
                assert "<script>alert" not in answer.text
            twin = browser.get(f"/api/v1{path}")
            assert twin.status_code == 200 and twin.json()
    with site.browser({"madang": filled.cookies["steward"]}) as browser:
        assert [browser.get(path).status_code for path in paths[1:]] == [404] * 5


def test_the_demo_makes_its_part_once(house: House) -> None:
    from madang.base.progress import Silent

    make(house.node, Silent())
    assert service.libraries(house.node, OWNER) == []
    make_project(house.node, OWNER, "demo-kidney", "Demo")
    for _twice in range(2):
        make(house.node, Silent())
    (library,) = service.libraries(house.node, OWNER)
    assert len(service.shortlists(house.node, OWNER, library.name)) == 1
