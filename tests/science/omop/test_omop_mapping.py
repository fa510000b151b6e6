"""Codes become standard concepts: the set-wise way agrees with the slow twin over generated vocabularies."""

import datetime
from collections import defaultdict
from itertools import pairwise
from random import Random

import pyarrow as pa
import slow_mapping
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_mapping import Concept, Edge, OwnMap, World
from vocabularies import FOREVER, attach

import support
from madang.lake.engine import Engine
from madang.science.omop.mapping import LEVELS, fallbacks, map_codes

DAY = datetime.timedelta(days=1)
DATES = [datetime.date(year, 1, 1) for year in (1970, 2003, 2008, 2011, 2016, 2021)] + [datetime.date(2099, 12, 31)]
SOURCES = ["KCD7", "KCD8", "ICD10", "ICD10CM", "EDI", "KDC", "Local"]
CODES = ["E11", "E119", "E11.9", "E1190", "E11.90", "AA154", "AA154010", "641600130", ".", "É9"]
DOMAINS = ["Condition", "Drug", "Measurement", "Observation", "Gender"]
KINDS = ["Maps to", "Maps to", "Maps to", "Maps to value", "Concept replaced by"]


def run(engine: Engine, world: World, codes: list[tuple[str, str]]) -> dict[tuple[str, str], list[dict]]:
    """The rows of `code_map` by code."""
    vocabulary = attach(engine, world)
    given = [{"vocabulary_id": vocabulary_id, "code": code} for vocabulary_id, code in codes]
    engine.register("codes", pa.Table.from_pylist(given))
    map_codes(engine, "codes", vocabulary, maps="vocab.source_to_concept_map")
    engine.unregister("codes")
    rows = defaultdict(list)
    for row in engine.query("FROM code_map ORDER BY ALL").to_pylist():
        rows[row["vocabulary_id"], row["code"]].append(row)
    return rows


def answer_on(rows: list[dict], day: datetime.date) -> slow_mapping.Answer:
    now = [row for row in rows if row["valid_from"] <= day <= row["valid_to"]]
    assert len({(row["valid_from"], row["source_concept_id"], row["level"]) for row in now}) == 1
    targets = [(r["k"], r["target_concept_id"], r["domain_id"], r["value_as_concept_id"]) for r in now]
    assert len(set(targets)) == len(targets)
    return now[0]["source_concept_id"], now[0]["level"], frozenset(targets)


def make_world(random: Random) -> World:
    """A small vocabulary in which codes clash, end, are reused, replaced and mapped in every way."""
    concepts, edges = [], []
    ids = range(1, random.randint(4, 18))
    for number in ids:
        standard = random.choice(["S", "S", None, None, "C"])
        starts, ends = random.choices(DATES, k=2)
        concepts.append(
            Concept(
                number,
                random.choice(DOMAINS),
                "SNOMED" if standard == "S" and random.random() < 0.7 else random.choice(SOURCES),
                random.choice(CODES),
                standard,
                starts,
                ends if random.random() < 0.5 else DATES[-1],
                random.choice([None, None, None, "D", "U"]),
            )
        )
    for number in [*ids, ids[-1] + 1]:  # the last is in no concept
        for _ in range(random.choice([0, 1, 1, 2, 5])):
            edges.append(
                Edge(number, random.choice(KINDS), random.choice([*ids, 99]), random.choice([None, None, None, "D"]))
            )
    maps = [
        OwnMap(
            random.choice(SOURCES),
            random.choice(CODES),
            random.choice([0, 0, 1, 2]),
            random.choice([0, 1, 2, 2_000_000_001, 2_000_000_002]),
            *random.choices(DATES, k=2),
            random.choice([None, None, "D"]),
        )
        for _ in range(random.choice([0, 3, 12]))
    ]
    return World(tuple(concepts), tuple(edges), tuple(maps), fallbacks())


def test_every_code_on_every_date_means_what_the_slow_twin_says(engine: Engine) -> None:
    seen: set[str] = set()

    days = {*DATES, *(day - DAY for day in DATES), *(day + DAY for day in DATES), slow_mapping.FIRST, slow_mapping.LAST}

    @settings(max_examples=settings().max_examples + 5)
    @given(st.randoms(use_true_random=True))
    def agree(random: Random) -> None:
        world = make_world(random)
        codes = [(vocabulary, code) for vocabulary in [*SOURCES, "SNOMED"] for code in random.sample(CODES, 5)]
        answers = run(engine, world, codes)
        assert set(answers) == set(codes)
        for code, rows in answers.items():
            windows = sorted({(row["valid_from"], row["valid_to"]) for row in rows})
            assert windows[0][0] == slow_mapping.FIRST
            assert windows[-1][1] == slow_mapping.LAST
            assert all(one[1] + DAY == two[0] for one, two in pairwise(windows))
            for day in days:
                expected = slow_mapping.look_up(world, *code, day)
                assert answer_on(rows, day) == expected, (code, day)
                _note(expected, windows, seen)

    agree()
    if support.EVERYTHING:  # few examples show only a part
        assert seen == {*LEVELS, "several targets", "value", "several windows", "source concept of an unmapped code"}


def _note(answer: slow_mapping.Answer, windows: list, seen: set[str]) -> None:
    source, level, targets = answer
    seen.add(level)
    if max(k for k, *_ in targets) > 0:
        seen.add("several targets")
    if any(value for *_, value in targets):
        seen.add("value")
    if len(windows) > 2:
        seen.add("several windows")
    if level == "unmapped" and source:
        seen.add("source concept of an unmapped code")


def concept(number: int, vocabulary: str, code: str, standard: str | None = None, domain: str = "Condition", **changes):
    return Concept(number, domain, vocabulary, code, standard, *changes.get("dates", FOREVER), changes.get("invalid"))


def one(engine: Engine, world: World, vocabulary: str, code: str, day: str = "2015-05-05") -> slow_mapping.Answer:
    rows = run(engine, world, [(vocabulary, code)])[vocabulary, code]
    return answer_on(rows, datetime.date.fromisoformat(day))


def test_a_claims_code_without_its_dot_is_found(engine: Engine) -> None:
    concepts = (concept(1, "KCD7", "E11.9"), concept(2, "SNOMED", "1", "S"))
    world = World(concepts, (Edge(1, "Maps to", 2, None),), (), fallbacks())
    assert one(engine, world, "KCD7", "E119") == (1, "undotted", frozenset({(0, 2, "Condition", None)}))


def test_a_korean_subdivision_becomes_its_broader_code_and_claims_no_source_concept(engine: Engine) -> None:
    concepts = (concept(1, "KCD7", "E11.9"), concept(2, "SNOMED", "1", "S"))
    world = World(concepts, (Edge(1, "Maps to", 2, None),), (), fallbacks())
    assert one(engine, world, "KCD7", "E1190") == (0, "parent code", frozenset({(0, 2, "Condition", None)}))


def test_a_code_of_a_later_revision_is_taken_from_icd10_before_it_is_broadened(engine: Engine) -> None:
    concepts = (
        concept(1, "KCD7", "U07"),
        concept(2, "ICD10", "U07.1"),
        *(concept(n, "SNOMED", "", "S") for n in (8, 9)),
    )
    world = World(concepts, (Edge(1, "Maps to", 8, None), Edge(2, "Maps to", 9, None)), (), fallbacks())
    assert one(engine, world, "KCD8", "U071") == (2, "other vocabulary", frozenset({(0, 9, "Condition", None)}))


def test_a_reused_code_means_what_it_meant_on_the_day(engine: Engine) -> None:
    early = (datetime.date(2000, 1, 1), datetime.date(2009, 12, 31))
    late = (datetime.date(2012, 1, 1), FOREVER[1])
    world = World(
        (concept(1, "EDI", "A1", "S", dates=early), concept(2, "EDI", "A1", "S", "Drug", dates=late)),
        (),
        (),
        fallbacks(),
    )
    assert one(engine, world, "EDI", "A1", "1999-12-31")[:2] == (1, "other date")
    assert one(engine, world, "EDI", "A1", "2009-12-31")[:2] == (1, "exact")
    assert one(engine, world, "EDI", "A1", "2011-12-31")[:2] == (1, "other date")
    assert one(engine, world, "EDI", "A1", "2012-01-01")[:2] == (2, "exact")


def test_a_history_of_something_keeps_what_it_is_the_history_of(engine: Engine) -> None:
    concepts = (
        concept(1, "ICD10CM", "Z1"),
        concept(2, "SNOMED", "h", "S", "Observation"),
        concept(3, "SNOMED", "c", "S"),
    )
    edges = (Edge(1, "Maps to", 2, None), Edge(1, "Maps to value", 3, None))
    world = World(concepts, edges, (), fallbacks())
    assert one(engine, world, "ICD10CM", "Z1") == (1, "exact", frozenset({(0, 2, "Observation", 3)}))


def test_targets_that_share_a_table_never_share_a_number(engine: Engine) -> None:
    concepts = (
        *(concept(1, "Local", "x"), concept(2, "SNOMED", "a", "S", "Observation")),
        *(concept(3, "SNOMED", "b", "S", "Gender"), concept(4, "SNOMED", "c", "S")),
    )
    world = World(concepts, tuple(Edge(1, "Maps to", target, None) for target in (2, 3, 4)), (), fallbacks())
    _, _, targets = one(engine, world, "Local", "x")
    assert targets == {(0, 3, "Gender", None), (1, 2, "Observation", None), (0, 4, "Condition", None)}


def test_a_retired_concept_goes_on_as_what_replaced_it(engine: Engine) -> None:
    concepts = (
        concept(1, "Local", "x", invalid="U"),
        concept(2, "Local", "y", invalid="U"),
        concept(3, "Local", "z", "S"),
    )
    edges = (Edge(1, "Concept replaced by", 2, None), Edge(2, "Concept replaced by", 3, None))
    assert one(engine, World(concepts, edges, (), fallbacks()), "Local", "x")[2] == {(0, 3, "Condition", None)}


def test_hostile_codes_are_looked_up_as_they_are(engine: Engine) -> None:
    codes = [("KCD7", "E" * 100_000), ("KCD7", "'; DROP TABLE codes; --"), ("EDI", "\\"), ("", ""), ("KCD7", "가.나")]
    answers = run(engine, World((), (), (), fallbacks()), codes)
    assert {key: rows[0]["level"] for key, rows in answers.items()} == dict.fromkeys(codes, "unmapped")


def test_codes_that_are_missing_are_left_out_and_repeated_ones_are_one(engine: Engine) -> None:
    vocabulary = attach(engine, World((), (), (), fallbacks()))
    pairs = "(VALUES ('A','b'), ('A','b'), (NULL,'b'), ('A',NULL)) codes(vocabulary_id, code)"
    map_codes(engine, pairs, vocabulary)
    assert engine.value("SELECT count(*) FROM code_map") == 1
    assert engine.rows("SELECT table_name FROM duckdb_tables() WHERE table_name LIKE '\\_map%' ESCAPE '\\'") == []
