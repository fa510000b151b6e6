"""The recorded outcomes of HL7's Java validator: the same verdict, but for differences that are named here."""

import json
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from madang.science.fhir.definitions import conformance_resources, shipped
from madang.science.fhir.reading import parse_one
from madang.science.fhir.validator import Validator
from support import shared_data

KNOWN = {
    "fetched from elsewhere by its test harness": {
        "patient-circle1-bad-source1",
        "patient-circle2-bad-linked",
        "patient-circle2-bad-source1",
        "parameters-reference-bad",
        "de-address-example",
    },
    "refused by an option of its own": {"pat-security-bad-string", "pat-security-bad-string1", "dr-example-org"},
    "codes that lead to the profiles of vital signs": {"obs-temp-bad"},
    "the making of snapshots is what is asked": {"obs-mz", "StructureDefinition-Slice23", "ext-derived"},
    "links, sources and languages of narratives": {
        "message",
        "ab-list-slicing",
        "xhtml-ctrl-source1",
        "xhtml-ctrl-two-lang-bad",
    },
    "FHIRPath that the library has not": {"member-of-CC-bad", "patient_as_operator_issue-r4"},
    "contexts of extensions by an invariant": {"exta-ctxt-bad-name", "extb-ctxt-bad"},
    "profiles on parameters of an operation": {"bundle-bad-by-param", "params-recursion"},
    "slices by what an entry refers to or by a profile that is not there": {
        "bundle-slice-good",
        "profile-slicing-missing-instance",
        "res-inv-example-good",
    },
    "an extension in place of a value": {"patient-value-alternative-bad"},
    "a type that a profile leaves out": {"type-ref-unchecked"},
    "a reference in a comment": {"binary-ref-internal"},
    "a required element that the recorded run did not miss": {"aggregation-apart-good4"},
}
NAMED = {name for names in KNOWN.values() for name in names}


@cache
def plain() -> Validator:
    return Validator(shipped("r4"), strict=True)


def runs(case: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    yield case["module"], "", case["expected"]
    if case["profile"]:
        yield f"{case['module']}, with a profile", case["profile"], case["profile_expected"]


def verdict(folder: Path, case: dict[str, Any], profile: str) -> str:
    if not case["supporting"] and not profile:
        found = parse_one((folder / case["file"]).read_bytes(), case["file"], plain())
        return "invalid" if any(each.severity == "error" for each in found) else "valid"
    definitions, named = shipped("r4"), ""
    for name in [*case["supporting"], *([profile] if profile else [])]:
        if (folder / name).exists():
            for each in conformance_resources(folder / name):
                definitions.add(each, "own")
                named = str(each.get("url", "")) if name == profile else named
    validator = Validator(definitions, profiles=(named,) if named else (), strict=True)
    found = parse_one((folder / case["file"]).read_bytes(), case["file"], validator)
    return "invalid" if any(each.severity == "error" for each in found) else "valid"


def test_the_verdict_is_that_of_java_but_for_what_is_named() -> None:
    folder = shared_data("fhir-validator-cases")
    asked: Counter[str] = Counter()
    same: Counter[str] = Counter()
    others = set()
    for case in json.loads((folder / "cases.json").read_bytes()):
        if case["terminology_only"]:
            continue
        for module, profile, expected in runs(case):
            asked[module] += 1
            if verdict(folder / "files", case, profile) == expected:
                same[module] += 1
            else:
                others.add(case["name"])
    print({module: f"{same[module]} of {count}" for module, count in asked.items()}, same.total(), asked.total())
    assert others - NAMED == set()
    assert NAMED - others == set()  # a difference that is mended is no longer named
