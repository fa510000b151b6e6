"""Lists of source codes become concepts: KCD, EDI, ATC and others, by the vocabulary of the dataset, each shown.

The mapping is the house's own (`madang.science.omop.mapping`). Beyond it, a list may name a category that a claim would
never carry: `E11` of KCD where only `E110`, `E119` exist stands for all codes that begin so, as does `E11*`, and
`E11-E14` for a range of categories. Classes (ATC) are concepts themselves and are taken with what is below them.
"""

import re
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake import Version
from madang.lake.engine import Engine
from madang.science.omop.mapping import map_codes
from madang.science.omop.vocabulary import Vocabulary

MEMORY = "2GB"
MOST_CODES = 20_000
_RANGE = re.compile(r"([A-Z]\d\d)\s*[-~–]\s*([A-Z]\d\d)", re.IGNORECASE)
_ICD = ("KCD", "ICD10", "ICD9")
CONCEPT = "OMOP"
"""The name under which a list gives concept identifiers themselves."""


@dataclass(frozen=True)
class Code:
    """One entry of a list: a code of a vocabulary, what the list calls it, and how it is meant."""

    vocabulary: str
    code: str
    name: str = ""
    descendants: bool = True
    excluded: bool = False


@dataclass(frozen=True)
class Concept:
    """A concept as concept sets carry it."""

    concept_id: int
    name: str
    domain: str
    vocabulary: str
    concept_class: str
    standard: str
    code: str
    invalid: str = ""

    def as_json(self) -> dict[str, Any]:
        """The concept with the keys that ATLAS uses."""
        caption = {"S": "Standard", "C": "Classification"}.get(self.standard, "Non-Standard")
        return {
            "CONCEPT_CLASS_ID": self.concept_class,
            "CONCEPT_CODE": self.code,
            "CONCEPT_ID": self.concept_id,
            "CONCEPT_NAME": self.name,
            "DOMAIN_ID": self.domain,
            "INVALID_REASON": self.invalid or "V",
            "INVALID_REASON_CAPTION": "Invalid" if self.invalid else "Valid",
            "STANDARD_CONCEPT": self.standard or "N",
            "STANDARD_CONCEPT_CAPTION": caption,
            "VOCABULARY_ID": self.vocabulary,
        }


@dataclass(frozen=True)
class Resolved:
    """What became of a code: `level` is how it was found, `through` the codes it stands for, `concepts` the result."""

    code: Code
    level: str
    through: tuple[str, ...]
    concepts: tuple[Concept, ...]


@dataclass(frozen=True)
class Book:
    """All codes of a definition looked up in one release."""

    release: str
    resolved: tuple[Resolved, ...]

    @property
    def unmapped(self) -> list[Code]:
        """The codes that led to no concept."""
        return [each.code for each in self.resolved if not each.concepts]

    def of(self, codes: Iterable[Code]) -> list[Resolved]:
        """The answers to these codes, in their order."""
        known = {each.code: each for each in self.resolved}
        return [known[code] for code in codes]


def resolve(vocabulary: Version, codes: Sequence[Code]) -> Book:
    """Look codes up in a vocabulary release. Errors: `cohort.codes` where there are too many."""
    if len(codes) > MOST_CODES:
        message = _("The list has {count} codes; at most {most} are read.")
        raise MadangError("cohort.codes", message.format(count=len(codes), most=MOST_CODES))
    wanted = list(dict.fromkeys(codes))
    with (
        tempfile.TemporaryDirectory(prefix="madang-spill-") as spill,
        Engine(MEMORY, spill=Path(spill)) as engine,
    ):
        known = Vocabulary.from_version(engine, vocabulary)
        finder = _Finder(engine, known)
        return Book(known.release, tuple(finder.find(wanted)))


class _Finder:
    def __init__(self, engine: Engine, vocabulary: Vocabulary) -> None:
        self.engine, self.vocabulary = engine, vocabulary

    def find(self, codes: Sequence[Code]) -> list[Resolved]:
        direct = {code: [_plain(code.code)] for code in codes if code.vocabulary.upper() != CONCEPT}
        expanded = {code: found for code in direct if (found := self._expand(code))}
        asked = {(code.vocabulary, text) for code, texts in (direct | expanded).items() for text in texts}
        answers = self._map(asked)
        bare = [code for code in direct if code not in expanded and not self._answer(code, direct[code], answers)]
        more = {code: found for code in bare if (found := self._beginning(code, code.code))}
        answers |= self._map({(code.vocabulary, text) for code, texts in more.items() for text in texts})
        wanted = {concept for found in answers.values() for concept in found[1]}
        wanted |= {int(code.code) for code in codes if _is_number(code)}
        concepts = self._concepts(sorted(wanted))
        return [self._resolved(code, direct | expanded | more, expanded | more, answers, concepts) for code in codes]

    def _resolved(
        self,
        code: Code,
        texts: dict[Code, list[str]],
        wide: dict[Code, list[str]],
        answers: dict[tuple[str, str], tuple[str, list[int]]],
        concepts: dict[int, Concept],
    ) -> Resolved:
        if code not in texts:
            found = [concepts[int(code.code)]] if _is_number(code) and int(code.code) in concepts else []
            return Resolved(code, "concept" if found else "unmapped", (), tuple(found))
        numbers = self._answer(code, texts[code], answers)
        levels = [answers[key][0] for text in texts[code] if (key := (code.vocabulary, text)) in answers]
        level = "unmapped" if not numbers else "codes below" if code in wide else levels[0]
        through = tuple(texts[code]) if code in wide else ()
        return Resolved(code, level, through, tuple(concepts[number] for number in numbers if number in concepts))

    @staticmethod
    def _answer(code: Code, texts: list[str], answers: dict[tuple[str, str], tuple[str, list[int]]]) -> list[int]:
        found = [number for text in texts for number in answers.get((code.vocabulary, text), ("", []))[1]]
        return list(dict.fromkeys(found))

    def _expand(self, code: Code) -> list[str]:
        """The codes that a code with a star, or a range of categories, stands for."""
        text = code.code.strip()
        if text.endswith("*"):
            return self._beginning(code, text.rstrip("*"))
        found = _RANGE.fullmatch(text)
        if found is None:
            return []
        first, last = found[1].upper(), found[2].upper()
        rows = self.engine.rows(
            f"SELECT DISTINCT concept_code FROM {self.vocabulary.table('concept')} "
            "WHERE vocabulary_id = ANY(?) AND left(upper(concept_code), 3) BETWEEN ? AND ? ORDER BY 1",
            [self._names(code), first, last],
        )
        return [row[0] for row in rows]

    def _beginning(self, code: Code, start: str) -> list[str]:
        if (not code.vocabulary.upper().startswith(_ICD) and not code.code.endswith("*")) or len(_bare(start)) < 2:
            return []
        rows = self.engine.rows(
            f"SELECT DISTINCT concept_code FROM {self.vocabulary.table('concept')} "
            "WHERE vocabulary_id = ANY(?) AND starts_with(replace(upper(concept_code), '.', ''), ?) ORDER BY 1",
            [self._names(code), _bare(start)],
        )
        return [row[0] for row in rows]

    def _names(self, code: Code) -> list[str]:
        """The vocabularies of the release that a list's name for one means: KCD means every revision that is there."""
        rows = self.engine.rows(
            f"SELECT DISTINCT vocabulary_id FROM {self.vocabulary.table('concept')} "
            "WHERE upper(vocabulary_id) = upper(?) OR upper(vocabulary_id) SIMILAR TO upper(?) || '[0-9]*'",
            [code.vocabulary, re.escape(code.vocabulary)],
        )
        return [row[0] for row in rows]

    def _map(self, asked: set[tuple[str, str]]) -> dict[tuple[str, str], tuple[str, list[int]]]:
        """Level and concepts of each (vocabulary, code)."""
        if not asked:
            return {}
        spelled = {name.upper(): name for name in self._spellings()}
        given = sorted(asked)
        names = [spelled.get(name.upper(), name) for name, _code in given]
        import pyarrow as pa

        self.engine.register("_wanted", pa.table({"vocabulary_id": names, "code": [code for _name, code in given]}))
        map_codes(self.engine, "_wanted", self.vocabulary)
        rows = self.engine.rows("SELECT vocabulary_id, code, level, target_concept_id FROM code_map ORDER BY ALL")
        classes = self.engine.rows(
            f"SELECT w.vocabulary_id, w.code, 'class', c.concept_id FROM _wanted w JOIN "
            f"{self.vocabulary.table('concept')} c ON c.vocabulary_id = w.vocabulary_id AND c.concept_code = w.code "
            "WHERE c.standard_concept = 'C' AND c.invalid_reason IS NULL ORDER BY ALL"
        )
        self.engine.execute("DROP TABLE code_map")
        self.engine.unregister("_wanted")
        found: dict[tuple[str, str], tuple[str, list[int]]] = {}
        for name, code, level, target in [*classes, *rows]:
            before = found.get((name, code), (level, []))
            if target and before[0] != "class":
                found[name, code] = (before[0] if before[1] else level, [*before[1], target])
            elif target and level == "class":
                found[name, code] = ("class", [*before[1], target])
        back = {(spelled.get(name.upper(), name), code): (name, code) for name, code in given}
        return {back[key]: answer for key, answer in found.items() if key in back}

    def _spellings(self) -> list[str]:
        rows = self.engine.rows(f"SELECT DISTINCT vocabulary_id FROM {self.vocabulary.table('concept')}")
        return [row[0] for row in rows]

    def _concepts(self, numbers: list[int]) -> dict[int, Concept]:
        return {
            each.concept_id: Concept(
                each.concept_id,
                each.name,
                each.domain_id,
                each.vocabulary_id,
                each.concept_class_id,
                each.standard or "",
                each.code,
                each.invalid_reason or "",
            )
            for each in self.vocabulary.concepts(numbers)
        }


def _is_number(code: Code) -> bool:
    return code.vocabulary.upper() == CONCEPT and code.code.isdecimal() and len(code.code) < 16


def _plain(code: str) -> str:
    return code.strip()


def _bare(code: str) -> str:
    return code.strip().rstrip("*").replace(".", "").upper()
