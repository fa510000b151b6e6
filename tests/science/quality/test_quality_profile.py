"""A profile says what obvious questions would say, and nothing about too few people, not even by subtraction."""

from collections import Counter
from collections.abc import Iterable
from datetime import date
from itertools import pairwise
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from test_quality_assess import version

from madang.base.errors import MadangError
from madang.base.translate import speaking
from madang.lake import Lake, Version
from madang.lake.engine import Engine, quote_text
from madang.science.quality.profile import Profile, document, page, profile

TODAY = date(2026, 11, 23)
MINIMUM = 3
Row = tuple[Any, ...]


def values(rows: Iterable[Row]) -> str:
    return "(VALUES " + ", ".join(f"({', '.join(map(sql, row))})" for row in rows) + ")"


def sql(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, date):
        return f"DATE '{value}'"
    if isinstance(value, str):
        return quote_text(value)
    return str(value) if not isinstance(value, float) else f"'{value}'::DOUBLE"


class Made:
    """A small model by chance, as rows in memory and as a version."""

    def __init__(self, lake: Lake, seed: int) -> None:
        chance = Random(seed)
        many = chance.choice([4, 12, 30])
        years = [1940, 1960, 1990, 1991, None if seed % 3 else 1992]
        self.persons = [(n, chance.choice([8507, 8507, 8532, 0]), chance.choice(years)) for n in range(1, many + 1)]
        self.observed = [
            (n, date(2000 + chance.randint(0, 9), 1, 1), date(2010 + chance.randint(0, 9), 1, 1))
            for n, _sex, _year in self.persons
            if chance.random() < 0.9
        ]
        days = [date(1850, 1, 1), date(2019, 12, 31), date(2020, 1, 1), date(2020, 3, 1), date(2021, 1, 1), None]
        days = days[chance.randint(0, 1) :] if chance.random() < 0.5 else days[1:-1]
        self.measured = [
            (
                number,
                chance.randint(1, many),
                chance.choice([0, 0, 1, 2, 3, 3, 3]),
                chance.choice(days),
                chance.choice([None, 1.0, 2.5, 80.0, float("inf"), float("nan")]),
                chance.choice([None, 0, 9, 9, 8]),
                chance.choice(["a", "b", "<b>\u202e", None]),
            )
            for number in range(chance.choice([0, 20, 80]))
        ]
        tables = {
            "person": f"SELECT * FROM {values(self.persons)} t(person_id, gender_concept_id, year_of_birth)",
            "concept": f"SELECT * FROM {values([(1, 'one'), (9, 'unit')])} t(concept_id, concept_name)",
        }
        if self.observed:
            names = "person_id, observation_period_start_date, observation_period_end_date"
            tables["observation_period"] = f"SELECT * FROM {values(self.observed)} t({names})"
        if self.measured:
            names = (
                "measurement_id, person_id, measurement_concept_id, measurement_date, value_as_number, "
                "unit_concept_id, measurement_source_value"
            )
            tables["measurement"] = f"SELECT * FROM {values(self.measured)} t({names})"
        self.version: Version = version(lake, "p", **tables)


def whose(rows: Iterable[Row]) -> int:
    return len({row[1] for row in rows})


def enough(persons: int) -> bool:
    return persons == 0 or persons >= MINIMUM


def month(day: date | None) -> str:
    assert day is not None
    return "1900-01" if day.year < 1900 else f"{day.year}-{day.month:02}"


def test_every_number_is_right_and_none_is_about_too_few_people() -> None:
    told: set[str] = set()
    kept: set[str] = set()

    @settings(max_examples=max(10, settings().max_examples // 4))
    @example(0)  # these together tell everything once and keep everything back once
    @example(2)
    @example(23)
    @given(seed=st.integers(0, 2**32))
    def check(seed: int) -> None:
        with TemporaryDirectory() as folder:
            made = Made(Lake(Path(folder) / "lake", Path(folder) / "restricted"), seed)
            found = profile(made.version, minimum=MINIMUM, today=TODAY)
        assert found.persons == (len(made.persons) if len(made.persons) >= MINIMUM else None)
        check_people(found, made)
        check_measurements(found, made)
        records = next((each for each in found.tables if each.table == "measurement"), None)
        parts: dict[str, object] = {"people": found.people, "values": found.values, "observed": found.observed}
        if records is not None:
            parts |= {"persons": records.persons, "periods": records.periods, "concepts": records.concepts}
            parts |= {"unmapped": records.unmapped is not None, "source values": records.unmapped_values}
        for name, part in parts.items():
            (told if part else kept).add(name)

    check()
    everything = {"people", "values", "observed", "persons", "periods", "concepts", "unmapped", "source values"}
    assert told == everything
    assert kept == everything - {"observed"}  # of enough persons there is always one group


def check_people(found: Profile, made: Made) -> None:
    ends = {person: end.year for person, _start, end in made.observed}
    ages = [(sex, min(100, max(0, ends.get(person, TODAY.year) - year))) for person, sex, year in made.persons if year]
    for each in found.people:
        oldest = 1000 if each.oldest is None else each.oldest
        mine = [age for sex, age in ages if each.sex in (None, sex) and each.youngest <= age <= oldest]
        assert each.persons == len(mine) and enough(len(mine))
    if found.people:
        assert sum(each.persons for each in found.people) == len(ages)  # nothing is left to be worked out
        assert enough(len(made.persons) - len(ages))
        by_sex = Counter(each.sex for each in found.people)
        assert all(enough(sum(sex == one for sex, _age in ages)) for one in by_sex if one is not None)
    years = Counter(int(((end - start).days + 1) / 365.25) for _person, start, end in made.observed)
    years[0] += len(made.persons) - len(made.observed)
    for one in found.observed:
        assert one.persons == sum(
            n for y, n in years.items() if one.least <= y <= (1000 if one.most is None else one.most)
        )
        assert enough(one.persons)


def check_measurements(found: Profile, made: Made) -> None:
    records = next((each for each in found.tables if each.table == "measurement"), None)
    if records is None:
        assert not made.measured
        return
    rows = made.measured
    if not enough(whose(rows)):
        assert records.rows is records.persons is None and not (records.periods or records.concepts or found.values)
        return
    assert records.rows == len(rows)
    assert records.persons in (whose(rows), None)
    assert (records.persons is None) == (not enough(len(made.persons) - whose(rows)))
    if records.periods:
        dated = [row for row in rows if row[3] is not None]
        by_month = len(records.periods[0].start) == 7
        name = month if by_month else lambda day: month(day)[:4]
        for period in records.periods:
            mine = [row for row in dated if period.start <= name(row[3]) <= period.end]
            assert period.records == len(mine) and enough(whose(mine))
        assert sum(period.records for period in records.periods) == len(dated)
        assert enough(whose(row for row in rows if row[3] is None))
        assert all(one.end < other.start for one, other in pairwise(records.periods))
    zero = [row for row in rows if row[2] == 0]
    left = [row for row in rows if row[2] not in {concept.concept_id for concept in records.concepts}]
    if records.unmapped is not None:
        assert records.unmapped == len(zero) and enough(whose(zero))
        left = [row for row in left if row[2] != 0]
    assert enough(whose(left))
    for concept in records.concepts:
        mine = [row for row in rows if row[2] == concept.concept_id]
        assert concept.records == len(mine) and whose(mine) >= MINIMUM
        assert concept.persons in (whose(mine), None) and concept.name == {1: "one"}.get(concept.concept_id, "")
    kept = {value.value for value in records.unmapped_values}
    for value in records.unmapped_values:
        mine = [row for row in zero if row[6] == value.value]
        assert value.records == len(mine) and whose(mine) >= MINIMUM
    assert not kept or enough(whose(row for row in zero if row[6] not in kept))
    for concept in records.concepts:
        mine = [row for row in rows if row[2] == concept.concept_id]
        told = [each for each in found.values if each.concept_id == concept.concept_id]
        rest = list(mine)
        for each in told:
            numbers = [r for r in mine if r[4] in (1.0, 2.5, 80.0) and (r[5] or None) == each.unit_concept_id]
            assert each.records == len(numbers) and whose(numbers) >= MINIMUM
            assert (each.median is None) == (whose(numbers) * 0.5 < MINIMUM)
            assert each.low is None or whose(numbers) * 0.05 >= MINIMUM
            rest = [row for row in rest if row not in numbers]
        assert not told or enough(whose(rest))


def test_with_a_minimum_of_one_everything_is_told(lake: Lake) -> None:
    persons = "SELECT range AS person_id, 8507 AS gender_concept_id, 1980 AS year_of_birth FROM range(2)"
    measured = """SELECT range AS measurement_id, 1 AS person_id, 3 AS measurement_concept_id, range + 0.5 AS
        value_as_number, DATE '2020-01-01' AS measurement_date FROM range(101)"""
    made = version(lake, "d", person=persons, measurement=measured)
    [values_] = profile(made, minimum=1, today=TODAY).values
    assert (values_.low, values_.median, values_.high, values_.persons) == (5.5, 50.5, 95.5, 1)
    hidden = profile(made, today=TODAY)
    assert hidden.persons is None and not hidden.people and not hidden.values and hidden.tables[0].rows is None


def test_a_version_is_shown_beside_the_one_before(lake: Lake) -> None:
    persons = "SELECT range AS person_id, 8507 AS gender_concept_id, 1980 AS year_of_birth FROM range(9)"
    visits = "SELECT range AS visit_occurrence_id, range AS person_id FROM range({})"
    version(lake, "d", person=persons, visit_occurrence=visits.format(2))
    version(lake, "d", person=persons, visit_occurrence=visits.format(6))
    third = version(lake, "d", person=persons, visit_occurrence=visits.format(9))
    [records] = profile(third, today=TODAY).tables
    assert (records.rows, records.rows_before) == (9, 6)
    [second] = profile(lake.find("d@2"), today=TODAY).tables
    assert (second.rows, second.rows_before, second.persons) == (6, None, None)


@pytest.mark.parametrize("language", ["ko", "en"])
def test_the_page_shows_hostile_text_as_text(lake: Lake, language: str) -> None:
    persons = "SELECT range AS person_id, 8507 AS gender_concept_id, 1980 AS year_of_birth FROM range(9)"
    visits = """SELECT range AS visit_occurrence_id, range AS person_id, 0 AS visit_concept_id,
        '<script>' || chr(8238) AS visit_source_value, DATE '0001-01-01' + (range % 2)::INTEGER * 3650000 AS
        visit_start_date FROM range(9)"""
    found = profile(version(lake, "d", person=persons, visit_occurrence=visits), minimum=2, today=TODAY)
    assert document(found)["tables"][0]["unmapped_values"][0]["records"] == 9
    with speaking(language):
        shown = page(found)
    assert "<script" not in shown and "&lt;script&gt;" in shown and "\u202e" not in shown
    assert f'lang="{language}"' in shown and len(shown) < 200_000


def test_what_is_no_model_of_persons_is_refused(lake: Lake) -> None:
    with Engine() as engine, lake.dataset("x").write() as writer:
        path = writer.new_file("person")
        engine.copy_to_parquet("SELECT 'a' AS person_id", path)
        writer.add("person", path)
        made = writer.commit("import", {})
    with pytest.raises(MadangError) as error:
        profile(made)
    assert error.value.code == "profile.no_persons" and error.value.hint
