"""`madang trace` as a person uses it."""

import re
import shutil
from pathlib import Path

import pytest

from madang.app import cli

PACK = """
name = "ward"
version = "1"
license = "CC0-1.0"
title = { en = "A ward" }
[cdm_source]
cdm_source_name = "A ward (synthetic)"
[sources.people]
files = ["people.csv"]
key = ["PT"]
[sources.people.columns]
PT = { type = "text", required = true, identifier = "pseudonym" }
NAME = { type = "text", identifier = "direct" }
SEX = { type = "text" }
[entities.person]
key = ["PT"]
"""
PERSON = """
select PT, case SEX when 'M' then 8507 else 8532 end as gender_concept_id, 1950 as year_of_birth,
    38003585 as race_concept_id, 0 as ethnicity_concept_id, PT as person_source_value
from people
"""
LINES = "PT,NAME,SEX\nPT-77,Kim Minji,F\nPT-78,Lee\x1b[2J,M\n"


@pytest.fixture
def trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> "Trace":
    monkeypatch.setenv("MADANG_LANG", "en")
    monkeypatch.setenv("MADANG_HOME", str(tmp_path / "home"))
    (tmp_path / "pack/entities").mkdir(parents=True)
    (tmp_path / "pack/pack.toml").write_text(PACK)
    (tmp_path / "pack/entities/person.sql").write_text(PERSON)
    (tmp_path / "in").mkdir()
    (tmp_path / "in/people.csv").write_text(LINES)
    pack, folder = str(tmp_path / "pack"), str(tmp_path / "in")
    assert cli.run(["standardize", "--pack", pack, "--source", folder, "--into", "ward"]) == 0
    return Trace(capsys)


class Trace:
    """Runs `madang trace ward ...`."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def __call__(self, *arguments: str, status: int = 0) -> str:
        """What it prints, on one line."""
        self.capsys.readouterr()
        assert cli.run(["trace", "ward", *arguments]) == status
        captured = self.capsys.readouterr()
        return " ".join((captured.out + captured.err).split())

    def person(self) -> str:
        """The identifier that the second line of the file got."""
        found = re.search(r"person:(\d+)", self("people.csv:2"))
        assert found
        return found[1]


def test_names_are_shown_only_on_request(trace: Trace) -> None:
    for what in (trace.person(), f"person:{trace.person()}", "people.csv:2"):
        shown = trace(what)
        assert "***,***,F" in shown
        assert "--show-identifiers" in shown
        assert "Kim" not in shown
        assert "PT-77" not in shown
        assert "PT-77,Kim Minji,F" in trace(what, "--show-identifiers")
    assert "\x1b" not in trace("people.csv:3", "--show-identifiers")


def test_a_file_that_is_not_the_one_taken_in_shows_no_line(trace: Trace, tmp_path: Path) -> None:
    path = tmp_path / "in/people.csv"
    path.write_text(LINES.replace("Kim", "Cho"))
    changed = trace("people.csv:2", "--show-identifiers")
    assert "the file has changed since it was taken in" in changed
    assert "Minji" not in changed
    path.unlink()
    assert "the file is not there any more" in trace("people.csv:2")
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/people.csv").write_text(LINES)
    assert "***,***,F" in trace("people.csv:2", "--source", str(tmp_path / "kept"))
    shutil.rmtree(tmp_path / "in")
    assert "the file is not there any more" in trace("people.csv:2")


def test_what_is_not_there_is_one_sentence(trace: Trace) -> None:
    assert 'Did you mean "people.csv"?' in trace("peple.csv:1", status=2)
    assert "there is no line 9" in trace("people.csv:9", status=2)
    assert "has no table 'people'" in trace("people:9", status=2)
