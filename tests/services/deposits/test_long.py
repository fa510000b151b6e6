"""Files that stay where they are, and checks that take long."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from madang.base.errors import MadangError
from madang.base.translate import speaking
from madang.node import jobs
from madang.node.people.actor import Actor
from madang.node.people.models import Person
from madang.services.catalog import service as catalog
from madang.services.deposits import checking, checks, handing, putting, reading, registering, service, sources, store
from portal_house import OURS, OWNER, House, describe, work_off
from services.deposits.test_deposits import begun, boxes, reads
from support import ROOT, needs
from web.served import Served


def table(house: House, folder: Path) -> Path:
    """A deposit by the short form, and a folder with two files that lie elsewhere."""
    service.begin(house.node, OWNER, "mine", "table", "hospital", "표")
    service.describe(house.node, OWNER, "mine", description="큰 표", license="CC0-1.0", creators="Choi")
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


def test_a_disk_that_is_full_at_any_step_leaves_nothing_half_there_and_loses_nothing(tmp_path: Path) -> None:
    bubblewrap = needs("bwrap")
    disk = tmp_path / "disk"
    disk.mkdir()
    command = [str(bubblewrap), "--dev-bind", "/", "/", "--size", str(60 << 20), "--tmpfs", str(disk), sys.executable]
    script = str(Path(__file__).parent / "full_disk.py")
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")])
    done = subprocess.run(
        [*command, script, str(disk), "0", "40000"],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
        env=os.environ | {"PYTHONPATH": paths},
    )
    if "bwrap:" in done.stderr:
        pytest.skip(f"missing: a small disk ({done.stderr.strip()[:100]})")
    assert done.returncode == 0, done.stderr[-3_000:]
    refused = json.loads(done.stdout.splitlines()[-1])["refused"]
    assert {"put", "upload", "approve", "prepare"} <= set(refused), refused


def test_room_is_left_for_audit_and_publishing_before_the_first_byte(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.begin(house.node, OWNER, "mine", "table", "hospital")
    free = shutil.disk_usage(tmp_path).free
    monkeypatch.setattr(store, "SPARE", free - 1_000)
    with pytest.raises(MadangError, match="no room for this file"):
        service.reserve(house.node, OWNER, "mine", "a.csv", 500_000_000)
    (tmp_path / "b.csv").write_bytes(b"a,b\n" * 100)
    monkeypatch.setattr(store, "SPARE", free + (1 << 40))
    with pytest.raises(MadangError, match="no room for this file"):
        putting.put_folder(house.node, OWNER, "mine", tmp_path / "b.csv")
    assert service.see(house.node, OWNER, "mine").files == []


def test_alignments_and_variants_of_another_reference_are_found(house: House, tmp_path: Path) -> None:
    boxes()
    pytest.importorskip("pysam")
    from science.formats.test_more_formats import alignments, genome, variants

    given = tmp_path / "given"
    given.mkdir()
    reference, sequences = genome(given)
    alignments(given, "wb", "a.bam", reference, sequences)
    variants(given, "good.vcf", sequences)
    variants(given, "bad.vcf", sequences, shift=1)
    longer = {name: text + "A" for name, text in sequences.items()}
    alignments(given, "wc", "b.cram", reference, sequences)
    alignments(given, "wb", "other.bam", reference, longer)
    (given / "genome3.fa.fai").unlink(missing_ok=True)
    service.begin(house.node, OWNER, "mine", "table", "hospital", "표")
    service.describe(house.node, OWNER, "mine", description="정렬", license="CC0-1.0", creators="Choi")
    putting.put_folder(house.node, OWNER, "mine", given)
    for _time in range(2):  # nothing is said twice
        found = checks.check(house.node, OWNER, "mine")
        wrong = {(each["file"], each["code"]) for each in found if each["severity"] == "wrong"}
        assert wrong == {("bad.vcf", "vcf.reference"), ("other.bam", "reference")}
        assert len([each for each in found if each["file"] == "bad.vcf"]) == 1
    assert {each["file"] for each in found if each["code"] == "sample.twice"} == {"other.bam"}


def test_findings_are_told_in_the_language_of_each_reader(house: House, tmp_path: Path) -> None:
    boxes()
    begun(house, tmp_path)
    (tmp_path / "given" / "cut.fastq").write_text("@x\nAC\n+\n")
    putting.put_folder(house.node, OWNER, "mine", tmp_path / "given")
    checks.check(house.node, OWNER, "mine")
    deposit = service.see(house.node, OWNER, "mine")
    said = {}
    for spoken in ("en", "ko"):
        with speaking(spoken):
            said[spoken] = [each["message"] for each in checking.findings(deposit) if each["code"] == "file.cut"]
    assert said["en"] == ["Record 1: the file ends in the middle of it."]
    assert said["ko"] and not any(letter.isascii() and letter.isalpha() for letter in said["ko"][0]), said["ko"]


def test_a_landing_page_shows_what_is_in_the_files_to_those_who_may_read_them(
    house: House, site: Served, tmp_path: Path
) -> None:
    boxes()
    np, tifffile = pytest.importorskip("numpy"), pytest.importorskip("tifffile")
    given = tmp_path / "given"
    given.mkdir()
    tifffile.imwrite(given / "cells.tif", (np.arange(600 * 400) % 4_000).reshape(600, 400).astype("uint16"))
    (given / "table.csv").write_text("name,value\n<b>alpha</b>,1\n" + "x,2\n" * 9)
    service.begin(house.node, OWNER, "mine", "table", "hospital", "표와 그림")
    service.describe(house.node, OWNER, "mine", description="그림", license="CC0-1.0", creators="Choi")
    putting.put_folder(house.node, OWNER, "mine", given)
    record = published(house)
    page = site.get(f"/records/{record}").text
    assert "data:image/png;base64," in page and "600 × 400" in page
    assert "&lt;b&gt;alpha" in page and "<b>alpha" not in page
    assert "10행" in page
    found = handing.originals(house.node, "deposit-mine", record)
    assert [len(each.head) for each in found] == [0, 6]
    service.begin(house.node, OWNER, "people", "table", "hospital", "사람")
    told = {"consent": "GRU", "ethics": "IRB-1", "deidentified": "yes", "description": "d"}
    service.describe(house.node, OWNER, "people", license="CC0-1.0", **told)
    (given / "secret.csv").write_text("who,v\nsomebody,1\n")
    putting.put_folder(house.node, OWNER, "people", given / "secret.csv")
    service.submit(house.node, OWNER, "people")
    other = service.approve(house.node, OWNER, "people")
    work_off(house.node)
    describe(house.node, other)
    catalog.publish(house.node, OWNER, other, 1)
    page = site.get(f"/records/{other}").text
    assert "somebody" not in page and "secret.csv" in page
