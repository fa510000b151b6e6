"""Fillers for "not ended yet" are no days; the day of the extract is taken or told; nobody dies twice."""

import datetime
from pathlib import Path

import pytest
from small_clinic import PACK, run, write_files, write_pack

from madang.app.commands.sql_output import _values
from madang.base.errors import MadangError
from madang.lake.engine import Engine
from madang.science.omop.starter import starter_path
from madang.science.standardize import Standardized, standardize

DAY = datetime.date
PEOPLE = ["p,1980-01-01,M", "q,1970-01-01,F"]
VISITS = ["1,p,20130105,", "2,q,20130106,", "3,p,99991231,"]
DIAGNOSES = """
    select reject_when(detail.person_id is null, 'no visit'), detail.person_id,
        detail.visit_detail_start_date as start_date,
        CODE as code, 'KCD7' as vocabulary_id,
        case when NO > 1 then date '9999-12-31' + (NO - 2)::integer end as end_date
    from diagnoses left join detail on detail.VISIT = diagnoses.VISIT
"""


def clinic(folder: Path, sql: dict[str, str] | None = None, extract: str = "", **files: list[str]) -> Standardized:
    given = {"patients": PEOPLE, "visits_201301": VISITS, **files}
    toml = PACK.replace('extract_date = "2013-12-31"', f'extract_date = "{extract}"')
    return standardize(write_pack(folder, toml, sql), write_files(folder / "in", given), starter_path())


def periods(result: Standardized) -> list[tuple[object, object]]:
    sql = "SELECT observation_period_start_date, observation_period_end_date FROM observation_period ORDER BY person_id"
    return [tuple(row.values()) for row in result.sql(sql).to_pylist()]


def test_a_filler_ends_no_observation_and_no_era_and_is_told(tmp_path: Path) -> None:
    dx = ["1,1,I109", "1,2,I109", "2,1,E119", "2,3,E119"]
    result = clinic(tmp_path, {"events/diagnoses.sql": DIAGNOSES}, dx_201301=dx)
    assert periods(result) == [(DAY(2013, 1, 5), DAY(2013, 1, 6)), (DAY(2013, 1, 6), DAY(2013, 1, 6))]
    with Engine() as engine:
        result.attach(engine)
        for table in result.version.tables:
            for column, kind in engine.describe(f"SELECT * FROM {table}"):
                if kind in ("DATE", "TIMESTAMP") and not column.startswith("valid_"):
                    assert engine.value(f"SELECT coalesce(max(year({column})), 0) FROM {table}") <= 9999
        assert engine.value("SELECT coalesce(max(year(condition_era_end_date)), 0) FROM condition_era") < 9000
    told = " ".join(result.report.warnings)
    assert "1 rows of visit_occurrence have a visit_start_date in the year 2063 or later" in told
    assert "1 rows of condition_occurrence have a condition_end_date in the year 2063 or later" in told


def test_without_a_day_of_the_extract_the_newest_day_is_taken_and_told(tmp_path: Path) -> None:
    result = clinic(tmp_path)
    assert [end for _, end in periods(result)] == [DAY(2013, 1, 6)] * 2
    assert any("Nothing says when the data were extracted, so 2013-01-06" in w for w in result.report.warnings)
    assert result.table("cdm_source")["source_release_date"].to_pylist() == [DAY(2013, 1, 6)]


def test_events_after_the_day_that_was_told_are_counted(tmp_path: Path) -> None:
    result = clinic(tmp_path, extract="2013-01-05")
    assert "Rows outside every observation period of their person: 1 of visit_occurrence (1 persons)." in (
        result.report.warnings
    )
    assert not any("Nothing says" in w for w in result.report.warnings)


@pytest.mark.parametrize("given", ["2013-13-01", "yesterday"])
def test_the_day_of_the_extract_is_a_day(tmp_path: Path, given: str) -> None:
    with pytest.raises(MadangError, match="has to be a date"):
        standardize(write_pack(tmp_path), tmp_path, starter_path(), parameters={"extract_date": given})


def test_births_that_cannot_be_are_told(tmp_path: Path) -> None:
    result = clinic(tmp_path, patients=[*PEOPLE, "r,2065-02-01,M", "s,1850-01-01,F"])
    told = " ".join(result.report.warnings)
    assert "1 persons are born after the data were extracted (2013-01-06)." in told
    assert "1 persons are born more than 125 years before" in told


def test_absurd_days_of_supply_do_not_carry_an_exposure_on(tmp_path: Path) -> None:
    services = ["1,1,650000100,30,", "1,2,650000100,2000000000,", "2,1,650000100,-5,"]
    result = run(tmp_path, {"patients": PEOPLE, "visits_201301": VISITS[:2], "sv_201301": services})
    sql = "SELECT days_supply, (drug_exposure_end_date - drug_exposure_start_date)::INTEGER AS days FROM drug_exposure"
    assert sorted(tuple(row.values()) for row in result.sql(sql).to_pylist()) == [(-5, 0), (30, 29), (2000000000, 0)]
    assert "2 rows of drug_exposure have days of supply below 0 or above 3,660." in result.report.warnings


DEATH = """
    select visits.PT, unused_when(DAY < date '2013-01-06', 'lives'), person.person_id, DAY as death_date
    from visits left join person on person.PT = visits.PT
"""


def test_two_deaths_of_one_person_are_refused(tmp_path: Path) -> None:
    toml = PACK.replace("[events.diagnoses]", "[entities.death]\ntype_concept_id = 32817\n[events.diagnoses]")
    visits = ["1,q,20130106,", "2,p,20130107,", "3,p,20130108,"]
    pack = write_pack(tmp_path, toml, {"entities/death.sql": DEATH})
    source = write_files(tmp_path / "in", {"patients": PEOPLE, "visits_201301": visits})
    with pytest.raises(MadangError, match="1 rows of the entity death tell a second death"):
        standardize(pack, source, starter_path())


def test_the_dead_without_a_day_do_not_live_on(tmp_path: Path) -> None:
    person = """
        select PT, SEX = 'F' as is_dead, 0 as gender_concept_id, year(BORN) as year_of_birth, 0 as race_concept_id,
            0 as ethnicity_concept_id from patients
    """
    result = run(tmp_path, {"patients": PEOPLE, "visits_201301": VISITS[:2]}, {"entities/person.sql": person})
    assert periods(result) == [(DAY(2013, 1, 5), DAY(2013, 12, 31)), (DAY(2013, 1, 6), DAY(2013, 1, 6))]


def test_days_beyond_the_calendar_of_python_are_shown_as_text() -> None:
    with Engine() as engine:
        table = engine.query("SELECT DATE '9999-12-31' + 1 AS d, TIMESTAMP '9999-12-31' + INTERVAL 1 DAY AS t")
    assert [_values(column.combine_chunks())[0][:11] for column in table.columns] == ["10000-01-01", "10000-01-01"]


def test_fillers_at_either_end_begin_and_end_no_observation_and_no_era(tmp_path: Path) -> None:
    """2999-12-31 is no end, 1900-01-01 no beginning; who has no other record is observed on that day."""
    sql = DIAGNOSES.replace("date '9999-12-31' + (NO - 2)::integer", "date '2999-12-31'")
    visits = ["1,p,20130105,", "2,q,19000101,", "3,p,19000101,"]
    result = clinic(tmp_path, {"events/diagnoses.sql": sql}, visits_201301=visits, dx_201301=["1,2,I109"])
    assert periods(result) == [(DAY(2013, 1, 5), DAY(2013, 1, 5)), (DAY(1900, 1, 1), DAY(2013, 1, 5))]
    assert [era.year for era in result.table("condition_era")["condition_era_end_date"].to_pylist()] == [2013]
    told = " ".join(result.report.warnings)
    assert "1 rows of condition_occurrence have a condition_end_date in the year 2063 or later" in told
    assert "Rows dated more than a year before the birth of their person: 2 of visit_occurrence" in told
