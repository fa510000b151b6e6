"""Code systems and value sets as far as they are known: three answers to whether a code is in a set.

A set is a list of clauses. What a clause says of a code system whose codes are not at hand cannot be told, and then
the answer is `None`, never False. Nothing here knows displays.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

CLOSED = ("http://loinc.org", "http://snomed.info/sct", "http://www.nlm.nih.gov/research/umls/rxnorm")
MIME, LANGUAGE, UCUM = "urn:ietf:bcp:13", "urn:ietf:bcp:47", "http://unitsofmeasure.org"
_MIME = re.compile(r"[\w.+*-]+/[\w.+*-]+(\s*;\s*[\w.+-]+=(\"[^\"]*\"|[^;\s]+))*")
_LANGUAGE = re.compile(
    r"[A-Za-z]{2,3}(-[A-Za-z]{4})?(-([A-Za-z]{2}|\d{3}))?(-([A-Za-z0-9]{5,8}|\d[A-Za-z0-9]{3}))*(-[a-wyzA-WYZ0-9](-[A-Za-z0-9]{2,8})+)*(-x(-[A-Za-z0-9]{1,8})+)?"
)
_UCUM = re.compile(r"[!-~]+")
GRAMMARS = {MIME: _MIME, LANGUAGE: _LANGUAGE}


@dataclass(frozen=True)
class CodeSystem:
    """A code system: its codes with the parents of each; `complete` only if no other code exists."""

    url: str
    codes: dict[str, tuple[str, ...]]
    complete: bool
    folded: bool = False  # codes that differ in case only are the same


@dataclass(frozen=True)
class Clause:
    """Part of a value set: codes of one system (None: all of it), or other value sets, or a filter nobody can apply."""

    system: str = ""
    codes: frozenset[str] | None = None
    sets: tuple[str, ...] = ()
    unknown: bool = False  # a filter that needs properties which are not at hand


@dataclass(frozen=True)
class ValueSet:
    """A value set: what it includes and what it leaves out."""

    url: str
    include: tuple[Clause, ...]
    exclude: tuple[Clause, ...] = ()


@dataclass
class Terminology:
    """All that is known of codes, and the term lists that an operator brought: `lists` says which, and their dates."""

    systems: dict[str, CodeSystem] = field(default_factory=dict)
    sets: dict[str, ValueSet] = field(default_factory=dict)
    lists: list[dict[str, str]] = field(default_factory=list)
    leads: dict[tuple[str, str], str] = field(default_factory=dict)  # codes that lead to a profile

    def contains(self, value_set: str, system: str | None, code: str) -> bool | None:
        """Whether a code is in a value set; None where it cannot be told. Without a system any system will do."""
        return self._contains(value_set, system, code, frozenset())

    def _contains(self, url: str, system: str | None, code: str, above: frozenset[str]) -> bool | None:
        known = self.sets.get(url)
        if known is None or url in above:
            return None
        above = above | {url}
        out = self._any(known.exclude, system, code, above)
        if out:
            return False
        found = self._any(known.include, system, code, above)
        return None if found and out is None else found

    def _any(self, clauses: Iterable[Clause], system: str | None, code: str, above: frozenset[str]) -> bool | None:
        answer: bool | None = False
        for clause in clauses:
            one = self._clause(clause, system, code, above)
            if one:
                return True
            if one is None:
                answer = None
        return answer

    def _clause(self, clause: Clause, system: str | None, code: str, above: frozenset[str]) -> bool | None:
        answers = [self._contains(url, system, code, above) for url in clause.sets]
        if clause.system:
            answers.append(self._in_system(clause, system, code))
        if False in answers:
            return False
        return None if None in answers or not answers else True

    def _in_system(self, clause: Clause, system: str | None, code: str) -> bool | None:
        if system is not None and system != clause.system:
            return False
        if clause.codes is not None and not clause.unknown:
            return code in clause.codes or (
                self._folded(clause.system) and code.lower() in map(str.lower, clause.codes)
            )
        known = self.knows(clause.system, code)
        return None if known and clause.unknown else known

    def _folded(self, system: str) -> bool:
        known = self.systems.get(system)
        return known is not None and known.folded

    def knows(self, system: str, code: str) -> bool | None:
        """Whether a code is in a code system; None where its codes are not at hand."""
        grammar = GRAMMARS.get(system)
        if grammar is not None:
            return grammar.fullmatch(code) is not None
        known = self.systems.get(system)
        if known is None:
            return None
        if code in known.codes or (known.folded and code.lower() in map(str.lower, known.codes)):
            return True
        return False if known.complete else None

    def plain_codes(self, value_set: str, seen: frozenset[str] = frozenset()) -> dict[str, frozenset[str]] | None:
        """All codes of a value set by system, if they are all known; None otherwise."""
        known = self.sets.get(value_set)
        if known is None or known.exclude or value_set in seen:
            return None
        codes: dict[str, frozenset[str]] = {}
        for clause in known.include:
            part = self._plain(clause, seen | {value_set})
            if part is None:
                return None
            for system, some in part.items():
                codes[system] = codes.get(system, frozenset()) | some
        return codes

    def _plain(self, clause: Clause, seen: frozenset[str]) -> dict[str, frozenset[str]] | None:
        if clause.sets:
            return self.plain_codes(clause.sets[0], seen) if len(clause.sets) == 1 and not clause.system else None
        if clause.unknown or self._folded(clause.system):
            return None
        if clause.codes is not None:
            return {clause.system: clause.codes}
        known = self.systems.get(clause.system)
        return {known.url: frozenset(known.codes)} if known and known.complete else None

    def add_terms(self, system: str, codes: Iterable[str], name: str, date: str) -> None:
        """Take a complete list of a code system's codes that the operator has, with its name and date."""
        self.systems[system] = CodeSystem(system, {code: () for code in codes}, complete=True)
        self.lists.append({"system": system, "name": name, "date": date})


def code_system_of(resource: dict[str, Any]) -> CodeSystem:
    """The codes of a CodeSystem resource with their parents."""
    codes: dict[str, tuple[str, ...]] = {}

    def walk(concepts: list[dict[str, Any]], above: tuple[str, ...]) -> None:
        for each in concepts:
            code = str(each.get("code", ""))
            said = tuple(
                str(x.get("valueCode")) for x in each.get("property", []) if x.get("code") in ("subsumedBy", "parent")
            )
            codes[code] = tuple(dict.fromkeys([*codes.get(code, ()), *above[-1:], *said]))
            walk(each.get("concept", []), (*above, code))

    walk(resource.get("concept", []), ())
    return CodeSystem(
        str(resource.get("url", "")),
        codes,
        resource.get("content") == "complete",
        resource.get("caseSensitive") is False,
    )


def value_set_of(resource: dict[str, Any], systems: dict[str, CodeSystem]) -> ValueSet:
    """The clauses of a ValueSet resource; hierarchies of systems that are at hand are followed now."""
    compose = resource.get("compose") or {}
    if not compose.get("include"):
        contains = (resource.get("expansion") or {}).get("contains")
        if contains:
            by: dict[str, set[str]] = {}
            for each in contains:
                by.setdefault(str(each.get("system", "")), set()).add(str(each.get("code", "")))
            return ValueSet(str(resource.get("url", "")), tuple(Clause(s, frozenset(c)) for s, c in by.items()))
    return ValueSet(
        str(resource.get("url", "")),
        tuple(_clause_of(each, systems) for each in compose.get("include", [])),
        tuple(_clause_of(each, systems) for each in compose.get("exclude", [])),
    )


def _clause_of(each: dict[str, Any], systems: dict[str, CodeSystem]) -> Clause:
    system = str(each.get("system", ""))
    sets = tuple(str(url).partition("|")[0] for url in each.get("valueSet", []))
    if each.get("concept"):
        return Clause(system, frozenset(str(x.get("code", "")) for x in each["concept"]), sets)
    if not each.get("filter"):
        return Clause(system, None, sets)
    known = systems.get(system)
    codes: set[str] | None = set(known.codes) if known and known.complete else None
    for rule in each["filter"]:
        kept = _filtered(known, rule) if known and known.complete else None
        codes = codes & kept if codes is not None and kept is not None else None
    return Clause(system, frozenset(codes) if codes is not None else None, sets, unknown=codes is None)


def _filtered(known: CodeSystem, rule: dict[str, Any]) -> set[str] | None:
    operator, value = rule.get("op"), str(rule.get("value", ""))
    if operator not in ("is-a", "descendent-of", "is-not-a") or rule.get("property") not in ("concept", "code"):
        return None
    below = {value} if value in known.codes else set()
    grown = True
    while grown:
        more = {code for code, parents in known.codes.items() if code not in below and below.intersection(parents)}
        grown = bool(more)
        below |= more
    if operator == "is-not-a":
        return set(known.codes) - below
    return below - {value} if operator == "descendent-of" else below
