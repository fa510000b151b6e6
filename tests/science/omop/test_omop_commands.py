"""`madang vocabulary` and `madang export` as a person uses them."""

from pathlib import Path

import pytest
import typer
from test_omop_vocabulary import HEADS, write
from typer.testing import CliRunner

from madang.app.commands import export as export_command
from madang.app.commands import vocabulary as vocabulary_command
from madang.app.commands.standardize import STARTER_DATASET
from madang.base.errors import MadangError
from madang.lake import Engine
from madang.node.home import Home

EXPORT = typer.Typer()
EXPORT.command("export")(export_command.command)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("MADANG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MADANG_LANG", "en")
    for table in HEADS:
        write(tmp_path / "download", table)
    return Home.find()


def run(app: typer.Typer, *arguments: str) -> str:
    """What a command prints; its errors are raised."""
    result = CliRunner().invoke(app, arguments, catch_exceptions=False, standalone_mode=False)
    if result.exception:
        raise result.exception
    return " ".join(result.stdout.split())


def test_the_only_vocabulary_need_not_be_named(home: Home, tmp_path: Path) -> None:
    with pytest.raises(MadangError) as none:
        run(vocabulary_command.app, "show")
    run(vocabulary_command.app, "load", str(tmp_path / "download"), "--name", "ours")
    run(vocabulary_command.app, "load", str(tmp_path / "download"), "--name", STARTER_DATASET)
    assert "ours@1" in run(vocabulary_command.app, "show")
    run(vocabulary_command.app, "load", str(tmp_path / "download"), "--name", "theirs")
    with pytest.raises(MadangError) as several:
        run(vocabulary_command.app, "find", "E11")
    assert none.value.code == several.value.code == "vocabulary.which"
    assert "theirs@1" in run(vocabulary_command.app, "show", "--vocabulary", "theirs")


def test_load_show_find_and_diff(home: Home, tmp_path: Path) -> None:
    loaded = run(vocabulary_command.app, "load", str(tmp_path / "download"))
    assert "vocabulary@1: release v5.0 01-JAN-26" in loaded
    shown = run(vocabulary_command.app, "show")
    assert "SNOMED 2 2" in shown
    assert "KCD7 1 0" in shown
    assert "2 Sugar sickness, second kind" in run(vocabulary_command.app, "find", "E11")
    assert run(vocabulary_command.app, "find", "sugar").count("Sugar sickness") == 2
    assert 'So-called "type 2", 2형' in run(vocabulary_command.app, "find", "3")
    with pytest.raises(MadangError, match="No concept has"):
        run(vocabulary_command.app, "find", "99")
    path = tmp_path / "download" / "CONCEPT.csv"
    text = path.read_text(encoding="utf-8").replace("second kind\tCondition", "second kind\tDrug")
    path.write_text(text, encoding="utf-8")
    assert "vocabulary@2" in run(vocabulary_command.app, "load", str(tmp_path / "download"))
    changed = run(vocabulary_command.app, "diff", "vocabulary@1", "vocabulary@2")
    assert "moved domain SNOMED 1" in changed
    assert "SNOMED 101 2 Sugar sickness, second kind Condition Drug" in changed
    assert "Nothing changed." in run(vocabulary_command.app, "diff", "vocabulary@1", "vocabulary@1")


def test_export_brings_the_vocabulary_that_the_dataset_was_mapped_with(home: Home, tmp_path: Path) -> None:
    from madang.science.omop.release import fingerprint

    run(vocabulary_command.app, "load", str(tmp_path / "download"))
    mapped_with = fingerprint(home.lake().find("vocabulary"))
    with home.lake().dataset("people").write() as writer, Engine() as engine:
        path = writer.new_file("person")
        engine.copy_to_parquet("SELECT 1::BIGINT AS person_id", path)
        writer.add("person", path)
        writer.commit(kind="standardize", info={"vocabulary": {"sha256": mapped_with}})
    said = run(EXPORT, "people", "--to", str(tmp_path / "out"), "--as", "csv")
    assert "person 1" in said
    assert "concept 4" in said
    assert (tmp_path / "out" / "concept.csv").read_text(encoding="utf-8").count("\n") == 5
    with pytest.raises(MadangError, match="is not empty"):
        run(EXPORT, "people", "--to", str(tmp_path / "out"), "--as", "csv")
    with pytest.raises(MadangError, match="There is no dataset"):
        run(EXPORT, "nobody", "--to", str(tmp_path / "other"))
    assert not (tmp_path / "other").exists()
