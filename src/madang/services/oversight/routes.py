"""The pages of auditors and of whoever waits for a job."""

import asyncio
import json
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from fastapi import Query
from fastapi.responses import FileResponse, StreamingResponse
from pydantic import Field
from sqlalchemy import func, select
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.responses import Response

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node import doctor, jobs
from madang.node.audit import anchor, audit_events
from madang.node.jobs.queue import ENDED
from madang.node.people.models import Person
from madang.node.permissions import acts, check, may
from madang.services.oversight import monthly, naming
from madang.web import Done, Here, Number, Room, View
from madang.web.visit import visit_of

room = Room("oversight", __package__)
_PAGE = 100
_DAY = r"^$|^\d{4}-\d{2}-\d{2}$"
_POLL = 0.5  # seconds between two looks at a job
_PATIENCE = 600  # seconds that a page may listen to a job; then it asks again


class EventView(View):
    """One event of the audit; `said` and `title` are in the reader's language."""

    number: int
    at: str
    actor: str
    name: str
    act: str
    said: str
    thing: str
    title: str
    address: str
    details: dict[str, Any]


class AuditView(View):
    """Events, the newest first; `before` leads to earlier ones. `people` and `acts` are what one can choose from."""

    events: list[EventView]
    before: int | None
    filters: dict[str, str]
    people: list[tuple[str, str]]
    acts: list[tuple[str, str]]
    length: int


class LineView(View):
    """One person in a month."""

    actor: str
    name: str
    events: int
    taken: int
    nights: int
    busiest: int
    why: list[str]


class Reviewed(View):
    """A month that was signed for."""

    month: str
    at: str
    name: str
    found: str


class MonthView(View):
    """The review of a month: who did how much, and what was signed before."""

    month: str
    lines: list[LineView]
    reviewed: list[Reviewed]
    over: bool


class Review(View):
    """What an auditor found in a month."""

    month: str = Field(title="The month", max_length=7)
    found: str = Field(title="What was found", max_length=4_000)


class Proof(View):
    """What checking the whole chain found; nothing, if nothing was changed."""

    events: int
    digest: str
    findings: list[str]


class JobLine(View):
    """A job, in a list."""

    id: int
    title: str
    state: str
    created: datetime
    ended: datetime | None


class JobList(View):
    """The newest jobs that one may see."""

    jobs: list[JobLine]


class JobView(JobLine):
    """A job and how far it is."""

    text: str
    done: int
    total: int | None
    error: str


@room.page("/audit", "audit.html")
def audit(
    visit: Here,
    actor: Annotated[str, Query(max_length=100)] = "",
    act: Annotated[str, Query(max_length=100)] = "",
    thing: Annotated[str, Query(max_length=100)] = "",
    since: Annotated[str, Query(pattern=_DAY)] = "",
    until: Annotated[str, Query(pattern=_DAY)] = "",
    reads: Literal["", "yes"] = "",
    before: Number | None = None,
) -> AuditView:
    """Who did what: the newest events first, of an actor, an act (or area, as `record.*`), a thing, a time.

    What only looks at pages is left out unless `reads` is asked for.
    """
    check(visit.actor, "audit.read")
    folded = frozenset() if reads or act or thing else naming.routine()
    with visit.node.read() as session:
        found = visit.node.audit.events(
            session,
            actor=actor or None,
            act=act or None,
            thing=thing or None,
            before=before,
            limit=_PAGE,
            since=_moment(visit, since, 0),
            until=_moment(visit, until, 1),
            without=folded,
        )
        length = int(session.scalar(select(func.max(audit_events.c.number))) or 0)
        people = [(f"person:{each.id}", each.name) for each in session.scalars(select(Person).order_by(Person.name))]
    filters = {"actor": actor, "act": act, "thing": thing, "since": since, "until": until, "reads": reads}
    visit.node.audit.read(visit.actor, "audit.read", "", {"actor": actor, "act": act, "thing": thing})
    titles = naming.named(visit.node, {e.thing for e in found})
    sees_jobs = may(visit.actor, "person.edit")  # as administrators do; auditors see their own
    events = [
        EventView(
            number=e.number,
            at=e.at,
            actor=e.actor,
            name=e.name,
            act=e.act,
            said=naming.said(e.act),
            thing=e.thing,
            title=titles.get(e.thing, ("", ""))[0],
            address=titles.get(e.thing, ("", ""))[1] if sees_jobs or not e.thing.startswith("job:") else "",
            details=dict(e.details),
        )
        for e in found
    ]
    last = events[-1].number if len(events) == _PAGE else None
    kinds = sorted(((name, naming.said(name)) for name in acts()), key=lambda each: each[1])
    return AuditView(events=events, before=last, filters=filters, people=people, acts=kinds, length=length)


def _moment(visit: Here, day: str, more: int) -> str | None:
    """The beginning of a day in the institution's zone, or of the day after, as events have it."""
    try:
        at = visit.node.settings.end_of(date.fromisoformat(day) - timedelta(days=1 - more)) if day else None
    except (ValueError, OverflowError):
        raise MadangError("audit.day", _("{day} is no day.").format(day=day)) from None
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z") if at else None


@room.page("/audit/monthly", "monthly.html")
def month(visit: Here, month: Annotated[str, Query(max_length=7)] = "") -> MonthView:
    """The monthly review of access: who looked at how much, at night, in bulk; and what was signed before."""
    check(visit.actor, "audit.read")
    asked = month or monthly.last_month(datetime.now(ZoneInfo(visit.node.settings.zone)).date())
    found = monthly.lines(visit.node, asked)
    with visit.node.read() as session:
        signed = visit.node.audit.events(session, act="audit.review", limit=24)
    names = naming.named(visit.node, {each.actor for each in found})
    visit.node.audit.read(visit.actor, "audit.read", f"month:{asked}")
    return MonthView(
        month=asked,
        lines=[
            LineView(
                actor=each.actor,
                name=names.get(each.actor, (each.actor, ""))[0],
                events=each.events,
                taken=each.taken,
                nights=each.nights,
                busiest=each.busiest,
                why=each.why,
            )
            for each in found
        ],
        reviewed=[
            Reviewed(month=e.thing.partition(":")[2], at=e.at, name=e.name, found=str(e.details.get("found", "")))
            for e in signed
        ],
        over=monthly.span(asked, visit.node.settings.zone)[1] <= datetime.now(UTC).isoformat(),
    )


@room.act("/audit/monthly", at=month)
def review(visit: Here, given: Review) -> Done:
    """Sign that a month was looked at, and what was found."""
    monthly.sign(visit.node, visit.actor, given.month, given.found)
    return Done(see=f"/audit/monthly?month={given.month}", message=_("The review is signed and kept."))


@room.act("/audit/verify", at=audit)
def prove(visit: Here) -> Proof:
    """Check the whole chain of events: every text, every link, and how far it reaches."""
    report = anchor.verify(visit.node, visit.actor)
    return Proof(
        events=report.length,
        digest=report.digest,
        findings=[f"{finding.number or ''} {finding.problem}".strip() for finding in report.findings],
    )


@room.bytes("/audit/export", "application/jsonl")
def export(visit: Here) -> Response:
    """Every event, one canonical JSON text per line: anybody can compute the digest of an anchor from it."""
    check(visit.actor, "audit.read")
    folder = Path(tempfile.mkdtemp(prefix="madang-"))
    tidy = BackgroundTask(shutil.rmtree, folder, ignore_errors=True)
    try:
        anchor.export(visit.node, visit.actor, folder / "audit.jsonl")
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return FileResponse(folder / "audit.jsonl", media_type="application/jsonl", filename="audit.jsonl", background=tidy)


class FindingView(View):
    """One thing that was looked at: how it is, and what to do about it."""

    what: str
    level: Literal["good", "doubtful", "bad"]
    message: str
    hint: str


class StateView(View):
    """What is wrong with this installation, the worst first."""

    findings: list[FindingView]


@room.page("/state", "state.html")
def state(visit: Here) -> StateView:
    """What is wrong with this installation and what to do about it, as `madang doctor` says; nothing is changed."""
    check(visit.actor, "node.examine")
    found = sorted(doctor.examine(visit.node.home), key=lambda each: ("bad", "doubtful", "good").index(each.level))
    return StateView(findings=[FindingView(**vars(each)) for each in found])


def level_named(level: str) -> str:
    """How a finding is, in the reader's language."""
    return {"good": _("good"), "doubtful": _("doubtful"), "bad": _("bad")}[level]


@room.page("/jobs", "jobs.html")
def job_list(visit: Here) -> JobList:
    """The newest jobs: one's own, for administrators everybody's."""
    if not visit.actor.is_signed_in:
        raise MadangError("permission.sign_in", _("This needs an account."), _("Sign in first."))
    return JobList(jobs=[JobLine(**_line(each)) for each in jobs.list_jobs(visit.node, visit.actor)])


def _line(found: jobs.Job) -> dict[str, Any]:
    return {
        "id": found.id,
        "title": found.named,
        "state": found.state,
        "created": found.created,
        "ended": found.ended,
    }


@room.page("/jobs/{number}", "job.html")
def job(visit: Here, number: Number) -> JobView:
    """A job: how far it is, and what came of it."""
    found = jobs.find(visit.node, visit.actor, number)
    events = jobs.events_after(visit.node, visit.actor, number)
    last = next((event for event in reversed(events) if event.text), None)
    return JobView(
        **_line(found),
        text=last.said if last else "",
        done=last.done if last else 0,
        total=last.total if last else None,
        error=found.why,
    )


@room.act("/jobs/{number}/cancel", at=job)
def cancel(visit: Here, number: Number) -> Done:
    """Ask a job to stop."""
    jobs.cancel(visit.node, visit.actor, number)
    return Done(see=f"/jobs/{number}", message=_("The job was asked to stop."))


@room.act("/jobs/{number}/retry", at=job)
def retry(visit: Here, number: Number) -> Done:
    """Begin a job anew that failed or was cancelled."""
    jobs.retry(visit.node, visit.actor, number)
    return Done(see=f"/jobs/{number}", message=_("The job begins anew."))


@room.bytes("/jobs/{number}/events", "text/event-stream")
def events(visit: Here, number: Number) -> Response:
    """What a job says while it runs, as server-sent events: `progress`, and `end` when it is over."""
    jobs.find(visit.node, visit.actor, number)
    return StreamingResponse(_told(visit.request, number), media_type="text/event-stream")


async def _told(request: HTTPConnection, number: int) -> AsyncIterator[str]:
    """Between two looks nothing is held, no thread either; every look asks anew who is there and what they may."""
    last, until = 0, time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        try:
            news, last, over = await run_in_threadpool(_news, request, number, last)
        except MadangError:  # signed out meanwhile, or no longer allowed: the browser asks again and is told so
            return
        yield news
        if over:
            return
        await asyncio.sleep(_POLL)


def _news(request: HTTPConnection, number: int, last: int) -> tuple[str, int, bool]:
    """What the job said after its event `last`, the last event now, and whether it is over."""
    visit = visit_of(request)
    over = jobs.find(visit.node, visit.actor, number).state in ENDED  # asked first, so that no last word is missed
    news = []
    for event in jobs.events_after(visit.node, visit.actor, number, last):
        last = event.id
        told = {"text": event.said, "done": event.done, "total": event.total}
        news.append(f"event: progress\ndata: {json.dumps(told, ensure_ascii=False)}\n\n")
    news.append("event: end\ndata: {}\n\n" if over else ": waiting\n\n")
    return "".join(news), last, over


def job_state(state: str) -> str:
    """A state of a job in the reader's language."""
    return {
        "waiting": _("waiting"),
        "running": _("running"),
        "done": _("done"),
        "failed": _("failed"),
        "cancelled": _("cancelled"),
    }[state]


def in_words(details: dict[str, Any]) -> str:
    """What an event tells besides, for a table."""
    told = {
        name: each if isinstance(each, str) else json.dumps(each, ensure_ascii=False) for name, each in details.items()
    }
    return ", ".join(f"{name}: {each}" for name, each in told.items() if each)


room.helpers |= {"level_named": level_named, "who_named": naming.who, "job_state": job_state, "in_words": in_words}
