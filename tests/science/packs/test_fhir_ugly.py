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
