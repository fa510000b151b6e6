"""Rows beside their partners: person, death, visit and other tables that a key names, and other dates of the row.

Partners are held in memory by key; every table is read once, row group by row group, its keys and dates only. A partner
that is too large is held a range of its keys at a time, and the tables that name it are read once for each. A partner
table whose key is there twice, or is not a whole number, is left to the plain questions.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa

from madang.science.quality.checks import VOCABULARY_TABLES
from madang.science.quality.model import Check, Count
from madang.science.quality.plan.given import Given, Within, both, days, how_many, integers
from madang.science.quality.plan.partner import Days, Held, Mask, Partner, ranges, read

_COMPLETE = "measurePersonCompleteness"
_PERSON = ("plausibleTemporalAfter", "plausibleAfterBirth", _COMPLETE)
_DEATH = ("plausibleDuringLife", "plausibleBeforeDeath")
_NOTHING_WITHOUT = (  # kinds for which rows without a value of the field count for nothing
    *("isForeignKey", "plausibleTemporalAfter", "plausibleAfterBirth", "plausibleBeforeDeath"),
    "plausibleStartBeforeEnd",
)


class Link(NamedTuple):
    """The field of a row that names a partner, the partner's table and its key."""

    field: str
    table: str
    key: str


T = TypeVar("T")
Find = Callable[[Link], Partner]


def answer(given: Given, checks: Iterable[Check]) -> dict[str, Count]:
    """Foreign keys to tables of records, dates beside other dates, persons without records."""
    held = Held(given)
    at_once: dict[str, list[Check]] = {}
    by_ranges: dict[tuple[str, str], list[Check]] = {}
    for check in checks:
        if not _able(given, check):
            continue
        link = _link(check)
        if link is None or held.of(link.table, link.key) is not None:
            at_once.setdefault(check.table, []).append(check)
        elif (link.table, link.key) in held.wide:
            by_ranges.setdefault((link.table, link.key), []).append(check)
    counts: dict[str, Count] = {}
    for table, asked in at_once.items():
        each = _Pass(given, table, asked)
        each.read(held.find)
        counts |= each.counts()
    del held  # what it held makes room
    for (table, key), asked in by_ranges.items():
        counts |= _by_ranges(given, table, key, asked)
    return counts


def _by_ranges(given: Given, table: str, key: str, checks: Iterable[Check]) -> dict[str, Count]:
    """Checks on a partner that is too large to be held, a range of its keys at a time; none if one is there twice."""
    asked: dict[tuple[str, str], list[Check]] = {}
    for check in checks:
        if (link := _link(check)) is not None:
            asked.setdefault((check.table, link.field), []).append(check)
    passes = [(by, _Pass(given, named, those)) for (named, by), those in asked.items()]
    parts = ranges(given, table, key)
    if not parts or not all(_read_range(given, table, key, part, passes) for part in parts):
        return {}
    return {name: count for _, each in passes for name, count in each.counts().items()}


def _read_range(given: Given, table: str, key: str, part: Within, passes: Iterable[tuple[str, "_Pass"]]) -> bool:
    """Read the tables beside a range of a partner, which goes with this call; whether the partner can be used."""
    partner = read(given, table, key, given.memory, part)
    if partner is not None:
        for by, each in passes:
            each.read(lambda _link: partner, Within(by, part.low, part.high))
    return partner is not None


def _link(check: Check) -> Link | None:
    """By what a check's rows name their partner; None where they are compared with themselves."""
    more = check.parameters
    match check.name:
        case "isForeignKey":
            return Link(check.field, more["table"], more["field"])
        case "withinVisitDates":
            return Link("visit_occurrence_id", "visit_occurrence", "visit_occurrence_id")
        case "plausibleTemporalAfter" if more["table"] == check.table:
            return None
        case name if name in _PERSON:
            return Link("person_id", "person", "person_id")
        case name if name in _DEATH:
            return Link("person_id", "death", "person_id")
    return None


def _able(given: Given, check: Check) -> bool:
    """Whether a pass over the check's table could answer it, if its partner can be held."""
    more, link = check.parameters, _link(check)
    if given.rows(check.table) is None:
        return False
    if link is None:
        return check.name in ("plausibleStartBeforeEnd", "plausibleTemporalAfter")
    if check.name == "isForeignKey" and link.table in VOCABULARY_TABLES:
        return False  # concepts are looked up by histogram
    if check.name == "plausibleTemporalAfter" and (more["table"], more["field"]) != ("person", "birth_datetime"):
        return False
    return given.whole(check.table, link.field)


@dataclass
class _Pass:
    """All checks on a table that need partners or dates, counted together while it is read."""

    given: Given
    table: str
    checks: Sequence[Check]
    total: Counter[tuple[str, str]] = field(default_factory=Counter)
    met: int = 0
    """Persons who have rows."""

    def read(self, partner: Find, within: Within | None = None) -> None:
        """Read the table and add what its rows count; with `within`, those whose partners have such keys."""
        about = [link for check in self.checks if check.name == _COMPLETE and (link := _link(check))]
        seen = np.zeros(partner(about[0]).places, np.bool_) if about else None
        reading = _Reading(self.checks, partner, within, seen)
        for part in self.given.each_group(self.table, self._fields(), reading.count, within):
            self.total.update(part)
        self.met += 0 if seen is None else int(np.count_nonzero(seen))

    def counts(self) -> dict[str, Count]:
        """The counts of all checks of this table."""
        rows = self.given.rows(self.table) or 0
        counts = {}
        for check in self.checks:
            violated = self.total[check.id, "violated"]
            if check.name == _COMPLETE:
                everybody = self.given.rows("person")
                if everybody is not None:
                    counts[check.id] = Count(everybody - self.met, everybody)
            elif check.name in ("isForeignKey", "plausibleTemporalAfter"):
                counts[check.id] = Count(violated, rows)
            elif check.name == "plausibleAfterBirth":
                facts = self.given.facts(self.table, check.field)
                if facts is not None:
                    counts[check.id] = Count(violated, facts.rows - facts.nulls)
            else:
                counts[check.id] = Count(violated, self.total[check.id, "all"])
        return counts

    def _fields(self) -> list[str]:
        fields = {check.field for check in self.checks if check.field}
        for check in self.checks:
            link = _link(check)
            fields.add(check.parameters["field"] if link is None else link.field)
        return sorted(fields)


@dataclass(frozen=True)
class _Reading:
    """What the rows of one row group after another count; `seen` marks the places of persons who have rows."""

    checks: Sequence[Check]
    partner: Find
    within: Within | None
    seen: Mask | None

    def count(self, rows: pa.Table) -> Counter[tuple[str, str]]:
        """What each check finds in one row group."""
        counted: Counter[tuple[str, str]] = Counter()
        group = _Group(rows, self.partner, self.within)
        for check in self.checks:
            if check.name in _NOTHING_WITHOUT and rows.column(check.field).null_count == rows.num_rows:
                continue
            link = _link(check)
            violated, everything = self._alone(check, group) if link is None else self._beside(check, link, group)
            counted[check.id, "violated"] += violated
            counted[check.id, "all"] += everything
        return counted

    def _alone(self, check: Check, group: "_Group") -> tuple[int, int]:
        """(violating rows, rows that count) of a check of two dates of the row."""
        (day, has_day), (other, has_other) = group.date(check.field), group.date(check.parameters["field"])
        valid = both(has_day, has_other)
        if check.name == "plausibleTemporalAfter":
            return how_many(other > day, valid), 0
        return how_many(day > other, valid), group.size if valid is None else int(np.count_nonzero(valid))

    def _beside(self, check: Check, link: Link, group: "_Group") -> tuple[int, int]:
        """(violating rows, rows that count) of a check of a row and its partner."""
        found, named = group.places(link)
        has = found >= 0
        if check.name == _COMPLETE:
            assert self.seen is not None
            self.seen[found[has]] = True
            return 0, 0
        if check.name == "isForeignKey":
            return how_many(~has, named), 0
        if not has.any():
            return 0, 0
        day, valid = group.date(check.field)
        match check.name:
            case "plausibleTemporalAfter" | "plausibleAfterBirth":
                born = group.of(link, "june" if check.name == "plausibleTemporalAfter" else "born")
                return how_many(born > day, both(has, valid)), 0
            case "plausibleDuringLife" | "plausibleBeforeDeath":
                late = day > group.of(link, "dead") + np.int32(check.parameters["days"])
                counts = valid if check.name == "plausibleBeforeDeath" else None
                return how_many(late, both(has, valid)), how_many(has, counts)
            case "withinVisitDates":
                margin = np.int32(check.parameters["days"])
                far = (day < group.of(link, "start") - margin) | (day > group.of(link, "end") + margin)
                return how_many(far, both(has, valid)), how_many(has, None)
        raise AssertionError(check.name)


class _Group:
    """The rows of a row group; what several checks ask of them is worked out once."""

    def __init__(self, rows: pa.Table, partner: Find, within: Within | None) -> None:
        self._rows, self._partner, self._within = rows, partner, within
        self._made: dict[Any, Any] = {}
        self.size = rows.num_rows

    def date(self, field: str) -> tuple[Days, Mask | None]:
        """A column of dates, and which rows have one."""
        return self._once(field, lambda: days(self._rows.column(field)))

    def places(self, link: Link) -> tuple[Days, Mask | None]:
        """The place of each row's partner, -1 where there is none, and which rows name one (of the range)."""
        return self._once(link, lambda: self._places(link))

    def of(self, link: Link, name: str) -> Days:
        """A date of each row's partner; anything where there is none."""
        return self._once((link, name), lambda: self._partner(link).dates[name][self.places(link)[0]])

    def _places(self, link: Link) -> tuple[Days, Mask | None]:
        keys, valid = integers(self._rows.column(link.field))
        named = valid if self._within is None else both(valid, self._within.holds(keys))
        return self._partner(link).find(keys, named), named

    def _once(self, asked: Any, make: Callable[[], T]) -> T:
        # Held in a dictionary and not in functions of this object, which would be a cycle: rows must go when read.
        if asked not in self._made:
            self._made[asked] = make()
        found: T = self._made[asked]
        return found
