"""The demo's firm asks for synthetic insurance data: one permit with its extract, one application in review."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from madang.base.progress import Progress
from madang.node.node import Node
from madang.node.people import Actor, Person, accounts
from madang.node.people.demo import demo_person
from madang.node.people.projects import add_member, make_project
from madang.services.access import deciding, extracting, permits, service
from madang.services.access.models import Application

DATASET = "demo-insurer"
PROJECT = "demo-firm-kidney"
MEMBERS = ("demo-committee-1", "demo-committee-2", "demo-committee-3")
TITLE = "당뇨병과 만성콩팥병의 진행 (합성 데모) / Progression of diabetes to kidney disease (synthetic demo)"
TABLES = {
    "person": {"columns": ["gender_concept_id", "year_of_birth"], "why": "성별과 나이 / sex and age"},
    "visit_occurrence": {
        "columns": ["visit_concept_id", "visit_start_date", "visit_end_date"],
        "why": "입원과 외래 / admissions and visits",
    },
    "condition_occurrence": {
        "columns": ["condition_concept_id", "condition_source_value", "condition_start_date"],
        "why": "진단의 순서 / order of diagnoses",
    },
    "drug_exposure": {
        "columns": ["drug_concept_id", "drug_source_value", "drug_exposure_start_date", "days_supply"],
        "why": "치료 / treatment",
    },
}
CONTENT = {
    "purpose": "당뇨병 환자가 만성콩팥병으로 진행하는 과정을 봅니다. How diabetes progresses to kidney disease.",
    "purpose_kind": "treatment",
    "population": {
        "criteria": [{"kind": "diagnosis", "codes": ["E10", "E11", "E12", "E13", "E14"]}],
        "begins": "2010-01-01",
        "ends": "2013-12-31",
    },
    "tables": TABLES,
    "methods": "Cox 회귀 / Cox regression",
    "outputs": "표와 그림 / tables and pictures",
    "recipe": "months",
    "ethics": "exempt",
    "ethics_number": "DEMO-2026-E7",
}


def make(node: Node, progress: Progress) -> None:
    """Make it, if it is not there; nothing without the demo's dataset and people."""
    owner = Actor.owner()
    with node.read() as session:
        there = session.scalar(select(Application.id).limit(1))
        researcher = session.scalar(select(Person.id).where(Person.login == "demo-researcher"))
    if there is not None or researcher is None or not node.home.lake().dataset(DATASET).exists:
        return
    with node.read() as session:
        holder = accounts.find_organization(session, DATASET).id
    firm = accounts.create_organization(node, owner, "demo-firm", "데모용 기업(가상)", "Demo firm (made up)")
    person = demo_person(node, "demo-firm", "member", firm)
    members = [demo_person(node, name, "committee", holder) for name in MEMBERS]
    make_project(node, owner, PROJECT, TITLE, organization="demo-firm", leader="demo-firm")
    add_member(node, owner, PROJECT, "demo-researcher")
    asks, votes = _actor(node, person), [_actor(node, member) for member in members]
    with progress.step("applications", 2, "applications"):
        number = _applied(node, asks, CONTENT)
        for step in ("screening", "adequacy", "ethics"):
            deciding.close_step(node, owner, number, step)
        deciding.vote(node, votes[0], number, "approve")
        deciding.vote(node, votes[1], number, "conditional", "결과는 반출 심사 뒤에만. Results only after review.")
        deciding.vote(node, votes[2], number, "approve")
        deciding.close_vote(node, owner, number)
        deciding.close_step(node, owner, number, "fee", note="감면 / reduced")
        extracting.extract(node, owner, permits.issue(node, owner, number), progress)
        progress.advance()
        wide = {
            "person": {"columns": ["gender_concept_id", "year_of_birth", "month_of_birth", "location_id"], "why": ""}
        }
        number = _applied(node, asks, {**CONTENT, "tables": {**TABLES, **wide}, "recipe": "shifted", "months": 18})
        for step in ("screening", "adequacy"):
            deciding.close_step(node, owner, number, step)
        progress.advance()


def _applied(node: Node, actor: Actor, content: Mapping[str, Any]) -> int:
    number = service.apply(node, actor, project=PROJECT, dataset=DATASET, title=TITLE, content=dict(content))
    service.submit(node, actor, number)
    return number


def _actor(node: Node, number: int) -> Actor:
    with node.read() as session:
        return Actor.person(session, number)
