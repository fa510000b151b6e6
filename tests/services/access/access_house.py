"""A holder with a committee, a firm with a project, and small synthetic claims."""

from dataclasses import dataclass

from madang.node.database import now
from madang.node.node import Node
from madang.node.people import accounts
from madang.node.people.actor import Actor
from madang.node.people.projects import add_member, make_project
from madang.services.access import deciding, permits, service
from madang.services.catalog.description import Description
from madang.services.catalog.models import Record
from portal_house import OWNER, PASSWORD, WAY, commit

PERSON = """SELECT range + 1 AS person_id, (CASE WHEN range % 2 = 0 THEN 8507 ELSE 8532 END)::BIGINT AS
    gender_concept_id, (1950 + range % 40)::INTEGER AS year_of_birth, 5::INTEGER AS month_of_birth,
    (range % 28 + 1)::INTEGER AS day_of_birth, 7::BIGINT AS location_id, 'RRN-' || range AS person_source_value
    FROM range(60)"""
CONDITION = """SELECT range + 1 AS condition_occurrence_id, range % 60 + 1 AS person_id,
    (100 + range % 3)::BIGINT AS condition_concept_id, DATE '2010-01-01' + (range * 37 % 1400)::INTEGER AS
    condition_start_date, (CASE WHEN range % 60 < 40 THEN 'E112' ELSE 'N185' END) AS condition_source_value
    FROM range(600)"""
COLUMNS = {
    "person": {"columns": ["gender_concept_id", "year_of_birth"], "why": "Age and sex are needed."},
    "condition_occurrence": {
        "columns": ["condition_concept_id", "condition_start_date", "condition_source_value"],
        "why": "Diagnoses over time.",
    },
}
CONTENT = {
    "purpose": "How diabetes becomes kidney disease.",
    "purpose_kind": "treatment",
    "legal_basis": "scientific research",
    "population": {
        "criteria": [{"kind": "diagnosis", "codes": ["E10", "E11"]}],
        "begins": "2010-01-01",
        "ends": "2013-12-31",
    },
    "tables": COLUMNS,
    "months": 12,
    "ethics": "exempt",
    "ethics_number": "E-1",
}


@dataclass
class Desk:
    """Everybody who takes part, by role."""

    node: Node
    firm: Actor
    steward: Actor
    members: list[Actor]
    stranger: Actor

    def applied(self, **changes: object) -> int:
        """A draft of the firm; `changes` go into its content."""
        return service.apply(
            self.node,
            self.firm,
            project="kidney",
            dataset="claims",
            title="Diabetes and kidneys",
            content={**CONTENT, **changes},
        )

    def submitted(self, **changes: object) -> int:
        """One that the committee can vote on."""
        number = self.applied(**changes)
        service.submit(self.node, self.firm, number)
        self.prepare(number)
        return number

    def prepare(self, number: int) -> None:
        """Close what comes before the vote."""
        for step in ("screening", "adequacy"):
            deciding.close_step(self.node, self.steward, number, step)

    def approved(self, number: int) -> None:
        """Three members approve, the rest is closed."""
        for member, choice in zip(self.members, ("approve", "conditional", "approve"), strict=False):
            deciding.vote(self.node, member, number, choice, "No linkage." if choice == "conditional" else "")
        assert deciding.close_vote(self.node, self.steward, number) == "closed-space"
        for step in ("ethics", "fee"):
            open_ = [
                s.name for s in service.steps_of(service.see(self.node, self.steward, number)) if s.state == "open"
            ]
            if step in open_:
                deciding.close_step(self.node, self.steward, number, step)

    def permitted(self, **changes: object) -> str:
        """A permit."""
        number = self.submitted(**changes)
        self.approved(number)
        return permits.issue(self.node, self.steward, number)


def person(node: Node, login: str, role: str = "", organization: int = 0) -> Actor:
    """Somebody with an account, and a role in an organization."""
    number = accounts.create_person(node, OWNER, login, login.title(), password=PASSWORD)
    if role:
        accounts.give_role(node, OWNER, number, role, organization)
    return refreshed(node, number)


def refreshed(node: Node, number: int) -> Actor:
    """The same person with what they hold now."""
    with node.read() as session:
        return Actor.person(session, number)


def recorded(node: Node, dataset: str, organization: str = "hospital", tier: str = "controlled") -> str:
    """A published record of a dataset, so that it can be applied for; of no version, which nothing here looks at."""
    with node.write() as session:
        holder = accounts.find_organization(session, organization).id
        name = f"record-{dataset}"
        session.add(
            Record(
                name=name, dataset=dataset, organization_id=holder, state="published", tier=tier, tier_after=tier,
                title=f"Record {dataset}", description=Description(**WAY).model_dump_json(), published=now(),
            )
        )  # fmt: skip
    return name


def open_desk(node: Node) -> Desk:
    """The holder `hospital`, its committee of three, a firm with a project, and the dataset `claims`."""
    with node.read() as session:
        hospital = accounts.find_organization(session, "hospital").id
    firm_house = accounts.create_organization(node, OWNER, "firm", "회사", "Firm")
    steward = person(node, "seo", "steward", hospital)
    members = [person(node, name, "committee", hospital) for name in ("han", "ryu", "oh")]
    firm = person(node, "kim", "member", firm_house)
    stranger = person(node, "nam", "member", firm_house)
    make_project(node, OWNER, "kidney", "Diabetes and kidneys", organization="firm", leader="kim")
    commit(node, "claims", person=PERSON, condition_occurrence=CONDITION)
    recorded(node, "claims")
    assert firm.person_id is not None
    add_member(node, OWNER, "kidney", "kim")
    return Desk(node, refreshed(node, firm.person_id), steward, members, stranger)
