"""Released tables of counts as an attacker reads them: each cell a range of whole numbers over a part of the people."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _

TOTAL_WORDS = frozenset({"total", "all", "합계", "총계", "전체", "계"})
LARGEST_FILE = 256 * 1024 * 1024
MOST_CELLS = 2_000_000

Key = tuple[str, ...]
Range = tuple[int, int | None]  # None: no upper end


@dataclass(frozen=True)
class Level:
    """An attribute that groups the values of a finer one: `groups` maps each value to values of `base`."""

    base: str
    groups: Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class CountTable:
    """A table of counts.

    `cells` maps the values of `attributes` to what a reader knows of the count: `(12, 12)` published, `(1, 9)`
    suppressed under a minimum count of 10, `(3, 7)` rounded to the nearest 5. `hidden` are the suppressed cells.
    `where` narrows the people to some values of attributes; `population` names them in words. A value that is `total`
    stands for all values of its attribute.
    """

    name: str
    attributes: tuple[str, ...]
    cells: Mapping[Key, Range]
    hidden: frozenset[Key]
    where: Mapping[str, frozenset[str]] = field(default_factory=dict)
    population: str = ""
    totals: Mapping[str, str] = field(default_factory=dict)
    levels: Mapping[str, Level] = field(default_factory=dict)
    rounding: int = 1

    def values(self, attribute: str) -> frozenset[str]:
        """The values of an attribute that the table names, without the total."""
        place = self.attributes.index(attribute)
        total = self.totals.get(attribute)
        return frozenset(key[place] for key in self.cells if key[place] != total)

    def renamed(self, names: Mapping[str, str], values: Mapping[str, Mapping[str, str]]) -> "CountTable":
        """The same table with attributes, and the values of attributes (by their old name), called otherwise."""

        def key_of(key: Key) -> Key:
            return tuple(
                values.get(attribute, {}).get(value, value)
                for attribute, value in zip(self.attributes, key, strict=True)
            )

        return replace(
            self,
            attributes=tuple(names.get(name, name) for name in self.attributes),
            cells={key_of(key): cell for key, cell in self.cells.items()},
            hidden=frozenset(key_of(key) for key in self.hidden),
            totals={names.get(name, name): value for name, value in self.totals.items()},
        )


def _refuse(name: str, what: str, hint: str = "") -> MadangError:
    return MadangError("outputs.table", _("{file}: {what}").format(file=name, what=what), hint or _HINT)


_HINT = _('A table is JSON such as {"attributes": ["sex"], "cells": [[["F"], 12], [["M"], null]]}.')


def read_json(path: Path) -> Any:
    """The JSON document in a file.

    Raises `MadangError("outputs.file")` where there is none that can be read, `outputs.table` where it is no JSON.
    """
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise _refuse(path.name, _("the file is too large for a table."))
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise MadangError("outputs.file", _("Cannot read {file}.").format(file=path), str(error.strerror)) from None
    except UnicodeDecodeError:
        raise _refuse(path.name, _("the file is not UTF-8 text.")) from None
    try:
        return json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise _refuse(path.name, _("this is not readable JSON: {error}.").format(error=error)) from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is given twice in one object")
    return found


def read_table(path: Path, threshold: int) -> CountTable:
    """The table in a JSON file; `threshold` is the minimum count under which its suppressed cells were hidden."""
    return table_of(read_json(path), path.name, threshold)


def table_of(document: Any, name: str, threshold: int) -> CountTable:
    """A table from its JSON document.

    Besides `attributes` and `cells` it may hold `threshold` (the minimum count that was applied), `suppressed` (a pair:
    the least and the largest count behind a null, the latter null for none), `rounding` (counts are rounded to the
    nearest multiple), `percent_of` and `digits` (cells are percentages of a known base), `where` (attribute to value or
    values), `population` (words), `total` (the value that stands for all) and `hierarchies` (attribute to `base` and
    `groups`).
    """
    if not isinstance(document, dict) or not isinstance(document.get("attributes"), list):
        raise _refuse(name, _("a table has `attributes` and `cells`."))
    attributes = tuple(_texts(document["attributes"], name))
    if len(set(attributes)) != len(attributes):
        raise _refuse(name, _("an attribute is named twice."))
    cells = document.get("cells")
    if not isinstance(cells, list) or not cells:
        raise _refuse(name, _("the table has no cells."))
    if len(cells) > MOST_CELLS:
        raise _refuse(name, _("the table has too many cells."))
    reader = _Reader(document, name, threshold)
    found: dict[Key, Range] = {}
    hidden = set()
    for cell in cells:
        if not isinstance(cell, list) or len(cell) != 2 or not isinstance(cell[0], list):
            raise _refuse(name, _("each cell is a pair of its values and its count."))
        key = tuple(_texts(cell[0], name))
        if len(key) != len(attributes):
            raise _refuse(name, _("a cell has {n} values for {m} attributes.").format(n=len(key), m=len(attributes)))
        if key in found:
            raise _refuse(name, _("the cell {key} is there twice.").format(key=" / ".join(key)))
        found[key] = reader.range(cell[1])
        if cell[1] is None:
            hidden.add(key)
    table = CountTable(
        name,
        attributes,
        found,
        frozenset(hidden),
        where=_where(document, name),
        population=_population(document),
        levels=_levels(document, name),
        rounding=reader.rounding,
    )
    return replace(table, totals=_totals(table, document.get("total"), name))


def _texts(values: Sequence[Any], name: str) -> list[str]:
    for value in values:
        if isinstance(value, list | dict):
            raise _refuse(name, _("names and values are texts or numbers."))
    return ["" if value is None else str(value).strip() for value in values]


class _Reader:
    """What a cell of this document says about its count."""

    def __init__(self, document: Mapping[str, Any], name: str, threshold: int) -> None:
        self.name = name
        own = document.get("threshold", threshold)
        if not _whole(own) or own < 1:
            raise _refuse(name, _("`threshold` is a positive whole number."))
        self.rounding = document.get("rounding", 1)
        if isinstance(self.rounding, dict):
            self.rounding = self.rounding.get("base")
        if not _whole(self.rounding) or self.rounding < 1:
            raise _refuse(name, _("`rounding` is a positive whole number."))
        self.base = document.get("percent_of")
        if self.base is not None and (not _whole(self.base) or self.base < 1):
            raise _refuse(name, _("`percent_of` is a positive whole number."))
        self.digits = document.get("digits", 0)
        if not _whole(self.digits) or not 0 <= self.digits <= 12:
            raise _refuse(name, _("`digits` is the number of decimal places."))
        self.suppressed = _suppressed(document.get("suppressed"), own, name)

    def range(self, value: Any) -> Range:
        """The least and the largest count that this cell leaves possible."""
        if value is None:
            return self.suppressed
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise _refuse(self.name, _("{value} is no count.").format(value=json.dumps(value)))
        if value < 0:
            raise _refuse(self.name, _("{value} is no count.").format(value=value))
        if self.base is not None:
            if abs(value * 10**self.digits - round(value * 10**self.digits)) > 1e-6:
                raise _refuse(self.name, _("{value} has more than {n} digits.").format(value=value, n=self.digits))
            half = 0.5 * 10**-self.digits + 1e-9
            low = max(0, math.ceil((value - half) * self.base / 100 - 1e-9))
            high = min(self.base, math.floor((value + half) * self.base / 100 + 1e-9))
            if low > high:
                raise _refuse(self.name, _("{value} is no percentage of {n}.").format(value=value, n=self.base))
            return low, high
        if value != int(value) or value > 2**53:
            raise _refuse(self.name, _("{value} is no count.").format(value=value))
        value = int(value)
        if self.rounding == 1:
            return value, value
        if value % self.rounding:
            raise _refuse(self.name, _("{value} is no multiple of {n}.").format(value=value, n=self.rounding))
        return max(0, value - self.rounding // 2), value + self.rounding // 2


def _suppressed(pair: Any, threshold: int, name: str) -> Range:
    if pair is None:
        return 1, max(1, threshold - 1)
    ends = [pair.get("lower"), pair.get("upper")] if isinstance(pair, dict) else pair
    if (
        not isinstance(ends, list)
        or len(ends) != 2
        or not _whole(ends[0])
        or ends[0] < 0
        or not (ends[1] is None or (_whole(ends[1]) and ends[1] >= ends[0]))
    ):
        raise _refuse(name, _("`suppressed` is the least and the largest count behind a null."))
    return ends[0], ends[1]


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_EVERYBODY = re.compile(r"^all( [\d,]+)?( rows| records| persons| people| patients)?$", re.IGNORECASE)
_CONDITION = re.compile(r"^\s*([^=<>!]+?)\s*=\s*([^=<>!]+?)\s*$")


def _where(document: Mapping[str, Any], name: str) -> dict[str, frozenset[str]]:
    given = document.get("where") or {}
    if not isinstance(given, dict):
        raise _refuse(name, _("`where` is an object of attributes and their values."))
    found = {
        str(attribute): frozenset(_texts(values if isinstance(values, list) else [values], name))
        for attribute, values in given.items()
    }
    words = document.get("population")
    if isinstance(words, str) and not found:
        parts = [_CONDITION.match(part) for part in re.split(r"\s+and\s+|,", words)]
        if all(parts):
            found = {part[1]: frozenset([part[2]]) for part in parts if part}
    return found


def _population(document: Mapping[str, Any]) -> str:
    words = str(document.get("population") or "").strip()
    parts = re.split(r"\s+and\s+|,", words)
    return "" if _EVERYBODY.match(words) or all(_CONDITION.match(part) for part in parts) else words


def _levels(document: Mapping[str, Any], name: str) -> dict[str, Level]:
    given = document.get("hierarchies") or {}
    found = {}
    try:
        for attribute, level in given.items():
            groups = {str(value): frozenset(_texts(members, name)) for value, members in level["groups"].items()}
            found[str(attribute)] = Level(str(level["base"]), groups)
    except (AttributeError, KeyError, TypeError):
        raise _refuse(name, _("`hierarchies` gives for each attribute its `base` and its `groups`.")) from None
    return found


def _totals(table: CountTable, word: Any, name: str) -> dict[str, str]:
    """Per attribute the value that stands for all: as given, or a word for it whose counts are those of the sum."""
    found = {}
    for place, attribute in enumerate(table.attributes):
        named = {key[place] for key in table.cells}
        given = word.get(attribute) if isinstance(word, dict) else word
        if given is not None:
            if str(given) in named:
                if not _adds_up(table, place, str(given)):
                    raise _refuse(name, _("the total {value} is not the sum of the others.").format(value=given))
                found[attribute] = str(given)
            continue
        for value in sorted(named):
            if value.lower() in TOTAL_WORDS and len(named) > 1 and _adds_up(table, place, value):
                found[attribute] = value
                break
    return found


def _adds_up(table: CountTable, place: int, word: str) -> bool:
    sums: dict[Key, list[float]] = {}
    for key, (low, high) in table.cells.items():
        if key[place] != word:
            line = sums.setdefault(key[:place] + key[place + 1 :], [0, 0])
            line[0] += low
            line[1] += math.inf if high is None else high
    for key, (low, high) in table.cells.items():
        if key[place] == word:
            least, most = sums.get(key[:place] + key[place + 1 :], [0, 0])
            if (high is not None and high < least) or low > most:
                return False
    return True


def margin(table: CountTable, names: Sequence[str]) -> dict[Key, tuple[float, float]]:
    """The counts over some attributes of a table, as ranges; totals that it states are used where they are exact."""
    places = [table.attributes.index(name) for name in names]
    others = [i for i in range(len(table.attributes)) if i not in places]
    found: dict[Key, tuple[float, float]] = {}
    stated: dict[Key, tuple[float, float]] = {}
    for key, (low, high) in table.cells.items():
        here = tuple(key[place] for place in places)
        top = math.inf if high is None else high
        total = [table.totals.get(table.attributes[i]) == key[i] for i in range(len(key))]
        if any(total[i] for i in places):
            continue
        if others and all(total[i] for i in others):
            stated[here] = (low, top)
        if not any(total):
            before = found.get(here, (0, 0))
            found[here] = (before[0] + low, before[1] + top)
    return {**found, **{key: (max(value[0], found.get(key, (0, 0))[0]), value[1]) for key, value in stated.items()}}
