"""The starter vocabulary: complete in itself, and in step with the catalog."""

from collections import Counter
from datetime import date

import numpy as np
import pytest
from plain_insurer import vocabulary

from madang.science.omop.starter import starter_path
from madang.science.synthesis.catalog import DatedCodes, keys, rows, to_day
from madang.science.synthesis.vocabulary import starter_files


def test_files_are_what_the_catalog_gives() -> None:
    for name, text in starter_files().items():
        assert (starter_path() / name).read_text(encoding="utf-8") == text, f"{name}: run the generator again"


def test_every_reference_leads_to_a_concept_and_no_key_is_double() -> None:
    concepts = Counter(row["concept_id"] for row in vocabulary("CONCEPT"))
    assert set(concepts.values()) == {1}
    for table, columns in {
        "CONCEPT_RELATIONSHIP": ("concept_id_1", "concept_id_2"),
        "CONCEPT_ANCESTOR": ("ancestor_concept_id", "descendant_concept_id"),
        "CONCEPT_SYNONYM": ("concept_id", "language_concept_id"),
        "VOCABULARY": ("vocabulary_concept_id",),
        "DOMAIN": ("domain_concept_id",),
        "CONCEPT_CLASS": ("concept_class_concept_id",),
        "RELATIONSHIP": ("relationship_concept_id",),
        "DRUG_STRENGTH": ("drug_concept_id", "ingredient_concept_id"),
    }.items():
        missing = {row[column] for row in vocabulary(table) for column in columns} - concepts.keys()
        assert not missing, table
    pairs = Counter(tuple(row.values())[:3] for row in vocabulary("CONCEPT_RELATIONSHIP"))
    assert set(pairs.values()) == {1}
    for table, column in (
        ("VOCABULARY", "vocabulary_id"),
        ("DOMAIN", "domain_id"),
        ("CONCEPT_CLASS", "concept_class_id"),
    ):
        used = {row[column] for row in vocabulary("CONCEPT")}
        assert used <= {row[column] for row in vocabulary(table)}


def test_mappings_lead_to_standard_concepts() -> None:
    standard = {row["concept_id"]: row["standard_concept"] for row in vocabulary("CONCEPT")}
    targets = [row["concept_id_2"] for row in vocabulary("CONCEPT_RELATIONSHIP") if row["relationship_id"] == "Maps to"]
    assert targets
    assert {standard[target] for target in targets} == {"S"}


def test_licensed_codes_are_not_in_it() -> None:
    for row in vocabulary("CONCEPT"):
        if row["vocabulary_id"] in ("SNOMED", "LOINC"):
            assert row["concept_code"] == row["concept_id"]


def test_every_kind_of_mapping_is_exercised() -> None:
    levels = Counter(row["level"] for row in rows("condition_codes"))
    assert levels.keys() == {"exact", "parent", "icd10", "none"}
    domain = {row["concept_id"]: row["domain_id"] for row in vocabulary("CONCEPT")}
    of_service = {domain[row["concept_id"]] for row in rows("service_targets")}
    assert {"Measurement", "Procedure", "Observation", "Device", "Meas Value"} <= of_service
    assert max(Counter(row["service"] for row in rows("service_targets")).values()) == 2
    assert set(keys("services")) - {row["service"] for row in rows("service_targets")}, "some are unmapped"
    assert {row["level"] for row in rows("drug_codes")} == {"exact", "none"}


@pytest.mark.parametrize(
    ("table", "owner", "things"),
    [
        ("condition_codes", "condition", "conditions"),
        ("drug_codes", "drug", "drugs"),
        ("service_codes", "service", "services"),
    ],
)
def test_a_code_means_one_thing_on_any_day_and_a_thing_has_one_code(table: str, owner: str, things: str) -> None:
    codes = DatedCodes(table, owner, things)
    for year in range(2002, 2027):
        day = to_day(date(year, 7, 2).isoformat())
        valid = [row for row in rows(table) if to_day(row["valid_from"]) <= day <= to_day(row["valid_to"])]
        assert max(Counter(row[owner] for row in valid).values()) == 1
        if table != "condition_codes":
            assert max(Counter(row["code"] for row in valid).values()) == 1
        for n, key in enumerate(keys(things)):
            found = codes.at(np.array([n]), np.array([day]))[0]
            assert (found >= 0) == any(row[owner] == key for row in valid)


def test_a_fee_code_is_used_again_for_something_else() -> None:
    again = Counter(row["code"] for row in rows("service_codes"))
    assert [code for code, count in again.items() if count > 1]
