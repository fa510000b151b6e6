"""Campaigns, past runs and equipment of a project: what is done, who may, and what the pages show."""

import json

import pytest

from madang.base.errors import MadangError
from madang.base.progress import Silent
from madang.node.people import Actor
from madang.node.people.accounts import find_person
from madang.node.people.projects import make_project
from madang.services.manufacturing import demo, service
from portal_house import OWNER, House
from services.manufacturing.access import DESCRIPTION  # type: ignore[import-not-found]  # plain arrays
from web.served import Served

TABLE = "a,titer\n0.1,1.0\n0.5,2.0\n0.9,1.4\n0.3,1.8\n0.7,1.9\n"


@pytest.fixture
def vessel(house: House) -> House:
    make_project(house.node, OWNER, "vessel", "Vessels", organization="hospital", leader="member")
    return house


def actor(house: House, login: str) -> Actor:
    with house.node.read() as session:
        return Actor.person(session, find_person(session, login).id)


def test_a_campaign_learns_from_what_is_added(vessel: House) -> None:
    member = actor(vessel, "member")
    made = service.begin_campaign(vessel.node, member, "vessel", "feed", "Feed", DESCRIPTION)
    first = json.loads(service.see_campaign(vessel.node, member, made.id).answer)
    assert first["suggestions"][0]["why"] == "begin" and first["use"] == "development use"
    assert service.add_to_campaign(vessel.node, member, made.id, TABLE) == (5, 0, [])
    after = json.loads(service.see_campaign(vessel.node, member, made.id).answer)
    assert after["done"] == 5 and after["best"][0]["results"] == {"titer": 2.0}
    assert 0.3 < after["suggestions"][0]["factors"]["a"] < 0.75
    assert service.add_to_campaign(vessel.node, member, made.id, TABLE)[:2] == (0, 5)
    taken, _there, refused = service.add_to_campaign(vessel.node, member, made.id, "a,titer\n0.2,1.5\n7,1\n0.6,\n")
    assert taken == 2 and len(refused) == 1
    service.end_campaign(vessel.node, member, made.id)
    with pytest.raises(MadangError) as error:
        service.add_to_campaign(vessel.node, member, made.id, "a,titer\n0.21,1.5\n")
    assert error.value.code == "act.state"


def test_others_see_nothing_and_change_nothing(vessel: House) -> None:
    member, steward = actor(vessel, "member"), actor(vessel, "steward")
    made = service.begin_campaign(vessel.node, member, "vessel", "feed", "Feed", DESCRIPTION)
    assert service.list_campaigns(vessel.node, steward) == []
    for forbidden in (
        lambda: service.see_campaign(vessel.node, steward, made.id),
        lambda: service.add_to_campaign(vessel.node, steward, made.id, TABLE),
        lambda: service.end_campaign(vessel.node, steward, made.id),
        lambda: service.begin_campaign(vessel.node, steward, "vessel", "mine", "", DESCRIPTION),
        lambda: service.compare_runs(vessel.node, steward, "vessel"),
        lambda: service.register_equipment(vessel.node, steward, "vessel", "x", "opc.tcp://127.0.0.1:4840/"),
    ):
        with pytest.raises(MadangError) as error:
            forbidden()
        assert error.value.code.split(".")[0] in ("permission", "campaign", "project")


def test_what_cannot_be_is_refused_with_a_sentence(vessel: House) -> None:
    for name, description, code in (
        ("feed", "not toml", "toml.read"),
        ("feed", DESCRIPTION + 'earlier = ["/etc/passwd"]', "toml.unknown"),
        ("feed", 'earlier = ["/etc/passwd"]\n' + DESCRIPTION, "campaign.earlier"),
        ("Feed!", DESCRIPTION, "manufacturing.name"),
        ("feed", DESCRIPTION.replace("high = 1", "high = -1"), "design.factor"),
    ):
        with pytest.raises(MadangError) as error:
            service.begin_campaign(vessel.node, OWNER, "vessel", name, "", description)
        assert error.value.code == code
    service.begin_campaign(vessel.node, OWNER, "vessel", "feed", "", DESCRIPTION)
    with pytest.raises(MadangError) as error:
        service.begin_campaign(vessel.node, OWNER, "vessel", "feed", "", DESCRIPTION)
    assert error.value.code == "campaign.taken"


def test_the_demo_shows_a_campaign_and_finds_the_run_that_lost_its_feed(house: House, site: Served) -> None:
    make_project(house.node, OWNER, demo.PROJECT, "Demo", organization="hospital", leader="member")
    demo.make(house.node, Silent())
    demo.make(house.node, Silent())  # again: nothing is doubled
    member = actor(house, "member")
    (campaign,) = service.list_campaigns(house.node, member)
    assert json.loads(campaign.answer)["done"] == 12
    names, done = service.compare_runs(house.node, member, demo.PROJECT)
    assert len(names) == len(set(names)) == 16 and done.exceptions[0].run == "run-08"
    for address, wanted in (
        ("/manufacturing", "simulated-plant"),
        (f"/manufacturing/campaigns/{campaign.id}", "<svg"),
        (f"/manufacturing/runs/{demo.PROJECT}", "run-08"),
    ):
        page = site.get(address, cookies={"madang": house.cookies["member"]})
        assert page.status_code == 200 and wanted in page.text
