"""The pages of auditors and of whoever waits for a job."""

import asyncio
import json
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from fastapi import Query
from fastapi.responses import FileResponse, StreamingResponse
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.responses import Response

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node import jobs
from madang.node.audit import anchor
from madang.node.jobs.queue import ENDED
from madang.node.permissions import check
from madang.web import Done, Here, Number, Room, View
from madang.web.visit import visit_of

room = Room("oversight", __package__)
_PAGE = 100
_POLL = 0.5  # seconds between two looks at a job
_PATIENCE = 600  # seconds that a page may listen to a job; then it asks again


class EventView(View):
    """One event of the audit."""

    number: int
    at: str
    actor: str
    name: str
    act: str
    thing: str
    details: dict[str, Any]


class AuditView(View):
    """Events, the newest first; `before` leads to earlier ones."""

    events: list[EventView]
    before: int | None
    filters: dict[str, str]


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
    before: Number | None = None,
) -> AuditView:
    """Who did what: the newest events first, of an actor, an act (or area, as `record.*`) or a thing."""
    check(visit.actor, "audit.read")
    with visit.node.read() as session:
        found = visit.node.audit.events(
            session, actor=actor or None, act=act or None, thing=thing or None, before=before, limit=_PAGE
        )
    visit.node.audit.read(visit.actor, "audit.read", "", {"actor": actor, "act": act, "thing": thing})
    events = [
        EventView(
            number=e.number, at=e.at, actor=e.actor, name=e.name, act=e.act, thing=e.thing, details=dict(e.details)
        )
        for e in found
    ]
    last = events[-1].number if len(events) == _PAGE else None
    return AuditView(events=events, before=last, filters={"actor": actor, "act": act, "thing": thing})


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


@room.page("/jobs", "jobs.html")
def job_list(visit: Here) -> JobList:
    """The newest jobs: one's own, for administrators everybody's."""
    if not visit.actor.is_signed_in:
        raise MadangError("permission.sign_in", _("This needs an account."), _("Sign in first."))
    return JobList(jobs=[JobLine(**_line(each)) for each in jobs.list_jobs(visit.node, visit.actor)])


def _line(found: jobs.Job) -> dict[str, Any]:
    return {
        "id": found.id,
        "title": found.title,
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
    error = json.loads(found.error) if found.error else {}
    return JobView(
        **_line(found),
        text=last.text if last else "",
        done=last.done if last else 0,
        total=last.total if last else None,
        error=f"{error.get('message', '')} {error.get('hint', '')}".strip(),
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
        told = {"text": event.text, "done": event.done, "total": event.total}
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


room.helpers |= {"job_state": job_state, "in_words": in_words}
