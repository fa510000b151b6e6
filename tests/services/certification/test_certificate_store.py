"""Issuing on files: once, whole, under a lock, and never undone by a kill."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from certificates import Issuance, assess, certify, make_version

from madang.base.errors import MadangError
from madang.node import Home, signing
from madang.services.certification import Issued, current_status_list, load_scheme, register, status_list
from madang.services.certification.issuing import issue, reinstate, revoke, suspend
from support import children, die_at, needs

SCHEME = load_scheme("omop-ready")


@pytest.fixture
def issued(tmp_path: Path) -> Issuance:
    return certify(tmp_path / "home")


def test_the_same_version_is_certified_once(issued: Issuance) -> None:
    again = issue(issued.home, issued.version, SCHEME, assess(issued.version))
    assert not again.new and again.entry == issued.entry
    revoke(issued.home, issued.entry.certificate.number)
    anew = issue(issued.home, issued.version, SCHEME, assess(issued.version))
    assert anew.new and len(register(issued.home)) == 2


def test_many_at_once_issue_one(tmp_path: Path) -> None:
    home = Home(tmp_path)
    version = make_version(home)
    quality, done = assess(version), list[Issued]()
    threads = [threading.Thread(target=lambda: done.append(issue(home, version, SCHEME, quality))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(done) == 6 and len(register(home)) == 1
    assert sum(one.new for one in done) == 1


def test_states_change_as_they_may(issued: Issuance) -> None:
    home, number = issued.home, issued.entry.certificate.number
    assert suspend(home, number, "이유").state == "suspended"
    with pytest.raises(MadangError) as caught:
        issue(home, issued.version, SCHEME, assess(issued.version))
    assert caught.value.code == "certificate.suspended"  # a suspension is not got round by a new one
    assert reinstate(home, number).state == "issued"
    for act, wrong in ((reinstate, "certificate.state"), (revoke, ""), (revoke, "certificate.state")):
        if not wrong:
            assert act(home, str(int(number)), "for good").reason == "for good"
            continue
        with pytest.raises(MadangError) as caught:
            act(home, number)
        assert caught.value.code == wrong
    for act in (suspend, reinstate):
        with pytest.raises(MadangError):
            act(home, number)
    for unknown in ("99999999", "../keys", "", "x"):
        with pytest.raises(MadangError) as caught:
            revoke(home, unknown)
        assert caught.value.code == "certificate.unknown"


def test_an_assessment_of_something_else_certifies_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path)
    version = make_version(home)
    for change in ({"manifest": "0" * 64}, {"version": 2}, {"dataset": "other"}, {"cohort": 1}):
        with pytest.raises(MadangError) as caught:
            issue(home, version, SCHEME, assess(version, **change))
        assert caught.value.code == "certificate.other_report"
    assert register(home) == []


def test_the_list_is_signed_again_when_it_is_lost_or_says_something_else(issued: Issuance) -> None:
    path = issued.home.path / "certificates/status.jwt"
    good = current_status_list(issued.home)
    assert current_status_list(issued.home) == good  # not signed anew for nothing
    for damage in (b"", b"\xff", b"a.b.c", issued.entry.text.encode()):
        path.write_bytes(damage)
        assert len(current_status_list(issued.home)) > 500
    path.unlink()
    assert current_status_list(issued.home).count(".") == 2


def test_damage_is_one_sentence(issued: Issuance) -> None:
    path = issued.entry.folder / "certificate.jwt"
    path.chmod(0o644)
    path.write_text("x")
    with pytest.raises(MadangError) as caught:
        register(issued.home)
    assert caught.value.code == "certificate.damaged"
    (issued.home.path / "certificates/history.json").write_text("[]")
    with pytest.raises(MadangError) as caught:
        register(issued.home)
    assert caught.value.code == "certificate.damaged"


CALLS = ("rename", "replace", "link", "mkdir", "rmdir", "unlink")
MOST = 100


def act(folder: Path, number: str, step: int) -> None:
    """Issue, or with a number revoke; in a process that dies at its `step`-th call that changes files."""
    home = Home(folder)
    version = home.lake().find("synthetic@1")
    die_at(step, CALLS)
    if number:
        revoke(home, number)
    else:
        issue(home, version, SCHEME, assess(version))


EVERY = range(1, MOST)
SOME = (1, 2, 5)


@pytest.mark.parametrize("steps", [SOME, pytest.param(EVERY, marks=pytest.mark.big)], ids=["some", "every"])
@pytest.mark.parametrize("acting", ["issue", "revoke"])
def test_killed_anywhere_there_is_one_whole_certificate_or_none(
    tmp_path: Path, acting: str, steps: Sequence[int]
) -> None:
    ready = Home(tmp_path / "ready")
    version = make_version(ready)
    number = issue(ready, version, SCHEME, assess(version)).entry.certificate.number if acting == "revoke" else ""
    for step in steps:
        home = Home(tmp_path / str(step))
        shutil.copytree(ready.path, home.path)
        child = children.Process(target=act, args=(home.path, number, step))
        child.start()
        child.join()
        assert child.exitcode in (0, -signal.SIGKILL)
        for entry in register(home):  # nothing half done is seen
            assert {path.name for path in entry.folder.iterdir()} == {"certificate.jwt", "report.json", "sheet.html"}
        issue(home, version, SCHEME, assess(version))  # and the next one goes on
        assert sum(entry.state == "issued" for entry in register(home)) == 1
        assert not list((home.path / "certificates").glob("*.partial"))
        revoked = {entry.certificate.place for entry in register(home) if entry.state == "revoked"}
        payload = signing.read_signed(current_status_list(home), signing.public_keys(home), "vc+jwt")
        bits = status_list.decode(payload["credentialSubject"]["encodedList"])
        assert {place for place in range(status_list.PLACES) if status_list.is_set(bits, 2 * place)} == revoked
        if child.exitcode == 0:
            assert step > 2
            return
    assert steps is SOME, f"more than {MOST} steps"


def test_the_sheet_holds_the_certificate_and_runs_nothing(issued: Issuance) -> None:
    page = (issued.entry.folder / "sheet.html").read_text()
    assert "default-src 'none'" in page and "<script" not in page
    assert set(re.findall(r"\w+://[^\s\"]*", page)) <= {"http://www.w3.org/2000/svg"}
    assert "OMOP 연구 활용 적합" in page and "Ready for OMOP studies" in page
    hostile = issue(
        issued.home,
        version := make_version(issued.home, "hostile"),
        SCHEME,
        assess(version, about={"cdm_source_name": "<script>alert(1)</script>"}),
    ).entry
    assert "<script" not in (hostile.folder / "sheet.html").read_text()


def test_the_sheet_prints_on_one_page_and_its_code_is_the_certificate(tmp_path: Path) -> None:
    chromium, zbarimg, pdftoppm = needs("chromium"), needs("zbarimg"), needs("pdftoppm")
    home = Home(tmp_path / "home")
    version = make_version(home, "a" * 100)
    long = "a release with a name that takes more room than anybody would give it " * 2
    quality = assess(version, vocabulary=long, about={"cdm_source_name": long, "cdm_holder": "보유기관 " * 9})
    entry = issue(home, version, SCHEME, quality).entry
    assert len(entry.text) <= 1_200
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer"]
    sheet, pdf = entry.folder / "sheet.html", tmp_path / "sheet.pdf"
    subprocess.run([*command, f"--print-to-pdf={pdf}", sheet], check=True, capture_output=True, timeout=120)
    subprocess.run([pdftoppm, "-r", "200", "-png", pdf, tmp_path / "page"], check=True, capture_output=True)
    [page] = tmp_path.glob("page*.png")
    read = subprocess.run([zbarimg, "-q", "--raw", page], check=True, capture_output=True, text=True)
    assert read.stdout.strip() == entry.text


def test_a_stranger_verifies_in_another_process_with_nothing_of_ours(issued: Issuance, tmp_path: Path) -> None:
    [public] = signing.public_keys(issued.home)
    given = tmp_path / "given"
    given.mkdir()
    (given / "key.jwk").write_text(json.dumps(public))
    (given / "status.jwt").write_text(current_status_list(issued.home) + "\n")
    (given / "certificate.jwt").write_text(issued.entry.text)
    (issued.version.dataset.folder).rename(given / "data")
    environment = os.environ | {"MADANG_HOME": str(tmp_path / "empty"), "MADANG_LANG": "en"}
    madang = [str(Path(sys.executable).with_name("madang")), "certificate", "verify", "certificate.jwt"]
    options = ["--key", "key.jwk", "--status", "status.jwt", "--data", "./data"]

    def run(*arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [*madang, *arguments], cwd=given, env=environment, capture_output=True, text=True, timeout=120
        )
        return done.returncode, done.stdout.partition(":")[0]

    assert run(*options) == (0, "valid")
    assert run(*options[:4]) == (3, "data not checked")
    assert run() == (3, "issuer not trusted")
    table = next((given / "data/person").glob("*.parquet"))
    table.chmod(0o644)
    content = bytearray(table.read_bytes())
    content[len(content) // 2] ^= 1
    table.write_bytes(content)
    assert run(*options) == (3, "not about these data")
    assert not (tmp_path / "empty").exists()
