"""Where Spark cannot start: no Spark, no Java or an old one, a driver of another kind, a file that is gone."""

from pathlib import Path

import pyarrow as pa
import pytest
from lakes import commit, new_lake

from madang.base.errors import MadangError
from madang.lake.spark import SparkEngine
from madang.lake.spark.faults import not_started


def test_without_spark_or_without_java_one_sentence_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MadangError) as caught:
        SparkEngine(tmp_path / "python")
    assert caught.value.code == "spark.no_environment"
    assert "script/environment spark" in caught.value.hint
    (tmp_path / "python").touch()
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(MadangError) as caught:
        SparkEngine(tmp_path / "python")
    assert caught.value.code == "spark.no_java"
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "gone"))
    with pytest.raises(MadangError, match="gone") as caught:
        SparkEngine(tmp_path / "python")
    assert caught.value.code == "spark.no_java"


@pytest.mark.parametrize(
    ("said", "found"),
    [('openjdk version "11.0.24" 2024-07-16', 11), ('java version "1.8.0_401"', 8), ('openjdk version "9-Debian"', 9)],
)
def test_a_java_that_is_too_old_is_one_sentence(
    said: str, found: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "python").touch()
    _java(tmp_path, said)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(MadangError, match=f"is Java {found}") as caught:
        SparkEngine(tmp_path / "python")
    assert caught.value.code == "spark.java" and "openjdk-17" in caught.value.hint


def _java(home: Path, said: str = 'openjdk version "17.0.15" 2025-04-15') -> None:
    """A Java that only tells its version."""
    (home / "bin").mkdir()
    (home / "bin" / "java").write_text(f"#!/bin/sh\necho '{said}' >&2\n")
    (home / "bin" / "java").chmod(0o755)


@pytest.mark.parametrize(
    ("said", "code", "words"),
    [
        ('{"ok": "ready", "version": "3.5.1"}', "spark.other_version", "3.5.1"),
        ('{"error": "All masters are unresponsive", "condition": ""}', "spark.start", "unresponsive"),
        ('{"error": "exited", "condition": "JAVA_GATEWAY_EXITED"}', "spark.start", "Could not reserve enough space"),
        ("", "spark.start", "Could not reserve enough space"),
    ],
    ids=["a cluster of another version", "no cluster", "no memory", "no word at all"],
)
def test_a_driver_of_another_kind_is_one_sentence(
    said: str, code: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What starts says what a Spark of another version, or on a Java that is too old, says."""
    python = tmp_path / "python"
    printed = "echo 'Error: Could not reserve enough space for object heap' >&2; echo bye >&2"
    python.write_text(f"#!/bin/sh\n{printed}\n[ -z '{said}' ] || echo '{said}'\n")
    python.chmod(0o755)
    _java(tmp_path)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(MadangError) as caught, SparkEngine(python):
        pass
    assert caught.value.code == code and words in caught.value.message


def test_a_file_that_is_gone_is_named_before_spark_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version = commit(new_lake(tmp_path).dataset("gone"), {"t": pa.table({"n": [1]})})
    (tmp_path / "python").touch()
    _java(tmp_path)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    lost = version.tables["t"].paths[0]
    lost.unlink()
    with pytest.raises(MadangError) as caught:
        SparkEngine(tmp_path / "python").attach(version)
    assert caught.value.code == "spark.file"
    assert lost.name in str(caught.value)


def test_a_cluster_that_does_not_take_us_is_told_as_that() -> None:
    """As one of another version does, or where nothing answers."""
    for reason in ("Cannot call methods on a stopped SparkContext. This stopped", "All masters are unresponsive!"):
        told = not_started(reason, "spark://head:7077", "4.3")
        assert "spark://head:7077" in told.message and "4.3" in told.message and "SparkContext" not in told.message
    assert "no such thing" in not_started("no such thing", "local[2]", "4.3").message
