"""Whether an answer is the one that was expected, and if not, in what it differs without saying what it should be."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from madang.science.grading.typed import Opaque


class Difference(StrEnum):
    """In what an answer differs."""

    NONE = "same"
    MISSING = "missing"  # nothing, where something is expected
    KIND = "kind"  # another kind of value
    LENGTH = "length"  # too many or too few
    NAMES = "names"  # other keys or columns
    ORDER = "order"  # the right things in another order
    VALUE = "value"


@dataclass(frozen=True)
class Closeness:
    """How near a number has to be: within `absolute`, or within `relative` times what is expected."""

    absolute: float = 0.0
    relative: float = 1e-9
    ordered: bool = True  # of lists
    tuples: bool = True  # a tuple may stand for a list


def differ(expected: Any, answer: Any, close: Closeness = Closeness()) -> Difference:
    """In what `answer` differs from `expected`; both are plain values, as `typed.loads` gives them.

    true is no 1, and text no number. NaN is the same as NaN only where NaN is expected; infinity as itself alone.
    """
    if isinstance(answer, Opaque) or isinstance(expected, Opaque):
        return Difference.KIND
    if expected is None or answer is None:
        return Difference.NONE if expected is answer else Difference.MISSING if answer is None else Difference.KIND
    if isinstance(expected, bool) or isinstance(answer, bool):
        return _same(expected is answer) if type(expected) is type(answer) else Difference.KIND
    if isinstance(expected, (int, float)):
        return _same(_near(expected, answer, close)) if isinstance(answer, (int, float)) else Difference.KIND
    if isinstance(expected, str):
        return _same(expected == answer) if isinstance(answer, str) else Difference.KIND
    if isinstance(expected, dict):
        return _of_mappings(expected, answer, close) if isinstance(answer, dict) else Difference.KIND
    if isinstance(expected, (set, frozenset)):
        if not isinstance(answer, (set, frozenset)):
            return Difference.KIND
        return Difference.LENGTH if len(expected) != len(answer) else _same(_strict(expected) == _strict(answer))
    return _of_lists(expected, answer, close)


def _same(yes: bool) -> Difference:
    return Difference.NONE if yes else Difference.VALUE


def _strict(values: Any) -> set[tuple[str, Any]]:
    """Members with their kind, since 1 and true are one in a set."""
    return {("bool" if isinstance(each, bool) else "", each) for each in values}


def _near(expected: float, answer: float, close: Closeness) -> bool:
    if isinstance(expected, int) and isinstance(answer, int) and not close.absolute:
        return expected == answer
    try:
        wanted, given = float(expected), float(answer)
    except OverflowError:
        return expected == answer
    if math.isnan(wanted) or math.isnan(given):
        return math.isnan(wanted) and math.isnan(given)
    if math.isinf(wanted) or math.isinf(given):
        return wanted == given
    return abs(wanted - given) <= max(close.absolute, close.relative * abs(wanted))


def _of_mappings(expected: dict[Any, Any], answer: dict[Any, Any], close: Closeness) -> Difference:
    if _strict(expected) != _strict(answer):
        return Difference.NAMES
    found = (differ(value, answer[key], close) for key, value in expected.items())
    return next((each for each in found if each is not Difference.NONE), Difference.NONE)


def _of_lists(expected: Any, answer: Any, close: Closeness) -> Difference:
    if not isinstance(answer, (list, tuple)) or (type(answer) is not type(expected) and not close.tuples):
        return Difference.KIND
    if len(expected) != len(answer):
        return Difference.LENGTH
    if close.ordered:
        found = (differ(e, a, close) for e, a in zip(expected, answer, strict=True))
        first = next((each for each in found if each is not Difference.NONE), Difference.NONE)
        if first is Difference.NONE:
            return first
        return Difference.ORDER if _matched(expected, answer, close) else first
    return _same(_matched(expected, answer, close))


def _matched(expected: Any, answer: Any, close: Closeness) -> bool:
    """Whether the lists hold the same things in some order. Large lists are matched after sorting."""
    if len(expected) > 300:
        pairs = zip(sorted(expected, key=_key), sorted(answer, key=_key), strict=True)
        return all(differ(e, a, close) is Difference.NONE for e, a in pairs)
    left = list(answer)
    for each in expected:
        at = next((i for i, given in enumerate(left) if differ(each, given, close) is Difference.NONE), None)
        if at is None:
            return False
        del left[at]
    return True


def _key(value: Any) -> tuple[Any, ...]:
    if isinstance(value, (list, tuple)):
        return ("l", *[_key(each) for each in value])
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return ("n", round(float(value), 6) if abs(value) < 1e300 and value == value else 0.0)
    return ("s", repr(value))
