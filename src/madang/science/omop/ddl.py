"""SQL that makes the tables of the common data model, for DuckDB, PostgreSQL and Spark.

Identifiers are BIGINT in all of them. DuckDB cannot add foreign keys to a table that exists, and those of the model go
in circles (a concept has a vocabulary, which is a concept), so there they are left out; Spark has no indices, and its
keys are declared without being enforced (Databricks, Delta and Spark 4.1 read them).
"""

from collections.abc import Container
from enum import StrEnum

from madang.science.omop.cdm import TABLES, Field, Table, duckdb_type

INDEXED: dict[str, tuple[str, ...]] = {
    "person": ("gender_concept_id",),
    "observation_period": ("person_id",),
    "visit_occurrence": ("person_id", "visit_concept_id"),
    "visit_detail": ("person_id", "visit_detail_concept_id", "visit_occurrence_id"),
    "condition_occurrence": ("person_id", "condition_concept_id", "visit_occurrence_id"),
    "drug_exposure": ("person_id", "drug_concept_id", "visit_occurrence_id"),
    "procedure_occurrence": ("person_id", "procedure_concept_id", "visit_occurrence_id"),
    "device_exposure": ("person_id", "device_concept_id", "visit_occurrence_id"),
    "measurement": ("person_id", "measurement_concept_id", "visit_occurrence_id"),
    "observation": ("person_id", "observation_concept_id", "visit_occurrence_id"),
    "death": ("person_id",),
    "note": ("person_id", "note_type_concept_id", "visit_occurrence_id"),
    "note_nlp": ("note_id", "note_nlp_concept_id"),
    "specimen": ("person_id", "specimen_concept_id"),
    "fact_relationship": ("domain_concept_id_1", "domain_concept_id_2", "relationship_concept_id"),
    "payer_plan_period": ("person_id",),
    "cost": ("cost_event_id",),
    "drug_era": ("person_id", "drug_concept_id"),
    "dose_era": ("person_id", "drug_concept_id"),
    "condition_era": ("person_id", "condition_concept_id"),
    "episode": ("person_id", "episode_concept_id"),
    "episode_event": ("episode_id", "event_id"),
    "metadata": ("metadata_concept_id",),
    "concept": ("concept_code", "vocabulary_id", "domain_id", "concept_class_id"),
    "concept_relationship": ("concept_id_1", "concept_id_2", "relationship_id"),
    "concept_synonym": ("concept_id",),
    "concept_ancestor": ("ancestor_concept_id", "descendant_concept_id"),
    "source_to_concept_map": ("source_vocabulary_id", "source_code", "target_concept_id"),
    "drug_strength": ("drug_concept_id", "ingredient_concept_id"),
    "cohort": ("cohort_definition_id", "subject_id"),
}
"""Columns by which OHDSI's tools look rows up; primary keys have an index anyway."""


class Dialect(StrEnum):
    """Whose SQL to write."""

    DUCKDB = "duckdb"
    POSTGRESQL = "postgresql"
    SPARK = "spark"


_TYPES = {
    Dialect.DUCKDB: {},
    Dialect.POSTGRESQL: {"DOUBLE": "double precision", "VARCHAR": "text"},
    Dialect.SPARK: {"INTEGER": "INT", "VARCHAR": "STRING"},
}
_RESERVED = {"offset"}


def name_of(field: Field, dialect: Dialect) -> str:
    """The name of a field as it must be written in SQL."""
    if field.name not in _RESERVED:
        return field.name
    return f"`{field.name}`" if dialect is Dialect.SPARK else f'"{field.name}"'


def create_table(
    table: Table, dialect: Dialect, *, schema: str = "", wide: Container[str] = (), keyed: bool = False
) -> str:
    """The statement that makes one table. `schema` is put before its name.

    In PostgreSQL, texts are as wide as the model says; those of `wide` have no limit. `keyed` puts the primary key
    into the statement.
    """
    lines = []
    for field in table.fields:
        kind = _TYPES[dialect].get(duckdb_type(field), duckdb_type(field))
        if dialect is Dialect.POSTGRESQL and field.width and field.name not in wide:
            kind = f"varchar({field.width})"
        end = " NOT NULL" if field.required else ""
        lines.append(f"    {name_of(field, dialect)} {kind}{end}")
    if keyed and table.primary_key:
        lines.append(f"    PRIMARY KEY ({table.primary_key.name})")
    body = ",\n".join(lines)
    using = " USING delta" if dialect is Dialect.SPARK else ""
    return f"CREATE TABLE {_place(schema)}{table.name} (\n{body}\n){using};"


def primary_key(table: Table, dialect: Dialect, *, schema: str = "") -> str:
    """The statement that declares the primary key, empty where the model names none."""
    key = table.primary_key
    if key is None:
        return ""
    loosely = " NOT ENFORCED" if dialect is Dialect.SPARK else ""
    add = f"ALTER TABLE {_place(schema)}{table.name} ADD"
    return f"{add} CONSTRAINT pk_{table.name} PRIMARY KEY ({key.name}){loosely};"


def foreign_keys(table: Table, dialect: Dialect, *, schema: str = "", broken: Container[str] = ()) -> list[str]:
    """The statements that declare the foreign keys of a table; none for DuckDB.

    In PostgreSQL, keys of the columns in `broken` are declared NOT VALID: rows that are there already may break them.
    """
    if dialect is Dialect.DUCKDB:
        return []
    statements = []
    for field in table.fields:
        if field.foreign_key is None:
            continue
        there, column = field.foreign_key
        loosely = " NOT ENFORCED" if dialect is Dialect.SPARK else " NOT VALID" if field.name in broken else ""
        statements.append(
            f"ALTER TABLE {_place(schema)}{table.name} ADD CONSTRAINT fk_{table.name}_{field.name} "
            f"FOREIGN KEY ({name_of(field, dialect)}) REFERENCES {_place(schema)}{there} ({column}){loosely};"
        )
    return statements


def indices(table: Table, dialect: Dialect, *, schema: str = "") -> list[str]:
    """The statements that make the indices of a table; none for Spark."""
    if dialect is Dialect.SPARK:
        return []
    return [
        f"CREATE INDEX ix_{table.name}_{column} ON {_place(schema)}{table.name} ({column});"
        for column in INDEXED.get(table.name, ())
    ]


def script(dialect: Dialect, *, schema: str = "") -> str:
    """All statements for an empty common data model, in an order in which they can be run."""
    tables = TABLES.values()
    parts = [create_table(table, dialect, schema=schema) for table in tables]
    parts += [statement for table in tables if (statement := primary_key(table, dialect, schema=schema))]
    parts += [statement for table in tables for statement in indices(table, dialect, schema=schema)]
    parts += [statement for table in tables for statement in foreign_keys(table, dialect, schema=schema)]
    return "\n".join(parts) + "\n"


def _place(schema: str) -> str:
    return f"{schema}." if schema else ""
