"""How values travel out of a closed box: JSON in which every value says its type, read again with limits.

The wire has a list for every value: ["n"] none, ["b", true], ["i", "12"], ["f", "0x1.8p+1"] (hexadecimal, `nan` or
`inf`), ["s", "text"], ["l", [...]], ["t", [...]], ["e", [...]] (a set, sorted), ["d", [[key, value], ...]] and
["o", "type name"] for whatever else. Only values of exactly these types are written, so that an object which says that
it equals everything arrives as the name of its type. Stands alone: the program inside the box imports it by its path.
"""

import json
import math
from dataclasses import dataclass
from typing import Any

DEEPEST = 24
MOST = 200_000  # values in one answer
LONGEST = 4 << 20  # characters of one answer
DIGITS = 1_000  # of an integer


class NotTyped(Exception):
    """A text is not typed JSON, or more of it than anybody reads."""


@dataclass(frozen=True)
class Opaque:
    """A value that has no typed form; only the name of its type is known. Equal to nothing but itself."""

    name: str

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)


def encode(value: Any, depth: int = 0) -> list[Any]:
    """The wire form of a value; ["o", ...] for what has none or is nested too deep."""
    kind = type(value)
    if value is None:
        return ["n"]
    if kind is bool:
        return ["b", value]
    if kind is int:
        return ["i", str(value)] if value.bit_length() <= 3 * DIGITS else ["o", "int"]
    if kind is float:
        return ["f", value.hex()]
    if kind is str:
        return ["s", value]
    if depth >= DEEPEST:
        return ["o", "deep"]
    if kind is list or kind is tuple:
        return ["l" if kind is list else "t", [encode(each, depth + 1) for each in value]]
    if kind is set or kind is frozenset:
        return ["e", sorted((encode(each, depth + 1) for each in value), key=json.dumps)]
    if kind is dict:
        return ["d", [[encode(key, depth + 1), encode(each, depth + 1)] for key, each in value.items()]]
    return _foreign(value, kind, depth)


def _foreign(value: Any, kind: type, depth: int) -> list[Any]:
    """Numbers and arrays of NumPy, dates and decimals as the plain values that they stand for."""
    module = kind.__module__.partition(".")[0]
    if module == "numpy" and hasattr(value, "tolist"):
        plain = value.tolist()
        return encode(plain, depth + 1) if type(plain) in (bool, int, float, str, list) else ["o", kind.__name__]
    if module in ("datetime", "decimal", "uuid"):
        return ["s", str(value)]
    return ["o", kind.__name__[:60]]


def dumps(value: Any) -> str:
    """A value as one line of typed JSON, ASCII only."""
    return json.dumps(encode(value), ensure_ascii=True, separators=(",", ":"))


def loads(text: str | bytes) -> Any:
    """The value of a line of typed JSON. Errors: `NotTyped`."""
    if len(text) > LONGEST:
        raise NotTyped("too long")
    try:
        wire = json.loads(text)
    except (ValueError, RecursionError):
        raise NotTyped("no JSON") from None
    return decode(wire)


def decode(wire: Any) -> Any:
    """The value of a wire form. Errors: `NotTyped`."""
    return _Reader().read(wire, 0)


class _Reader:
    def __init__(self) -> None:
        self.left = MOST

    def read(self, wire: Any, depth: int) -> Any:
        self.left -= 1
        if self.left < 0 or depth > DEEPEST + 2:
            raise NotTyped("too much")
        if type(wire) is not list or not wire or type(wire[0]) is not str:
            raise NotTyped("no typed value")
        tag, rest = wire[0], wire[1:]
        if tag == "n" and not rest:
            return None
        if len(rest) != 1:
            raise NotTyped("no typed value")
        given = rest[0]
        if tag == "b" and type(given) is bool:
            return given
        if type(given) is str:
            return self._scalar(tag, given)
        if type(given) is not list:
            raise NotTyped("no typed value")
        if tag == "d":
            return self._mapping(given, depth)
        values = [self.read(each, depth + 1) for each in given]
        if tag == "l":
            return values
        if tag == "t":
            return tuple(values)
        if tag == "e":
            return frozenset(_hashable(each) for each in values)
        raise NotTyped("no typed value")

    def _scalar(self, tag: str, given: str) -> Any:
        if tag == "s":
            return given
        if tag == "o":
            return Opaque(given[:60])
        try:
            if tag == "i" and len(given) <= DIGITS + 1 and given.isascii() and given.lstrip("-").isdigit():
                return int(given)
            if tag == "f" and len(given) <= 60:
                return float.fromhex(given)
        except (ValueError, OverflowError):
            pass
        raise NotTyped("no typed value")

    def _mapping(self, given: list[Any], depth: int) -> dict[Any, Any]:
        made: dict[Any, Any] = {}
        for pair in given:
            if type(pair) is not list or len(pair) != 2:
                raise NotTyped("no typed value")
            key = _hashable(self.read(pair[0], depth + 1))
            if key in made:
                raise NotTyped("a key twice")
            made[key] = self.read(pair[1], depth + 1)
        return made


def _hashable(value: Any) -> Any:
    """What can be a key or a member of a set; containers only as tuples."""
    if isinstance(value, tuple):
        return tuple(_hashable(each) for each in value)
    if isinstance(value, (list, dict)):
        raise NotTyped("no key")
    if isinstance(value, float) and math.isnan(value):
        raise NotTyped("no key")
    return value
