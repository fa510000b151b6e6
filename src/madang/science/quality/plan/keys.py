"""Primary keys: shown to be there once each, without sorting them all."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from madang.science.quality.model import Check, Count
from madang.science.quality.plan.given import Given, integers

_WIDEST = 1 << 28  # bytes of the map of keys seen; keys further apart are sorted


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
    """Whether a column of integers is known to hold no value twice; nulls do not count."""
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
    if width > _WIDEST:
        parts = given.each_group(table, [field], _filled)
        everything = np.sort(np.concatenate(parts))
        return not bool(np.any(everything[1:] == everything[:-1]))
    seen = np.zeros(width, np.bool_)

    def mark(group: pa.Table) -> None:
        seen[_filled(group) - low] = True

    given.each_group(table, [field], mark)
    return int(np.count_nonzero(seen)) == filled


def _filled(group: pa.Table) -> npt.NDArray[np.int64]:
    values, valid = integers(group.column(0))
    return values if valid is None else values[valid]
