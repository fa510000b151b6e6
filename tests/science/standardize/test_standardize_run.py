"""The main job on a small clinic: rows in, rows out, and every line accounted for."""

from pathlib import Path

import pytest
from small_clinic import run, write_files, write_pack

from madang.base.errors import MadangError
from madang.lake import Lake
from madang.science.omop.starter import starter_path
from madang.science.standardize import Standardized, standardize

PATIENTS = ["p1,1980-02-03,M", "p2,1990-05-06,F"]
VISITS = ["1,p1,20130104,", "2,p2,20130105,"]


def reasons(done: Standardized) -> dict[tuple[str, str, str], int]:
    return {(r.source, r.fate, r.reason): r.lines for r in done.report.reasons}


def test_events_go_to_the_table_of_their_standard_concept(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        {
            "patients": PATIENTS,
            "visits_201301": VISITS,
            "dx_201301": ["1,1,I109", "2,1,E119", "2,2,NOSUCH"],
            "sv_201301": ["1,1,C3750,,1200", "2,1,650000100,30,9000"],
        },
    )
    conditions = done.sql("select condition_concept_id, condition_source_value from condition_occurrence order by 2")
    assert [tuple(row.values()) for row in conditions.to_pylist()] == [
        (201826, "E119"),
        (320128, "I109"),
        (0, "NOSUCH"),
    ]
    assert done.table("measurement")["measurement_concept_id"].to_pylist() == [3016723]
    drug = done.sql("select drug_concept_id, days_supply, drug_exposure_end_date::varchar as until from drug_exposure")
    assert drug.to_pylist() == [{"drug_concept_id": 1332419, "days_supply": 30, "until": "2013-02-03"}]
    assert done.report.tables["person"] == 2
    assert done.report.mapped_records == (4, 5)


def test_a_code_with_two_targets_in_two_tables_makes_a_row_in_each_and_one_cost(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        {"patients": PATIENTS, "visits_201301": VISITS, "sv_201301": ["1,1,M6561,,500000"]},
    )
    assert done.report.tables["procedure_occurrence"] == done.report.tables["device_exposure"] == 1
    cost = done.sql(
        "select cost_domain_id, total_charge, exists (from procedure_occurrence where procedure_occurrence_id = "
        "cost_event_id) as found from cost"
    )
    assert cost.to_pylist() == [{"cost_domain_id": "Procedure", "total_charge": 500000.0, "found": True}]


def test_every_line_is_used_rejected_or_unused_and_says_why(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        {
            "patients": [*PATIENTS, "p3,1970-01-01,?", "p4,yesterday,M", "p1,1980-02-03,M", "p2,1991-01-01,F"],
            "visits_201301": [*VISITS, "3,p9,20130106,", "4,p3,20130107,"],
            "dx_201301": ["1,1,I109", "3,1,I109", "7,1,I109", "2,1"],
            "sv_201301": ["1,1,XX001,,", "1,2,C3750,,"],
            "results": ["1,I,p1,2013-01-04,,", "2,I,p1,2013-01-04,101,0.9"],
        },
    )
    assert reasons(done) == {
        ("patients", "rejected", "sex is unknown"): 1,
        ("patients", "rejected", "BORN is no date"): 1,
        ("patients", "rejected", "same as an earlier row in all that is read"): 1,
        ("patients", "rejected", "key of an earlier row with other content"): 1,
        ("visits", "rejected", "patient is unknown"): 2,
        ("diagnoses", "rejected", "no visit"): 2,
        ("diagnoses", "rejected", "the line has too few fields"): 1,
        ("services", "unused", "administrative"): 1,
        ("results", "unused", "the row records nothing"): 1,
    }
    for _, lines, used, rejected, unused in done.report.sources.values():
        assert lines == used + rejected + unused
    assert done.report.tables["measurement"] == 3


def test_corrections_and_withdrawals_keep_the_identifier(tmp_path: Path) -> None:
    first = {
        "patients": PATIENTS,
        "results": ["1,I,p1,2013-01-04,101,", "2,I,p2,2013-01-05,99,", "3,I,p1,2013-01-06,98,"],
    }
    before = run(tmp_path / "a", first)
    after = run(
        tmp_path / "b",
        first
        | {"results": [*first["results"], "1,U,p1,2013-01-04,110,", "2,D,p2,2013-01-05,,", "1,U,p1,2013-01-04,111,"]},
    )
    ask = "select measurement_id, value_as_number as value from measurement order by 1"
    old, new = before.sql(ask).to_pylist(), after.sql(ask).to_pylist()
    assert [row["value"] for row in new] == [111.0, 98.0]
    assert [row["measurement_id"] for row in new] == [old[0]["measurement_id"], old[2]["measurement_id"]]
    assert reasons(after) == {
        ("results", "unused", "corrected by a later delivery"): 2,
        ("results", "unused", "withdrawn by a later delivery"): 1,
        ("results", "unused", "withdraws an earlier row"): 1,
    }


JANUARY = {
    "patients": PATIENTS,
    "visits_201301": ["1,p1,20130104,", "2,p2,20130128,s1"],
    "dx_201301": ["1,1,I109", "2,1,E119", "9,1,E119"],
    "sv_201301": ["1,1,650000100,30,10", "2,1,XX1,,"],
}
FEBRUARY = {
    "visits_201302": ["3,p2,20130202,s1", "4,p1,20130203,"],
    "dx_201302": ["3,1,E119", "4,1,I109", "4,2"],
    "sv_201302": ["4,1,650000100,30,10", "4,2,C3750,,20", "4,2,C3750,,20"],
}


def contents(done: Standardized) -> dict[str, str]:
    return {name: table.content for name, table in done.version.tables.items()}


def test_month_by_month_and_all_at_once_give_equal_content(tmp_path: Path) -> None:
    at_once = run(tmp_path / "once", JANUARY | FEBRUARY)
    run(tmp_path / "grown", JANUARY)
    grown = run(tmp_path / "grown", JANUARY | FEBRUARY)
    assert grown.version.number == 2
    assert contents(grown) == contents(at_once)
    assert reasons(grown) == reasons(at_once)
    assert grown.report.sources == at_once.report.sources
    stay = grown.sql(
        "select visit_start_date::varchar as a, visit_end_date::varchar as b from visit_occurrence "
        "where visit_concept_id = 9201"
    )
    assert stay.to_pylist() == [{"a": "2013-01-28", "b": "2013-02-02"}]


def test_the_same_files_again_make_nothing(tmp_path: Path) -> None:
    first = run(tmp_path, JANUARY)
    again = run(tmp_path, JANUARY)
    assert (first.new, again.new, again.version.number) == (True, False, 1)
    assert again.report.reasons == first.report.reasons
    assert again.report.sources == first.report.sources


def test_a_known_file_with_other_content_is_refused(tmp_path: Path) -> None:
    run(tmp_path, JANUARY)
    with pytest.raises(MadangError, match=r"patients\.csv is in the dataset already, but with other content"):
        run(tmp_path, JANUARY | {"patients": PATIENTS[:1]})
    assert Lake(tmp_path / "lake", tmp_path / "restricted").dataset("clinic").versions() == [1]


def test_another_pack_rebuilds_and_tells_which_codes_moved(tmp_path: Path) -> None:
    run(tmp_path, JANUARY)
    moved = "events/diagnoses.sql"
    sql = {
        moved: "select detail.person_id, detail.visit_detail_start_date as start_date, 'EDI' as vocabulary_id, "
        "'C3750' as code, reject_when(detail.person_id is null, 'no visit') from diagnoses "
        "left join detail on detail.VISIT = diagnoses.VISIT"
    }
    again = run(tmp_path, JANUARY, sql)
    assert again.version.number == 2
    assert again.report.tables["measurement"] == 2


def test_without_a_dataset_the_result_is_arrow(tmp_path: Path) -> None:
    done = standardize(write_pack(tmp_path), write_files(tmp_path / "in", JANUARY), starter_path())
    assert done.table("person").num_rows == 2
    assert done.sql("select count(*) as n from note").to_pylist() == [{"n": 0}]


def test_an_entity_key_that_comes_twice_stops_the_run(tmp_path: Path) -> None:
    sql = {
        "entities/person.sql": "select 'p1' as PT, 0 as gender_concept_id, 1980 as year_of_birth, "
        "0 as race_concept_id, 0 as ethnicity_concept_id from patients"
    }
    with pytest.raises(MadangError, match="person has two rows with one key"):
        run(tmp_path, JANUARY, sql)


def test_a_column_that_mostly_cannot_be_read_is_told(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        {
            "patients": PATIENTS,
            "visits_201301": VISITS,
            "sv_201301": ["1,1,C3750,,much", "2,1,C3750,,more", "2,2,C3750,,9"],
        },
    )
    assert done.report.warnings == (
        "services.AMOUNT: 2 of 3 values could not be read; check its encoding, type and format in pack.toml.",
    )


def test_a_map_to_an_unknown_concept_is_told_and_not_followed(tmp_path: Path) -> None:
    maps = tmp_path / "pack" / "maps" / "own.csv"
    maps.parent.mkdir(parents=True)
    maps.write_text("source_code,source_vocabulary_id,target_concept_id\nLOCAL1,KCD7,99999999\nLOCAL2,KCD7,320128\n")
    done = run(tmp_path, {"patients": PATIENTS, "visits_201301": VISITS, "dx_201301": ["1,1,LOCAL1", "2,1,LOCAL2"]})
    assert done.table("condition_occurrence")["condition_concept_id"].to_pylist() == [0, 320128]
    (warning,) = done.report.warnings
    assert warning.startswith("maps/own.csv:2: ")
    assert "99999999" in warning
