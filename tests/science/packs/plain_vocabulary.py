"""Codes, concepts and tables in plain Python, obviously right: the judge of the engine's mapping and routing."""

import csv
import hmac
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

KEY = b"a key that only tests know"

TABLE_OF_DOMAIN = {
    "Condition": "condition_occurrence",
    "Drug": "drug_exposure",
    "Procedure": "procedure_occurrence",
    "Measurement": "measurement",
    "Observation": "observation",
    "Device": "device_exposure",
}
DATES = {"condition_occurrence": "condition_start_date", "drug_exposure": "drug_exposure_start_date",
         "procedure_occurrence": "procedure_date", "measurement": "measurement_date",
         "observation": "observation_date", "device_exposure": "device_exposure_start_date"}  # fmt: skip


def pseudonym(identifier: str) -> str:
    """The pseudonym of an identifier under `KEY`: 128 bits of HMAC-SHA256."""
    return hmac.new(KEY, identifier.encode(), "sha256").hexdigest()[:32]


def rows(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    """The rows of a delimited file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter, quoting=csv.QUOTE_NONE if delimiter == "\t" else 0))


class PlainVocabulary:
    """A vocabulary in dictionaries."""

    def __init__(self, folder: Path) -> None:
        self.concepts = {row["concept_id"]: row for row in rows(folder / "CONCEPT.csv", "\t")}
        self.by_code: dict[tuple[str, str], list[str]] = {}
        for row in self.concepts.values():
            self.by_code.setdefault((row["vocabulary_id"], row["concept_code"]), []).append(row["concept_id"])
        self.links: dict[tuple[str, str], list[str]] = {}
        for row in rows(folder / "CONCEPT_RELATIONSHIP.csv", "\t"):
            if not row["invalid_reason"]:
                self.links.setdefault((row["concept_id_1"], row["relationship_id"]), []).append(row["concept_id_2"])

    def standard(self, concept: str) -> list[str]:
        """The standard concepts that one concept means: itself, what it maps to, what replaced it."""
        row = self.concepts.get(concept)
        if row is None:
            return []
        if row["standard_concept"] == "S" and not row["invalid_reason"]:
            return [concept]
        for relationship in ("Maps to", "Concept replaced by"):
            others = (other for other in self.links.get((concept, relationship), []) if other != concept)
            if found := sorted({target for other in others for target in self.standard(other)}):
                return found
        return []

    def places(self, vocabulary: str, code: str, domain: str) -> list[tuple[str, int, int]]:
        """(table, standard concept, source concept) of each row that a record of this code makes."""
        sources = self.by_code.get((vocabulary, code), [])
        assert len(sources) <= 1, "no code of the sample has two concepts, so dates do not matter"
        source = int(sources[0]) if sources else 0
        targets = self.standard(sources[0]) if sources else []
        if not targets:
            return [(TABLE_OF_DOMAIN[domain], 0, source)]
        return [(TABLE_OF_DOMAIN.get(self.concepts[t]["domain_id"], "observation"), int(t), source) for t in targets]


def event_rows(result: object, table: str) -> Iterator[tuple[str, str, str, int, int, str]]:
    """(table, pseudonym, start date, concept, source concept, source value) of every row of an event table."""
    name = table.removesuffix("_occurrence").removesuffix("_exposure")
    answer = result.sql(  # type: ignore[attr-defined]  # Standardized, which has no room in a plain module
        f"SELECT person_source_value AS who, {DATES[table]}::VARCHAR AS day, {name}_concept_id AS concept, "
        f"{name}_source_concept_id AS source, {name}_source_value AS value FROM {table} JOIN person USING (person_id)"
    )
    for row in answer.to_pylist():
        yield table, row["who"], row["day"], row["concept"], row["source"], row["value"]


def texts_in(folder: Path) -> set[str]:
    """All texts in all Parquet files below a folder."""
    found: set[str] = set()
    for path in folder.rglob("*.parquet"):
        table = pq.ParquetFile(path).read()
        for column in table.columns:
            if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
                found.update(value for value in column.unique().to_pylist() if value is not None)
    return found
