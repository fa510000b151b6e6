"""The FHIR pack on a real bulk export of synthetic patients, compared with plain Python over the same files."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from plain_vocabulary import KEY, TABLE_OF_DOMAIN, PlainVocabulary, event_rows, pseudonym, texts_in

from madang.lake import Lake
from madang.science.standardize import Standardized, standardize
from support import shared_data

VOCABULARIES = {
    "http://snomed.info/sct": "SNOMED",
    "http://www.nlm.nih.gov/research/umls/rxnorm": "RxNorm",
    "http://hl7.org/fhir/sid/cvx": "CVX",
}


@pytest.fixture(scope="module")
def source() -> Path:
    return shared_data("fhir-bulk")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fhir")


@pytest.fixture(scope="module")
def result(source: Path, home: Path) -> Standardized:
    into = Lake(home / "lake", home / "restricted").dataset("fhir")
    return standardize("fhir-r4", source, shared_data("vocabulary"), into, key=KEY, threads=2)


def resources(source: Path, kind: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (source / f"{kind}.000.ndjson").read_text(encoding="utf-8").splitlines()]


def coding(concept: dict[str, Any]) -> tuple[str, str]:
    assert len(concept["coding"]) == 1, "in this export every concept has one coding"
    return VOCABULARIES[concept["coding"][0]["system"]], concept["coding"][0]["code"]


def person(reference: dict[str, Any]) -> str:
    return pseudonym(reference["reference"].removeprefix("Patient/"))


def test_every_line_is_accounted_for(source: Path, result: Standardized) -> None:
    counts = {name: lines for name, (_, lines, *_) in result.report.sources.items() if lines}
    assert sum(counts.values()) == sum(len(path.read_bytes().splitlines()) for path in source.glob("*.ndjson"))
    for _, lines, used, rejected, unused in result.report.sources.values():
        assert lines == used + rejected + unused
        assert rejected == 0
    assert {(reason.source, reason.reason): reason.lines for reason in result.report.reasons} == {
        ("device", "tells no day of use"): 16,
        ("document_reference", "its text stays at the source"): 1215,
        ("place", "no address is told"): 1,
        ("practitioner", "told by PractitionerRole"): 43,
    }


def test_rows_per_table(result: Standardized) -> None:
    tables = result.report.tables
    assert (tables["person"], tables["visit_occurrence"], tables["provider"], tables["death"]) == (13, 1215, 43, 3)
    assert (tables["care_site"], tables["drug_exposure"]) == (43 + 43, 1745 + 161)
    assert sum(tables[table] for table in TABLE_OF_DOMAIN.values()) == 555 + 2056 + 1745 + 161 + 11


def expected_events(source: Path) -> Iterator[tuple[str, str, tuple[str, str], str, str]]:
    """(pseudonym, start, coding, domain if unmapped, source value) of every record."""
    for one in resources(source, "Condition"):
        yield person(one["subject"]), one["onsetDateTime"], coding(one["code"]), "Condition", coding(one["code"])[1]
    for one in resources(source, "Procedure"):
        start = one["performedPeriod"]["start"]
        yield person(one["subject"]), start, coding(one["code"]), "Procedure", coding(one["code"])[1]
    for one in resources(source, "MedicationRequest"):
        drug = coding(one["medicationCodeableConcept"])
        yield person(one["subject"]), one["authoredOn"], drug, "Drug", drug[1]
    for one in resources(source, "Immunization"):
        vaccine = coding(one["vaccineCode"])
        yield person(one["patient"]), one["occurrenceDateTime"], vaccine, "Drug", vaccine[1]
    general = {"medication": "416098002", "food": "414285001", "environment": "426232007"}
    for one in resources(source, "AllergyIntolerance"):
        fact = "SNOMED", general[one["category"][0]]
        yield person(one["patient"]), one["recordedDate"], fact, "Observation", coding(one["code"])[1]


def test_mapping_and_routing_agree_with_plain_python(source: Path, result: Standardized) -> None:
    vocabulary = PlainVocabulary(shared_data("vocabulary"))
    expected = Counter(
        (table, who, start[:10], concept, source_concept, value)
        for who, start, code, domain, value in expected_events(source)
        for table, concept, source_concept in vocabulary.places(*code, domain)
    )
    got = Counter(row for table in TABLE_OF_DOMAIN.values() for row in event_rows(result, table))
    assert got == expected
    assert sum(expected.values()) == 4528


def test_visits_with_provider_and_institution(source: Path, result: Standardized) -> None:
    """Practitioners and organizations are conditional references by identifier in this export."""
    kinds = {"AMB": 9202, "IMP": 9201, "EMER": 9203, "HH": 581476, "VR": 5083}
    expected = Counter(
        (
            person(one["subject"]),
            kinds[one["class"]["code"]],
            one["period"]["start"][:10],
            one["period"]["end"][:10],
            pseudonym(one["participant"][0]["individual"]["reference"].split("|")[1]),
            one["serviceProvider"]["reference"].split("|")[1],
        )
        for one in resources(source, "Encounter")
    )
    got = result.sql(
        "SELECT person_source_value, visit_concept_id, visit_start_date::VARCHAR, visit_end_date::VARCHAR, "
        "provider_source_value, care_site_source_value FROM visit_occurrence v JOIN person USING (person_id) "
        "JOIN provider ON provider.provider_id = v.provider_id "
        "JOIN care_site ON care_site.care_site_id = v.care_site_id"
    )
    assert Counter(tuple(row.values()) for row in got.to_pylist()) == expected


def test_one_woman(source: Path, result: Standardized) -> None:
    """Read off Patient.000.ndjson by eye: born 1927-05-21, white, not Hispanic, died in the evening of 1989-05-09."""
    (found,) = result.sql(
        "SELECT gender_concept_id, year_of_birth, month_of_birth, day_of_birth, race_concept_id, ethnicity_concept_id, "
        "death_datetime::VARCHAR AS died FROM person JOIN death USING (person_id) "
        f"WHERE person_source_value = '{pseudonym('129c6ac7-8d06-89de-ad63-0204a93e76c3')}'"
    ).to_pylist()
    assert tuple(found.values()) == (8532, 1927, 5, 21, 8527, 38003564, "1989-05-09 20:35:22")


def test_nothing_that_names_a_person_is_in_any_file(source: Path, home: Path, result: Standardized) -> None:
    named: set[str] = set()
    for one in resources(source, "Patient"):
        named |= {one["id"], one["text"]["div"], one["address"][0]["line"][0], one["address"][0]["city"]}
        named |= {name["family"] for name in one["name"]} | {given for name in one["name"] for given in name["given"]}
        named |= {telecom["value"] for telecom in one["telecom"]}
        named |= {identifier["value"] for identifier in one["identifier"]}
        named |= {ext["valueString"] for ext in one["extension"] if "valueString" in ext}
    for one in resources(source, "Practitioner"):
        named |= {one["identifier"][0]["value"], one["name"][0]["family"], one["telecom"][0]["value"]}
    for one in resources(source, "Encounter"):
        named |= {one["id"], one["subject"]["display"], one["participant"][0]["individual"]["display"]}
    named |= {one["content"][0]["attachment"]["data"] for one in resources(source, "DocumentReference")}
    kept = texts_in(home)
    assert pseudonym("129c6ac7-8d06-89de-ad63-0204a93e76c3") in kept
    assert named.isdisjoint(kept)
    everything = "\n".join(kept)
    cities = {one["address"][0]["city"] for one in resources(source, "Patient")}  # which institutions have, too
    assert [name for name in named - cities if len(name) > 5 and name in everything] == []
