"""Spreadsheets and files of statistics programs are sources like any other: typed, numbered, accounted for, traced."""

import datetime
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from madang.base.errors import MadangError
from madang.lake.engine import Engine
from madang.science.omop.starter import starter_path
from madang.science.standardize import Standardized, standardize
from madang.science.standardize.check import check_pack
from madang.science.standardize.intake import check_files, tables
from madang.science.standardize.pack import load_pack
from madang.science.standardize.scan import scan
from madang.science.standardize.trace import Tracer

PACK = """
name = "tables"
version = "1"
license = "CC0-1.0"
[cdm_source]
cdm_source_name = "Tables (synthetic)"
[sources.people]
files = ["people.FILE"]
key = ["환자"]
[sources.people.columns]
"환자" = { type = "text", required = true, identifier = "none" }
BORN = { type = "date" }
[entities.person]
key = ["환자"]
"""
PERSON = """select "환자", reject_when(BORN is null, 'no birth'), year(BORN) as year_of_birth, 0 as gender_concept_id,
0 as race_concept_id, 0 as ethnicity_concept_id, "환자" as person_source_value from people"""
CASE = """
title = "One person"
[[given.people]]
"환자" = "1"
BORN = "1980-05-06"
[[expect.person]]
year_of_birth = 1980
"""
ROWS = [(1, datetime.date(1980, 5, 6)), (2, None), (9007199254740993, datetime.date(1990, 1, 2))]


def pack(folder: Path, file: str) -> Path:
    for name, text in {
        "pack.toml": PACK.replace("FILE", file), "entities/person.sql": PERSON, "cases/one.toml": CASE,
    }.items():  # fmt: skip
        path = folder / "tables" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder / "tables"


def spreadsheet(path: Path) -> None:
    xlsxwriter = pytest.importorskip("xlsxwriter")
    book = xlsxwriter.Workbook(path)
    sheet = book.add_worksheet("환자")
    day = book.add_format({"num_format": "yyyy-mm-dd"})
    for at, name in enumerate(("환자", "BORN")):
        sheet.write(0, at, name)
    for row, (number, born) in enumerate(ROWS, 1):
        sheet.write(row, 0, number if number < 2**53 else str(number))
        if born:
            sheet.write_datetime(row, 1, datetime.datetime.combine(born, datetime.time()), day)
    book.close()


def run(folder: Path, file: str) -> Standardized:
    spec, source = load_pack(pack(folder, file)), folder / "in"
    assert check_files(source, list(spec.sources.values())) == []
    assert check_pack(spec) == []
    return standardize(spec, source, starter_path())


def test_a_spreadsheet_is_read_row_by_row_and_traced(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    spreadsheet(tmp_path / "in" / "people.xlsx")
    result = run(tmp_path, "xlsx")
    persons = {r["person_source_value"]: r["year_of_birth"] for r in result.table("person").to_pylist()}
    assert persons == {"1": 1980, "9007199254740993": 1990}
    assert result.report.sources["people"] == (1, 3, 2, 1, 0)
    with Engine() as engine:
        tracer = Tracer(result.version, engine)
        line = tracer.line("people.xlsx", 2)
        assert tracer.originals(tmp_path / "in").read(line.file, line.line).text == "1,1980-05-06"
        assert [row.table for row in tracer.made_by(line.file.number, 2)] == ["person"]


def transport(path: Path, columns: dict[str, list[str | int | None]]) -> None:
    """A SAS transport file (version 5) by its published layout; numbers are whole, and those of BORN are days."""

    def ibm(number: int | None) -> bytes:
        if number is None:
            return b"." + bytes(7)
        if number == 0:
            return bytes(8)
        exponent = (abs(number).bit_length() + 3) // 4
        return bytes([(128 if number < 0 else 0) | (64 + exponent)]) + (abs(number) << (56 - 4 * exponent)).to_bytes(
            7, "big"
        )

    def header(kind: str, rest: str) -> bytes:
        return f"HEADER RECORD*******{kind:<8}HEADER RECORD!!!!!!!{rest}".ljust(80).encode()

    moment = "01JAN20:00:00:00"
    library = f"{'SAS':<8}{'SAS':<8}{'SASLIB':<8}{'6.06':<8}{'bsd4.2':<8}{'':<24}{moment}"
    member = f"{'SAS':<8}{'PEOPLE':<8}{'SASDATA':<8}{'6.06':<8}{'bsd4.2':<8}{'':<24}{moment}"
    fields, at = b"", 0
    for number, (name, values) in enumerate(columns.items(), 1):
        text = any(isinstance(value, str) for value in values)
        form = ("DATE" if name == "BORN" else "").ljust(8).encode() + (9).to_bytes(2, "big") + bytes(6)
        kind = (2 if text else 1).to_bytes(2, "big") + bytes(2) + (8).to_bytes(2, "big") + number.to_bytes(2, "big")
        fields += (
            kind + name.ljust(8).encode() + b" " * 40 + form + b" " * 8 + bytes(4) + at.to_bytes(4, "big") + bytes(52)
        )
        at += 8
    rows = b"".join(
        b"".join(v.ljust(8).encode() if isinstance(v, str) else ibm(v) for v in row)
        for row in zip(*columns.values(), strict=True)
    )
    zeros = "0" * 30
    data = header("LIBRARY", zeros) + library.encode() + moment.ljust(80).encode()
    data += header("MEMBER", "000000000000000001600000000140") + header("DSCRPTR", zeros) + member.encode()
    data += moment.ljust(80).encode() + header("NAMESTR", f"000000{len(columns):04}00000000000000000000")
    data += fields + b" " * (-len(fields) % 80) + header("OBS", zeros) + rows + b" " * (-len(rows) % 80)
    path.write_bytes(data)


def test_a_file_of_sas(tmp_path: Path) -> None:
    pytest.importorskip("pyreadstat")
    (tmp_path / "in").mkdir()
    born = (datetime.date(1980, 5, 6) - datetime.date(1960, 1, 1)).days
    transport(tmp_path / "in" / "people.xpt", {"PT": ["1", "2"], "BORN": [born, None]})
    spec = pack(tmp_path, "xpt")
    toml = (spec / "pack.toml").read_text(encoding="utf-8")  # names of SAS transport files are ASCII
    toml = toml.replace('identifier = "none" }', 'identifier = "none", header = "PT" }')
    (spec / "pack.toml").write_text(toml, encoding="utf-8")
    result = standardize(spec, tmp_path / "in", starter_path())
    assert result.table("person")["year_of_birth"].to_pylist() == [1980]
    assert result.report.sources["people"] == (1, 2, 1, 1, 0)


def test_a_damaged_table_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "people.sas7bdat").write_bytes(b"no SAS at all" * 100)
    with pytest.raises(MadangError, match="cannot be read as a SAS file"):
        standardize(pack(tmp_path, "sas7bdat"), tmp_path / "in", starter_path())


def test_encodings_that_differ_from_file_to_file(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    text = "환자,BORN\n가,1980-05-06\n"
    for name, encoding in (("1", "cp949"), ("2", "utf-8"), ("3", "utf-8-sig")):
        (tmp_path / "in" / f"people_{name}.csv").write_text(text.replace("가", f"가{name}"), encoding=encoding)
    spec = pack(tmp_path, "x")
    toml = (spec / "pack.toml").read_text(encoding="utf-8")
    toml = toml.replace('files = ["people.x"]', 'files = ["people_{n}.csv"]\nencoding = "each"')
    (spec / "pack.toml").write_text(toml, encoding="utf-8")
    result = standardize(spec, tmp_path / "in", starter_path())
    assert sorted(result.table("person")["person_source_value"].to_pylist()) == ["가1", "가2", "가3"]


def test_words_for_nothing_and_what_spreadsheets_wrap(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    rows = '="0001",1980-05-06\n0002,NULL\n0003,99991231\nNULL,1990-01-01\n'
    (tmp_path / "in" / "people.csv").write_text("환자,BORN,\n" + rows.replace("\n", ",\n"), encoding="utf-8")
    spec = pack(tmp_path, "csv")
    toml = (
        (spec / "pack.toml")
        .read_text(encoding="utf-8")
        .replace('key = ["환자"]\n[sources', 'key = ["환자"]\nmissing = ["NULL"]\n[sources')
    )
    (spec / "pack.toml").write_text(toml.replace('type = "date" }', 'type = "date", missing = ["99991231"] }'), "utf-8")
    result = standardize(spec, tmp_path / "in", starter_path())
    assert result.table("person")["person_source_value"].to_pylist() == ["0001"]
    assert dict(result.report.repairs) == {}
    assert {(r.reason, r.lines) for r in result.report.reasons} == {("no birth", 2), ("환자 is empty", 1)}


def test_other_sheets_are_named_by_a_scan(tmp_path: Path) -> None:
    xlsxwriter = pytest.importorskip("xlsxwriter")
    book = xlsxwriter.Workbook(tmp_path / "two.xlsx")
    for name, rows in (("first", 5), ("second", 3), ("empty", 0)):
        sheet = book.add_worksheet(name)
        for row in range(rows):
            sheet.write_row(row, 0, ["NO", "X"] if row == 0 else [row, "a"])
    book.close()
    found = scan(tmp_path)
    assert [source.rows for source in found.sources] == [4]
    assert [name for name, _ in found.skipped] == ["two.xlsx [second]"]


def test_the_first_sheet_that_is_not_hidden_is_read(tmp_path: Path) -> None:
    xlsxwriter = pytest.importorskip("xlsxwriter")
    book = xlsxwriter.Workbook(tmp_path / "two.xlsx")
    for name in ("lists", "data"):
        sheet = book.add_worksheet(name)
        for row in range(4):
            sheet.write_row(row, 0, ["NO", name] if row == 0 else [row, row > 1])
        if name == "lists":
            sheet.hide()
        else:
            sheet.activate()
            sheet.set_first_sheet()
    book.close()
    found = scan(tmp_path)
    assert [column.header for column in found.sources[0].columns] == ["NO", "data"]
    assert [name for name, _ in found.skipped] == ["two.xlsx [lists]"]


def test_tables_that_threads_read_at_once_are_not_taken_for_one_another(tmp_path: Path) -> None:
    xlsxwriter = pytest.importorskip("xlsxwriter")
    paths = []
    for number in range(8):
        paths.append(tmp_path / f"{number}.xlsx")
        with xlsxwriter.Workbook(paths[-1]) as book:
            cells = [f"only_{number}", *(f"{number}:{row}" for row in range(300))]
            book.add_worksheet().write_column(0, 0, cells)
    with ThreadPoolExecutor(8) as threads:
        texts = [path.read_text(encoding="utf-8") for path in threads.map(tables.as_text, paths * 2)]
    for number, text in enumerate(texts):
        assert text.splitlines() == [f"only_{number % 8}", *(f"{number % 8}:{row}" for row in range(300))]


def test_other_sheets_of_what_is_read_are_named(tmp_path: Path) -> None:
    xlsxwriter = pytest.importorskip("xlsxwriter")
    (tmp_path / "in").mkdir()
    book = xlsxwriter.Workbook(tmp_path / "in" / "people.xlsx")
    for name, rows in {"환자": [["환자", "BORN"], ["1", "1980-05-06"]], "검사": [["A"], [1]], "빈 것": []}.items():
        sheet = book.add_worksheet(name)
        for row, values in enumerate(rows):
            sheet.write_row(row, 0, values)
    book.close()
    assert run(tmp_path, "xlsx").report.unread == (("people.xlsx [검사]", ""),)
    toml = (tmp_path / "tables" / "pack.toml").read_text(encoding="utf-8")
    other = toml.replace("[sources.people]", '[sources.people]\nsheet = "검사"', 1)
    (tmp_path / "tables" / "pack.toml").write_text(other, encoding="utf-8")
    with pytest.raises(MadangError, match="no column"):
        standardize(tmp_path / "tables", tmp_path / "in", starter_path())
