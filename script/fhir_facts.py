"""Compile definitions of FHIR into the facts that the validator ships: python script/fhir_facts.py R4.tgz KRCORE_FOLDER

R4.tgz is the package hl7.fhir.r4.core 4.0.1, KRCORE_FOLDER the definitions of KR Core 2.0.0 with snapshots; both are
CC0-1.0. Texts (definitions, displays, narratives) are left out. Of LOINC, SNOMED CT, RxNorm and other systems with
terms of their own only those codes stay that a profile itself fixes or a set of at most {SHORT} codes lists, as bare
identifiers. The same input gives the same bytes; the SHA-256 of the input is in the output.
"""

import hashlib
import sys
from pathlib import Path
from typing import Any

from madang.base.canonical import sha256_of, sha256_of_file
from madang.science.fhir.definitions import DATA, Definitions, conformance_resources, write_facts
from madang.science.fhir.terminology import CLOSED, Clause, ValueSet

SHORT, LARGEST = 20, 1200
OPEN = ("http://hl7.org/", "http://terminology.hl7.org/", "http://www.hl7korea.or.kr/", "urn:iso:std:iso:4217")
WITHOUT = ("kostat-kcd", "kpis-", "hira-edi")  # lists that may not ship, should a release have them


def open_system(url: str) -> bool:
    """Whether the codes of a system may ship whole."""
    return url.startswith(OPEN) and url not in CLOSED and not any(part in url for part in WITHOUT)


def clause(each: Clause) -> Clause:
    """The clause as it may ship: of a system with terms of its own only short lists."""
    if each.codes is None or open_system(each.system) or len(each.codes) <= SHORT:
        return each
    return Clause(each.system, None, each.sets, unknown=True)


def compiled(path: Path, about: dict[str, Any], base: Definitions | None, target: Path) -> Definitions:
    """Read definitions, keep what may ship, write it."""
    made = Definitions()
    if base is not None:
        made.terminology.systems.update(base.terminology.systems)
    order = {"CodeSystem": 0, "ValueSet": 1}
    found = sorted(
        conformance_resources(path), key=lambda x: (order.get(str(x.get("resourceType")), 2), str(x.get("url")))
    )
    for each in found:
        made.add(each)
        if each.get("resourceType") == "CapabilityStatement" and "server" in each.get("id", "") and base is not None:
            made.capability = statement(each)
    made.profiles = {
        url: profile
        for url, profile in made.profiles.items()
        if profile.kind != "logical" and profile.snapshot and (base is None or profile.derivation == "constraint")
    }
    sets = wanted(made, base)
    made.terminology.sets = {
        url: ValueSet(url, tuple(map(clause, each.include)), tuple(map(clause, each.exclude)))
        for url, each in made.terminology.sets.items()
        if url in sets
    }
    made.terminology.systems = {
        url: each
        for url, each in made.terminology.systems.items()
        if open_system(url) and 0 < len(each.codes) <= LARGEST and (base is None or url not in base.terminology.systems)
    }
    made.search = sorted((parameter(each) for each in made.search), key=lambda x: (x["url"], x["code"]))
    if base is None:
        made.search = [each for each in made.search if "/extension" not in each["url"].lower() and each["expression"]]
    whole = Definitions(
        profiles=made.profiles, terminology=made.terminology, search=made.search, capability=made.capability
    )
    print(target.name, write_facts(whole, about, target), "bytes,", len(made.profiles), "profiles")
    return made


def wanted(made: Definitions, base: Definitions | None) -> set[str]:
    """The value sets that a binding or a slice may ask for, and those that they include."""
    urls = set()
    for profile in made.profiles.values():
        for row in profile.rows:
            if row.binding is not None:
                urls.add(row.binding[1])
            if row.widest:
                urls.add(row.widest)
    grown = True
    while grown:
        more = {
            url
            for each in urls
            if each in made.terminology.sets
            for part in (made.terminology.sets[each].include, made.terminology.sets[each].exclude)
            for one in part
            for url in one.sets
        } - urls
        urls |= more
        grown = bool(more)
    return urls


def parameter(each: dict[str, Any]) -> dict[str, Any]:
    """A search parameter without its texts."""
    return {
        "url": each.get("url", ""),
        "code": each.get("code", ""),
        "type": each.get("type", ""),
        "base": each.get("base", []),
        "expression": each.get("expression", ""),
        "component": each.get("component", []),
        "target": each.get("target", []),
    }


def statement(each: dict[str, Any]) -> dict[str, Any]:
    """What a server statement demands, without its texts."""
    rest = each["rest"][0]
    return {
        "url": each["url"],
        "version": each.get("version", ""),
        "format": [[code, said(each, "_format", place)] for place, code in enumerate(each.get("format", []))],
        "resources": [
            {
                "type": one["type"],
                "expectation": expectation(one),
                "profiles": [
                    [url, said(one, "_supportedProfile", i)] for i, url in enumerate(one.get("supportedProfile", []))
                ],
                "interactions": [[x["code"], expectation(x)] for x in one.get("interaction", [])],
                "search": [
                    [x["name"], x["type"], x.get("definition", ""), expectation(x)] for x in one.get("searchParam", [])
                ],
                "include": one.get("searchInclude", []),
            }
            for one in rest["resource"]
        ],
        "operations": [[x["name"], expectation(x)] for x in rest.get("operation", [])],
    }


def expectation(each: dict[str, Any]) -> str:
    """SHALL, SHOULD or MAY."""
    return next(
        (x.get("valueCode", "") for x in each.get("extension", []) if x.get("url", "").endswith("expectation")), ""
    )


def said(each: dict[str, Any], key: str, place: int) -> str:
    """The expectation of one value of a list."""
    values = each.get(key, [])
    return expectation(values[place]) if place < len(values) and values[place] else ""


def main() -> None:
    """Write both files."""
    core, guide = Path(sys.argv[1]), Path(sys.argv[2])
    DATA.mkdir(exist_ok=True)
    r4 = {"name": "hl7.fhir.r4.core", "version": "4.0.1", "license": "CC0-1.0", "sha256": sha256_of_file(core)}
    base = compiled(core, r4, None, DATA / "r4-4.0.1.json.gz")
    names = {x.name: hashlib.sha256(x.read_bytes()).hexdigest() for x in sorted(guide.glob("*.json"))}
    kr = {"name": "hl7.fhir.kr.core", "version": "2.0.0", "license": "CC0-1.0", "sha256": sha256_of(names)}
    compiled(guide, kr, base, DATA / "kr-core-2.0.0.json.gz")


if __name__ == "__main__":
    main()
