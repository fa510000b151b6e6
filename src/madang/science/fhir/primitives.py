"""The primitive types of FHIR R4 in JSON: what each value looks like.

`checker(type)` gives a function from a value to None, or to the word for what is wrong with it: `type` (another JSON
type), `empty`, `format` (not as the type is written) or `range`. Good texts are remembered, so that a value that comes
again costs a look into a set.
"""

import re
from collections.abc import Callable
from datetime import date
from typing import Any

Check = Callable[[Any], str | None]
REMEMBERED = 50_000  # texts per type

_YEAR = r"([0-9]([0-9]([0-9][1-9]|[1-9]0)|[1-9]00)|[1-9]000)"
_DAY = r"(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01])"
_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?"
_ZONE = r"(Z|[+-]((0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
PATTERNS = {
    "id": r"[A-Za-z0-9\-.]{1,64}",
    "code": r"[^\s\x00-\x1f]+(\s[^\s\x00-\x1f]+)*",
    "uri": r"[^\s\x00-\x1f]+",
    "url": r"[^\s\x00-\x1f]+",
    "canonical": r"[^\s\x00-\x1f]+",
    "oid": r"urn:oid:[0-2](\.(0|[1-9][0-9]*))+",
    "uuid": r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    "date": rf"{_YEAR}(-{_DAY})?)?",
    "dateTime": rf"{_YEAR}(-{_DAY}(T{_CLOCK}{_ZONE})?)?)?",
    "instant": rf"{_YEAR}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T{_CLOCK}{_ZONE}",
    "time": _CLOCK,
}
_NAMED = re.compile(rf"{PATTERNS['oid']}|urn:uuid:[0-9A-Fa-f]{{8}}(-[0-9A-Fa-f]{{4}}){{3}}-[0-9A-Fa-f]{{12}}")
_BASE64 = re.compile(r"[0-9A-Za-z+/]*={0,2}")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_SPACES = re.compile(r"\s+")
DATED = ("date", "dateTime", "instant")
WHOLE = {"integer": (-(2**31), 2**31 - 1), "unsignedInt": (0, 2**31 - 1), "positiveInt": (1, 2**31 - 1)}
LONGEST = 1_048_576  # characters of a string, by the specification
NAMES = frozenset(
    [*PATTERNS, *WHOLE, "base64Binary", "boolean", "decimal", "string", "markdown", "xhtml"]
)  # every primitive type of R4


def checker(name: str) -> Check:
    """The check of one primitive type; anything that is not known is checked as a string."""
    if name == "boolean":
        return lambda value: None if value is True or value is False else "type"
    if name == "decimal":
        return _decimal
    if name in WHOLE:
        return _whole(*WHOLE[name])
    if name == "base64Binary":
        return _base64
    if name in ("uri", "url", "canonical"):
        return _patterned(_uri, False)
    if name in PATTERNS:
        return _patterned(re.compile(PATTERNS[name]).fullmatch, name in DATED)
    return _string


def _decimal(value: Any) -> str | None:
    if type(value) is int or type(value) is float:
        return None if -1.8e308 < value < 1.8e308 else "range"
    return "type"


def _whole(least: int, most: int) -> Check:
    def check(value: Any) -> str | None:
        if type(value) is not int:
            return "type"
        return None if least <= value <= most else "range"

    return check


def _string(value: Any) -> str | None:
    if type(value) is not str:
        return "type"
    if value.isprintable() and value and value[0] != " ":
        return None if len(value) <= LONGEST else "range"
    if not value or value.isspace():
        return "empty"
    return "format" if _CONTROL.search(value) else None


def _base64(value: Any) -> str | None:
    if type(value) is not str:
        return "type"
    bare = _SPACES.sub("", value)
    if not bare:
        return "empty"
    return None if len(bare) % 4 == 0 and _BASE64.fullmatch(bare) else "format"


_ANY_URI = re.compile(PATTERNS["uri"]).fullmatch


def _uri(value: str) -> bool:
    """A URI; one that says it is an OID or a UUID is one."""
    if value[:8] in ("urn:oid:", "urn:uuid"):
        return _NAMED.fullmatch(value.partition("|")[0].partition("#")[0]) is not None
    return _ANY_URI(value) is not None


def _patterned(match: Callable[[str], Any], dated: bool) -> Check:
    good: set[str] = set()

    def check(value: Any) -> str | None:
        if type(value) is not str:
            return "type"
        if value in good:
            return None
        if not value:
            return "empty"
        if not match(value) or (dated and len(value) >= 10 and not _real_day(value)):
            return "format"
        if len(good) >= REMEMBERED:
            good.clear()
        good.add(value)
        return None

    return check


def _real_day(value: str) -> bool:
    try:
        date.fromisoformat(value[:10])
    except ValueError:
        return False
    return True
