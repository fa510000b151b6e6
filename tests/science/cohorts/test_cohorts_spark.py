"""Cohorts on Spark: the same members, persons by rule and entries as on the first engine."""

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

import support
from madang.base.errors import MadangError
from madang.base.progress import Silent
from madang.lake import Version
from madang.lake.spark import SparkEngine
from madang.lake.spark.engine import installed
from madang.science.cohorts import load, of_document, opened
from madang.science.cohorts.definition import Definition
from madang.science.cohorts.form import Form, build
from madang.science.cohorts.members import counted, generate
from madang.science.cohorts.on_spark import opened_on_spark
from madang.science.cohorts.opened import Laid
from science.cohorts.cohort_data import expression, make_version
from science.cohorts.test_cohorts_circe import _cases, _library, _set, _tables, synthea
from science.cohorts.test_cohorts_form import BOOK, VOCABULARY, data, forms

__all__ = ["synthea"]  # a fixture


@pytest.fixture(scope="module")
def spark() -> Iterator[SparkEngine]:
    """A session of two threads."""
    if not installed().exists() or shutil.which("java") is None:
        pytest.skip(f"{support.MISSING}Spark in an environment of its own, and Java 17: cohorts are not compared")
    with SparkEngine(memory="1g", threads=2, master="local[2]") as engine:
        yield engine


def _compare(here: Laid, there: Laid, definition: Definition, number: int = 1) -> int:
    """Generate on both, with the persons by rule; the same, member by member. How many there are."""
    ours, theirs = (generate(each, definition, number, statistics=True) for each in (here, there))
    assert (theirs.persons, theirs.entries, theirs.masks) == (ours.persons, ours.entries, ours.masks)
    members = f"""SELECT subject_id, cohort_start_date, cohort_end_date FROM results.cohort
        WHERE cohort_definition_id = {number} ORDER BY subject_id, cohort_start_date, cohort_end_date"""
    for statistic in ("cohort_inclusion_stats", "cohort_summary_stats", "cohort_inclusion_result"):
        rows = [
            sorted(each.asking.rows(f"SELECT * FROM results.{statistic} WHERE cohort_definition_id = {number}"))
            for each in (here, there)
        ]
        assert rows[0] == rows[1], statistic
    assert there.asking.rows(members) == here.asking.rows(members)
    there.tidy(members=True)
    return ours.entries


def _called(case: Mapping[str, Any] | None) -> str:
    return case["case"] if case else "none"


@pytest.mark.parametrize("case", support.sampled(_cases("cohort_cases.json"), 8), ids=_called)
def test_circes_own_cohorts_are_the_same_on_spark(case: Mapping[str, Any], spark: SparkEngine, tmp_path: Path) -> None:
    data_ = support.shared_data("circe_be")
    folder = data_ / "cohortgeneration" / case["dir"]
    version = make_version(tmp_path, _tables(data_ / "datasets" / "vocabulary.json", folder / case["prep"]))
    document = json.loads((folder / case["expression"]).read_text())
    with opened(version) as here, opened_on_spark(spark, version) as there:
        for number, patch in case["runs"]:
            for path, value in patch.items():
                _set(document, path, value)
            if number != "must be refused":
                _compare(here, there, of_document(document), number)


def test_phenotypes_have_the_same_members_on_spark(synthea: Version, spark: SparkEngine) -> None:
    folder = support.shared_data("phenotype_library")
    with opened(synthea) as here, opened_on_spark(spark, synthea) as there:
        names = ["976", *support.sampled(_library(), 60)]
        assert sum(_compare(here, there, load(folder / f"{name}.json").definition) for name in names)


def test_generated_forms_have_the_same_members_on_spark(spark: SparkEngine) -> None:
    @settings(max_examples=40 if support.EVERYTHING else 2, deadline=None)
    @given(form=forms(), tables=data())
    def look(form: Form, tables: dict[str, list[dict[str, Any]]]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            version = make_version(Path(folder), {**VOCABULARY, **tables})
            with opened(version) as here, opened_on_spark(spark, version) as there:
                _compare(here, there, build(form, BOOK))

    look()


def test_one_that_cannot_run_does_not_stop_the_next(spark: SparkEngine, tmp_path: Path) -> None:
    version = make_version(tmp_path, VOCABULARY)  # no records: the tables that are asked for are not there
    definitions = [of_document(expression()), of_document(expression(PrimaryCriteria={"CriteriaList": []}))]
    with opened(version) as here, opened_on_spark(spark, version) as there:
        ours, theirs = (list(counted(each, definitions, Silent())) for each in (here, there))
    assert [str(each.error) for each in theirs] == [str(each.error) for each in ours]
    assert isinstance(theirs[0].error, MadangError)
