"""What is not read is named, and what has no code counts as unmapped."""

from pathlib import Path

import pytest
from small_clinic import run, write_files, write_pack

from madang.base.errors import MadangError
from madang.science.omop.starter import starter_path
from madang.science.standardize import standardize
from madang.science.standardize.intake import find_files
from madang.science.standardize.intake.files import Unread, unread_files
from madang.science.standardize.pack import Column, Source


def source(name: str, *files: str, optional: bool = False) -> Source:
    return Source(name, files, {"a": Column("a", "text")}, optional=optional)


def test_files_that_no_source_reads_are_named_with_the_pattern_that_they_look_like(tmp_path: Path) -> None:
    for name in ("dx_201301.csv", "dx-201302.csv", "old/dx_201201.csv", "notes.txt", ".hidden", "Dx201303.CSV"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("a\n1\n", encoding="utf-8")
    pattern = "dx_{month}.csv"
    assert unread_files(tmp_path, [source("dx", pattern)]) == [
        Unread("Dx201303.CSV", pattern, "dx"),
        Unread("dx-201302.csv", pattern, "dx"),
        Unread("notes.txt"),
        Unread("old/dx_201201.csv", pattern, "dx"),
    ]


def test_a_source_without_its_file_is_told_what_looks_like_it(tmp_path: Path) -> None:
    (tmp_path / "1.Patient.ndjson").write_text("{}\n", encoding="utf-8")
    with pytest.raises(MadangError, match=r"There is 1\.Patient\.ndjson\."):
        find_files(tmp_path, [source("patient", "Patient*.ndjson")])


def test_a_run_names_them_also_where_there_is_nothing_new(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "dx-201301.csv").write_text("VISIT\n", encoding="utf-8")
    for _ in range(2):
        result = run(tmp_path, {})
        assert result.report.unread == (("dx-201301.csv", "dx_{month}.csv"),)
    assert not result.new


def test_records_without_a_code_count_as_unmapped_and_stand_in_the_review(tmp_path: Path) -> None:
    dx = ["1,1,I109", "1,2,", "2,1,"]
    sql = """
        select reject_when(detail.person_id is null, 'no visit'), detail.person_id,
            detail.visit_detail_start_date as start_date, 'KCD7' as vocabulary_id, CODE as code,
            coalesce(CODE, case NO when 2 then '두통' end) as source_value
        from diagnoses left join detail on detail.VISIT = diagnoses.VISIT
    """
    files = {"patients": ["p,1980-01-01,M"], "visits_201301": ["1,p,20130105,", "2,p,20130106,"], "dx_201301": dx}
    result = run(tmp_path, files, {"events/diagnoses.sql": sql})
    assert (result.report.mapped_records, result.report.mapped_codes) == ((1, 3), (1, 3))
    codes = {(r["vocabulary_id"], r["code"]): r["records"] for r in result.table("source_codes").to_pylist()}
    assert codes == {("KCD7", "I109"): 1, ("no code", "두통"): 1, ("no code", "(no text)"): 1}
    values = result.table("condition_occurrence")["condition_source_value"].to_pylist()
    assert sorted(values, key=str) == ["I109", None, "두통"] or set(values) == {"I109", None, "두통"}


def test_a_map_of_the_holder_can_give_a_text_its_target(tmp_path: Path) -> None:
    sql = """
        select reject_when(detail.person_id is null, 'no visit'), detail.person_id,
            detail.visit_detail_start_date as start_date, CODE as source_value
        from diagnoses left join detail on detail.VISIT = diagnoses.VISIT
    """
    files = {"patients": ["p,1980-01-01,M"], "visits_201301": ["1,p,20130105,"], "dx_201301": ["1,1,두통"]}
    pack = write_pack(tmp_path, sql={"events/diagnoses.sql": sql})
    (pack / "maps").mkdir()
    text = "source_code,source_vocabulary_id,target_concept_id\n두통,no code,201826\n"
    (pack / "maps" / "own.csv").write_text(text, encoding="utf-8")
    result = standardize(pack, write_files(tmp_path / "in", files), starter_path())
    assert result.report.mapped_records == (1, 1)


def test_texts_that_are_cut_are_counted(tmp_path: Path) -> None:
    dx = [f"1,{no},{'x' * 50}{no}" for no in (1, 2)] + ["2,1,short"]
    files = {"patients": ["p,1980-01-01,M"], "visits_201301": ["1,p,20130105,", "2,p,20130106,"], "dx_201301": dx}
    result = run(tmp_path, files)
    assert "2 texts of diagnoses.source_value are longer than their field and are cut." in result.report.warnings
