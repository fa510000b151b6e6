"""Files of SAS, SPSS and Stata: their columns, and their values as text.

Days and times of these programs are numbers that a format tells apart. They are counted here and not by the package
that reads the files, which knows few formats, gives up a file for one impossible value, and lets 25:00:00 be 01:00:00.
The formats are those of the manuals of the three programs; every format of a day tells the day, whatever it shows.
"""

import math
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from madang.base.errors import MadangError

_ROWS = 50_000
_BYTES = "ISO-8859-1"
"""In this encoding every byte is a letter, so that the bytes of a text can be had again."""

Texts = Callable[[Any], str]

_SAS_MOMENT = re.compile(r"DATETIME|DATEAMPM|MDYAMPM|DT(DATE|MON|WK|YEAR|YYQ).*|(E8601|B8601|IS8601)D[TNZX]|NLDATM.*")
_SAS_TIME = re.compile(r"TIME(AMPM)?|HHMM|HOUR|MMSS|TOD|(E8601|B8601|IS8601)T[MZX]|NLTI.*")
_SAS_DAY = re.compile(
    r"DATE|DAY|DOWNAME|(DDMMYY|MMDDYY|YYMMDD|MMYY|YYMM|YYQR?|YYQZ)[BCDNPSZ]?|YYMON|MON(YY|NAME|TH)|YEAR|YYWEEK.|QTRR?"
    r"|WEEK(DAT[EX]|DAY|[UVW])|WORDDAT[EX]|JUL(DAY|IAN)|PDJUL.|NENGO|MINGUO|NLDATE.*|(E8601|B8601|IS8601)DA|H(EB)?DATE"
    r"|EUR.*"
)
_SPSS_DAY = re.compile(r"DATE|[AESJ]DATE|QYR|MOYR|WKYR")
_SPSS_MOMENT = re.compile(r"DATETIME|YMDHMS")
_SPSS_TIME = re.compile(r"TIME|DTIME|MTIME")
_STATA = re.compile(r"%-?[\d.]*t?([a-zC])(.*)")
_STATA_OF_DAY = re.compile(r"[CYJNDdnw]|Mon|mon|Lower|WW")
_SAS_START = _STATA_START = datetime(1960, 1, 1)
_SPSS_START = datetime(1582, 10, 14)
_LEAPS = (
    "1972-07 1973-01 1974-01 1975-01 1976-01 1977-01 1978-01 1979-01 1980-01 1981-07 1982-07 1983-07 1985-07 1988-01 "
    "1990-01 1991-01 1992-07 1993-07 1994-07 1996-01 1997-07 1999-01 2006-01 2009-01 2012-07 2015-07 2017-01"
).split()
_LEAP_AT = [
    (datetime.fromisoformat(f"{month}-01") - _STATA_START).total_seconds() + at for at, month in enumerate(_LEAPS)
]
"""The seconds of %tC after which one more is to be taken off: it counts leap seconds."""


def tables(path: Path, encoding: str) -> Iterator[Iterable[Sequence[str]]]:
    """The rows of a file as texts, in pieces; the first is the names of its columns. Error: `source.encoding`.

    `encoding` is what the pack says, empty where it says nothing: then the file says its own, or is UTF-8.
    """
    reader, more = _reader(path, encoding)
    try:
        _none, meta = reader(str(path), metadataonly=True, output_format="dict", **more)
        yield [meta.column_names]
        writers = [
            writer(path.suffix.lower(), meta.original_variable_types[name], meta.readstat_variable_types[name])
            for name in meta.column_names
        ]
        offset = 0
        while True:
            found, _meta = reader(
                str(path), row_limit=_ROWS, row_offset=offset, output_format="dict", disable_datetime_conversion=True,
                **more,
            )  # fmt: skip
            columns = [map(write, found[name]) for name, write in zip(meta.column_names, writers, strict=True)]
            count = len(found[meta.column_names[0]]) if columns else 0
            if count:
                yield zip(*columns, strict=True)
            if count < _ROWS:
                break
            offset += count
    except Exception as error:  # the package has errors of its own
        if not isinstance(error, UnicodeDecodeError) and "encoding" not in str(error):
            raise
        raise MadangError(
            "source.encoding",
            f"{path.name} holds text that is not {encoding or 'UTF-8'}"
            + ("." if encoding else ", and does not say its own encoding."),
            'Write encoding = "cp949", or what it is, for its source in pack.toml; a scan says what it looks like.',
        ) from None
    _whole(path)


def texts_as_bytes(path: Path, most: int) -> bytes:
    """The texts of a file as the bytes that they are, a line for each, about so many; to find out their encoding."""
    reader, _ = _reader(path, _BYTES)
    found, meta = reader(
        str(path), row_limit=_ROWS, output_format="dict", disable_datetime_conversion=True, encoding=_BYTES
    )
    values = [value for name in meta.column_names for value in found[name] if isinstance(value, str) and value]
    return "\n".join([*meta.column_names, *values])[:most].encode("latin-1", "replace")


def labels(path: Path, encoding: str) -> dict[str, tuple[str, dict[str, str]]]:
    """What a file says of its columns: a label of the column, and labels of its values by their text."""
    reader, more = _reader(path, encoding)
    _none, meta = reader(str(path), metadataonly=True, output_format="dict", **more)
    return {
        name: (label or "", {plain(value): text for value, text in meta.variable_value_labels.get(name, {}).items()})
        for name, label in zip(meta.column_names, meta.column_labels, strict=True)
    }


def _reader(path: Path, encoding: str) -> tuple[Any, dict[str, str]]:
    import pyreadstat

    readers: dict[str, Any] = {
        ".sas7bdat": pyreadstat.read_sas7bdat, ".xpt": pyreadstat.read_xport, ".sav": pyreadstat.read_sav,
        ".zsav": pyreadstat.read_sav, ".dta": pyreadstat.read_dta,
    }  # fmt: skip
    told = encoding or ("UTF-8" if _is_silent(path) else "")
    return readers[path.suffix.lower()], {"encoding": told} if told else {}


def _is_silent(path: Path) -> bool:
    """Whether a file does not say its encoding where the package would take it for that of Western Europe."""
    with path.open("rb") as raw:
        start = raw.read(1 << 20)
    if path.suffix.lower() == ".dta":
        release = re.match(rb"<stata_dta><header><release>(\d+)", start)
        return int(release[1]) < 118 if release else True
    if path.suffix.lower() in (".sav", ".zsav"):
        orders: tuple[Literal["little", "big"], ...] = ("little", "big")
        for order in orders:
            numbers = b"".join(n.to_bytes(4, order) for n in (7, 3, 4, 8))
            at = start.find(numbers)
            if at >= 0:
                code = int.from_bytes(start[at + 44 : at + 48], order)
                named = b"".join(n.to_bytes(4, order) for n in (7, 20, 1)) in start
                return code in (0, 2, 3) and not named
    return False


def _whole(path: Path) -> None:
    """Refuses a transport file of SAS that was cut off: it does not count its rows, but ends with a record."""
    if path.suffix.lower() == ".xpt" and path.stat().st_size % 80:
        raise MadangError("source.truncated", f"{path.name} ends early: the file is cut off.", "Copy the file again.")


# Values


def writer(ending: str, format: str | None, stored: str) -> Texts:
    """How the values of a column become text, by the ending of the file, and how it is shown and stored."""
    format = format or ""
    write = _single if stored == "float" else plain
    moment = None
    if ending == ".dta":
        moment = _stata(format)
    else:
        name = re.sub(r"[\d.]+$", "", format.upper())
        moment = _spss(name) if ending in (".sav", ".zsav") else _sas(name)
    if moment is None:
        return write

    def text(value: Any) -> str:
        if not isinstance(value, int | float) or math.isnan(value):
            return write(value)
        try:
            return moment(value)
        except (OverflowError, ValueError):  # beyond the calendar: as it is, so that the reader refuses it
            return write(value)

    return text


def plain(value: Any) -> str:
    """A value as text: whole numbers without a point, nothing for what is missing, no line breaks."""
    if value is None:
        return ""
    if isinstance(value, str):
        return " ".join(value.splitlines()) if "\n" in value or "\r" in value else value
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        if math.isnan(value):
            return ""
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    return str(value)


def _single(value: Any) -> str:
    """A number that is stored in four bytes, by the fewest digits that tell it: 6.7, not 6.699999809265137."""
    if not isinstance(value, float) or math.isnan(value) or value.is_integer():
        return plain(value)
    import numpy as np

    return str(np.float32(value))


def _sas(name: str) -> Texts | None:
    if _SAS_MOMENT.fullmatch(name):
        return lambda value: _moment(_SAS_START, value, 6)
    if _SAS_TIME.fullmatch(name):
        return (lambda value: _clock(value % 86400)) if name == "TOD" else _clock
    return (lambda value: _day(_SAS_START, value)) if _SAS_DAY.fullmatch(name) else None


def _spss(name: str) -> Texts | None:
    if _SPSS_MOMENT.fullmatch(name):
        return lambda value: _moment(_SPSS_START, value, 4)
    if _SPSS_TIME.fullmatch(name):
        return _clock
    return (lambda value: _day(_SPSS_START, value // 86400)) if _SPSS_DAY.fullmatch(name) else None


def _stata(format: str) -> Texts | None:
    found = _STATA.fullmatch(format)
    if not found or ("t" not in format[:-1] and found[1] != "d"):
        return None
    kind, mask = found[1], found[2]
    if kind in "cC":
        if mask and not _STATA_OF_DAY.search(re.sub("MM|[AaPp]\\.?[Mm]", "", mask)):
            return _time_or_moment
        leaps: Callable[[float], int] = (lambda s: bisect_right(_LEAP_AT, s)) if kind == "C" else (lambda s: 0)
        return lambda value: _moment(_STATA_START, value / 1000 - leaps(value / 1000), 3)
    parts = {"m": (12, "-{:02}"), "q": (4, "-Q{}"), "h": (2, "-H{}"), "w": (52, "-W{:02}")}
    if kind in parts:
        count, form = parts[kind]
        return lambda value: f"{1960 + int(value // count):04}" + form.format(int(value % count) + 1)
    return (lambda value: _day(_STATA_START, value)) if kind == "d" else None


def _day(start: datetime, days: float) -> str:
    return (start + timedelta(days=math.floor(days))).date().isoformat()


def _moment(start: datetime, seconds: float, digits: int) -> str:
    """A moment; midnight as its day alone."""
    whole = math.floor(seconds)
    fraction = round(seconds - whole, digits)
    found = start + timedelta(seconds=whole) + timedelta(microseconds=round(fraction * 1e6))
    return found.isoformat(sep=" ") if found.time() != datetime.min.time() else found.date().isoformat()


def _time_or_moment(value: float) -> str:
    """A value of %tc that is shown as a time of day."""
    return _clock(value / 1000) if 0 <= value < 86_400_000 else _moment(_STATA_START, value / 1000, 3)


def _clock(seconds: float) -> str:
    """Hours, minutes and seconds; of more than a day as well, so that nobody takes 25:00:00 for 01:00:00."""
    sign, seconds = ("-" if seconds < 0 else ""), round(abs(seconds), 6)
    hours, rest = divmod(int(seconds), 3600)
    fraction = f"{seconds % 1:.6f}"[1:].rstrip("0").rstrip(".")
    return f"{sign}{hours:02}:{rest // 60:02}:{rest % 60:02}{fraction}"
