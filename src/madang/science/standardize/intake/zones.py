"""Time zones: one rule for moments that are written with an offset from UTC.

With a zone (the parameter `timezone`) every such moment is taken to it. Without one it is local time as it is written,
and its offset is left out; only where all other moments of an export have one and the same offset, those written in UTC
(`Z`) are taken to it, since they are the same clock told otherwise. Moments without an offset are local.
"""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from madang.base.errors import MadangError
from madang.science.standardize.intake.files import contents, is_compressed, reading
from madang.science.standardize.pack import Source

OFFSET = r"(?:Z|[+-][0-9]{2}:?[0-9]{2})"
_MOMENT = re.compile(
    rf"([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})[T ]([0-9]{{2}}:[0-9]{{2}}(?::[0-9]{{2}}(?:\.[0-9]+)?)?) ?({OFFSET})"
)
_LEAP = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}):60((?:\.[0-9]+)?.*)")
_MIDNIGHT = re.compile(rf"([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})([T ])24:00(?::00(?:\.0+)?)?( ?{OFFSET}|)")
_IN_FILE = re.compile(
    rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[T ][0-9]{{2}}:[0-9]{{2}}(?::[0-9]{{2}}(?:\.[0-9]+)?)? ?({OFFSET})\b".encode()
)
_NO_MOMENT = re.compile(rb'"(?:lastUpdated|issued|recordedDate)"\s*:\s*"[^"]*"')
_SAMPLE, _FILES = 1 << 16, 200


@cache
def zone_of(text: str) -> tzinfo:
    """The zone of a name as `Asia/Seoul`, or of an offset as `+09:00`. Error: `pack.bad_parameter`."""
    if match := re.fullmatch(r"([+-])([0-9]{2}):?([0-9]{2})|(Z|UTC)", text):
        if match[4]:
            return UTC
        minutes = int(match[2]) * 60 + int(match[3])
        if minutes < 24 * 60:
            return timezone(timedelta(minutes=-minutes if match[1] == "-" else minutes))
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise MadangError(
            "pack.bad_parameter", f'"{text}" is no time zone.', "Write it as Asia/Seoul, or as an offset: +09:00."
        ) from None


def at_midnight(text: str) -> str:
    """A moment at 24:00:00, the end of a day, as the beginning of the next one, and a leap second (:60), which no clock
    here has, as the one before; whatever else it is stays as it is."""
    if leap := _LEAP.fullmatch(text):
        return f"{leap[1]}:59{leap[2]}"
    match = _MIDNIGHT.fullmatch(text)
    if match is None:
        return text
    try:
        return f"{date.fromisoformat(match[1]) + timedelta(days=1)}{match[2]}00:00:00{match[3]}"
    except (ValueError, OverflowError):
        return text


def localized(text: str, zone: str) -> str:
    """The moment of a text in local time, without its offset; whatever else it is stays as it is."""
    match = _MOMENT.fullmatch(at_midnight(text))
    if match is None:
        return text
    try:
        moment = datetime.fromisoformat(f"{match[1]}T{match[2]}").replace(tzinfo=zone_of(match[3]))
        local = moment.astimezone(zone_of(zone)).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return text
    return local.isoformat(timespec="auto" if local.microsecond else "seconds")


def find_zone(files: Iterable[tuple[Source, Path]]) -> tuple[str, str]:
    """The offset to which moments in UTC are taken, empty where none is; and what to say about it, or nothing."""
    found: set[str] = set()
    looked = [one for one in files if _has_moments(one[0])][:_FILES]
    for _source, path in looked:
        with reading(path), path.open("rb") as raw:
            data = _NO_MOMENT.sub(b"", contents(raw, is_compressed(path)).read(_SAMPLE))
        found |= {offset.decode() for offset in _IN_FILE.findall(data)}
    utc = found & {"Z", "+00:00", "+0000", "-00:00"}
    others = sorted(found - utc)
    if not utc:
        return "", ""
    if len(others) == 1:
        return others[
            0
        ], f"Moments in UTC are taken to {others[0]}, as all others are; --set timezone=NAME says otherwise."
    if others:
        return "", (
            f"Some moments are in UTC, others have offsets ({', '.join(others[:4])}): all are kept as written. "
            "--set timezone=NAME, as Asia/Seoul, takes them to one zone."
        )
    return (
        "",
        "All moments are in UTC, so days are those of Greenwich; --set timezone=NAME, as Asia/Seoul, makes them local.",
    )


def _has_moments(source: Source) -> bool:
    return any(c.zoned or (c.type in ("date", "datetime") and c.format is None) for c in source.columns.values())
