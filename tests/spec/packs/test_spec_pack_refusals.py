"""What is refused

Whatever could lose a row, double it or make two runs differ is refused before any data are read. The message names
file, line and column, and the hint says what to do.
"""

from collections.abc import Callable

import pytest
from spec_clinic import DX, PERSON, TOML

from examples import Example
from madang.base.errors import MadangError
from madang.lake import Engine
from madang.science.standardize import load_pack
from madang.science.standardize.compile import compile_pack

Refusal = Callable[[], str]


@pytest.fixture
def refusal(example: Example) -> Refusal:
    """The message with which the pack of the example is refused."""

    def go() -> str:
        usual = {"clinic/pack.toml": TOML, "clinic/entities/person.sql": PERSON, "clinic/events/dx.sql": DX}
        for name, text in usual.items():
            if not (example.folder / name).exists():
                example.given(name, text)
        with Engine() as engine, pytest.raises(MadangError) as refused:
            compile_pack(load_pack(example.folder / "clinic"), engine)
        return f"{refused.value.message}\n{refused.value.hint}".strip()

    return go


def test_a_filter_is_refused(example: Example, refusal: Refusal) -> None:
    """WHERE would lose rows in silence

    The same holds for HAVING, QUALIFY, LIMIT, DISTINCT and samples.
    """
    example.given(
        "clinic/events/dx.sql",
        """
        select person.person_id, DAY as start_date, CODES as code
        from diagnoses
        left join person on person.PT = diagnoses.PT
        where DAY is not null
        """,
    )
    example.expected(
        "refused",
        """
        clinic/events/dx.sql:4:7: WHERE drops rows.
        Rows leave only through reject_when(condition, 'reason') and unused_when(condition, 'rule').
        """,
        refusal(),
    )


def test_a_join_that_could_double_rows_is_refused(example: Example, refusal: Refusal) -> None:
    """A join compares all columns of a key

    Otherwise it could find several partners. Only LEFT JOIN is allowed: all others drop or multiply rows.
    """
    example.given(
        "clinic/events/dx.sql",
        """
        select person.person_id, DAY as start_date, CODES as code
        from diagnoses
        left join person on person.year_of_birth = year(DAY)
        """,
    )
    example.expected(
        "refused",
        """
        clinic/events/dx.sql:3:1: the join to person may find several rows for one.
        Compare with = all columns of a key of person: PT, or person_id.
        """,
        refusal(),
    )


def test_what_changes_from_run_to_run_is_refused(example: Example, refusal: Refusal) -> None:
    """The same files make the same dataset

    So nothing may depend on the clock, on chance, or on the order of rows.
    """
    example.given(
        "clinic/events/dx.sql",
        """
        select person.person_id, coalesce(DAY, current_date) as start_date, CODES as code
        from diagnoses
        left join person on person.PT = diagnoses.PT
        """,
    )
    example.expected(
        "refused",
        """
        clinic/events/dx.sql:1:40: current_date does not give the same answer in every run.
        Use a parameter: getvariable('name').
        """,
        refusal(),
    )


def test_names_are_checked(example: Example, refusal: Refusal) -> None:
    """A wrong name is named with its place, and with what was probably meant"""
    example.given(
        "clinic/events/dx.sql",
        """
        select person.person_id, DAY as start_date, CODE as code
        from diagnoses
        left join person on person.PT = diagnoses.PT
        """,
    )
    example.expected(
        "refused",
        """
        clinic/events/dx.sql:1:45: no table in FROM has a column "CODE".
        Did you mean "CODES"?
        """,
        refusal(),
    )


def test_required_fields_are_checked(example: Example, refusal: Refusal) -> None:
    """What the common data model requires has to be there"""
    example.given(
        "clinic/entities/person.sql",
        """
        select PT, year(BORN) as year_of_birth, 0 as gender_concept_id
        from patients
        """,
    )
    example.expected(
        "refused",
        """
        clinic/entities/person.sql:1:8: a row of PERSON needs race_concept_id and ethnicity_concept_id.
        A concept that is not known is 0, as in 0 AS race_concept_id.
        """,
        refusal(),
    )


def test_identifiers_are_marked(example: Example, refusal: Refusal) -> None:
    """A column that looks like an identifier of persons has to say what becomes of it

    `direct` never leaves the source, `pseudonym` is replaced by a keyed hash, `none` is no identifier of a person.
    """
    example.given(
        "clinic/pack.toml",
        """
        name = "clinic"
        version = "1"
        license = "CC0-1.0"
        [cdm_source]
        cdm_source_name = "Clinic"
        [sources.patients]
        files = ["patients.csv"]
        [sources.patients.columns]
        PT = { type = "text", identifier = "pseudonym" }
        TEL = { type = "text", header = "휴대폰" }
        [entities.person]
        [events.dx]
        domain = "Condition"
        """,
    )
    example.expected(
        "refused",
        """
        clinic/pack.toml:10: the column TEL looks like a telephone number, and pack.toml does not say what to do with it.
        Say identifier = "direct" (it never leaves the source), "pseudonym" (a keyed hash takes its place) or "none" (it is no identifier of a person).
        """,  # noqa: E501  # the message as it is
        refusal(),
    )
