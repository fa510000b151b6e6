"""Source lines that are shown again: masked, whole, or not at all."""

import csv
import gzip
import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_clinic import run

from madang.base.errors import MadangError
from madang.lake.engine import Engine
from madang.science.standardize.identify import Registered
from madang.science.standardize.originals import MASK, Original, Originals, State, layout
from madang.science.standardize.pack import Column, Source
from madang.science.standardize.trace import Tracer

COLUMNS = (
    Column("PT", "text", identifier="pseudonym"),
    Column("NAME", "text", identifier="direct", header="성명"),
    Column("CODE", "text"),
    Column("RRN", "text", identifier="direct"),
    Column("BORN", "text", header="RRN"),
)


def source(**said: object) -> Source:
    """A source whose files name people."""
    return Source("people", ("people.csv",), {c.name: c for c in COLUMNS}, **said)  # type: ignore[arg-type]  # terse


def registered(path: Path, lines: int) -> Registered:
    data = path.read_bytes()
    return Registered(1, path.name, "people", "", lines, len(data), hashlib.sha256(data).hexdigest())


def shown(path: Path, data: bytes, of: Source, line: int = 2, *, identifiers: bool = False) -> Original:
    """Line `line` of a file with these bytes on disk."""
    path.write_bytes(data)
    reader = Originals(path.parent, {"people": of.encoding}, {"people": layout(of)}, identifiers=identifiers)
    return reader.read(registered(path, 3), line)


@pytest.mark.parametrize("encoding", ["utf-8", "cp949", "utf-16", "utf-16-be"])
@pytest.mark.parametrize("packed", [False, True])
def test_only_declared_columns_that_identify_nobody_are_shown(tmp_path: Path, encoding: str, packed: bool) -> None:
    text = '성명,CODE,PT,NOTE,RRN\n"김, 민지","가,1",7,call Kim,000101-4000000\nx,y,z,,\n'
    data = text.encode(encoding)
    path = tmp_path / ("people.csv.gz" if packed else "people.csv")
    data = gzip.compress(data) if packed else data
    found = shown(path, data, source(encoding=encoding))
    assert found == Original(State.MASKED, f'{MASK},"가,1",{MASK},{MASK},{MASK}')
    whole = shown(path, data, source(encoding=encoding), identifiers=True)
    assert whole == Original(State.WHOLE, '"김, 민지","가,1",7,call Kim,000101-4000000')


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ({}, "성명,CODE,PT\nKim,Minji,A,7\n\n"),
        ({}, '성명,CODE,PT\n"Kim,A,7\n\n'),
        ({"quoted_newlines": True}, '성명,CODE,PT\n"Kim\nMinji",Kim,7\n'),
        ({"format": "ndjson"}, '{"성명":"Kim"}\n{"성명":"Kim"}\n\n'),
    ],
)
def test_where_fields_cannot_be_told_apart_nothing_is_shown(
    tmp_path: Path, said: Mapping[str, object], text: str
) -> None:
    assert shown(tmp_path / "people.csv", text.encode(), source(**said)) == Original(State.HIDDEN)


def test_a_version_that_does_not_know_its_columns_shows_nothing_unless_asked(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("성명\nKim\n", encoding="utf-8")
    file = registered(path, 2)
    assert Originals(tmp_path, {"people": "utf-8"}, {}).read(file, 2).state is State.HIDDEN
    assert Originals(tmp_path, {"people": "utf-8"}, {}, identifiers=True).read(file, 2).text == "Kim"


def test_a_file_that_changed_or_went_shows_nothing(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("CODE\nA\nB\n", encoding="utf-8")
    file = registered(path, 3)

    def now() -> Original:
        reader = Originals(tmp_path, {"people": "utf-8"}, {"people": layout(source())}, identifiers=True)
        return reader.read(file, 2)

    assert now() == Original(State.WHOLE, "A")
    path.write_text("CODE\nC\nB\n", encoding="utf-8")
    assert now() == Original(State.CHANGED)
    path.write_text("CODE\n", encoding="utf-8")
    assert now() == Original(State.CHANGED)
    path.unlink()
    assert now() == Original(State.GONE)


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n*"), max_size=9)


@given(st.lists(NAMES, min_size=4, max_size=4))
def test_whatever_a_name_looks_like_it_is_masked(
    tmp_path_factory: pytest.TempPathFactory, values: Sequence[str]
) -> None:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["성명", "CODE", "PT", "RRN"])
    writer.writerow(values)
    path = tmp_path_factory.getbasetemp() / "people.csv"
    path.write_text(f"{out.getvalue()}\n", encoding="utf-8", newline="")
    file = registered(path, 3)
    found = Originals(path.parent, {"people": "utf-8"}, {"people": layout(source())}).read(file, 2)
    assert found.state is State.MASKED
    (row,) = csv.reader([found.text or ""], strict=True)
    assert row == [MASK, values[1], MASK, MASK]


def test_a_line_is_found_by_the_name_of_its_file(tmp_path: Path) -> None:
    done = run(tmp_path, {"patients": ["p1,1950-01-01,M"]})
    with Engine() as engine:
        tracer = Tracer(done.version, engine)
        line = tracer.line("patients.csv", 2)
        assert tracer.originals().read(line.file, line.line) == Original(State.WHOLE, "p1,1950-01-01,M")
        with pytest.raises(MadangError, match="was not made from a file") as unknown:
            tracer.line("patient.csv", 1)
        assert unknown.value.hint == 'Did you mean "patients.csv"?'
        with pytest.raises(MadangError, match="there is no line 9"):
            tracer.line("patients.csv", 9)
