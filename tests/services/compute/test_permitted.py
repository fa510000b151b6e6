"""Data under a permit: read by tasks of its project, and what comes of it stays until it is released."""

from typing import Any

import pytest
from sqlalchemy import select

from madang.base.errors import MadangError
from madang.node.mail import Mail
from madang.node.people.models import Permit, Person
from madang.node.people.projects import make_project
from madang.services.compute import permitted, service
from madang.services.compute.definition import MAIL
from madang.services.compute.runner import Runner, work_off
from madang.services.workspace import open_workspace
from portal_house import OURS, OWNER, House
from services.compute.conftest import token  # type: ignore[import-not-found]  # beside the tests
from services.compute.test_tasks import asked, member  # type: ignore[import-not-found]  # beside the tests
from web.served import Served

SCRIPT = "ls -l /data/person; echo person $((8000 + 532)) was born in 1950; echo count,9 > counts.csv"


def under(permit: str, *command: str, **more: Any) -> dict[str, Any]:
    return asked(*command, inputs=[{"url": f"madang://permit/{permit}", "path": "/data"}], **more)


@pytest.mark.usefixtures("boxes")
def test_what_is_made_of_data_under_a_permit_stays(permit: str, house: House, site: Served) -> None:
    made = service.submit(house.node, member(house), under(permit, "sh", "-c", SCRIPT), project="genomes")
    work_off(house.node)
    found = service.see(house.node, OWNER, made.id)
    assert found.state == "complete", found.reason
    read = service.result_of(found)["inputs"][0]
    assert read["path"] == "/data/person/0.parquet" and len(read["sha256"]) == 64 and read["permit"] == permit
    with pytest.raises(MadangError) as error:
        service.printed(house.node, member(house), made.id)
    assert error.value.code == "task.closed"
    with site.browser({"madang": house.cookies["member"]}) as browser:
        page = browser.get(f"/compute/{made.id}").text
        assert "8532" not in page and "counts.csv" in page
        for address in (f"/compute/{made.id}/outputs/counts.csv", f"/compute/{made.id}/crate"):
            assert browser.get(address).status_code == 403
        assert "8532" not in browser.get(f"/api/v1/compute/{made.id}").text
        browser.headers["Authorization"] = f"Bearer {token(house, 'member')}"
        full = browser.get(f"/ga4gh/tes/v1/tasks/{made.id}?view=FULL").json()
        assert full["logs"][0]["logs"][0]["stdout"] == "" and full["logs"][0]["outputs"] == []
        assert browser.get(f"/ga4gh/drs/v1/objects/task~{made.id}").status_code == 403
    # A further task is under the same permit, and only one of its project can read it.
    again = {"url": f"madang://task/{made.id}/counts.csv", "path": "/in.csv"}
    further = service.submit(house.node, member(house), asked("cat", "/in.csv", inputs=[again]), project="genomes")
    assert permitted.permits_in(further.inputs) == (permit,)
    with pytest.raises(MadangError):
        service.submit(house.node, member(house), asked("cat", "/in.csv", inputs=[again]))


@pytest.mark.usefixtures("boxes")
def test_it_leaves_by_a_release_and_is_seen_in_a_workspace(permit: str, house: House, site: Served) -> None:
    made = service.submit(house.node, member(house), under(permit, "sh", "-c", SCRIPT), project="genomes")
    work_off(house.node)
    space = open_workspace(house.node, member(house), permit)
    with site.browser({"madang": house.cookies["member"]}) as browser:
        browser.headers.update(OURS)
        sent = browser.post(f"/compute/{made.id}/release", data={"names": "counts.csv", "purpose": "a paper"})
        assert sent.status_code == 303 and sent.headers["location"].startswith("/releases/"), sent.text
        assert browser.post(f"/compute/{made.id}/release", data={"names": "../../0.out"}).status_code == 422
        sent = browser.post(f"/compute/{made.id}/place", data={"workspace": str(space.id)})
        assert sent.status_code == 303, sent.text
    brought = house.node.home.path / "workspaces" / str(space.id) / "brought" / f"task-{made.id}"
    assert sorted(path.name for path in brought.rglob("*") if path.is_file()) == ["0.err", "0.out", "counts.csv"]
    other = service.submit(house.node, member(house), asked("true"))
    with pytest.raises(MadangError) as error:
        permitted.into_workspace(house.node, member(house), other, space.id)
    assert error.value.code == "task.workspace"


@pytest.mark.usefixtures("boxes")
def test_a_permit_that_ends_stops_its_tasks(permit: str, house: House) -> None:
    runs = service.submit(house.node, member(house), under(permit, "sleep", "300", seconds=600), project="genomes")
    working = Runner(house.node)
    while service.see(house.node, OWNER, runs.id).state != "running":
        working.round()
    waits = service.submit(house.node, member(house), under(permit, "true"), project="genomes")
    with house.node.write() as session:
        held = session.scalar(select(Permit).where(Permit.number == permit))
        assert held is not None
        held.state = "ended"
    while working.is_busy or service.see(house.node, OWNER, waits.id).state == "queued":
        working.round()
    for each in (runs, waits):
        found = service.see(house.node, OWNER, each.id)
        assert found.state == "system-error" and permit in found.reason
    with pytest.raises(MadangError) as error:
        service.submit(house.node, member(house), under(permit, "true"), project="genomes")
    assert error.value.code == "task.permit"


def test_nobody_else_names_a_permit(permit: str, house: House) -> None:
    make_project(house.node, OWNER, "others", "Others", organization="hospital", leader="steward")
    for who, project in (("steward", "others"), ("steward", ""), ("member", "")):
        with pytest.raises(MadangError) as error:
            service.submit(house.node, member(house, who), under(permit, "true"), project=project)
        assert error.value.code == "task.input"


@pytest.mark.usefixtures("boxes")
def test_a_record_is_read_by_who_may_read_it(house: House) -> None:
    house.published("ours", "open")
    inputs = [{"url": "madang://record/ours/person", "path": "/data"}]
    made = service.submit(house.node, member(house), asked("sh", "-c", "ls /data", inputs=inputs))
    work_off(house.node)
    assert service.printed(house.node, member(house), made.id)[0][0] == "0.parquet\n"
    house.published("theirs", "controlled")
    with pytest.raises(MadangError):
        closed = [{"url": "madang://record/theirs", "path": "/data"}]
        service.submit(house.node, member(house), asked("true", inputs=closed))


@pytest.mark.usefixtures("boxes")
def test_who_asked_for_it_hears_of_the_end(house: House) -> None:
    with house.node.write() as session:
        person = session.scalar(select(Person).where(Person.login == "member"))
        assert person is not None
        person.email = "member@example.org"
    made = service.submit(house.node, member(house), {**asked("false"), "tags": {MAIL: "end"}})
    service.submit(house.node, member(house), asked("false"))
    work_off(house.node)
    with house.node.read() as session:
        (sent,) = session.scalars(select(Mail)).all()
    assert sent.recipient == "member@example.org" and f"/compute/{made.id}" in sent.body
