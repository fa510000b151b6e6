"""What a scan finds in a folder, and what it must never tell."""

import gzip
import json
import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scan_kit import hospital

from madang.base.errors import MadangError
from madang.science.standardize.scan import ColumnScan, Scan, SourceScan, scan
from madang.science.standardize.scan import profile as profiles
from madang.science.standardize.scan.page import page
from madang.science.standardize.scan.profile import Column


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Scan, dict[str, list[str]]]:
    folder = tmp_path_factory.mktemp("export")
    planted = hospital(folder)
    return scan(folder), planted


def source(scan: Scan, name: str) -> SourceScan:
    return next(one for one in scan.sources if one.name == name)


def column(scan: Scan, name: str, header: str) -> ColumnScan:
    return next(one for one in source(scan, name).columns if one.header == header)


def test_files_with_one_layout_are_one_source(found: tuple[Scan, dict]) -> None:
    result, _ = found
    assert {one.name: one.patterns for one in result.sources} == {
        "lab": ("검사_{month}.csv",),
        "patient": ("환자.csv",),
        "visit": ("내원.csv",),
    }
    assert source(result, "lab").rows == 602
    ends = {file.name: (file.encoding, file.delimiter, file.line_ends, file.ragged) for file in result.files}
    assert ends["환자.csv"] == ("cp949", ",", "CRLF", 0)
    assert ends["검사_202301.csv"] == ("cp949", ",", "LF", 1)


def test_types_and_formats(found: tuple[Scan, dict]) -> None:
    result, _ = found
    types = {one.header: (one.type, one.format, one.thousands) for one in source(result, "lab").columns}
    assert types["검사일자"] == ("date", "%Y%m%d", None)
    assert types["금액"] == ("integer", None, ",")
    assert types["결과"] == ("text", None, None)
    assert column(result, "lab", "결과").shape == "numbers, some as <0.5"
    assert column(result, "visit", "내원시간").format == "%H%M"


def test_keys_and_references(found: tuple[Scan, dict]) -> None:
    result, _ = found
    assert source(result, "visit").keys[0] == ("내원번호",)
    links = {(one.source, one.column): (one.to_source, one.to_column) for one in result.references}
    assert links["lab", "내원번호"] == ("visit", "내원번호")
    assert links["visit", "등록번호"] == ("patient", "등록번호")
    assert all(one.share == 1.0 and one.exact for one in result.references)


@pytest.mark.parametrize("kind", ["name", "resident number", "phone", "address", "e-mail"])
def test_planted_identifiers_are_found_by_their_content(found: tuple[Scan, dict], kind: str) -> None:
    result, _ = found
    flagged = {
        one.header
        for one in source(result, "patient").columns
        for flag in one.flags
        if (flag.kind, flag.certainty) == (kind, "likely")
    }
    assert flagged == {
        {
            "name": "환자명",
            "resident number": "주민등록번호",
            "phone": "휴대전화",
            "address": "주소",
            "e-mail": "이메일",
        }[kind]
    }


def test_no_personal_and_no_rare_value_is_told(found: tuple[Scan, dict[str, list[str]]]) -> None:
    result, planted = found
    told = json.dumps(result.as_json(), ensure_ascii=False) + page(result)
    for values in planted.values():
        assert not [value for value in values if value in told]
    assert "아주 드문 검사" not in told
    assert "L99" not in told
    assert "혈당" in told
    assert not [str(10000000 + number) for number in range(200) if str(10000000 + number) in told]


def test_ranges_stand_for_at_least_the_minimum(tmp_path: Path) -> None:
    values = [*range(1000, 1100), 5, 999_999]
    (tmp_path / "a.csv").write_text("v,w\n" + "".join(f"{value},x\n" for value in values))
    told = column(scan(tmp_path), "a", "v")
    low, high = int(told.low or 0), int(told.high or 0)
    assert sum(value <= low for value in values) >= 10
    assert sum(value >= high for value in values) >= 10
    assert (low, high) == (1008, 1091)


def test_a_limit_of_rows_is_kept_and_told(found: tuple[Scan, dict], tmp_path: Path) -> None:
    hospital(tmp_path)
    limited = scan(tmp_path, rows=50)
    assert {file.name: (file.rows, file.complete) for file in limited.files}["내원.csv"] == (50, False)
    assert limited.rows == 50


def test_pairs_are_keys_where_no_column_is(tmp_path: Path) -> None:
    lines = [f"{claim},{line},{line % 3}" for claim in range(100) for line in range(5)]
    (tmp_path / "t30.csv").write_text("KEY_SEQ,SEQ_NO,X\n" + "\n".join(lines))
    assert source(scan(tmp_path), "t30").keys[0] == ("KEY_SEQ", "SEQ_NO")


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("a.csv", "가,나\n다,라\n".encode(), ("utf-8", ",", True)),
        ("a.csv", b"\xef\xbb\xbfa;b\nc;d\n", ("utf-8", ";", True)),
        ("a.csv", b"\xff\xfe" + "a,b\nc,d\n".encode("utf-16-le"), ("utf-16", ",", True)),
        ("a.csv", "a,b\nc,d\ne,f\ng,h\n".encode("utf-16-be"), ("utf-16-be", ",", True)),
        ("a.csv", "prénom,b\nc,é\n".encode("latin-1"), ("latin-1", ",", True)),
        ("a.csv", "결과,b\n㎎/㎗,1\n㎎/㎗,2\n㎍/㎖,3\n".encode("cp949"), ("cp949", ",", True)),
        ("a.tsv", b"a\tb\n1\tx,y,z\n", ("utf-8", "\t", True)),
        ("a.txt", b"a|b|c\n1|2|3\n", ("utf-8", "|", True)),
        ("a.csv", b"1,20200101,x\n2,20200102,y\n", ("utf-8", ",", False)),
        ("a.csv.gz", gzip.compress(b"a,b\n1,2\n", mtime=0), ("utf-8", ",", True)),
    ],
)
def test_layouts(tmp_path: Path, name: str, data: bytes, expected: tuple) -> None:
    (tmp_path / name).write_bytes(data)
    (file,) = scan(tmp_path).files
    assert (file.encoding, file.delimiter, file.header) == expected
    assert file.rows == file.lines - file.header


def test_quoted_line_breaks_are_found(tmp_path: Path) -> None:
    (tmp_path / "notes.csv").write_text("id,note\n" + "".join(f'{n},"first\nsecond, {n}"\n' for n in range(30)))
    result = scan(tmp_path)
    assert result.files[0].quoting == "with line breaks"
    assert source(result, "notes").rows == 30


def test_ndjson_columns_are_paths(tmp_path: Path) -> None:
    objects = [{"id": f"p{n}", "name": [{"family": "X"}], "on": "2020-01-01"} for n in range(20)]
    (tmp_path / "Patient.ndjson").write_text("\n".join(map(json.dumps, objects)))
    result = scan(tmp_path)
    assert [(one.path, one.type) for one in source(result, "patient").columns] == [
        ("id", "text"),
        ("name[0].family", "text"),
        ("on", "date"),
    ]


def test_what_cannot_be_read_is_listed_and_the_rest_is_scanned(tmp_path: Path) -> None:
    (tmp_path / "good.csv").write_text("a,b\n1,2\n")
    (tmp_path / "empty.csv").write_bytes(b"")
    (tmp_path / "twice.csv").write_text("a,a\n1,2\n")
    (tmp_path / "picture.png").write_bytes(bytes(range(256)) * 10)
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n" * 1000)[:-10])
    result = scan(tmp_path)
    assert [file.name for file in result.files if file.name == "good.csv"]
    assert {"empty.csv", "picture.png", "cut.csv.gz"} <= {name for name, _ in result.skipped}


def test_no_folder_and_no_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MadangError):
        scan(tmp_path / "none")
    with pytest.raises(MadangError, match="no files"):
        scan(tmp_path)
    with pytest.raises(MadangError):
        scan(tmp_path, minimum=0)


def test_the_page_stands_alone_and_shows_hostile_text_as_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.csv").write_text("a<script>,b\n" + "<img src=x onerror=alert(1)>,2\n" * 20)
    for language in ("en", "ko"):
        monkeypatch.setenv("MADANG_LANG", language)
        html = page(scan(tmp_path))
        assert f'<html lang="{language}">' in html
        assert "<script" not in html
        assert "<img" not in html
        assert "http" not in html.replace("http-equiv", "")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.sampled_from(["", "a", "b", "가나", "c" * 9, "20200101", "1"]), max_size=30), max_size=4))
def test_exact_counts_are_those_of_counting(blocks: list[list[str]]) -> None:
    profile = Column("x", "x", minimum=2)
    for block in blocks:
        profile.add(pa.array([value or None for value in block], pa.string()))
    told = profile.result()
    values = [value for block in blocks for value in block if value]
    assert told.filled == len(values)
    assert told.empty == sum(map(len, blocks)) - len(values)
    assert (told.distinct, told.distinct_exact) == (len(set(values)), True)
    if not told.flags:
        assert dict(told.values) == {v: values.count(v) for v in set(values) if values.count(v) >= 2}
    assert (told.shortest, told.longest) == (min(map(len, values), default=0), max(map(len, values), default=0))
    assert profile.unique.holds() == (bool(values) and told.empty == 0 and len(set(values)) == len(values))


def test_beyond_what_is_counted_exactly_numbers_are_estimates_and_counts_of_values_stay_exact(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(profiles, "EXACT_VALUES", 500)
    rng = random.Random(3)
    profile = Column("x", "x")
    values: list[str] = []
    for _ in range(12):
        block = ["often"] * 300 + [f"v{rng.randrange(40_000)}" for _ in range(3000)]
        values += block
        profile.add(pa.array(block, pa.string()))
    told = profile.result()
    assert not told.distinct_exact
    assert told.distinct == pytest.approx(len(set(values)), rel=0.08)
    assert told.values[0] == ("often", 3600)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(max_size=6), min_size=1, max_size=60))
def test_equal_texts_and_only_those_have_equal_hashes(texts: list[str]) -> None:
    found = profiles.hashes(pa.array(texts, pa.string()))
    assert len(np.unique(found)) == len(set(texts))


def test_blank_files_and_endless_lines_are_listed(tmp_path: Path) -> None:
    (tmp_path / "good.csv").write_text("a,b\n1,2\n")
    (tmp_path / "blank.csv").write_text("\n\n\n")
    (tmp_path / "endless.csv").write_text("a,b," * 100_000)
    result = scan(tmp_path)
    assert [file.name for file in result.files] == ["good.csv"]
    assert {name for name, _ in result.skipped} == {"blank.csv", "endless.csv"}
