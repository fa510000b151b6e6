"""Issuing: once, whole, under a lock, and never undone by a kill; the list and the sheet that are handed out."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from certificates import Issuance, assess, bits, certified, certify, fresh, make_version
from sqlalchemy import update

from madang.base.errors import MadangError
from madang.node import Home, acts, signing
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.services.certification import (
    Issued,
    adopt,
    current_status_list,
    issue,
    load_scheme,
    register,
    reinstate,
    revoke,
    rotate_key,
    suspend,
)
from madang.services.certification.doctor import look
from madang.services.certification.models import Registered
from portal_house import OWNER
from support import children, die_at, needs

SCHEME = load_scheme("omop-ready")


@pytest.fixture
def issued(tmp_path: Path) -> Iterator[Issuance]:
    made = certify(tmp_path / "home")
    yield made
    made.node.close()


def test_the_same_version_is_certified_once(issued: Issuance) -> None:
    node, version = issued.node, issued.version
    again = issue(node, OWNER, version, SCHEME, assess(version))
    assert not again.new and again.entry == issued.entry
    revoke(node, OWNER, issued.number)
    anew = issue(node, OWNER, version, SCHEME, assess(version))
    assert anew.new and len(register(node)) == 2


def test_many_at_once_issue_one(tmp_path: Path) -> None:
    node = fresh(tmp_path / "home")
    version = make_version(node.home)
    quality, done = assess(version), list[Issued]()
    threads = [
        threading.Thread(target=lambda: done.append(issue(node, OWNER, version, SCHEME, quality))) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(done) == 6 and len(register(node)) == 1
    assert sum(one.new for one in done) == 1
    node.close()


def test_states_change_as_they_may(issued: Issuance) -> None:
    node, number = issued.node, issued.number
    assert suspend(node, OWNER, number, "이유").state == "suspended"
    with pytest.raises(MadangError) as caught:
        issue(node, OWNER, issued.version, SCHEME, assess(issued.version))
    assert caught.value.code == "certificate.suspended"  # a suspension is not got round by a new one
    assert reinstate(node, OWNER, number).state == "issued"
    for act, wrong in ((reinstate, "act.state"), (revoke, ""), (revoke, "act.state")):
        if not wrong:
            assert act(node, OWNER, str(int(number)), "for good").reason == "for good"
            continue
        with pytest.raises(MadangError) as caught:
            act(node, OWNER, number)
        assert caught.value.code == wrong
    for act in (suspend, reinstate):
        with pytest.raises(MadangError):
            act(node, OWNER, number)
    for unknown in ("99999999", "../keys", "", "x"):
        with pytest.raises(MadangError) as caught:
            revoke(node, OWNER, unknown)
        assert caught.value.code == "certificate.unknown"


def test_only_a_certifier_issues_and_changes_anything(issued: Issuance) -> None:
    stranger, version = Actor.stranger(), make_version(issued.home, "other")
    for doing in (
        lambda: issue(issued.node, stranger, version, SCHEME, assess(version)),
        lambda: revoke(issued.node, stranger, issued.number),
        lambda: adopt(issued.node, stranger),
        lambda: rotate_key(issued.node, stranger),
    ):
        with pytest.raises(MadangError) as caught:
            doing()
        assert caught.value.code == "permission.sign_in"
    assert [entry.state for entry in register(issued.node)] == ["issued"]
    assert len(signing.public_keys(issued.home)) == 1


def test_an_assessment_of_something_else_certifies_nothing(tmp_path: Path) -> None:
    node = fresh(tmp_path / "home")
    version = make_version(node.home)
    for change in ({"manifest": "0" * 64}, {"version": 2}, {"dataset": "other"}, {"cohort": 1}):
        with pytest.raises(MadangError) as caught:
            issue(node, OWNER, version, SCHEME, assess(version, **change))
        assert caught.value.code == "certificate.other_report"
    assert register(node) == []
    node.close()


def test_the_list_is_signed_again_when_it_is_lost_or_says_something_else(issued: Issuance) -> None:
    path = issued.home.path / "certificates/status.jwt"
    good = current_status_list(issued.node)
    assert current_status_list(issued.node) == good  # not signed anew for nothing
    for damage in (b"", b"\xff", b"a.b.c", issued.entry.text.encode()):
        path.write_bytes(damage)
        assert len(current_status_list(issued.node)) > 500
    path.unlink()
    assert current_status_list(issued.node).count(".") == 2


def test_a_revocation_that_was_told_stays_told(issued: Issuance) -> None:
    """As after a restore of a database that is older than the files."""
    revoke(issued.node, OWNER, issued.number)
    other = issued.again("other").certificate.number
    suspend(issued.node, OWNER, other)
    with issued.node.write() as session:
        session.execute(update(Registered).values(state="issued"))
    assert bits(issued.node) == {2 * int(issued.number)}
    found = [finding for finding in look(issued.node) if finding.level == "bad"]
    assert [issued.number in finding.message for finding in found] == [True]


def test_damage_is_one_sentence_and_the_register_is_read_all_the_same(issued: Issuance) -> None:
    path = issued.entry.folder / "certificate.jwt"
    path.chmod(0o644)
    path.write_text("x")
    (entry,) = register(issued.node)
    with pytest.raises(MadangError) as caught:
        _ = entry.text
    assert caught.value.code == "certificate.damaged"
    path.unlink()
    with pytest.raises(MadangError) as caught:
        _ = entry.text
    assert caught.value.code == "certificate.damaged"


CALLS = ("rename", "replace", "link", "mkdir", "rmdir", "unlink")
MOST = 100


def act(folder: Path, number: str, step: int) -> None:
    """Issue, or with a number revoke; in a process that dies at its `step`-th call that changes files."""
    node = Node.open(Home(folder))
    version = node.home.lake().find("synthetic@1")
    die_at(step, CALLS)
    if number:
        revoke(node, OWNER, number)
    else:
        issue(node, OWNER, version, SCHEME, assess(version))


EVERY = range(1, MOST)
SOME = (1, 2, 5, 9)


@pytest.mark.parametrize("steps", [SOME, pytest.param(EVERY, marks=pytest.mark.big)], ids=["some", "every"])
@pytest.mark.parametrize("acting", ["issue", "revoke"])
def test_killed_anywhere_there_is_one_whole_certificate_or_none(
    tmp_path: Path, acting: str, steps: Sequence[int]
) -> None:
    ready = fresh(tmp_path / "ready")
    version = make_version(ready.home)
    number = certified(ready, version).certificate.number if acting == "revoke" else ""
    ready.close()
    for step in steps:
        home = Home(tmp_path / str(step))
        shutil.copytree(ready.home.path, home.path)
        child = children.Process(target=act, args=(home.path, number, step))
        child.start()
        child.join()
        assert child.exitcode in (0, -signal.SIGKILL)
        with contextlib.closing(Node.open(home)) as node:
            here = node.home.lake().find("synthetic@1")
            for entry in register(node):  # nothing half done is seen
                assert {path.name for path in entry.folder.iterdir()} == {
                    "certificate.jwt", "report.json", "sheet.html"
                }  # fmt: skip
            issue(node, OWNER, here, SCHEME, assess(here))  # and the next one goes on
            assert sum(entry.state == "issued" for entry in register(node)) == 1
            assert not list((home.path / "certificates").glob("*.partial"))
            revoked = {2 * entry.certificate.place for entry in register(node) if entry.state == "revoked"}
            assert bits(node) == revoked
            assert [finding.level for finding in look(node)] == ["good"]
            assert acts.settle(node) == []
        if child.exitcode == 0:
            assert step > 1
            return
    assert steps is SOME, f"more than {MOST} steps"


def test_the_sheet_holds_the_certificate_and_runs_nothing(issued: Issuance) -> None:
    page = (issued.entry.folder / "sheet.html").read_text()
    assert "default-src 'none'" in page and "<script" not in page
    assert set(re.findall(r"\w+://[^\s\"]*", page)) <= {"http://www.w3.org/2000/svg"}
    assert "OMOP 연구 활용 적합" in page and "Ready for OMOP studies" in page
    hostile = issued.again("hostile", about={"cdm_source_name": "<script>alert(1)</script>"})
    assert "<script" not in (hostile.folder / "sheet.html").read_text()


def test_the_sheet_prints_on_one_page_and_its_code_is_the_certificate(tmp_path: Path) -> None:
    chromium, zbarimg, pdftoppm = needs("chromium"), needs("zbarimg"), needs("pdftoppm")
    node = fresh(tmp_path / "home")
    version = make_version(node.home, "a" * 100)
    long = "a release with a name that takes more room than anybody would give it " * 2
    quality = assess(version, vocabulary=long, about={"cdm_source_name": long, "cdm_holder": "보유기관 " * 9})
    entry = issue(node, OWNER, version, SCHEME, quality).entry
    assert len(entry.text) <= 1_200
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer"]
    sheet, pdf = entry.folder / "sheet.html", tmp_path / "sheet.pdf"
    subprocess.run([*command, f"--print-to-pdf={pdf}", sheet], check=True, capture_output=True, timeout=120)
    subprocess.run([pdftoppm, "-r", "200", "-png", pdf, tmp_path / "page"], check=True, capture_output=True)
    [page] = tmp_path.glob("page*.png")
    read = subprocess.run([zbarimg, "-q", "--raw", page], check=True, capture_output=True, text=True)
    assert read.stdout.strip() == entry.text
    node.close()


def test_a_stranger_verifies_in_another_process_with_nothing_of_ours(issued: Issuance, tmp_path: Path) -> None:
    [public] = signing.public_keys(issued.home)
    given = tmp_path / "given"
    given.mkdir()
    (given / "key.jwk").write_text(json.dumps(public))
    (given / "status.jwt").write_text(current_status_list(issued.node) + "\n")
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
