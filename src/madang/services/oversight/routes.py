"""The pages of auditors and of whoever waits for a job."""

import json
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

from fastapi import Query
from fastapi.responses import StreamingResponse
from starlette.responses import Response

from madang.base.translate import _
from madang.node import jobs
from madang.node.audit.anchor import verify
from madang.node.permissions import check
from madang.web import Done, Here, Room, View

room = Room("oversight", __package__)
_PAGE = 100
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


class JobView(View):
    """A job and how far it is."""

    id: int
    title: str
    state: str
    text: str
    done: int
    total: int | None
    created: datetime
    error: str


@room.page("/audit", "audit.html")
def audit(
    visit: Here,
    actor: Annotated[str, Query(max_length=100)] = "",
    act: Annotated[str, Query(max_length=100)] = "",
    thing: Annotated[str, Query(max_length=100)] = "",
    before: Annotated[int | None, Query(ge=1)] = None,
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
    report = verify(visit.node, visit.actor)
    return Proof(
        events=report.length,
        digest=report.digest,
        findings=[f"{finding.number or ''} {finding.problem}".strip() for finding in report.findings],
    )


@room.page("/jobs/{number}", "job.html")
def job(visit: Here, number: int) -> JobView:
    """A job: how far it is, and what came of it."""
    found = jobs.find(visit.node, visit.actor, number)
    events = jobs.events_after(visit.node, visit.actor, number)
    last = next((event for event in reversed(events) if event.text), None)
    error = json.loads(found.error) if found.error else {}
    return JobView(
        id=found.id,
        title=found.title,
        state=found.state,
        text=last.text if last else "",
        done=last.done if last else 0,
        total=last.total if last else None,
        created=found.created,
        error=f"{error.get('message', '')} {error.get('hint', '')}".strip(),
    )


@room.act("/jobs/{number}/cancel", at=job)
def cancel(visit: Here, number: int) -> Done:
    """Ask a job to stop."""
    jobs.cancel(visit.node, visit.actor, number)
    return Done(see=f"/jobs/{number}", message=_("The job was asked to stop."))


@room.bytes("/jobs/{number}/events")
def events(visit: Here, number: int) -> Response:
    """What a job says while it runs, as server-sent events: `progress`, and `end` when it is over."""
    jobs.find(visit.node, visit.actor, number)
    return StreamingResponse(_told(visit, number), media_type="text/event-stream")


def _told(visit: Here, number: int) -> Iterator[str]:
    last, until = 0, time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        for event in jobs.events_after(visit.node, visit.actor, number, last):
            last = event.id
            told = {"text": event.text, "done": event.done, "total": event.total}
            yield f"event: progress\ndata: {json.dumps(told, ensure_ascii=False)}\n\n"
        if jobs.find(visit.node, visit.actor, number).state in ("done", "failed", "cancelled"):
            yield "event: end\ndata: {}\n\n"
            return
        yield ": waiting\n\n"
        time.sleep(0.5)


def job_state(state: str) -> str:
    """A state of a job in the reader's language."""
    return {
        "waiting": _("waiting"),
        "running": _("running"),
        "done": _("done"),
        "failed": _("failed"),
        "cancelled": _("cancelled"),
    }[state]


room.helpers |= {"job_state": job_state}
