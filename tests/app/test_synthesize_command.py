"""`madang synthesize` as a person runs it."""

from pathlib import Path

import pytest

from madang.app import cli

ARGUMENTS = ["--persons", "20", "--start-year", "2010", "--end-year", "2010", "--workers", "1"]


def test_says_that_the_data_are_synthetic_and_never_overwrites(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MADANG_LANG", "en")
    folder = tmp_path / "insurer"
    assert cli.run(["synthesize", "nhis", str(folder), *ARGUMENTS]) == 0
    assert "of synthetic data" in capsys.readouterr().out
    assert "synthetic" in (folder / "SYNTHETIC.txt").read_text()
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert cli.run(["synthesize", "nhis", str(folder), *ARGUMENTS]) == 2
    assert capsys.readouterr().err.startswith(f"madang: {folder} exists.")
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
