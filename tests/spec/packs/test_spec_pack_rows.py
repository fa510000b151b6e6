"""Every row counts

Each row of a source becomes a record, or leaves with a reason that the pack gives.
"""

from collections.abc import Callable

import pytest
from spec_clinic import DIAGNOSES, DX, PATIENTS, PERSON, TOML

from examples import Example
from madang.science.omop.starter import starter_path
from madang.science.standardize import Standardized, standardize

Run = Callable[[], Standardized]


@pytest.fixture
def run(example: Example) -> Run:
    """Standardize the example; what the test does not give is as the chapter says."""

    def go() -> Standardized:
        usual = {
            "clinic/pack.toml": TOML, "clinic/entities/person.sql": PERSON, "clinic/events/dx.sql": DX,
            "patients.csv": PATIENTS, "diagnoses.csv": DIAGNOSES,
        }  # fmt: skip
        for name, text in usual.items():
            if not (example.folder / name).exists():
                example.given(name, text)
        return standardize(example.folder / "clinic", example.folder, starter_path())

    return go


def reasons(result: Standardized) -> str:
    rows = sorted((r.source, r.fate, r.reason, r.lines) for r in result.report.reasons)
    return "\n".join(f"{source}: {lines} {fate}: {reason}" for source, fate, reason, lines in rows)


def test_rows_leave_by_rules_that_are_asked_in_order(example: Example, run: Run) -> None:
    """Rows leave only through reject_when and unused_when

    The first condition that holds gives the reason. A condition that is null does not hold. A row without a date has
    to leave, too: Madang rejects it without being told.
    """
    example.given(
        "clinic/events/dx.sql",
        """
        select
            reject_when(person.person_id is null, 'patient is unknown'),
            unused_when(CODES = 'NONE', 'states that there is no disease'),
            person.person_id,
            DAY as start_date,
            CODES as code
        from diagnoses
        left join person on person.PT = diagnoses.PT
        """,
    )
    example.given(
        "diagnoses.csv",
        """
        PT,DAY,CODES
        1,2020-03-01,A
        1,2020-03-02,NONE
        7,2020-03-03,NONE
        1,,B
        """,
    )
    result = run()
    example.expected(
        "condition_occurrence",
        """
        condition_start_date | condition_source_value
        2020-03-01           | A
        """,
        result.table("condition_occurrence"),
    )
    example.expected(
        "where the other lines went",
        """
        diagnoses: 1 rejected: patient is unknown
        diagnoses: 1 rejected: start_date is missing
        diagnoses: 1 unused: states that there is no disease
        """,
        reasons(result),
    )


def test_a_list_makes_several_events_of_one_row(example: Example, run: Run) -> None:
    """A list makes several events of one row

    `item` numbers them. A row whose list is empty comes out once, with null, so that it can be given a reason.
    """
    example.given(
        "clinic/events/dx.sql",
        """
        with d as (select *, string_split(CODES, ';') as codes_list from diagnoses)
        select
            unused_when(CODES is null, 'no diagnosis'),
            person.person_id,
            DAY as start_date,
            unnest(codes_list) as code,
            unnest(range(len(codes_list))) as item
        from d
        left join person on person.PT = d.PT
        """,
    )
    example.given(
        "diagnoses.csv",
        """
        PT,DAY,CODES
        1,2020-03-01,A;B
        1,2020-03-02,
        """,
    )
    result = run()
    example.expected(
        "condition_occurrence, by source value",
        """
        condition_start_date | condition_source_value
        2020-03-01           | A
        2020-03-01           | B
        """,
        sorted(result.table("condition_occurrence").to_pylist(), key=lambda row: row["condition_source_value"]),
    )
    example.expected("where the other line went", "diagnoses: 1 unused: no diagnosis", reasons(result))


def test_a_grouped_entity_is_made_of_several_rows(example: Example, run: Run) -> None:
    """GROUP BY makes one entity of several rows

    All columns that the SELECT groups by come out, so that the source rows find their entity. Later SELECTs see every
    column of the SELECT, whether the common data model has it or not.
    """
    example.given(
        "clinic/entities/person.sql",
        """
        select
            PT,
            min(year(BORN)) as year_of_birth,
            count(*) as deliveries,
            0 as gender_concept_id, 0 as race_concept_id, 0 as ethnicity_concept_id
        from patients
        group by PT
        """,
    )
    example.given(
        "clinic/events/dx.sql",
        """
        select
            person.person_id,
            DAY as start_date,
            CODES as code,
            person.deliveries as quantity
        from diagnoses
        left join person on person.PT = diagnoses.PT
        """,
    )
    example.given("patients.csv", "PT,BORN\n1,1970-01-02\n1,1970-01-03")
    result = run()
    example.expected(
        "person",
        """
        year_of_birth | gender_concept_id
        1970          | 0
        """,
        result.table("person"),
    )
    example.expected("where the other lines went", "", reasons(result))
