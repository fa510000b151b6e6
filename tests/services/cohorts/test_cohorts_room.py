"""The shelf of cohorts over HTTP: kept, counted, seen by those who may, members for those alone who may read rows."""

import json
from typing import Any

import httpx
import pytest

from madang.lake.engine import Engine
from madang.science.cohorts import of_document
from madang.services.cohorts import count_population, service
from portal_house import OURS, OWNER, House, work_off
from services.cohorts.access import EXPRESSION
from web.served import Served

API = "/api/v1"
PERIODS = """SELECT range + 1 AS observation_period_id, range + 1 AS person_id, DATE '2019-01-01' AS
    observation_period_start_date, DATE '2021-12-31' AS observation_period_end_date FROM range(20)"""


def _observed(house: House, name: str) -> None:
    """Give the dataset a table of observation periods, in its next version."""
    dataset = house.node.home.lake().dataset(name)
    with Engine() as engine, dataset.write(dataset.version()) as writer:
        for table in dataset.version().tables:
            writer.keep(table)
        path = writer.new_file("observation_period")
        engine.copy_to_parquet(PERIODS, path)
        writer.add("observation_period", path)
        writer.commit("import", {"report": {}})


def _with_rule() -> dict[str, Any]:
    rule = {
        "name": "women",
        "expression": {
            "Type": "ALL",
            "CriteriaList": [],
            "DemographicCriteriaList": [{"Gender": [{"CONCEPT_ID": 8532, "CONCEPT_NAME": "FEMALE"}]}],
            "Groups": [],
        },
    }
    return {**EXPRESSION, "InclusionRules": [rule]}


@pytest.fixture
def counted(house: House, site: Served) -> str:
    """The address of a count on a controlled dataset, done."""
    house.published("ours", tier="controlled")
    _observed(house, "ours")
    with site.browser({"madang": house.cookies["member"]}) as member:
        kept = member.post(f"{API}/cohorts", json={"text": json.dumps(_with_rule()), "title": "Women"}, headers=OURS)
        assert kept.status_code == 200, kept.text
        asked = member.post(f"{API}/cohorts/women/count", json={"dataset": "ours"}, headers=OURS)
        assert asked.status_code == 200, asked.text
        work_off(house.node)
        return str(asked.json()["see"])


def test_who_may_read_the_rows_sees_exact_numbers_and_others_one_that_is_perturbed(
    house: House, site: Served, counted: str
) -> None:
    with site.browser({"madang": house.cookies["steward"]}) as steward:
        page = steward.get(API + counted).json()
        assert page["count"]["persons"] == 10 and page["count"]["exact"]
        assert [step["persons"] for step in page["described"]["attrition"]] == [20, 10, 10]
        csv = steward.get(API + counted + "/members.csv").text.splitlines()
        assert csv[0] == "subject_id,cohort_start_date,cohort_end_date" and len(csv) == 11
        assert "<svg" in steward.get(counted + "?lang=ko").text
    with site.browser({"madang": house.cookies["member"]}) as member:
        page = member.get(API + counted).json()
        told = page["count"]["persons"]
        assert not page["count"]["exact"] and (told is None or told % 5 == 0) and page["count"]["entries"] is None
        assert page["described"] == {} and page["attrition"] == []
        assert member.get(API + counted + "/members.csv").status_code == 403
        assert "changed a little" in member.get(counted + "?lang=en").text
    with house.node.read() as session:
        acts = {event.act for event in house.node.audit.events(session)}
    assert {"cohort.keep", "cohort.count", "dataset.rows"} <= acts


def test_what_is_told_before_a_permit_is_one_answer_for_sets_that_differ_by_few(house: House) -> None:
    from madang.services.access import count_before_a_permit

    dataset, asking = house.node.home.lake().dataset("many"), OWNER
    with Engine() as engine, dataset.write() as writer:
        path = writer.new_file("person")
        engine.copy_to_parquet("SELECT range + 1 AS person_id FROM range(60)", path)
        writer.add("person", path)
        version = writer.commit("import", {"report": {}})
    first = count_before_a_permit(house.node, asking, version, range(1, 41))
    assert count_before_a_permit(house.node, asking, version, range(1, 41)) == first
    assert count_before_a_permit(house.node, asking, version, range(1, 40)) == first  # somebody less: the same
    assert count_before_a_permit(house.node, asking, version, range(5, 44)) == first
    other = count_before_a_permit(house.node, asking, version, range(1, 61))
    assert first is not None and first % 5 == 0 and abs(first - 40) <= 10
    assert other is not None and abs(other - 60) <= 10
    assert count_before_a_permit(house.node, asking, version, [61]) is None


def test_people_who_are_removed_are_in_no_members_any_more(house: House, site: Served, counted: str) -> None:
    from madang.services.datasets import remove_persons

    number = int(counted.rpartition("/")[2])
    assert service.members_file(house.node, number).exists()
    remove_persons(house.node, OWNER, house.node.home.lake().dataset("ours"), {2}, [])
    assert not service.members_file(house.node, number).exists()
    with site.browser({"madang": house.cookies["steward"]}) as steward:
        assert steward.get(API + counted).status_code == 404


def test_open_data_are_counted_exactly_for_whoever_signed_in(house: House) -> None:
    house.published("free", tier="open")
    with house.node.read() as session:
        rows = service.rows_of(session, "free")
        closed = service.rows_of(session, "nothing")
    assert rows.open and not closed.open


def test_the_same_definition_makes_no_new_version_and_another_one_does(house: House) -> None:
    first = service.keep(house.node, OWNER, of_document(EXPRESSION, "Visits"))
    again = service.keep(house.node, OWNER, of_document(EXPRESSION, "Visits"))
    other = service.keep(house.node, OWNER, of_document(_with_rule(), "Visits"))
    assert (first.number, again.number, other.number) == (1, 1, 2) and first.digest != other.digest


def test_a_definition_that_is_none_is_refused_with_the_form_filled_in(house: House, site: Served) -> None:
    with site.browser({"madang": house.cookies["member"]}) as member:
        sent = member.post(
            "/cohorts", data={"text": '{"a": 1}', "title": "Mine"}, headers=OURS | {"Accept-Language": "en"}
        )
        assert sent.status_code == 422 and "no PrimaryCriteria" in sent.text and 'value="Mine"' in sent.text
        hostile = {"text": json.dumps(EXPRESSION), "title": "<script>alert(1)</script>", "name": "hostile"}
        assert member.post("/cohorts", data=hostile, headers=OURS).status_code == 303
        assert "<script>alert" not in member.get("/cohorts/hostile").text
        assert isinstance(member, httpx.Client)


def test_another_room_counts_a_population(house: House) -> None:
    house.published("ours")
    _observed(house, "ours")
    version = house.node.home.lake().find("ours")
    found = count_population(version, of_document(_with_rule()), subjects=True)
    assert found.persons == 10 and found.subjects == tuple(range(2, 21, 2))
    assert found.described.persons == 10
