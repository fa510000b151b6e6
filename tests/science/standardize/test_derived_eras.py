"""Eras and observation periods against a plain loop over days."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, timedelta

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from madang.lake.engine import Engine
from madang.science.omop.cdm import arrow_schema
from madang.science.standardize.derived import condition_era_sql, drug_era_sql, observation_period_sql

FIRST = date(2010, 1, 1)
Spans = list[tuple[int, int, date, int | None]]  # person, concept, start, days until the end

spans = st.lists(
    st.tuples(
        st.integers(1, 2),
        st.integers(0, 2),
        st.integers(0, 150).map(lambda n: FIRST + timedelta(n)),
        st.none() | st.integers(-2, 40),
    ),
    max_size=12,
)


def table(engine: Engine, name: str, rows: Iterable[dict[str, object]]) -> None:
    """A CDM table with these rows; fields that a row does not name are null."""
    schema = pa.schema([field.with_nullable(True) for field in arrow_schema(name)])
    engine.register("_rows", pa.Table.from_pylist([dict(row) for row in rows], schema=schema))
    engine.execute(f"CREATE OR REPLACE TABLE {name} AS FROM _rows")
    engine.unregister("_rows")


def islands(days: dict[date, None], gap: int) -> list[tuple[date, date]]:
    """Runs of covered days with at most `gap` days from the last day of one to the first of the next."""
    found: list[tuple[date, date]] = []
    for day in sorted(days):
        if found and (day - found[-1][1]).days <= gap:
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return found


def covered(start: date, end: date) -> dict[date, None]:
    return {start + timedelta(n): None for n in range((end - start).days + 1)}


@given(spans)
def test_condition_eras_join_what_is_at_most_thirty_days_apart(rows: Spans) -> None:
    with Engine() as engine:
        table(
            engine,
            "condition_occurrence",
            (
                {
                    "person_id": person,
                    "condition_concept_id": concept,
                    "condition_start_date": start,
                    "condition_end_date": None if days is None else start + timedelta(days),
                }
                for person, concept, start, days in rows
            ),
        )
        ours = engine.rows(
            "SELECT person_id, condition_concept_id, condition_era_start_date, condition_era_end_date, "
            f"condition_occurrence_count FROM ({condition_era_sql()})"
        )
    days_of: dict[tuple[int, int], dict[date, None]] = defaultdict(dict)
    starts: dict[tuple[int, int], list[date]] = defaultdict(list)
    for person, concept, start, days in rows:
        if concept:
            end = start + timedelta(1 if days is None else max(days, 0))
            days_of[person, concept] |= covered(start, end)
            starts[person, concept].append(start)
    expected = [
        (*key, first, last, sum(first <= start <= last for start in starts[key]))
        for key, days in days_of.items()
        for first, last in islands(days, 30)
    ]
    assert sorted(ours) == sorted(expected)


@given(spans)
def test_drug_eras_count_the_days_without_exposure(rows: Spans) -> None:
    with Engine() as engine:
        table(
            engine,
            "drug_exposure",
            (
                {
                    "person_id": person,
                    "drug_concept_id": 100 + concept,
                    "drug_exposure_start_date": start,
                    "drug_exposure_end_date": start + timedelta(max(days or 0, 0)),
                }
                for person, concept, start, days in rows
            ),
        )
        engine.execute(
            """
            CREATE SCHEMA v;
            CREATE TABLE v.concept AS SELECT * FROM (VALUES
                (1, 'Ingredient', 'RxNorm', 'S'), (2, 'Ingredient', 'RxNorm', 'S'), (3, 'Clinical Drug', 'RxNorm', 'S'))
                t(concept_id, concept_class_id, vocabulary_id, standard_concept);
            -- 100 holds ingredient 1, 101 ingredients 1 and 2, 102 none that is known
            CREATE TABLE v.concept_ancestor AS SELECT * FROM (VALUES (1, 100), (1, 101), (2, 101), (3, 102))
                t(ancestor_concept_id, descendant_concept_id)
            """
        )
        ours = engine.rows(
            "SELECT person_id, drug_concept_id, drug_era_start_date, drug_era_end_date, drug_exposure_count, gap_days "
            f"FROM ({drug_era_sql('v')})"
        )
    days_of: dict[tuple[int, int], dict[date, None]] = defaultdict(dict)
    starts: dict[tuple[int, int], list[date]] = defaultdict(list)
    for person, concept, start, days in rows:
        for ingredient in {0: (1,), 1: (1, 2), 2: ()}[concept]:
            days_of[person, ingredient] |= covered(start, start + timedelta(max(days or 0, 0)))
            starts[person, ingredient].append(start)
    expected = []
    for key, exposed in days_of.items():
        for first, last in islands(exposed, 30):
            days = (last - first).days + 1
            without = days - sum(first <= day <= last for day in exposed)
            expected.append((*key, first, last, sum(first <= start <= last for start in starts[key]), without))
    assert sorted(ours) == sorted(expected)


@given(
    spans, st.dictionaries(st.integers(1, 2), st.integers(0, 200).map(lambda n: FIRST + timedelta(n))), st.booleans()
)
def test_a_person_is_observed_from_the_first_record_to_death_or_extract(
    rows: Spans, deaths: dict[int, date], told: bool
) -> None:
    names = "visit_occurrence condition_occurrence drug_exposure procedure_occurrence device_exposure measurement"
    with Engine() as engine:
        for name in [*names.split(), "observation"]:
            table(engine, name, [])
        table(
            engine,
            "measurement",
            ({"person_id": person, "measurement_date": start} for person, _, start, _ in rows),
        )
        table(engine, "death", ({"person_id": person, "death_date": day} for person, day in deaths.items()))
        extract = date(2010, 12, 31) if told else None
        ours = engine.rows(
            "SELECT person_id, observation_period_start_date, observation_period_end_date "
            f"FROM ({observation_period_sql(extract, 32817)})"
        )
    expected = []
    for person in {row[0] for row in rows}:
        dates = [start for who, _, start, _ in rows if who == person]
        until = deaths.get(person, extract or max(dates))
        expected.append((person, min(dates), max(min(dates), until)))
    assert sorted(ours) == sorted(expected)
