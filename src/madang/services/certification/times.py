"""Points in time as certificates write them: UTC to the second, `2026-11-27T00:12:00Z`."""

import calendar
import datetime
import re

_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def now() -> datetime.datetime:
    """This second, in UTC."""
    return datetime.datetime.now(datetime.UTC).replace(microsecond=0)


def iso(time: datetime.datetime) -> str:
    """`time` as text."""
    return time.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse(text: object) -> datetime.datetime:
    """The point in time that a text says; ValueError if it is not written so."""
    if not isinstance(text, str) or not _ISO.fullmatch(text):
        raise ValueError(f"{text!r} is no point in time")
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.UTC)


def add_months(time: datetime.datetime, months: int) -> datetime.datetime:
    """The same day and time so many months later, or the last day of a month that has no such day."""
    year, month = divmod(time.year * 12 + time.month - 1 + months, 12)
    day = min(time.day, calendar.monthrange(year, month + 1)[1])
    return time.replace(year=year, month=month + 1, day=day)
