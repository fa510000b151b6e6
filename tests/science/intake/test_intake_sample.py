"""`check_files` tries the first rows of one file of each source, so that a wrong declaration shows before a run."""

from pathlib import Path

import pytest

from madang.science.standardize.intake import check_files
from madang.science.standardize.pack import Column, Source


def check(folder: Path, *columns: Column, **more: object) -> list[str]:
    spec = Source("visits", ("v{part}.csv",), {c.name: c for c in columns}, **more)  # type: ignore[arg-type]  # keywords of Source
    return [f"{error.code} {error.message}" for error in check_files(folder, [spec])]


ID = Column("ID", "text", required=True, identifier="pseudonym")
HEAD = "ID,DAY,NOTE\n"


def test_right_declarations_have_no_problem_and_some_bad_values_are_none(tmp_path: Path) -> None:
    (tmp_path / "v1.csv").write_text(HEAD + "1,20200101,가\n2,none,나\n3,,\n4,20200102,\n")
    assert check(tmp_path, ID, Column("DAY", "date", format="%Y%m%d"), Column("NOTE", "text"), key=("ID",)) == []


@pytest.mark.parametrize("required", [True, False])
def test_a_wrong_format_is_told_with_its_column(tmp_path: Path, required: bool) -> None:
    (tmp_path / "v1.csv").write_text(HEAD)
    (tmp_path / "v2.csv").write_text(HEAD + "1,20200101,a\n" * 3_000)
    day = Column("DAY", "date", required=required, format="%d.%m.%Y")
    assert check(tmp_path, ID, day, Column("NOTE", "text")) == [
        "source.unreadable_column v2.csv: 1,000 of the first 1,000 values of DAY cannot be read as date %d.%m.%Y."
    ]


def test_a_wrong_encoding_is_told_with_its_column(tmp_path: Path) -> None:
    (tmp_path / "v1.csv").write_bytes((HEAD + "1,20200101,환자\n" * 5).encode("cp949"))
    (problem,) = check(tmp_path, ID, Column("DAY", "text"), Column("NOTE", "text"))
    assert problem == "source.unreadable_column v1.csv: 5 of the first 5 values of NOTE cannot be read as text."


def test_lines_that_fall_apart_are_told_once(tmp_path: Path) -> None:
    (tmp_path / "v1.csv").write_text(HEAD + "1,2\n" * 9 + "1,2,3\n")
    (problem,) = check(tmp_path, ID, Column("DAY", "text"), Column("NOTE", "text"))
    assert problem.startswith("source.unreadable_lines v1.csv: 9 of the first 10 lines cannot be read: ")


def test_a_file_with_nothing_but_a_header_has_no_problem(tmp_path: Path) -> None:
    (tmp_path / "v1.csv").write_text(HEAD)
    assert check(tmp_path, ID, Column("DAY", "date"), Column("NOTE", "text"), quoted_newlines=True) == []
