"""Suggestions: by name, code, parent code, earlier decisions and hints; each says why."""

from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mapping_samples import CONCEPTS, code, lookup, make_index, make_terms

from madang.base.errors import MadangError
from madang.lake import Lake
from madang.lake.engine import Engine
from madang.science.standardize.mapping import (
    Equivalence,
    Filter,
    Mapping,
    SourceCode,
    Status,
    Suggester,
    Suggestion,
    codes_of_version,
    decide,
)


def best(folder: Path, source: SourceCode, *mappings: Mapping) -> Suggestion:
    return Suggester(make_index(folder), mappings).suggest(source)[0]


def approved(source: SourceCode, target: int, status: Status = Status.APPROVED) -> Mapping:
    return decide(source, lookup(target), status, Equivalence.EQUAL, "Kim")


@pytest.mark.parametrize(
    ("source", "target", "kind", "words"),
    [
        (code("X", "essential hypertention"), 3, "name", "is called 'Essential hypertension'"),
        (code("X", "제2형당뇨병"), 1, "name", "KCD7 E11 '제2형 당뇨병' maps to it"),
        (code("X", "내과", "HbA1c"), 4, "name", "is called 'HbA1c'"),
        (code("E11.9", vocabulary="KCD8"), 1, "same code", "ICD10 E11.9"),
        (code("E1190", vocabulary="KCD8"), 1, "parent code", "the parent code ICD10 E11.9"),
        (code("4548-4", vocabulary="LAB"), 4, "same code", "LOINC 4548-4"),
        (code("X", ingredients=("metformine",)), 6, "ingredient", "holds the ingredient metformine"),
        (code("X", atc_codes=("A10BA02",)), 6, "ingredient", "is of ATC A10BA02"),
    ],
)
def test_each_kind_of_evidence_finds_its_target(
    tmp_path: Path, source: SourceCode, target: int, kind: str, words: str
) -> None:
    suggestion = best(tmp_path, source)
    assert suggestion.concept.concept_id == target
    assert suggestion.reasons[0].kind == kind
    assert words in suggestion.reasons[0].text
    assert 0 < suggestion.score <= 1


def test_earlier_decisions_are_evidence(tmp_path: Path) -> None:
    same_name = best(tmp_path, code("D2", "우리 당뇨"), approved(code("D1", "우리  당뇨"), 2))
    assert (same_name.concept.concept_id, same_name.reasons[0].kind) == (2, "decision")
    assert "LOCAL D1 of the same name was approved so by Kim" in same_name.reasons[0].text
    kindred = best(tmp_path, code("Z999", vocabulary="KCD8"), approved(code("Z99.9", vocabulary="KCD7"), 2))
    assert (kindred.concept.concept_id, kindred.reasons[0].kind) == (2, "decision")
    parent = best(tmp_path, code("LX123"), approved(code("LX12"), 5))
    assert (parent.concept.concept_id, parent.reasons[0].kind, parent.equivalence) == (
        5,
        "parent code",
        Equivalence.WIDER,
    )


def test_what_was_rejected_is_not_suggested_again_for_that_code(tmp_path: Path) -> None:
    source, index = code("D1", "Essential hypertension"), make_index(tmp_path)
    suggester = Suggester(index, [approved(source, 3, Status.REJECTED)])
    assert 3 not in [s.concept.concept_id for s in suggester.suggest(source)]
    assert suggester.suggest(code("D2", "Essential hypertension"))[0].concept.concept_id == 3


def test_evidence_of_several_kinds_counts_more_and_the_other_domain_less(tmp_path: Path) -> None:
    index = make_index(tmp_path)
    suggest = Suggester(index).suggest
    by_name = suggest(code("X", "Type 2 diabetes"))[0]
    by_both = suggest(code("E11.9", "Type 2 diabetes", vocabulary="KCD8"))[0]
    assert by_both.score > by_name.score
    assert [reason.kind for reason in by_both.reasons] == ["same code", "name", "parent code"]
    elsewhere = suggest(code("X", "Type 2 diabetes", domain="Drug"))[0]
    assert elsewhere.score == pytest.approx(0.8 * by_name.score)
    assert "its domain is Condition, not Drug" in elsewhere.reasons[-1].text


def test_only_standard_valid_concepts_are_suggested_best_first(tmp_path: Path) -> None:
    index = make_index(tmp_path)
    sources = [code("X", str(row[1])) for row in CONCEPTS] + [code("X"), code("")]
    for suggestions in Suggester(index).suggest_many(sources, 20):
        assert all(s.concept.standard for s in suggestions)
        assert [s.score for s in suggestions] == sorted((s.score for s in suggestions), reverse=True)
        assert len({s.concept.concept_id for s in suggestions}) == len(suggestions)
    only = Suggester(index).suggest(code("X", "metformin in blood"), 9, Filter(domains=frozenset({"Drug"})))
    assert {s.concept.domain_id for s in only} == {"Drug"}


def test_a_code_without_any_evidence_has_no_suggestion(tmp_path: Path) -> None:
    assert Suggester(make_index(tmp_path)).suggest(code("QQ", "ㅁㄴㅇ")) == []
    assert Suggester(make_index(tmp_path / "other", make_terms(synonyms=[], maps=[]))).suggest(code("E1")) == []


def test_the_codes_of_a_dataset_are_those_its_run_met(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    table = pa.table(
        {
            "vocabulary_id": ["KCD7", "LAB", None],
            "code": ["E119", "L1", "x"],
            "code_name": [None, "당화혈색소", None],
            "domain": ["Condition", "Measurement", None],
            "records": pa.array([3, 9, 1], pa.int64()),
            "persons": pa.array([1, 2, 1], pa.int64()),
            "level": ["undotted", "unmapped", None],
            "source_concept_id": pa.array([9, 0, 0], pa.int64()),
            "target_concept_ids": ["1,3", "", None],
            "first_date": pa.array([date(2020, 1, 1), None, None], pa.date32()),
            "last_date": pa.array([date(2021, 1, 1), None, None], pa.date32()),
        }
    )
    with lake.dataset("ward").write() as writer:
        path = writer.new_file("source_codes")
        pq.write_table(table, path)
        writer.add("source_codes", path)
        version = writer.commit(kind="standardize", info={})
    with Engine() as engine:
        lab, diabetes = codes_of_version(engine, version)
    assert lab == SourceCode("LAB", "L1", ("당화혈색소",), "Measurement", 9, 2, "unmapped")
    assert (diabetes.target_concept_ids, diabetes.level) == ((1, 3), "undotted")
    assert (diabetes.first_date, diabetes.last_date) == (date(2020, 1, 1), date(2021, 1, 1))


def test_a_dataset_without_codes_says_so(tmp_path: Path) -> None:
    with Lake(tmp_path / "lake").dataset("ward").write() as writer:
        path = writer.new_file("person")
        pq.write_table(pa.table({"person_id": pa.array([1], pa.int64())}), path)
        writer.add("person", path)
        version = writer.commit(kind="import", info={})
    with Engine() as engine, pytest.raises(MadangError, match="has no table source_codes"):
        codes_of_version(engine, version)
