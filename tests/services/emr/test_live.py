"""Live systems: tested from the node as a job, with progress, stopped and gone on with; challenges; into a dataset."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
import uvicorn
from sqlalchemy import select

from madang.base.errors import MadangError
from madang.node import jobs
from madang.node.people import HOUSE, Actor, accounts
from madang.node.people.accounts import find_person
from madang.node.signing import public_keys
from madang.science.fhir.definitions import shipped
from madang.science.fhir.kit.challenge import drawn_records
from madang.science.fhir.server.endpoint import Endpoint
from madang.science.fhir.server.made_up import made_up_lives, resources
from madang.science.fhir.server.tokens import Tokens, new_client
from madang.services.emr import bringing, challenges, running, schemes, service
from madang.services.emr.models import ConformanceRun
from madang.services.emr.serving import CLIENT, application, listen
from madang.services.emr.signed import verify_report
from portal_house import OURS, OWNER, House, work_off
from web.served import Served


@dataclass
class System:
    """A record system over loopback, and the key of the client that it knows."""

    base: str
    host: str
    endpoint: Endpoint
    sign_in: running.SignIn


@contextmanager
def system(records: list[dict[str, Any]]) -> Iterator[System]:
    sock = listen("127.0.0.1", 0)
    host = f"127.0.0.1:{sock.getsockname()[1]}"
    base = f"http://{host}/fhir"
    private, public = new_client()
    endpoint = Endpoint(base, shipped("kr-core"), records, Tokens({CLIENT: public}))
    config = uvicorn.Config(application(endpoint, "/fhir"), log_level="error", access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
    thread.start()
    try:
        yield System(base, host, endpoint, running.SignIn(client=CLIENT, key=json.dumps(private)))
    finally:
        server.should_exit = True
        thread.join(20)
        sock.close()


def allow(house: House, *hosts: str) -> None:
    """Have an administrator enter hosts that may be tested."""
    settings = house.node.settings
    outgoing = settings.outgoing.model_copy(update={"tested_hosts": " ".join(hosts)})
    object.__setattr__(house.node, "settings", settings.model_copy(update={"outgoing": outgoing}))


def person(house: House, login: str, *roles: str) -> Actor:
    with house.node.read() as session:
        number = find_person(session, login).id
    for role in roles:
        accounts.give_role(house.node, OWNER, number, role, HOUSE)
    with house.node.read() as session:
        return Actor.person(session, number)


def kept(house: House, number: int) -> ConformanceRun:
    with house.node.read() as session:
        found = session.scalar(select(ConformanceRun).where(ConformanceRun.id == number))
        assert found is not None
        session.expunge(found)
        return found


def test_a_live_system_is_tested_as_a_job_and_the_key_is_erased_at_the_end(house: House) -> None:
    vendor, other = person(house, "member"), person(house, "steward")
    with system(list(resources(made_up_lives(2)))) as there:
        allow(house, there.host)
        made = running.start(house.node, vendor, there.base + "/", "Ours", "1", there.sign_in)
        assert made.secret and there.sign_in.key.encode() not in made.secret
        with pytest.raises(MadangError):
            running.see(house.node, other, made.id)
        work_off(house.node)
        over = kept(house, made.id)
        assert over.state == "over" and over.secret == b"" and over.kind == "self-declaration"
        report = json.loads(over.document)
        assert report["summary"]["fail"] == 0 and report["summary"]["tests"] > 340
        assert verify_report(report, public_keys(house.node.home))[0]
        assert there.sign_in.key[20:60] not in over.document
        events = jobs.events_after(house.node, vendor, over.job_id or 0)
        assert any(each.kind == "moved" and each.total for each in events), "a page sees how far it is"
        del there.endpoint.store["Procedure"]
        with pytest.raises(MadangError) as error:
            running.go_on(house.node, vendor, made.id, "read.Procedure")
        assert error.value.code == "conformance.sign_in"
        again = running.go_on(house.node, vendor, made.id, "read.Procedure", there.sign_in)
        work_off(house.node)
        assert kept(house, again.id).state == "over"
        after = {each["id"]: each["outcome"] for each in json.loads(kept(house, made.id).document)["tests"]}
        before = {each["id"]: each["outcome"] for each in report["tests"]}
        assert list(after) == list(before)
        assert {name for name in before if before[name] != after[name]} == {"read.Procedure"}
    handed = running.hand_in_run(house.node, vendor, made.id)
    assert handed.known and schemes.basis_of(handed) == "self-declaration"


def test_a_run_that_is_stopped_keeps_what_it_has_and_goes_on(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    vendor = person(house, "member")
    monkeypatch.setattr(running, "SAVED_EVERY", 0.0)
    with system(list(resources(made_up_lives(1)))) as there:
        allow(house, there.host)
        made = running.start(house.node, vendor, there.base, "Ours", "1", there.sign_in)
        seen = 0
        original = running._save

        def save(node: Any, run: int, results: Any) -> None:
            nonlocal seen
            original(node, run, results)
            seen = max(seen, len(results))
            if len(results) == 10:
                jobs.cancel(house.node, vendor, made.job_id or 0)

        monkeypatch.setattr(running, "_save", save)
        work_off(house.node)
        stopped = kept(house, made.id)
        assert stopped.state == "stopped" and stopped.secret == b"" and stopped.document == ""
        have = [each["id"] for each in json.loads(stopped.results)]
        assert 10 <= len(have) < 100
        running.go_on(house.node, vendor, made.id, sign_in=there.sign_in)
        work_off(house.node)
    over = kept(house, made.id)
    assert over.state == "over"
    assert [each["id"] for each in json.loads(over.document)["tests"]][: len(have)] == have
    assert json.loads(over.document)["summary"]["tests"] > 340


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("http://127.0.0.1:9/fhir", "conformance.host"),
        ("http://169.254.169.254/latest", "conformance.host"),
        ("https://user:word@hospital.example/fhir", "fhir.url"),
        ("http://allowed.example:80@127.0.0.1/fhir", "fhir.url"),
        ("ftp://allowed.example/fhir", "conformance.host"),
        ("file:///etc/passwd", "fhir.url"),
        ("http://[::1/fhir", "fhir.url"),
    ],
)
def test_only_hosts_that_an_administrator_entered_are_reached(house: House, target: str, code: str) -> None:
    allow(house, "allowed.example")
    with pytest.raises(MadangError) as error:
        running.start(house.node, person(house, "member"), target, "Ours", "1")
    assert error.value.code == code


def test_a_system_that_does_not_answer_stops_the_run_and_says_so(house: House) -> None:
    sock = listen("127.0.0.1", 0)
    host = f"127.0.0.1:{sock.getsockname()[1]}"
    sock.close()
    allow(house, host)
    made = running.start(
        house.node, person(house, "member"), f"http://{host}/fhir", "Ours", "1", running.SignIn(token="secret")
    )
    work_off(house.node)
    stopped = kept(house, made.id)
    assert stopped.state == "stopped" and stopped.secret == b""
    found = jobs.find(house.node, OWNER, stopped.job_id or 0)
    assert found.error is not None and "does not answer" in found.error


def test_an_assessment_needs_an_assessor_and_counts(house: House) -> None:
    vendor, assessor = person(house, "member"), person(house, "auditor", "conformance-assessor")
    with system(list(resources(made_up_lives(1)))) as there:
        allow(house, there.host)
        with pytest.raises(MadangError):
            running.start(house.node, vendor, there.base, "Ours", "1", there.sign_in, assess=True)
        made = running.start(house.node, assessor, there.base, "Ours", "1", there.sign_in, assess=True)
        work_off(house.node)
    report = running.hand_in_run(house.node, assessor, made.id)
    assert schemes.basis_of(report) == "assessment"
    held = {x.outcome.criterion.id: x for x in schemes.held_against(schemes.frame(), report)}
    assert held["kr-core-demands"].verdict == "met" and held["kr-core-demands"].counts
    assert held["evidence"].shown == "assessment"
    assert held["challenge-back"].verdict == "unknown"
    assert held["encryption"].verdict == "open" and not held["encryption"].counts
    with pytest.raises(MadangError) as error:
        schemes.note(
            house.node,
            person(house, "steward", "conformance-assessor"),
            report.id,
            "emr-korea",
            "encryption",
            "met",
            "x",
        )
    assert error.value.code == "conformance.criterion"


def test_a_challenge_is_drawn_answered_once_and_makes_the_report_count(house: House) -> None:
    vendor, assessor = person(house, "member"), person(house, "auditor", "conformance-assessor")
    with pytest.raises(MadangError):
        challenges.draw(house.node, vendor, "member", "Ours", "1")
    drawn = challenges.draw(house.node, assessor, "member", "Ours", "1", persons=2)
    document = challenges.read_challenge(drawn.document.encode())
    assert [each.id for each in challenges.challenges(house.node, vendor)] == [drawn.id]
    assert challenges.challenges(house.node, person(house, "steward")) == []
    with system(document["records"]) as there:
        allow(house, there.host)
        with pytest.raises(MadangError):
            running.start(house.node, vendor, there.base, "Theirs", "1", there.sign_in, drawn.id)
        with pytest.raises(MadangError):
            running.start(house.node, person(house, "steward"), there.base, "Ours", "1", there.sign_in, drawn.id)
        made = running.start(house.node, vendor, there.base, "Ours", "1", there.sign_in, drawn.id)
        work_off(house.node)
    report = json.loads(kept(house, made.id).document)
    assert {x["outcome"] for x in report["tests"] if x["group"] == "challenge"} == {"pass"}
    handed = running.hand_in_run(house.node, vendor, made.id)
    assert schemes.basis_of(handed) == "challenge"
    held = {x.outcome.criterion.id: x for x in schemes.held_against(schemes.frame(), handed)}
    assert held["challenge-back"].verdict == "met" and held["challenge-back"].counts
    assert challenges.see(house.node, vendor, drawn.id).state == "answered"
    with pytest.raises(MadangError):
        challenges.withdraw(house.node, assessor, drawn.id)


def test_a_changed_challenge_or_one_of_elsewhere_is_refused(house: House) -> None:
    vendor, assessor = person(house, "member"), person(house, "auditor", "conformance-assessor")
    drawn = challenges.draw(house.node, assessor, "member", "Ours", "1", persons=1)
    for before, after in (('"Ours"', '"Mine"'), ("birthDate", "birthdate"), (drawn.document[-40:-30], "0123456789")):
        with pytest.raises(MadangError) as error:
            challenges.read_challenge(drawn.document.replace(before, after, 1).encode())
        assert error.value.code == "conformance.challenge"
    for data in (b"", b"[]", b"{", b'{"format":"madang.fhir.challenge/1"}'):
        with pytest.raises(MadangError):
            challenges.read_challenge(data)
    with pytest.raises(MadangError):
        challenges.draw(house.node, assessor, "auditor", "Ours", "1")  # one's own
    from madang.services.emr.signed import sealed
    from services.emr.test_emr import folder_report

    stranger = folder_report() | {"challenge": {"sha256": "0" * 64}}
    missing = folder_report() | {"challenge": {"sha256": drawn.sha256}, "date": "2099-01-01T00:00:00Z"}
    for report in (stranger, missing):
        with pytest.raises(MadangError) as error:
            service.hand_in(house.node, vendor, orjson.dumps(sealed(house.node.home, report)), "Ours", "1")
        assert error.value.code == "conformance.challenge"


def test_the_same_seed_draws_the_same_records_and_another_others() -> None:
    one, other = drawn_records("a", 2), drawn_records("b", 2)
    assert one == drawn_records("a", 2)
    identifiers = [
        {each["identifier"][0]["value"] for each in some if each["resourceType"] == "Patient"} for some in (one, other)
    ]
    assert all(len(each) == 2 for each in identifiers) and not identifiers[0] & identifiers[1]


def test_the_records_of_a_tested_system_become_a_dataset_and_none_is_lost(house: House) -> None:
    vendor = person(house, "member", "data-engineer")
    records = list(resources(made_up_lives(4)))
    broken = [each for each in records if each["resourceType"] == "Procedure"][:3]
    for each in broken:
        each["status"] = "done"
    with system(records) as there:
        allow(house, there.host)
        made = running.start(house.node, vendor, there.base, "Ours", "1", there.sign_in)
        work_off(house.node)
        with pytest.raises(MadangError):
            bringing.bring(house.node, person(house, "steward"), made.id, "ours", sign_in=there.sign_in)
        with pytest.raises(MadangError):
            bringing.bring(house.node, vendor, made.id, "../ours", sign_in=there.sign_in)
        bringing.bring(house.node, vendor, made.id, "ours", sign_in=there.sign_in)
        work_off(house.node)
    run = kept(house, made.id)
    said = json.loads(run.brought)
    assert said["state"] == "done", said
    assert run.secret == b""
    assert said["left_out"] == {"Procedure": 3} and said["rules"][0][0].startswith("Procedure.status")
    assert sum(said["passed"].values()) + 3 == len(records)
    assert "ImagingStudy" in said["not_read"]
    version = house.node.home.lake().find("ours")
    from madang.lake.engine import Engine

    with Engine() as engine:
        version.attach(engine)
        assert engine.value("SELECT count(*) FROM person") == 4
    for _name, (_files, lines, used, rejected, unused) in said["sources"].items():
        assert lines == used + rejected + unused


def test_pages_of_runs_challenges_and_the_scheme(site: Served, house: House) -> None:
    vendor = person(house, "member", "data-engineer")
    person(house, "auditor", "conformance-assessor")
    with system(list(resources(made_up_lives(1)))) as there:
        allow(house, there.host)
        with site.browser({"madang": house.cookies["member"]}) as browser:
            given = {"target": there.base, "product": "Ours", "version": "1"}
            given |= {"client": there.sign_in.client, "key": there.sign_in.key}
            answer = browser.post("/emr/run", data=given, headers=OURS, follow_redirects=False)
            assert answer.status_code == 303, answer.text
            at = answer.headers["location"]
            running_page = browser.get(at).text
            assert (
                "/jobs/" in running_page
                and "data-events" in running_page
                and there.sign_in.key[:40] not in running_page
            )
            work_off(house.node)
            for language in ("ko", "en"):
                spoken = {"Accept-Language": language}
                for path in (at, "/emr/run", "/emr/challenges", "/emr/schemes/emr-korea", "/emr"):
                    assert browser.get(path, headers=spoken).status_code == 200, path
            said = browser.get("/api/v1" + at).json()
            assert said["state"] == "over" and said["has_report"] and said["tests"] > 340
            assert browser.get(at + "/report.json").json()["target"] == there.base
            handed = browser.post(at + "/hand-in", headers=OURS, follow_redirects=False)
            assert handed.status_code == 303
            assert browser.get("/api/v1" + handed.headers["location"]).json()["basis"] == "self-declaration"
    assert vendor.person_id
    with site.browser({"madang": house.cookies["auditor"]}) as browser:
        drawn = {"login": "member", "product": "Ours", "version": "1", "days": "3", "persons": "1"}
        answer = browser.post("/emr/challenges", data=drawn, headers=OURS, follow_redirects=False)
        assert answer.status_code == 303, answer.text
        at = answer.headers["location"]
        assert browser.get(at).status_code == 200
        lines = browser.get(at + "/records.ndjson").text.splitlines()
        assert len(lines) == sum(browser.get("/api/v1" + at).json()["records"].values())
        assert browser.get(at + "/challenge.json").json()["product"] == "Ours"


def test_a_scheme_that_the_body_filled_in_stands_in_the_place_of_the_frame(house: House, tmp_path: Path) -> None:
    text = schemes.scheme_bytes(house.node.home, "emr-korea").decode()
    folder = house.node.home.folder("schemes")
    head, _slot, rest = text.partition('[[criteria]]\nid = "encryption"')
    filled = '[[criteria]]\nid = "encryption"\ndivision = "security"\nshown = "document"\n' + (
        'text = { en = "Ours", ko = "우리" }\ndocuments = [{ en = "A plan", ko = "계획" }]\n'
    )
    (folder / "emr-korea.toml").write_text(head + filled + rest[rest.index("[[criteria]]") :])
    scheme = schemes.scheme_of(house.node.home, "emr-korea")
    assert scheme.slots == schemes.frame().slots - 1
    from services.emr.test_emr import signed

    made = service.hand_in(house.node, person(house, "member"), orjson.dumps(signed(house.node.home)), "Ours", "1")
    assessor = person(house, "auditor", "conformance-assessor")
    noted = schemes.note(house.node, assessor, made.id, "emr-korea", "encryption", "met", "Seen.")
    held = {x.outcome.criterion.id: x for x in schemes.held_against(scheme, noted)}
    assert held["encryption"].verdict == "met" and held["encryption"].note == "Seen."
    with pytest.raises(MadangError):
        schemes.note(
            house.node, person(house, "member", "conformance-assessor"), made.id, "emr-korea", "encryption", "met", "x"
        )


def test_the_demo_has_a_report_a_challenge_and_a_test_that_is_over_once(house: House) -> None:
    from madang.base.progress import Silent
    from madang.services.emr import demo

    for _time in range(2):
        demo.make(house.node, Silent())
    (drawn,) = challenges.challenges(house.node, OWNER)
    (made,) = running.runs(house.node, OWNER)
    assert len(service.reports(house.node, OWNER)) == 1
    assert made.state == "over" and made.challenge_id == drawn.id and drawn.state == "open"
    report = json.loads(made.document)
    outcomes = {each["id"]: each["outcome"] for each in report["tests"]}
    assert {outcome for name, outcome in outcomes.items() if name.startswith("challenge.")} == {"pass"}
    assert outcomes["search.Patient.gender"] == "warning" and report["summary"]["pass"] > 250
    assert verify_report(report, public_keys(house.node.home))[0]
