"""The planner counts what the plain questions count, whatever the tables are like."""

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import cdm_data
import twin
from hypothesis import example, given, settings
from hypothesis import strategies as st

from madang.lake.engine import Engine
from madang.science.quality import cohorts, plan, questions
from madang.science.quality.checks import KINDS, default_checks
from madang.science.quality.columns import read_columns
from madang.science.quality.model import Check

TODAY = date(2026, 11, 23)


def some(checks: Iterable[Check], chance: Random, each: int = 4) -> list[Check]:
    """A few checks of every kind: the plain questions take long to be asked all, but for those that read no rows."""
    by_kind: dict[str, list[Check]] = {}
    for check in checks:
        by_kind.setdefault(check.name, []).append(check)
    few = {name: len(kind) if name in ("cdmTable", "cdmField") else each for name, kind in by_kind.items()}
    return [check for name, kind in by_kind.items() for check in chance.sample(kind, min(len(kind), few[name]))]


def test_the_planner_agrees_with_the_plain_questions_and_every_kind_of_check_fires_and_is_silent() -> None:
    fired: set[str] = set()
    silent: set[str] = set()

    @settings(max_examples=max(4, settings().max_examples // 5))
    @example(32, False)  # these together make every kind of check fire and be silent
    @example(11, False)
    @example(3, False)
    @example(39, False)
    @given(seed=st.integers(0, 2**32), compatible=st.booleans())
    def agree(seed: int, compatible: bool) -> None:
        chance = Random(seed)
        checks = some(default_checks(vocabulary=True, compatible=compatible), chance)
        with TemporaryDirectory() as folder, Engine(threads=1) as engine:
            files = cdm_data.write_wild_model(Path(folder), chance, checks)
            cdm_data.open_files(engine, files)
            slow = twin.count(engine, checks, today=TODAY, compatible=compatible)
            fast = plan.count(engine, files, checks, today=TODAY, compatible=compatible, threads=1)
        assert {check: (fast.get(check), count) for check, count in slow.items() if fast.get(check) != count} == {}
        assert fast.keys() == slow.keys()
        for check in checks:
            count = slow.get(check.id)
            if count is not None and count.violated is not None:
                (fired if count.violated else silent).add(check.name)

    agree()
    assert fired == set(KINDS)
    assert silent == set(KINDS)


@settings(max_examples=max(3, settings().max_examples // 10))
@given(seed=st.integers(0, 2**32))
def test_cohorts_in_one_pass_are_counted_as_each_by_itself(seed: int) -> None:
    chance = Random(seed)
    checks = some(default_checks(vocabulary=True), chance, each=2)
    with TemporaryDirectory() as folder, Engine(threads=1) as engine:
        files = cdm_data.write_wild_model(Path(folder), chance, checks)
        files.pop("cohort", None)
        cdm_data.open_files(engine, files)
        persons = [chance.randint(-1, 12) for _ in range(8)]
        listed = ", ".join(f"({chance.choice((7, 8))}, {person})" for person in [*persons, persons[0]])
        engine.execute(f"CREATE TABLE cohort AS FROM (VALUES {listed}) t(cohort_definition_id, subject_id)")
        whole = plan.count(engine, files, checks, today=TODAY, threads=1)
        columns = read_columns(engine)
        for cohort in cohorts.narrow(engine, columns, cohorts.numbers(engine, columns), Path(folder) / "cohorts"):
            fast = plan.count(engine, files, checks, today=TODAY, threads=1, cohort=cohort, whole=whole)
            slow = questions.count(engine, checks, today=TODAY, cohort=cohort.number)
            assert {check: (fast.get(check), count) for check, count in slow.items() if fast.get(check) != count} == {}


def test_a_table_without_files_is_asked_through_the_engine() -> None:
    checks = [check for check in default_checks() if check.table == "person"]
    with Engine() as engine:
        engine.execute("CREATE TABLE person AS SELECT 1::BIGINT AS person_id, 0::BIGINT AS gender_concept_id")
        assert plan.count(engine, {}, checks, today=TODAY) == twin.count(engine, checks, today=TODAY)
