"""The checks on Spark: a model in which much is wrong is counted as by the questions on the first engine."""

import shutil
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from random import Random

import cdm_data
import pytest

import support
from madang.lake.engine import Engine
from madang.lake.spark import SparkEngine
from madang.lake.spark.engine import installed
from madang.science.quality import default_checks, questions
from madang.science.quality.columns import read_columns
from madang.science.quality.model import Check

TODAY = date(2026, 11, 1)


def _some(checks: Iterable[Check]) -> list[Check]:
    """A fixed tenth of the checks, with each kind of them; all with --all."""
    chosen: list[Check] = []
    kinds: set[str] = set()
    for number, check in enumerate(checks):
        if support.EVERYTHING or number % 10 == 0 or check.name not in kinds:
            chosen.append(check)
        kinds.add(check.name)
    return chosen


def test_a_model_with_faults_is_counted_alike_on_spark(tmp_path: Path) -> None:
    if not installed().exists() or shutil.which("java") is None:
        pytest.skip(f"{support.MISSING}Spark in an environment of its own, and Java 17: checks are not compared")
    checks = _some(default_checks(vocabulary=True))
    chance = next(chance for chance in map(Random, range(100)) if _usual(chance))
    files = cdm_data.write_wild_model(tmp_path, chance, checks)
    with Engine(threads=2) as engine:
        cdm_data.open_files(engine, files)
        here = questions.count(engine, checks, today=TODAY)
        columns = read_columns(engine)
    with SparkEngine(memory="2g", threads=2, master="local[2]") as spark:
        spark.open({name: [str(path) for path in paths] for name, paths in files.items()})
        there = questions.count_by(spark, columns, checks, today=TODAY)
    assert {name: (there.get(name), count) for name, count in here.items() if there.get(name) != count} == {}
    assert any(count.violated for count in here.values())


def _usual(chance: Random) -> bool:
    """Whether this chance makes a model of all tables and columns; it is left as it was found."""
    state = chance.getstate()
    found = chance.random() < 0.5
    chance.setstate(state)
    return found
