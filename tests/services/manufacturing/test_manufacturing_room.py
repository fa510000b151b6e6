"""Campaigns, past runs and equipment of a project: what is done, who may, and what the pages show."""

import csv
import io
import json
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from madang.base.errors import MadangError
from madang.base.progress import Silent
from madang.node.people import Actor
from madang.node.people.accounts import find_person
from madang.node.people.projects import make_project
from madang.services.manufacturing import cultivations, demo, service
from portal_house import OURS, OWNER, House
from services.manufacturing.access import DESCRIPTION  # type: ignore[import-not-found]  # plain arrays
from web.served import Served

ENGLISH = {**OURS, "accept-language": "en"}
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
        lambda: cultivations.compare_runs(vessel.node, steward, "vessel"),
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
    names, done = cultivations.compare_runs(house.node, member, demo.PROJECT)
    assert len(names) == len(set(names)) == 16 and done.exceptions[0].run == "run-08"
    for address, wanted in (
        ("/manufacturing", "simulated-plant"),
        (f"/manufacturing/campaigns/{campaign.id}", "<svg"),
        (f"/manufacturing/runs/{demo.PROJECT}", "run-08"),
    ):
        page = site.get(address, cookies={"madang": house.cookies["member"]})
        assert page.status_code == 200 and wanted in page.text


def test_a_campaign_is_begun_and_fed_by_forms_alone(vessel: House, site: Served) -> None:
    """Lines of a form become its description; results go into the boxes beside what is suggested, or come as a file."""
    cookies = {"madang": vessel.cookies["member"]}

    def send(path: str, data: Mapping[str, str | list[str]], files: Any = None) -> httpx.Response:
        return site.post(path, data=data, files=files, cookies=cookies, headers=ENGLISH, follow_redirects=True)

    form: dict[str, str | list[str]] = {
        "project": "vessel",
        "name": "feed",
        "factor": ["feed_rate", "day", "medium", ""],
        "low": ["0.2", "3", "", ""],
        "high": ["2.0", "9", "", ""],
        "scale": ["log", "whole", "number", "number"],
        "choices": ["", "", "A, B", ""],
        "unit": ["mL/h", "", "", ""],
        "result": ["titer", "lactate"],
        "goal": ["maximize", "keep"],
        "least": ["", ""],
        "most": ["", "40"],
        "result_unit": ["g/L", ""],
        "first": "4",
        "batch": "2",
    }
    for wrong, told in (
        ({"low": ["0,2", "3", "", ""]}, "is no number"),
        ({"low": ["nan", "3", "", ""]}, "low must be"),
        ({"choices": ["A, B", "", "A, B", ""]}, "both a range and choices"),
        ({"most": ["", ""]}, "there is none"),
        ({"result": ["", ""]}, "a result that is wanted"),
        ({"goal": ["upwards", "keep"]}, "goal must be"),
    ):
        refused = send("/manufacturing/campaigns/form", form | wrong)
        assert refused.status_code == 422 and told in refused.text.replace("&#39;", "'"), wrong
        assert 'value="feed_rate"' in refused.text  # what was typed stays
    begun = send("/manufacturing/campaigns/form", form)
    assert begun.status_code == 200 and "g/L" in begun.text
    at = begun.url.path
    member, number = actor(vessel, "member"), int(at.rpartition("/")[2])
    described = service.see_campaign(vessel.node, member, number).description
    assert "whole = true" in described and "log = true" in described and 'choices = ["A", "B"]' in described

    table = list(csv.reader(io.StringIO(site.get(f"{at}/next.csv", cookies=cookies).text.lstrip("\ufeff"))))
    assert table[0] == ["feed_rate", "day", "medium", "titer", "lactate"] and len(table) == 3
    empty: dict[str, str | list[str]] = {"done": "0", "value": [""] * 4}
    assert "No result is filled in" in send(f"{at}/measured", empty).text
    assert "is no result of titer" in send(f"{at}/measured", empty | {"value": ["high", "", "", ""]}).text
    assert "1 experiments added" in send(f"{at}/measured", empty | {"value": ["1.5", "12", "", ""]}).text
    again = send(f"{at}/measured", empty | {"value": ["1.5", "12", "", ""]})
    assert again.status_code == 409 or "Somebody else added" in again.text
    assert "1 experiments added" in send(f"{at}/measured", {"done": "1", "value": ["failed", "", "", ""]}).text

    workbook = io.BytesIO()
    xlsx = pytest.importorskip("xlsxwriter").Workbook(workbook)
    sheet = xlsx.add_worksheet()
    for place, row in enumerate([table[0], [0.5, 4, "A", 2.5, 20], [1.5, 5, "B", 1.0, 60]]):
        sheet.write_row(place, 0, row)
    xlsx.close()
    assert "2 experiments added" in send(f"{at}/results", {}, {"file": ("a.xlsx", workbook.getvalue())}).text
    assert "There is no table" in send(f"{at}/results", {}).text
    after = json.loads(service.see_campaign(vessel.node, member, number).answer)
    assert after["done"] == 4 and after["best"][0]["results"]["titer"] == 2.5


def test_past_runs_and_their_sheet_come_as_files(vessel: House, site: Served) -> None:
    cookies = {"madang": vessel.cookies["member"]}

    def send(path: str, *files: tuple[str, bytes], field: str = "files") -> str:
        given = [(field, (name, data, "text/csv")) for name, data in files]
        return site.post(path, files=given, cookies=cookies, headers=ENGLISH, follow_redirects=True).text

    def run(peak: float) -> bytes:
        rows = "".join(f"{hour},{peak * hour / (hour + 9):.3f}\n" for hour in range(25))
        return f"시간,균체량\n{rows}".encode("cp949")

    at = "/manufacturing/runs/vessel"
    assert "do not increase" in send(at, ("Run 01.csv", run(9)), ("Run 02.csv", b"hours,x\n1,2\n1,3\n"))
    assert "are the run run-01" in send(at, ("Run 01.csv", run(9)), ("run_01.csv", run(9)))
    several = b"run\thours\tcells\nb-1\t0\t1\nb-1\t1\t2\nb-2\t0\t1\nb-2\t1\t3\n"
    assert "5 runs are added" in send(
        at, *((f"Run 0{n}.csv", run(9 + n / 10)) for n in (1, 2, 3)), ("others.tsv", several)
    )
    assert "a run run-01 already" in send(at, ("Run 01.csv", run(9)))
    sheet = "run,hours,titer\nRun 01,0,0.1\nRun 01,24,2.5\nRUN_02,24,2.7\n".encode("utf-8-sig")
    assert "joined with 2 runs" in send(f"{at}/sheet", ("lab.csv", sheet), field="file")
    assert "runs that are not here: run-9" in send(
        f"{at}/sheet", ("lab.csv", b"run,hours,x\nrun-9,1,2\n"), field="file"
    )
