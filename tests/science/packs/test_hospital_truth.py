"""The synthetic hospital's CDM, person by person and line by line, against the truth written from the lives."""

from pathlib import Path

import pytest
from hospital_run import Compared, make_hospital, run_pack

from madang.lake.engine import Engine

REASONS = {
    "the line has too few fields": "few fields",
    "the line has too many fields": "many fields",
    "a quote is not closed": "open quote",
    "the line is empty": "empty line",
    "PT_NO is empty": "missing person",
    "patient is unknown": "unknown person",
    "same as an earlier row in all that is read": "exact duplicate",
    "order is unknown": "no order",
    "corrected by a later delivery": "corrected",
    "withdrawn by a later delivery": "withdrawn",
    "withdraws an earlier row": "withdrawal",
    "visit was canceled": "canceled visit",
    "diagnosis is to be ruled out": "ruled out",
    "order was canceled": "canceled order",
    "order, its execution is taken": "order, its execution is taken",
    "return, taken off what was executed": "return",
    "returned in full": "returned in full",
    "no result yet": "no result",
    "specimen could not be examined": "no result",
    "was not performed": "not performed",
}
"""What the pack and the reader say, and the class of reasons in the truth; all else is a bad required field."""

EVENTS = {
    "condition_occurrence": {
        "start_date": "condition_start_date",
        "source_value": "condition_source_value",
        "type_concept_id": "condition_type_concept_id",
        "status_concept_id": "condition_status_concept_id",
    },
    "drug_exposure": {
        "start_date": "drug_exposure_start_date",
        "start_datetime": "drug_exposure_start_datetime",
        "end_date": "drug_exposure_end_date",
        "source_value": "drug_source_value",
        "type_concept_id": "drug_type_concept_id",
        "quantity": "round(quantity, 6)",
        "days_supply": "days_supply",
        "route_concept_id": "route_concept_id",
    },
    "procedure_occurrence": {
        "start_date": "procedure_date",
        "start_datetime": "procedure_datetime",
        "source_value": "procedure_source_value",
        "type_concept_id": "procedure_type_concept_id",
        "quantity": "quantity",
    },
    "device_exposure": {
        "start_date": "device_exposure_start_date",
        "start_datetime": "device_exposure_start_datetime",
        "source_value": "device_source_value",
        "quantity": "quantity",
    },
    "measurement": {
        "start_date": "measurement_date",
        "start_datetime": "measurement_datetime",
        "source_value": "measurement_source_value",
        "type_concept_id": "measurement_type_concept_id",
        "operator_concept_id": "operator_concept_id",
        "value_as_number": "value_as_number",
        "value_as_concept_id": "value_as_concept_id",
        "unit_concept_id": "unit_concept_id",
        "range_low": "range_low",
        "range_high": "range_high",
    },
    "observation": {
        "start_date": "observation_date",
        "start_datetime": "observation_datetime",
        "source_value": "observation_source_value",
    },
}
"""Per table: column of the truth and of the CDM."""


@pytest.mark.sampled
@pytest.mark.parametrize("dirt", [0, 1, 2])
def test_the_cdm_of_the_hospital_is_the_truth(tmp_path: Path, dirt: int) -> None:
    source = make_hospital(tmp_path, persons=600, seed=40 + dirt, dirt=dirt)
    with Engine() as engine:
        both = Compared(engine, run_pack(source), source)
        check_fates(both)
        check_people(both)
        check_visits(both)
        for table, columns in EVENTS.items():
            check_events(both, table, columns)


def check_fates(both: Compared) -> None:
    named = ", ".join(f"'{reason}': '{word}'" for reason, word in REASONS.items())
    assert not both.difference(
        f"SELECT f.name, x.line, x.fate, coalesce(MAP {{{named}}}[x.reason], 'bad required field') "
        "FROM companion.fates x JOIN companion.files f ON f.number = x.file",
        "SELECT file, line, fate, reason FROM truth.fates WHERE fate <> 'used'",
    )


def check_people(both: Compared) -> None:
    known = "JOIN truth.known k ON k.number = t.person_source_value"
    assert not both.difference(
        "SELECT person_source_value, gender_concept_id, make_date(year_of_birth, month_of_birth, day_of_birth), "
        "race_concept_id FROM cdm.person",
        f"SELECT k.pseudonym, gender_concept_id, birth, 38003585 FROM truth.person t {known}",
    )
    assert not both.difference(
        "SELECT person_source_value, death_date, cause_concept_id, cause_source_value "
        "FROM cdm.death JOIN cdm.person USING (person_id)",
        f"SELECT k.pseudonym, death_date, cause_concept_id, cause_source_value FROM truth.death t {known}",
    )
    assert not both.difference(
        "SELECT person_source_value, observation_period_start_date, observation_period_end_date "
        "FROM cdm.observation_period JOIN cdm.person USING (person_id)",
        f"SELECT k.pseudonym, start_date, end_date FROM truth.observation_period t {known}",
    )
    assert not both.difference(
        "SELECT provider_source_value, specialty_concept_id, care_site_source_value "
        "FROM cdm.provider JOIN cdm.care_site USING (care_site_id)",
        "SELECT k.pseudonym, specialty_concept_id, department FROM truth.provider t "
        "JOIN truth.known k ON k.number = t.doctor",
    )
    assert not both.difference(
        "SELECT care_site_source_value, care_site_name FROM cdm.care_site", "FROM truth.care_site"
    )


def check_visits(both: Compared) -> None:
    known = "JOIN truth.known k ON k.number = t.person_source_value"
    assert not both.difference(
        "SELECT visit_source_value, person_source_value, visit_concept_id, visit_start_datetime, visit_end_date "
        "FROM cdm.visit_occurrence JOIN cdm.person USING (person_id)",
        "SELECT visit_key, k.pseudonym, visit_concept_id, start_datetime, end_date "
        f"FROM truth.visit_occurrence t {known}",
    )
    assert not both.difference(
        "SELECT visit_detail_source_value, visit_source_value, person_source_value, visit_detail_concept_id, "
        "visit_detail_start_datetime, visit_detail_end_date, care_site_source_value, provider_source_value "
        "FROM cdm.visit_detail d JOIN cdm.person USING (person_id) JOIN cdm.visit_occurrence USING "
        "(visit_occurrence_id) LEFT JOIN cdm.care_site c ON c.care_site_id = d.care_site_id "
        "LEFT JOIN cdm.provider p ON p.provider_id = d.provider_id",
        "SELECT detail_key, visit_key, k.pseudonym, visit_detail_concept_id, start_datetime, end_date, department, "
        f"d.pseudonym FROM truth.visit_detail t {known} LEFT JOIN truth.known d ON d.number = t.doctor",
    )


def check_events(both: Compared, table: str, columns: dict[str, str]) -> None:
    if table not in both.done.version.tables:
        assert both.engine.value(f"SELECT count(*) FROM truth.{table}") == 0
        return
    concept = f"{table.split('_')[0]}_concept_id"
    ours = ", ".join(f"e.{name}" if name.isidentifier() else name for name in columns.values())
    assert not both.difference(
        f"SELECT person_source_value, e.{concept}, visit_source_value, visit_detail_source_value, {ours} "
        f"FROM cdm.{table} e JOIN cdm.person USING (person_id) "
        "LEFT JOIN cdm.visit_occurrence v ON v.visit_occurrence_id = e.visit_occurrence_id "
        "LEFT JOIN cdm.visit_detail d ON d.visit_detail_id = e.visit_detail_id",
        f"SELECT k.pseudonym, concept_id, visit_key, detail_key, {', '.join(f't.{name}' for name in columns)} "
        f"FROM truth.{table} t JOIN truth.known k ON k.number = t.person_source_value",
    ), table
