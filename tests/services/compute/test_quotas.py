"""What may be used, what was used, and what it costs: by person, project and organization."""

import json
from datetime import date, timedelta
from typing import Any

import pytest

from madang.base.errors import MadangError
from madang.node.database import now
from madang.node.people.projects import make_project
from madang.services.compute import prices, quotas, service, staging, usage
from madang.services.compute.models import Task
from madang.services.compute.quotas import Limits
from madang.services.compute.runner import work_off
from portal_house import OURS, OWNER, House
from services.compute.test_tasks import asked, member  # type: ignore[import-not-found]  # beside the tests
from web.served import Served


def ended(house: House, share: str, days: int, hours: float, **more: Any) -> None:
    """A task that ended so many days ago after so many hours."""
    at = now() - timedelta(days=days)
    values = {"share": share, "definition": "{}", "cores": 2, "memory": 1, "disk": 1, "seconds": 1, "state": "complete"}
    with house.node.write() as session:
        session.add(Task(**values | {"started": at - timedelta(hours=hours), "ended": at} | more))


def refused(house: House, *command: str, project: str = "", **more: Any) -> str:
    with pytest.raises(MadangError) as error:
        service.submit(house.node, member(house), asked(*command, **more), project=project)
    assert error.value.code == "task.quota"
    return error.value.message


def test_hours_memory_and_disk_bind_a_project_and_its_organization(house: House) -> None:
    for name in ("genomes", "proteins"):
        make_project(house.node, OWNER, name, name, organization="hospital", leader="member")
    ended(house, "project:1", 3, 5.0)
    ended(house, "project:1", 40, 500.0)  # too long ago to count
    quotas.set_quota(house.node, OWNER, "organization:hospital", Limits(core_hours=10.0))
    assert "10 core hours" in refused(house, "true", project="genomes")
    assert "10 core hours" in refused(house, "true", project="proteins")  # of one organization
    service.submit(house.node, member(house), asked("true"))  # one's own is not
    quotas.set_quota(house.node, OWNER, "organization:hospital", Limits(core_hours=11.0, memory=400_000_000))
    assert "memory" in refused(house, "true", project="genomes")
    quotas.set_quota(house.node, OWNER, "organization:hospital", Limits(disk=1000))
    staging.bring(house.node, member(house), "a", b"x" * 900, "proteins")
    service.submit(house.node, member(house), asked("true"), project="genomes")
    with pytest.raises(MadangError) as error:
        staging.bring(house.node, member(house), "b", b"x" * 200, "genomes")
    assert error.value.code == "task.quota"
    ended(house, "project:1", 1, 0.1, kept=500)
    assert "kept" in refused(house, "true", project="genomes")
    quotas.set_quota(house.node, OWNER, "organization:hospital", Limits())
    service.submit(house.node, member(house), asked("true"), project="genomes")
    for wrong in ("", " ", "organization:nobody", "hospital", "project:", "person:99999999999"):
        with pytest.raises(MadangError) as error:
            quotas.set_quota(house.node, OWNER, wrong, Limits(1.0))
        assert error.value.code == "task.share"


def test_hours_of_gpus_bind_only_who_asks_for_one(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from madang.services.compute import definition

    monkeypatch.setattr(definition, "machine", lambda: definition.Machine(2, 8_000_000_000, 1))
    share = f"person:{member(house).person_id}"
    ended(house, share, 1, 2.0, gpus=3, owner_id=member(house).person_id)
    quotas.set_quota(house.node, OWNER, "person:member", Limits(gpu_hours=6.0))
    gpu = {"ram_gb": 0.5, "backend_parameters": {"gpus": "1"}}
    assert "6 GPU hours" in refused(house, "true", resources=gpu)
    service.submit(house.node, member(house), asked("true"))
    assert usage.usage(house.node, member(house))[0].gpu_hours == pytest.approx(6.0)


@pytest.mark.usefixtures("boxes")
def test_only_as_many_cores_and_bytes_as_a_quota_has_run_at_one_time(house: House) -> None:
    """Of an organization's two projects with room for one task, one waits until the other is over; others do not."""
    from madang.services.compute.runner import Runner

    for name in ("genomes", "proteins"):
        make_project(house.node, OWNER, name, name, organization="hospital", leader="member")
    quotas.set_quota(house.node, OWNER, "organization:hospital", Limits(memory=900_000_000))
    first = [service.submit(house.node, member(house), asked("true"), project=p) for p in ("genomes", "proteins")]
    own = service.submit(house.node, member(house), asked("true"))
    runner = Runner(house.node)
    with house.node.write() as session:
        taken = {each.number for each in runner._take(session, set())}
        assert taken == {first[0].id, own.id}
        session.rollback()
    work_off(house.node)
    states = {service.see(house.node, OWNER, each.id).state for each in (*first, own)}
    assert states == {"complete"}


def test_what_was_used_costs_what_was_the_price_of_its_day(house: House) -> None:
    """Against the sum by hand."""
    make_project(house.node, OWNER, "genomes", "Genomes", organization="hospital", leader="member")
    today = now().date()
    ended(house, "project:1", 20, 3.0, project_id=1)  # before the first price
    ended(house, "project:1", 9, 3.0, project_id=1)
    ended(house, "project:1", 2, 1.5, project_id=1, gpus=2, kept=2_500_000_000)
    for days, price in ((10, 100.0), (3, 200.0)):
        begins = today - timedelta(days=days)
        prices.set_price(house.node, OWNER, begins, "KRW", core_hour=price, gpu_hour=10 * price, gigabyte=7.0)
    found = usage.usage(house.node, member(house))[0]
    assert found.costs == pytest.approx(6 * 100 + 3 * 200 + 3 * 2000 + 2.5 * 7.0)
    assert found.core_hours == pytest.approx(15.0) and found.currency == "KRW"
    shown = {row.what for part in service.of_project(house.node, member(house), 1) for row in part.rows}
    assert any("costs: 7,217.50 KRW" in each for each in shown)
    for begins, currency, price in ((today, "won", 1.0), (today, "KRW", -1.0), (today, "KRW", float("nan"))):
        with pytest.raises(MadangError) as error:
            prices.set_price(house.node, OWNER, begins, currency, core_hour=price, gpu_hour=0.0, gigabyte=0.0)
        assert error.value.code == "price.bad"
    with pytest.raises(MadangError):
        prices.set_price(house.node, member(house), today, "KRW", core_hour=1.0, gpu_hour=0.0, gigabyte=0.0)


@pytest.mark.usefixtures("boxes")
def test_what_a_task_left_is_removed_and_frees_its_quota(house: House) -> None:
    quotas.set_quota(house.node, OWNER, "person:member", Limits(disk=1000))
    made = service.submit(house.node, member(house), asked("sh", "-c", "head -c 5000 /dev/zero > big"))
    with pytest.raises(MadangError):
        service.clear(house.node, member(house), made.id)
    work_off(house.node)
    assert service.see(house.node, OWNER, made.id).kept == 5000
    assert "kept" in refused(house, "true")
    with pytest.raises(MadangError):
        service.clear(house.node, member(house, "steward"), made.id)
    assert service.clear(house.node, member(house), made.id) == 5000
    service.submit(house.node, member(house), asked("true"))
    with pytest.raises(MadangError):
        staging.output_path(house.node, made.id, "big")
    told = service.result_of(service.see(house.node, OWNER, made.id))["outputs"][0]
    assert told["name"] == "big" and len(told["sha256"]) == 64  # what it was stays known


@pytest.mark.parametrize("language", ["en", "ko"])
def test_an_operator_sees_the_machine_and_sets_quotas_and_prices(language: str, house: House, site: Served) -> None:
    make_project(house.node, OWNER, "genomes", "Genomes", organization="hospital", leader="member")
    service.submit(house.node, member(house), asked("true"), project="genomes")
    with site.browser({"madang": house.cookies["administrator"]}) as browser:
        browser.headers.update({**OURS, "Accept-Language": language})
        given = {"share": "project:genomes", "core_hours": "50", "gpu_hours": "", "memory": "4G", "disk": "1G"}
        assert browser.post("/machine/quotas", data=given).status_code == 303
        price = {"begins": date.today().isoformat(), "currency": "KRW", "core_hour": "30", "gpu_hour": "1500"}
        assert browser.post("/machine/prices", data=price).status_code == 303
        told = browser.get("/api/v1/machine").json()
        assert told["quotas"][0] | {"title": ""} == {
            "share": "project:1",
            "title": "",
            "core_hours": 50.0,
            "used_core_hours": 0.0,
            "cores": None,
            "gpu_hours": None,
            "used_gpu_hours": 0.0,
            "memory": 4_000_000_000,
            "disk": 1_000_000_000,
            "kept": 0,
        }
        assert [(each["title"], each["waiting"]) for each in told["use"]] == [("Genomes", 1)]
        page = browser.get("/machine").text
        assert "Genomes" in page and "1,500" not in page and "1500" in page
        bad = browser.post("/machine/quotas", data={"share": "project:none", "core_hours": "1"})
        assert bad.status_code == 422 and "project:none" in bad.text
    with site.browser({"madang": house.cookies["member"]}) as other:
        other.headers.update({**OURS, "Accept-Language": "en"})
        assert other.get("/machine").status_code == 403
        assert other.post("/machine/quotas", data=given).status_code == 403
        shown = json.dumps(other.get("/api/v1/compute").json()["use"])
        assert "of 50 core hours" in shown
