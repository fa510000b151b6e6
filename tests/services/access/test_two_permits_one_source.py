"""Tables of two permits' extracts of the same data: what one released stands against the other where it has to."""

import json
from typing import Any

import pytest
from access_house import CONDITION, CONTENT, PERSON, Desk, person, refreshed

from madang.node import closed
from madang.node.people.models import HOUSE
from madang.node.people.projects import add_member, make_project
from madang.services.access import apart, deciding, extracting, permits, service
from madang.services.release import service as release
from madang.services.release.examine import Upload
from portal_house import OWNER, commit
from support import needs

KIND = {"kind": "diagnosis"}
DIABETES, MOST = [{**KIND, "codes": ["E11"]}], [{**KIND, "codes": ["E11", "N18"]}]  # 40 of 60 persons; all
SEX = {"kind": "count", "source": "person", "person": "person_id", "by": ["gender_concept_id"]}


@pytest.fixture
def two(desk: Desk) -> Desk:
    """A second project of the firm, whose leader is somebody else: no person gets two exact extracts."""
    needs("bwrap")
    if not closed.is_available():
        needs("/permission to close programs in")
    pytest.importorskip("highspy")
    make_project(desk.node, OWNER, "heart", "Hearts", organization="firm", leader="nam")
    add_member(desk.node, OWNER, "heart", "nam")
    return desk


def extract(desk: Desk, project: str, who: str, criteria: list[dict[str, Any]], **more: Any) -> str:
    actor = {"kim": desk.firm, "nam": desk.stranger}[who]
    assert actor.person_id is not None
    content = desk_content(criteria, **more)
    given = {"project": project, "dataset": "claims", "title": "T"}
    mine = refreshed(desk.node, actor.person_id)
    number = service.apply(desk.node, mine, content=content, **given)
    service.submit(desk.node, mine, number)
    desk.prepare(number)
    for member in desk.members:
        deciding.vote(desk.node, member, number, "approve")
    deciding.close_vote(desk.node, desk.steward, number)
    for step in ("ethics", "fee"):
        deciding.close_step(desk.node, desk.steward, number, step)
    permit = permits.issue(desk.node, desk.steward, number)
    extracting.extract(desk.node, desk.steward, permit)
    return permit


def desk_content(criteria: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    population = {"criteria": criteria, "begins": "2010-01-01", "ends": "2013-12-31"} | more
    return {**CONTENT, "population": population}


def asked(desk: Desk, project: str, who: str, permit: str, counts: dict[str, int]) -> int:
    actor = {"kim": desk.firm, "nam": desk.stranger}[who]
    assert actor.person_id is not None
    rows = "".join(f"{sex},{count}\n" for sex, count in counts.items())
    files = [
        Upload("sex.csv", f"gender_concept_id,count\n{rows}".encode()),
        Upload("sex.query.json", json.dumps(SEX).encode()),
    ]
    mine = refreshed(desk.node, actor.person_id)
    return release.ask(desk.node, mine, files, project=project, dataset=f"extract-{permit}")


def let_out(desk: Desk, number: int) -> None:
    for login in ("one", "two"):
        checker = person(desk.node, f"{login}-{number}", "release-checker", HOUSE)
        state = release.vote(desk.node, checker, number, agrees=True)
    assert state == "approved"


def criteria_of(desk: Desk, number: int) -> list[str]:
    (file,) = release.see(desk.node, OWNER, number).files
    return [each["criterion"] for each in file.read("findings") if each["status"] == "fail"]


def test_the_same_people_again_are_no_difference(two: Desk) -> None:
    first = extract(two, "kidney", "kim", MOST)
    second = extract(two, "heart", "nam", MOST, ends="2013-10-31")
    assert apart(two.node, first, second) == (0, 0)
    let_out(two, asked(two, "kidney", "kim", first, {"8507": 30, "8532": 30}))
    number = asked(two, "heart", "nam", second, {"8507": 30, "8532": 30})
    assert release.see(two.node, OWNER, number).state == "asked", "the same table tells nothing new"


def test_a_small_difference_of_two_permits_is_refused(two: Desk) -> None:
    # Three men have a code that only the second permit's population leaves out.
    rare = "CASE WHEN range % 60 IN (0, 2, 4) THEN 'I10' WHEN range % 60 < 40 THEN 'E112' ELSE 'N185' END"
    commit(two.node, "claims", person=PERSON, condition_occurrence=CONDITION.replace(
        "(CASE WHEN range % 60 < 40 THEN 'E112' ELSE 'N185' END)", f"({rare})"))  # fmt: skip
    first = extract(two, "kidney", "kim", [{**KIND, "codes": ["E11", "N18", "I10"]}])
    second = extract(two, "heart", "nam", MOST)
    assert apart(two.node, first, second) == (3, 0)
    let_out(two, asked(two, "kidney", "kim", first, {"8507": 30, "8532": 30}))
    number = asked(two, "heart", "nam", second, {"8507": 27, "8532": 30})
    found = release.see(two.node, OWNER, number)
    assert found.state == "refused" and criteria_of(two, number) == ["difference"]


def test_other_people_are_not_in_the_way(two: Desk) -> None:
    first = extract(two, "kidney", "kim", DIABETES)
    second = extract(two, "heart", "nam", [{**KIND, "codes": ["N18"]}])
    assert apart(two.node, first, second) == (40, 20)
    let_out(two, asked(two, "kidney", "kim", first, {"8507": 20, "8532": 20}))
    number = asked(two, "heart", "nam", second, {"8507": 10, "8532": 10})
    assert release.see(two.node, OWNER, number).state == "asked"
