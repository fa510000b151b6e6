"""A small model: two persons, a note that is hard to write down, a companion that must not get out."""

from madang.lake import Lake, Version
from madang.lake.engine import Engine

SECRET = "900101-1234567"
NOTE = 'line one\nline "two"\r\n\\.\n\tC:\\temp, 마당 \x01'
PERSONS = """
    SELECT 1::BIGINT AS person_id, 8507::BIGINT AS gender_concept_id, 1960 AS year_of_birth,
        0::BIGINT AS race_concept_id, 0::BIGINT AS ethnicity_concept_id, 'a' AS person_source_value,
        'local' AS not_in_the_model
    UNION ALL SELECT 9007199254740991, 8507, 1970, 0, 0, '', NULL
"""
CONCEPTS = """
    SELECT i::BIGINT AS concept_id, 'name' AS concept_name, 'Gender' AS domain_id, 'None' AS vocabulary_id, 'x' AS
        concept_class_id, 'S' AS standard_concept, 'c' || i AS concept_code, DATE '1970-01-01' AS valid_start_date,
        DATE '2099-12-31' AS valid_end_date, NULL::VARCHAR AS invalid_reason
    FROM (VALUES (0), (1), (8507)) t(i)
"""


def commit(lake: Lake, engine: Engine, name: str, tables: dict[str, str], **companion: str) -> Version:
    with lake.dataset(name).write() as writer:
        for restricted, selects in ((False, tables), (True, companion)):
            for table, sql in selects.items():
                path = writer.new_file(table, restricted)
                engine.copy_to_parquet(sql, path)
                writer.add(table, path)
        return writer.commit(kind="standardize")
