"""What servers and people do to NDJSON: nothing ends in a traceback, every line has a fate."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from madang.base.errors import MadangError
from madang.science.omop.starter import starter_path
from madang.science.standardize import Standardized, standardize

PATIENT = {"resourceType": "Patient", "id": "p1", "gender": "male", "birthDate": "1970-01-01"}
SUBJECT = {"subject": {"reference": "Patient/p1"}}
HEIGHT = {"coding": [{"system": "http://loinc.org", "code": "8302-2"}]}
WHEN = {"effectiveDateTime": "2020-03-02"}


def run(folder: Path, files: dict[str, list[Any]]) -> Standardized:
    source = folder / "in"
    source.mkdir()
    for name, lines in files.items():
        texts = (line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in lines)
        data = "".join(f"{text}\n" for text in texts).encode()
        (source / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return standardize("fhir-r4", source, starter_path(), key=b"sixteen bytes or more", threads=1)


def fates(result: Standardized, source: str) -> tuple[int, ...]:
    return result.report.sources[source][1:]


def test_values_of_the_wrong_shape(tmp_path: Path) -> None:
    observations = [
        SUBJECT | WHEN | {"id": "o1", "code": "no object"},
        SUBJECT | WHEN | {"id": "o2", "code": {"coding": "no list"}},
        SUBJECT | WHEN | {"id": "o3", "code": {"coding": [None, 7, {"system": 5, "code": {"a": 1}}]}},
        SUBJECT | WHEN | {"id": "o4", "code": HEIGHT, "valueQuantity": {"value": "tall"}},
        SUBJECT | WHEN | {"id": "o5", "code": HEIGHT, "valueQuantity": [1, 2], "component": {"a": 1}},
        SUBJECT | WHEN | {"id": "o6", "code": HEIGHT, "component": [None, {}, {"code": HEIGHT, "valueInteger": 5}]},
        SUBJECT | {"id": "o7", "code": HEIGHT, "effectiveDateTime": "yesterday"},
        SUBJECT | {"id": "o8", "code": HEIGHT, "effectiveDateTime": "2020-02-31"},
        {"id": "o9", "subject": {"reference": 5}, "code": HEIGHT},
        {"id": "o10", "code": HEIGHT},
        SUBJECT | WHEN | {"id": "o11", "code": HEIGHT, "valueString": "-- '); drop table person; \u0000 측정불가"},
        {"id": 12},
    ]
    result = run(tmp_path, {"Patient.ndjson": [PATIENT], "Observation.ndjson": observations})
    # o1 and o2 tell neither a code nor a value; o7 to o10 and the one without a subject lack date or patient.
    assert fates(result, "observation") == (12, 5, 5, 2)
    reasons = {(r.fate, r.reason): r.lines for r in result.report.reasons if r.source == "observation"}
    assert reasons["unused", "the row records nothing"] == 2
    numbers = result.table("observation")["value_as_number"].to_pylist()
    assert [n for n in numbers if n is not None] == [5.0]


def test_lines_that_are_no_resources(tmp_path: Path) -> None:
    lines: list[Any] = [PATIENT, '{"id": "cut', "", "[1]", "null", PATIENT, PATIENT | {"gender": "female"}]
    result = run(tmp_path, {"Patient.ndjson": lines})
    assert fates(result, "patient") == (7, 1, 6, 0)


def test_files_of_one_type_in_parts_and_compressed(tmp_path: Path) -> None:
    files = {
        "Patient.000.ndjson": [PATIENT],
        "Patient-1.ndjson": [PATIENT | {"id": "p2"}],
        "Patient_2.ndjson.gz": [PATIENT | {"id": "p3"}],
        "Medication.ndjson": [{"id": "m1", "code": HEIGHT}],
        "MedicationRequest.1.ndjson": [],
        "Condition.ndjson.gz": [SUBJECT | {"id": "c1", "code": {"text": "아픔"}, "onsetDateTime": "2020"}],
    }
    result = run(tmp_path, files)
    assert (result.report.tables["person"], result.report.tables["condition_occurrence"]) == (3, 1)
    assert result.table("condition_occurrence")["condition_source_value"].to_pylist() == ["아픔"]


def test_without_patients_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(MadangError, match="matches Patient"):
        run(tmp_path, {"Condition.ndjson": [SUBJECT | {"id": "c1"}]})


def test_a_practitioner_is_found_by_any_identifier(tmp_path: Path) -> None:
    def told(*pairs: tuple[str, str]) -> dict[str, Any]:
        return {"identifier": [{"system": system, "value": value} for system, value in pairs]}

    def named(system: str, value: str) -> dict[str, Any]:
        return {"identifier": {"system": system, "value": value} if system else {"value": value}}

    practitioners = [
        {"id": "d1", "gender": "male"} | told(("urn:license", "1"), ("urn:staff", "S1")),
        {"id": "d2", "gender": "female"} | told(("urn:license", "2"), ("urn:staff", "S2")),
        {"id": "d3"} | told(("urn:license", "3"), ("urn:staff", "S1")),
    ]
    roles = [
        {"id": "r1", "practitioner": {"reference": "Practitioner/d1"}, "specialty": [{"coding": [{"code": "GP"}]}]}
    ]
    asked = {
        "by id": ({"reference": "Practitioner/d1"}, "1"),
        "by the first": (named("urn:license", "1"), "1"),
        "by the second": (named("urn:staff", "S2"), "2"),
        "without a system": (named("", "S2"), "2"),
        "two have it": (named("urn:staff", "S1"), None),
        "of another system": (named("urn:elsewhere", "2"), None),
        "by an id, beside an identifier that nobody has": ({"reference": "Practitioner/d2"} | named("urn:x", "9"), "2"),
        "by an id that nobody has": ({"reference": "Practitioner/d9"} | named("urn:license", "3"), "3"),
    }
    encounters = [
        SUBJECT
        | {"id": f"e{i}", "status": "finished", "class": {"code": "AMB"}, "period": {"start": "2020-01-01"}}
        | {"participant": [{"individual": reference}]}
        for i, (reference, _) in enumerate(asked.values())
    ]
    result = run(
        tmp_path,
        {
            "Patient.ndjson": [PATIENT],
            "Practitioner.ndjson": practitioners,
            "PractitionerRole.ndjson": roles,
            "Encounter.ndjson": encounters,
        },
    )
    key = {"1": "male", "2": "female", "3": None}
    rows = result.sql(
        "SELECT provider_id IS NOT NULL AS found, p.gender_source_value AS gender, specialty_source_value AS specialty "
        "FROM visit_occurrence LEFT JOIN provider p USING (provider_id) ORDER BY visit_occurrence_id"
    ).to_pylist()
    for (what, (_, expected)), row in zip(asked.items(), rows, strict=True):
        assert (row["found"], row["gender"]) == (expected is not None, key.get(str(expected))), what
        assert row["specialty"] == ("GP" if expected == "1" else None), what


def test_conditions_dated_by_age_and_words(tmp_path: Path) -> None:
    def age(value: float, code: str) -> dict[str, Any]:
        return {"value": value, "unit": "of some kind", "system": "http://unitsofmeasure.org", "code": code}

    conditions = [
        {"onsetAge": age(30, "a"), "recordedDate": "2020-01-01"},
        {"onsetAge": age(18, "mo"), "abatementAge": age(3, "a")},
        {"onsetAge": age(2, "fathoms"), "recordedDate": "2020-01-01"},
        {"onsetString": "as a child", "abatementString": "2001", "recordedDate": "2000-02-03"},
        {"onsetDateTime": "2010-06-01", "abatementAge": age(40, "a")},
        {"onsetRange": {"low": age(1, "a"), "high": age(2, "a")}, "recordedDate": "2020-01-01"},
    ]
    lines = [
        one | {"id": f"c{i}", "code": {"text": "ill"}, "subject": {"reference": "Patient/p1"}}
        for i, one in enumerate(conditions)
    ]
    result = run(tmp_path, {"Patient.ndjson": [PATIENT], "Condition.ndjson": lines})
    dates = result.sql(
        "SELECT condition_start_date::VARCHAR AS began, condition_end_date::VARCHAR AS ended FROM condition_occurrence "
        "ORDER BY condition_occurrence_id"
    ).to_pylist()
    assert [tuple(row.values()) for row in dates] == [
        ("2000-01-01", None),
        ("1971-07-01", "1973-01-01"),
        ("2020-01-01", None),
        ("2000-02-03", "2001-01-01"),
        ("2010-06-01", "2010-06-01"),  # at 40 still: not before it began
        ("2020-01-01", None),
    ]
    assert dict(result.report.repairs) == {
        "condition.onset_age": 1, "condition.onset_words": 1, "condition.onset_range": 1,
    }  # fmt: skip


def test_patients_that_are_replaced_modified_or_born_on_no_day(tmp_path: Path) -> None:
    patients = [
        PATIENT,
        PATIENT | {"id": "old", "link": [{"type": "replaced-by", "other": {"reference": "Patient/p1"}}]},
        PATIENT | {"id": "also", "link": [{"type": "seealso", "other": {"reference": "Patient/p1"}}]},
        PATIENT | {"id": "odd", "modifierExtension": [{"url": "urn:x"}]},
        PATIENT | {"id": "day", "birthDate": "1980-02-30"},
        PATIENT | {"id": "month", "birthDate": "1981-00-00"},
        {"resourceType": "Practitioner", "id": "dr", "birthDate": "1960"},
        PATIENT | {"id": "dead", "birthDate": "1982", "deceasedDateTime": "last winter"},
    ]
    encounters = [
        SUBJECT | {"id": "e1", "status": "finished", "class": {"code": "?"}, "period": {"start": "2020-01-01"}}
        | {"participant": [{"individual": {"reference": "Practitioner/nobody"}}]},
    ]  # fmt: skip
    files = {"Patient.ndjson": patients, "Encounter.ndjson": encounters, "Practitioner.ndjson": [{"id": "dr"}]}
    result = run(tmp_path, files)
    born = result.sql("SELECT year_of_birth, month_of_birth, day_of_birth FROM person ORDER BY person_id").to_pylist()
    assert [tuple(row.values()) for row in born[-3:]] == [(1980, 2, None), (1981, None, None), (1982, None, None)]
    assert fates(result, "patient") == (8, 6, 2, 0)
    assert dict(result.report.repairs) == {"patient.replaced": 1, "patient.deceasedDateTime": 1}
    told = " ".join(result.report.warnings)
    assert "1 of 1 references of encounter.practitioner lead to no Practitioner of this export" in told
    assert "1 of 1 rows of visit_occurrence have visit_concept_id 0" in told
    assert "1 persons died on a day that nobody tells" in told
