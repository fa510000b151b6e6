"""The monthly review of access: who looked at how much, what is unusual, and that somebody looked at it.

Every month an auditor reads who opened and took how much, at night, in bulk, and far more than others; writes what was
found, and signs. The signed text is kept in the audit, which nothing is removed from.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from statistics import median
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.audit import audit_events
from madang.node.database import now
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.permissions import check
from madang.node.signing import signer
from madang.node.text import clean_prose

TYPE = "madang-access-review+jws"
TAKEN = ("record.download", "record.ask", "record.read")
BULK = 20  # downloads and questions of one person in a month that are looked at
TIMES = 5  # as much as the median person
LEAST = 100  # events: fewer are never unusual
NIGHT = (22, 6)  # from, until, in the institution's zone


@dataclass
class Line:
    """One person or program in a month."""

    actor: str
    events: int = 0
    taken: int = 0
    nights: int = 0
    busiest: int = 0
    days: dict[str, int] = field(default_factory=dict)
    why: list[str] = field(default_factory=list)


def span(month: str, zone: str) -> tuple[str, str]:
    """When a month such as `2026-11` begins and ends in a zone, in UTC as events have it. Errors: `audit.month`."""
    if not re.fullmatch(r"20[0-9]{2}-(0[1-9]|1[0-2])", month):
        raise MadangError("audit.month", _("A month is written as 2026-11."))
    year, number = int(month[:4]), int(month[5:])
    begin = datetime(year, number, 1, tzinfo=ZoneInfo(zone))
    end = datetime(year + number // 12, number % 12 + 1, 1, tzinfo=ZoneInfo(zone))
    return _utc(begin), _utc(end)


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def lines(node: Node, month: str) -> list[Line]:
    """Who did how much in a month, what is unusual first."""
    since, until = span(month, node.settings.zone)
    hour = func.substr(audit_events.c.at, 1, 13)
    query = (
        select(audit_events.c.actor, audit_events.c.act, hour, func.count())
        .where(audit_events.c.at >= since, audit_events.c.at < until)
        .group_by(audit_events.c.actor, audit_events.c.act, hour)
    )
    found: dict[str, Line] = {}
    zone = ZoneInfo(node.settings.zone)
    with node.read() as session:
        for actor, act, written, count in session.execute(query):
            line = found.setdefault(actor, Line(actor))
            at = datetime.fromisoformat(f"{written}:00:00+00:00").astimezone(zone)
            line.events += count
            line.taken += count if act in TAKEN else 0
            line.nights += count if at.hour >= NIGHT[0] or at.hour < NIGHT[1] else 0
            line.days[at.date().isoformat()] = line.days.get(at.date().isoformat(), 0) + count
    return _judged(found.values())


def _judged(found: Iterable[Line]) -> list[Line]:
    every = [line for line in found if line.actor.startswith(("person:", "token:"))]
    usual = median(line.events for line in every) if every else 0
    for line in every:
        line.busiest = max(line.days.values())
        if line.taken >= BULK:
            line.why.append(_("took data away {count} times").format(count=line.taken))
        if line.events >= LEAST and line.events > TIMES * usual:
            line.why.append(
                _("did {times} times as much as the median person").format(times=round(line.events / usual))
            )
        if line.nights:
            line.why.append(_("{count} times between 22:00 and 06:00").format(count=line.nights))
    return sorted(every, key=lambda line: (-len(line.why), -line.events))


def sign(node: Node, actor: Actor, month: str, found: str) -> str:
    """Sign that a month was looked at and what was found; the signed text. Errors: `audit.month`."""
    check(actor, "audit.review")
    _since, until = span(month, node.settings.zone)
    if until > _utc(now()):
        raise MadangError("audit.month", _("This month is not over yet."), _("Review it once it is."))
    words = clean_prose(found, _("What was found"), 4_000, required=True)
    seen = [
        {"actor": each.actor, "events": each.events, "taken": each.taken, "nights": each.nights}
        for each in lines(node, month)
    ]
    statement = {"month": month, "by": actor.reference, "at": _utc(now()), "found": words, "people": seen}
    signed = signer(node.home).sign(statement, TYPE)
    with node.write() as session:
        node.audit.record(session, actor, "audit.review", f"month:{month}", {"found": words, "signed": signed})
    return signed


def last_month(today: date) -> str:
    """The month before the one that it is."""
    return f"{today.year - 1}-12" if today.month == 1 else f"{today.year}-{today.month - 1:02}"
