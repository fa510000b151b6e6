"""What the index is built from: the names, synonyms and mappings of one vocabulary release."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from madang.lake.files import sentences
from madang.science.omop.vocabulary import CURRENT, Vocabulary

_SAMPLE = 1 << 16  # bytes from both ends of a file that stand for it
_FILES = ("CONCEPT.CSV", "CONCEPT_SYNONYM.CSV", "CONCEPT_RELATIONSHIP.CSV", "VOCABULARY.CSV")


@dataclass(frozen=True)
class Terms:
    """Names of one vocabulary release, as Arrow tables with the CDM's column names."""

    release: str
    concepts: pa.Table
    """concept_id, concept_name, domain_id, vocabulary_id, concept_class_id, standard_concept, concept_code,
    invalid_reason."""
    synonyms: pa.Table
    """concept_id, concept_synonym_name."""
    maps: pa.Table
    """concept_id_1, concept_id_2 of the valid `Maps to` relationships between different concepts."""


def read_terms(vocabulary: Vocabulary) -> Terms:
    """The terms of an attached vocabulary; a row without identifier is left out."""
    query, table = vocabulary.engine.query, vocabulary.table
    vocabulary.engine.rows("SELECT 1")  # `Engine.value` leaves its result open, on which `Engine.query` fails
    return Terms(
        release=vocabulary.release,
        concepts=query(
            "SELECT concept_id::BIGINT AS concept_id, concept_name, domain_id, vocabulary_id, concept_class_id, "
            f"standard_concept, concept_code, invalid_reason FROM {table('concept')} WHERE concept_id IS NOT NULL"
        ),
        synonyms=query(
            "SELECT concept_id::BIGINT AS concept_id, concept_synonym_name "
            f"FROM {table('concept_synonym')} JOIN {table('concept')} USING (concept_id) "
            "WHERE lower(concept_synonym_name) <> lower(coalesce(concept_name, '')) ORDER BY ALL"
        ),
        maps=query(
            "SELECT DISTINCT concept_id_1::BIGINT AS concept_id_1, concept_id_2::BIGINT AS concept_id_2 "
            f"FROM {table('concept_relationship')} "
            f"WHERE relationship_id = 'Maps to' AND concept_id_1 <> concept_id_2 AND {CURRENT}"
        ),
    )


def folder_key(folder: Path) -> str:
    """A short name of a vocabulary download that changes with it: sizes, times and both ends of its files.

    Reading gigabytes only to find that nothing changed would take longer than the search.
    """
    digest = hashlib.sha256()
    with sentences(f"read {folder}"):
        for path in sorted(path for path in folder.iterdir() if path.name.upper() in _FILES and path.is_file()):
            with path.open("rb") as file:
                size, written = path.stat().st_size, path.stat().st_mtime_ns
                head = file.read(_SAMPLE)
                file.seek(max(size - _SAMPLE, 0))
                digest.update(f"{path.name.upper()} {size} {written} ".encode() + head + file.read())
    return digest.hexdigest()[:32]
