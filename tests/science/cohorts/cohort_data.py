"""Small dataset versions for cohort tests: rows of CDM tables by name, what is missing has no value."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from madang.lake import Lake, Version
from madang.science.omop import cdm

Tables = Mapping[str, Sequence[Mapping[str, Any]]]


def make_version(folder: Path, tables: Tables, name: str = "data") -> Version:
    """A version in a lake in `folder` with these rows; the tables of the vocabulary are among them."""
    lake = Lake(folder / "lake", folder / "restricted")
    with lake.dataset(name).write() as writer:
        for table, rows in tables.items():
            path = writer.new_file(table)
            pq.write_table(arrow(table, rows), path)
            writer.add(table, path)
        return writer.commit(kind="test", info={})


def arrow(table: str, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows as a table of the model; texts become dates where the model has dates."""
    schema = pa.schema([pa.field(field.name, field.type) for field in cdm.arrow_schema(table)])
    columns = {}
    for field in schema:
        columns[field.name] = pa.array([_value(row.get(field.name), field.type) for row in rows], field.type)
    return pa.table(columns, schema=schema)


def _value(value: Any, kind: pa.DataType) -> Any:
    if value is None:
        return None
    if pa.types.is_date(kind):
        return value if isinstance(value, date) else date.fromisoformat(str(value)[:10])
    if pa.types.is_timestamp(kind):
        return datetime.fromisoformat(str(value))
    if pa.types.is_string(kind):
        return str(value)
    if pa.types.is_floating(kind):
        return float(value)
    return int(value)


def concept(number: int, name: str = "", domain: str = "Condition", **more: Any) -> dict[str, Any]:
    """A row of CONCEPT, standard unless said."""
    return {
        "concept_id": number,
        "concept_name": name or f"concept {number}",
        "domain_id": domain,
        "vocabulary_id": "Test",
        "concept_class_id": "Test",
        "standard_concept": "S",
        "concept_code": f"T{number}",
        "valid_start_date": date(1970, 1, 1),
        "valid_end_date": date(2099, 12, 31),
        **more,
    }


def expression(**more: Any) -> dict[str, Any]:
    """A circe expression about concept set 0 (concept 1 with descendants), changed by `more`."""
    return {
        "ConceptSets": [concept_set(0, [1])],
        "PrimaryCriteria": {
            "CriteriaList": [{"ConditionOccurrence": {"CodesetId": 0}}],
            "ObservationWindow": {"PriorDays": 0, "PostDays": 0},
            "PrimaryCriteriaLimit": {"Type": "All"},
        },
        "QualifiedLimit": {"Type": "First"},
        "ExpressionLimit": {"Type": "All"},
        "InclusionRules": [],
        "CollapseSettings": {"CollapseType": "ERA", "EraPad": 0},
        **more,
    }


def concept_set(number: int, concepts: Sequence[int], name: str = "", *, descendants: bool = True) -> dict[str, Any]:
    """A concept set of an expression."""
    items = [{"concept": {"CONCEPT_ID": each}, "includeDescendants": descendants} for each in concepts]
    return {"id": number, "name": name or f"set {number}", "expression": {"items": items}}
