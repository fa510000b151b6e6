"""Typed JSON: what goes in comes out with its type, and nothing else gets through."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from madang.science.grading import typed

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
KEYS = st.booleans() | st.integers() | st.text() | st.tuples(st.integers(), st.text())
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(KEYS, inner) | st.frozensets(KEYS),
    max_leaves=20,
)


def alike(one: Any, two: Any) -> bool:
    """The slow twin: equal, and of the same types all the way down."""
    if type(one) is not type(two):
        return False
    if isinstance(one, float):
        return one == two or (math.isnan(one) and math.isnan(two))
    if isinstance(one, (list, tuple)):
        return len(one) == len(two) and all(map(alike, one, two))
    if isinstance(one, dict):
        return (
            len(one) == len(two)
            and all(map(alike, one.keys(), two.keys()))
            and all(map(alike, one.values(), two.values()))
        )
    return bool(one == two)


@given(VALUES)
def test_what_goes_in_comes_out(value: Any) -> None:
    assert alike(typed.loads(typed.dumps(value)), value)


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_any_other_text_is_refused_or_a_value(text: bytes | str) -> None:
    try:
        typed.loads(text)
    except typed.NotTyped:
        return
    assert json.loads(text)[0] in "nbifsoled"


@given(st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20))
def test_plain_json_is_refused_unless_it_is_typed(value: Any) -> None:
    try:
        found = typed.decode(value)
    except typed.NotTyped:
        return
    assert isinstance(value, list), found


class Strange(int):
    """A number that is none."""


@pytest.mark.parametrize("value", [Strange(3), object(), len, 10**4000, [Strange(1)], {1: object()}, b"x", 1j])
def test_what_has_no_typed_form_is_only_its_name(value: Any) -> None:
    assert '"o"' in typed.dumps(value)


@pytest.mark.parametrize(
    "wire",
    [
        ["i", "1" * 2000],
        ["i", "1.5"],
        ["i", "٣"],
        ["i", 5],
        ["b", 1],
        ["d", [[["s", "a"], ["n"]], [["s", "a"], ["n"]]]],
        ["d", [[["l", []], ["n"]]]],
        ["e", [["d", []]]],
        ["x", "1"],
        [],
        "i",
        ["l", [["l", 3]]],
    ],
)
def test_wire_forms_that_are_refused(wire: Any) -> None:
    with pytest.raises(typed.NotTyped):
        typed.decode(wire)


def test_depth_and_size_are_bounded() -> None:
    wire: Any = ["n"]
    for _number in range(100):
        wire = ["l", [wire]]
    with pytest.raises(typed.NotTyped):
        typed.decode(wire)
    with pytest.raises(typed.NotTyped):
        typed.decode(["l", [["n"]] * (typed.MOST + 1)])
    with pytest.raises(typed.NotTyped):
        typed.loads("[" * 1_000_000)
