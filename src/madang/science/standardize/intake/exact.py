"""The rules of reading, one value at a time, in plain Python.

This is what the fast reader means: it calls these functions for the odd lines and values, and a generated test
compares the two on everything else.
"""

import json
import re
from collections.abc import Callable
from datetime import date, datetime, time, timedelta

from madang.science.standardize.intake.fields import MONTHS, Field
from madang.science.standardize.intake.references import named
from madang.science.standardize.intake.zones import at_midnight, localized, zone_of

BLANKS = " \t\r\n\v\f\0\u00a0\u3000"
"""Trimmed from both ends of a value; NUL is the padding of fixed-width systems."""

_INTEGER = re.compile(r"[+-]?[0-9]+(\.0+)?")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_ISO_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})([T ].*)?")
_ISO_DATETIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"([T ]([0-9]{2}):([0-9]{2})(:([0-9]{2})([.,][0-9]{1,9})?)?( ?(Z|[+-][0-9]{2}:?[0-9]{2}))?)?"
)
_ISO_PART = re.compile(
    r"[0-9]{4}(-(0[1-9]|1[0-2])(-(?P<day>[0-9]{2})([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?"
    r"( ?(Z|[+-][0-9]{2}:?[0-9]{2}))?)?)?)?"
)
_LOOSE_DAY = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})(?![0-9])")
_ISO_TIME = re.compile(r"([0-9]{2}):([0-9]{2})(:([0-9]{2})(\.[0-9]{1,9})?)?")

MIDNIGHT = "24:00:00"
"""The end of a day as a time: added to its day it is the first moment of the next."""

ROUNDED = re.compile(r"[0-9]\.[0-9]+[eE]\+[0-9]{2,}")
"""How a spreadsheet writes long numbers, and loses their last digits: as an identifier it would be somebody else's."""

WRAPPED = '^="([^"]*)"$'

EXACT = 2.0**53
"""Below this every whole number is a double of its own."""

Value = str | int | float | date | datetime


class Bad(Exception):
    """A value is none of its type."""


def split_row(row: bytes, delimiter: bytes, quoting: bool) -> list[bytes] | None:
    """The fields of one row without its line end; None where a quote is not closed.

    A quote opens a field only as its first character, "" within is one quote, and what follows the closing quote
    belongs to the field (RFC 4180, forgiving where it says nothing).
    """
    if not quoting or b'"' not in row:
        return row.split(delimiter)
    fields, at = [], 0
    while True:
        field = bytearray()
        if row[at : at + 1] == b'"':
            at += 1
            while True:
                close = row.find(b'"', at)
                if close < 0:
                    return None
                field += row[at:close]
                at = close + 1
                if row[at : at + 1] != b'"':
                    break
                field += b'"'
                at += 1
        end = row.find(delimiter, at)
        if end < 0:
            fields.append(bytes(field + row[at:]))
            return fields
        fields.append(bytes(field + row[at:end]))
        at = end + 1


def text_of(raw: bytes, encoding: str) -> str | None:
    """The trimmed text of a field, None where it is empty; raises `Bad` for bytes that are no text."""
    try:
        text = raw.decode(encoding).strip(BLANKS)
    except UnicodeDecodeError:
        raise Bad from None
    if "\0" in text:
        raise Bad
    return text or None


def filled(field: Field, text: str | None) -> str | None:
    """Trimmed text without the wrapper ="..." of Excel, None where it says that there is no value."""
    if text and text.startswith('="'):
        text = re.sub(WRAPPED, r"\1", text)
    return None if not text or text in field.missing else text


def value_of(field: Field, text: str) -> Value:
    """The typed value of trimmed text that is not empty; raises `Bad`. Times are text, HH:MM:SS."""
    try:
        return _READERS[field.kind](field, text)
    except (ValueError, OverflowError):
        raise Bad from None


def number_patterns(field: Field) -> tuple[str, str]:
    """Patterns of a number with thousands marks (empty without them) and of one without, by the marks of a field.

    A group before the first mark never begins with 0: `0,775` is no number of thousands, it is 775 thousandths.
    """
    mark, point = (f"\\x{{{ord(c):x}}}" if c else "" for c in (field.thousands, field.decimal or "."))
    end = f"({point}[0-9]*)?"
    grouped = f"[+-]?[1-9][0-9]{{0,2}}({mark}[0-9]{{3}})+{end}" if mark else ""
    return grouped, f"[+-]?([0-9]+{end}|{point}[0-9]+)([eE][+-]?[0-9]+)?"


def _unmarked(field: Field, text: str) -> str:
    """A number without thousands marks and with a decimal point."""
    mark, point = field.thousands, field.decimal or "."
    if mark and mark in text:
        left, _, right = text.partition(point)
        if not re.fullmatch(rf"[+-]?[1-9][0-9]{{0,2}}({re.escape(mark)}[0-9]{{3}})+", left):
            raise Bad
        if not re.fullmatch("[0-9]*", right):
            raise Bad
        text = text.replace(mark, "")
    if point != ".":
        if "." in text:
            raise Bad
        text = text.replace(point, ".", 1)
    return text


def _integer(field: Field, text: str) -> int:
    text = _unmarked(field, text)
    if not _INTEGER.fullmatch(text) or len(text) > 400:
        raise Bad
    number = int(text.partition(".")[0])
    if not -(2**63) <= number < 2**63:
        raise Bad
    return number


def _number(field: Field, text: str) -> float:
    text = _unmarked(field, text)
    if not _NUMBER.fullmatch(text):
        raise Bad
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise Bad
    if abs(number) >= EXACT and text.lstrip("+-").isdigit() and int(text) != int(number):
        raise Bad  # another whole number than is written: an identifier would become somebody else's
    return number


def _full_year(year: int, first: int) -> int:
    """The year of the hundred from `first` on that ends in these two digits."""
    return first + (year - first) % 100


def _moment(field: Field, text: str) -> datetime:
    """Date and time by the declared format."""
    assert field.format
    if field.regex is None:
        if not text.isascii() and field.format.isascii():
            raise Bad
        moment = datetime.strptime(text, field.format)
        if moment.tzinfo is not None and field.zone:
            moment = moment.astimezone(zone_of(field.zone))
        moment = moment.replace(tzinfo=None)
        if "%y" in field.format:
            year = _full_year(moment.year % 100, field.first_year)
            moment = moment.replace(year=year)
        return moment
    match = field.regex.fullmatch(text)
    if not match:
        raise Bad
    part = match.groupdict()
    year = int(part.get("Y", 1900))
    if "y" in part:
        year = _full_year(int(part["y"]), field.first_year)
    month = int(part.get("m", 1))
    if "b" in part:
        month = next(i for i, name in enumerate(MONTHS, 1) if name.startswith(part["b"].lower()))
    hour = int(part.get("H", 0))
    if "I" in part:
        hour = _half_day_hour(int(part["I"]), part.get("p", ""))
    return _clock(
        (year, month, int(part.get("d", 1))),
        (hour, int(part.get("M", 0)), int(part.get("S", 0)), int(part.get("f", "0").ljust(6, "0"))),
    )


def _half_day_hour(hour: int, half: str) -> int:
    if not 1 <= hour <= 12:
        raise Bad
    return hour % 12 + (12 if half.lower()[:1] == "p" or half == "오후" else 0)


def _clock(day: tuple[int, int, int], clock: tuple[int, int, int, int]) -> datetime:
    """A moment; 24:00:00 is the midnight that ends the day (ISO 8601), so it belongs to the next one."""
    if clock == (24, 0, 0, 0):
        return datetime(*day) + timedelta(days=1)
    return datetime(*day, *clock)


def _iso_moment(text: str, zone: str = "") -> datetime:
    match = _ISO_DATETIME.fullmatch(localized(text, zone) if zone else text)
    if not match:
        raise Bad
    year, month, day, hour, minute, second, fraction = match.group(1, 2, 3, 5, 6, 8, 9)
    micro = int(fraction[1:7].ljust(6, "0")) if fraction else 0
    clock = (int(hour or 0), int(minute or 0), min(59, int(second or 0)) if second == "60" else int(second or 0), micro)
    return _clock((int(year), int(month), int(day)), clock)


def _date(field: Field, text: str) -> date:
    if field.format:
        return _moment(field, text).date()
    match = _ISO_DATE.fullmatch(text)
    if not match:
        raise Bad
    if match.group(4):  # a date and time where a date was declared: its day
        return _iso_moment(text, field.zone).date()
    return date(int(match.group(1)), int(match.group(2)), int(match.group(3)))


def _datetime(field: Field, text: str) -> datetime:
    """Local time: of a zone, where the run has one, else as written, an offset such as +09:00 left out."""
    return _moment(field, text) if field.format else _iso_moment(text, field.zone)


def _time(field: Field, text: str) -> str:
    if field.format:
        moment = _moment(field, text)
        return MIDNIGHT if moment.date() > date(1900, 1, 1) and "%d" not in field.format else f"{moment:%H:%M:%S}"
    match = _ISO_TIME.fullmatch(text)
    if not match:
        raise Bad
    hour, minute, second = int(match.group(1)), int(match.group(2)), int(match.group(4) or 0)
    if (hour, minute, second) == (24, 0, 0) and not (match.group(5) or "").strip(".0"):
        return MIDNIGHT
    return time(hour, minute, second).isoformat()


def reference_of(field: Field, text: str) -> tuple[str | None, str]:
    """What a reference names, as `by` of the field asks: the value, None where it names otherwise, and what stands
    before the value (the system of an identifier); raises `Bad` where it names nothing of this export."""
    found = named(text, field.reference, field.besides, field.base)
    if found is None:
        raise Bad
    if field.by == "id":
        way = "value" if found.system is None else "identifier"
        if found.id is None and found.value is not None and way not in field.searched:
            raise Bad
        return found.id, ""
    if field.by == "identifier":
        return (found.value if found.system is not None else None), f"{found.system}|"
    return (found.value if found.system is None else None), ""


def identifiers_of(field: Field, text: str, pseudonym: Callable[[str], str] | None) -> str | None:
    """The identifiers in a JSON list as a JSON list of `system|value`, their values as pseudonyms where the field is
    one; None where there are none. Raises `Bad` for what is no list of identifiers."""
    try:
        listed = json.loads(text)
    except ValueError:
        raise Bad from None
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise Bad
    told: dict[str, None] = {}
    for one in listed:
        system, value = one.get("system"), one.get("value")
        if not isinstance(value, str) or not value.strip():
            continue
        value = pseudonym(value.strip()) if field.pseudonym and pseudonym else value.strip()
        told[f"{system if isinstance(system, str) else ''}|{value}"] = None
    return json.dumps(list(told), ensure_ascii=False) if told else None


def _zoned(field: Field, text: str) -> str:
    """A moment of ISO 8601 or a part of one (a year, a month, a day), in local time; `Bad` for all else."""
    text = text.upper()
    if loose := _LOOSE_DAY.match(text):
        text = f"{loose[1]}-{loose[2]:0>2}-{loose[3]:0>2}{text[loose.end() :]}"
    text = at_midnight(localized(text, field.zone) if field.zone else text)
    match = _ISO_PART.fullmatch(text)
    if not match:
        raise Bad
    if match["day"] and text[:4] != "0000":  # the year 0 is outside the calendar, which is said of the row
        date.fromisoformat(text[:10])
    return text


def _text(field: Field, text: str) -> str:
    if field.zoned:
        text = _zoned(field, text)
    if field.pseudonym and ROUNDED.fullmatch(text):
        raise Bad
    if field.extract is None:
        return text
    match = re.search(field.extract, text)
    if not match or not match[1]:
        raise Bad
    return match[1]


_READERS: dict[str, Callable[[Field, str], Value]] = {
    "text": _text,
    "integer": _integer,
    "number": _number,
    "date": _date,
    "datetime": _datetime,
    "time": _time,
}

EPOCH = date(1970, 1, 1)
_EPOCH_MOMENT = datetime(1970, 1, 1)


def storable(value: Value) -> int | float | str:
    """The number that Arrow keeps for a value: days of a date, microseconds of a date and time."""
    if isinstance(value, datetime):
        return (value - _EPOCH_MOMENT) // timedelta(microseconds=1)
    if isinstance(value, date):
        return (value - EPOCH).days
    return value
