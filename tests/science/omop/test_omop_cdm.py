"""The common data model as data."""

import pyarrow as pa

from madang.science.omop.cdm import KINDS, TABLES, arrow_schema, duckdb_type


def test_the_model_has_as_many_tables_fields_and_keys_as_its_specification_counts() -> None:
    fields = [field for table in TABLES.values() for field in table.fields]
    assert len(TABLES) == 39
    assert len(fields) == 432
    assert sum(field.required for field in fields) == 180
    assert sum(field.primary_key for field in fields) == 28
    assert sum(field.foreign_key is not None for field in fields) == 176
    assert all(name.isidentifier() for table in TABLES.values() for name in table.names)
    assert {table.kind for table in TABLES.values()} == set(KINDS)


def test_every_foreign_key_points_to_a_field_of_the_model() -> None:
    for table in TABLES.values():
        for field in table.fields:
            if field.foreign_key:
                there, name = field.foreign_key
                assert duckdb_type(TABLES[there][name]) == duckdb_type(field), (table.name, field.name)


def test_identifiers_are_wide_and_counts_are_not() -> None:
    assert duckdb_type(TABLES["person"]["person_id"]) == "BIGINT"
    assert duckdb_type(TABLES["fact_relationship"]["fact_id_1"]) == "BIGINT"
    assert duckdb_type(TABLES["concept_relationship"]["relationship_id"]) == "VARCHAR"
    assert duckdb_type(TABLES["device_exposure"]["unique_device_id"]) == "VARCHAR"
    assert duckdb_type(TABLES["person"]["year_of_birth"]) == "INTEGER"
    assert duckdb_type(TABLES["measurement"]["value_as_number"]) == "DOUBLE"
    assert duckdb_type(TABLES["visit_occurrence"]["visit_start_datetime"]) == "TIMESTAMP"


def test_arrow_schemas_follow_the_types() -> None:
    schema = arrow_schema("person")
    assert schema.field("person_id") == pa.field("person_id", pa.int64(), nullable=False)
    assert schema.field("birth_datetime").type == pa.timestamp("us")
    assert schema.names == list(TABLES["person"].names)
    assert all(arrow_schema(name).names for name in TABLES)


def test_texts_know_their_width() -> None:
    assert TABLES["concept"]["concept_name"].width == 255
    assert TABLES["note"]["note_text"].width is None
    assert TABLES["person"]["person_id"].width is None
