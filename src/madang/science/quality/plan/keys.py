"""Primary keys: shown to be there once each, without sorting them all."""

import threading
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from madang.science.quality.model import Check, Count
from madang.science.quality.plan.given import MOST, Given, Within, integers

_WIDEST = 1 << 28  # keys that are marked with a byte each; keys further apart are sorted, or marked with a bit


def answer(given: Given, checks: Iterable[Check]) -> dict[str, Count]:
    """Keys without a repetition; those with one are left to a query that counts the rows."""
    if given.narrowed:
        return {}  # a key may be there once among these rows and again among others
    return {
        check.id: Count(0, given.rows(check.table))
        for check in checks
        if check.name == "isPrimaryKey" and unique(given, check.table, check.field)
    }


def unique(given: Given, table: str, field: str) -> bool:
    """Whether a column of integers is known to hold no value twice; nulls do not count.

    False as well where that cannot be told within `given.memory`: a query may spill.
    """
    facts = given.facts(table, field)
    if facts is None or not given.whole(table, field):
        return False
    if facts.rows - facts.nulls <= 1:
        return True
    if facts.low is None:
        return False
    filled, low, width = facts.rows - facts.nulls, facts.low, facts.high - facts.low + 1
    if width < filled:
        return False
    if width <= min(_WIDEST, given.memory):
        return _marked(given, table, field, low, width) == filled
    if 2 * 8 * filled <= given.memory:
        return _sorted(given, table, field)
    window = 8 * given.memory  # keys with a bit each
    if width > MOST * window:
        return False
    return all(
        _Bits(start, min(window, low + width - start)).takes(given, table, field)
        for start in range(low, low + width, window)
    )


def _marked(given: Given, table: str, field: str, low: int, width: int) -> int:
    """How many keys there are, by a mark for each."""
    seen = np.zeros(width, np.bool_)

    def mark(group: pa.Table) -> None:
        seen[_filled(group) - low] = True

    given.each_group(table, [field], mark)
    return int(np.count_nonzero(seen))


def _sorted(given: Given, table: str, field: str) -> bool:
    everything = np.concatenate(given.each_group(table, [field], _filled))
    everything.sort()
    return not bool(np.any(everything[1:] == everything[:-1]))


class _Bits:
    """A bit for each key that there may be in a range: an eighth of the memory of marks, for more work."""

    def __init__(self, low: int, width: int) -> None:
        self._low, self._width = low, width
        self._seen = np.zeros(width // 8 + 1, np.uint8)
        self._lock = threading.Lock()  # a byte has the bits of eight keys

    def takes(self, given: Given, table: str, field: str) -> bool:
        """Whether no key of a table comes twice among those that have a bit here."""
        self._within = Within(field, self._low, self._low + self._width)
        return all(given.each_group(table, [field], self._take, self._within))

    def _take(self, group: pa.Table) -> bool:
        keys = _filled(group)
        keys = keys[self._within.holds(keys)] - self._low
        keys.sort()
        if not len(keys):
            return True
        if bool(np.any(keys[1:] == keys[:-1])):
            return False
        places = keys >> 3
        starts = np.flatnonzero(np.concatenate(([True], places[1:] != places[:-1])))
        bits = np.bitwise_or.reduceat(np.left_shift(1, keys & 7).astype(np.uint8), starts)
        at = places[starts]
        with self._lock:
            known = self._seen[at]
            self._seen[at] = known | bits
        return not bool(np.any(known & bits))


def _filled(group: pa.Table) -> npt.NDArray[np.int64]:
    values, valid = integers(group.column(0))
    return values if valid is None else values[valid]
