"""Numbers and dates come in as they are written, or not at all."""

from datetime import date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from madang.base.errors import MadangError
from madang.science.standardize.intake import read_blocks, register
from madang.science.standardize.intake.exact import Bad, value_of
from madang.science.standardize.intake.fields import plan
from madang.science.standardize.pack import Column, Source, load_pack


def read(folder: Path, values: list[str], **column: object) -> list[object]:
    """What the reader makes of texts of one column; None where it reads nothing."""
    path = folder / "one.csv"
    path.write_text("V;N\n" + "".join(f"{value};1\n" for value in values), encoding="utf-8")
    spec = Source("one", ("one.csv",), {"V": Column("V", **column), "N": Column("N", "text")}, delimiter=";")  # type: ignore[arg-type]  # keywords of Column
    return [value for block in read_blocks(path, register(path, spec), spec) for value in block.table["V"].to_pylist()]


def test_decimal_commas(tmp_path: Path) -> None:
    comma = {"type": "number", "decimal": ",", "thousands": "."}
    assert read(tmp_path, ["0,775", "1.234,5", "12", "-,5", "1.5", "1,2,3"], **comma) == [
        0.775, 1234.5, 12.0, -0.5, None, None,
    ]  # fmt: skip


def test_a_group_of_zero_is_no_thousands(tmp_path: Path) -> None:
    assert read(tmp_path, ["0,775", "1,775", "-0,001", "012,345"], type="number", thousands=",") == [
        None, 1775.0, None, None,
    ]  # fmt: skip


@given(st.integers(-(10**20), 10**20))
def test_a_whole_number_is_exact_or_refused(number: int) -> None:
    for kind in ("integer", "number"):
        (field,) = plan(Source("s", ("f",), {"V": Column("V", kind)}))  # type: ignore[arg-type]  # keywords of Column
        try:
            assert value_of(field, str(number)) == number
        except Bad:
            assert abs(number) >= 2**53


def test_whole_numbers_at_the_edge_of_doubles(tmp_path: Path) -> None:
    written = ["9007199254740992", "9007199254740993", "9007199254740994", "1e300"]
    assert read(tmp_path, written, type="number") == [2.0**53, None, 2.0**53 + 2, 1e300]


def test_years_of_two_digits(tmp_path: Path) -> None:
    births = {"type": "date", "format": "%d-%b-%y", "first_year": 1926}
    assert read(tmp_path, ["02-FEB-65", "1-jan-26", "31-DEC-25"], **births) == [
        date(1965, 2, 2), date(1926, 1, 1), date(2025, 12, 31),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("format", "text", "moment"),
    [
        ("%-d-%b-%Y", "3-MAR-1965", datetime(1965, 3, 3)),
        ("%d-%b-%Y", "3-Mar-1965", datetime(1965, 3, 3)),
        ("%B %-d, %Y", "March 3, 1965", datetime(1965, 3, 3)),
        ("%Y-%m-%d %p %-I:%M:%S", "2020-02-02 오후 12:30:00", datetime(2020, 2, 2, 12, 30)),
        ("%-m/%-d/%Y %-I:%M:%S %p", "2/3/2020 12:05:00 am", datetime(2020, 2, 3, 0, 5)),
        ("%Y년 %-m월 %-d일", "2020년 2월 3일", datetime(2020, 2, 3)),
        ("%Y%m%d%H%M%S", "20191231240000", datetime(2020, 1, 1)),
    ],
)
def test_dates_as_exports_write_them(tmp_path: Path, format: str, text: str, moment: datetime) -> None:
    assert read(tmp_path, [text], type="datetime", format=format) == [moment]
    assert read(tmp_path, [text], type="date", format=format) == [moment.date()]


def test_midnight_at_the_end_of_the_day(tmp_path: Path) -> None:
    written = ["2020-02-28 24:00:00", "2019-12-31T24:00", "2020-01-01 24:00:01"]
    assert read(tmp_path, written, type="datetime") == [datetime(2020, 2, 29), datetime(2020, 1, 1), None]
    assert read(tmp_path, ["24:00", "24:00:00", "24:01"], type="time") == ["24:00:00", "24:00:00", None]
    assert read(tmp_path, ["2400"], type="time", format="%H%M") == ["24:00:00"]


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ('{ type = "date", format = "%d-%b-%y" }', "nothing says of which century"),
        ('{ type = "date", first_year = 1930 }', "only a format with %y"),
        ('{ type = "text", decimal = "," }', "only an integer or number"),
        ('{ type = "number", decimal = ",", thousands = "," }', "are the same mark"),
        ('{ type = "number", decimal = ",," }', "has to be a single mark"),
    ],
)
def test_what_a_pack_cannot_mean_is_refused(tmp_path: Path, column: str, said: str) -> None:
    text = 'name = "p"\nversion = "1"\nlicense = "X"\n[cdm_source]\n[sources.s]\nfiles = ["s.csv"]\n'
    (tmp_path / "pack.toml").write_text(f"{text}[sources.s.columns]\nV = {column}\n", encoding="utf-8")
    with pytest.raises(MadangError, match=said):
        load_pack(tmp_path)
