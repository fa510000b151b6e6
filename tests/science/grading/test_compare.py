"""Comparison of answers: against a slow twin, and the cases in which people are surprised."""

import itertools
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from madang.science.grading.compare import Closeness, Difference, differ
from madang.science.grading.typed import Opaque

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([0.5, 1.0, math.nan, math.inf])
    | st.text("ab", max_size=2)
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab"), inner), max_leaves=8
)
EXACT = Closeness(relative=0)


def kind(value: Any) -> str:
    """Numbers are one kind, true and false another."""
    return "number" if isinstance(value, (int, float)) and not isinstance(value, bool) else type(value).__name__


def twin(one: Any, two: Any, ordered: bool) -> bool:
    """The slow twin: the same kinds and values, lists in any order by trying all orders."""
    if kind(one) != kind(two):
        return False
    if isinstance(one, float) and isinstance(two, float) and math.isnan(one):
        return math.isnan(two)
    if isinstance(one, list):
        orders = [two] if ordered else itertools.permutations(two)
        return len(one) == len(two) and any(
            all(twin(a, b, ordered) for a, b in zip(one, o, strict=True)) for o in orders
        )
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(twin(one[key], two[key], ordered) for key in one)
    return bool(one == two)


@given(VALUES, VALUES, st.booleans())
def test_agrees_with_the_twin(one: Any, two: Any, ordered: bool) -> None:
    found = differ(one, two, Closeness(relative=0, ordered=ordered)) is Difference.NONE
    assert found == twin(one, two, ordered)


@given(VALUES)
def test_everything_is_the_same_as_itself(value: Any) -> None:
    assert differ(value, value, EXACT) is Difference.NONE


@given(st.lists(st.integers(0, 3), max_size=5), st.randoms())
def test_another_order_is_told_as_such(values: list[int], chance: Any) -> None:
    other = list(values)
    chance.shuffle(other)
    assert differ(values, other) is (Difference.NONE if values == other else Difference.ORDER)


@pytest.mark.parametrize(
    ("expected", "answer", "found"),
    [
        (1, True, Difference.KIND),
        (True, 1, Difference.KIND),
        (1, "1", Difference.KIND),
        (1, 1.0, Difference.NONE),
        (2.0, 2, Difference.NONE),
        (0.3, 0.1 + 0.2, Difference.NONE),
        (math.nan, math.nan, Difference.NONE),
        (1.0, math.nan, Difference.VALUE),
        (math.inf, math.inf, Difference.NONE),
        (1.0, math.inf, Difference.VALUE),
        (10**400, 10**400 + 1, Difference.VALUE),
        (1.0, 10**400, Difference.VALUE),
        ([1, 2], (1, 2), Difference.NONE),
        ([1, 2], [1], Difference.LENGTH),
        ({"a": 1}, {"b": 1}, Difference.NAMES),
        ({"a": 1}, {"a": 1, "b": 2}, Difference.NAMES),
        ({1: 2}, {True: 2}, Difference.NAMES),
        (None, 0, Difference.KIND),
        (0, None, Difference.MISSING),
        (frozenset({1}), frozenset({True}), Difference.VALUE),
        (1, Opaque("int"), Difference.KIND),
        ([1], [Opaque("int")], Difference.KIND),
    ],
)
def test_surprises(expected: Any, answer: Any, found: Difference) -> None:
    assert differ(expected, answer) is found


def test_near_enough() -> None:
    assert differ(100.0, 100.4, Closeness(absolute=0.5)) is Difference.NONE
    assert differ(100.0, 100.6, Closeness(absolute=0.5)) is Difference.VALUE
    assert differ(37, 37.4, Closeness(absolute=0.5)) is Difference.NONE


def test_many_rows_in_any_order() -> None:
    rows = [[n, f"r{n}"] for n in range(2_000)]
    assert differ(rows, rows[::-1], Closeness(ordered=False)) is Difference.NONE
    assert differ(rows, [*rows[1:], [0, "x"]], Closeness(ordered=False)) is Difference.VALUE
