"""What a new vocabulary release does to approved mappings, on releases in Athena's file format."""

from pathlib import Path

import pytest
from mapping_samples import code, lookup

from madang.lake.engine import Engine
from madang.science.omop.vocabulary import Vocabulary
from madang.science.standardize.mapping import (
    Equivalence,
    Status,
    build_index,
    changed_targets,
    decide,
    folder_key,
    read_terms,
)

CONCEPT = (
    "concept_id\tconcept_name\tdomain_id\tvocabulary_id\tconcept_class_id\tstandard_concept\tconcept_code\t"
    "valid_start_date\tvalid_end_date\tinvalid_reason"
)
RELATIONSHIP = "concept_id_1\tconcept_id_2\trelationship_id\tvalid_start_date\tvalid_end_date\tinvalid_reason"
SYNONYM = "concept_id\tconcept_synonym_name\tlanguage_concept_id"


def concept(n: int, name: str, domain: str, standard: str = "S", invalid: str = "", end: str = "20991231") -> str:
    return f"{n}\t{name}\t{domain}\tSNOMED\tDisorder\t{standard}\tc{n}\t19700101\t{end}\t{invalid}"


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A later release than the one of the samples: 1 as it was, 2 retired, 3 no longer standard, 4 moved, 5 gone."""
    folder = tmp_path / "release"
    folder.mkdir()
    concepts = [
        concept(1, "Type 2 diabetes mellitus", "Condition"),
        concept(2, "Type 1 diabetes mellitus", "Condition", "", "U", "20250131"),
        concept(3, "Essential hypertension", "Condition", ""),
        concept(4, "Hemoglobin A1c in blood", "Observation"),
        concept(6, "metformin or the like", "Drug"),
        concept(20, "Type 1 diabetes", "Condition"),
        concept(21, "Retired as well", "Condition", "", "D"),
        concept(0, "No matching concept", "Metadata", ""),
    ]
    related = [
        "2\t20\tConcept replaced by\t20250131\t20991231\t",
        "2\t21\tConcept replaced by\t20250131\t20991231\t",
        "3\t20\tMaps to\t20250131\t20991231\tD",
        "1\t20\tSubsumes\t19700101\t20991231\t",
    ]
    version = "vocabulary_id\tvocabulary_name\tvocabulary_reference\tvocabulary_version\tvocabulary_concept_id"
    files = {
        "CONCEPT": [CONCEPT, *concepts],
        "CONCEPT_RELATIONSHIP": [RELATIONSHIP, *related],
        "CONCEPT_SYNONYM": [SYNONYM, "1\tsugar disease\t4180186", "1\tTYPE 2 DIABETES MELLITUS\t4180186"],
        "VOCABULARY": [version, "None\tAll\tx\tv6 TEST\t0"],
    }
    for name, lines in files.items():
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_each_change_of_an_approved_target_is_listed(release: Path) -> None:
    mappings = [decide(code(f"D{n}"), lookup(n), Status.APPROVED, Equivalence.EQUAL, "Kim") for n in range(1, 7)]
    mappings.append(decide(code("D7"), lookup(3), Status.CANDIDATE, Equivalence.UNREVIEWED, "Kim"))
    mappings.append(decide(code("D8"), None, Status.APPROVED, Equivalence.UNMATCHED, "Kim"))
    with Engine() as engine:
        changes = changed_targets(mappings, Vocabulary.from_folder(engine, release))
    assert [(c.mapping.source_code, c.kinds, c.replacements) for c in changes] == [
        ("D2", ("retired", "replaced"), (20,)),
        ("D3", ("not standard",), ()),
        ("D4", ("moved domain",), ()),
        ("D5", ("missing",), ()),
        ("D6", ("renamed",), ()),
    ]
    assert changes[0].now == "was retired on 2025-01-31 and is replaced by 20"
    assert changes[2].now == "moved from Measurement to Observation"


def test_nothing_approved_is_nothing_changed(release: Path) -> None:
    with Engine() as engine:
        assert changed_targets([], Vocabulary.from_folder(engine, release)) == []


def test_the_index_of_a_release_holds_names_and_synonyms(release: Path, tmp_path: Path) -> None:
    with Engine() as engine:
        terms = read_terms(Vocabulary.from_folder(engine, release))
    assert terms.release == "v6 TEST"
    assert terms.synonyms.to_pylist() == [{"concept_id": 1, "concept_synonym_name": "sugar disease"}]
    index = build_index(terms, tmp_path / "index")
    assert index.search("suger disease")[0].concept_id == 1


def test_the_key_of_a_release_changes_with_its_files(release: Path) -> None:
    first = folder_key(release)
    assert folder_key(release) == first
    with (release / "CONCEPT.csv").open("a") as file:
        file.write(concept(30, "New", "Condition") + "\n")
    assert folder_key(release) != first
