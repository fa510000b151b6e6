"""A table by its key, held in memory: all of it where it fits, else a range of its keys at a time."""

from collections.abc import Mapping
from itertools import pairwise
from math import inf
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from madang.base.errors import MadangError
from madang.lake.engine import quote_name
from madang.science.quality.columns import family
from madang.science.quality.plan.given import EVER, MOST, NEVER, Given, Within, days, integers
from madang.science.quality.questions import BIRTH

Days = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]

_WIDEST = 1 << 30  # places of keys that lie close together; places are numbers of 32 bits
_APART = 16  # times as many places as keys are close together, and ...
_SMALL = 1 << 24  # ... so many always
_BINS = 1 << 16  # parts of which ranges of keys are put together


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
        if self.dates:
            order = np.argsort(self._keys, kind="stable")
            self._keys = self._keys[order]
            for name, values in self.dates.items():
                self.dates[name] = values[order]
        else:
            self._keys.sort()  # in place
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


class Held:
    """The partner tables that fit beside each other, each read when it is first asked for."""

    def __init__(self, given: Given) -> None:
        self._given = given
        self._made: dict[tuple[str, str], Partner | None] = {}
        self._room = given.memory
        self.wide: set[tuple[str, str]] = set()
        """Those that could be used, had they room."""

    def of(self, table: str, key: str) -> Partner | None:
        """A partner table by its key; None where it has no room, or cannot be used at all."""
        if (table, key) not in self._made:
            self._made[table, key] = self._read(table, key)
        return self._made[table, key]

    def find(self, link: tuple[str, str, str]) -> Partner:
        """The partner that a field (of a link: field, table, key) names; it was there when it was asked for."""
        partner = self.of(*link[1:])
        assert partner is not None
        return partner

    def _read(self, table: str, key: str) -> Partner | None:
        if not self._given.whole(table, key):
            return None
        try:
            spread = _spread(self._given, table, key, _ALL)
        except MadangError:
            return None
        found = _room_for(*spread, len(_dates(table, self._given.columns[table])), self._room)
        if found is None:
            self.wide.add((table, key))
            return None
        dense, size = found
        partner = _filled_with(self._given, table, key, spread, _ALL, dense=dense)
        if partner is not None:
            self._room -= size
        return partner


_ALL = Within("", -inf, inf)


def read(given: Given, table: str, key: str, room: int, within: Within) -> Partner | None:
    """The rows of a partner table whose keys are within a range; None where a key is there twice.

    Also None where they do not fit into `room` bytes, or a date cannot be told: the plain questions tell which.
    """
    spread = _spread(given, table, key, within)
    found = _room_for(*spread, len(_dates(table, given.columns[table])), room)
    return None if found is None else _filled_with(given, table, key, spread, within, dense=found[0])


def _filled_with(
    given: Given, table: str, key: str, spread: tuple[int, int, int], within: Within, *, dense: bool
) -> Partner | None:
    dates = _dates(table, given.columns[table])
    partner = Partner(*spread, {name: _missing(name) for name in dates}, dense=dense)
    listed = "".join(f", {sql} AS {quote_name(name)}" for name, sql in dates.items())
    try:
        for batch in given.engine.batches(
            f"SELECT {quote_name(key)}::BIGINT AS key{listed} FROM {table} p WHERE {_where(key, within)}"
        ):
            rows = pa.Table.from_batches([batch])
            partner.add(integers(rows.column("key"))[0], {name: _filled(rows.column(name), name) for name in dates})
    except MadangError:
        return None  # such as a year that no date can have
    partner.close()
    return partner if partner.unique else None


def ranges(given: Given, table: str, key: str) -> list[Within]:
    """Ranges of keys that together are all numbers, each with room for its rows; none where there would be too many."""
    dates = len(_dates(table, given.columns[table]))
    _filled, low, high = _spread(given, table, key, _ALL)
    if high - low >= 1 << 62:
        return []
    step = (high - low) // _BINS + 1
    bins = given.engine.rows(
        f"SELECT ({quote_name(key)}::BIGINT - {low}) // {step} AS bin, count(*) FROM {table} "
        f"WHERE {quote_name(key)} IS NOT NULL GROUP BY bin ORDER BY bin"
    )
    edges: list[float] = [-inf]
    start, filled = low, 0
    for number, rows in bins:
        begin = low + number * step
        if _room_for(filled + rows, start, begin + step - 1, dates, given.memory) is None:
            if _room_for(rows, begin, begin + step - 1, dates, given.memory) is None:
                return []
            edges.append(begin)
            start, filled = begin, 0
        filled += rows
    edges.append(inf)
    return [Within(key, *pair) for pair in pairwise(edges)] if len(edges) <= MOST + 1 else []


def _spread(given: Given, table: str, key: str, within: Within) -> tuple[int, int, int]:
    """How many keys there are within a range, the lowest and the highest."""
    name = quote_name(key)
    ((filled, low, high),) = given.engine.rows(
        f"SELECT count({name}), min({name}), max({name}) FROM {table} WHERE {_where(key, within)}"
    )
    return filled, int(low or 0), int(high or 0)


def _where(key: str, within: Within) -> str:
    name = quote_name(key)
    found = [f"{name} IS NOT NULL"]
    found += [f"{name} >= {within.low}"] if within.low != -inf else []
    found += [f"{name} < {within.high}"] if within.high != inf else []
    return " AND ".join(found)


def _room_for(filled: int, low: int, high: int, dates: int, room: int) -> tuple[bool, int] | None:
    """Whether a partner's keys get places of their own, and its bytes while it is filled; None where it has no room."""
    width = high - low + 1
    size = width * (1 + 4 * dates)
    if filled > 0 and width <= min(_APART * filled + _SMALL, _WIDEST) and size <= room:
        return True, size
    size = filled * (
        8 + 4 * dates + (16 if dates else 0)
    )  # with the order, while it is sorted, and what is put into it
    return (False, size) if size <= room else None


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
