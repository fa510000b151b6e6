"""Challenges: records that a body draws by lot, and the tests that a system gives them back as they went in.

Whoever draws keeps the seed until the challenge is handed out. The applicant loads the records into the system under
test, as its users would, and runs the kit; ids may change on the way, so patients are found by their identifier and
records by what they say: code, day, value. The same seed gives the same records.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import quote

from madang.science.fhir.kit.model import CAPABILITY, FAIL, NOT_SHOWN, PASS, Finding, Test
from madang.science.fhir.kit.session import Session
from madang.science.fhir.server.made_up import made_up_lives, resources

GROUP = "challenge"
PERSONS, MOST_PERSONS = 3, 20
LEAST, MOST = 10_000_000, 999_999_999  # numbers of drawn persons, from which their identifiers are made
TYPES = (
    "Encounter",
    "Condition",
    "Observation",
    "MedicationRequest",
    "Procedure",
    "AllergyIntolerance",
    "Immunization",
)


def drawn_records(seed: str, persons: int = PERSONS) -> list[dict[str, Any]]:
    """The records of a seed: a hospital, and `persons` people with numbers that nobody can know before."""
    chance = random.Random(seed)
    numbers = chance.sample(range(LEAST, MOST), persons)
    lives = made_up_lives(persons, seed=chance.getrandbits(64))
    return list(resources(replace(life, number=number) for life, number in zip(lives, numbers, strict=True)))


def tests(records: list[dict[str, Any]]) -> list[Test]:
    """The tests of a challenge: its patients are found, and their records of each type are there. None without one."""
    if not records:
        return []
    made = [Test(f"{GROUP}.Patient", GROUP, "Patient", "drawn_patients", "SHALL", CAPABILITY, partial(_all, records))]
    held = {each["resourceType"] for each in records}
    for name in TYPES:
        if name in held:
            look = partial(_records, records, name)
            made.append(Test(f"{GROUP}.{name}", GROUP, name, "drawn_records", "SHALL", CAPABILITY, look))
    return made


def _all(records: list[dict[str, Any]], session: Session) -> Finding:
    patients = [each for each in records if each["resourceType"] == "Patient"]
    found = [_patient(session, each) for each in patients]
    lost = sum(each is None for each in found)
    if lost == len(patients):
        return Finding(NOT_SHOWN, "drawn_none", (len(patients),))
    if lost:
        return Finding(FAIL, "drawn_lost", (lost, len(patients)))
    others = sum(
        any(there is None or there.get(name) != each[name] for name in ("gender", "birthDate"))
        for each, there in zip(patients, found, strict=True)
    )
    return Finding(FAIL, "drawn_other", (others, len(patients))) if others else Finding(PASS)


def _patient(session: Session, drawn: dict[str, Any]) -> dict[str, Any] | None:
    """The one patient of the system who has the drawn identifier."""
    identifier = drawn["identifier"][0]
    asked = quote(f"{identifier['system']}|{identifier['value']}", safe="")
    hits = [each for each in _found(session, f"Patient?identifier={asked}") if each.get("resourceType") == "Patient"]
    return hits[0] if len(hits) == 1 and isinstance(hits[0].get("id"), str) else None


def _found(session: Session, url: str) -> Iterator[dict[str, Any]]:
    if session.offline:
        yield from _in_folder(session, url)
        return
    for wrong, bundle in session.pages(session.get(url)):
        if wrong:
            return
        yield from session.hits(bundle)


def _in_folder(session: Session, url: str) -> Iterator[dict[str, Any]]:
    """What a search would find among the resources of a folder."""
    from madang.science.fhir.server.search import matches

    name, _mark, query = url.partition("?")
    code, _equals, value = query.partition("=")
    parameter = session.parameters.get(name, {}).get(code)
    from urllib.parse import unquote

    for each in session.seen.get(name, {}).values():
        if parameter is not None and matches(each, parameter, unquote(value)):
            yield each


def _records(records: list[dict[str, Any]], name: str, session: Session) -> Finding:
    patients = {each["id"]: each for each in records if each["resourceType"] == "Patient"}
    medications = {f"Medication/{each['id']}": each for each in records if each["resourceType"] == "Medication"}
    wanted: dict[str, list[dict[str, Any]]] = {}
    for each in records:
        if each["resourceType"] == name:
            subject = each.get("subject") or each.get("patient") or {}
            wanted.setdefault(str(subject.get("reference", "")).rpartition("/")[2], []).append(each)
    lost = total = 0
    for person, drawn in wanted.items():
        total += len(drawn)
        there = _patient(session, patients[person])
        if there is None:
            lost += len(drawn)
            continue
        own = partial(_referred, session)
        open_ = [_facts(each, own) for each in _found(session, f"{name}?patient={there['id']}")]
        for each in drawn:
            facts = _facts(each, medications.get)
            match = next((place for place, one in enumerate(open_) if facts <= one), None)
            if match is None:
                lost += 1
            else:
                open_.pop(match)  # two records that say the same have to be there twice
    if lost == total:
        return Finding(NOT_SHOWN, "drawn_none", (total,))
    return Finding(FAIL, "drawn_lost", (lost, total)) if lost else Finding(PASS)


def _referred(session: Session, reference: str) -> dict[str, Any] | None:
    """What a record of the system under test refers to."""
    local = reference.removeprefix(session.base + "/")
    kind, _slash, identifier = local.partition("/")
    if session.offline:
        return session.seen.get(kind, {}).get(identifier)
    kept = session.seen.setdefault("challenge " + kind, {})
    if identifier not in kept and ":" not in local:
        read = session.json(session.get(local))
        kept[identifier] = read if isinstance(read, dict) else {}
    return kept.get(identifier)


def _facts(record: dict[str, Any], referred: Callable[[str], dict[str, Any] | None]) -> frozenset[tuple[Any, ...]]:
    """What a record says that has to come back: codes, the day, the value. More may come back."""
    facts: set[tuple[Any, ...]] = set()
    for name in ("code", "vaccineCode", "medicationCodeableConcept"):
        facts |= _codes("code", record.get(name))
    medication = record.get("medicationReference")
    if isinstance(medication, dict) and isinstance(medication.get("reference"), str):
        facts |= _codes("code", (referred(medication["reference"]) or {}).get("code"))
    kind = record.get("class")
    if isinstance(kind, dict):
        facts.add(("class", kind.get("code")))
    period = record.get("period")
    days = [record.get(name) for name in ("effectiveDateTime", "authoredOn", "performedDateTime", "occurrenceDateTime")]
    days += [record.get("recordedDate") or record.get("onsetDateTime")]
    days += [period.get("start")] if isinstance(period, dict) else []
    facts |= {("day", each[:10]) for each in days if isinstance(each, str)}
    facts |= _value("value", record)
    components = record.get("component")
    for each in components if isinstance(components, list) else ():
        if isinstance(each, dict):
            codes = tuple(sorted(code[1:] for code in _codes("code", each.get("code"))))
            facts |= {("component", codes, *one) for one in _value("value", each)}
    return frozenset(facts)


def _codes(label: str, concept: Any) -> set[tuple[Any, ...]]:
    codings = concept.get("coding") if isinstance(concept, dict) else None
    return {
        (label, each.get("system"), each.get("code"))
        for each in (codings if isinstance(codings, list) else ())
        if isinstance(each, dict) and each.get("code")
    }


def _value(label: str, node: dict[str, Any]) -> set[tuple[Any, ...]]:
    quantity = node.get("valueQuantity")
    facts: set[tuple[Any, ...]] = set()
    if isinstance(quantity, dict):
        facts.add((label, quantity.get("value"), quantity.get("code")))
    facts |= _codes(label, node.get("valueCodeableConcept"))
    if isinstance(node.get("valueString"), str):
        facts.add((label, node["valueString"]))
    return facts
