"""What a recipe does

An extract has exactly the permitted rows and columns. A recipe says what happens to each kind of variable. Pseudonyms
follow from a key of the permit, so they are left out of these examples.
"""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pytest

from examples import Example
from madang.lake import Engine
from madang.science.privacy.extract import Wanted, make
from madang.science.privacy.population import population_of
from madang.science.privacy.recipe import recipe_of

COLUMNS = ["condition_start_date", "condition_source_value", "condition_concept_id"]
Extract = Callable[..., dict[str, pa.Table]]


@pytest.fixture
def extract(example: Example) -> Extract:
    """Two tables from CSV after a recipe, in the order of year and day."""

    def go(person: Path, condition: Path, population: dict[str, object] | None = None, **recipe: object) -> dict:
        files: dict[str, Path] = {}

        def new_file(table: str) -> Path:
            files[table] = example.folder / f"{table}.parquet"
            return files[table]

        with Engine() as engine:
            for name, path in (("person", person), ("condition_occurrence", condition)):
                engine.register("given", pyarrow.csv.read_csv(path))
                engine.execute(f"CREATE TABLE {name} AS FROM given")
            wanted = Wanted(
                {"person": ["year_of_birth", "day_of_birth"], "condition_occurrence": COLUMNS},
                population_of(population or {}),
            )
            given = {"name": "example", "version": "1", "title": {"ko": "예", "en": "Example"}, "source": "An example"}
            make(engine, wanted, recipe_of(given | recipe), bytes(range(32)), new_file)
        with Engine() as engine:
            return {
                "person": engine.query(f"FROM '{files['person']}' ORDER BY year_of_birth"),
                "condition_occurrence": engine.query(
                    f"FROM '{files['condition_occurrence']}' ORDER BY condition_start_date, condition_source_value"
                ),
            }

    return go


def test_rows_and_columns(example: Example, extract: Extract) -> None:
    """Only permitted rows and columns come out

    The population are persons with a code of each list between two days, and only their rows of that time are taken. A
    code stands for all that begin with it. The day of birth goes in every recipe.
    """
    person = example.given(
        "person.csv",
        """
        person_id,gender_concept_id,year_of_birth,day_of_birth
        1,8507,1953,7
        2,8532,1958,8
        3,8532,1961,9
        """,
    )
    condition = example.given(
        "condition_occurrence.csv",
        """
        condition_occurrence_id,person_id,condition_concept_id,condition_start_date,condition_source_value
        1,1,201826,2012-03-17,E112
        2,2,201826,2012-05-02,E112
        3,3,4030518,2012-05-20,N185
        4,1,4030518,2015-01-01,N185
        """,
    )
    wanted = {"criteria": [{"kind": "diagnosis", "codes": ["E11"]}], "begins": "2010-01-01", "ends": "2013-12-31"}
    made = extract(person, condition, wanted)
    example.expected(
        "person",
        """
        year_of_birth | day_of_birth
        1953          | -
        1958          | -
        """,
        made["person"],
    )
    example.expected(
        "condition_occurrence",
        """
        condition_start_date | condition_source_value | condition_concept_id
        2012-03-17           | E112                   | 201826
        2012-05-02           | E112                   | 201826
        """,
        made["condition_occurrence"],
    )


def test_coarser(example: Example, extract: Extract) -> None:
    """Dates to months, births to bands, codes of few persons left out

    Here a code is left out that fewer than two persons have; its concept becomes 0, the row stays.
    """
    person = example.given(
        "person.csv",
        """
        person_id,gender_concept_id,year_of_birth,day_of_birth
        1,8507,1953,7
        2,8532,1958,8
        3,8532,1961,9
        """,
    )
    condition = example.given(
        "condition_occurrence.csv",
        """
        condition_occurrence_id,person_id,condition_concept_id,condition_start_date,condition_source_value
        1,1,201826,2012-03-17,E112
        2,2,201826,2012-05-02,E112
        3,3,4030518,2012-05-20,N185
        4,1,443767,2015-01-01,E14
        """,
    )
    made = extract(person, condition, dates="month", birth_band=5, rare_code_persons=2)
    example.expected(
        "person",
        """
        year_of_birth
        1950
        1955
        1960
        """,
        made["person"],
    )
    example.expected(
        "condition_occurrence",
        """
        condition_start_date | condition_source_value | condition_concept_id
        2012-03-01           | E112                   | 201826
        2012-05-01           | E112                   | 201826
        2012-05-01           | -                      | 0
        2015-01-01           | -                      | 0
        """,
        made["condition_occurrence"],
    )
