"""Canonical JSON: one value, one text."""

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from madang.base.canonical import canonical_json, sha256_of, sha256_of_file
from madang.base.errors import MadangError

SAFE = 2**53 - 1
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-SAFE, SAFE) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def number(text: str) -> int | float:
    """JSON has one kind of number: what is beyond the safe integers was a float."""
    return int(text) if abs(int(text)) <= SAFE else float(text)


@given(plain)
def test_reads_back_as_the_same_value(value: object) -> None:
    assert json.loads(canonical_json(value), parse_int=number) == value


@given(st.dictionaries(st.text(), plain))
def test_does_not_depend_on_the_order_of_keys(value: dict[str, object]) -> None:
    assert sha256_of(value) == sha256_of(dict(reversed(value.items())))


def test_keys_are_ordered_by_utf16_units_as_the_standard_says() -> None:
    assert canonical_json({"\ufb33": 1, "\U0001f600": 2, "가": 3, "a": 1e21}) == (
        '{"a":1e+21,"가":3,"\U0001f600":2,"\ufb33":1}'.encode()
    )


@pytest.mark.parametrize("value", [SAFE + 1, float("nan"), float("inf"), {1: 2}, {"a": object()}, "\ud800"])
def test_refuses_what_json_cannot_carry(value: object) -> None:
    with pytest.raises(MadangError, match="canonical JSON"):
        canonical_json(value)


@given(st.binary())
def test_the_hash_of_a_file_is_that_of_its_bytes(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path: Path = tmp_path_factory.getbasetemp() / "bytes"
    path.write_bytes(content)
    assert sha256_of_file(path) == hashlib.sha256(content).hexdigest()
