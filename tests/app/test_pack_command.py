"""`madang pack check` as a person runs it."""

import shutil
from pathlib import Path

import pytest

from madang.app import cli
from madang.science.standardize.pack import SHIPPED


def test_check_looks_the_targets_of_maps_up_in_the_vocabulary_that_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MADANG_LANG", "en")
    monkeypatch.setenv("MADANG_HOME", str(tmp_path / "home"))
    pack = tmp_path / "ours"
    shutil.copytree(SHIPPED / "hospital-example", pack, ignore=shutil.ignore_patterns("cases"))
    assert cli.run(["pack", "check", str(pack), "--vocabulary", "starter"]) == 0
    units = pack / "maps/unit.csv"
    header, first, *rest = units.read_text().splitlines()
    at = header.split(",").index("target_concept_id")
    broken = first.split(",")
    broken[at] = "77"
    units.write_text("\n".join([header, ",".join(broken), *rest]) + "\n")
    capsys.readouterr()
    assert cli.run(["pack", "check", str(pack)]) == 0
    assert cli.run(["pack", "check", str(pack), "--vocabulary", "starter"]) == 2
    assert "maps/unit.csv:2: The target 77 is not in the vocabulary" in capsys.readouterr().out.replace("\n", " ")
