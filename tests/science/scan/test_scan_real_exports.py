"""What exports look like: files named as what they are, dates as they are written, words for nothing, and drafts."""

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from madang.science.omop.starter import starter_path
from madang.science.standardize import Standardized, standardize
from madang.science.standardize.check import check_pack
from madang.science.standardize.identifiers import looks_like_identifier
from madang.science.standardize.intake import check_files, read_blocks, register
from madang.science.standardize.new_pack import new_pack
from madang.science.standardize.pack import Column, Source, load_pack
from madang.science.standardize.scan import ColumnScan, scan
from madang.science.standardize.scan.personal import flags_of


def put(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    source = folder / "in"
    for name, text in files.items():
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
    return source


def column(folder: Path, header: str, values: list[str], delimiter: str = ",") -> ColumnScan:
    """What a scan says of one column, each value many times."""
    lines = [f"{i}{delimiter}{value}" for i, value in enumerate(values * 20)]
    source = put(folder, {"x.csv": f"no{delimiter}{header}\n" + "\n".join(lines) + "\n"})
    return next(c for c in scan(source).sources[0].columns if c.header == header)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.hl7", "MSH|^~\\&|LAB|H|\rPID|1||123\r", "HL7 v2"),
        ("b.dcm", bytes(128) + b"DICM" + bytes(100), "DICOM"),
        ("c.sqlite", b"SQLite format 3\0" + bytes(200), "SQLite"),
        ("d.parquet", b"PAR1" + bytes(200), "Parquet"),
        ("e.sql", "CREATE TABLE x (a int);\nINSERT INTO x VALUES (1);\n", "SQL statements"),
        ("f.json", '{"a": 1,\n "b": 2}\n', "JSON document"),
        ("g.xml", "<?xml version='1.0'?><a/>", "XML"),
        ("H010.txt", "H01020200101000000000001\n" * 3 + "D" * 80 + "\n", "claims (SAM)"),
        ("long.txt", ("H010" + "0" * 80 + "\n") * 3, "claims (SAM)"),
        ("H010.SAM", "H01020200101000000000001\n", "insurance claims"),
        ("i.sas7bdat", b"garbage" * 50, "SAS"),
        ("j.csv", "no,day\n1,2\n".encode("utf-32"), "UTF-32"),
        ("k.avro", b"Obj\x01" + bytes(200), "Avro"),
        ("l.h5", b"\x89HDF\r\n\x1a\n" + bytes(200), "HDF5"),
        ("m.mdb", b"\0\x01\0\0Standard Jet DB\0" + bytes(2000), "Access"),
        ("n.rds", b"\x1f\x8b\x08\0" + bytes(200), "file of R"),
        ("o.dat", bytes(range(256)) * 8 + bytes(3000), "no text file"),
        ("p.csv", "番号,名\n1,田中\n".encode("iso2022_jp"), "ISO-2022"),
        ("q.txt", ("1,20200101,HIGH \n" * 20).replace("\n", "").encode("cp037"), "mainframe"),
        ("r.txt", "no|^|day|^|x\n" + "1|^|2020-01-01|^|y\n" * 9, "more than one character"),
        ("s.txt", "\x1e".join(["no\x1fday", *["1\x1f2020-01-01"] * 9]), "separated by the character"),
        ("t.txt", "".join(f"{i:010}19800101MALE   X\n" for i in range(20)), "told by position"),
        ("u.xls", "<html><table><tr><td>a</td></tr></table></html>", "it is HTML"),
        ("v.xlsx", "a\tb\n1\t2\n", "it is text or damaged"),
        ("w.por", "ASCII SPSS PORT FILE" * 5, "portable file of SPSS"),
        ("x.csv", "Report of May,,\n\nno,day,v\n" + "1,2020-01-01,3\n" * 5, "Take the first line away"),
    ],
)
def test_files_that_are_no_text_are_named_as_what_they_are(
    tmp_path: Path, name: str, content: str | bytes, said: str
) -> None:
    source = put(tmp_path, {name: content, "ok.csv": "a,b\n1,2\n"})
    found = scan(source)
    assert [file for file, _ in found.skipped] == [name]
    assert said in found.skipped[0][1]
    assert [s.patterns for s in found.sources] == [("ok.csv",)]


def test_archives_are_to_be_unpacked(tmp_path: Path) -> None:
    source = put(tmp_path, {"ok.csv": "a,b\n1,2\n"})
    with zipfile.ZipFile(source / "export.zip", "w") as archive:
        archive.writestr("a.csv", "x")
    assert scan(source).skipped == (("export.zip", "It is a ZIP archive. Unpack it first."),)


@pytest.mark.parametrize(
    ("header", "values", "format"),
    [
        ("d", ["31/01/2020", "01/02/2020"], "%d/%m/%Y"),
        ("d", ["01/31/2020", "02/01/2020"], "%m/%d/%Y"),
        ("d", ["31.01.2020", "01.02.2020"], "%d.%m.%Y"),
        ("d", ["2020년 1월 31일", "2020년 12월 1일"], "%Y년 %-m월 %-d일"),
        ("d", ["2020. 1. 31.", "2020. 12. 1."], "%Y. %-m. %-d."),
        ("d", ["3-MAR-2020", "13-apr-2020"], "%-d-%b-%Y"),
        ("birth", ["650131", "401201"], "%y%m%d"),
        ("d", ["03-MAR-65", "13-APR-20"], "%-d-%b-%y"),
        ("d", ["2020年1月31日", "2020年12月1日"], "%Y年%-m月%-d日"),
        ("d", ["20200131.0", "20201201.0"], "%Y%m%d.0"),
        ("d", ["1/31/20", "12/1/19"], "%-m/%-d/%y"),
        ("d", ["31/1/20", "1/12/19"], "%-d/%-m/%y"),
        ("d", ["1/31/20 9:30", "12/1/19 12:01"], "%-m/%-d/%y %-H:%M"),
        ("d", ["31.01.99", "01.12.99"], "%d.%m.%y"),
        ("d", ["2020-01-31 오전 9:30:00", "2020-02-01 오후 12:01:02"], "%Y-%-m-%-d %p %-I:%M:%S"),
        ("d", ["1/31/2020 9:30:00 PM", "2/1/2020 12:01:02 AM"], "%-m/%-d/%Y %-I:%M:%S %p"),
    ],
)
def test_dates_as_exports_write_them(tmp_path: Path, header: str, values: list[str], format: str) -> None:
    found = column(tmp_path, header, values)
    assert (found.format, found.type in ("date", "datetime")) == (format, True)
    assert bool(found.first_year) == ("%y" in format)
    assert bool(found.ask) == ("%y" in format)


def test_a_date_that_can_be_read_both_ways_is_asked_about(tmp_path: Path) -> None:
    assert "month first" in column(tmp_path, "d", ["01/02/2020", "03/04/2020"]).ask

    assert "read as DD.MM.YY" in column(tmp_path, "d", ["25.01.20", "20.11.23"]).ask


@pytest.mark.parametrize(
    ("values", "asked"),
    [
        (["44197", "43831"], "1899-12-30"),
        (["1609459200", "1577836800"], "seconds since 1970"),
        (["1609459200000", "-315619200000"], "milliseconds"),
        (["2020366", "2021001"], "the day of it"),
        (["1", "2"], ""),
    ],
)
def test_days_told_as_numbers_are_asked_about(tmp_path: Path, values: list[str], asked: str) -> None:
    told = column(tmp_path, "VISIT_DATE", values)
    assert (told.type, asked in told.ask, bool(told.ask)) == ("integer", True, bool(asked))
    assert not column(tmp_path, "AMOUNT", values).ask


@pytest.mark.parametrize(
    ("values", "delimiter", "found"),
    [
        (["0,775", "12,5"], ";", ("number", None, ",", False)),
        (["1.234,5", "12,75"], ";", ("number", ".", ",", False)),
        (["1,234", "5,678"], ";", ("text", None, None, True)),
        (['"1,234"', '"5,678"'], ",", ("integer", ",", None, True)),
        (['"1,234,567"', '"5,678"'], ",", ("integer", ",", None, False)),
    ],
)
def test_commas_in_numbers(tmp_path: Path, values: list[str], delimiter: str, found: tuple[object, ...]) -> None:
    told = column(tmp_path, "v", values, delimiter)
    assert (told.type, told.thousands, told.decimal, bool(told.ask)) == found


@pytest.mark.parametrize(
    ("values", "type", "missing"),
    [
        (["1", "2", "NULL"], "integer", ("NULL",)),
        (["1.5", "2.5", "-"], "number", ("-",)),
        (["20200101", "99991231", "00000000", "20200203"], "date", ("00000000", "99991231")),
        (["2020-01-01", "9999-12-31", "2020-01-02"], "date", ("9999-12-31",)),
        (["x", "NA", "-"], "text", ()),
        (["x", "\\N"], "text", ("\\N",)),
    ],
)
def test_words_for_nothing(tmp_path: Path, values: list[str], type: str, missing: tuple[str, ...]) -> None:
    found = column(tmp_path, "v", values)
    assert (found.type, found.missing) == (type, missing)


def test_a_result_below_a_limit_is_text(tmp_path: Path) -> None:
    lines = [f"{i},{i / 10}" for i in range(2000)] + ["2001,<0.02"]
    source = put(tmp_path, {"x.csv": "no,RESULT\n" + "\n".join(lines) + "\n"})
    assert scan(source).sources[0].columns[1].shape == "numbers, some as <0.5"


@pytest.mark.parametrize(
    "name",
    [
        "EMPI", "IDV_ID", "NHS_NUMBER", "UNIT_NO", "enrolid", "HN", "대상자번호", "연구번호",
        "USUBJID", "uniquepid", "DESYNPUF_ID", "PATIENT", "CHARTNO", "REGNO", "BENE_ID", "JID", "INDI_DSCM_NO",
        "가입자일련번호", "PATIENTID", "PatientKey", "subject_id", "PERSON_ID", "환자번호",
    ],
)  # fmt: skip
def test_a_number_of_a_person_is_one_for_the_scan_and_for_the_check(name: str) -> None:
    assert looks_like_identifier(name)
    assert "person identifier" in {flag.kind for flag in flags_of(name, ["a1", "a2"])}


def test_a_day_is_no_number_of_a_person(tmp_path: Path) -> None:
    assert column(tmp_path, "dod_ssn", ["2020-01-02", "2021-02-03"]).flags == ()


def draft(folder: Path, files: Mapping[str, str]) -> tuple[Path, Standardized]:
    """A fresh draft passes its own check, and runs."""
    source = put(folder, files)
    made = new_pack("fresh", scan(source), folder)
    pack = load_pack(made)
    assert check_pack(pack) == []
    assert check_files(source, list(pack.sources.values())) == []
    return made, standardize(pack, source, starter_path(), key=b"sixteen bytes or more")


def table(header: str, *rows: str) -> str:
    return "\n".join((header, *rows)) + "\n"


PEOPLE = table("subject_id,dob,gender,dod", *(f"{i},19{i % 60 + 30}-01-02,{'MF'[i % 2]}," for i in range(100, 160)))
STAYS = table(
    "hadm_id,subject_id,admittime,dischtime",
    *(f"{i + 9000},{i + 100},2020-01-{i % 28 + 1:02} 10:00:00,2020-02-01 12:00:00" for i in range(60)),
)


def test_a_draft_of_records_that_are_dated_by_their_visit(tmp_path: Path) -> None:
    diagnoses = table(
        "row_id,subject_id,hadm_id,icd9_code", *(f"{i},{i % 60 + 100},{i % 60 + 9000},40{i % 7}19" for i in range(180))
    )
    _, result = draft(tmp_path, {"patients.csv": PEOPLE, "admissions.csv": STAYS, "diagnoses.csv": diagnoses})
    assert result.report.tables["condition_occurrence"] == 180
    sql = (
        "SELECT count(*) AS n FROM condition_occurrence JOIN visit_occurrence USING (visit_occurrence_id) "
        "WHERE condition_start_date = visit_start_date"
    )
    assert result.sql(sql).to_pylist() == [{"n": 180}]


def test_a_draft_of_persons_in_yearly_rows_with_an_age(tmp_path: Path) -> None:
    rows = [f"{year},{i},{i % 2 + 1},{year - 1950 - i % 5}" for year in (2022, 2023) for i in range(1, 40)]
    _, result = draft(tmp_path, {"checkup.csv": table("YEAR,INDI_DSCM_NO,SEX,AGE", *rows)})
    assert result.report.tables["person"] == 39
    assert {y for y in result.table("person")["year_of_birth"].to_pylist()} == set(range(1950, 1955))


def test_a_draft_takes_a_column_of_systems_for_the_vocabulary_and_codes_are_text(tmp_path: Path) -> None:
    events = table(
        "PATIENT,SYSTEM,CODE,START",
        *(
            f"{i % 60 + 100},{('SNOMED-CT', 'http://loinc.org')[i % 2]},{10509002 + i % 3},2020-01-{i % 28 + 1:02}"
            for i in range(120)
        ),
    )
    made, result = draft(tmp_path, {"patients.csv": PEOPLE.replace("subject_id", "PATIENT"), "conditions.csv": events})
    codes = result.table("source_codes").to_pylist()
    assert {row["vocabulary_id"] for row in codes} == {"SNOMED", "LOINC"}
    assert 'CODE = { type = "text" }' in (made / "pack.toml").read_text(encoding="utf-8")


def test_a_draft_leaves_out_what_nothing_reads_and_the_run_names_it(tmp_path: Path) -> None:
    made, result = draft(tmp_path, {"patients.csv": PEOPLE, "wards.csv": table("WARD,BEDS", "A,1", "B,2")})
    assert [name for name, _ in result.report.unread] == ["wards.csv"]
    assert "# [sources.wards]" in (made / "pack.toml").read_text(encoding="utf-8")
    assert any("still marked DECIDE" in warning for warning in result.report.warnings)


def test_keys_that_a_draft_guesses_reject_no_record(tmp_path: Path) -> None:
    labs = table(
        "subject_id,DAY,LAB_CODE,VALUE", *(f"{i % 60 + 100},2020-01-{i % 28 + 1:02},L{i % 5},{i}" for i in range(150))
    )
    made, _ = draft(tmp_path, {"patients.csv": PEOPLE, "labs.csv": labs})
    labs_toml = (made / "pack.toml").read_text(encoding="utf-8").partition("[sources.labs]")[2].partition("[sources")[0]
    assert not re.search(r"^key = ", labs_toml, re.MULTILINE)


def test_a_draft_with_words_for_nothing_declares_them(tmp_path: Path) -> None:
    visits = STAYS.replace("2020-02-01 12:00:00", "NULL", 20)
    made, result = draft(tmp_path, {"patients.csv": PEOPLE, "admissions.csv": visits})
    assert 'missing = ["NULL"]' in (made / "pack.toml").read_text(encoding="utf-8")
    assert dict(result.report.repairs) == {}
    assert result.report.tables["visit_occurrence"] == 60


def test_a_draft_that_rejects_every_person_fails_its_check(tmp_path: Path) -> None:
    source = put(tmp_path, {"patients.csv": table("PATIENT_ID,SEX", *(f"P{i},M" for i in range(30)))})
    problems = check_pack(load_pack(new_pack("fresh", scan(source), tmp_path)))
    assert ["every person is rejected" in problem.message for problem in problems] == [True]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b,a\n1,2,3\n4,5,6\n", "Its header has a twice."),
        ("sep=;\na;b\n1;2\n", "begins with the line sep=;"),
        ("Report of May\n\nno,day\n" + "1,2020-01-01\n" * 5, "Take the first line away."),
        ("# by x\n# at y\nno,day\n" + "1,2020-01-01\n" * 5, "Take the first 2 lines away."),
        ("no,day\r1,2020-01-01\r2,2020-01-02\r", "carriage return alone"),
    ],
)
def test_headers_that_cannot_be_read_are_named(tmp_path: Path, text: str, said: str) -> None:
    ((_, why),) = scan(put(tmp_path, {"x.csv": text})).skipped
    assert said in why


@pytest.mark.parametrize(
    "lines",
    [
        [",no,day", "0,7,2020-01-01", "1,8,2020-01-02"],  # as pandas and R number their rows
        ["no||day", "7||2020-01-01", "8||2020-01-02"],
        ["no,day", "7,2020-01-01", "no,day", "8,2020-01-02"],  # two files, one after the other
    ],
)
def test_headers_beside_a_numbering_twice_or_with_columns_of_nothing(tmp_path: Path, lines: list[str]) -> None:
    (source,) = scan(put(tmp_path, {"x.csv": "\n".join(lines) + "\n"})).sources
    assert [c.header for c in source.columns if c.header] == ["no", "day"]


@pytest.mark.parametrize(
    ("result", "number", "operator"), [("≤0.5", 0.5, 4171754), ("NaN", None, None), ("inf", None, None)]
)
def test_a_result_that_is_no_finite_number_stays_text(
    tmp_path: Path, result: str, number: float | None, operator: int | None
) -> None:
    rows = (f"{i % 60 + 100},2020-01-{i % 28 + 1:02},L1,{i % 5}.5" for i in range(99))
    labs = table("subject_id,DAY,LAB_CODE,VALUE", *rows, f"100,2020-02-01,L1,{result}", *["101,2020-02-01,L1,x"] * 9)
    _, made = draft(tmp_path, {"patients.csv": PEOPLE, "labs.csv": labs})
    (row,) = made.sql(
        f"SELECT value_as_number AS n, operator_concept_id AS o FROM measurement WHERE value_source_value = '{result}'"
    ).to_pylist()
    assert (row["n"], row["o"]) == (number, operator)


def test_identifiers_that_a_spreadsheet_rounded_are_nobodys(tmp_path: Path) -> None:
    people = table("subject_id,dob,gender", *(f"1.23457E+{i},1940-01-02,M" for i in (11, 12)), "7,1950-01-02,F")
    columns = Column("subject_id", "text", required=True, identifier="pseudonym"), Column("dob", "date")
    source = put(tmp_path, {"p.csv": people})
    spec = Source("p", ("p.csv",), {one.name: one for one in columns}, extra_columns="ignore")
    blocks = list(read_blocks(source / "p.csv", register(source / "p.csv", spec), spec, pseudonym=str.lower))
    assert [reject for block in blocks for reject in block.rejects] == [
        (2, "subject_id is no readable identifier"),
        (3, "subject_id is no readable identifier"),
    ]


def test_a_number_of_a_patient_leads_to_the_file_of_that_name(tmp_path: Path) -> None:
    people = table("Id,BIRTHDATE,GENDER", *(f"{i:016x},1940-01-02,M" for i in range(1000, 1040)))
    claims = table(
        "PATIENTID,SERVICEDATE,DIAGNOSIS1", *(f"{i:016x},2020-01-03,38341003" for i in [*range(1000, 1027)] * 2)
    )
    _, result = draft(tmp_path, {"patients.csv": people, "claims.csv": claims})
    assert (result.report.tables["person"], result.report.tables["condition_occurrence"]) == (40, 54)


def test_units_and_names_that_are_numbers_are_no_problem_of_a_draft(tmp_path: Path) -> None:
    rows = (f"{i % 60 + 100},2020-01-{i % 28 + 1:02},L{i % 5},{i % 5},{i},{i % 3}" for i in range(150))
    labs = table("subject_id,DAY,LAB_CODE,LAB_NAME,VALUE,UNIT", *rows)
    _, result = draft(tmp_path, {"patients.csv": PEOPLE, "labs.csv": labs})
    assert result.report.tables["measurement"] == 150


def test_a_draft_with_a_day_that_is_named_like_a_number_passes_its_check(tmp_path: Path) -> None:
    people = table(
        "subject_id,dob,gender,dod_ssn", *(f"{i},1940-01-02,M,2020-02-0{i % 9 + 1}" for i in range(100, 140))
    )
    _, result = draft(tmp_path, {"patients.csv": people})
    assert result.report.tables["person"] == 40
