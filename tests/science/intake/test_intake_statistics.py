"""Files of SAS, SPSS and Stata: days and times as their formats say, no missing value as a value, encodings found."""

import csv
import datetime
from pathlib import Path

import pytest

from madang.base.errors import MadangError
from madang.science.omop.starter import starter_path
from madang.science.standardize import standardize
from madang.science.standardize.check import check_pack
from madang.science.standardize.intake import check_files, tables
from madang.science.standardize.new_pack import new_pack
from madang.science.standardize.pack import load_pack
from madang.science.standardize.scan import scan
from statistics_files import Missing, write_statistics

DAY = (datetime.date(2020, 2, 29) - datetime.date(1960, 1, 1)).days
SECONDS = DAY * 86400 + 36000.25
SPSS_DAY = (datetime.date(2020, 2, 29) - datetime.date(1582, 10, 14)).days * 86400
KINDS = ["x.sas7bdat", "x.xpt", "x.sav", "x.zsav", "x.dta"]


def read(path: Path, encoding: str = "") -> list[list[str]]:
    with tables.as_text(path, encoding=encoding).open(encoding="utf-8", newline="") as lines:
        return list(csv.reader(lines))


@pytest.mark.parametrize(
    ("file", "format", "value", "text"),
    [
        *(("x.xpt", form, DAY, "2020-02-29") for form in (
            "DATE9", "YYMMDDN8", "DDMMYYS10", "MONYY7", "YYMMN6", "YEAR4", "E8601DA10", "JULIAN7", "NLDATE20",
            "WEEKDATX29", "WORDDATE12", "YYQ6", "MINGUO10")),
        *(("x.xpt", form, SECONDS, "2020-02-29 10:00:00.250000") for form in (
            "DATETIME22.3", "E8601DT23.3", "DTDATE9", "B8601DN8", "MDYAMPM25", "NLDATM30", "DTMONYY7")),
        ("x.xpt", "DATETIME20", DAY * 86400, "2020-02-29"),
        ("x.xpt", "TIME8", 36000.5, "10:00:00.5"),
        ("x.xpt", "TIME8", 90000, "25:00:00"),
        ("x.xpt", "TOD8", SECONDS, "10:00:00.25"),
        ("x.xpt", "DATE9", 5e6, "5000000"),
        ("x.xpt", "DATETIME20", 1e15, "1000000000000000"),
        ("x.xpt", "BEST12", DAY, str(DAY)),
        ("x.dta", "%td", DAY, "2020-02-29"),
        ("x.dta", "%tdCCYY.NN.DD", DAY, "2020-02-29"),
        ("x.dta", "%d", DAY, "2020-02-29"),
        ("x.dta", "%tc", SECONDS * 1000, "2020-02-29 10:00:00.250000"),
        ("x.dta", "%tcHH:MM:SS", 36_000_000, "10:00:00"),
        ("x.dta", "%tC", (SECONDS + 27) * 1000, "2020-02-29 10:00:00.250000"),
        ("x.dta", "%tm", 721, "2020-02"),
        ("x.dta", "%tq", 240, "2020-Q1"),
        ("x.dta", "%th", 121, "2020-H2"),
        ("x.dta", "%tw", 3120, "2020-W01"),
        ("x.dta", "%ty", 2020, "2020"),
        ("x.dta", "%9.0g", 2020.5, "2020.5"),
        *(("x.sav", form, SPSS_DAY, "2020-02-29") for form in (
            "DATE11", "ADATE10", "SDATE10", "JDATE7", "MOYR8", "QYR6")),
        ("x.sav", "DATETIME20", SPSS_DAY + 36000.25, "2020-02-29 10:00:00.250000"),
        ("x.sav", "YMDHMS19", SPSS_DAY + 36000, "2020-02-29 10:00:00"),
        ("x.sav", "TIME8", 90000, "25:00:00"),
    ],
)  # fmt: skip
def test_days_and_times_by_the_format_of_their_column(
    tmp_path: Path, file: str, format: str, value: float, text: str
) -> None:
    write_statistics(tmp_path / file, ["ID", "V"], [["1", value], ["2", None]], formats={"V": format})
    assert read(tmp_path / file) == [["ID", "V"], ["1", text], ["2", ""]]


@pytest.mark.parametrize("file", KINDS)
def test_values_as_they_are(tmp_path: Path, file: str) -> None:
    rows = [["007", 1.0, "가" * 60], ["008 ", -0.1, "x"], ["009", None, 'a,"b"\nc']]
    write_statistics(tmp_path / file, ["ID", "V", "LONG"], rows, version=8 if file == "x.xpt" else 0)
    told = [[cell.rstrip() for cell in row] for row in read(tmp_path / file)]
    assert told == [["ID", "V", "LONG"], ["007", "1", "가" * 60], ["008", "-0.1", "x"], ["009", "", 'a,"b" c']]


def test_numbers_of_four_bytes_are_not_longer_than_they_are(tmp_path: Path) -> None:
    write_statistics(tmp_path / "x.dta", ["ID", "V"], [["1", 6.7], ["2", 100.0]], floats=["V"])
    assert read(tmp_path / "x.dta")[1:] == [["1", "6.7"], ["2", "100"]]


@pytest.mark.parametrize("file", ["x.sas7bdat", "x.dta"])
def test_missing_values_with_a_letter_are_none(tmp_path: Path, file: str) -> None:
    letter = "A" if file == "x.sas7bdat" else "a"
    write_statistics(tmp_path / file, ["ID", "V"], [["1", Missing(letter)], ["2", 5], ["3", None]])
    assert read(tmp_path / file)[1:] == [["1", ""], ["2", "5"], ["3", ""]]


def test_values_that_a_file_calls_missing_are_none(tmp_path: Path) -> None:
    write_statistics(tmp_path / "x.sav", ["ID", "V"], [["1", 99], ["2", 5]], user_missing={"V": 99})
    assert read(tmp_path / "x.sav")[1:] == [["1", ""], ["2", "5"]]


@pytest.mark.parametrize(("file", "version"), [("x.dta", 114), ("x.dta", 117), ("x.xpt", 5), ("x.xpt", 8)])
def test_a_file_that_does_not_say_its_encoding_is_never_read_as_another(
    tmp_path: Path, file: str, version: int
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    rows = [[f"{i}", word] for i, word in enumerate(("고혈압", "당뇨병", "기관지염", "폐렴"))]
    write_statistics(folder / file, ["ID", "NM"], rows, encoding="cp949", version=version)
    with pytest.raises(MadangError, match="does not say its own encoding"):
        read(folder / file)
    assert read(folder / file, "cp949")[1:] == rows
    found = scan(folder)
    assert (found.sources[0].encoding, found.sources[0].ask) == ("cp949", "")
    assert 'encoding = "cp949"' in (new_pack("fresh", found, tmp_path) / "pack.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("file", KINDS)
def test_a_file_that_is_cut_off_is_refused(tmp_path: Path, file: str) -> None:
    rows = [[f"{i:06}", i / 7, "text of some length"] for i in range(3000)]
    write_statistics(tmp_path / file, ["ID", "V", "T"], rows)
    data = (tmp_path / file).read_bytes()
    (tmp_path / file).write_bytes(data[: len(data) * 2 // 3 + 1])
    with pytest.raises(MadangError):
        read(tmp_path / file)


@pytest.mark.parametrize("file", KINDS)
def test_a_draft_of_one_file_with_labels(tmp_path: Path, file: str) -> None:
    """A number called ID, a sex whose codes are the other way round, and a birth: a person for each row."""
    folder = tmp_path / "in"
    folder.mkdir()
    rows = [[f"{i:04}", 1 + i % 2, datetime.date(1950 + i, 1, 2), 5.5] for i in range(40)]
    if file.endswith("sav"):
        rows = [[*row[:2], (row[2] - datetime.date(1582, 10, 14)).days * 86400, row[3]] for row in rows]
    labels = {"SEX": {1: "2. 여자", 2: "1. 남자"}} if file.endswith(("sav", "dta")) else {}
    formats = {"BRTHDT": "DATE11"} if file.endswith("sav") else {}
    write_statistics(folder / file, ["ID", "SEX", "BRTHDT", "V"], rows, formats=formats, labels=labels)
    made = load_pack(new_pack("fresh", scan(folder), tmp_path))
    assert check_pack(made) == []
    assert check_files(folder, list(made.sources.values())) == []
    result = standardize(made, folder, starter_path(), key=b"sixteen bytes or more")
    persons = result.table("person").to_pylist()
    assert sorted(one["year_of_birth"] for one in persons) == list(range(1950, 1990))
    woman = {1950 + i for i in range(40) if (i % 2 == 0) == bool(labels)}
    assert {one["year_of_birth"] for one in persons if one["gender_concept_id"] == 8532} == woman
