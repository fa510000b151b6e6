"""Tests of a visit that never was: specimens, results of laboratory and function tests, imaging studies, reports."""

import random
from collections.abc import Iterator
from typing import Any

from madang.science.fhir.kr_cdi import BASE
from madang.science.fhir.server.made_up import EDI, NOTE, SNOMED, TERMS, Life, concept, quantity, refer, resource


def tests_of(
    life: Life, patient: dict[str, Any], doctor: dict[str, Any], name: str, day: str, chance: random.Random
) -> Iterator[dict[str, Any]]:
    """Specimen, results, studies and reports of one visit."""
    issued = f"{day}T15:25:52+09:00"
    specimen = refer("Specimen", f"{name}-specimen")
    yield resource(
        "Specimen",
        f"{name}-specimen",
        "specimen",
        identifier=[{"system": "urn:oid:2.16.840.1.113883.2.22.9999.3", "value": name}],
        status="available",
        type=concept(SNOMED, "122555007"),
        subject=patient,
        receivedTime=issued,
        collection={"collectedDateTime": day, "bodySite": concept(SNOMED, "49852007")},
    )
    laboratory = [concept(f"{TERMS}observation-category", "laboratory")]
    yield resource(
        "Observation",
        f"{name}-lab",
        "observation-laboratory-result",
        status="final",
        category=laboratory,
        code=concept(EDI, "D0301026"),
        subject=patient,
        effectiveDateTime=day,
        issued=issued,
        performer=[doctor],
        specimen=specimen,
        component=[
            {
                "code": concept(EDI, code),
                "valueQuantity": quantity(round(chance.uniform(low, high), 2), unit),
                "referenceRange": [{"low": quantity(low, unit), "high": quantity(high, unit)}],
            }
            for code, unit, low, high in (("D0002030", "10*6/uL", 4.1, 5.6), ("D0002010", "10*3/uL", 4.0, 10.0))
        ]
        + [{"code": concept(EDI, "D0002050"), "valueCodeableConcept": concept(SNOMED, "17621005")}]
        + [
            {
                "code": concept(EDI, "D0002060"),
                "dataAbsentReason": concept(f"{TERMS}data-absent-reason", "not-performed"),
            }
        ],
    )
    sugar = {"low": quantity(70, "mg/dL"), "high": quantity(100, "mg/dL")}
    values: list[dict[str, Any]] = [
        {"valueQuantity": quantity(chance.randint(80, 140), "mg/dL"), "referenceRange": [sugar]},
        {"valueCodeableConcept": concept(SNOMED, "260385009", NOTE)},
        {"valueString": "가상 결과"},
        {"valueDateTime": day},
        {"dataAbsentReason": concept(f"{TERMS}data-absent-reason", "not-performed")},
    ]
    for place, value in enumerate(values, start=1):
        yield resource(
            "Observation",
            f"{name}-lab-{place}",
            "observation-laboratory-result",
            status="final",
            category=laboratory,
            code=concept(EDI, f"D302{place:04}"),
            subject=patient,
            effectiveDateTime=day,
            issued=issued,
            performer=[doctor],
            **value,
        )
    yield resource(
        "Observation",
        f"{name}-function",
        "observation-function-test",
        status="final",
        category=[concept(f"{TERMS}observation-category", "exam")],
        code=concept(EDI, "F6001"),
        subject=patient,
        effectiveDateTime=day,
        issued=issued,
        performer=[doctor],
        valueQuantity=quantity(chance.randint(70, 100), "%"),
    )
    yield resource(
        "ImagingStudy",
        f"{name}-study",
        "imagingstudy",
        status="available",
        subject=patient,
        started=issued,
        series=[
            {
                "uid": f"2.25.{life.number}{chance.randint(10**10, 10**11)}",
                "modality": {"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "US"},
            }
        ],
    )
    yield from _reports(patient, doctor, name, day, issued, specimen)


def _reports(
    patient: dict[str, Any], doctor: dict[str, Any], name: str, day: str, issued: str, specimen: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    asked = [{"url": BASE + "testRequestDateTime", "valueDateTime": day}]
    kinds = (
        (
            "laboratory-results",
            "LAB",
            "D0301026",
            {"result": [refer("Observation", f"{name}-lab")], "specimen": [specimen]},
        ),
        ("pathology-results", "PAT", "C1561", {"result": [refer("Observation", f"{name}-lab-2")]}),
        ("diagnostic-imaging", "IMG", "EB423", {"imagingStudy": [refer("ImagingStudy", f"{name}-study")]}),
        ("function-tests", "OSL", "F6001", {"result": [refer("Observation", f"{name}-function")]}),
    )
    for kind, category, code, parts in kinds:
        yield resource(
            "DiagnosticReport",
            f"{name}-{kind}",
            f"diagnosticreport-{kind}",
            extension=asked,
            status="final",
            category=[concept(f"{TERMS}v2-0074", category)],
            code=concept(EDI, code),
            subject=patient,
            issued=issued,
            performer=[doctor],
            conclusion="가상 판독",
            **parts,
        )
