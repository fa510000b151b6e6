"""Which files belong to which source, what is taken down of them, and pseudonyms."""

import gzip
import hashlib
import hmac
from pathlib import Path

import pytest

from madang.base.errors import MadangError
from madang.science.standardize.intake import find_files, pseudonymizer, read_blocks, register
from madang.science.standardize.pack import Column, Source


def source(name: str, *patterns: str, optional: bool = False) -> Source:
    return Source(name=name, files=patterns, columns={"A": Column("A", "text")}, optional=optional)


def files(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"A\nx\n")


def test_captures_and_natural_order(tmp_path: Path) -> None:
    files(tmp_path, "DX_10.csv", "DX_2.CSV", "DX_1.csv.gz", "2020/RX_a.csv", "other.txt", ".hidden_1.csv")
    dx, rx = source("dx", "DX_{part}.csv"), source("rx", "{year}/RX_{kind}.csv")
    found = find_files(tmp_path, [rx, dx])
    assert [(one.name, path.name, captures) for one, path, captures in found] == [
        ("rx", "RX_a.csv", {"year": "2020", "kind": "a"}),
        ("dx", "DX_1.csv.gz", {"part": "1"}),
        ("dx", "DX_2.CSV", {"part": "2"}),
        ("dx", "DX_10.csv", {"part": "10"}),
    ]


def test_korean_names_in_either_normal_form(tmp_path: Path) -> None:
    files(tmp_path, "\u1103\u1173\u11bc\u1105\u1169\u11a8_1.csv")  # 등록 in letters, as some systems store it
    assert len(find_files(tmp_path, [source("a", "등록_{n}.csv")])) == 1


@pytest.mark.parametrize(
    ("names", "sources", "code"),
    [
        (["a.csv"], [source("b", "b.csv")], "source.missing"),
        (["a.csv"], [source("a", "a.csv"), source("b", "{x}.csv")], "source.ambiguous"),
        (["a.csv", "a.csv.gz"], [source("a", "a.csv")], "source.twice"),
        (["a.csv/b"], [source("a", "a.csv")], "source.folder"),
    ],
)
def test_what_cannot_be_assigned_is_refused(tmp_path: Path, names: list[str], sources: list[Source], code: str) -> None:
    files(tmp_path, *names)
    with pytest.raises(MadangError) as caught:
        find_files(tmp_path, sources)
    assert caught.value.code == code
    assert caught.value.hint


def test_a_missing_folder_is_refused_and_an_optional_source_may_lack(tmp_path: Path) -> None:
    with pytest.raises(MadangError, match="no folder"):
        find_files(tmp_path / "none", [])
    assert find_files(tmp_path, [source("a", "a.csv", optional=True)]) == []


def test_a_bundle_in_place_of_lines_is_named(tmp_path: Path) -> None:
    (tmp_path / "p1.json").write_text('{\n "resourceType": "Bundle",\n "entry": []\n}', encoding="utf-8")
    with pytest.raises(MadangError) as error:
        find_files(tmp_path, [Source("patient", ("Patient.ndjson",), {}, format="ndjson")])
    assert (error.value.code, "p1.json is a FHIR bundle" in str(error.value.hint)) == ("source.missing", True)


def test_registering_takes_down_bytes_on_disk_and_lines_of_text(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "a.csv.gz"
    path.parent.mkdir()
    path.write_bytes(gzip.compress(b"A\nx\ny"))
    file = register(path, source("a", "sub/a.csv"), folder=tmp_path, captures={"n": "1"})
    assert (file.name, file.source, file.captures, file.lines) == ("sub/a.csv.gz", "a", {"n": "1"}, 3)
    assert file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert file.size == path.stat().st_size
    rows = [row for block in read_blocks(path, file, source("a", "sub/a_{n}.csv")) for row in block.table.to_pylist()]
    assert rows == [{"_line": 2, "A": "x", "n": "1"}, {"_line": 3, "A": "y", "n": "1"}]


@pytest.mark.parametrize("key", [b"k" * 16, b"k" * 64, b"k" * 100])
def test_a_pseudonym_is_half_of_an_hmac(key: bytes) -> None:
    pseudonym = pseudonymizer(key)
    for text in ("1", "환자", "1"):
        assert pseudonym(text) == hmac.new(key, text.encode(), "sha256").hexdigest()[:32]


def test_a_short_key_is_refused() -> None:
    with pytest.raises(MadangError):
        pseudonymizer(b"short")
