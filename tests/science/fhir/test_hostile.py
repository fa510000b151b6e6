"""Ugly and hostile input: every one ends in a sentence, nothing hangs, nothing is lost, nothing leaks."""

import gzip
import json
import sys
import tarfile
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from madang.base.errors import MadangError
from madang.science.fhir.definitions import shipped
from madang.science.fhir.facts import Constraint
from madang.science.fhir.paths import holds_by_path
from madang.science.fhir.report import csv_text, document, junit_text
from madang.science.fhir.run import Outcome, Setup, validate_files
from madang.science.fhir.validator import Validator

PATIENT = {
    "resourceType": "Patient",
    "id": "p",
    "identifier": [{"system": "urn:oid:1.2.3", "value": "V1"}],
    "name": [{"text": "가상인"}],
    "gender": "female",
    "birthDate": "2001-01-01",
}
GOOD = json.dumps(PATIENT).encode()


def judged(folder: Path, name: str, data: bytes) -> Outcome:
    path = folder / name
    path.write_bytes(data)
    return validate_files([path], Setup())


@pytest.mark.parametrize(
    ("name", "data", "kind", "code"),
    [
        ("cut.ndjson", GOOD + b"\n" + GOOD[:50], "not_json", 2),
        ("empty.json", b"", "empty", 1),
        ("deep.json", b'{"resourceType":"Patient","extension":' + b"[" * 1_000_000, "not_json", 2),
        ("deep.xml", b'<Patient xmlns="http://hl7.org/fhir">' + b"<extension>" * 5000, "xml_deep", 2),
        ("twice.json", GOOD[:-1] + b',"gender":"male"}', "doubled", 1),
        ("korean.json", json.dumps(PATIENT, ensure_ascii=False).encode("cp949"), "not_utf8", 2),
        ("type.json", b'{"resourceType":"Nothing"}', "unknown_resource", 1),
        ("none.json", b'{"id":"a"}', "no_type", 1),
        ("number.json", b"5", "not_object", 1),
        ("entity.xml", b'<!DOCTYPE a [<!ENTITY b "c">]><Patient xmlns="http://hl7.org/fhir"/>', "xml_doctype", 2),
        ("packed.ndjson.gz", gzip.compress(GOOD, mtime=0)[:20], "not_gzip", 2),
    ],
)
def test_a_file_that_is_wrong_ends_in_a_finding(tmp_path: Path, name: str, data: bytes, kind: str, code: int) -> None:
    outcome = judged(tmp_path, name, data)
    assert kind in {each.kind for each in outcome.findings}
    assert outcome.exit_code == code


def test_a_line_that_is_cut_does_not_hide_the_others(tmp_path: Path) -> None:
    lines = [GOOD, b"{", GOOD.replace(b"female", b"lady"), b"", GOOD]
    outcome = judged(tmp_path, "some.ndjson", b"\n".join(lines))
    assert [(each.line, each.kind) for each in outcome.findings] == [(2, "not_json"), (3, "binding")]
    assert sum(outcome.files.values()) == 4


def test_a_very_long_line_is_refused_and_the_next_one_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("reading", "run"):
        monkeypatch.setattr(f"madang.science.fhir.{module}.LONGEST_LINE", 2000)
    outcome = judged(tmp_path, "long.ndjson", b'{"resourceType":"' + b"x" * 9000 + b'"}\n' + GOOD)
    assert [(each.line, each.kind) for each in outcome.findings] == [(1, "too_long")]
    assert outcome.resources["Patient"] == 1


def test_pieces_of_a_file_give_the_lines_and_findings_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [GOOD if number % 7 else GOOD.replace(b"female", b"lady") for number in range(300)]
    whole = judged(tmp_path, "all.ndjson", b"\n".join(lines))
    monkeypatch.setattr("madang.science.fhir.run.PIECE", 1000)
    for workers in (1, 2):
        cut = validate_files([tmp_path / "all.ndjson"], Setup(), workers)
        assert cut.findings == whole.findings and cut.resources == whole.resources
    assert [each.line for each in whole.findings] == list(range(1, 301, 7))


def test_reports_hold_no_value_of_a_resource(tmp_path: Path) -> None:
    secret = "920101-2345678"
    broken = json.loads(GOOD) | {
        "id": secret,
        "gender": secret,
        "birthDate": secret,
        secret: 1,
        "maritalStatus": {"coding": [{"system": "http://hl7.org/fhir/administrative-gender", "code": secret}]},
        "telecom": [{"value": secret}],
        "contact": [{"gender": secret}],
        "extension": [{"url": secret}],
        "managingOrganization": {"reference": f"Patient/{secret}"},
    }
    outcome = judged(tmp_path, "secret.json", json.dumps(broken).encode())
    assert len(outcome.findings) > 6
    for text in (json.dumps(document(outcome, shipped("kr-core"), "kr-core")), csv_text(outcome), junit_text(outcome)):
        assert secret not in text and "2345678" not in text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8) | st.just("Patient/1"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "id",
                    "url",
                    "extension",
                    "coding",
                    "code",
                    "system",
                    "reference",
                    "resourceType",
                    "contained",
                    "meta",
                    "div",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
TYPES = ["Patient", "Observation", "Bundle", "Encounter", "Parameters", "Questionnaire", "Composition"]
MEMBERS = [
    "id",
    "meta",
    "text",
    "contained",
    "extension",
    "identifier",
    "name",
    "code",
    "entry",
    "period",
    "valueQuantity",
]
VALIDATOR: list[Validator] = []


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(TYPES),
    st.dictionaries(st.sampled_from([*MEMBERS, "_birthDate", "status", "type"]), JSON, max_size=6),
)
def test_no_object_brings_the_validator_down(name: str, members: dict[str, object]) -> None:
    if not VALIDATOR:
        VALIDATOR.append(Validator(shipped("kr-core"), "kr-core"))
    verdict = VALIDATOR[0].validate({"resourceType": name, **members})
    for each in verdict.findings:
        assert each.path.startswith(name) and each.severity in ("error", "warning", "information")


def test_a_regular_expression_that_never_ends_is_stopped() -> None:
    from madang.science.fhir.compiler import Compiler, Context

    check = holds_by_path(Constraint("own-1", "error", "family.matches('^(a+)+$')"), Compiler(shipped("r4")))

    node = {"family": "a" * 40 + "b"}
    started = time.monotonic()
    context = Context(node, node)
    assert check(node, context) is None
    assert check(node, context) is None  # not started again
    assert context.unsure == {"own-1": 2}
    assert time.monotonic() - started < 30


def package(path: Path, name: str) -> Path:
    data = json.dumps({"resourceType": "StructureDefinition", "url": "http://a.example/x", "type": "Patient"}).encode()
    with tarfile.open(path, "w:gz") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(data)
        archive.addfile(member, BytesIO(data))
    return path


def test_a_package_with_a_path_outside_its_folder_is_refused(tmp_path: Path) -> None:
    for name in ("../outside.json", "/etc/outside.json", "package/../../outside.json"):
        with pytest.raises(MadangError) as error:
            shipped("r4").load(package(tmp_path / "bad.tgz", name))
        assert error.value.code == "fhir.package_path"
    assert shipped("r4").load(package(tmp_path / "good.tgz", "package/x.json")) == 1


@pytest.mark.parametrize("number", [b"1e999", b"-1e999", b"1" + b"0" * 400, b"9" * 25, b"0." + b"1" * 5000, b"1E-4000"])
def test_numbers_beyond_what_a_double_holds_end_in_a_verdict(tmp_path: Path, number: bytes) -> None:
    quantity = b'{"value":' + number + b',"unit":"kg"}'
    head = b'{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":'
    outcome = judged(tmp_path, "number.json", head + quantity + b"}")
    assert sum(outcome.files.values()) == 1
    assert number[:20].decode() not in json.dumps(document(outcome, shipped("kr-core"), "kr-core"))


def test_contained_resources_that_refer_to_each_other_end_in_a_verdict() -> None:
    ring = [
        {"resourceType": "Organization", "id": f"o{each}", "name": "x", "partOf": {"reference": f"#o{(each + 1) % 3}"}}
        for each in range(3)
    ]
    patient = {**PATIENT, "contained": ring, "managingOrganization": {"reference": "#o0"}}
    assert Validator(shipped("kr-core"), "kr-core").validate(patient).valid
    itself = {**PATIENT, "link": [{"other": {"reference": "#"}, "type": "seealso"}]}
    assert Validator(shipped("kr-core"), "kr-core").validate(itself).valid


def test_references_everywhere_cost_no_square() -> None:
    """Four times the entries of a Bundle that refer to each other are about four times the work, counted in calls."""

    def work(count: int) -> int:
        entries = [
            {
                "fullUrl": f"urn:uuid:00000000-0000-4000-8000-{each:012d}",
                "resource": {
                    "resourceType": "Patient",
                    "id": f"p{each}",
                    "link": [
                        {
                            "other": {"reference": f"urn:uuid:00000000-0000-4000-8000-{other % count:012d}"},
                            "type": "refer",
                        }
                        for other in (each + 1, each * 7, each * 13)
                    ],
                },
            }
            for each in range(count)
        ]
        bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
        validator = Validator(shipped("r4"))
        validator.validate(entries[0]["resource"])  # what is made at first use is no part of it
        calls = 0

        def count_call(frame: Any, event: str, argument: Any) -> None:
            nonlocal calls
            calls += event in ("call", "c_call")

        sys.setprofile(count_call)
        try:
            validator.validate(bundle)
        finally:
            sys.setprofile(None)
        return calls

    assert work(800) < 6 * work(200)  # a square would be 16 times
