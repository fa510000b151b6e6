"""Rows beside their partners: person, death, visit and other tables that a key names, and other dates of the row.

Partners are held in memory by key, as far as they fit; then every table is read once, row group by row group, its keys
and dates only. A partner table whose key is there twice, or is not a whole number, or that does not fit, is left to the
plain questions.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from madang.base.errors import MadangError
from madang.lake.engine import quote_name
from madang.science.quality.checks import VOCABULARY_TABLES
from madang.science.quality.columns import family
from madang.science.quality.model import Check, Count
from madang.science.quality.plan.given import EVER, NEVER, Given, both, days, how_many, integers
from madang.science.quality.questions import BIRTH

Days = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]

_WIDEST = 1 << 30  # places of keys that lie close together; places are numbers of 32 bits
_APART = 16  # times as many places as keys are close together, and ...
_SMALL = 1 << 24  # ... so many always

_PERSON = ("plausibleTemporalAfter", "plausibleAfterBirth", "measurePersonCompleteness")
_DEATH = ("plausibleDuringLife", "plausibleBeforeDeath")
_NOTHING_WITHOUT = (  # kinds for which rows without a value of the field count for nothing
    *("isForeignKey", "plausibleTemporalAfter", "plausibleAfterBirth", "plausibleBeforeDeath"),
    "plausibleStartBeforeEnd",
)


def answer(given: Given, checks: Iterable[Check]) -> dict[str, Count]:
    """Foreign keys to tables of records, dates beside other dates, persons without records."""
    partners = _Partners(given)
    counts: dict[str, Count] = {}
    by_table: dict[str, list[Check]] = {}
    for check in checks:
        if partners.can(check):
            by_table.setdefault(check.table, []).append(check)
    for table, asked in by_table.items():
        counts |= _Pass(given, partners, table, asked).run()
    return counts


class Partner:
    """A table by its key: the place of each key, and at each place dates in days since 1970.

    Where keys lie close together a key's place follows from it alone; else keys are sorted and searched.
    """

    def __init__(self, filled: int, low: int, high: int, missing: Mapping[str, int], *, dense: bool) -> None:
        self.dense = dense
        self.places = high - low + 1 if self.dense else filled
        self.unique = True
        self.dates = {name: np.full(self.places, value, np.int32) for name, value in missing.items()}
        self._low, self._filled = low, 0
        self._there = np.zeros(self.places + 1 if self.dense else 0, np.bool_)  # and one for keys outside: nobody
        self._keys = np.zeros(0 if self.dense else filled, np.int64)

    def add(self, keys: npt.NDArray[np.int64], dates: Mapping[str, Days]) -> None:
        """Take some of the rows in."""
        if self.dense:
            at: Any = keys - self._low
            self._there[at] = True
        else:
            at = slice(self._filled, self._filled + len(keys))
            self._keys[at] = keys
        for name, values in dates.items():
            self.dates[name][at] = values
        self._filled += len(keys)

    def close(self) -> None:
        """Say that all rows are in."""
        if self.dense:
            self.unique = int(np.count_nonzero(self._there)) == self._filled
            return
        order = np.argsort(self._keys, kind="stable")
        self._keys = self._keys[order]
        for name, values in self.dates.items():
            self.dates[name] = values[order]
        self.unique = not bool(np.any(self._keys[1:] == self._keys[:-1]))

    def find(self, keys: npt.NDArray[np.int64], valid: Mask | None) -> npt.NDArray[np.int32]:
        """The place of each key's partner, -1 where there is none."""
        # Rows that stand together mostly belong together: each run of equal keys is looked up once.
        starts = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
        found = np.repeat(self._find(keys[starts]), np.diff(starts, append=len(keys)))
        if valid is not None:
            found[~valid] = -1
        return found

    def _find(self, keys: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
        if self.dense:
            at = keys - self._low
            at[(at < 0) | (at >= self.places)] = self.places
            return np.where(self._there[at], at, -1).astype(np.int32)
        if not self.places:
            return np.full(len(keys), -1, np.int32)
        place = np.minimum(np.searchsorted(self._keys, keys), self.places - 1).astype(np.int32)
        return np.where(self._keys[place] == keys, place, np.int32(-1))


def _room_for(filled: int, low: int, high: int, dates: int, room: int) -> tuple[bool, int] | None:
    """Whether a partner's keys get places of their own, and its bytes while it is filled; None where it has no room."""
    width = high - low + 1
    size = width * (1 + 4 * dates)
    if filled > 0 and width <= min(_APART * filled + _SMALL, _WIDEST) and size <= room:
        return True, size
    size = filled * (8 + 4 * dates + 16)  # with the order, while it is sorted, and what is put into it
    return (False, size) if size <= room else None


class _Partners:
    """The partner tables, each read when it is first asked for; None where it cannot be used here."""

    def __init__(self, given: Given) -> None:
        self._given = given
        self._made: dict[tuple[str, str], Partner | None] = {}
        self._room = given.memory

    def can(self, check: Check) -> bool:
        """Whether a pass over the check's table can answer it."""
        given, table, field, more = self._given, check.table, check.field, check.parameters
        if given.rows(table) is None:
            return False
        match check.name:
            case "measurePersonCompleteness":
                return given.whole(table, "person_id") and self.of("person") is not None
            case "isForeignKey":
                if more["table"] in VOCABULARY_TABLES:
                    return False  # concepts are looked up by histogram
                return given.whole(table, field) and self.of(more["table"], more["field"]) is not None
            case "plausibleTemporalAfter" if more["table"] != "person" or table == "person":
                return more["table"] == table
            case name if name in _PERSON:
                if name == "plausibleTemporalAfter" and more["field"] != "birth_datetime":
                    return False
                return given.whole(table, "person_id") and self.of("person") is not None
            case name if name in _DEATH:
                return given.whole(table, "person_id") and self.of("death", "person_id") is not None
            case "withinVisitDates":
                return given.whole(table, "visit_occurrence_id") and self.of("visit_occurrence") is not None
            case "plausibleStartBeforeEnd":
                return True
        return False

    def of(self, table: str, key: str = "") -> Partner | None:
        """A partner table by its key, by default its primary key."""
        key = key or f"{table}_id"
        if (table, key) not in self._made:
            self._made[table, key] = self._read(table, key)
        return self._made[table, key]

    def _read(self, table: str, key: str) -> Partner | None:
        given = self._given
        if not given.whole(table, key):
            return None
        columns = given.columns[table]
        dates = _dates(table, columns)
        key_ = quote_name(key)
        listed = "".join(f", {sql} AS {quote_name(name)}" for name, sql in dates.items())
        try:
            ((filled, low, high),) = given.engine.rows(f"SELECT count({key_}), min({key_}), max({key_}) FROM {table}")
            low, high = int(low or 0), int(high or 0)
            found = _room_for(filled, low, high, len(dates), self._room)
            if found is None:
                return None  # the plain questions join it, which may spill
            dense, size = found
            partner = Partner(filled, low, high, {name: _missing(name) for name in dates}, dense=dense)
            for batch in given.engine.batches(
                f"SELECT {key_}::BIGINT AS key{listed} FROM {table} p WHERE {key_} IS NOT NULL"
            ):
                read = pa.Table.from_batches([batch])
                partner.add(integers(read.column("key"))[0], {name: _filled(read.column(name), name) for name in dates})
        except MadangError:
            return None  # such as a year that no date can have: the plain questions tell which
        partner.close()
        if not partner.unique:
            return None
        self._room -= size
        return partner


_LAST = ("dead", "end")  # dates after which a row is wrong: where there is none, nothing is


def _dates(table: str, columns: Any) -> dict[str, str]:
    """The dates of a partner that rows are compared with, as SQL."""
    dated = {name for name, kind in columns.items() if family(kind) == "date"}
    numbers = {name for name, kind in columns.items() if family(kind) in ("integer", "number")}
    if table == "person":
        found = {}
        if {"year_of_birth", "month_of_birth", "day_of_birth"} <= numbers and "birth_datetime" in dated:
            found["born"] = BIRTH
        if "year_of_birth" in numbers and "birth_datetime" in dated:
            found["june"] = "coalesce(p.birth_datetime::DATE, make_date(p.year_of_birth::BIGINT, 6, 1))"
        return found
    if table == "death" and "death_date" in dated:
        return {"dead": "p.death_date::DATE"}
    if table == "visit_occurrence" and {"visit_start_date", "visit_end_date"} <= dated:
        return {"start": "p.visit_start_date::DATE", "end": "p.visit_end_date::DATE"}
    return {}


def _filled(column: pa.ChunkedArray, name: str) -> Days:
    values, valid = days(column)
    return values if valid is None else np.where(valid, values, np.int32(_missing(name)))


def _missing(name: str) -> int:
    """The day that stands where there is none, after which or before which no row is wrong."""
    return NEVER if name in _LAST else EVER


@dataclass
class _Pass:
    """One reading of a table for all checks on it that need partners or dates."""

    given: Given
    partners: _Partners
    table: str
    checks: Sequence[Check]

    def run(self) -> dict[str, Count]:
        """The counts of all checks of this table."""
        rows = self.given.rows(self.table) or 0
        self._seen = np.zeros(person.places, np.bool_) if (person := self._persons()) else None
        total: Counter[tuple[str, str]] = Counter()
        for part in self.given.each_group(self.table, self._fields(), self._count):
            total.update(part)
        counts = {}
        for check in self.checks:
            violated = total[check.id, "violated"]
            if check.name == "measurePersonCompleteness":
                assert self._seen is not None
                everybody = self.given.rows("person")
                if everybody is None:
                    continue
                counts[check.id] = Count(everybody - int(np.count_nonzero(self._seen)), everybody)
            elif check.name in ("isForeignKey", "plausibleTemporalAfter"):
                counts[check.id] = Count(violated, rows)
            elif check.name == "plausibleAfterBirth":
                facts = self.given.facts(self.table, check.field)
                if facts is not None:
                    counts[check.id] = Count(violated, facts.rows - facts.nulls)
            else:
                counts[check.id] = Count(violated, total[check.id, "all"])
        return counts

    def _persons(self) -> Partner | None:
        wanted = any(check.name == "measurePersonCompleteness" for check in self.checks)
        return self.partners.of("person") if wanted else None

    def _fields(self) -> list[str]:
        fields: set[str] = set()
        for check in self.checks:
            if check.field:
                fields.add(check.field)
            match check.name:
                case "plausibleStartBeforeEnd":
                    fields.add(check.parameters["field"])
                case "plausibleTemporalAfter" if check.parameters["table"] == self.table:
                    fields.add(check.parameters["field"])
                case "withinVisitDates":
                    fields.add("visit_occurrence_id")
                case "measurePersonCompleteness":
                    fields.add("person_id")
                case name if name in (*_PERSON, *_DEATH):
                    fields.add("person_id")
        return sorted(fields)

    def _count(self, group: pa.Table) -> Counter[tuple[str, str]]:
        """What each check finds in one row group."""
        counted: Counter[tuple[str, str]] = Counter()
        date = _once(lambda field: days(group.column(field)))
        places = _once(self._finder(group))
        beside = _once(lambda asked: self._of(*asked)[places(asked[:3])[0]])
        for check in self.checks:
            violated, everything = self._one(check, group, date, places, beside)
            counted[check.id, "violated"] += violated
            counted[check.id, "all"] += everything
        return counted

    def _finder(self, group: pa.Table) -> Callable[[tuple[str, str, str]], tuple[Any, Any]]:
        def find(asked: tuple[str, str, str]) -> tuple[Any, Any]:
            field, table, key = asked
            partner = self.partners.of(table, key)
            assert partner is not None
            values, valid = integers(group.column(field))
            return partner.find(values, valid), valid

        return find

    def _one(self, check: Check, group: pa.Table, date: Any, places: Any, beside: Any) -> tuple[int, int]:
        """(violating rows, rows that count) of one check in one row group."""
        more = check.parameters
        if check.name in _NOTHING_WITHOUT and group.column(check.field).null_count == group.num_rows:
            return 0, 0
        match check.name:
            case "measurePersonCompleteness":
                found, _ = places(("person_id", "person", "person_id"))
                assert self._seen is not None
                self._seen[found[found >= 0]] = True
                return 0, 0
            case "isForeignKey":
                found, valid = places((check.field, more["table"], more["field"]))
                return how_many(found < 0, valid), 0
            case "plausibleStartBeforeEnd":
                (start, has_start), (end, has_end) = date(check.field), date(more["field"])
                valid = both(has_start, has_end)
                return how_many(start > end, valid), group.num_rows if valid is None else int(np.count_nonzero(valid))
            case "plausibleTemporalAfter" if more["table"] == self.table:
                (day, has_day), (earlier, has_earlier) = date(check.field), date(more["field"])
                return how_many(earlier > day, both(has_day, has_earlier)), 0
            case "plausibleTemporalAfter" | "plausibleAfterBirth":
                found, _ = places(("person_id", "person", "person_id"))
                day, valid = date(check.field)
                name = "june" if check.name == "plausibleTemporalAfter" else "born"
                born = beside(("person_id", "person", "person_id", name))
                return how_many(born > day, both(found >= 0, valid)), 0
            case "plausibleDuringLife" | "plausibleBeforeDeath":
                found, _ = places(("person_id", "death", "person_id"))
                day, valid = date(check.field)
                dead = found >= 0
                if not dead.any():
                    return 0, 0
                late = day > beside(("person_id", "death", "person_id", "dead")) + np.int32(more["days"])
                counts = valid if check.name == "plausibleBeforeDeath" else None
                return how_many(late, both(dead, valid)), how_many(dead, counts)
            case "withinVisitDates":
                key = ("visit_occurrence_id", "visit_occurrence", "visit_occurrence_id")
                day, valid = date(check.field)
                has, margin = places(key)[0] >= 0, np.int32(more["days"])
                far = (day < beside((*key, "start")) - margin) | (day > beside((*key, "end")) + margin)
                return how_many(far, both(has, valid)), how_many(has, None)
        raise AssertionError(check.name)

    def _of(self, field: str, table: str, key: str, name: str) -> Days:
        partner = self.partners.of(table, key)
        assert partner is not None
        return partner.dates[name] if partner.places else np.zeros(1, np.int32)


def _once(make: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """`make`, but only once for each argument."""
    made: dict[Any, Any] = {}

    def get(asked: Any) -> Any:
        if asked not in made:
            made[asked] = make(asked)
        return made[asked]

    return get
