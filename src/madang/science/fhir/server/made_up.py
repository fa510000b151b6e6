"""Resources of a hospital that does not exist: every profile of KR Core, from lives that are given or made up.

The same lives give the same resources. Names, numbers and addresses are made up and say so (가상); nobody in them
exists. Codes are bare identifiers; no text of a code system is used.
"""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from madang.science.fhir.kr_cdi import BASE

TERMS = "http://terminology.hl7.org/CodeSystem/"
KOREAN = "http://www.hl7korea.or.kr/CodeSystem/"
LOINC, SNOMED, UCUM, ATC = (
    "http://loinc.org",
    "http://snomed.info/sct",
    "http://unitsofmeasure.org",
    "http://www.whocc.no/atc",
)
EDI, DRUG, KCD = f"{KOREAN}hira-edi-procedure", f"{KOREAN}hira-edi-medication", f"{KOREAN}kostat-kcd-8"
DOCTORS, NOTE = 6, "가상 기록"
VITALS = (
    ("bodyheight", "8302-2", "cm", 164.0, 9.0),
    ("bodyweight", "29463-7", "kg", 63.0, 11.0),
    ("bodytemperature", "8310-5", "Cel", 36.6, 0.4),
    ("heartrate", "8867-4", "/min", 74.0, 10.0),
    ("respiratoryrate", "9279-1", "/min", 16.0, 2.0),
    ("pulseoximetry", "2708-6", "%", 97.0, 1.0),
)
DIAGNOSES = ("I10.9", "E11.9", "J00", "K29.5", "M54.5", "N20.1", "E78.5", "J45.9")
DRUGS = (("653400910", "M01AB15"), ("642100110", "C08CA01"), ("643500420", "A10BA02"), ("644900390", "C10AA05"))
DISTRICTS = (
    ("서울특별시 중구", "04515"),
    ("서울특별시 강남구", "06351"),
    ("대구광역시 동구", "41170"),
    ("부산광역시 남구", "48400"),
)


@dataclass(frozen=True)
class Visit:
    """One encounter: days, whether admitted, KCD codes, and drugs as (code of the drug, days of supply)."""

    start: date
    end: date
    admitted: bool
    diagnoses: tuple[str, ...] = ()
    drugs: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Life:
    """One person who never lived."""

    number: int
    female: bool
    born: date
    visits: tuple[Visit, ...] = field(default=())


def made_up_lives(persons: int, seed: int = 1) -> list[Life]:
    """Lives from a seed, for where there is no dataset."""
    chance = random.Random(seed)
    lives = []
    for number in range(1, persons + 1):
        born = date(chance.randint(1935, 2015), chance.randint(1, 12), chance.randint(1, 28))
        visits = []
        for _visit in range(chance.randint(1, 3)):
            start = date(chance.randint(2022, 2024), chance.randint(1, 12), chance.randint(1, 28))
            admitted = chance.random() < 0.25
            drugs = ((chance.choice(DRUGS)[0], chance.choice((3, 7, 30))),)
            codes = tuple(chance.sample(DIAGNOSES, chance.randint(1, 2)))
            visits.append(
                Visit(start, start + timedelta(days=chance.randint(1, 6) if admitted else 0), admitted, codes, drugs)
            )
        lives.append(Life(number, chance.random() < 0.5, born, tuple(sorted(visits, key=lambda each: each.start))))
    return lives


def concept(system: str, code: str, text: str = "") -> dict[str, Any]:
    """A CodeableConcept with one coding."""
    made: dict[str, Any] = {"coding": [{"system": system, "code": code}]}
    return made | {"text": text} if text else made


def quantity(value: float, unit: str) -> dict[str, Any]:
    """A Quantity in UCUM."""
    return {"value": value, "unit": unit, "system": UCUM, "code": unit}


def refer(name: str, identifier: str) -> dict[str, Any]:
    """A relative reference."""
    return {"reference": f"{name}/{identifier}"}


def resource(name: str, key: str, profile: str, /, **parts: Any) -> dict[str, Any]:
    """A synthetic resource that claims a profile, marked as test data."""
    made: dict[str, Any] = {
        "resourceType": name,
        "id": key,
        "meta": {
            "versionId": "1",
            "lastUpdated": "2025-01-01T00:00:00+09:00",
            "profile": [BASE + profile],
            "tag": [{"system": TERMS + "v3-ActReason", "code": "HTEST"}],
        },
    }
    return made | parts


def address(place: int, detail: int) -> dict[str, Any]:
    """An address with the parts of a road name address."""
    district, postal = DISTRICTS[place % len(DISTRICTS)]
    parts = [
        ("district", district),
        ("roadName", "마당로"),
        ("detailedAddress", str(detail)),
        ("complements", "(가상동)"),
    ]
    return {
        "extension": [
            {
                "extension": [{"url": name, "valueString": value} for name, value in parts],
                "url": BASE + "roadNameAddress",
            }
        ],
        "text": f"{district} 마당로 {detail} (가상동)",
        "postalCode": postal,
    }


def hospital() -> Iterator[dict[str, Any]]:
    """The hospital, its laboratory, its people."""
    yield resource(
        "Organization",
        "hospital",
        "healthcare-organization",
        identifier=[{"system": "http://www.hl7korea.or.kr/Identifier/hira-krnpi", "value": "99999999"}],
        type=[concept(f"{KOREAN}hira-healthcare-organization-types", "11")],
        name="마당가상병원",
        telecom=[{"system": "phone", "value": "02-0000-0000"}, {"system": "fax", "value": "02-0000-0001"}],
        address=[address(0, 1)],
    )
    yield resource(
        "Organization",
        "laboratory",
        "organization",
        name="마당가상검사센터",
        telecom=[{"system": "phone", "value": "02-0000-0002"}],
    )
    for number in range(1, DOCTORS + 1):
        yield resource(
            "Practitioner",
            f"doctor-{number}",
            "medical-doctor",
            identifier=[{"system": "urn:oid:2.16.840.1.113883.2.22.9999.1", "value": f"D{number:04}"}],
            name=[{"text": f"가상의사{number}"}],
            telecom=[{"system": "phone", "value": f"010-0000-{number:04}"}],
            qualification=[
                {
                    "identifier": [
                        {"system": "http://www.hl7korea.or.kr/Identifier/mohw-md-license-id", "value": f"00{number:04}"}
                    ],
                    "code": concept(f"{KOREAN}mohw-practitioner-qualification-types", "의사"),
                }
            ],
        )
        yield resource(
            "PractitionerRole",
            f"doctor-{number}-role",
            "medical-doctor-role",
            practitioner=refer("Practitioner", f"doctor-{number}"),
            organization=refer("Organization", "hospital"),
            code=[concept(f"{TERMS}practitioner-role", "doctor")],
            specialty=[concept(f"{KOREAN}hira-medical-department", f"{number:02}")],
        )
    yield resource("Practitioner", "nurse-1", "practitioner", name=[{"text": "가상간호사1"}])
    yield resource(
        "PractitionerRole",
        "nurse-1-role",
        "practitioner-role",
        practitioner=refer("Practitioner", "nurse-1"),
        organization=refer("Organization", "hospital"),
        code=[concept(f"{TERMS}practitioner-role", "nurse")],
    )
    for code, ingredient in DRUGS:
        yield _medication(code, ingredient)


def _medication(code: str, ingredient: str) -> dict[str, Any]:
    made = resource("Medication", f"drug-{code}", "medication", code=concept(DRUG, code))
    made["code"]["coding"][0]["display"] = f"가상 약품 {code}"
    return made | {"ingredient": [{"itemCodeableConcept": concept(ATC, ingredient)}]}


def resources(lives: Iterable[Life]) -> Iterator[dict[str, Any]]:
    """Every resource of the hospital; what refers comes after what it refers to, but for diagnoses of encounters."""
    yield from hospital()
    known = {code for code, _ingredient in DRUGS}
    for life in lives:
        for drug in sorted({code for visit in life.visits for code, _days in visit.drugs} - known):
            known.add(drug)
            yield _medication(drug, "N02BE01")
        yield from _person(life)


def _person(life: Life) -> Iterator[dict[str, Any]]:
    chance = random.Random(life.number)
    person = f"person-{life.number}"
    patient = refer("Patient", person)
    yield resource(
        "Patient",
        person,
        "patient",
        identifier=[
            {
                "type": concept(f"{TERMS}v2-0203", "MR"),
                "system": "urn:oid:2.16.840.1.113883.2.22.9999.2",
                "value": f"V{life.number:06}",
            }
        ],
        name=[{"text": f"가상인{life.number}"}],
        telecom=[
            {"system": "phone", "value": f"010-0000-{life.number % 10000:04}"},
            {"system": "email", "value": f"person{life.number}@example.org"},
        ],
        gender="female" if life.female else "male",
        birthDate=life.born.isoformat(),
        address=[address(life.number, life.number)],
        contact=[{"name": {"text": f"가상가족{life.number}"}, "address": address(life.number + 1, life.number)}],
    )
    yield resource(
        "AllergyIntolerance",
        f"{person}-allergy",
        "allergyintolerance",
        clinicalStatus=concept(f"{TERMS}allergyintolerance-clinical", "active"),
        category=["medication"],
        code=concept(ATC, "J01CR02", NOTE),
        patient=patient,
        onsetDateTime=f"{life.born.year + 5}-04",
        reaction=[{"manifestation": [concept(SNOMED, "126485001", NOTE)]}],
    )
    yield resource(
        "Immunization",
        f"{person}-vaccine",
        "immunization",
        status="completed",
        vaccineCode=concept("http://www.hl7korea.or.kr/fhir/krcore/CodeSystem/krcore-vcnt-types", "13"),
        patient=patient,
        occurrenceDateTime=f"{max(life.born.year + 1, 2020)}-10-{life.number % 28 + 1:02}",
        protocolApplied=[{"doseNumberPositiveInt": 1}],
    )
    for number, visit in enumerate(life.visits, start=1):
        yield from _visit(life, patient, visit, f"{person}-{number}", chance)


def _visit(
    life: Life, patient: dict[str, Any], visit: Visit, name: str, chance: random.Random
) -> Iterator[dict[str, Any]]:
    day = visit.start.isoformat()
    doctor = refer("Practitioner", f"doctor-{life.number % DOCTORS + 1}")
    encounter = refer("Encounter", name)
    diagnoses = [f"{name}-dx-{place}" for place in range(1, len(visit.diagnoses) + 1)]
    yield resource(
        "Encounter",
        name,
        "encounter",
        extension=[
            {"url": BASE + "insuranceTypes", "valueCodeableConcept": concept(f"{KOREAN}hira-insurance-types", "4")}
        ],
        status="finished",
        **{"class": {"system": f"{TERMS}v3-ActCode", "code": "IMP" if visit.admitted else "AMB"}},
        subject=patient,
        participant=[{"individual": doctor}],
        period={"start": day, "end": visit.end.isoformat()},
        serviceProvider=refer("Organization", "hospital"),
        **({"diagnosis": [{"condition": refer("Condition", each)} for each in diagnoses]} if diagnoses else {}),
    )
    category = "http://www.hl7korea.or.kr/fhir/krcore/CodeSystem/krcore-condition-category-types"
    active = concept(f"{TERMS}condition-clinical", "active")
    for identifier, code in zip(diagnoses, visit.diagnoses, strict=True):
        yield resource(
            "Condition",
            identifier,
            "condition-encounter-diagnosis",
            category=[concept(category, "진단")],
            clinicalStatus=active,
            code=concept(KCD, code),
            subject=patient,
            encounter=encounter,
            recordedDate=day,
        )
    yield resource(
        "Condition",
        f"{name}-complaint",
        "condition-chief-complaint",
        category=[concept(category, "주호소")],
        clinicalStatus=active,
        code=concept(SNOMED, "22253000", NOTE),
        subject=patient,
        encounter=encounter,
        onsetDateTime=day,
    )
    yield from _vital_signs(patient, name, day, chance)
    for place, (drug, days) in enumerate(visit.drugs, start=1):
        yield _order(patient, encounter, doctor, f"{name}-rx-{place}", day, drug, days, life.number + place)
    yield resource(
        "Procedure",
        f"{name}-procedure",
        "procedure",
        status="completed",
        category=concept("http://www.hl7korea.or.kr/fhir/krcore/CodeSystem/krcore-procedure-category-types", "1"),
        code=concept(EDI, "R3505"),
        subject=patient,
        encounter=encounter,
        performedDateTime=day,
    )
    from madang.science.fhir.server.made_up_tests import tests_of

    yield from tests_of(life, patient, doctor, name, day, chance)


def _vital_signs(patient: dict[str, Any], name: str, day: str, chance: random.Random) -> Iterator[dict[str, Any]]:
    category = [concept(f"{TERMS}observation-category", "vital-signs")]
    for profile, code, unit, middle, spread in VITALS:
        value = round(min(chance.gauss(middle, spread), 100.0 if unit == "%" else 1e9), 1)
        yield resource(
            "Observation",
            f"{name}-{profile}",
            profile,
            status="final",
            category=category,
            code=concept(LOINC, code),
            subject=patient,
            effectiveDateTime=day,
            valueQuantity=quantity(value, unit),
        )
    yield resource(
        "Observation",
        f"{name}-bloodpressure",
        "bloodpressure",
        status="final",
        category=category,
        code=concept(LOINC, "85354-9"),
        subject=patient,
        effectiveDateTime=day,
        component=[
            {"code": concept(LOINC, code), "valueQuantity": quantity(chance.randint(low, high), "mm[Hg]")}
            for code, low, high in (("8480-6", 100, 150), ("8462-4", 60, 95))
        ],
    )
    yield resource(
        "Observation",
        f"{name}-vital",
        "vitalsigns",
        status="final",
        category=category,
        code=concept(LOINC, "8287-5"),
        subject=patient,
        effectiveDateTime=day,
        valueQuantity=quantity(round(chance.gauss(56, 2), 1), "cm"),
    )


def _order(
    patient: dict[str, Any],
    encounter: dict[str, Any],
    doctor: dict[str, Any],
    name: str,
    day: str,
    drug: str,
    days: int,
    form: int,
) -> dict[str, Any]:
    if form % 3:
        medication: dict[str, Any] = {"medicationReference": refer("Medication", f"drug-{drug}")}
    else:
        code = concept(DRUG, drug)
        code["coding"][0]["display"] = f"가상 약품 {drug}"
        code["extension"] = [{"url": BASE + "medicationIngredient", "valueCodeableConcept": concept(ATC, "N02BE01")}]
        medication = {"medicationCodeableConcept": code}
    dose: dict[str, Any] = {"doseQuantity": quantity(1, "{tbl}")}
    if form % 2:
        dose = {"doseRange": {"low": quantity(1, "{tbl}"), "high": quantity(2, "{tbl}")}}
    return resource(
        "MedicationRequest",
        name,
        "medicationrequest",
        status="completed",
        intent="order",
        category=[concept(f"{TERMS}medicationrequest-category", "outpatient")],
        **medication,
        subject=patient,
        encounter=encounter,
        authoredOn=day,
        requester=doctor,
        dosageInstruction=[
            {
                "text": "하루 3번 식후 30분",
                "timing": {"repeat": {"frequency": 3, "period": 1, "periodUnit": "d"}},
                "doseAndRate": [dose],
            }
        ],
        dispenseRequest={"quantity": quantity(3 * days, "{tbl}"), "expectedSupplyDuration": quantity(days, "d")},
    )
