"""Small vocabularies and codes for the tests of the mapping review; all names in our own words."""

import math
import unicodedata
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from madang.science.standardize.mapping import Concept, NameIndex, SourceCode, Terms, build_index

CONCEPTS = [
    # concept_id, name, domain, vocabulary, class, standard, code, invalid_reason
    (1, "Type 2 diabetes mellitus", "Condition", "SNOMED", "Disorder", "S", "44", None),
    (2, "Type 1 diabetes mellitus", "Condition", "SNOMED", "Disorder", "S", "46", None),
    (3, "Essential hypertension", "Condition", "SNOMED", "Disorder", "S", "59", None),
    (4, "Hemoglobin A1c in blood", "Measurement", "LOINC", "Lab Test", "S", "4548-4", None),
    (5, "Hemoglobin in blood", "Measurement", "LOINC", "Lab Test", "S", "718-7", None),
    (6, "metformin", "Drug", "RxNorm", "Ingredient", "S", "6809", None),
    (7, "metformin 500 MG oral tablet", "Drug", "RxNorm", "Clinical Drug", "S", "861007", None),
    (8, "Sugar disease of adults", "Condition", "KCD7", "KCD7 code", None, "E11", None),
    (9, "Sugar disease of adults without complication", "Condition", "ICD10", "ICD10 code", None, "E11.9", None),
    (10, "Old name of hypertension", "Condition", "SNOMED", "Disorder", None, "60", "U"),
    (11, "metformin; oral", "Drug", "ATC", "ATC 5th", "C", "A10BA02", None),
    (12, "Diabetes", "Condition", "SNOMED", "Disorder", None, "73", None),
]
SYNONYMS = [(8, "제2형 당뇨병"), (3, "본태성 고혈압"), (4, "HbA1c"), (4, "당화혈색소")]
MAPS = [(8, 1), (9, 1), (10, 3)]
COLUMNS = (
    *("concept_id", "concept_name", "domain_id", "vocabulary_id", "concept_class_id"),
    *("standard_concept", "concept_code", "invalid_reason"),
)


def make_terms(
    concepts: Iterable[tuple[object, ...]] = CONCEPTS,
    synonyms: Iterable[tuple[int, str]] = SYNONYMS,
    maps: Iterable[tuple[int, int]] = MAPS,
) -> Terms:
    """Terms of a made-up release."""
    types = [pa.int64(), *[pa.string()] * 7]
    rows, named, mapped = list(zip(*concepts, strict=True)), list(synonyms), list(maps)
    return Terms(
        release="v-test",
        concepts=pa.table(
            {name: pa.array(values, kind) for name, values, kind in zip(COLUMNS, rows, types, strict=True)}
        ),
        synonyms=pa.table(
            {
                "concept_id": pa.array([row[0] for row in named], pa.int64()),
                "concept_synonym_name": pa.array([row[1] for row in named], pa.string()),
            }
        ),
        maps=pa.table({f"concept_id_{n}": pa.array([row[n - 1] for row in mapped], pa.int64()) for n in (1, 2)}),
    )


def make_index(folder: Path, terms: Terms | None = None) -> NameIndex:
    """The index of the sample vocabulary, or of other terms."""
    return build_index(terms or make_terms(), folder / "index")


def lookup(concept_id: int) -> Concept | None:
    """A concept of the sample vocabulary."""
    for row in CONCEPTS:
        if row[0] == concept_id:
            number, name, domain, vocabulary, kind, standard, code, invalid = row
            return Concept(number, name, domain, vocabulary, kind, code, standard == "S" and not invalid, not invalid)
    return None


def code(code: str, *names: str, vocabulary: str = "LOCAL", records: int = 1, **more: object) -> SourceCode:
    """A source code."""
    return SourceCode(vocabulary, code, names, records=records, **more)  # type: ignore[arg-type]  # any field


# The slow twin of the index: the same likeness, said plainly.


def slow_trigrams(name: str) -> frozenset[str]:
    """Trigrams of the words of a name, a space on either side of each word."""
    letters = [c for c in unicodedata.normalize("NFKD", name) if not unicodedata.category(c).startswith("M")]
    words, last = "", " "
    for letter in "".join(letters).lower():
        kind = unicodedata.category(letter)[0]
        kind = kind if kind in "LN" else " "
        words += " " if kind != last or kind == " " else ""
        words += letter if kind != " " else ""
        last = kind
    return frozenset(f" {word} "[at : at + 3] for word in words.split() for at in range(len(word)))


def slow_search(terms: Terms, name: str, k: int) -> list[tuple[int, float]]:
    """The k best (concept, likeness) by comparing the name with every term."""
    concepts = {row["concept_id"]: row for row in terms.concepts.to_pylist()}
    standard = {n for n, row in concepts.items() if row["standard_concept"] == "S" and not row["invalid_reason"]}
    mapped = {r["concept_id_1"] for r in terms.maps.to_pylist() if r["concept_id_2"] in standard} & set(concepts)
    named = [(n, row["concept_name"] or "") for n, row in concepts.items()]
    named += [(row["concept_id"], row["concept_synonym_name"]) for row in terms.synonyms.to_pylist()]
    found = [(n, grams) for n, text in named if n in standard | mapped and (grams := slow_trigrams(text))]
    counts: dict[str, int] = {}
    for __, grams in found:
        for gram in grams:
            counts[gram] = counts.get(gram, 0) + 1

    def weight(grams: frozenset[str]) -> int:
        return sum(round(64 * math.log1p(len(found) / counts.get(gram, 1)) ** 2) for gram in grams)

    wanted, best = slow_trigrams(name), dict[int, float]()
    for n, grams in found:
        if common := weight(grams & wanted):
            score = common / math.sqrt(weight(grams) * weight(wanted))
            best[n] = max(best.get(n, 0.0), score)
    order = sorted(best, key=lambda n: (-best[n], n not in standard, n))
    return [(n, best[n]) for n in order[:k]]
