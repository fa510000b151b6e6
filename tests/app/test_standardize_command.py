"""What `madang standardize` says of arguments that lead nowhere."""

from pathlib import Path

import pytest

from madang.app import cli


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ("athena.zip", "There is no file or folder athena.zip."),
        ("downloads/athena", "There is no file or folder downloads/athena."),
        ("./athena", "There is no file or folder ./athena."),
        ("athena", "There is no dataset 'athena'."),
    ],
)
def test_a_vocabulary_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], named: str, words: str
) -> None:
    monkeypatch.setenv("MADANG_LANG", "en")
    monkeypatch.setenv("MADANG_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    given = ["--pack", "nhis-nsc", "--source", str(tmp_path), "--into", "ours", "--vocabulary", named]
    assert cli.run(["standardize", *given]) == 2
    assert words in capsys.readouterr().err
