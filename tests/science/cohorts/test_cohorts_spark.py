"""Cohorts on Spark: the same members, persons by rule and entries as on the first engine."""

import json
import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

import support
from lake.spark_cluster import Killing, standalone
from madang.base.errors import MadangError
from madang.base.progress import Silent
from madang.lake import Version
from madang.lake.spark import SparkEngine
from madang.lake.spark.engine import installed
from madang.science.cohorts import load, of_document, opened
from madang.science.cohorts.definition import Definition
from madang.science.cohorts.describe import describe_laid, describe_opened
from madang.science.cohorts.form import Form, build
from madang.science.cohorts.members import counted, generate, members_laid
from madang.science.cohorts.members import rows as member_rows
from madang.science.cohorts.on_spark import opened_on_spark
from madang.science.cohorts.opened import Laid
from madang.science.cohorts.overlap import overlap_laid
from science.cohorts.cohort_data import expression, make_version
from science.cohorts.test_cohorts_circe import _cases, _library, _set, _tables, synthea
from science.cohorts.test_cohorts_form import BOOK, VOCABULARY, data, forms

__all__ = ["synthea"]  # a fixture


KILLS = 3  # of executors


def _needed() -> None:
    """Skip aloud where Spark cannot run."""
    if not installed().exists() or shutil.which("java") is None:
        pytest.skip(f"{support.MISSING}Spark in an environment of its own, and Java 17: cohorts are not compared")


@pytest.fixture(scope="module")
def spark() -> Iterator[SparkEngine]:
    """A session of two threads."""
    _needed()
    with SparkEngine(memory="1g", threads=2, master="local[2]") as engine:
        yield engine


def _compare(here: Laid, there: Laid, definition: Definition, number: int = 1, *, described: bool = False) -> int:
    """Generate on both, with the persons by rule, and describe; the same, member by member. How many there are."""
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
    assert member_rows(there, number).to_pylist() == member_rows(here, number).to_pylist()
    if described:
        assert describe_opened(there, theirs, cohort=number) == describe_opened(here, ours, cohort=number)
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
        # A number each: statistics of a definition without rules leave those of an earlier one of its number.
        assert sum(
            _compare(here, there, load(folder / f"{name}.json").definition, n) for n, name in enumerate(names, 1)
        )


def test_generated_forms_have_the_same_members_on_spark(spark: SparkEngine) -> None:
    @settings(max_examples=40 if support.EVERYTHING else 2, deadline=None)
    @given(form=forms(), tables=data())
    def look(form: Form, tables: dict[str, list[dict[str, Any]]]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            version = make_version(Path(folder), {**VOCABULARY, **tables})
            with opened(version) as here, opened_on_spark(spark, version) as there:
                _compare(here, there, build(form, BOOK), described=True)

    look()


def test_one_that_cannot_run_does_not_stop_the_next(spark: SparkEngine, tmp_path: Path) -> None:
    version = make_version(tmp_path, VOCABULARY)  # no records: the tables that are asked for are not there
    definitions = [of_document(expression()), of_document(expression(PrimaryCriteria={"CriteriaList": []}))]
    with opened(version) as here, opened_on_spark(spark, version) as there:
        ours, theirs = (list(counted(each, definitions, Silent())) for each in (here, there))
    assert [str(each.error) for each in theirs] == [str(each.error) for each in ours]
    assert isinstance(theirs[0].error, MadangError)


def test_descriptions_members_and_overlap_are_the_same_on_spark(synthea: Version, spark: SparkEngine) -> None:
    """With counts that are kept back and without; twice, so that nothing of the first is left."""
    folder = support.shared_data("phenotype_library")
    definitions = [load(folder / f"{name}.json").definition for name in ("976", "1007", "1150", "11")]
    with opened(synthea) as here, opened_on_spark(spark, synthea) as there:
        for minimum in (1, 2):
            tables = [overlap_laid(each, definitions, minimum=minimum) for each in (here, there)]
            assert tables[0] == tables[1]
            here.asking.execute("DELETE FROM results.cohort")
            described = [describe_laid(each, definitions[0], minimum=minimum).document() for each in (here, there)]
            assert described[0] == described[1]
            here.asking.execute("DELETE FROM results.cohort")
            there.tidy(members=True)
        assert sum(1 for number in tables[0][0] if number) and described[0]["features"]
        found = [members_laid(each, definitions[2]) for each in (here, there)]
        assert found[0].num_rows and found[1].to_pylist() == found[0].to_pylist()
        assert found[1].schema.types == found[0].schema.types


@pytest.mark.parametrize("code", ["spark.lost", "spark.stopped", "cancelled"])
def test_what_ends_the_engine_ends_the_count(code: str, tmp_path: Path) -> None:
    """It is not told of each definition that follows, as if that were at fault."""

    class Gone:
        def execute(self, sql: str) -> None:
            raise MadangError(code, "It is gone.")

    tables: dict[str, list[dict[str, Any]]] = {
        table: [] for table in ("condition_occurrence", "observation_period", "person")
    }
    with opened(make_version(tmp_path, VOCABULARY | tables)) as here:
        gone = Over(here, Gone())
        with pytest.raises(MadangError) as caught:
            list(counted(gone, [of_document(expression())] * 2, Silent()))
    assert caught.value.code == code


class Over(Laid):
    """What is laid open, on another engine."""

    def __init__(self, found: Laid, other: Any) -> None:
        vars(self).update(vars(found), other=other)

    @property
    def asking(self) -> Any:
        return vars(self)["other"]

    def tidy(self, *, members: bool = False) -> None:
        pass


@pytest.mark.big
@pytest.mark.skipif(not support.EVERYTHING, reason="only with --all: a cluster takes minutes to start")
def test_executors_killed_during_a_cohort_change_nothing(synthea: Version, tmp_path: Path) -> None:
    """Rows that Spark kept on the way are lost with them, and come again."""
    _needed()
    folder = support.shared_data("phenotype_library")
    definition = load(folder / "976.json").definition
    with opened(synthea) as here:
        wanted = describe_laid(here, definition, minimum=1)
        members = member_rows(here).to_pylist()
    with standalone(tmp_path) as cluster, SparkEngine(memory="512m", threads=2, master=cluster.address) as spark:
        killing = Killing(cluster, 23)
        with opened_on_spark(spark, synthea) as there:
            for _round in range(20):
                with killing.during():
                    assert describe_laid(there, definition, minimum=1) == wanted
                    assert member_rows(there).to_pylist() == members
                    there.tidy(members=True)
                if len(killing.killed) >= KILLS:
                    break
    assert len(set(killing.killed)) == len(killing.killed) >= KILLS


@pytest.mark.big
@pytest.mark.skipif(not support.EVERYTHING, reason="only with --all: a session takes half a minute to start")
def test_a_driver_killed_during_a_cohort_is_one_sentence(synthea: Version) -> None:
    _needed()
    definition = load(support.shared_data("phenotype_library") / "976.json").definition
    before = {path: path.stat().st_mtime_ns for table in synthea.tables.values() for path in table.paths}
    with (
        SparkEngine(memory="512m", threads=1, master="local[1]") as spark,
        opened_on_spark(spark, synthea) as there,
        pytest.raises(MadangError) as caught,
    ):
        assert spark._process is not None
        threading.Timer(2, spark._process.kill).start()
        for _again in range(1000):
            list(counted(there, [definition] * 2, Silent()))
    assert caught.value.code == "spark.lost"
    assert before == {path: path.stat().st_mtime_ns for path in before}
