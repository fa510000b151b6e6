from collections.abc import Iterator
from pathlib import Path

import pytest
from small_model import CONCEPTS, NOTE, PERSONS, SECRET, commit

from madang.lake import Lake, Version
from madang.lake.engine import Engine, quote_text


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """One engine for a file of tests, which make and drop their own tables."""
    with Engine(memory_limit="1GB", threads=1) as engine:
        yield engine


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake", tmp_path / "restricted")


@pytest.fixture
def people(lake: Lake, engine: Engine) -> Version:
    """Two persons and a note that is hard to write down; a companion that must not get out."""
    note = f"""
        SELECT 1::BIGINT AS note_id, 1::BIGINT AS person_id, DATE '2020-02-29' AS note_date,
            TIMESTAMP '2020-02-29 23:59:59.5' AS note_datetime, 0::BIGINT AS note_type_concept_id,
            0::BIGINT AS note_class_concept_id, {quote_text(NOTE)} AS note_text, 1::BIGINT AS encoding_concept_id,
            1::BIGINT AS language_concept_id, repeat('가', 60) AS note_source_value
    """
    measured = """
        SELECT i::BIGINT AS measurement_id, 1::BIGINT AS person_id, 0::BIGINT AS measurement_concept_id,
            DATE '2020-01-01' AS measurement_date, 0::BIGINT AS measurement_type_concept_id,
            CASE i WHEN 1 THEN 0.1 WHEN 2 THEN 1e300 END::DOUBLE AS value_as_number,
            CASE WHEN i = 3 THEN 77::BIGINT END AS unit_concept_id FROM range(1, 4) t(i)
    """
    tables = {"person": PERSONS, "note": note, "measurement": measured}
    return commit(lake, engine, "people", tables, keys=f"SELECT '{SECRET}' AS resident_number")


@pytest.fixture
def vocabulary(lake: Lake, engine: Engine) -> Version:
    tables = {"concept": CONCEPTS}
    for name in ("vocabulary", "domain", "concept_class"):
        key = {"vocabulary": "None", "domain": "Gender", "concept_class": "x"}[name]
        extra = ", '' AS vocabulary_reference, 'v1' AS vocabulary_version" if name == "vocabulary" else ""
        tables[name] = f"SELECT '{key}' AS {name}_id, 'n' AS {name}_name{extra}, 1::BIGINT AS {name}_concept_id"
    return commit(lake, engine, "vocabulary", tables)
