"""The profile and the rows of checks on Spark: equal to those of the first engine, number by number."""

import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from random import Random

import pytest
from test_quality_assess import version
from test_quality_profile import Made

import support
from lake.spark_cluster import Killing, standalone
from madang.base.errors import MadangError
from madang.lake import Lake
from madang.lake.engine import Engine
from madang.lake.spark import SparkEngine
from madang.lake.spark.engine import installed
from madang.science.omop import cdm
from madang.science.quality import default_checks
from madang.science.quality.profile import Profile, profile
from madang.science.quality.rows import find

TODAY = date(2026, 11, 23)
ROWS = (
    "isForeignKey",
    "measureValueCompleteness",
    "standardConceptRecordCompleteness",
)  # checks whose rows are compared


def _needed() -> None:
    """Skip aloud where Spark cannot run."""
    if not installed().exists() or shutil.which("java") is None:
        pytest.skip(f"{support.MISSING}Spark in an environment of its own, and Java 17: profiles are not compared")


@pytest.fixture(scope="module")
def spark() -> Iterator[SparkEngine]:
    """A session of two threads."""
    _needed()
    with SparkEngine(memory="1g", threads=2, master="local[2]") as engine:
        yield engine


@pytest.mark.parametrize("seed", [0, *(range(1, 12) if support.EVERYTHING else ())])
def test_a_profile_is_the_same_on_spark(seed: int, spark: SparkEngine, lake: Lake) -> None:
    """Models by chance, which together tell everything and keep everything back."""
    made = Made(lake, seed).version
    for minimum in (1, 3):
        here = profile(made, minimum=minimum, today=TODAY)
        assert profile(made, minimum=minimum, today=TODAY, second=spark) == here


def test_all_tables_and_the_version_before_are_the_same_on_spark(spark: SparkEngine, lake: Lake) -> None:
    """Numbers whose quantiles lie between two, texts in an order of their own, days long ago, and one of few people."""
    for many in (30, 60):
        version(lake, "d", **_tables(Random(many), many))
    made = lake.find("d")
    for minimum in (1, 5):
        here = profile(made, minimum=minimum, today=TODAY)
        assert here.before == 1 and len(here.tables) > 3 and here.values and here.people and here.observed
        assert profile(made, minimum=minimum, today=TODAY, second=spark) == here
    assert _told(here)


def test_rows_of_checks_are_the_same_on_spark(spark: SparkEngine, lake: Lake) -> None:
    made = version(lake, "d", **_tables(Random(1), 40))
    spark.attach(made)
    compared: dict[str, int] = {}
    for check in default_checks():
        if check.name in ROWS and compared.get(check.name, 0) < (99 if support.EVERYTHING else 2):
            try:
                here = find(made, check, today=TODAY)
            except MadangError:  # it asks for what this model has not
                continue
            if here.num_rows:
                there = find(made, check, today=TODAY, second=spark)
                assert there.column_names == here.column_names and there.to_pylist() == here.to_pylist(), check.id
                compared[check.name] = compared.get(check.name, 0) + 1
    assert set(compared) == set(ROWS)


def test_what_is_not_proved_equal_is_refused(spark: SparkEngine, lake: Lake) -> None:
    tables = _tables(Random(2), 30)
    tables["measurement"] = (
        f"SELECT * REPLACE (measurement_id::DECIMAL(20, 3) AS value_as_number) FROM ({tables['measurement']})"
    )
    with Engine() as engine, lake.dataset("x").write() as writer:
        for name in ("person", "measurement"):
            path = writer.new_file(name)
            engine.copy_to_parquet(tables[name], path)
            writer.add(name, path)
        made = writer.commit("import", {})
    with pytest.raises(MadangError) as caught:
        profile(made, today=TODAY, second=spark)
    assert caught.value.code == "profile.spark" and caught.value.hint
    check = next(each for each in default_checks() if each.name == "isRequired")
    with pytest.raises(MadangError) as caught:
        find(made, replace(check), cohort=1, second=spark)
    assert caught.value.code == "quality.spark"


@pytest.mark.big
@pytest.mark.skipif(not support.EVERYTHING, reason="only with --all: a cluster takes minutes to start")
def test_executors_killed_during_a_profile_change_nothing(lake: Lake, tmp_path: Path) -> None:
    _needed()
    made = version(lake, "d", **_tables(Random(5), 200))
    wanted = profile(made, minimum=1, today=TODAY)
    with standalone(tmp_path) as cluster, SparkEngine(memory="512m", threads=2, master=cluster.address) as engine:
        killing = Killing(cluster, 23)
        for _round in range(20):
            with killing.during():
                assert profile(made, minimum=1, today=TODAY, second=engine) == wanted
            if len(killing.killed) >= 3:
                break
    assert len(set(killing.killed)) == len(killing.killed) >= 3


@pytest.mark.big
@pytest.mark.skipif(not support.EVERYTHING, reason="only with --all: a session takes half a minute to start")
def test_a_driver_killed_during_a_profile_is_one_sentence(lake: Lake) -> None:
    _needed()
    made = version(lake, "d", **_tables(Random(5), 50))
    with SparkEngine(memory="512m", threads=1, master="local[1]") as engine:
        assert engine._process is not None
        threading.Timer(2, engine._process.kill).start()
        with pytest.raises(MadangError) as caught:
            for _again in range(1000):
                profile(made, today=TODAY, second=engine)
    assert caught.value.code == "spark.lost"
    assert made.dataset.versions() == [made.number]


def _told(found: Profile) -> bool:
    """Whether a profile has each of its parts."""
    return any(each.unmapped_values for each in found.tables) and any(each.periods for each in found.tables)


def _tables(chance: Random, many: int) -> dict[str, str]:
    """SELECTs of tables of a model of so many people."""
    seed = chance.randint(1, 1000)
    some = f"(hash(range * 7 + {seed}) % 1000)::BIGINT"
    records = {
        table: (day, concept, source)
        for table, (day, concept, source) in {
            "condition_occurrence": ("condition_start_date", "condition_concept_id", "condition_source_value"),
            "visit_occurrence": ("visit_start_date", "visit_concept_id", "visit_source_value"),
            "death": ("death_date", "cause_concept_id", "cause_source_value"),
        }.items()
        if table in cdm.TABLES
    }
    found = {
        table: f"""SELECT {"range AS " + table + "_id, " if table != "death" else ""} range % {many} + 1 AS person_id,
            CASE WHEN {some} % 9 = 0 THEN NULL WHEN {some} % 77 = 0 THEN DATE '1850-05-05'
            ELSE DATE '2010-01-31' + ({some} % 700)::INTEGER END AS {day},
            CASE {some} % 4 WHEN 0 THEN NULL WHEN 1 THEN 0 ELSE {some} % 30 END AS {concept},
            CASE {some} % 5 WHEN 0 THEN NULL WHEN 1 THEN 'Z' WHEN 2 THEN 'é' || {some} % 3 WHEN 3 THEN '가' ELSE 'a' END
            AS {source} FROM range({many * (1 if table == "death" else 12)})"""
        for table, (day, concept, source) in records.items()
    }
    return found | {
        "person": f"""SELECT range + 1 AS person_id, CASE {some} % 3 WHEN 0 THEN 8507 WHEN 1 THEN 8532 END AS
            gender_concept_id, 1900 + {some} % 130 AS year_of_birth FROM range({many})""",
        "observation_period": f"""SELECT range AS observation_period_id, range % {many} + 1 AS person_id,
            DATE '2000-01-01' + ({some} % 300)::INTEGER AS observation_period_start_date,
            TIMESTAMP '2001-02-03 04:05:06' + to_days(({some} * 4)::INTEGER) AS observation_period_end_date
            FROM range({many + 5})""",
        "measurement": f"""SELECT range AS measurement_id, range % {many} + 1 AS person_id, {some} % 3 AS
            measurement_concept_id, DATE '2020-01-01' + ({some} % 40)::INTEGER AS measurement_date,
            CASE {some} % 7 WHEN 0 THEN NULL WHEN 1 THEN 'inf'::DOUBLE WHEN 2 THEN 'nan'::DOUBLE
            ELSE ln({some} + 2) * 1e3 / 7 END AS value_as_number, CASE {some} % 2 WHEN 0 THEN 9 END AS unit_concept_id,
            'm' || {some} % 6 AS measurement_source_value FROM range({many * 20})""",
        "concept": "SELECT range AS concept_id, 'concept ' || range AS concept_name FROM range(1, 20)",
    }
