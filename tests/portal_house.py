"""What tests of the portal share: an installation with people and small datasets."""

from dataclasses import dataclass

from madang.lake import Version
from madang.lake.engine import Engine
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.services.catalog import service

OWNER = Actor.owner()
PEOPLE = """SELECT range + 1 AS person_id, (CASE WHEN range % 2 = 0 THEN 8507 ELSE 8532 END)::BIGINT AS
    gender_concept_id, 1980 AS year_of_birth, '=1+1' AS person_source_value FROM range(20)"""
VISITS = """SELECT range + 1 AS visit_occurrence_id, range % 20 + 1 AS person_id, 9201::BIGINT AS visit_concept_id,
    DATE '2020-01-01' + (range % 300)::INTEGER AS visit_start_date FROM range(300)"""
SOURCE = "SELECT 'Ours' AS cdm_source_name, 'A synthetic test' AS source_description, 'us' AS cdm_holder"
PASSWORD = "a long password it is"  # of everybody
WAY = {"contact": "help@example.org", "access_rights": "Ask the committee."}  # without which data cannot be on request
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


def describe(node: Node, name: str, **more: object) -> None:
    """Have a record say how its data are asked for, and more."""
    record = service.see(node, OWNER, name)
    told = record.told.model_copy(update=WAY | more)
    given = service.Edited(record.edition, record.title or name, "", record.tier, record.tier_after, "", None, told)
    service.edit(node, OWNER, name, given)


@dataclass
class House:
    """The installation; `cookie` is that of a person of a role in the organization `hospital`."""

    node: Node
    cookies: dict[str, str]

    def drafted(self, name: str) -> str:
        """The draft of a record, not even prepared."""
        commit(self.node, name, person=PEOPLE)
        return service.make(self.node, OWNER, name, "hospital")

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
                description=record.told.model_copy(update={"description": more.get("description", ""), **WAY}),
            ),
        )
        work_off(self.node)
        service.publish(self.node, OWNER, made, 1)
        return made
