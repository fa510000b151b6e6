"""The checks on Spark: a model in which much is wrong is counted as by the questions on the first engine."""

import shutil
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from random import Random

import cdm_data
import pytest
from test_quality_assess import PERSONS, VISITS, version

import support
from madang.base.errors import MadangError
from madang.lake import Lake
from madang.lake.engine import Engine
from madang.lake.spark import SparkEngine
from madang.lake.spark.engine import installed
from madang.science.quality import assess_all, default_checks, questions
from madang.science.quality.columns import read_columns
from madang.science.quality.document import report_document
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


def test_models_with_faults_are_counted_alike_on_spark(tmp_path: Path) -> None:
    """One of all tables and columns, and one of another kind: columns missing or of other types, texts where numbers
    should be, numbers with halves; four of these with --all."""
    if not installed().exists() or shutil.which("java") is None:
        pytest.skip(f"{support.MISSING}Spark in an environment of its own, and Java 17: checks are not compared")
    checks = _some(default_checks(vocabulary=True))
    chances = [Random(seed) for seed in range(100)]
    usual = [chance for chance in chances if _usual(chance)][:1]
    unusual = [chance for chance in chances if not _usual(chance)][: 4 if support.EVERYTHING else 1]
    violated = []
    with SparkEngine(memory="2g", threads=2, master="local[2]") as spark:
        for number, chance in enumerate([*usual, *unusual]):
            folder = tmp_path / str(number)
            folder.mkdir()
            files = cdm_data.write_wild_model(folder, chance, checks)
            with Engine(threads=2) as engine:
                cdm_data.open_files(engine, files)
                here = questions.count(engine, checks, today=TODAY)
                columns = read_columns(engine)
            spark.open({name: [str(path) for path in paths] for name, paths in files.items()})
            there = questions.count_by(spark, columns, checks, today=TODAY)
            spark.drop(files)  # the next one may have fewer tables
            assert {name: (there.get(name), count) for name, count in here.items() if there.get(name) != count} == {}
            violated.append(any(count.violated for count in here.values()))
    assert all(violated)


def test_a_report_is_the_same_but_for_when_and_how_long(tmp_path: Path) -> None:
    """The document that certificates bind to, of a small model in which some checks fail and some cannot be asked."""
    if not installed().exists() or shutil.which("java") is None:
        pytest.skip(f"{support.MISSING}Spark in an environment of its own, and Java 17: reports are not compared")
    made = version(Lake(tmp_path / "lake", tmp_path / "restricted"), "d", person=PERSONS, visit_occurrence=VISITS)
    with SparkEngine(memory="1g", threads=2, master="local[2]") as spark:
        spark.attach(made)
        documents = [
            report_document(assess_all(made, cohorts=[], checks=_some(default_checks()), second=second)[0])
            for second in (None, spark)
        ]
    for each in documents:
        each.pop("seconds"), each.pop("started")
    assert documents[1] == documents[0]
    assert all(documents[0]["totals"][status] for status in ("passed", "failed", "not applicable"))


def test_why_nothing_was_counted_is_told_as_what_it_is() -> None:
    """What a value of the data says is not repeated, because reports hold none; a failure of Spark is no value."""
    checks = [check for check in default_checks() if check.name == "isRequired"][:3]
    codes = ("spark.value", "spark.failed", "")

    class Failing:
        def counts(self, questions: Mapping[str, str], told: object = None) -> dict[str, int | MadangError | None]:
            of = dict(zip((check.id for check in checks), codes, strict=True))
            wrong = {name: MadangError(code, f"{code} of 900101") for name, code in of.items() if code}
            return {name: wrong.get(name.partition("|")[0], 1) for name in questions}

        def cancel(self) -> None:
            pass

    columns = {check.table: {c.field: "BIGINT" for c in checks if c.table == check.table} for check in checks}
    found = questions.count_by(Failing(), columns, checks, today=TODAY)
    assert [found[check.id].violated for check in checks] == [None, None, 1]
    assert "900101" not in found[checks[0].id].error and "converted" in found[checks[0].id].error
    assert "spark.failed of 900101" in found[checks[1].id].error


def _usual(chance: Random) -> bool:
    """Whether this chance makes a model of all tables and columns; it is left as it was found."""
    state = chance.getstate()
    found = chance.random() < 0.5
    chance.setstate(state)
    return found
