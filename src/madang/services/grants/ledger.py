"""What became of promises: a plain fold over their events, and one question to the database that says the same.

The order of what is looked at: a cancelled promise is cancelled; one that a release keeps is released; one with an
excuse in force is excused; past its day it is late, however far it came; before that it is validated, deposited, due
(its day is near) or promised.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Date, Row, Select, and_, case, func, literal, null, or_, select
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import True_

from madang.services.grants.models import Award, Promise, PromiseEvent

STATUSES = ("promised", "due", "late", "deposited", "validated", "released", "excused", "cancelled")
NEAR = 30  # days before its day in which a promise is due


@dataclass(frozen=True)
class Event:
    """An event as the fold sees it."""

    at: datetime
    topic: str
    kind: str
    record: str = ""
    day: date | None = None
    counts: bool = True


def status_of(events: Iterable[Event], today: date, known: datetime) -> str:
    """What became of one promise on a day, by what was known at a moment; `events` in the order of the log."""
    due: date | None = None
    cancelled = False
    excused_until: date | None = None
    linked: set[str] = set()
    valid: set[str] = set()
    released: set[str] = set()
    for event in events:
        if event.at > known:
            continue
        if event.topic == "terms":
            due = event.day
        elif event.topic == "life":
            cancelled = event.kind == "cancelled"
        elif event.topic == "excuse":
            excused_until = (event.day or date.max) if event.kind == "allowed" else None
        elif event.topic == "link":
            _put(linked, event.record, event.kind == "linked")
        elif event.topic == "check":
            _put(valid, event.record, event.kind == "valid")
        elif event.topic == "release":
            _put(released, event.record, event.kind == "released" and event.counts and (event.day or today) <= today)
    if cancelled:
        return "cancelled"
    if linked & released:
        return "released"
    if excused_until is not None and excused_until >= today:
        return "excused"
    if due is not None and today > due:
        return "late"
    if linked & valid:
        return "validated"
    if linked:
        return "deposited"
    return "due" if due is not None and today > due - timedelta(days=NEAR) else "promised"


def _put(names: set[str], name: str, there: bool) -> None:
    names.add(name) if there else names.discard(name)


def ledger(today: date, known: datetime | None, holds: ColumnElement[bool] | None = None) -> Select[Any]:
    """One row for each promise: promise_id, due, tier, excused_until, status, released_on, records. The same question
    on both databases; `known` None is now, which needs no look at when an event was replaced; `holds` narrows to
    awards before anything is folded, so that a funder with few of them waits for few.
    """
    event = PromiseEvent
    current: ColumnElement[bool]
    if known is None:
        current = event.replaced.is_(None)
    else:
        current = and_(event.at <= known, or_(event.replaced.is_(None), event.replaced > known))
    if holds is not None and not isinstance(holds, True_):
        current = and_(current, event.promise_id.in_(select(Promise.id).join(Award).where(holds)))
    is_linked = and_(event.topic == "link", event.kind == "linked")
    # Of each record of a promise: whether it is linked, valid, and released so that it counts.
    per_record = (
        select(
            event.promise_id,
            event.record,
            func.max(case((event.topic == "terms", event.day), else_=null())).label("due"),
            func.max(case((event.topic == "terms", event.tier), else_="")).label("tier"),
            func.max(case((and_(event.topic == "life", event.kind == "cancelled"), 1), else_=0)).label("cancelled"),
            func.max(
                case(
                    (
                        and_(event.topic == "excuse", event.kind == "allowed"),
                        func.coalesce(event.day, literal(date.max, Date)),
                    ),
                    else_=null(),
                )
            ).label("excused"),
            func.max(case((is_linked, 1), else_=0)).label("linked"),
            func.max(case((and_(event.topic == "check", event.kind == "valid"), 1), else_=0)).label("valid"),
            func.max(
                case(
                    (
                        and_(
                            event.topic == "release",
                            event.kind == "released",
                            event.counts.is_(True),
                            func.coalesce(event.day, literal(today, Date)) <= literal(today, Date),
                        ),
                        1,
                    ),
                    else_=0,
                )
            ).label("released"),
            func.max(case((event.topic == "release", event.day), else_=null())).label("released_on"),
        )
        .where(current)
        .group_by(event.promise_id, event.record)
        .subquery()
    )
    r = per_record.c
    folded = (
        select(
            r.promise_id,
            func.max(r.due).label("due"),
            func.max(r.tier).label("tier"),
            func.max(r.cancelled).label("cancelled"),
            func.max(r.excused).label("excused"),
            func.max(r.linked).label("linked"),
            func.max(r.linked * r.valid).label("valid"),
            func.max(r.linked * r.released).label("released"),
            func.max(case((r.linked * r.released == 1, r.released_on), else_=null())).label("released_on"),
            func.sum(r.linked).label("records"),
        )
        .group_by(r.promise_id)
        .subquery()
    )
    f = folded.c
    now_is = literal(today, Date)
    near = literal(today + timedelta(days=NEAR), Date)
    status = case(
        (f.cancelled == 1, "cancelled"),
        (f.released == 1, "released"),
        (f.excused >= now_is, "excused"),
        (f.due < now_is, "late"),
        (f.valid == 1, "validated"),
        (f.linked == 1, "deposited"),
        (f.due < near, "due"),
        else_="promised",
    )
    return select(
        f.promise_id,
        f.due,
        f.tier,
        f.excused.label("excused_until"),
        f.released_on,
        f.records,
        status.label("status"),
    )


def whole(session: Session, today: date, known: datetime | None = None) -> Sequence[Row[Any]]:
    """Every promise with its status."""
    return session.execute(ledger(today, known)).all()


def counts(
    session: Session, today: date, known: datetime | None = None, holds: ColumnElement[bool] | None = None
) -> dict[str, int]:
    """How many promises there are of each status; `holds` narrows to awards."""
    found = ledger(today, known, holds).subquery()
    told: dict[str, int] = {
        status: count for status, count in session.execute(select(found.c.status, func.count()).group_by("status"))
    }
    return {status: told.get(status, 0) for status in STATUSES}
