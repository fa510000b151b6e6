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

AWAY = {
    "resources that its test harness fetches from elsewhere": {
        "patient-circle1-bad-source1",
        "patient-circle2-bad-linked",
        "patient-circle2-bad-source1",
    },
    "packages that are not at hand": {"res-inv-example-good", "de-address-example"},
}
KNOWN = {
    **AWAY,
    "codes of SNOMED CT that lead to the profiles of vital signs, unless a term list says so": {"obs-temp-bad"},
    "its recorded outcome is that of the run for R5, where Encounter.class may be absent": {"aggregation-apart-good4"},
}
NAMED = {name for names in KNOWN.values() for name in names}


@cache
def plain(refused: tuple[str, ...], references: str) -> Validator:
    return Validator(shipped("r4"), strict=True, refused=refused, references=references)


def references_in(case: dict[str, Any]) -> str:
    """The option that the recorded run had: whether it looked at the types of references, and at what they lead to."""
    told = str(case["case"].get("validateReference", "IGNORE"))
    return "none" if told == "IGNORE" else "exist" if "EXISTS_AND" in told else "type"


def entries_in(case: dict[str, Any]) -> tuple[str, ...]:
    told = case["case"].get("bundle-param")
    return (f"{told['rule']}={told['profile']}",) if told else ()


def refused_in(case: dict[str, Any]) -> tuple[str, ...]:
    """The options that the recorded run had: whether it refused markup in texts, and example addresses."""
    told = case["case"]
    markup = ("markup",) if told.get("security-checks") else ()
    return (*markup, "examples") if told.get("examples") is False else markup


def runs(case: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    yield case["module"], "", case["expected"]
    if case["profile"]:
        yield f"{case['module']}, with a profile", case["profile"], case["profile_expected"]


def verdict(folder: Path, case: dict[str, Any], profile: str) -> str:
    options = (refused_in(case), references_in(case), entries_in(case))
    if not case["supporting"] and not profile and not entries_in(case):
        validator = plain(*options[:2])
    else:
        definitions, named = shipped("r4"), ""
        for name in [*case["supporting"], *([profile] if profile else [])]:
            if (folder / name).exists():
                for each in conformance_resources(folder / name):
                    definitions.add(each, "own")
                    named = str(each.get("url", "")) if name == profile else named
        validator = Validator(definitions, "", (named,) if named else (), True, *options)
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
    away = sum(map(len, AWAY.values()))
    print(f"without what cannot be had: {same.total()} of {asked.total() - away}")
    assert others - NAMED == set()
    assert NAMED - others == set()  # a difference that is mended is no longer named
