"""Files that stay where they are, and checks that take long."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from madang.base.errors import MadangError
from madang.node import jobs
from madang.node.people.actor import Actor
from madang.node.people.models import Person
from madang.services.catalog import service as catalog
from madang.services.deposits import checks, handing, putting, reading, registering, service, sources, store
from portal_house import OURS, OWNER, House, describe, work_off
from services.deposits.test_deposits import begun, boxes, reads
from web.served import Served


def table(house: House, folder: Path) -> Path:
    """A deposit by the short form, and a folder with two files that lie elsewhere."""
    service.begin(house.node, OWNER, "mine", "table", "hospital", "표")
    service.describe(house.node, OWNER, "mine", description="큰 표", license="CC0-1.0")
    given = folder / "elsewhere"
    (given / "b").mkdir(parents=True)
    (given / "a.csv").write_text("x,y\n1,2\n")
    (given / "b" / "c.csv").write_text("x,y\n3,4\n")
    (given / "md5.txt").write_text(f"{hashlib.md5(b'x,y' + bytes([10]) + b'1,2' + bytes([10])).hexdigest()}  a.csv\n")
    (given / "link.csv").symlink_to("/etc/hostname")
    return given


def published(house: House) -> str:
    service.submit(house.node, OWNER, "mine")
    record = service.approve(house.node, OWNER, "mine")
    work_off(house.node)
    describe(house.node, record)
    catalog.publish(house.node, OWNER, record, 1)
    return record


def test_registered_files_are_not_copied_and_are_given_out_from_where_they_lie(house: House, tmp_path: Path) -> None:
    boxes()
    given = table(house, tmp_path)
    assert registering.register(house.node, OWNER, "mine", given) == 2
    assert registering.register(house.node, OWNER, "mine", given) == 0  # goes on where it was
    files = service.see(house.node, OWNER, "mine").files
    assert [file.name for file in files] == ["a.csv", "b/c.csv"]
    assert [file.sha256 for file in files] == [
        hashlib.sha256(path.read_bytes()).hexdigest() for path in (given / "a.csv", given / "b" / "c.csv")
    ]
    assert not any(store.whole(house.node.home, file.sha256).exists() for file in files)
    assert [each["code"] for each in checks.check(house.node, OWNER, "mine")] == []
    record = published(house)
    path, name = handing.path_of(house.node, Actor.stranger(), record, files[1].id)
    assert (path, name) == (given / "b" / "c.csv", "c.csv")


def test_a_registered_file_that_changed_is_withheld_until_it_is_the_same_again(house: House, tmp_path: Path) -> None:
    boxes()
    given = table(house, tmp_path)
    registering.register(house.node, OWNER, "mine", given)
    service.submit(house.node, OWNER, "mine")
    record = service.approve(house.node, OWNER, "mine")
    work_off(house.node)
    describe(house.node, record)
    path = given / "a.csv"
    told, before = path.stat(), path.read_bytes()
    path.write_bytes(before.replace(b"1", b"9"))
    os.utime(path, ns=(told.st_atime_ns, told.st_mtime_ns))  # as somebody does who hides it
    with pytest.raises(MadangError, match=r"a\.csv changed"):
        catalog.publish(house.node, OWNER, record, 1)
    assert catalog.see(house.node, OWNER, record).state == "draft"
    found = checks.check(house.node, OWNER, "mine")
    assert [(each["code"], each["file"]) for each in found] == [("file.changed", "a.csv")]
    path.write_bytes(before)
    with pytest.raises(MadangError, match=r"a\.csv changed"):
        catalog.publish(house.node, OWNER, record, 1)  # nobody hashed it again yet
    assert checks.check(house.node, OWNER, "mine") == []
    catalog.publish(house.node, OWNER, record, 1)
    number = service.see(house.node, OWNER, "mine").files[0].id
    assert handing.path_of(house.node, Actor.stranger(), record, number)[0] == path
    path.unlink()
    with pytest.raises(MadangError, match="withheld"):
        handing.path_of(house.node, Actor.stranger(), record, number)


def test_what_is_not_registered(house: House, tmp_path: Path) -> None:
    given = table(house, tmp_path)
    with house.node.read() as session:
        steward = Actor.person(session, session.query(Person).filter_by(login="steward").one().id)
    with pytest.raises(MadangError, match="installation"):
        registering.register(house.node, steward, "mine", given)
    for place in (house.node.home.path, house.node.home.path / "keys", house.node.home.path.parent):
        with pytest.raises(MadangError, match="holds the installation itself"):
            registering.register(house.node, OWNER, "mine", place)
    for place in (given / "link.csv", Path("/dev/zero")):
        with pytest.raises(MadangError, match="no plain file"):
            registering.register(house.node, OWNER, "mine", place)
    (given / "md5.txt").write_text(f"{'0' * 32}  a.csv\n")
    with pytest.raises(MadangError, match=r"a\.csv is another one"):
        registering.register(house.node, OWNER, "mine", given)
    assert service.see(house.node, OWNER, "mine").files == []


def test_a_check_that_takes_long_is_a_job_and_goes_on_where_it_was(
    house: House, site: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boxes()
    given = begun(house, tmp_path)
    for number in range(3):
        (given / f"a_{number}.fastq").write_text(reads(1, name=f"n{number}"))
    putting.put_folder(house.node, OWNER, "mine", given)
    monkeypatch.setattr(checks, "AT_ONCE", 10)
    monkeypatch.setattr(reading, "TOGETHER", 2)
    with pytest.raises(MadangError, match="takes a while"):
        service.submit(house.node, OWNER, "mine")
    number = checks.begin(house.node, OWNER, "mine")
    assert number is not None
    assert checks.begin(house.node, OWNER, "mine") == number  # one at a time
    with site.browser({"madang": house.cookies["administrator"]}) as browser:
        page = browser.get("/api/v1/deposits/mine")
        assert page.status_code in (200, 404)  # only its curators and its owner
    look, seen = reading.look_together, []

    def stops(group: list[tuple[Path, str]]) -> list[dict[str, object]]:
        seen.append([name for _path, name in group])
        if len(seen) == 2:
            raise OSError("the machine is switched off")
        return look(group)

    monkeypatch.setattr(reading, "look_together", stops)
    work_off(house.node)
    assert jobs.find(house.node, OWNER, number).state == "failed"
    deposit = service.see(house.node, OWNER, "mine")
    assert sum(bool(file.format) for file in deposit.files) == 2 and deposit.checked is None
    assert checks.begin(house.node, OWNER, "mine") != number
    work_off(house.node)
    assert [len(group) for group in seen] == [2, 2, 2, 1]  # what was read is not read again
    deposit = service.see(house.node, OWNER, "mine")
    assert all(file.format == "FASTQ" for file in deposit.files) and deposit.checked is not None
    assert checks.begin(house.node, OWNER, "mine") is None  # nothing is left to be read
    assert json.loads(deposit.files[0].facts)["reads"] == 20
    assert sources.is_as_it_was(deposit.files[0])


def test_the_page_shows_how_far_a_check_is(
    house: House, site: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "AT_ONCE", 10)
    with site.browser({"madang": house.cookies["steward"]}) as browser:
        made = {"name": "mine", "model": "table", "organization": "hospital"}
        assert browser.post("/api/v1/deposits", json=made, headers=OURS).status_code == 200
        (tmp_path / "a.csv").write_text("a,b\n1,2\n" * 20)
        putting.put_folder(house.node, OWNER, "mine", tmp_path / "a.csv")
        assert browser.post("/deposits/mine/check", headers=OURS).status_code == 303
        told = browser.get("/api/v1/deposits/mine").json()["job"]
        assert told["state"] == "waiting"
        assert f"/jobs/{told['number']}/events" in browser.get("/deposits/mine").text
        boxes()
        work_off(house.node)
        assert browser.get("/api/v1/deposits/mine").json()["job"] is None
        assert "Not checked since" not in browser.get("/deposits/mine").text
