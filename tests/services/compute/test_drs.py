"""DRS: objects of the catalog, of tasks and of permits; sizes and hashes are those of the bytes."""

import hashlib
from datetime import timedelta
from typing import Any

import pytest

from madang.node.database import now
from madang.services.access.signed import read_visas, visa
from madang.services.compute import service, staging
from madang.services.compute.runner import work_off
from portal_house import House
from services.compute.conftest import token  # type: ignore[import-not-found]  # beside the tests
from services.compute.test_tasks import asked, member  # type: ignore[import-not-found]  # beside the tests
from web.served import Served

BASE = "/ga4gh/drs/v1"


def told(site: Any, name: str, **more: Any) -> dict[str, Any]:
    answer = site.get(f"{BASE}/objects/{name}", **more)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_version_is_a_bundle_of_tables_whose_bytes_have_their_hash(house: House, site: Served) -> None:
    house.published("ours", "open")
    info = site.get(f"{BASE}/service-info").json()
    assert info["type"] == {"group": "org.ga4gh", "artifact": "drs", "version": "1.4.0"}
    whole = told(site, "record~ours~1")
    assert {each["name"] for each in whole["contents"]} == {"person", "visit_occurrence", "cdm_source"}
    assert whole["aliases"] == ["madang://record/ours@1"] and whole["self_uri"].endswith("/record~ours~1")
    expanded = told(site, "record~ours~1", params={"expand": "true"})
    assert all(each["contents"] for each in expanded["contents"])
    parts = [told(site, each["id"]) for each in whole["contents"]]
    assert whole["size"] == sum(each["size"] for each in parts)
    hashes = sorted(each["checksums"][0]["checksum"] for each in parts)
    assert whole["checksums"][0]["checksum"] == hashlib.sha256("".join(hashes).encode()).hexdigest()
    file = told(site, "record~ours~1~person~0")
    access = file["access_methods"][0]
    assert site.get(f"{BASE}/objects/{file['id']}/access/{access['access_id']}").json() == access["access_url"]
    where = access["access_url"]["url"].removeprefix(site.address)
    content = site.get(where).content
    assert (len(content), hashlib.sha256(content).hexdigest()) == (file["size"], file["checksums"][0]["checksum"])
    part = site.get(where, headers={"Range": "bytes=4-9"})
    assert part.status_code == 206 and part.content == content[4:10]
    many = site.post(f"{BASE}/objects", json={"bulk_object_ids": ["record~ours~1", "record~none~1", "task~1", "x"]})
    assert many.json()["summary"] == {"requested": 4, "resolved": 1, "unresolved": 3}


def test_nobody_is_told_of_what_they_may_not_read(house: House, site: Served) -> None:
    house.published("theirs", "controlled")
    staging.bring(house.node, member(house), "a.txt", b"abc")
    for name in (
        "record~theirs~1",
        "record~theirs~1~person~0",
        "file~1",
        "file~9",
        "task~1",
        "permit~1",
        "x",
        "~",
        "r~~",
    ):
        assert site.get(f"{BASE}/objects/{name}").status_code in (401, 403, 404), name
        assert site.get(f"{BASE}/objects/{name}/bytes").status_code in (401, 403, 404), name
    assert site.post(f"{BASE}/objects", json={"bulk_object_ids": "x"}).status_code == 400
    with site.browser() as mine:
        mine.headers["Authorization"] = f"Bearer {token(house, 'member')}"
        found = told(mine, "file~1")
        assert found["checksums"][0]["checksum"] == hashlib.sha256(b"abc").hexdigest()
        assert mine.get(found["access_methods"][0]["access_url"]["url"]).content == b"abc"
        mine.headers["Authorization"] = f"Bearer {token(house, 'steward')}"
        assert mine.get(f"{BASE}/objects/file~1").status_code == 404


@pytest.mark.usefixtures("boxes")
def test_what_a_task_left_is_an_object(house: House, site: Served) -> None:
    made = service.submit(house.node, member(house), asked("sh", "-c", "mkdir d; echo x > d/y; echo z > z"))
    work_off(house.node)
    with site.browser() as mine:
        mine.headers["Authorization"] = f"Bearer {token(house, 'member')}"
        whole = told(mine, f"task~{made.id}")
        assert sorted(each["name"] for each in whole["contents"]) == ["d/y", "z"]
        contents = {
            each["name"]: mine.get(told(mine, each["id"])["access_methods"][0]["access_url"]["url"]).content
            for each in whole["contents"]
        }
        assert contents == {"d/y": b"x\n", "z": b"z\n"}
        assert mine.get(f"{BASE}/objects/task~{made.id}~2").status_code == 404


def test_a_visa_opens_what_is_told_of_an_extract_and_no_bytes(permit: str, house: House, site: Served) -> None:
    def made(subject: str, number: str = permit, **more: Any) -> str:
        moments = {"asserted": now(), "begins": now(), "ends": now() + timedelta(hours=1)} | more
        return visa(house.node, subject=subject, permit=number, dataset="extract", source="Hospital", **moments)

    address = f"{BASE}/objects/permit~{permit}~person~0"
    assert site.get(address).status_code in (404,)
    answer = site.post(address, json={"passports": [made("member")]})
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["checksums"][0]["checksum"]) == 64 and "access_methods" not in answer.json()
    assert site.get(f"{address}/bytes").status_code == 404
    bad = [
        made("steward"),  # not of the project
        made("member", "P-2"),
        made("member", ends=now() - timedelta(hours=1)),
        made("member")[:-4] + "AAAA",
        made("member") + ".x",
        "x.y.z",
        "",
    ]
    for each in bad:
        assert site.post(address, json={"passports": [each]}).status_code in (404,), each
    assert read_visas(house.node, ["a" * 100_000, *bad[3:]] * 50) == []
    with site.browser() as browser:
        told_ = browser.request("OPTIONS", f"{BASE}/objects/permit~{permit}").json()
    assert told_["supported_types"] == ["BearerAuth", "BasicAuth", "PassportAuth"]
