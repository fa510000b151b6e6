"""Columns of bytes become typed columns, many values at a time; exactly the values that `exact` gives.

Every function returns the typed column, and which of its rows held a value that is none of the type (None: no row).
Plain values are converted by vectorized code, all others one by one by `exact.value_of`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from madang.science.standardize.intake import exact
from madang.science.standardize.intake.fields import Field

Mask = np.ndarray | None

TYPES: dict[str, pa.DataType] = {
    "text": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "date": pa.date32(),
    "time": pa.string(),
    "datetime": pa.timestamp("us"),
}
_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]+)?)?"
_ROUNDED = f"^{exact.ROUNDED.pattern}$"
_PLAIN_INTEGER = "^-?[0-9]{1,18}$"
_PLAIN_NUMBER = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$"


def column(
    field: Field, raw: pa.Array, encoding: str, pseudonym: Callable[[str], str] | None, plain: bool = False
) -> tuple[pa.Array, Mask]:
    """The typed column of a field from its `raw` bytes (null where empty); `plain` if these are ASCII, no blank among
    them, so that nothing has to be decoded or trimmed."""
    text, unreadable = (raw.view(pa.string()), None) if plain else texts(raw, encoding)
    if pc.any(pc.starts_with(text, '="'), min_count=0).as_py():  # how Excel is kept from taking 00012 for a number
        text = pc.replace_substring_regex(text, exact.WRAPPED, "\\1")
        text = pc.if_else(pc.equal(pc.binary_length(text), 0), pa.scalar(None, pa.string()), text)
    if field.missing:
        marked = pc.is_in(text, value_set=pa.array(sorted(field.missing), pa.string()))
        text = pc.if_else(marked, pa.scalar(None, pa.string()), text)
    if field.identifiers:
        typed, bad = _identified(field, text, pseudonym)
        return typed, _either(bad, unreadable)
    if field.reference:
        typed, bad = _referred(field, text, pseudonym)
        return typed, _either(bad, unreadable)
    typed, bad = typed_column(field, text)
    if field.pseudonym:
        typed = replaced(typed, pseudonym)
    return typed, _either(bad, unreadable)


def typed_column(field: Field, text: pa.Array) -> tuple[pa.Array, Mask]:
    """The typed column of trimmed texts."""
    if field.kind == "text":
        if field.zoned and not _all_local(field, text):
            return _extracted(field, text)
        if field.pseudonym and pc.any(pc.match_substring_regex(text, _ROUNDED), min_count=0).as_py():
            return _extracted(field, text)
        return _extracted(field, text) if field.extract else (text, None)
    if field.kind == "integer":
        return _numbers(field, text, _PLAIN_INTEGER, pa.int64())
    if field.kind == "number":
        return _numbers(field, text, _PLAIN_NUMBER, pa.float64())
    return _moments(field, text)


def _all_local(field: Field, text: pa.Array) -> bool:
    """Whether all texts are days, months or years, or moments that stay as they are."""
    offset = "" if field.zone else "( ?Z|[+-][0-9]{2}:?[0-9]{2})?"
    written = f"^[0-9]{{4}}(-[0-9]{{2}}(-[0-9]{{2}}([T ]{_CLOCK}{offset})?)?)?$"
    if not _all(pc.match_substring_regex(text, written)):
        return False
    long = pc.greater_equal(pc.binary_length(text), 10)
    days = pc.utf8_slice_codeunits(text.filter(pc.fill_null(long, False)), 0, 10)
    shape = layout("%Y-%m-%d")
    assert shape is not None
    good, _ = _fixed(days, shape, "date", np.ones(len(days), bool))
    return len(good) == len(days)


def _extracted(field: Field, text: pa.Array) -> tuple[pa.Array, Mask]:
    """What the pattern of a field finds in each text; each distinct text is searched once."""
    coded = text.dictionary_encode()
    values: list[str | None] = []
    for value in coded.dictionary.to_pylist():
        try:
            values.append(str(exact.value_of(field, value)))
        except exact.Bad:
            values.append(None)
    found = pa.array(values, pa.string()).take(coded.indices)
    return found, (_missing(found) & ~_missing(text)) if None in values else None


def _referred(field: Field, text: pa.Array, pseudonym: Callable[[str], str] | None) -> tuple[pa.Array, Mask]:
    """What each reference names; identifiers become pseudonyms where the field is one, their systems stay."""
    if field.by != "id" and not pc.any(pc.match_substring(text, "identifier="), min_count=0).as_py():
        return pa.nulls(len(text), pa.string()), None  # what is no reference is told by the field that reads the id
    coded = text.dictionary_encode()
    values: list[str | None] = []
    wrong: list[bool] = []
    for value in coded.dictionary.to_pylist():
        try:
            found, before = exact.reference_of(field, value)
        except exact.Bad:
            found, before = None, ""
            wrong.append(field.by == "id")
        else:
            wrong.append(False)
        if found is not None and field.pseudonym:
            assert pseudonym is not None
            found = pseudonym(found)
        values.append(None if found is None else before + found)
    array = pa.array(values, pa.string()).take(coded.indices)
    return array, _filled(pa.array(wrong, pa.bool_()).take(coded.indices)) if any(wrong) else None


def _identified(field: Field, text: pa.Array, pseudonym: Callable[[str], str] | None) -> tuple[pa.Array, Mask]:
    """The identifiers that each list names, as a list of JSON."""
    coded = text.dictionary_encode()
    values: list[str | None] = []
    wrong: list[bool] = []
    for value in coded.dictionary.to_pylist():
        try:
            values.append(exact.identifiers_of(field, value, pseudonym))
            wrong.append(False)
        except exact.Bad:
            values.append(None)
            wrong.append(True)
    array = pa.array(values, pa.string()).take(coded.indices)
    return array, _filled(pa.array(wrong, pa.bool_()).take(coded.indices)) if any(wrong) else None


def replaced(typed: pa.Array, pseudonym: Callable[[str], str] | None) -> pa.Array:
    """The pseudonyms of a column; the function sees each distinct value once."""
    assert pseudonym is not None
    coded = typed.cast(pa.string()).dictionary_encode()
    values = pa.array([pseudonym(value) for value in coded.dictionary.to_pylist()], pa.string())
    return values.take(coded.indices)


# Text


def texts(raw: pa.Array, encoding: str) -> tuple[pa.Array, Mask]:
    """Trimmed text, null where empty; and which rows hold bytes that are no text of the encoding, or NUL."""
    text, bad = _decoded(raw, encoding)
    offsets, data = _buffers(text)
    if len(data) == 0:
        return text, bad
    if _has_blank_ends(offsets, data):
        text = pc.utf8_trim(text, characters=exact.BLANKS)
        text = pc.if_else(pc.equal(pc.binary_length(text), 0), pa.scalar(None, pa.string()), text)
        offsets, data = _buffers(text)
    if (data[offsets[0] : offsets[-1]] == 0).any():
        padded = _filled(pc.match_substring(text, "\0"))
        text = pc.if_else(pa.array(padded), pa.scalar(None, pa.string()), text)
        bad = _either(bad, padded)
    return text, bad


def _decoded(raw: pa.Array, encoding: str) -> tuple[pa.Array, Mask]:
    offsets, data = _buffers(raw)
    used = data[offsets[0] : offsets[-1]]
    if len(used) == 0 or used.max() < 128:
        return raw.view(pa.string()), None
    if encoding == "utf-8":
        try:
            return raw.cast(pa.string()), None
        except pa.ArrowInvalid:
            pass
    # Only values with bytes beyond ASCII need decoding, and each distinct one only once.
    beyond = np.diff(np.searchsorted(np.flatnonzero(data >= 128), offsets)) > 0
    coded = raw.filter(pa.array(beyond)).dictionary_encode()
    values = coded.dictionary.to_pylist()
    texts = _decoded_at_once(values, encoding) or [_decoded_one(value, encoding) for value in values]
    decoded = pa.array(texts, pa.string()).take(coded.indices)
    text = pc.replace_with_mask(raw.view(pa.string()), pa.array(beyond), decoded)
    return text, (_missing(text) & beyond) if None in texts else None


def _decoded_at_once(values: list[bytes], encoding: str) -> list[str | None] | None:
    try:
        texts = b"\n".join(values).decode(encoding).split("\n")
    except UnicodeDecodeError:
        return None
    return list(texts) if len(texts) == len(values) else None


def _decoded_one(value: bytes, encoding: str) -> str | None:
    try:
        return value.decode(encoding)
    except UnicodeDecodeError:
        return None


def _has_blank_ends(offsets: np.ndarray, data: np.ndarray) -> bool:
    """Whether some value may begin or end with a blank: by its first and last byte, erring on the side of yes."""
    full = offsets[1:] > offsets[:-1]
    first, last = data[offsets[:-1][full]], data[offsets[1:][full] - 1]
    return bool(
        (first <= 32).any()
        or (last <= 32).any()
        or ((first == 0xC2) | (first == 0xE3)).any()  # no-break and ideographic space
        or ((last == 0xA0) | (last == 0x80)).any()
    )


# Numbers


def _numbers(field: Field, text: pa.Array, plain: str, kind: pa.DataType) -> tuple[pa.Array, Mask]:
    written, all_fit = text, True
    if field.thousands or field.decimal:
        text, all_fit = _unmarked(field, text)
    if all_fit and not _has_letters(text):
        try:
            array = pc.cast(text, kind)
        except pa.ArrowInvalid:
            pass
        else:
            if kind == pa.int64() or _all_exact(array):
                return array, None
    is_plain = _filled(pc.match_substring_regex(text, plain))
    array = pc.cast(pc.if_else(pa.array(is_plain), text, pa.scalar(None, pa.string())), kind)
    if kind == pa.float64():
        is_plain &= np.abs(array.to_numpy(zero_copy_only=False)) < exact.EXACT
    return _patched(field, written, is_plain, array)


def _unmarked(field: Field, text: pa.Array) -> tuple[pa.Array, bool]:
    """Numbers without thousands marks and with a decimal point, null where they are not written as declared; and
    whether all are."""
    grouped, ungrouped = exact.number_patterns(field)
    fits = pc.match_substring_regex(text, f"^({ungrouped}{f'|{grouped}' if grouped else ''})$")
    all_fit = _all(fits)
    if not all_fit:
        text = pc.if_else(fits, text, pa.scalar(None, pa.string()))
    if field.thousands:
        text = pc.replace_substring(text, field.thousands, "")
    return (pc.replace_substring(text, field.decimal, ".") if field.decimal else text), all_fit


def _all_exact(array: pa.Array) -> bool:
    """Whether all values are so small that whole ones are exact; none is infinite or NaN, as Arrow reads from words."""
    return pc.all(pc.less(pc.abs(array), exact.EXACT), min_count=0).as_py() is not False


def _has_letters(text: pa.Array) -> bool:
    """Whether Arrow might read a number in other notation (0x1F, inf) than a person would."""
    offsets, data = _buffers(text)
    used = data[offsets[0] : offsets[-1]]
    return len(used) > 0 and bool(used.max() >= 65)


# Dates and times


@dataclass(frozen=True)
class Layout:
    """A format whose values all have one width in bytes: where the digits are and what stands between them."""

    width: int
    digits: tuple[tuple[str, int, int], ...]
    literals: tuple[tuple[int, int], ...]


@cache
def layout(format: str) -> Layout | None:
    """The fixed layout of a format, None where values differ in width."""
    widths = {"Y": 4, "m": 2, "d": 2, "H": 2, "M": 2, "S": 2}
    digits: list[tuple[str, int, int]] = []
    literals: list[tuple[int, int]] = []
    at, index = 0, 0
    while index < len(format):
        if format[index] == "%":
            directive = format[index + 1 : index + 2]
            if directive not in widths or any(directive == known for known, _, _ in digits):
                return None
            digits.append((directive, at, widths[directive]))
            at += widths[directive]
            index += 2
        else:
            for byte in format[index].encode():
                literals.append((at, byte))
                at += 1
            index += 1
    return Layout(at, tuple(digits), tuple(literals))


_COMPACT = layout("%Y%m%d")
_ISO = {
    "date": ("%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"),
    "datetime": ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"),
    "time": ("%H:%M:%S", "%H:%M"),
}


def _moments(field: Field, text: pa.Array) -> tuple[pa.Array, Mask]:
    formats = (field.format,) if field.format else _ISO[field.kind]
    missing = _missing(text)
    open_rows = ~missing
    stored = np.zeros(len(text), np.int64)
    done = np.zeros(len(text), bool)
    for format in formats:
        if field.zone and format.endswith("Z"):
            continue  # not local: looked at one by one
        shape = layout(format)
        if shape and open_rows.any():
            good, values = _fixed(text, shape, field.kind, open_rows)
            if len(good) == len(text):
                return _moment_array(values, None, field.kind), None
            stored[good] = values
            done[good] = True
            open_rows[good] = False
    return _patched(field, text, done, _moment_array(stored, ~done, field.kind))


def _moment_array(stored: np.ndarray, missing: Mask, kind: str) -> pa.Array:
    if kind == "time":
        return _clock().take(pa.array(stored, mask=missing))
    if kind == "date":
        return pa.array(stored.astype(np.int32, copy=False), pa.int32(), mask=missing).view(pa.date32())
    return pa.array(stored, pa.int64(), mask=missing).view(pa.timestamp("us"))


def _fixed(text: pa.Array, shape: Layout, kind: str, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows (among `rows`) that have this layout and a possible value, and their values as Arrow stores them."""
    offsets, data = _buffers(text)
    fit = np.flatnonzero(rows & (np.diff(offsets) == shape.width))
    if len(fit) == len(text) and len(fit):
        cells = data[offsets[0] : offsets[-1]].reshape(len(fit), shape.width)
    else:
        cells = data[offsets[fit][:, None] + np.arange(shape.width)]
    if shape == _COMPACT and kind == "date":
        good, days = _compact(cells)
        return fit[good], days[good]
    good = np.ones(len(fit), bool)
    for at, byte in shape.literals:
        good &= cells[:, at] == byte
    part: dict[str, np.ndarray] = {}
    for name, start, width in shape.digits:
        number = np.zeros(len(fit), np.int32)
        for at in range(start, start + width):
            digit = cells[:, at] - np.uint8(48)  # wraps for what is no digit
            good &= digit <= 9
            number = number * 10 + digit
        part[name] = number
    seconds = np.zeros(len(fit), np.int64)
    for name, limit, factor in (("H", 24, 3600), ("M", 60, 60), ("S", 60, 1)):
        if name in part:
            good &= part[name] < limit
            seconds += part[name].astype(np.int64) * factor
    if kind == "time" or "Y" not in part:
        return fit[good], seconds[good] % 86400 if kind == "time" else _days(1900, part, good)[good]
    days = _days(part["Y"], part, good)
    values = days if kind == "date" else (days.astype(np.int64) * 86400 + seconds) * 1_000_000
    return fit[good], values[good]


def _compact(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Days since 1970 of rows of eight digits, YYYYMMDD, and which rows are such and name a day.

    Two digits are looked up at a time, which is much faster than one by one for the commonest format of all.
    """
    pairs = np.ascontiguousarray(cells).view("<u2")  # two characters as one number
    part = {name: _pairs()[pairs[:, at]] for name, at in (("c", 0), ("y", 1), ("m", 2), ("d", 3))}
    good = (part["c"] >= 0) & (part["y"] >= 0) & (part["m"] >= 0) & (part["d"] >= 0)
    return good, _days(part["c"] * 100 + part["y"], part, good)


@cache
def _pairs() -> np.ndarray:
    """The value of two digits by their two characters as a little-endian number; -1 for what are no digits."""
    values = np.full(1 << 16, -1, np.int32)
    for tens in range(10):
        for ones in range(10):
            values[(48 + ones) << 8 | (48 + tens)] = tens * 10 + ones
    return values


def _days(year: np.ndarray | int, part: dict[str, np.ndarray], good: np.ndarray) -> np.ndarray:
    """Days since 1970 of a year, month and day; clears `good` where there is no such day."""
    first, length = _months()
    one = np.int32(1)
    month, day = part.get("m", one), part.get("d", one)
    good &= (year > 0) & (month >= 1) & (month <= 12)
    index = year * 12 + month
    if not good.all():
        index = np.where(good, index, 12)
    good &= (day >= 1) & (day <= length[index])
    days: np.ndarray = first[index] + day - 1
    return days


@cache
def _months() -> tuple[np.ndarray, np.ndarray]:
    """First day (since 1970) and length of each month of the years 0 to 9999, by year * 12 + month."""
    months = np.arange("0000-01", "10000-02", dtype="datetime64[M]").astype("datetime64[D]").astype(np.int64)
    first = np.concatenate([[0], months[:-1]]).astype(np.int32)
    length = np.concatenate([[0], np.diff(months)]).astype(np.int32)
    return first, length


@cache
def _clock() -> pa.Array:
    return pa.array([f"{s // 3600:02}:{s // 60 % 60:02}:{s % 60:02}" for s in range(86400)], pa.string())


# The odd values


def _patched(field: Field, text: pa.Array, done: np.ndarray, array: pa.Array) -> tuple[pa.Array, Mask]:
    """`array` with the values of the rows that are not `done`, read one by one; distinct texts only once."""
    odd = np.flatnonzero(~done & ~_missing(text))
    if len(odd) == 0:
        return array, None
    known: dict[str, int | float | str | None] = {}
    values = []
    for value in text.take(pa.array(odd)).to_pylist():
        if value not in known:
            try:
                known[value] = exact.storable(exact.value_of(field, value))
            except exact.Bad:
                known[value] = None
        values.append(known[value])
    bad = np.zeros(len(text), bool)
    bad[odd[[value is None for value in values]]] = True
    if all(value is None for value in known.values()):
        return _without(array, bad), bad
    kind = TYPES[field.kind]
    stored = {"date": pa.int32(), "datetime": pa.int64()}.get(field.kind, kind)
    patch = pa.array(values, stored).cast(kind)
    mask = np.zeros(len(text), bool)
    mask[odd] = True
    return pc.replace_with_mask(array, pa.array(mask), patch), bad if bad.any() else None


def _without(array: pa.Array, bad: np.ndarray) -> pa.Array:
    return pc.if_else(pa.array(bad), pa.scalar(None, array.type), array)


# Helpers on Arrow arrays


def _buffers(array: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Offsets and bytes of a text or binary array."""
    _, offsets, data = array.buffers()
    ends = (
        np.frombuffer(offsets, np.int32)[array.offset : array.offset + len(array) + 1] if offsets else np.zeros(1, int)
    )
    if len(ends) == 0:
        ends = np.zeros(1, np.int32)
    return ends, np.frombuffer(data, np.uint8) if data else np.zeros(0, np.uint8)


def _missing(array: pa.Array) -> np.ndarray:
    if array.null_count == 0:
        return np.zeros(len(array), bool)
    mask: np.ndarray = array.is_null().to_numpy(zero_copy_only=False)
    return mask


def _filled(flags: pa.Array) -> np.ndarray:
    mask: np.ndarray = pc.fill_null(flags, False).to_numpy(zero_copy_only=False).copy()
    return mask


def _all(flags: pa.Array) -> bool:
    return pc.all(flags, min_count=0).as_py() is not False


def _either(one: Mask, other: Mask) -> Mask:
    if one is None or other is None:
        return other if one is None else one
    return one | other
