"""GA4GH TES 1.1 at /ga4gh/tes/v1: the same tasks for programs, with tokens of the portal.

A token comes as `Authorization: Bearer TOKEN`, or as the password of HTTP Basic, which some clients prefer.
"""

import base64
import binascii
import time
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from madang import __version__
from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.database import now
from madang.node.people.tokens import actor_of_token
from madang.services.compute import permitted, runner, service, staging
from madang.services.compute.definition import LARGEST, PARAMETERS
from madang.services.compute.models import Task
from madang.web import Room
from madang.web.visit import Visit, address_of, visit_of

room = Room("tes", __package__)
BASE = "/ga4gh/tes/v1"
MOST = 2_000  # tasks of a page
_MOMENT = 8.0  # seconds
_TAIL = 64_000  # characters of what a command printed that a task shows
STATES = {
    each.upper().replace("-", "_"): each for each in ("queued", "initializing", "running", "canceling", "complete")
}
STATES |= {"EXECUTOR_ERROR": "executor-error", "SYSTEM_ERROR": "system-error", "CANCELED": "canceled"}


async def _caller(request: Request) -> Visit:
    """Who asks; for Basic the password is the token."""
    scheme, _blank, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return await run_in_threadpool(visit_of, request)
    try:
        secret = base64.b64decode(given.strip(), validate=True).decode().partition(":")[2]
    except (binascii.Error, ValueError):
        secret = ""
    actor = await run_in_threadpool(actor_of_token, request.app.state.node, secret, address_of(request))
    if actor is None:
        raise MadangError("permission.sign_in", _("This token is not valid."))
    return Visit(request, request.app.state.node, actor)


Caller = Annotated[Visit, Depends(_caller)]


def service_info(caller: Caller) -> Response:
    """What this service is, as GA4GH's service-info has it."""
    settings = caller.node.settings
    host = caller.request.url.hostname or "localhost"
    return JSONResponse(
        {
            "id": ".".join(["madang", "tes", *reversed(host.split("."))])[:200],
            "name": f"{settings.title} TES",
            "type": {"group": "org.ga4gh", "artifact": "tes", "version": "1.1.0"},
            "description": "Tasks in closed boxes on this installation's own cores.",
            "organization": {"name": settings.title, "url": caller.origin},
            "environment": "production",
            "version": __version__,
            "storage": ["madang://"],
            "tesResources_backend_parameters": list(PARAMETERS),
        }
    )


async def create_task(caller: Caller, request: Request) -> Response:
    """Ask for a task; its number. A list of tasks asks for all of them at once, and gives their numbers."""
    import orjson

    try:
        given = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        raise MadangError("task.definition", _("This is no JSON.")) from None
    return await run_in_threadpool(_created, caller, given)


def _created(caller: Visit, given: Any) -> Response:
    many = isinstance(given, list)
    project = caller.request.query_params.get("project", "")
    made = service.submit_all(caller.node, caller.actor, given if many else [given], project=project)
    ids = [{"id": str(each.id)} for each in made]
    return JSONResponse(ids if many else ids[0])


def list_tasks(
    caller: Caller,
    name_prefix: str = "",
    state: str = "",
    tag_key: Annotated[list[str] | None, Query()] = None,
    tag_value: Annotated[list[str] | None, Query()] = None,
    page_size: int | None = None,
    page_token: str = "",
    view: str = "MINIMAL",
) -> Response:
    """The tasks that one may see, the newest first. A page's token is the number below which the next one begins."""
    size = min(MOST, 256 if page_size is None else page_size)
    if size < 1:
        raise MadangError("task.page", _("A page has at least one task."))
    if state and state not in (*STATES, "UNKNOWN", "PAUSED", "PREEMPTED"):
        raise MadangError("task.page", _("{state} is no state.").format(state=repr(state)[:100]), ", ".join(STATES))
    if page_token and (not page_token.isdecimal() or len(page_token) > 9):
        raise MadangError("task.page", _("This page token was not given here."))
    keys, values = tag_key or [], tag_value or []
    tags = tuple((key, values[place] if place < len(values) else "") for place, key in enumerate(keys))
    states = (STATES.get(state, state.lower()),) if state else ()
    below = int(page_token) if page_token else None
    asked = service.Asked(states=states, prefix=name_prefix, tags=tags, below=below, most=size + 1)
    found = service.list_tasks(caller.node, caller.actor, asked)
    runner.wake(caller.node)
    answer: dict[str, Any] = {"tasks": [_task(caller, each, view) for each in found[:size]]}
    if len(found) > size:
        answer["next_page_token"] = str(found[size - 1].id)
    return JSONResponse(answer)


def get_task(caller: Caller, number: str, view: str = "MINIMAL") -> Response:
    """One task. Who wants all of one that was just asked for waits a moment for its end: most are short."""
    runner.wake(caller.node)
    found = service.see(caller.node, caller.actor, _number(number))
    end = time.monotonic() + _MOMENT
    while view == "FULL" and found.state not in service.ENDED and time.monotonic() < end:
        if now() - found.created > timedelta(seconds=_MOMENT):
            break
        time.sleep(0.05)
        found = service.see(caller.node, caller.actor, found.id)
    return JSONResponse(_task(caller, found, view))


def cancel_task(caller: Caller, number: str) -> Response:
    """Stop a task; one that is over stays as it is."""
    found = service.see(caller.node, caller.actor, _number(number))
    if found.state not in (*service.ENDED, "canceling"):
        try:
            service.cancel(caller.node, caller.actor, found.id)
        except MadangError as error:
            if error.code != "act.state":  # it ended meanwhile
                raise
    return JSONResponse({})


def _number(text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise MadangError("task.none", _("There is no such task."), _("Look at yours."))
    return int(text)


def _task(caller: Visit, task: Task, view: str) -> dict[str, Any]:
    """A task as TES shows it, in one of its three views."""
    if view not in ("MINIMAL", "BASIC", "FULL"):
        raise MadangError("task.page", _("{view} is no view.").format(view=repr(view)[:100]), "MINIMAL, BASIC, FULL")
    shown: dict[str, Any] = {"id": str(task.id), "state": task.state.upper().replace("-", "_")}
    if view == "MINIMAL":
        return shown
    if view == "FULL":
        service.see_inside(caller.node, caller.actor, task.id)
    told = service.definition_of(task).model_dump(mode="json", exclude_none=True)
    if view == "BASIC":
        told["inputs"] = [{k: v for k, v in each.items() if k != "content"} for each in told.get("inputs", ())]
    if not told.get("inputs"):
        told.pop("inputs", None)
    shown |= told | {"creation_time": _text(task.created)}
    if task.started is None:
        return shown
    result = service.result_of(task)
    closed = bool(permitted.permits_in(task.inputs)) and caller.actor.kind != "owner"
    logs = [dict(each) for each in result["logs"]]
    if view == "FULL":
        for place, each in enumerate(logs):
            shown_ = ("", "") if closed else staging.printed(caller.node, task.id, place, _TAIL)
            each["stdout"], each["stderr"] = shown_
    log: dict[str, Any] = {
        "logs": logs,
        "start_time": _text(task.started),
        "outputs": [
            {"url": f"madang://task/{task.id}/{o['name']}", "path": o["path"], "size_bytes": str(o["size"])}
            for o in result["outputs"]
            if not closed
        ],
        "metadata": {"attempts": str(task.attempts), "executor": "local"},
    }
    log |= {"end_time": _text(task.ended)} if task.ended else {}
    log |= {"system_logs": [task.reason]} if view == "FULL" and task.reason else {}
    return shown | {"logs": [log]}


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _add(path: str, function: Any, method: str) -> None:
    described = room._described(function)  # as all doors are described
    room.router.add_api_route(
        BASE + path,
        function,
        methods=[method],
        **(described | {"response_model": None, "status_code": 200}),
        max_body_size=LARGEST * (64 if method == "POST" else 1),
    )


_add("/service-info", service_info, "GET")
_add("/tasks", list_tasks, "GET")
_add("/tasks", create_task, "POST")
_add("/tasks/{number}:cancel", cancel_task, "POST")
_add("/tasks/{number}", get_task, "GET")
