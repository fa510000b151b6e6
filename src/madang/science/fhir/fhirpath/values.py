"""What FHIRPath counts with: elements of a resource, dates and times as precise as they were written, quantities.

Booleans, integers, decimals and texts are Python's own (`bool`, `int`, `Decimal`, `str`). `system` gives the value that
an element stands for.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from madang.science.fhir.fhirpath.units import canonical

CALENDAR = {
    name: unit
    for unit in ("year", "month", "week", "day", "hour", "minute", "second", "millisecond")
    for name in (unit, unit + "s")
}
EXACT = {"week": "wk", "day": "d", "hour": "h", "minute": "min", "second": "s", "millisecond": "ms"}
QUANTITIES = frozenset(["Quantity", "Age", "Distance", "Duration", "Count", "SimpleQuantity", "MoneyQuantity"])
INTEGERS = frozenset(["integer", "positiveInt", "unsignedInt", "integer64"])
UCUM = "http://unitsofmeasure.org"


class PathError(Exception):
    """An expression that is no FHIRPath, or that asks of a value what cannot be asked of it."""


class CannotTell(Exception):
    """What the expression asks for is not at hand: codes of a value set, a resource elsewhere, a definition."""


class Node:
    """An element: its JSON, its type, where its children are defined, and its extensions if it is a primitive."""

    __slots__ = ("beside", "data", "type", "where")

    def __init__(self, data: Any, type_: str, where: str, beside: Any = None) -> None:
        self.data, self.type, self.where, self.beside = data, type_, where, beside


@dataclass(frozen=True, slots=True)
class Moment:
    """A Date, DateTime or Time. `parts`: year, month, day, hour, minute, second (a Decimal) as far as they are said,
    of a Time from the hour on; `zone` in minutes, None where there is none.
    """

    kind: str
    parts: tuple[Any, ...]
    zone: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with a unit of UCUM, or with a word of the calendar (`year`, `month`, ...)."""

    value: Decimal
    unit: str


_DATE = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?(T(?:(\d\d)(?::(\d\d)(?::(\d\d(?:\.\d+)?))?)?)?(Z|[+-]\d\d:\d\d)?)?"
)
_TIME = re.compile(r"T?(\d\d)(?::(\d\d)(?::(\d\d(?:\.\d+)?))?)?")
_QUANTITY = re.compile(r"([+-]?\d+(?:\.\d+)?)\s*(?:'([^']+)'|([a-zA-Z]+))?")


def moment(text: str, kind: str = "", literal: bool = False) -> Moment | None:
    """The moment that a text is; None if it is none. `kind` says which it must be."""
    if kind == "Time" or text[:1] == "T":
        match = _TIME.fullmatch(text)
        if match is None or (literal and text[:1] != "T"):
            return None
        hour, minute, second = match.groups()
        parts = tuple(
            each for each in (int(hour), minute and int(minute), second and Decimal(second)) if each is not None
        )
        return Moment("Time", parts, None, text.removeprefix("T")) if _fits((2000, 1, 1, *parts)) else None
    match = _DATE.fullmatch(text)
    if match is None or (match[4] and not match[5] and match[8]):
        return None
    dated = [int(each) for each in (match[1], match[2], match[3], match[5], match[6]) if each]
    parts = (*dated, Decimal(match[7])) if match[7] else tuple(dated)
    zone = None
    if match[8]:
        zone = 0 if match[8] == "Z" else int(match[8][:3]) * 60 + int(match[8][0] + match[8][4:])
    if not _fits(parts) or (kind == "Date" and match[4]):
        return None
    return Moment(kind or ("DateTime" if match[4] else "Date"), parts, zone, text)


def _fits(parts: tuple[Any, ...]) -> bool:
    low, high = (1, 1, 1, 0, 0, 0), (9999, 12, 31, 23, 59, 60)
    if not all(a <= each <= b for each, a, b in zip(parts, low, high, strict=False)):
        return False
    try:
        date(parts[0], *(*parts[1:3], 1, 1)[:2])
    except ValueError:
        return False
    return True


def system(value: Any) -> Any:
    """The value that an element stands for; a complex element, and what is a value already, as it is."""
    if type(value) is not Node:
        return value
    data, kind = value.data, value.type
    if type(data) is dict:
        return quantity_of(data) if kind in QUANTITIES else value
    if type(data) is str:
        if kind in ("date", "dateTime", "instant"):
            return moment(data, "Date" if kind == "date" else "DateTime") or data
        return (moment(data, "Time") or data) if kind == "time" else data
    if type(data) is float or (kind == "decimal" and type(data) is int):
        return Decimal(repr(data))
    return value if data is None else data


def quantity_of(data: dict[str, Any]) -> Any:
    """A Quantity of FHIR as a quantity, where it has a number."""
    number = data.get("value")
    if type(number) not in (int, float):
        return Node(data, "Quantity", "Quantity")
    unit = data.get("code") if data.get("system", UCUM) == UCUM else None
    return Quantity(Decimal(repr(number)), str(unit or data.get("unit") or "1"))


def text_of(value: Any) -> str | None:
    """A value as text; None for what has none."""
    value = system(value)
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is Decimal:
        return format(value, "f")
    if type(value) is Quantity:
        unit = value.unit if value.unit in CALENDAR else f"'{value.unit}'"
        return f"{format(value.value, 'f')} {unit}"
    if type(value) is Moment:
        return value.text
    return str(value) if type(value) in (int, str) else None


def to_quantity(value: Any) -> Quantity | None:
    """A number, a truth or a text as a quantity; None for what is none."""
    value = system(value)
    if type(value) is Quantity:
        return value
    if type(value) in (bool, int, Decimal):
        return Quantity(Decimal(value), "1")
    match = _QUANTITY.fullmatch(value) if type(value) is str else None
    if match is None or (match[3] and match[3] not in CALENDAR):
        return None
    return Quantity(Decimal(match[1]), match[2] or CALENDAR.get(match[3] or "", "1"))


# Equal, equivalent, and in order.


def equal(one: Any, other: Any) -> bool | None:
    """Whether two items are equal; None where that cannot be said of their precision or units."""
    one, other = system(one), system(other)
    kinds = type(one), type(other)
    if kinds == (Moment, Moment):
        order = _moments(one, other) if (one.kind == "Time") == (other.kind == "Time") else 1
        return None if order is None else order == 0
    if Quantity in kinds and {*kinds} <= {Quantity, int, Decimal}:
        return _same_quantity(one, other)
    if Node in kinds:
        return kinds == (Node, Node) and one.data == other.data and one.beside == other.beside
    if bool in kinds:
        return one is other
    return bool(one == other) if _alike(one, other) else False


def _alike(one: Any, other: Any) -> bool:
    numbers = (int, Decimal)
    return type(one) is type(other) or (type(one) in numbers and type(other) in numbers)


def _same_quantity(one: Any, other: Any) -> bool | None:
    pair = _converted(one, other, calendar=False)
    return None if pair is None else pair[0] == pair[1]


def _converted(one: Any, other: Any, calendar: bool) -> tuple[Decimal, Decimal] | None:
    """The numbers of two quantities in one unit; None where they have none in common."""
    one, other = to_quantity(one), to_quantity(other)
    if one.unit == other.unit:
        return one.value, other.value
    units = []
    for each in (one, other):
        unit = EXACT.get(each.unit, each.unit)
        if unit in ("year", "month"):
            if not calendar and {one.unit, other.unit} != {"year", "month"}:
                return None
            unit = {"year": "a", "month": "mo"}[unit]
        units.append(canonical(unit))
    first, second = units
    if first is None or second is None or first[1] != second[1]:
        return None
    return one.value * first[0], other.value * second[0]


def comparable(one: Any, other: Any) -> bool:
    """Whether two quantities have units that can be compared."""
    return _converted(one, other, calendar=False) is not None


def equivalent(one: Any, other: Any) -> bool:
    """Whether two items are equivalent: texts but for case and space, numbers to the precision of the less precise."""
    one, other = system(one), system(other)
    if type(one) is str and type(other) is str:
        return " ".join(one.lower().split()) == " ".join(other.lower().split())
    if type(one) in (int, Decimal) and type(other) in (int, Decimal):
        return _near(Decimal(one), Decimal(other))
    if type(one) is Quantity and type(other) is Quantity:
        pair = _converted(one, other, calendar=True)
        return pair is not None and _near(*pair)
    if type(one) is Moment and type(other) is Moment and len(one.parts) != len(other.parts):
        return False
    return equal(one, other) is True


def _near(one: Decimal, other: Decimal) -> bool:
    digits = min(decimals(one.normalize()), decimals(other.normalize()))
    step = Decimal(1).scaleb(-digits)
    return one.quantize(step, ROUND_HALF_UP) == other.quantize(step, ROUND_HALF_UP)


def decimals(value: Decimal) -> int:
    """How many digits stand after the point."""
    exponent = value.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def compared(one: Any, other: Any) -> int | None:
    """-1, 0 or 1 as one item is before, the same as or after another; None where precision or units do not say."""
    one, other = system(one), system(other)
    kinds = type(one), type(other)
    if kinds == (Moment, Moment) and (one.kind == "Time") == (other.kind == "Time"):
        return _moments(one, other)
    if Quantity in kinds and {*kinds} <= {Quantity, int, Decimal}:
        pair = _converted(one, other, calendar=False)
        if pair is None:
            return None
        one, other = pair
    elif bool in kinds or Node in kinds or Moment in kinds or not _alike(one, other):
        raise PathError("these two have no order")
    return int(one > other) - int(one < other)


def _moments(one: Moment, other: Moment) -> int | None:
    if (one.zone is None) != (other.zone is None) and min(len(one.parts), len(other.parts)) > 3:
        first, second = _when(one), _when(other)
        return None if abs(first - second) <= timedelta(hours=14) else 1 if first > second else -1
    mine, theirs = _in_utc(one, other), _in_utc(other, one)
    for a, b in zip(mine, theirs, strict=False):
        if a != b:
            return 1 if a > b else -1
    return 0 if len(mine) == len(theirs) else None


def _in_utc(one: Moment, other: Moment) -> tuple[Any, ...]:
    if one.zone is None or one.zone == other.zone or other.zone is None or len(one.parts) < 5:
        return one.parts
    when = _when(one) - timedelta(minutes=one.zone)
    moved = (when.year, when.month, when.day, when.hour, when.minute)
    return (*moved, one.parts[5]) if len(one.parts) > 5 else moved


def _when(one: Moment) -> datetime:
    return datetime(*[*one.parts[:5], *(1, 1, 1, 0, 0)[len(one.parts) :]])


# Dates that move, and the bounds of what is written imprecisely.


def moved(start: Moment, by: Quantity, sign: int) -> Moment:
    """A date or time and a duration. Fractions are cut; the unit must be one that the calendar has."""
    unit = by.unit if by.unit in CALENDAR else next((name for name, x in EXACT.items() if x == by.unit), "")
    if not unit:
        raise PathError("only a duration can be added to a date")
    count = sign * int(by.value)
    if start.kind == "Time":
        if unit in ("year", "month", "week", "day"):
            raise PathError("a time of the day has no days")
        base = Moment("DateTime", (2000, 1, 1, *start.parts), None, "")
        return _written("Time", moved(base, by, sign).parts[3:], None, start)
    try:
        if unit in ("year", "month"):
            months = start.parts[0] * 12 + (start.parts[1] - 1 if len(start.parts) > 1 else 0)
            months += count * (12 if unit == "year" else 1)
            year, month = months // 12, months % 12 + 1
            parts = (year, month, *start.parts[2:])[: len(start.parts)]
            if len(parts) > 2:
                last = (date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)).day
                parts = (year, month, min(parts[2], last), *parts[3:])
            if not 1 <= year <= 9999:
                raise OverflowError
            return _written(start.kind, parts, start.zone, start)
        return _shifted(start, unit, count)
    except (OverflowError, ValueError):
        raise PathError("the date leaves the calendar") from None


def _shifted(start: Moment, unit: str, count: int) -> Moment:
    lengths = {"week": 604800, "day": 86400, "hour": 3600, "minute": 60, "second": 1}
    step = timedelta(milliseconds=count) if unit == "millisecond" else timedelta(seconds=count * lengths[unit])
    second = start.parts[5] if len(start.parts) > 5 else Decimal(0)
    when = _when(start) + timedelta(microseconds=int(second * 1_000_000)) + step
    seconds = Decimal(when.second) + Decimal(when.microsecond) / 1_000_000
    digits = decimals(second)
    parts = (when.year, when.month, when.day, when.hour, when.minute, seconds.quantize(Decimal(1).scaleb(-digits)))
    return _written(start.kind, parts[: len(start.parts)], start.zone, start)


def _written(kind: str, parts: tuple[Any, ...], zone: int | None, like: Moment) -> Moment:
    marks = ("", ":", ":") if kind == "Time" else ("", "-", "-", "T", ":", ":")
    text = "".join(
        mark + (f"{each:04d}" if kind != "Time" and not place else _two(each))
        for place, (mark, each) in enumerate(zip(marks, parts, strict=False))
    )
    if kind == "DateTime" and len(parts) < 4:
        text += "T" if like.text.endswith("T") else ""
    if zone is not None:
        text += _zone(zone)
    return Moment(kind, parts, zone, text)


def _two(each: Any) -> str:
    whole = f"{int(each):02d}"
    return whole + str(each % 1)[1:] if isinstance(each, Decimal) and decimals(each) else whole


def _zone(zone: int) -> str:
    return "Z" if zone == 0 else f"{'-' if zone < 0 else '+'}{abs(zone) // 60:02d}:{abs(zone) % 60:02d}"


DIGITS = {"Date": (4, 6, 8), "DateTime": (4, 6, 8, 10, 12, 17), "Time": (2, 4, 9)}


def precision(value: Any) -> int | None:
    """How many digits a number, a date or a time is written with; seconds count as milliseconds."""
    value = system(value)
    if type(value) is Moment:
        size = len(value.parts)
        if size and isinstance(value.parts[-1], Decimal) and not decimals(value.parts[-1]):
            return DIGITS[value.kind][size - 1] - 3
        return DIGITS[value.kind][size - 1]
    if type(value) in (int, Decimal) and type(value) is not bool:
        return decimals(Decimal(value))
    return None


def boundary(value: Any, high: bool, digits: int | None) -> Any:
    """The least or greatest that a value may be, given how precisely it is written; None where there is none."""
    value = system(value)
    if type(value) is Quantity:
        number = _decimal_boundary(value.value, high, digits)
        return None if number is None else Quantity(number, value.unit)
    if type(value) in (int, Decimal) and type(value) is not bool:
        return _decimal_boundary(Decimal(value), high, digits)
    return _moment_boundary(value, high, digits) if type(value) is Moment else None


def _decimal_boundary(value: Decimal, high: bool, digits: int | None) -> Decimal | None:
    digits = 8 if digits is None else digits
    if not 0 <= digits <= 28:
        return None
    half = Decimal("0.5").scaleb(-decimals(value))
    bound = value + half if high else value - half
    away = (bound > 0) == high  # the bound is farther from nought than the value
    try:
        return bound.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP if away else ROUND_DOWN)
    except InvalidOperation:
        return None


def _moment_boundary(value: Moment, high: bool, digits: int | None) -> Moment | None:
    sizes = DIGITS[value.kind]
    wanted = sizes[-1] if digits is None else digits
    kind = value.kind
    if kind == "DateTime" and wanted == 14:
        wanted = 17
    if wanted not in sizes:
        return None
    rest: tuple[Any, ...]
    if kind == "Time":
        rest = (23, 59, Decimal("59.999")) if high else (0, 0, Decimal("0.000"))
    else:
        rest = (9999, 12, 31, 23, 59, Decimal("59.999")) if high else (1, 1, 1, 0, 0, Decimal("0.000"))
    parts = [*value.parts, *rest[len(value.parts) :]][: sizes.index(wanted) + 1]
    if high and kind != "Time" and len(value.parts) < 3 <= len(parts):
        year, month = parts[0], parts[1]
        parts[2] = (date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)).day if year < 9999 else 31
    if isinstance(parts[-1], Decimal) and not decimals(parts[-1]):
        parts[-1] += Decimal("0.999") if high else Decimal("0.000")
    zone = value.zone
    if kind == "DateTime" and len(parts) > 3 and zone is None:
        zone = -12 * 60 if high else 14 * 60
    made = "Date" if kind == "DateTime" and len(parts) < 4 else kind
    return _written(made, tuple(parts), zone if len(parts) > 3 else None, value)


def now() -> Moment:
    """This moment, in UTC."""
    text = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    made = moment(text)
    assert made is not None
    return made
