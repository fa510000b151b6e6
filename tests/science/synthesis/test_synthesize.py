"""Folders of synthetic data: the same bytes again, whole or not at all, labeled."""

import hashlib
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from madang.base.errors import Cancelled, MadangError
from madang.base.progress import Progress
from madang.science.synthesis import synthesize
from madang.science.synthesis.nhis.layout import layout
from madang.science.synthesis.nhis.rows import Rows


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("persons", [50, pytest.param(5030, marks=pytest.mark.big)])
def test_same_seed_same_bytes_on_any_number_of_processes(tmp_path: Path, persons: int) -> None:
    years = {"start_year": 2012, "end_year": 2012}
    for workers in (1, 2):
        synthesize("nhis", tmp_path / str(workers), persons=persons, seed=2, dirt=1, workers=workers, **years)
    assert digests(tmp_path / "1") == digests(tmp_path / "2")
    assert {path.name for path in tmp_path.iterdir()} == {"1", "2"}, "nothing is left over"
    assert "synthetic" in (tmp_path / "1" / "SYNTHETIC.txt").read_text()


def test_clean_files_have_the_columns_of_the_layout_and_no_rejected_row(tmp_path: Path) -> None:
    synthesize("nhis", tmp_path / "nhis", persons=60, seed=4, start_year=2010, end_year=2011)
    for path in (tmp_path / "nhis").glob("*.CSV"):
        table = path.name.split("_")[1].removesuffix(".CSV")
        header, *lines = path.read_bytes().decode("cp949").split("\r\n")
        assert header == ",".join(column.name for column in layout(1)[table])
        assert lines.pop() == ""
        assert {line.count(",") for line in lines} == {len(layout(1)[table]) - 1}
    fates = pq.read_table(tmp_path / "nhis" / "truth" / "fates.parquet").to_pylist()
    assert {row["fate"] for row in fates} == {"used", "unused"}


def test_keys_grow_through_every_file_and_are_unique(tmp_path: Path) -> None:
    synthesize("nhis", tmp_path / "nhis", persons=60, seed=4, start_year=2010, end_year=2011)
    seen: list[int] = []
    for path in sorted((tmp_path / "nhis").glob("NHID_GY20_*.CSV")):
        keys = [int(line.split(",")[1]) for line in path.read_text().splitlines()[1:]]
        assert keys == sorted(keys)
        seen += keys
    assert len(seen) == len(set(seen)) > 100


@pytest.mark.parametrize("wish", [{"kind": "zoo"}, {"dirt": 7}, {"persons": 0}, {"start_year": 2013, "end_year": 2002}])
def test_impossible_wishes_are_refused_and_leave_nothing(tmp_path: Path, wish: dict[str, int]) -> None:
    wishes = {"kind": "nhis", "persons": 5} | wish
    with pytest.raises(MadangError):
        synthesize(folder=tmp_path / "x", **wishes)  # type: ignore[arg-type] # wrong on purpose
    assert not list(tmp_path.iterdir())


def test_a_folder_that_exists_is_not_touched(tmp_path: Path) -> None:
    with pytest.raises(MadangError, match="exists"):
        synthesize("nhis", tmp_path, persons=5)


def test_stopping_half_way_leaves_nothing(tmp_path: Path) -> None:
    class Stopping(Progress):
        def moved(self, amount: int) -> None:
            self.cancel()

    with pytest.raises(Cancelled):
        synthesize("nhis", tmp_path / "x", persons=20, start_year=2010, end_year=2010, progress=Stopping())
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Rows) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Rows, "__len__", full)
    with pytest.raises(MadangError, match="No space left"):
        synthesize("nhis", tmp_path / "x", persons=20, start_year=2010, end_year=2010)
    assert not list(tmp_path.iterdir())


def test_layouts_say_where_each_column_comes_from() -> None:
    fields = {(table, column.field) for table, columns in layout(1).items() for column in columns}
    for table, columns in layout(2).items():
        for column in columns:
            assert (column.table, column.field) in fields, (table, column.name)
            assert column.checked in ("seen", "unverified")
    assert {"BNC", "BND", "M20", "M30", "M40", "M60", "G1E", "INST"} == layout(2).keys()
