"""What the tables at hand look like, and whether a check can be asked of them."""

from collections.abc import Iterable, Mapping

from madang.base.translate import _
from madang.lake.engine import Engine
from madang.science.quality.model import Check

Columns = Mapping[str, Mapping[str, str]]
"""Table to field to SQL type, all names in lower case."""

VOCABULARY_ONLY = frozenset("concept concept_ancestor domain vocabulary concept_class relationship".split())
"""Tables whose absence means that there is no vocabulary."""

_FAMILIES = {
    "integer": ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"),
    "number": ("DOUBLE", "FLOAT", "REAL", "DECIMAL"),
    "date": ("DATE", "TIMESTAMP"),
    "text": ("VARCHAR",),
}
_DATES = frozenset({"plausibleTemporalAfter", "plausibleDuringLife", "plausibleBeforeDeath", "plausibleAfterBirth"})


def read_columns(engine: Engine, schema: str = "main") -> dict[str, dict[str, str]]:
    """Tables and views of a schema of `engine` with their columns."""
    found: dict[str, dict[str, str]] = {}
    sql = "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE schema_name = ? AND NOT internal"
    for table, column, kind in engine.rows(sql + " ORDER BY table_oid, column_index", [schema]):
        found.setdefault(table.lower(), {})[column.lower()] = kind
    return found


def family(sql_type: str) -> str:
    """`integer`, `number`, `date` (with or without time), `text` or `other`."""
    name = sql_type.partition("(")[0].upper()
    return next((key for key, starts in _FAMILIES.items() if name.startswith(starts)), "other")


def needs(check: Check) -> list[tuple[str, str, str]]:
    """The (table, field, what) that a check reads; `what` is `date`, `number`, `key` or empty where any type will do.

    A `key` is compared with the key before it, so both must be of one kind.
    """
    table, field, more = check.table, check.field, check.parameters
    own = (table, field, "")
    person = [(table, "person_id", "key"), ("person", "person_id", "key")]
    match check.name:
        case "measurePersonCompleteness":
            return person
        case "measureConditionEraCompleteness":
            era = [("condition_occurrence", "person_id", "key"), (table, "person_id", "key")]
            return [*era, ("condition_occurrence", "condition_concept_id", "number")]
        case "measureObservationPeriodOverlap":
            dates = [(table, f"observation_period_{end}_date", "date") for end in ("start", "end")]
            return [(table, "person_id", ""), (table, "observation_period_id", ""), *dates]
        case "isForeignKey":
            return [(table, field, "key"), (more["table"], more["field"], "key")]
        case "fkDomain":
            return [(table, field, "key"), ("concept", "concept_id", "key"), ("concept", "domain_id", "")]
        case "fkClass":
            return [(table, field, "key"), ("concept", "concept_id", "key"), ("concept", "concept_class_id", "")]
        case "isStandardValidConcept":
            concept = [("concept", name, "") for name in ("standard_concept", "invalid_reason")]
            return [(table, field, "key"), ("concept", "concept_id", "key"), *concept]
        case "standardConceptRecordCompleteness" | "sourceConceptRecordCompleteness":
            source = [(table, more["source_value"], "")] if "source_value" in more else []
            return [(table, field, "number"), *source]
        case "sourceValueCompleteness":
            return [own, (table, more["standard"], "number")]
        case "plausibleValueLow" | "plausibleValueHigh":
            dated = "date" in more or "days_from_today" in more
            return [(table, field, "date" if dated else "number")]
        case "plausibleTemporalAfter":
            earlier = [(more["table"], more["field"], "date")]
            if more["table"] == "person" != table:
                earlier += [*person, ("person", "year_of_birth", "number")]
            return [(table, field, "date"), *earlier]
        case "plausibleDuringLife" | "plausibleBeforeDeath":
            dead = [(table, "person_id", "key"), ("death", "person_id", "key"), ("death", "death_date", "date")]
            return [(table, field, "date"), *dead]
        case "plausibleAfterBirth":
            parts = [("person", f"{part}_of_birth", "number") for part in ("year", "month", "day")]
            return [(table, field, "date"), *person, ("person", "birth_datetime", "date"), *parts]
        case "withinVisitDates":
            visit = [("visit_occurrence", f"visit_{end}_date", "date") for end in ("start", "end")]
            key = [(of, "visit_occurrence_id", "key") for of in (table, "visit_occurrence")]
            return [(table, field, "date"), *key, *visit]
        case "plausibleStartBeforeEnd":
            return [(table, field, "date"), (table, more["field"], "date")]
        case "plausibleGender":
            return [(table, field, "number"), *person, ("person", "gender_concept_id", "number")]
        case "plausibleGenderUseDescendants":
            tree = [("concept_ancestor", f"{end}_concept_id", "number") for end in ("descendant", "ancestor")]
            return [(table, field, "number"), *person, ("person", "gender_concept_id", "number"), *tree]
        case "plausibleUnitConceptIds":
            return [(table, field, "number"), (table, "unit_concept_id", "number")]
    return [own] if field else [(table, "", "")]


def obstacle(check: Check, columns: Columns) -> str:
    """Why this check cannot be asked of these tables, in one sentence; empty if it can.

    Checks of whether a table or field is there can always be asked.
    """
    if check.name in ("cdmTable", "cdmField"):
        return ""
    key = ""
    for table, field, what in needs(check):
        if table not in columns:
            if table in VOCABULARY_ONLY:
                return _("There is no vocabulary: table {table} is missing.").format(table=table)
            return _("Table {table} is missing.").format(table=table)
        if not field:
            continue
        if field not in columns[table]:
            return _("Field {table}.{field} is missing.").format(table=table, field=field)
        kind = columns[table][field]
        has = family(kind)
        if what == "date" and has != "date":
            return _("Field {table}.{field} should hold dates, but it is of type {type}.").format(
                table=table, field=field, type=kind
            )
        if what == "number" and has not in ("integer", "number"):
            return _("Field {table}.{field} should hold numbers, but it is of type {type}.").format(
                table=table, field=field, type=kind
            )
        if what == "key":
            plain = "number" if has == "integer" else has
            if key and plain != key:
                return _("Field {table}.{field} of type {type} cannot be compared with what refers to it.").format(
                    table=table, field=field, type=kind
                )
            key = "" if key else plain
    return ""


def runnable(checks: Iterable[Check], columns: Columns) -> list[Check]:
    """The checks that can be asked of these tables."""
    return [check for check in checks if not obstacle(check, columns)]
