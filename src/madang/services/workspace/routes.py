"""The portal's pages of workspaces."""

from datetime import datetime
from html import escape
from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, Field
from starlette.responses import HTMLResponse, Response

from madang.base.errors import MadangError
from madang.base.translate import _, later
from madang.node.acts import label
from madang.node.people.actor import Actor
from madang.node.permissions import check, may
from madang.services.workspace import bring, door, leaving, service
from madang.services.workspace.acts import ACCEPT, BRING, DESTROY, END, ENTER, OPEN, STOP
from madang.services.workspace.environment import lacks
from madang.services.workspace.models import Workspace
from madang.web import Done, Here, Number, Room, View

room = Room("workspace", __package__)


class Line(View):
    """A workspace, in a list."""

    id: int
    title: str
    dataset: str
    version: int
    record: str
    course: str
    project: str
    permit: str
    until: datetime | None
    state: str
    state_label: str
    awake: bool
    memory: int
    people: int
    used: datetime


class Listed(View):
    """The workspaces that one may know of."""

    workspaces: list[Line]
    everything: bool
    datasets: list[str]  # the permits by which one may be opened


class FileLine(View):
    """A file that was brought in."""

    id: int
    name: str
    size: int
    hash: str
    reason: str
    state: str
    state_label: str
    by: str
    created: datetime
    decides: bool


class ResultLine(View):
    """A file that could be asked for."""

    name: str
    size: int


class Space(Line):
    """A workspace: what it shows, by which right, and what one may do with it."""

    owner: str
    digest: str
    disk: int
    disk_limit: int
    memory_limit: int
    lacks: str  # what the installation lacks before anybody can work in it
    watched_by: str  # control group, or supervisor
    closed: str  # why one may not go in now
    kept_until: datetime | None
    ended: datetime | None
    destroyed: datetime | None
    files: list[FileLine]
    results: list[ResultLine]
    enters: bool
    brings: bool
    stops: bool
    ends: bool
    destroys: bool


class Opens(BaseModel):
    """From what a workspace is opened."""

    reference: str = Field(max_length=200, title=later("Number of a permit, or name of a dataset"))
    project: str = Field(default="", max_length=63)


class Reason(BaseModel):
    """Why."""

    reason: str = Field(default="", max_length=300)


class Sends(BaseModel):
    """A file to bring in."""

    file: bytes = Field(title=later("File"))
    name: str = Field(max_length=100, title=later("Name of the file"))
    reason: str = Field(default="", max_length=300)


class Leaves(BaseModel):
    """Which files of /workspace/release are to leave."""

    names: list[str] = Field(default=[], max_length=leaving.MOST)
    says: str = Field(default="", max_length=1_000)
    purpose: str = Field(default="", max_length=5_000)


class Decides(BaseModel):
    """A decision about a file."""

    decision: str = Field(pattern="^(accept|refuse)$")


@room.page("/workspaces", "workspaces.html")
def workspaces(visit: Here, all: Annotated[bool, Query()] = False) -> Listed:
    """The workspaces that one may know of, and what they use."""
    check(visit.actor, OPEN)
    awake = service.awake(visit.node)
    found = service.list_workspaces(visit.node, visit.actor, everything=all)
    return Listed(
        workspaces=[Line(**_line(each, awake)) for each in found],
        everything=all,
        datasets=sorted({permit.number for permit in _permits(visit)}),
    )


def _permits(visit: Here):  # type: ignore[no-untyped-def]  # rows
    from sqlalchemy import select

    from madang.node.people.models import Permit

    numbers = [held.permit_id for held in visit.actor.permits]
    with visit.node.read() as session:
        return [p for p in session.scalars(select(Permit).where(Permit.id.in_(numbers))) if service.in_force(p)]


@room.act("/workspaces", at=workspaces)
def open_workspace(visit: Here, given: Opens) -> Done:
    """Open a workspace by a permit, or on data that one may read."""
    made = service.open_workspace(visit.node, visit.actor, given.reference.strip(), project=given.project)
    return Done(see=f"/workspaces/{made.id}", message=_("The workspace is open."))


@room.page("/workspaces/{number}", "workspace.html")
def workspace(visit: Here, number: Number) -> Space:
    """One workspace: its data, its people's right, what was brought in, what it uses."""
    found = service.see(visit.node, visit.actor, number)
    return _space(visit, found)


@room.act("/workspaces/{number}/enter", at=workspace)
def enter(visit: Here, number: Number) -> Any:
    """Go in: the way to its notebooks, good once and for half a minute."""
    found = service.see(visit.node, visit.actor, number)
    if visit.actor.person_id is None or visit.actor.session_id is None:  # a token's end would not end what it opened
        raise MadangError("permission.sign_in", _("This needs an account."), _("Sign in first."))
    service.entered(visit.node, visit.actor, found)
    door.ensure_gateway(visit.node)
    ticket = door.make_ticket(visit.node, number, visit.actor.person_id, visit.actor.session_id, visit.language)
    way = f"{door.address_of(visit.node, visit.origin)}/enter?ticket={ticket}"
    if visit.request.url.path.startswith("/api/"):
        return Done(see=way)
    # Not a redirect: the page of the form may send nothing to another host, and so may not its answer.
    return HTMLResponse(_WAY.format(way=escape(way, quote=True), text=escape(_("Go in to the notebooks"))))


_WAY = """<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">
<meta http-equiv="refresh" content="0;url={way}">
<title>Madang</title><p><a href="{way}">{text}</a></p>"""


@room.act("/workspaces/{number}/stop", at=workspace)
def stop(visit: Here, number: Number, given: Reason) -> Done:
    """Put it to sleep."""
    service.stop(visit.node, visit.actor, number, given.reason)
    return Done(see=f"/workspaces/{number}", message=_("It is put to sleep; its files stay."))


@room.act("/workspaces/{number}/end", at=workspace)
def end(visit: Here, number: Number, given: Reason) -> Done:
    """End it: its data are shown no more, its code is kept."""
    service.end(visit.node, visit.actor, number, given.reason)
    return Done(see=f"/workspaces/{number}", message=_("The workspace has ended; its code is kept."))


@room.act("/workspaces/{number}/renew", at=workspace)
def renew(visit: Here, number: Number) -> Done:
    """Open it again, with its code, if the right to its data is in force."""
    service.renew(visit.node, visit.actor, number)
    return Done(see=f"/workspaces/{number}", message=_("The workspace is open again."))


@room.act("/workspaces/{number}/destroy", at=workspace)
def destroy(visit: Here, number: Number) -> Done:
    """Destroy what it kept; the record of destruction stays."""
    service.destroy(visit.node, visit.actor, number)
    return Done(see=f"/workspaces/{number}", message=_("What the workspace kept is destroyed."))


@room.act("/workspaces/{number}/files", at=workspace, largest=bring.LARGEST + (1 << 20))
def bring_in(visit: Here, number: Number, given: Sends) -> Done:
    """Bring a file in."""
    made = bring.bring(visit.node, visit.actor, number, given.name, given.file, given.reason)
    message = _("The file waits for a data steward.") if made.state == "asked" else _("The file is in /brought.")
    return Done(see=f"/workspaces/{number}", message=message)


@room.act("/workspaces/{number}/files/{file}", at=workspace)
def decide(visit: Here, number: Number, file: Number, given: Decides) -> Done:
    """Accept or refuse a file."""
    if bring.find_brought(visit.node, file).workspace_id != number:
        raise MadangError("brought.none", _("There is no such file."))
    bring.decide(visit.node, visit.actor, file, given.decision == "accept")
    return Done(see=f"/workspaces/{number}", message=_("It is decided."))


@room.bytes("/workspaces/{number}/files/{file}/content", "application/octet-stream")
def content(visit: Here, number: Number, file: Number) -> Response:
    """A file that waits, for whoever decides about it."""
    name, data = bring.content(visit.node, visit.actor, file)
    stem = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "._-") else "_" for letter in name)
    disposition = {"Content-Disposition": f'attachment; filename="{stem}"'}
    return Response(data, media_type="application/octet-stream", headers=disposition)


@room.act("/workspaces/{number}/release", at=workspace)
def release(visit: Here, number: Number, given: Leaves) -> Done:
    """Ask for release of results: the desk examines the files as they lie in the workspace."""
    request = leaving.ask(visit.node, visit.actor, number, given.names, given.says, given.purpose)
    return Done(see=f"/releases/{request}", message=_("The request is made; what the rules say is below."))


def _line(each: Workspace, awake: dict[int, service.Awake]) -> dict[str, Any]:
    use = awake.get(each.id)
    return {
        "id": each.id,
        "title": each.title,
        "dataset": each.dataset,
        "version": each.version,
        "record": each.record,
        "course": each.course,
        "project": each.project.title if each.project else "",
        "permit": each.permit.number if each.permit else "",
        "until": each.permit.ends if each.permit else None,
        "state": each.state,
        "state_label": label("workspace", each.state),
        "awake": use is not None,
        "memory": use.memory if use else 0,
        "people": use.people if use else 0,
        "used": each.used,
    }


def _space(visit: Here, found: Workspace) -> Space:
    from madang.node.closed import cgroup

    node, actor = visit.node, visit.actor
    awake = service.awake(node)
    files = [
        FileLine(
            id=each.id,
            name=each.name,
            size=each.size,
            hash=each.hash,
            reason=each.reason,
            state=each.state,
            state_label=label("brought", each.state),
            by=each.asked_by.name if each.asked_by else "",
            created=each.created,
            decides=each.state == "asked" and may(actor, ACCEPT, each),
        )
        for each in bring.files_of(node, found.id)
    ]
    return Space(
        **_line(found, awake),
        owner=found.owner.name if found.owner else "",
        digest=found.digest,
        disk=service.disk_of(node, found.id),
        disk_limit=node.settings.workspace.disk_mb << 20,
        memory_limit=node.settings.workspace.memory_mb << 20,
        lacks=lacks(node),
        watched_by=_("the kernel (a control group)") if cgroup.delegated() else _("a supervisor of this installation"),
        closed=service.why_closed(node, actor, found),
        kept_until=found.kept_until,
        ended=found.ended,
        destroyed=found.destroyed,
        files=files,
        results=[ResultLine(name=name, size=size) for name, size in leaving.results(node, found.id)]
        if may(actor, ENTER, found)
        else [],
        enters=_can(actor, ENTER, found, "open"),
        brings=_can(actor, BRING, found, "open"),
        stops=_can(actor, STOP, found, "open"),
        ends=_can(actor, END, found, "open"),
        destroys=_can(actor, DESTROY, found, "dormant"),
    )


def _can(actor: Actor, act: object, found: Workspace, state: str) -> bool:
    return found.state == state and may(actor, act, found)  # type: ignore[arg-type]  # it is an act
