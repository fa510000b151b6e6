"""The room: libraries of a project are secret, queries stand in the audit as keyed hashes, shortlists are decided."""

import json

import pytest

pytest.importorskip("rdkit")

from madang.base.canonical import sha256_of
from madang.base.errors import MadangError
from madang.node import jobs, signing
from madang.node.node import Node
from madang.node.people import Actor
from madang.node.people.accounts import find_person
from madang.node.people.projects import make_project
from madang.services.discovery import lots, service, shortlists, studies
from madang.services.discovery.demo import _GOALS, make, molecules, plate
from madang.services.discovery.service import Query
from madang.services.discovery.tables import activity, as_csv, pairs
from portal_house import OWNER, House, work_off
from web.served import Served

NAME = "secret"
OURS = {"Sec-Fetch-Site": "same-origin"}
ENGLISH = {"Accept-Language": "en"}


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
            lambda who=other: service.search(node, who, NAME, Query("CCO"), 3),
            lambda who=other: service.measure(node, who, NAME, "t", plate()),
            lambda who=other: shortlists.shortlist(node, who, NAME, "t", _GOALS),
            lambda who=other: service.fill(node, who, "other", "kinase", [("m.smi", b"CCO a\n")]),
        ):
            with pytest.raises(MadangError):
                attempt()
    assert not node.home.lake().dataset("other").exists


def test_a_search_finds_and_is_audited_as_a_keyed_hash(filled: House) -> None:
    node, member = filled.node, actor(filled.node, "member")
    query = "CNC(=O)c1ccc(F)cc1"
    found = service.search(node, member, NAME, Query(query), 3)
    assert found.hits[0].score == 1 and len(found.hits) == 3
    inside = service.search(node, member, NAME, Query(smarts="C(=O)N"), 100)
    assert len(inside.hits) == 60
    assert service.search(node, member, NAME, Query(exact=query), 1).total == 1
    with pytest.raises(MadangError, match="not a SMARTS"):
        service.search(node, member, NAME, Query(smarts="(("), 5)
    told = events(node)
    assert told.count("library.search") == 4 and "c1ccc" not in told and "C(=O)N" not in told


def test_a_pattern_that_explodes_is_ended(filled: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "PATIENCE", 0.01)
    with pytest.raises(MadangError) as error:
        service.search(filled.node, actor(filled.node, "member"), NAME, Query(smarts="*~*~*~*"), 5)
    assert error.value.code == "chemistry.too_slow"


def test_plates_become_a_table_and_a_shortlist_that_is_decided_and_signed(filled: House) -> None:
    node, member = filled.node, actor(filled.node, "member")
    service.measure(node, member, NAME, "First plates", plate())
    table = activity(node, member, NAME).rows
    assert [row["id"] for row in table] == ["DEMO-0001", "DEMO-0031"] and all(row["pic50"] for row in table)
    made = shortlists.shortlist(node, member, NAME, "Candidates", _GOALS)
    rows = json.loads(made.rows)
    assert rows[0]["id"] in ("DEMO-0001", "DEMO-0031")  # the others have no pic50, so a score of 0
    shortlists.decide(node, member, made.id, rows[0]["id"], "make", "the most potent")
    with pytest.raises(MadangError, match="not in the shortlist"):
        shortlists.decide(node, member, made.id, "nobody", "make", "")
    shortlists.lock(node, member, made.id)
    locked = shortlists.see_shortlist(node, member, made.id)
    said = signing.read_signed(locked.signed, signing.public_keys(node.home), "shortlist+jwt")
    assert said["sha256"] == made.sha256 and said["decisions"][0][:3] == [rows[0]["id"], "make", "the most potent"]
    with pytest.raises(MadangError):
        shortlists.decide(node, member, made.id, rows[0]["id"], "drop", "too late")


def test_a_shortlist_picks_what_is_unlike_within_a_budget(filled: House, site: Served) -> None:
    goals = "property,shape,low,high\nqed,higher,0,1\ncost,lower,0,100\n"
    costs = "compound,cost\n" + "".join(f"DEMO-{number:04d},{number}\n" for number in range(1, 41))
    asked = {"title": "Cheap", "goals": goals, "costs": costs, "pick": "4", "budget": "30"}
    with site.browser({"madang": filled.cookies["member"]}) as browser:
        at = f"/discovery/{NAME}/shortlists"
        answer = browser.post(at, data=asked, headers=OURS | ENGLISH)
        assert answer.status_code == 303
        address = answer.headers["location"].partition("?")[0]
        shown = browser.get(f"/api/v1{address}").json()
        picks = [each for each in shown["places"] if each["picked"]]
        assert picks and len(picks) <= 4 and sum(each["cost"] for each in picks) == shown["cost"] <= 30
        assert any(part["property"] == "cost" for part in shown["places"][0]["parts"])
        for language, word in (("en", "Cost together"), ("ko", "합계 비용")):
            assert word in browser.get(address, headers={"Accept-Language": language}).text
        table = browser.get(f"{address}/shortlist.csv").text
        assert table.count(",yes,") + table.count(",yes\r") == len(picks)
        document = browser.get(f"{address}/shortlist.json").json()
        said = {key: document[key] for key in ("goals", "pick", "budget", "rows", "manifest")}
        assert sha256_of(said) == document["sha256"]
        assert browser.get(f"{address}/other.csv").status_code == 404
        for wrong, reason in (
            ({"costs": "compound,cost\nDEMO-0001,-3\n"}, "Line 2"),
            ({"costs": "compound,cost\nDEMO-0001,3\nDEMO-0001,4\n"}, "Line 3"),
            ({"costs": "compound,cost\nghost,3\n"}, "ghost"),
            ({"costs": "", "goals": "property,shape,low,high\nqed,higher,0,1\n"}, "needs costs"),
        ):
            refused = browser.post(at, data=asked | wrong, headers=OURS | ENGLISH)
            assert refused.status_code == 422 and reason in refused.text


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
    made = shortlists.shortlist(node, member, NAME, "Candidates", _GOALS)
    paths = (
        "/discovery",
        f"/discovery/{NAME}",
        f"/discovery/{NAME}?similar=CCO",
        f"/discovery/{NAME}?smarts=C(=O)N&where=weight%3C300&similar=CCO",
        f"/discovery/{NAME}/activity",
        f"/discovery/{NAME}/activity?sort=-ic50&core=c1ccccc1&column=pic50&least=4",
        f"/discovery/{NAME}/lots",
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
        assert [browser.get(path).status_code for path in paths[1:]] == [404] * 8


def test_a_molfile_with_script_in_its_name_is_only_text(filled: House, site: Served) -> None:
    from rdkit import Chem

    block = Chem.MolToMolBlock(Chem.MolFromSmiles("CCOCCOC")).replace("\n", "<script>alert(1)</script>\n", 1)
    files = [("m.sdf", f"{block}$$$$\n".encode())]
    service.fill(filled.node, actor(filled.node, "member"), NAME, "kinase", files)
    with site.browser({"madang": filled.cookies["member"]}) as browser:
        found = browser.get(f"/discovery/{NAME}", params={"exact": "CCOCCOC"})
        assert "&lt;script&gt;alert(1)" in found.text and "<script>alert" not in found.text
        pasted = browser.get(f"/discovery/{NAME}", params={"similar": block})
        assert pasted.status_code == 200 and "<script>alert" not in pasted.text


def test_the_demo_makes_its_part_once(house: House) -> None:
    from madang.base.progress import Silent

    make(house.node, Silent())
    assert service.libraries(house.node, OWNER) == []
    make_project(house.node, OWNER, "demo-kidney", "Demo")
    for _twice in range(2):
        make(house.node, Silent())
    (library,) = service.libraries(house.node, OWNER)
    assert len(shortlists.shortlists(house.node, OWNER, library.name)) == 1


def test_conditions_hold_all_at_once(filled: House) -> None:
    node, member = filled.node, actor(filled.node, "member")
    alone = service.search(node, member, NAME, Query(smarts="C#N"), 200).hits
    light = service.search(node, member, NAME, Query(where="weight<250, logp>=1"), 200).hits
    both = service.search(node, member, NAME, Query(smarts="C#N", where="weight<250, logp>=1"), 200)
    assert {hit.id for hit in both.hits} == {hit.id for hit in alone} & {hit.id for hit in light} and both.hits
    near = service.search(node, member, NAME, Query("CNC(=O)c1ccc(C#N)cc1", smarts="C#N", where="weight<250"), 3)
    assert near.hits[0].score == 1 and [hit.score for hit in near.hits] == sorted(h.score for h in near.hits)[::-1]
    for wrong in ("weight", "colour<3", "weight<x"):
        with pytest.raises(MadangError, match="no condition"):
            service.search(node, member, NAME, Query(where=wrong), 5)


def test_results_belong_to_lots_and_samples(filled: House) -> None:
    node, member = filled.node, actor(filled.node, "member")
    entered = lots.enter(
        node,
        member,
        NAME,
        "name,compound,of,amount,unit,purity,made\n"
        "L-1,DEMO-0001,,12.5,mg,98.2,2026-11-01\nS-1,,L-1,1,mg,,\n"
        "L-1,DEMO-0002,,,,,\nS-2,,S-1,,,,\nL-2,NOBODY,,,,,\nL-3,DEMO-0002,,-4,,,\nL-4,DEMO-0002,,,,120,\n"
        "L-5,DEMO-0002,,,,,2026-13-01\nS-3,DEMO-0003,L-1,,,,\n",
    )
    assert entered.taken == 2 and [line for line, _reason in entered.refused] == [4, 5, 6, 7, 8, 9, 10]
    table = (
        "compound,property,value,unit,date,source\nS-1,solubility,<5,uM,2026-11-02,lab A\n"
        "DEMO-0002,solubility,41,uM,,\nDEMO-0003,solubility,41,mM,,\nDEMO-0003,,3,,,\nghost,solubility,4,uM,,\n"
    )
    kept = service.measure(node, member, NAME, "Solubility", table.encode())
    assert [line for line, _reason in json.loads(kept.found)["refused"]] == [4, 5]
    found = activity(node, member, NAME, sort="-solubility (uM)")
    assert found.unknown == ("ghost",)
    assert [(row["id"], row["lot"], row["solubility (uM)"]) for row in found.rows] == [
        ("DEMO-0002", "", 41.0),
        ("DEMO-0001", "S-1", "<5"),
    ]
    assert "<5" in as_csv(found)
    with pytest.raises(MadangError, match="no column"):
        activity(node, member, NAME, sort="colour")


def test_r_groups_and_matched_pairs_of_what_was_measured(filled: House) -> None:
    node, member = filled.node, actor(filled.node, "member")
    rows = "".join(f"DEMO-{number:04d},pic50 of screen,{5 + number / 10}\n" for number in range(1, 15))
    service.measure(node, member, NAME, "Screen", f"compound,property,value\n{rows}".encode())
    found = activity(node, member, NAME, core="O=C(N)c1ccccc1", column="pic50 of screen", least=5.35, most=6)
    assert len(found.rows) == 7 and found.groups and all(row[found.groups[0]] for row in found.rows)
    changes = pairs(found.rows, "pic50 of screen")
    assert changes and all(one.after - one.before == one.difference for one in changes)


def test_a_model_is_trained_predicts_and_ranks(filled: House, site: Served) -> None:
    node, member = filled.node, actor(filled.node, "member")
    table = "smiles,logp,measured\n" + "".join(
        f"{line.split()[0]},{5 + len(line) % 7 + number % 3},2026-01-{1 + number % 28:02d}\n"
        for number, line in enumerate(molecules().splitlines())
    )
    for _twice in range(2):
        made = studies.train(node, member, NAME, "odd", table=table.encode(), value="logp", date="measured", light=True)
        assert made.state == "working"
        work_off(node)
    made = studies.see_study(node, member, NAME, made.id)
    assert made.state == "done", made.error
    found = json.loads(made.found)
    assert found["version"] == 2 and found["before"]["version"] == 1 and found["predicted"] == 60
    assert len(studies.properties_of(node, member, NAME)["predicted odd"]) > 40
    said = studies.predict(node, member, NAME, made.id, "CNC(=O)c1ccc(F)cc1\nnonsense")
    assert said[0]["low"] < said[0]["value"] < said[0]["high"] and said[1]["problem"]
    assert "CNC(=O)c1ccc(F)cc1" not in events(node)
    goals = b"property,shape,low,high\npredicted odd,higher,4,12\n"
    ranked = json.loads(shortlists.shortlist(node, member, NAME, "By the model", goals).rows)
    assert ranked[0]["score"] > 0
    with pytest.raises(MadangError):
        studies.train(node, actor(node, "steward"), NAME, "odd", table=table.encode())
    short = studies.train(node, member, NAME, "short", table=b"smiles,pic50\nCCO,5\n")
    work_off(node)
    failed = studies.see_study(node, member, NAME, short.id)
    assert failed.state == "failed" and "1 compounds" in jobs.why_told(failed.error)
    with site.browser({"madang": filled.cookies["member"]}) as browser:
        for language in ("ko", "en"):
            page = browser.get(f"/discovery/{NAME}/models/{made.id}", headers={"Accept-Language": language})
            assert page.status_code == 200 and page.text.count("<svg role") == 3
        answer = browser.post(
            f"/discovery/{NAME}/models/{made.id}/predictions", data={"text": "CCO"}, headers=OURS | ENGLISH
        )
        assert answer.status_code == 200 and "predicted" in answer.text.lower()
        assert browser.get(f"/discovery/{NAME}/models/{failed.id}").status_code == 200
        refused = browser.post(f"/discovery/{NAME}/models", data={"name": "Not So"}, headers=OURS | ENGLISH)
        assert refused.status_code == 422 and "Not So" in refused.text
        assert browser.get(f"/discovery/{NAME}/models/{made.id}/library.csv").text.count("\n") == 61


RECEPTOR = """\
ATOM      1  N   ALA A   1      -0.525   1.362   0.000  1.00  0.00           N
ATOM      2  CA  ALA A   1       0.000   0.000   0.000  1.00  0.00           C
ATOM      3  C   ALA A   1       1.520   0.000   0.000  1.00  0.00           C
ATOM      4  O   ALA A   1       2.197   1.025   0.000  1.00  0.00           O
ATOM      5  CB  ALA A   1      -0.507  -0.774  -1.206  1.00  0.00           C
ATOM      6  N   GLY A   2       2.061  -1.214   0.000  1.00  0.00           N
ATOM      7  CA  GLY A   2       3.504  -1.411   0.000  1.00  0.00           C
ATOM      8  C   GLY A   2       4.060  -2.820   0.000  1.00  0.00           C
ATOM      9  O   GLY A   2       3.313  -3.800   0.000  1.00  0.00           O
END
"""


def test_a_library_is_docked_by_a_job(house: House, site: Served) -> None:
    pytest.importorskip("vina")
    node = house.node
    make_project(node, OWNER, "kinase", "Kinase", organization="hospital", leader="member")
    member = actor(node, "member")
    files = [("m.smi", b"CCO one\nCC(=O)N two\n*CCO group\n")]
    service.fill(node, member, NAME, "kinase", files, "Secret")
    with pytest.raises(MadangError, match="Where to dock"):
        studies.dock(node, member, NAME, "pocket", receptor=RECEPTOR.encode())
    made = studies.dock(node, member, NAME, "pocket", receptor=RECEPTOR.encode(), residues="A:1,A:2", exhaustiveness=1)
    assert studies.how_far(node, studies.see_study(node, member, NAME, made.id)) == (0, 3)
    work_off(node)
    made = studies.see_study(node, member, NAME, made.id)
    assert made.state == "done", made.error
    found = json.loads(made.found)
    assert (found["docked"], found["failed"]) == (2, 1) and found["problems"][0]["id"] == "group"
    assert set(studies.properties_of(node, member, NAME)["docked pocket"]) == {"one", "two"}
    with site.browser({"madang": house.cookies["member"]}) as browser:
        assert "group" in browser.get(f"/discovery/{NAME}/dockings/{made.id}").text
        assert browser.get(f"/discovery/{NAME}/dockings/{made.id}/poses.sdf").text.count("$$$$") >= 2
        assert browser.get(f"/discovery/{NAME}/dockings/{made.id}/receptor.pdbqt").status_code == 404
