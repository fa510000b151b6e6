"""The columns that SELECTs give: which there are, their types, and which are required."""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from madang.science.omop.cdm import TABLES, duckdb_type

EVENT_COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "person_id": "BIGINT",
        "start_date": "DATE",
        "start_datetime": "TIMESTAMP",
        "end_date": "DATE",
        "end_datetime": "TIMESTAMP",
        "vocabulary_id": "VARCHAR",
        "code": "VARCHAR",
        "source_value": "VARCHAR",
        "code_name": "VARCHAR",
        "domain": "VARCHAR",
        "type_concept_id": "BIGINT",
        "status": "VARCHAR",
        "value": "VARCHAR",
        "value_number": "DOUBLE",
        "value_operator": "VARCHAR",
        "value_vocabulary_id": "VARCHAR",
        "value_code": "VARCHAR",
        "unit": "VARCHAR",
        "range_low": "DOUBLE",
        "range_high": "DOUBLE",
        "quantity": "DOUBLE",
        "days_supply": "INTEGER",
        "refills": "INTEGER",
        "sig": "VARCHAR",
        "route": "VARCHAR",
        "lot_number": "VARCHAR",
        "stop_reason": "VARCHAR",
        "unique_device_id": "VARCHAR",
        "visit_occurrence_id": "BIGINT",
        "visit_detail_id": "BIGINT",
        "provider_id": "BIGINT",
        "total_charge": "DOUBLE",
        "total_cost": "DOUBLE",
        "total_paid": "DOUBLE",
        "paid_by_payer": "DOUBLE",
        "paid_by_patient": "DOUBLE",
        "currency_concept_id": "BIGINT",
        "item": "BIGINT",
    }
)
"""The columns that the SELECT of an event may give, with their engine types."""

KEPT = ("VARCHAR", "BIGINT", "INTEGER", "DOUBLE", "BOOLEAN", "DATE", "TIMESTAMP")
"""Engine types of extra columns: those that other readers of Parquet know."""

NO_IDENTIFIER = frozenset({"death"})
"""Tables whose rows are known by the person alone: the model gives them no identifier of their own."""

WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")
_FRACTIONS = ("FLOAT", "DOUBLE")


def identifier_of(table: str) -> str | None:
    """The identifier that the engine gives to rows of a CDM table; None where the table has none of its own."""
    key = TABLES[table].primary_key
    return None if key is None or table in NO_IDENTIFIER else key.name


def entity_columns(table: str) -> dict[str, str]:
    """The fields of a CDM table that the SELECT of an entity may give, with their engine types."""
    return {f.name: duckdb_type(f) for f in TABLES[table].fields if f.name != identifier_of(table)}


def required_columns(table: str, has_type: bool) -> Iterable[str]:
    """The fields that the SELECT of an entity has to give; `has_type`: pack.toml gives the record type."""
    for field in TABLES[table].fields:
        typed = has_type and field.name.endswith("_type_concept_id")
        if field.required and field.name != identifier_of(table) and not typed:
            yield field.name


def fits(given: str, wanted: str) -> bool:
    """Whether a value of engine type `given` goes into `wanted` with nothing lost.

    Whole numbers go into narrower ones too: the writer looks at the values.
    """
    if given in (wanted, '"NULL"', "NULL"):
        return True
    if wanted in ("BIGINT", "INTEGER"):
        return given in WHOLE
    if wanted == "DOUBLE":
        return given in (*WHOLE, *_FRACTIONS, "HUGEINT", "UBIGINT") or bool(re.fullmatch(r"DECIMAL\(.*\)", given))
    return (given, wanted) == ("DATE", "TIMESTAMP")


def final_type(given: str, wanted: str) -> str:
    """The type in which a fitting column comes out."""
    return given if wanted == "INTEGER" and given in WHOLE else wanted


def how_to_fit(given: str, wanted: str, expression: str) -> str:
    """A hint for a column of the wrong type."""
    if wanted == "VARCHAR":
        return f"Declare the source column as text, or say CAST({expression} AS VARCHAR) if that is meant."
    if (given, wanted) == ("VARCHAR", "DATE"):
        return f"Declare the source column as a date, or say try_strptime({expression}, '%Y%m%d')::DATE."
    if given == "VARCHAR":
        return f"Declare the type of the source column, or say TRY_CAST({expression} AS {wanted})."
    return f"Say CAST({expression} AS {wanted}) if that is meant."
