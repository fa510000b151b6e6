"""The room of EMR conformance: validate in the page, hand a signed report in, judge it; and its commands."""

import json
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest

from madang.base.errors import MadangError
from madang.node.home import Home
from madang.node.node import Node
from madang.node.people import HOUSE, Actor, accounts
from madang.node.people.accounts import find_person
from madang.science.fhir.definitions import shipped
from madang.science.fhir.kit.run import document, run
from madang.science.fhir.kit.session import Session
from madang.science.fhir.server.made_up import made_up_lives, resources
from madang.science.fhir.server.messages import Response
from madang.services.emr import service
from madang.services.emr.checking import check_file, real_number
from madang.services.emr.signed import sealed, verify_report
from portal_house import OURS, OWNER, House
from web.served import Served


@cache
def folder_report() -> dict[str, Any]:
    kit = Session("folder:test", lambda request: Response(0), shipped("kr-core"))
    kit.hold(each for each in resources(made_up_lives(1)) if each["resourceType"] in ("Patient", "Organization"))
    return document(run(kit), kit, "2025-01-01T00:00:00Z")


def signed(home: Home) -> dict[str, Any]:
    return sealed(home, folder_report())


def person(node: Node, login: str) -> Actor:
    with node.read() as session:
        return Actor.person(session, find_person(session, login).id)


def test_a_report_is_handed_in_seen_and_judged_by_a_second_person(house: House) -> None:
    node = house.node
    accounts.give_role(node, OWNER, person(node, "auditor").person_id or 0, "conformance-assessor", HOUSE)
    vendor, assessor, other = person(node, "member"), person(node, "auditor"), person(node, "steward")
    made = service.hand_in(node, vendor, orjson.dumps(signed(node.home)), "Product", "1.0")
    assert made.known and made.state == "handed-in"
    assert [each.id for each in service.reports(node, vendor)] == [made.id]
    assert service.reports(node, other) == []
    with pytest.raises(MadangError):
        service.see(node, other, made.id)
    with pytest.raises(MadangError):
        service.judge(node, vendor, made.id, True, "mine")
    assert [card.address for card in service.waiting(node, assessor)] == [f"/emr/reports/{made.id}"]
    assert service.judge(node, assessor, made.id, True, "as demanded").state == "taken"
    with pytest.raises(MadangError) as error:
        service.judge(node, assessor, made.id, False, "no")
    assert error.value.code == "act.state"
    with pytest.raises(MadangError) as error:
        service.hand_in(node, vendor, orjson.dumps(signed(node.home)), "Product", "1.0")
    assert error.value.code == "conformance.taken"


def test_a_report_of_another_node_is_taken_as_such_and_a_changed_one_is_not(house: House, tmp_path: Path) -> None:
    node = house.node
    report = signed(Home(tmp_path / "elsewhere"))
    assert not service.hand_in(node, person(node, "member"), orjson.dumps(report), "Product", "1.0").known
    text = orjson.dumps(signed(Home(tmp_path / "third"))).decode()
    for before, after in (("pass", "fail"), ("2025-01-01", "2025-01-02"), ("self-declaration", "assessment")):
        with pytest.raises(MadangError) as error:
            service.hand_in(node, person(node, "member"), text.replace(before, after, 1).encode(), "Product", "1.0")
        assert error.value.code == "conformance.signature"


def test_a_signature_is_believed_by_another_implementation_and_no_changed_byte_passes(tmp_path: Path) -> None:
    from jwcrypto import jwk, jws

    home = Home(tmp_path)
    report = signed(home)
    token = jws.JWS()
    token.deserialize(
        report["signature"], jwk.JWK(**{k: v for k, v in report["keys"][0].items() if k in ("kty", "crv", "x")})
    )
    assert json.loads(token.payload)["summary"] == report["summary"]
    assert verify_report(report, report["keys"])[0]
    report["tests"][0]["requests"].append({"url": "made up"})
    assert not verify_report(report, report["keys"])[0]
    folder_report()["tests"][0]["requests"].clear()


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{", b'{"format":"madang.fhir.kit/1"}', b'{"format":"madang.fhir.kit/1","tests":[1]}']
)
def test_what_is_no_report_is_refused(house: House, data: bytes) -> None:
    with pytest.raises(MadangError) as error:
        service.hand_in(house.node, person(house.node, "member"), data, "Product", "1.0")
    assert error.value.code == "conformance.report"


def test_the_page_refuses_what_looks_like_a_resident_registration_number() -> None:
    assert real_number(b'"value":"920101-2345678"')
    assert real_number(b"9001011234568") and not real_number(b"9001011234560")
    assert not real_number(b'"8806659002219" 2023-01-01-1234567890')
    with pytest.raises(MadangError) as error:
        check_file(b'{"resourceType":"Patient","identifier":[{"value":"920101-2345678"}]}')
    assert error.value.code == "conformance.real_number" and "2345678" not in str(error.value)


def test_the_page_validates_a_file_and_keeps_nothing(site: Served, house: House) -> None:
    before = sorted(str(each) for each in house.node.home.path.rglob("*") if each.is_file() and "run" not in str(each))
    one = next(each for each in resources(made_up_lives(1)) if each["resourceType"] == "Patient")
    broken = {**one, "gender": "lady"}
    files = {"file": ("some.ndjson", orjson.dumps(one) + b"\n" + orjson.dumps(broken), "application/x-ndjson")}
    answer = site.post("/emr/validate", files=files, headers=OURS)
    assert answer.status_code == 200
    assert "Patient.gender" in answer.text and "lady" not in answer.text
    after = sorted(str(each) for each in house.node.home.path.rglob("*") if each.is_file() and "run" not in str(each))
    assert after == before
    said = site.post("/api/v1/emr/validate", json={"text": json.dumps(broken)}, headers=OURS).json()
    assert said["summary"]["findings"]["error"] == 1 and said["findings"][0]["place"] == "Patient.gender"


def test_pages_in_both_languages_show_the_room_and_a_report(site: Served, house: House) -> None:
    made = service.hand_in(house.node, person(house.node, "member"), orjson.dumps(signed(house.node.home)), "Ours", "2")
    with site.browser({"madang": house.cookies["member"]}) as browser:
        for language, word in (("ko", "EMR 표준 적합성 시험"), ("en", "EMR conformance")):
            spoken = {"Accept-Language": language}
            for path in ("/emr/validate", "/emr/hand-in", f"/emr/reports/{made.id}"):
                assert browser.get(path, headers=spoken).status_code == 200, path
            page = browser.get("/emr", headers=spoken).text
            assert word in page and "Ours 2" in page
        said = browser.get(f"/api/v1/emr/reports/{made.id}").json()
        assert said["known"] and len(said["groups"]) == 3
        assert next(each["counts"] for each in said["classes"])[0] > 0
        assert browser.get(f"/emr/reports/{made.id}/report.json").json()["target"] == "folder:test"
    assert "Ours 2" not in site.get("/emr").text


def test_nothing_of_the_room_resembles_the_certification_or_its_mark() -> None:
    """The law keeps the name and the mark for those who are certified."""
    root = Path(service.__file__).parents[2]
    texts = [
        *(root / "services/emr").rglob("*.py"),
        *(root / "services/emr").rglob("*.html"),
        *(root / "science/fhir").rglob("*.py"),
        *(root / "services/certification/schemes").rglob("*.toml"),
        root / "locale/ko/LC_MESSAGES/emr.po",
        root / "locale/ko/LC_MESSAGES/fhir.po",
    ]
    for path in texts:
        text = path.read_text() if path.exists() else ""
        for name in (
            "전자의무기록시스템 인증",
            "전자의무기록 인증",
            "EMR 인증",
            "EMR certification",
            "EMR certificate",
            "인증마크",
        ):
            assert name not in text, (path, name)


def madang(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"MADANG_HOME": str(home), "MADANG_LANG": "en", "PYTHONPATH": ":".join(sys.path)}
    command = [sys.executable, "-c", "from madang.app.cli import main; main()", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)


def test_the_commands_serve_test_and_verify_over_loopback(tmp_path: Path) -> None:
    folder = tmp_path / "hospital"
    folder.mkdir()
    lines = [orjson.dumps(each) for each in resources(made_up_lives(2))]
    (folder / "all.ndjson").write_bytes(b"\n".join(lines))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {"MADANG_HOME": str(tmp_path / "home"), "MADANG_LANG": "en", "PYTHONPATH": ":".join(sys.path)}
    command = [
        sys.executable,
        "-c",
        "from madang.app.cli import main; main()",
        "fhir",
        "serve",
        str(folder),
        "--port",
        str(port),
    ]
    server = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None and "KR Core endpoint" in server.stdout.readline()
        report = tmp_path / "report.json"
        only = ("--only", "metadata", "--only", "security", "--only", "smart", "--only", "read.Patient")
        done = madang(tmp_path / "home", "fhir", "test", f"http://127.0.0.1:{port}/fhir", *only, "--json", str(report))
        assert done.returncode == 0, done.stdout + done.stderr
        said = json.loads(report.read_bytes())
        assert said["summary"]["fail"] == 0 and said["summary"]["pass"] >= 17
        assert said["kind"] == "self-declaration"
    finally:
        server.terminate()
        server.wait(20)
    assert madang(tmp_path / "home", "fhir", "verify", str(report)).returncode == 0
    report.write_text(report.read_text().replace('"fail": 0', '"fail": 1'))
    assert madang(tmp_path / "home", "fhir", "verify", str(report)).returncode == 3
    lost = madang(tmp_path / "home", "fhir", "test", f"http://127.0.0.1:{port}/fhir")
    assert lost.returncode == 2 and "does not answer" in lost.stderr
    nothing = madang(tmp_path / "home", "fhir", "validate", str(tmp_path / "nowhere"), "--profile", "kr-core")
    assert nothing.returncode == 2 and nothing.stderr.count("\n") == 1
