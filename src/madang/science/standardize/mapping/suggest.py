"""Ranked suggestions of standard concepts for a source code, each with its reasons.

Evidence of different kinds is combined as if independent: `1 - product(1 - score)` over the best score of each kind.
A candidate of another domain than the source declares counts 0.8 of that. What a reviewer rejected for the code is
not suggested again.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from madang.science.omop.mapping import fallbacks
from madang.science.standardize.mapping.features import normalize_one
from madang.science.standardize.mapping.index import Filter, Hit, NameIndex, bare_code
from madang.science.standardize.mapping.model import Concept, Equivalence, Mapping, SourceCode, Status

# How far each kind of evidence is trusted.
_OWN_VOCABULARY = 0.97  # the vocabulary has the very code
_DECIDED_CODE = 0.95  # the same code of a kindred vocabulary was approved
_DECIDED_NAME = 0.90  # another code of the same name was approved
_KINDRED_CODE = 0.90  # a kindred vocabulary has the code
_OTHER_CODE = 0.40  # some vocabulary has it; local codes coincide by accident, too
_PARENT_CODE, _PARENT_STEP = 0.60, 0.85  # the code without its last character, and for each one more
_MAPPED_NAME = 0.97  # of the likeness, where the name is of a concept that maps to the target
_HINT = 0.60  # an ingredient or ATC group says what is in the drug, not which drug it is
_OTHER_DOMAIN = 0.80
_SHORTEST_PARENT = 3
_FOUND = 40  # names looked at; many vocabularies have the same name, and all lead to one target
_INGREDIENTS = Filter(domains=frozenset({"Drug"}), classes=frozenset({"Ingredient"}), standard_only=True)


@dataclass(frozen=True)
class Reason:
    """One piece of evidence: its kind, how much it counts (0 to 1), and a sentence for the reviewer."""

    kind: str
    score: float
    text: str


@dataclass(frozen=True)
class Suggestion:
    """A standard concept, how likely it is the target (0 to 1), and why; strongest reason first."""

    concept: Concept
    score: float
    reasons: tuple[Reason, ...]

    @property
    def equivalence(self) -> Equivalence:
        """What a reviewer who approves will probably say: a parent code is WIDER, all else EQUIVALENT."""
        kinds = {reason.kind for reason in self.reasons}
        return Equivalence.WIDER if kinds <= {"parent code", "domain"} else Equivalence.EQUIVALENT


def names_of(code: SourceCode) -> tuple[str, ...]:
    """The names of a code; one without a name that is a word, as `sodium`, is its own name."""
    words = re.findall(r"[^\W\d_]{3,}", code.code)
    return code.names or ((re.sub(r"[_|]+", " ", code.code),) if words else ())


class Suggester:
    """Suggests targets from an index and from what was decided already."""

    def __init__(self, index: NameIndex, mappings: Iterable[Mapping] = ()) -> None:
        self.index = index
        self._approved_code: dict[tuple[str, str], list[Mapping]] = defaultdict(list)
        self._approved_name: dict[str, list[Mapping]] = defaultdict(list)
        self._rejected: set[tuple[str, str, int]] = set()
        for mapping in mappings:
            if mapping.status is Status.REJECTED:
                self._rejected.add((*mapping.code_key, mapping.target_concept_id))
            elif mapping.status is Status.APPROVED and mapping.target_concept_id:
                vocabulary, code = mapping.code_key
                self._approved_code[vocabulary, bare_code(code)].append(mapping)
                if mapping.source_name:
                    self._approved_name[normalize_one(mapping.source_name)].append(mapping)

    def suggest(self, code: SourceCode, k: int = 10, filters: Filter | None = None) -> list[Suggestion]:
        """The `k` best targets of one code; `filters` narrow the names that are searched and the targets."""
        return self.suggest_many([code], k, filters)[0]

    def suggest_many(
        self, codes: list[SourceCode], k: int = 10, filters: Filter | None = None
    ) -> list[list[Suggestion]]:
        """`suggest` for each code, in order."""
        named = [names_of(code) for code in codes]
        hits = self.index.search_many([name for names in named for name in names], _FOUND)
        return [
            self._rank(code, [next(hits) for __ in names], k, filters or Filter())
            for code, names in zip(codes, named, strict=True)
        ]

    def _rank(self, code: SourceCode, hits: list[list[Hit]], k: int, filters: Filter) -> list[Suggestion]:
        found: dict[int, dict[str, Reason]] = defaultdict(dict)

        def add(target: int, kind: str, score: float, text: str) -> None:
            if (known := found[target].get(kind)) is None or known.score < score:
                found[target][kind] = Reason(kind, score, text)

        for target, reason in (
            *self._by_name(hits),
            *self._by_decision(code),
            *self._by_code(code),
            *self._by_hint(code),
        ):
            add(target, reason.kind, reason.score, reason.text)
        suggestions = []
        for target, reasons in found.items():
            concept = self.index.concept(target)
            if concept is None or not concept.standard or (*code.key, target) in self._rejected:
                continue
            if not _allowed(concept, filters):
                continue
            suggestions.append(_combined(concept, list(reasons.values()), code.domain))
        suggestions.sort(key=lambda suggestion: (-suggestion.score, suggestion.concept.concept_id))
        return suggestions[:k]

    def _by_name(self, hits: list[list[Hit]]) -> Iterable[tuple[int, Reason]]:
        for hit in (hit for found in hits for hit in found):
            for target in self.index.maps_to(hit.concept_id):
                if target == hit.concept_id:
                    yield target, Reason("name", hit.score, f"is called '{hit.term}'")
                elif concept := self.index.concept(hit.concept_id):
                    text = f"{concept.vocabulary_id} {concept.concept_code} '{hit.term}' maps to it"
                    yield target, Reason("name", hit.score * _MAPPED_NAME, text)

    def _by_decision(self, code: SourceCode) -> Iterable[tuple[int, Reason]]:
        for vocabulary in _kindred(code.vocabulary_id):
            for mapping in self._approved_code.get((vocabulary, bare_code(code.code)), ()):
                if mapping.code_key != code.key:
                    text = f"{' '.join(mapping.code_key)} was approved so by {mapping.reviewer}"
                    yield mapping.target_concept_id, Reason("decision", _DECIDED_CODE, text)
        for name in code.names:
            for mapping in self._approved_name.get(normalize_one(name), ()):
                if mapping.code_key != code.key:
                    text = f"{' '.join(mapping.code_key)} of the same name was approved so by {mapping.reviewer}"
                    yield mapping.target_concept_id, Reason("decision", _DECIDED_NAME, text)

    def _by_code(self, code: SourceCode) -> Iterable[tuple[int, Reason]]:
        kindred, bare = _kindred(code.vocabulary_id), bare_code(code.code)
        for concept, targets in self._mapped_concepts(bare):
            text = f"{concept.vocabulary_id} {concept.concept_code} '{concept.name}' maps to it"
            if concept.vocabulary_id == code.vocabulary_id:
                score = _OWN_VOCABULARY
            else:
                score = _KINDRED_CODE if concept.vocabulary_id in kindred else _OTHER_CODE
            if score > _OTHER_CODE or len(bare) > 4:
                yield from ((target, Reason("same code", score, text)) for target in targets)
        if len(kindred) == 1 and kindred[0] not in self.index.vocabularies and not self._approved_code:
            return  # of a local vocabulary that nothing is known of, nobody knows what a shorter code means
        score = _PARENT_CODE
        for length in range(len(bare) - 1, _SHORTEST_PARENT - 1, -1):
            parent = bare[:length]
            for vocabulary in kindred:
                for mapping in self._approved_code.get((vocabulary, parent), ()):
                    text = f"the parent code {' '.join(mapping.code_key)} was approved so by {mapping.reviewer}"
                    yield mapping.target_concept_id, Reason("parent code", score, text)
            for concept, targets in self._mapped_concepts(parent):
                if concept.vocabulary_id in kindred:
                    text = f"the parent code {concept.vocabulary_id} {concept.concept_code} maps to it"
                    yield from ((target, Reason("parent code", score, text)) for target in targets)
            score *= _PARENT_STEP

    def _mapped_concepts(self, bare: str) -> Iterable[tuple[Concept, list[int]]]:
        for concept_id in self.index.by_code(bare):
            concept, targets = self.index.concept(concept_id), self.index.maps_to(concept_id)
            if concept and targets:
                yield concept, targets

    def _by_hint(self, code: SourceCode) -> Iterable[tuple[int, Reason]]:
        ingredients = [(name, f"holds the ingredient {name}") for name in code.ingredients]
        for atc in code.atc_codes:
            for concept_id in self.index.by_code(atc):
                concept = self.index.concept(concept_id)
                if concept is None or concept.vocabulary_id != "ATC":
                    continue
                text = f"is of ATC {concept.concept_code} {concept.name}"
                targets = self.index.maps_to(concept_id)
                yield from ((target, Reason("ATC", _HINT, text)) for target in targets)
                # ATC names a substance and, after a semicolon, its route.
                ingredients += [] if targets else [(concept.name.split(";")[0], text)]
        for name, text in ingredients:
            for hit in self.index.search(name, 3, _INGREDIENTS):
                yield hit.concept_id, Reason("ingredient", _HINT * hit.score, text)


def _combined(concept: Concept, reasons: list[Reason], domain: str) -> Suggestion:
    doubt = 1.0
    for reason in reasons:
        doubt *= 1 - min(reason.score, 1.0)
    score = 1 - doubt
    reasons.sort(key=lambda reason: -reason.score)
    if domain and concept.domain_id != domain:
        score *= _OTHER_DOMAIN
        reasons.append(Reason("domain", _OTHER_DOMAIN, f"its domain is {concept.domain_id}, not {domain}"))
    return Suggestion(concept, score, tuple(reasons))


def _allowed(concept: Concept, filters: Filter) -> bool:
    return (
        (not filters.domains or concept.domain_id in filters.domains)
        and (not filters.vocabularies or concept.vocabulary_id in filters.vocabularies)
        and (not filters.classes or concept.concept_class_id in filters.classes)
    )


def _kindred(vocabulary_id: str) -> list[str]:
    """The vocabulary and those in which its codes mean the same, as the declared fall-backs say."""
    return list(
        dict.fromkeys([vocabulary_id, *(f.in_vocabulary for f in fallbacks() if f.vocabulary_id == vocabulary_id)])
    )
