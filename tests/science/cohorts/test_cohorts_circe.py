"""The known answers of the field: circe-be's own cohort tests, and PhenotypeLibrary definitions on a public CDM."""

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from madang.base.errors import MadangError
from madang.lake import Lake, Version
from madang.science.cohorts import load, members, of_document, opened
from madang.science.cohorts.members import generate, rows
from madang.science.omop.importing import import_model
from science.cohorts.cohort_data import concept, expression, make_version
from support import sampled, shared_data

Rows = list[tuple[int, str, str]]


def _cases(name: str) -> list[Any]:
    path = Path(__file__).parents[3].parent / "shared" / "data" / "circe_be" / name
    import os

    path = Path(os.environ.get("MADANG_SHARED_DATA", path.parents[1])) / "circe_be" / name
    return json.loads(path.read_text())["cases"] if path.exists() else [None]


def _tables(*paths: Path) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for path in paths:
        for name, values in json.loads(path.read_text()).items():
            found.setdefault(name.removeprefix("cdm."), []).extend(values)
    return found


def _set(document: dict[str, Any], path: str, value: Any) -> None:
    *above, last = path.split(".")
    for key in above:
        document = document.setdefault(key, {})
    document[last] = value


@pytest.mark.parametrize("case", _cases("cohort_cases.json"), ids=lambda case: case["case"] if case else "none")
def test_cohorts_are_those_of_circes_own_tests(case: Mapping[str, Any], tmp_path: Path) -> None:
    data = shared_data("circe_be")
    folder = data / "cohortgeneration" / case["dir"]
    version = make_version(tmp_path, _tables(data / "datasets" / "vocabulary.json", folder / case["prep"]))
    expected = next(
        values for name, values in json.loads((folder / case["verify"]).read_text()).items() if name.endswith(".cohort")
    )
    document = json.loads((folder / case["expression"]).read_text())
    for number, patch in case["runs"]:
        for path, value in patch.items():
            _set(document, path, value)
        if number == "must be refused":
            with pytest.raises(MadangError, match="no concept set of drugs"):
                members(version, of_document(document))
            continue
        wanted = sorted(
            (row["subject_id"], row["cohort_start_date"], row["cohort_end_date"])
            for row in expected
            if row["cohort_definition_id"] == number
        )
        assert _plain(members(version, of_document(document))) == wanted, number


def _plain(table: Any) -> Rows:
    return [
        (row["subject_id"], row["cohort_start_date"].isoformat(), row["cohort_end_date"].isoformat())
        for row in table.to_pylist()
    ]


@pytest.mark.parametrize("case", _cases("criteria_cases.json"), ids=lambda case: case["test"] if case else "none")
def test_criteria_find_the_events_of_circes_own_tests(case: Mapping[str, Any], tmp_path: Path) -> None:
    data = shared_data("circe_be")
    tables = _tables(*(data / name.lstrip("/") for name in case["prep"]))
    codesets = tables.pop("temp.codesets")
    known = {row["concept_id"] for row in tables["concept"]}
    wanted = {row["concept_id"] for row in codesets}
    tables["concept"] += [concept(number) for number in sorted(wanted - known)]
    version = make_version(tmp_path, tables)
    verified = _tables(*(data / name.lstrip("/") for name in case["verify"]))
    body: dict[str, Any] = {}
    for step in case["steps"]:
        for key, value in step["set"].items():
            _attribute(body, key, value)
        document = {
            "ConceptSets": [
                {
                    "id": number,
                    "name": f"set {number}",
                    "expression": {
                        "items": [
                            {"concept": {"CONCEPT_ID": row["concept_id"]}}
                            for row in codesets
                            if row["codeset_id"] == number
                        ]
                    },
                }
                for number in sorted({row["codeset_id"] for row in codesets})
            ],
            "PrimaryCriteria": {
                "CriteriaList": [{step["criteria"]: body}],
                "ObservationWindow": {"PriorDays": 0, "PostDays": 0},
                "PrimaryCriteriaLimit": {"Type": "All"},
            },
            "ExpressionLimit": {"Type": "All"},
            "EndStrategy": {"DateOffset": {"DateField": "EndDate", "Offset": 0}},
        }
        events = verified[step["table"]]
        if "DoseUnitCS" in body:  # a column of CDM 5.0 that 5.4 has not; datasets here are in 5.4
            with pytest.raises(MadangError, match="dose_unit_concept_id"):
                members(version, of_document(document))
            continue
        assert _plain(members(version, of_document(document))) == _as_cohort(events, tables), step["table"]


def _attribute(body: dict[str, Any], key: str, value: str) -> None:
    """One assignment of the Java tests as an attribute of the JSON."""
    if key.startswith("userPeriod."):
        body.setdefault("UserDefinedPeriod", {})[key[11].upper() + key[12:]] = value.strip('"')
    elif value.startswith("createDateAdjustment("):
        start, first, end, last = (part.strip() for part in value[:-1].partition("(")[2].split(","))
        body["DateAdjustment"] = {
            "StartWith": start.rpartition(".")[2],
            "StartOffset": int(first),
            "EndWith": end.rpartition(".")[2],
            "EndOffset": int(last),
        }
    elif value.startswith("createConceptSetSelection("):
        number, excluded = value[:-1].partition("(")[2].split(",")
        body[key[0].upper() + key[1:]] = {"CodesetId": int(number), "IsExclusion": excluded.strip() == "true"}
    elif key != "userDefinedPeriod":
        body[key[0].upper() + key[1:]] = int(value)


def _as_cohort(events: list[dict[str, Any]], tables: Mapping[str, list[dict[str, Any]]]) -> Rows:
    """Verified events as a cohort: within observation, cut at its end, overlapping ones joined."""
    spans = []
    for event in events:
        for period in tables["observation_period"]:
            first, last = period["observation_period_start_date"], period["observation_period_end_date"]
            if period["person_id"] == event["person_id"] and first <= event["start_date"] <= last:
                end = min(event["end_date"] or last, last)
                if end >= event["start_date"]:
                    spans.append((event["person_id"], event["start_date"], end))
    joined: list[tuple[int, str, str]] = []
    for person, start, end in sorted(set(spans)):
        if joined and joined[-1][0] == person and start <= joined[-1][2]:
            joined[-1] = (person, joined[-1][1], max(end, joined[-1][2]))
        else:
            joined.append((person, start, end))
    return joined


@pytest.mark.parametrize(("column", "least", "found"), [("DOMAIN_CONCEPT", 2, [1]), ("START_DATE", 2, [1, 2])])
def test_what_is_different_is_counted_among_events_with_criteria_of_their_own(
    column: str, least: int, found: list[int], tmp_path: Path
) -> None:
    """Two concepts, or two days, of conditions with a criterion of their own: the SQL of circe lacks the column."""
    period = {"observation_period_start_date": "2020-01-01", "observation_period_end_date": "2020-12-31"}
    days = {
        1: [(1, "2020-02-01"), (2, "2020-03-01")],
        2: [(1, "2020-02-01"), (1, "2020-03-01")],
        3: [(1, "2020-02-01")],
    }
    tables = {
        "concept": [concept(number) for number in (1, 2)],
        "concept_ancestor": [],
        "person": [{"person_id": n, "year_of_birth": 1970} for n in days],
        "observation_period": [{"observation_period_id": n, "person_id": n, **period} for n in days],
        "condition_occurrence": [
            {
                "condition_occurrence_id": 10 * person + number,
                "person_id": person,
                "condition_concept_id": which,
                "condition_start_date": day,
            }
            for person, events in days.items()
            for number, (which, day) in enumerate(events)
        ],
    }
    near = {"Start": {"Days": 0, "Coeff": -1}, "End": {"Days": 1, "Coeff": 1}}
    always = {"Start": {"Coeff": -1}, "End": {"Coeff": 1}}
    own = {"Criteria": {"ConditionOccurrence": {}}, "StartWindow": near, "Occurrence": {"Type": 2, "Count": 1}}
    rule = {
        "Criteria": {"ConditionOccurrence": {"CorrelatedCriteria": {"Type": "ALL", "CriteriaList": [own]}}},
        "StartWindow": always,
        "Occurrence": {"Type": 2, "Count": least, "IsDistinct": True, "CountColumn": column},
    }
    asked = expression(InclusionRules=[{"name": "two", "expression": {"Type": "ALL", "CriteriaList": [rule]}}])
    version = make_version(tmp_path, tables)
    assert sorted({row[0] for row in _plain(members(version, of_document(asked)))}) == found


@pytest.fixture(scope="module")
def synthea(tmp_path_factory: pytest.TempPathFactory) -> Version:
    folder = tmp_path_factory.mktemp("synthea")
    lake = Lake(folder / "lake", folder / "restricted")
    import_model(str(shared_data("omop-synthea27nj")), lake.dataset("synthea"))
    return lake.find("synthea")


def _library() -> list[str]:
    import os

    folder = Path(os.environ.get("MADANG_SHARED_DATA", Path(__file__).parents[3].parent / "shared" / "data"))
    return sorted(path.stem for path in (folder / "phenotype_library").glob("[0-9]*.json")) or ["none"]


def test_phenotypes_have_the_expected_members(synthea: Version) -> None:
    folder = shared_data("phenotype_library")
    expected = json.loads((folder / "expected_synthea27nj.json").read_text())["expected"]
    with opened(synthea) as found:
        for number, name in enumerate(sampled(_library(), 5), 1):
            generate(found, load(folder / f"{name}.json").definition, number)
            wanted = sorted((row[0], row[1], row[2]) for row in expected.get(name, {}).get("rows", []))
            assert _plain(rows(found, number)) == wanted, name


def test_answers_do_not_depend_on_threads(synthea: Version) -> None:
    folder = shared_data("phenotype_library")
    definition = load(folder / "976.json").definition
    answers = {tuple(_plain(members(synthea, definition, threads=threads))) for threads in (1, 2)}
    assert len(answers) == 1 and date.fromisoformat(next(iter(answers))[0][1])
