"""The name index: what it finds, and that it finds exactly what comparing with every name finds."""

import json
from pathlib import Path

import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from mapping_samples import CONCEPTS, MAPS, SYNONYMS, lookup, make_index, make_terms, slow_search

from madang.base.errors import MadangError
from madang.science.standardize.mapping import Filter, NameIndex, build_index, open_index
from support import shared_data

STEMS = [
    "당뇨",
    "병",
    "성",
    "고혈압",
    "dia",
    "betes",
    "hyper",
    "tension",
    "a1c",
    "500",
    "mg",
    "é",
    "ﬁ",
    "IV",
    "-",
    "/",
    "혈",
]
WORDS = st.lists(st.sampled_from(STEMS), min_size=1, max_size=3).map("".join)
# Letters that Unicode had long ago: Python and Arrow need not know the same release of it.
LETTERS = st.one_of(st.characters(max_codepoint=0x24F), st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3))
NAMES = st.one_of(st.lists(WORDS, min_size=1, max_size=4).map(" ".join), st.text(LETTERS, max_size=8))


@st.composite
def vocabularies(draw: st.DrawFn) -> tuple[object, list[str]]:
    names = draw(st.lists(NAMES, min_size=1, max_size=40))
    state = st.sampled_from([("S", None), (None, None), ("C", None), ("S", "D"), (None, "U")])
    ids = draw(st.lists(st.integers(1, 10**9), min_size=len(names), max_size=len(names), unique=True))
    concepts = [
        (n, name, "Condition", draw(st.sampled_from(["A", "B"])), "Class", standard, f"c{n}", invalid)
        for n, name in zip(ids, names, strict=True)
        for standard, invalid in [draw(state)]
    ]
    synonyms = draw(st.lists(st.tuples(st.sampled_from(ids), NAMES), max_size=20))
    maps = draw(st.lists(st.tuples(st.sampled_from(ids), st.sampled_from(ids)), max_size=20, unique=True))
    return make_terms(concepts, synonyms, [pair for pair in maps if pair[0] != pair[1]]), names


@given(vocabulary=vocabularies(), others=st.lists(NAMES, min_size=1, max_size=5), k=st.integers(1, 12))
def test_search_finds_what_comparing_with_every_name_finds(
    tmp_path_factory: pytest.TempPathFactory, vocabulary: tuple[object, list[str]], others: list[str], k: int
) -> None:
    terms, names = vocabulary
    index = build_index(terms, tmp_path_factory.mktemp("twin") / "index")  # type: ignore[arg-type]  # Terms
    queries = names[:5] + others
    for query, hits in zip(queries, index.search_many(queries, k), strict=True):
        expected = slow_search(terms, query, k)  # type: ignore[arg-type]  # Terms
        assert [(hit.concept_id, hit.score) for hit in hits] == [(n, pytest.approx(score)) for n, score in expected]
        event("found" if expected else "nothing found")
        event("more than wanted" if len(expected) == k else "all there are")


@pytest.mark.big
def test_search_finds_the_same_among_many_names(tmp_path: Path) -> None:
    rows = [
        (n, f"{a} {b} {c} {n % 7}", "Condition", "A", "Class", "S" if n % 3 else None, str(n), None)
        for n, (a, b, c) in enumerate((a, b, c) for a in STEMS for b in STEMS for c in STEMS[:12])
    ]
    terms = make_terms(rows, [], [(n, 1) for n in range(0, len(rows), 6)])
    index = make_index(tmp_path, terms)
    for query in ("diabetes 당뇨병 500", "hyper tension", "tension hypr", "mg", "혈 성 병 3"):
        hits = index.search(query, 10)
        assert [hit.score for hit in hits] == [pytest.approx(score) for __, score in slow_search(terms, query, 10)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("Type 2 diabetes mellitus", 1),
        ("TYPE 2 DIABETES MELLITUS", 1),
        ("mellitus diabetes type 2", 1),
        ("Typ 2 diabtes melitus", 1),
        ("제2형 당뇨병", 8),
        ("제 2형당뇨병", 8),
        ("제2형 당료병", 8),
        ("본태성고혈압", 3),
        ("hba1c", 4),
        ("Metformin 500mg tablet", 7),
    ],
)
def test_case_order_typos_and_spaces_are_forgiven(tmp_path: Path, query: str, expected: int) -> None:
    assert make_index(tmp_path).search(query)[0].concept_id == expected


def test_names_that_lead_to_no_target_are_not_found(tmp_path: Path) -> None:
    index = make_index(tmp_path)
    assert 12 not in [hit.concept_id for hit in index.search("Diabetes")]
    assert index.terms == len([row for row in CONCEPTS if row[0] not in (11, 12)]) + len(SYNONYMS)


def test_a_search_can_be_narrowed(tmp_path: Path) -> None:
    index = make_index(tmp_path)
    metformin = index.search("metformin", 9, Filter(classes=frozenset({"Ingredient"})))
    assert [hit.concept_id for hit in metformin] == [6]
    assert {hit.concept_id for hit in index.search("blood", 9, Filter(domains=frozenset({"Measurement"})))} == {4, 5}
    assert 8 not in {hit.concept_id for hit in index.search("제2형 당뇨병", 9, Filter(standard_only=True))}
    drugs = index.search("metformin for diabetes", 9, Filter(vocabularies=frozenset({"RxNorm"})))
    assert {hit.concept_id for hit in drugs} == {6, 7}


@pytest.mark.parametrize("query", ["", "   ", "---", "\0", "\ud7a3\u0301", "ж", "a" * 100_000])
def test_names_without_anything_known_find_nothing(tmp_path: Path, query: str) -> None:
    assert make_index(tmp_path).search(query) == []


def test_it_knows_the_concepts_their_codes_and_targets(tmp_path: Path) -> None:
    index = make_index(tmp_path)
    for number in (row[0] for row in CONCEPTS):
        assert index.concept(int(number)) == lookup(int(number))  # type: ignore[call-overload]  # an identifier
    assert index.concept(999) is None
    assert [index.maps_to(n) for n in (1, 8, 12, 999)] == [[1], [dict(MAPS)[8]], [], []]
    assert index.by_code("e119") == [9]
    assert index.by_code("E11") == [8]
    assert index.by_code("4548 4") == [4]
    assert index.by_code("nothing") == index.by_code("..") == []


def test_an_empty_vocabulary_can_be_searched(tmp_path: Path) -> None:
    rows = [(1, "Something", "Condition", "A", "Class", None, "1", "D")]
    index = make_index(tmp_path, make_terms(rows, [], []))
    assert index.search("Something") == []
    assert index.terms == 0


def test_it_is_built_once_for_all_and_opened_by_name(tmp_path: Path) -> None:
    built = []

    def terms() -> object:
        built.append(1)
        return make_terms()

    for __ in range(2):
        assert open_index(tmp_path, "key", terms).search("metformin")[0].concept_id == 6
    assert built == [1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["key", "key.lock"]


def test_a_build_that_fails_leaves_nothing(tmp_path: Path) -> None:
    terms = make_terms()
    broken = type(terms)("v", terms.concepts.drop_columns(["domain_id"]), terms.synonyms, terms.maps)
    with pytest.raises(KeyError):
        open_index(tmp_path, "key", lambda: broken)
    assert [path.name for path in tmp_path.iterdir()] == ["key.lock"]


def test_a_folder_that_is_no_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MadangError, match="holds no name index"):
        NameIndex(tmp_path)
    index = make_index(tmp_path)
    meta = json.loads((index.folder / "meta.json").read_text())
    (index.folder / "meta.json").write_text(json.dumps({**meta, "format": 0}))
    with pytest.raises(MadangError, match="another format"):
        NameIndex(index.folder)


def test_the_index_of_a_real_vocabulary_finds_every_standard_name(tmp_path: Path) -> None:
    from madang.lake.engine import Engine
    from madang.science.omop.vocabulary import Vocabulary
    from madang.science.standardize.mapping import read_terms

    folder = shared_data("vocabulary")
    with Engine() as engine:
        index = build_index(read_terms(Vocabulary.from_folder(engine, folder)), tmp_path / "index")
    standard = [n for n in index._ids.tolist() if (concept := index.concept(n)) and concept.standard]
    names = [concept.name for n in standard if (concept := index.concept(n))]
    found = index.search_many(names, 1, Filter(standard_only=True))
    assert all(hits[0].score == pytest.approx(1) for hits in found)
    assert len(standard) > 1000
