"""Moments with an offset: one rule, whatever the file and the column."""

import json
from datetime import date, datetime
from pathlib import Path

import pytest

from madang.base.errors import MadangError
from madang.science.omop.starter import starter_path
from madang.science.standardize import Standardized, standardize
from madang.science.standardize.intake import read_blocks, register
from madang.science.standardize.intake.zones import find_zone, localized
from madang.science.standardize.pack import Column, Source


@pytest.mark.parametrize(
    ("text", "local"),
    [
        ("2021-02-02T23:30:00Z", "2021-02-03T08:30:00"),
        ("2021-02-03T08:00:00+09:00", "2021-02-03T08:00:00"),
        ("2021-02-02 18:00:00.250-0500", "2021-02-03T08:00:00.250000"),
        ("2021-02-02T24:00:00Z", "2021-02-03T09:00:00"),
        ("2021-02-03T08:00", "2021-02-03T08:00"),
        ("2021-02", "2021-02"),
        ("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00+14:00"),
        ("nonsense", "nonsense"),
    ],
)
def test_a_moment_in_a_zone(text: str, local: str) -> None:
    assert localized(text, "Asia/Seoul") == local


def test_typed_columns_keep_to_the_zone_of_the_run(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("AT,DAY,SAID\n2021-02-02T23:30:00Z,2021-02-02T23:30:00Z,2021-02-02T23:30:00Z\n", encoding="utf-8")
    columns = {"AT": Column("AT", "datetime"), "DAY": Column("DAY", "date"), "SAID": Column("SAID", "text", zoned=True)}
    for zone, expected in (
        ("", (datetime(2021, 2, 2, 23, 30), date(2021, 2, 2), "2021-02-02T23:30:00Z")),
        ("Asia/Seoul", (datetime(2021, 2, 3, 8, 30), date(2021, 2, 3), "2021-02-03T08:30:00")),
    ):
        spec = Source("x", ("x.csv",), columns, zone=zone)
        (block,) = read_blocks(path, register(path, spec), spec)
        assert tuple(block.table[name][0].as_py() for name in columns) == expected


@pytest.mark.parametrize("zone", ["", "Asia/Seoul"])
@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2020-12-31T24:00:00+09:00", "2021-01-01T00:00:00"),
        ("2020-02-28 24:00", "2020-02-29 00:00:00"),
        ("2021-01-01T24:00:01", "2021-01-01T24:00:01"),
        ("9999-12-31T24:00:00", "9999-12-31T24:00:00"),
    ],
)
def test_the_end_of_a_day_is_the_beginning_of_the_next(tmp_path: Path, text: str, day: str, zone: str) -> None:
    path = tmp_path / "x.ndjson"
    path.write_text(json.dumps({"AT": text, "SAID": text}) + "\n", encoding="utf-8")
    columns = {"AT": Column("AT", "datetime"), "SAID": Column("SAID", "text", zoned=True)}
    spec = Source("x", ("x.ndjson",), columns, format="ndjson", zone=zone)
    (block,) = read_blocks(path, register(path, spec), spec)
    said, at = block.table["SAID"][0].as_py(), block.table["AT"][0].as_py()
    assert said[:19] == day
    assert at == (None if "24:00" in day else datetime.fromisoformat(day))


@pytest.mark.parametrize(
    ("offsets", "zone", "said"),
    [
        (["+09:00", "+09:00"], "", ""),
        (["+09:00", "Z"], "+09:00", "taken to +09:00"),
        (["-04:00", "-05:00", "Z"], "", "kept as written"),
        (["Z"], "", "days are those of Greenwich"),
        ([""], "", ""),
    ],
)
def test_the_zone_of_an_export(tmp_path: Path, offsets: list[str], zone: str, said: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text("AT\n" + "".join(f"2021-02-02T23:30:00{offset}\n" for offset in offsets), encoding="utf-8")
    found = find_zone([(Source("x", ("x.csv",), {"AT": Column("AT", "datetime")}), path)])
    assert found[0] == zone
    assert said in found[1] and bool(said) == bool(found[1])


def visits(folder: Path, **parameters: str) -> Standardized:
    lines = {
        "Patient": [{"id": "p", "birthDate": "1970"}],
        "Encounter": [
            {"id": i, "class": {"code": "AMB"}, "subject": {"reference": "Patient/p"}, "period": {"start": s, "end": e}}
            for i, s, e in (
                ("1", "2021-02-03T08:00:00+09:00", "2021-02-02T23:30:00Z"),
                ("2", "2021-02-02T23:00:00Z", "2021-02-02T23:40:00Z"),
            )
        ],
    }
    for name, resources in lines.items():
        (folder / f"{name}.ndjson").write_text("".join(json.dumps(one) + "\n" for one in resources), encoding="utf-8")
    return standardize("fhir-r4", folder, starter_path(), key=b"sixteen bytes or more", parameters=parameters)


def test_an_encounter_ends_after_it_began_and_days_and_moments_agree(tmp_path: Path) -> None:
    sql = (
        "SELECT visit_start_datetime AS a, visit_end_datetime AS b, visit_start_date AS c, visit_end_date AS d "
        "FROM visit_occurrence ORDER BY visit_occurrence_id"
    )
    for parameters, day in (({}, 3), ({"timezone": "Asia/Seoul"}, 3), ({"timezone": "UTC"}, 2)):
        for row in visits(tmp_path, **parameters).sql(sql).to_pylist():
            assert row["a"] < row["b"]
            assert (row["a"].date(), row["b"].date()) == (row["c"], row["d"]) == (date(2021, 2, day),) * 2
    with pytest.raises(MadangError, match="no time zone"):
        visits(tmp_path, timezone="Seoul")


@pytest.mark.parametrize("zone", ["", "Asia/Seoul"])
def test_what_is_no_part_of_a_moment_is_no_value(tmp_path: Path, zone: str) -> None:
    told = {
        "2021": "2021", "2021-02": "2021-02", "2021-2-3": "2021-02-03", "2021-02-03t08:00:00": "2021-02-03T08:00:00",
        "2016-12-31T14:59:60Z": "2016-12-31T23:59:59" if zone else "2016-12-31T14:59:59Z",
        "soon": None, "2021-02-30": None, "2021-13": None, "20210203": None, "2021-02-03T08:00\u221205:00": None,
    }  # fmt: skip
    path = tmp_path / "x.ndjson"
    path.write_text("".join(json.dumps({"SAID": text}) + "\n" for text in told), encoding="utf-8")
    spec = Source("x", ("x.ndjson",), {"SAID": Column("SAID", "text", zoned=True)}, format="ndjson", zone=zone)
    (block,) = read_blocks(path, register(path, spec), spec)
    assert block.table["SAID"].to_pylist() == list(told.values())
    assert block.repairs == [(line, "SAID") for line, value in enumerate(told.values(), 1) if value is None]
