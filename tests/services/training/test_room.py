"""One person from the first page to a badge; a teacher's class; who may not."""

import base64
import gzip
import json
import subprocess
import sys
import unicodedata
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from madang.base.errors import MadangError
from madang.node import closed, signing
from madang.node.database import now
from madang.node.people import accounts
from madang.node.people.models import Person
from madang.science.grading.tasks import ENDINGS
from madang.services.training import badges, courses, giving, teaching
from madang.services.training.boxes import SHELF
from madang.services.training.models import Answer
from portal_house import OURS, OWNER, House
from support import needs
from web.served import Served

COURSE = "medical-ai"
AT = f"/training/courses/{COURSE}"
ROSTER = "학번,이름,아이디,조\n20260001,한가람,member,1\n20260002,=cmd(),,2\n"


def boxes_needed() -> None:
    needs("bwrap")
    if not closed.is_available():
        needs("/permission to close programs in")


def references(course: str) -> list[tuple[str, str, str]]:
    """Lesson, task and reference answer of every task that has one."""
    made = []
    for lesson, task in courses.read_course(SHELF / course).tasks():
        assert task.folder is not None
        for ending in ENDINGS[task.kind]:
            path = task.folder / f"reference{ending}"
            if path.is_file():
                made.append((lesson.name, task.name, path.read_text()))
    return made


def visiting(site: Served, house: House, who: str) -> httpx.Client:
    """A browser of somebody who reads English."""
    made = site.browser({"madang": house.cookies[who]})
    made.headers.update(OURS | {"Accept-Language": "en"})
    return made


ENGLISH = {"headers": {"Accept-Language": "en"}}


def test_from_the_first_page_to_a_badge(house: House, site: Served, tmp_path: Path) -> None:
    boxes_needed()
    with visiting(site, house, "member") as browser:
        assert COURSE in browser.get("/training").text
        assert "Sensitivity" in browser.get(AT).text
        lesson = browser.get(f"{AT}/{COURSE}")
        assert "<script" not in lesson.text.partition("<main")[2]
        assert len(lesson.content) < 100_000
        assert browser.post(f"{AT}/badge", follow_redirects=True).status_code == 409
        first = f"{AT}/{COURSE}/split"
        wrong = browser.post(first, data={"answer": "def split(a, b):\n    return 1"}, follow_redirects=True)
        assert "not met" in wrong.text
        for name, task, answer in references(COURSE):
            sent = browser.post(f"{AT}/{name}/{task}", data={"answer": answer}, follow_redirects=True)
            assert sent.status_code == 200
        told = browser.get(f"/api/v1{first}").json()
        assert told["score"] == told["largest"]
        assert told["tries"] == 2
        page = browser.post(f"{AT}/badge", follow_redirects=True)
        assert "It holds." in page.text
        uid = str(page.url).rpartition("/")[2].partition("?")[0]
        file = tmp_path / "badge.jwt"
        file.write_bytes(browser.get(f"/badges/{uid}/badge.jwt").content)
        assert "proven" in browser.get("/training/me").text
    assert "It holds." in site.get(f"/badges/{uid}", **ENGLISH).text  # a stranger
    key = tmp_path / "key.json"
    key.write_text(json.dumps(signing.public_keys(house.node.home)[0]))
    status = tmp_path / "status.jwt"
    status.write_bytes(site.get("/training/badges/status.jwt").content)
    assert _verify(file, "--key", key, "--status", status) == 0
    assert _verify(file) == 3  # nobody is trusted there
    text = file.read_text()
    file.write_text(text[:-20] + ("A" if text[-20] != "A" else "B") + text[-19:])
    assert _verify(file, "--key", key) == 3
    file.write_text(text)
    assert _verify(file, "--key", key, "--holder", "Somebody Else") == 3
    with visiting(site, house, "member") as browser:
        assert browser.post(f"/badges/{uid}/revoke", data={"reason": "x"}).status_code == 403
    giving.revoke(house.node, OWNER, uid, "a mistake")
    assert "taken back" in site.get(f"/badges/{uid}", **ENGLISH).text
    status.write_bytes(site.get("/training/badges/status.jwt").content)
    assert _verify(file, "--key", key, "--status", status) == 3


def _verify(file: Path, *more: str | Path) -> int:
    """By the command, in another process with another home, and with the network off."""
    off = "import socket\ndef off(*_given): raise OSError('no network here')\nsocket.socket.connect = off\n"
    code = off + "from madang.services.training.commands import app; app()"
    words = [sys.executable, "-c", code, "badge", "verify", str(file), *map(str, more)]
    environment = {"MADANG_HOME": str(file.parent / "other"), "PYTHONPATH": ":".join(sys.path), "MADANG_LANG": "en"}
    return subprocess.run(words, env=environment, capture_output=True, check=False, timeout=60).returncode


def test_a_second_implementation_verifies_the_badge(house: House, site: Served, tmp_path: Path) -> None:
    """openbadgeslib, in another process without a network; the key is in the issuer's own name (did:key)."""
    import os

    from support import ROOT

    place = Path(os.environ.get("MADANG_ENVIRONMENTS", ROOT / ".environments"))
    python = needs(place / "judges-learning" / "bin" / "python")
    boxes_needed()
    with visiting(site, house, "member") as browser:
        for name, task, answer in references(COURSE):
            browser.post(f"{AT}/{name}/{task}", data={"answer": answer}, follow_redirects=True)
        page = browser.post(f"{AT}/badge", follow_redirects=True)
        uid = str(page.url).rpartition("/")[2].partition("?")[0]
        token = browser.get(f"/badges/{uid}/badge.jwt").text
    judge = Path(__file__).parent / "judge_badge.py"

    def verdict(text: str) -> bool:
        (tmp_path / "badge.jwt").write_text(text)
        told = subprocess.run([python, judge, tmp_path / "badge.jwt"], capture_output=True, text=True, check=True)
        found = json.loads(told.stdout)
        assert found["valid"] or text != token, found
        return bool(found["valid"])

    assert verdict(token)
    head, body, signature = token.split(".")
    assert not verdict(f"{head}.{body}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}")


def test_a_class_of_40_with_a_break_of_the_network(house: House, site: Served) -> None:
    """Each does one lesson; in the middle the portal goes away for a moment, and everybody goes on where they were."""
    boxes_needed()
    from concurrent.futures import ThreadPoolExecutor

    from madang.app.portal import portal
    from madang.node.people.sessions import begin_session
    from web.served import serving

    answers = [each for each in references(COURSE) if each[1] in ("screening", "split")]
    number = teaching.open_class(house.node, OWNER, title="Class of 40", course=COURSE)
    cookies = []
    with house.node.write() as session:
        for n in range(40):
            person = Person(login=f"learner-{n:02}", name=f"Learner {n}")
            session.add(person)
            session.flush()
            cookies.append(begin_session(session, house.node, person))
    people = [(f"{n}", f"Learner {n}", f"learner-{n:02}", str(n % 8)) for n in range(40)]
    assert teaching.set_roster(house.node, OWNER, number, people) == 40

    def one(address: str, cookie: str, answer: tuple[str, str, str]) -> int:
        lesson, task, text = answer
        with httpx.Client(base_url=address, timeout=120, cookies={"madang": cookie}, headers=OURS) as browser:
            assert browser.get(f"{AT}/{lesson}").status_code == 200
            return browser.post(f"{AT}/{lesson}/{task}", data={"answer": text}).status_code

    def everybody(address: str, cookies: list[str], answer: tuple[str, str, str]) -> list[int | str]:
        def safely(cookie: str) -> int | str:
            try:
                return one(address, cookie, answer)
            except httpx.HTTPError as error:
                return type(error).__name__

        with ThreadPoolExecutor(40) as threads:
            return list(threads.map(safely, cookies))

    assert everybody(site.address, cookies, answers[0]) == [303] * 40
    with serving(portal(house.node, keeper=False)) as breaking:
        gone = breaking.address
        assert everybody(gone, cookies[:20], answers[1]) == [303] * 20
    assert all(isinstance(each, str) for each in everybody(gone, cookies[20:], answers[1]))  # nobody answers
    assert everybody(site.address, cookies, answers[1]) == [303] * 40  # those who were through send it again
    book = teaching.gradebook(house.node, teaching.see_class(house.node, OWNER, number))
    assert len(book.rows) == 40
    assert len({row.score for row in book.rows}) == 1 and book.rows[0].score > 0
    assert teaching.stuck(house.node, teaching.see_class(house.node, OWNER, number)) == []


def test_what_waits_for_a_teacher_and_a_learner(house: House) -> None:
    from datetime import timedelta

    from madang.node.people.actor import Actor
    from madang.services.training.cards import waiting

    number = teaching.open_class(house.node, OWNER, title="Class", course=COURSE, ends=now() + timedelta(days=3))
    teaching.set_roster(house.node, OWNER, number, [("1", "Member", "member", "")])
    with house.node.write() as session:
        member = session.query(Person).filter_by(login="member").one().id
        for _number in range(3):
            answer = Answer(owner_id=member, course=COURSE, lesson=COURSE, task="split", digest="x", text="x")
            answer.score, answer.largest = 1.0, 3.0
            session.add(answer)
        text = Answer(owner_id=member, course=COURSE, lesson=COURSE, task="report", digest="x", text="Few.")
        text.score, text.largest, text.waiting = 0.0, 3.0, 3.0
        session.add(text)
    with house.node.read() as session:
        actor = Actor.person(session, member)
    assert {card.why for card in waiting(house.node, OWNER)} == {"Texts wait for a teacher", "Learners are stuck"}
    assert [card.why for card in waiting(house.node, actor)] == ["A class ends soon"]
    with house.node.write() as session:
        for lesson, task in courses.read_course(SHELF / COURSE).tasks():
            answer = Answer(owner_id=member, course=COURSE, lesson=lesson.name, task=task.name, digest="x", text="x")
            answer.score = answer.largest = task.largest
            session.add(answer)
    assert "A badge can be taken" in {card.why for card in waiting(house.node, actor)}
    giving.give(house.node, actor, COURSE)
    assert waiting(house.node, actor) == []
    assert waiting(house.node, Actor.stranger()) == []


def test_the_doctor_names_a_course_that_cannot_be_used(house: House) -> None:
    from madang.services.training.doctor import look

    assert [each.level for each in look(house.node)] == ["good"]
    folder = house.node.home.folder("training") / "broken"
    folder.mkdir()
    (folder / "course.toml").write_text("title = 3")
    assert "broken" in next(each.message for each in look(house.node) if each.level == "doubtful")


def test_a_teacher_and_a_class(house: House, site: Served) -> None:
    with house.node.read() as session:
        hospital = accounts.find_organization(session, "hospital").id
        member = session.query(Person).filter_by(login="member").one().id
        steward = session.query(Person).filter_by(login="steward").one().id
    accounts.give_role(house.node, OWNER, steward, "teacher", hospital)
    with visiting(site, house, "steward") as browser:
        given = {"title": "Class 1", "course": COURSE, "organization": "hospital", "assistants": "none"}
        opened = browser.post("/training/classes", data=given, follow_redirects=True)
        assert "Nobody is on the roster yet." in opened.text
        at = str(opened.url.path)
        upload = {"file": ("roster.csv", ROSTER.encode("cp949"))}
        assert "2 people" in browser.post(f"{at}/roster", files=upload, follow_redirects=True).text
        digest = courses.read_course(SHELF / COURSE).digest
        with house.node.write() as session:
            for _number in range(3):
                answer = Answer(owner_id=member, course=COURSE, lesson=COURSE, task="split", digest=digest, text="x")
                answer.score, answer.largest = 1.0, 3.0
                session.add(answer)
        with house.node.write() as session:
            text = Answer(owner_id=member, course=COURSE, lesson=COURSE, task="report", digest=digest, text="<b>Few.")
            text.score, text.largest, text.waiting = 0.0, 3.0, 3.0
            session.add(text)
        page = browser.get(at).text
        assert "tries: 3" in page
        assert "&lt;b&gt;Few." in page
        read = {"student": "20260001", "task": f"{COURSE}/report", "score": "2", "reason": "read"}
        assert "Texts to read" not in browser.post(f"{at}/grades", data=read, follow_redirects=True).text
        change = {"student": "20260001", "task": f"{COURSE}/split", "score": "9", "reason": "r"}
        assert browser.post(f"{at}/grades", data=change).status_code == 422
        assert browser.post(f"{at}/grades", data=change | {"score": "2.5", "reason": ""}).status_code == 422
        done = browser.post(f"{at}/grades", data=change | {"score": "2.5"}, follow_redirects=True)
        assert "2.5*" in done.text
        assert "Nobody is stuck now." in done.text
        table = browser.get(f"{at}/grades.csv").text
        assert "'=cmd()" in table
        assert ",2.5," in table
        told = browser.get(f"{at}/statements.json").json()
        assert len(told) == 4
        assert told[0]["result"]["score"]["scaled"] == pytest.approx(1 / 3)
    with visiting(site, house, "member") as browser:
        assert "AI assistants may not be used." in browser.get(AT).text
        assert browser.get(at).status_code == 403
        assert browser.post(f"{at}/close").status_code == 403
    assert site.get("/training/classes").status_code in (401, 403, 303)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"a,b\n1,2",
        b"number,name\n1,A\n1,B",
        b"number,name\n,A",
        b"PK\x03\x04broken",
        b"\xff\xfe\x00",
        b"\xd0\xcf\x11\xe0x",
    ],
)
def test_rosters_that_cannot_be_read(house: House, data: bytes) -> None:
    number = teaching.open_class(house.node, OWNER, title="t", course=COURSE)
    with pytest.raises(MadangError) as error:
        teaching.set_roster(house.node, OWNER, number, teaching.read_roster(data))
    assert error.value.code in ("class.roster", "text.character")


def test_a_workbook_is_a_roster(house: House) -> None:
    import io

    import xlsxwriter

    data = io.BytesIO()
    with xlsxwriter.Workbook(data) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["학번", "이름"])
        sheet.write_row(1, 0, [20261234, "홍길동"])
    assert teaching.read_roster(data.getvalue()) == [("20261234", "홍길동", "", "")]


def test_too_many_answers(house: House) -> None:
    from madang.node.people.actor import Actor
    from madang.services.training import service

    with house.node.write() as session:
        member = session.query(Person).filter_by(login="member").one().id
        for _number in range(service.MOST):
            answer = Answer(owner_id=member, course=COURSE, lesson=COURSE, task="screening", digest="x", text="x")
            answer.score, answer.largest = 0.0, 1.0
            session.add(answer)
    actor = Actor(kind="person", name="m", person_id=member)
    with pytest.raises(MadangError) as error:
        service.send(house.node, actor, COURSE, COURSE, "screening", "1")
    assert error.value.code == "answer.too_often"


def _named(document: dict[str, Any], name: str) -> dict[str, Any]:
    subject = document["credentialSubject"]
    return {**subject, "identifier": [{**subject["identifier"][0], "identityHash": name}]}


def test_badges_that_do_not_hold(house: House, tmp_path: Path) -> None:
    signer = signing.signer(house.node.home)
    begins = now().replace(microsecond=0)
    earned = badges.Earned(
        "0" * 8, "Kim", "c", "C", "d", "ab" * 32, ("s",), ("0201",), (("l/t", 1.0, 2.0),), "I", begins,
        begins + timedelta(days=1), 7, "urn:madang/x",
    )  # fmt: skip
    document = badges.credential(earned, signer.public)
    token = signer.sign(document, badges.TYP, badges.CTY)
    keys = signing.public_keys(house.node.home)
    assert badges.verify(token, keys, now()).is_valid
    assert badges.verify(token, keys, now() + timedelta(days=2)).state == "expired"
    assert badges.verify(token, keys, now() - timedelta(days=2)).state == "early"
    assert badges.verify(token, keys, now(), holder="Lee").state == "other-holder"
    assert badges.verify(token, keys, now(), revoked=True).state == "revoked"
    assert badges.verify(token, [], now()).state == "unknown-issuer"
    for change in (
        {"issuer": {"id": "did:key:z6Mk", "name": "I"}},
        {"type": ["VerifiableCredential"]},
        {"evidence": 3},
        {"validFrom": None},
        {"validUntil": "2999-01-01T00:00:00"},  # in no zone
        {"validUntil": "for ever"},
    ):
        forged = signer.sign({**document, **change}, badges.TYP, badges.CTY)
        assert badges.verify(forged, keys, now()).state == "altered"
    listed = badges.status_credential("i", "urn:madang/x", [7], now())
    assert badges.verify(token, keys, now(), status=signer.sign(listed, badges.TYP, badges.CTY)).state == "revoked"
    other = badges.status_credential("i", "urn:madang/y", [], now())
    with pytest.raises(MadangError):
        badges.verify(token, keys, now(), status=signer.sign(other, badges.TYP, badges.CTY))
    for cut in (gzip.compress(b"x" * 9)[:12] + b"damaged", b"none"):
        packed = "u" + base64.urlsafe_b64encode(cut).decode().rstrip("=")
        damaged = {**listed, "credentialSubject": {**listed["credentialSubject"], "encodedList": packed}}
        with pytest.raises(MadangError) as error:
            badges.verify(token, keys, now(), status=signer.sign(damaged, badges.TYP, badges.CTY))
        assert error.value.code == "badge.status"
    korean = signer.sign({**document, "credentialSubject": _named(document, "김 하나")}, badges.TYP, badges.CTY)
    for name in (
        "김 하나",
        unicodedata.normalize("NFD", "김 하나"),
        " 김  하나 ",
    ):  # as macOS has it
        assert badges.verify(korean, keys, now(), holder=name).is_valid
    assert badges.verify(korean, keys, now(), holder="김하나").state == "other-holder"
    for data in (b"", b"\xff", b"a.b", b'{"jwt": 3}', b"[" * 10_000, b"x" * (1 << 20)):
        with pytest.raises(MadangError) as error:
            badges.token_in(data)
        assert error.value.code == "badge.unreadable"


def test_the_demo_class(house: House) -> None:
    """Made once, with people who do not exist."""
    from madang.services.training.demo import make

    class Quiet:
        pass

    make(house.node, Quiet())  # type: ignore[arg-type]  # the demo of this room tells no progress
    make(house.node, Quiet())  # type: ignore[arg-type]  # again: nothing doubled
    found = teaching.list_classes(house.node, OWNER)
    assert len(found) == 1
    book = teaching.gradebook(house.node, teaching.see_class(house.node, OWNER, found[0].id))
    assert len(book.rows) == 12
    assert any(row.standing for row in book.rows)
