"""What one code means on one date, in plain Python: the slow twin of `madang.science.omop.mapping.map_codes`."""

import datetime
from dataclasses import dataclass

from madang.science.omop.cdm import DOMAIN_TABLES
from madang.science.omop.mapping import Fallback

FIRST, LAST = datetime.date(1, 1, 1), datetime.date(9999, 12, 31)


@dataclass(frozen=True)
class Concept:
    concept_id: int
    domain_id: str
    vocabulary_id: str
    code: str
    standard: str | None
    starts: datetime.date
    ends: datetime.date
    invalid: str | None


@dataclass(frozen=True)
class Edge:
    one: int
    relationship: str
    two: int
    invalid: str | None


@dataclass(frozen=True)
class OwnMap:
    vocabulary_id: str
    code: str
    source: int
    target: int
    starts: datetime.date
    ends: datetime.date
    invalid: str | None


@dataclass(frozen=True)
class World:
    concepts: tuple[Concept, ...]
    edges: tuple[Edge, ...]
    maps: tuple[OwnMap, ...]
    rules: tuple[Fallback, ...]


Answer = tuple[int, str, frozenset[tuple[int, int, str | None, int | None]]]
"""Source concept, level, {(k, target, domain, value)}."""


def look_up(world: World, vocabulary_id: str, code: str, day: datetime.date) -> Answer:
    """The answer of `code_map` for one code on one date."""
    source, via, level = 0, None, "unmapped"
    for rule_level, identity, spellings in _steps(world, vocabulary_id, code):
        for vocabulary, spelling in spellings:
            concept = _nearest(world, vocabulary, spelling, day)
            if concept is None:
                continue
            if identity and not source:
                source = concept.concept_id
            if via is None and _targets(world, concept.concept_id):
                via, level = concept, rule_level
                if level == "exact" and not _starts(concept) <= day <= _ends(concept):
                    level = "other date"
    own = [
        row
        for row in world.maps
        if (row.vocabulary_id, row.code) == (vocabulary_id, code)
        and not row.invalid
        and _starts(row) <= day <= _ends(row)
    ]
    if own:
        named = [row.source for row in own if row.source]
        targets = {row.target for row in own if row.target} or {0}
        domains = {concept.concept_id: concept.domain_id for concept in world.concepts}
        return min(named, default=source), "own map", _number({(t, domains.get(t), None) for t in targets})
    if via is None:
        return source, "unmapped", frozenset({(0, 0, None, None)})
    return source, level, _number(_targets(world, via.concept_id))


def _steps(world: World, vocabulary_id: str, code: str) -> list[tuple[str, bool, list[tuple[str, str]]]]:
    """What is tried, in order: (level, does it stand for the code itself, [(vocabulary, code)])."""
    tried = {(vocabulary_id, code)}
    steps = [("exact", True, [(vocabulary_id, code)])]
    plain = code.replace(".", "")
    for rule in sorted(world.rules, key=lambda rule: rule.step):
        if rule.vocabulary_id != vocabulary_id or (rule.pattern and code[:1] not in _letters(rule.pattern)):
            continue
        spellings = []
        if rule.how == "same":
            spellings = [code]
        elif len(plain) <= 20:
            lengths = [len(plain)] if rule.how == "dots" else range(len(plain) - 1, rule.shortest - 1, -1)
            for length in lengths:
                cut = plain[:length]
                if rule.dot_after and length > rule.dot_after:
                    spellings.append(cut[: rule.dot_after] + "." + cut[rule.dot_after :])
                spellings.append(cut)
        new = [(rule.in_vocabulary, spelling) for spelling in spellings if (rule.in_vocabulary, spelling) not in tried]
        tried.update(new)
        steps.append((rule.level, rule.identity, new))
    return steps


def _letters(pattern: str) -> str:
    return {"^[A-Z]": "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "^[0-9V]": "0123456789V"}[pattern]


def _starts(row: Concept | OwnMap) -> datetime.date:
    return FIRST if row.starts <= datetime.date(1970, 1, 1) else row.starts


def _ends(row: Concept | OwnMap) -> datetime.date:
    return LAST if row.ends >= datetime.date(2099, 12, 31) else row.ends


def _nearest(world: World, vocabulary_id: str, code: str, day: datetime.date) -> Concept | None:
    same = [concept for concept in world.concepts if (concept.vocabulary_id, concept.code) == (vocabulary_id, code)]
    # Python sorts stably: the least important order first.
    same.sort(key=lambda concept: concept.concept_id)
    same.sort(key=lambda concept: bool(concept.invalid))
    same.sort(key=_starts, reverse=True)
    valid = [concept for concept in same if _starts(concept) <= day <= _ends(concept)]
    if valid:
        return valid[0]
    ended = [concept for concept in same if _ends(concept) < day]
    if ended:
        return max(ended, key=_ends)
    return min(same, key=_starts, default=None)


def _targets(world: World, concept_id: int) -> set[tuple[int, str | None, int | None]]:
    """Standard concepts that a concept leads to: {(target, domain, value)}."""
    for generation in _generations(world, concept_id):
        found = set()
        for one in generation:
            targets = {one} if _standard(world, one) else _now(world, _edges(world, one, "Maps to"))
            values = _now(world, _edges(world, one, "Maps to value"))
            for target in targets:
                domain = next(c.domain_id for c in world.concepts if c.concept_id == target)
                holds = domain in ("Measurement", "Observation")
                found |= {(target, domain, value) for value in (values if holds and values else {None})}
        if found:
            return found
    return set()


def _now(world: World, concepts: set[int]) -> set[int]:
    """What concepts are today: themselves if standard, else the first replacements that are."""
    found: set[int] = set()
    for concept in concepts:
        for generation in _generations(world, concept):
            standard = {one for one in generation if _standard(world, one)}
            if standard:
                found |= standard
                break
    return found


def _generations(world: World, concept_id: int) -> list[set[int]]:
    """The concept, its replacements, their replacements, ...: each concept in the first generation it occurs in."""
    generations, seen = [{concept_id}], {concept_id}
    for _ in range(5):
        after = {two for one in generations[-1] for two in _edges(world, one, "Concept replaced by")} - seen
        generations.append(after)
        seen |= after
    return generations


def _edges(world: World, concept_id: int, relationship: str) -> set[int]:
    return {e.two for e in world.edges if (e.one, e.relationship) == (concept_id, relationship) and not e.invalid}


def _standard(world: World, concept_id: int) -> bool:
    return any(c.concept_id == concept_id and c.standard == "S" and not c.invalid for c in world.concepts)


def _number(targets: set[tuple[int, str | None, int | None]]) -> frozenset[tuple[int, int, str | None, int | None]]:
    """Number the targets of each table; those of unknown domain get numbers that no table has used."""
    known = sorted((t for t in targets if t[1] is not None), key=lambda t: (t[1], t[0], t[2] or 0))
    unknown = sorted(t for t in targets if t[1] is None)
    used: dict[str, int] = {}
    rows = []
    for target, domain, value in known:
        table = DOMAIN_TABLES.get(str(domain), "observation")
        rows.append((used.get(table, 0), target, domain, value))
        used[table] = used.get(table, 0) + 1
    rows += [(len(known) + i, target, None, None) for i, (target, _, _) in enumerate(unknown)]
    return frozenset(rows)
