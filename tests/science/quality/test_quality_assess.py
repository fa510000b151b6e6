"""A version of the lake is assessed: verdict, offending rows, the dashboard's format, two versions side by side."""

from pathlib import Path
from random import Random
from typing import Any

import cdm_data
import pytest

from madang.base.errors import MadangError
from madang.lake import Lake, Version
from madang.lake.engine import Engine
from madang.science.omop import cdm
from madang.science.quality import Status, assess, default_checks
from madang.science.quality.compare import differences, worst_first
from madang.science.quality.document import report_document
from madang.science.quality.peer import peer_document
from madang.science.quality.report import page
from madang.science.quality.rows import find

CHECKS = {check.id: check for check in default_checks()}


def version(lake: Lake, name: str, **tables: str) -> Version:
    """A version with all tables of the model, empty but for what the SELECTs give."""
    parent = lake.dataset(name).version() if lake.dataset(name).exists else None
    with Engine() as engine, lake.dataset(name).write(parent) as writer:
        for table in cdm.TABLES.values():
            columns = ", ".join(f'NULL::{cdm.duckdb_type(field)} AS "{field.name}"' for field in table.fields)
            empty = f"SELECT {columns} WHERE false"
            path = writer.new_file(table.name)
            engine.copy_to_parquet(
                f"{empty} UNION ALL BY NAME ({tables[table.name]})" if table.name in tables else empty, path
            )
            writer.add(table.name, path)
        return writer.commit("import", {})


PERSONS = "SELECT range + 1 AS person_id, 8507 AS gender_concept_id, 1980 AS year_of_birth FROM range(4)"
VISITS = """SELECT * FROM (VALUES (1, 1, DATE '2020-01-02', DATE '2020-01-01'), (2, 9, DATE '2020-01-01', NULL))
    t(visit_occurrence_id, person_id, visit_start_date, visit_end_date)"""
ORPHAN = "field_isforeignkey_visit_occurrence_person_id"
BACKWARDS = "field_plausiblestartbeforeend_visit_occurrence_visit_start_date"


def test_planted_errors_are_found_with_their_rows(lake: Lake) -> None:
    done = assess(version(lake, "d", person=PERSONS, visit_occurrence=VISITS))
    status = {result.check.id: result for result in done.results}
    assert len(status) == len(CHECKS) and done.persons == 4
    assert (status[ORPHAN].violated, status[ORPHAN].denominator, status[ORPHAN].status) == (1, 2, Status.FAILED)
    assert status[BACKWARDS].status is Status.FAILED
    assert status["field_isprimarykey_person_person_id"].status is Status.PASSED
    assert status["field_isrequired_measurement_person_id"].status is Status.NOT_APPLICABLE
    assert worst_first(done)[0].status is Status.FAILED
    assert find(lake.find("d"), CHECKS[ORPHAN]).to_pylist() == [{"visit_occurrence_id": 2, "person_id": 9}]
    assert find(lake.find("d"), CHECKS[BACKWARDS]).column("visit_occurrence_id").to_pylist() == [1]


def test_of_a_cohort_only_its_persons_count(lake: Lake) -> None:
    cohort = "SELECT 7 AS cohort_definition_id, 9 AS subject_id UNION ALL SELECT 8, 1"
    made = version(lake, "d", person=PERSONS, visit_occurrence=VISITS, cohort=cohort)
    violated = {
        number: {result.check.id: result for result in assess(made, checks=[CHECKS[ORPHAN]], cohort=number).results}[
            ORPHAN
        ].violated
        for number in (7, 8)
    }
    assert violated == {7: 1, 8: 0}
    with pytest.raises(MadangError, match="No person is in cohort 9") as refused:
        assess(made, cohort=9)
    assert "7, 8" in refused.value.hint


def test_two_versions_differ_where_their_errors_do(lake: Lake) -> None:
    before = assess(version(lake, "d", person=PERSONS, visit_occurrence=VISITS))
    after = assess(version(lake, "d", person=PERSONS, visit_occurrence=VISITS.replace("(2, 9,", "(2, 2,")))
    changed = {change.check.id: change.after.status for change in differences(before, after)}
    assert changed[ORPHAN] is Status.PASSED and BACKWARDS not in changed
    assert list(differences(before, before)) == []


def test_the_dashboards_viewers_find_what_they_read(lake: Lake) -> None:
    made = peer_document(assess(version(lake, "d", person=PERSONS, visit_occurrence=VISITS)))
    (orphan,) = [result for result in made["CheckResults"] if result["checkId"] == ORPHAN]
    expected: dict[str, Any] = {
        "checkName": "isForeignKey",
        "cdmTableName": "VISIT_OCCURRENCE",
        "cdmFieldName": "PERSON_ID",
        "failed": 1,
        "passed": 0,
        "isError": 0,
        "notApplicable": 0,
        "numViolatedRows": 1,
        "pctViolatedRows": 0.5,
        "numDenominatorRows": 2,
    }
    assert orphan.items() >= expected.items()
    assert made["Overview"]["countTotal"] == [len(CHECKS)]
    assert made["Overview"]["countPassed"][0] + made["Overview"]["countOverallFailed"][0] == len(CHECKS)


def test_no_value_of_the_data_is_in_what_is_reported(lake: Lake) -> None:
    secret = "Hong-Gildong-900101"
    persons = (
        f"SELECT 1 AS person_id, '{secret}' AS gender_source_value, 77777777 AS year_of_birth, 0 AS gender_concept_id"
    )
    visits = "SELECT 1 AS visit_occurrence_id, 1 AS person_id, DATE '2020-01-01' AS visit_start_date"
    made = version(lake, "d", person=persons, visit_occurrence=visits)
    done = assess(made)
    errors = [result for result in done.results if result.status is Status.ERROR]
    assert any("out of range" in result.reason for result in errors)
    for text in (page(done), str(peer_document(done)), str(report_document(done))):
        assert secret not in text and "77777777" not in text
    assert secret in str(find(made, CHECKS["field_sourcevaluecompleteness_person_gender_source_value"]).to_pylist())


@pytest.mark.parametrize("seed", [32, 11])
def test_a_wild_model_is_assessed_to_the_end_and_every_status_has_its_reason(
    lake: Lake, tmp_path: Path, seed: int
) -> None:
    (tmp_path / "files").mkdir()
    files = cdm_data.write_wild_model(tmp_path / "files", Random(seed), list(CHECKS.values())[::40])
    with lake.dataset("wild").write() as writer, Engine() as engine:
        for table, paths in files.items():
            listed = ", ".join(f"'{path}'" for path in paths)
            path = writer.new_file(table)
            engine.copy_to_parquet(f"FROM read_parquet([{listed}])", path)
            writer.add(table, path)
        writer.commit("import", {})
    done = assess(lake.find("wild"))
    assert len(done.results) == len(CHECKS)
    for result in done.results:
        assert bool(result.reason) == (result.status in (Status.NOT_APPLICABLE, Status.ERROR))
