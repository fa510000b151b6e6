"""GA4GH WES 1.1 at /ga4gh/wes/v1: Snakemake and CWL workflows for programs, with tokens of the portal."""

import json
from datetime import datetime
from typing import Any

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.responses import JSONResponse, PlainTextResponse, Response

from madang import __version__
from madang.base.errors import MadangError
from madang.base.translate import _
from madang.services.compute import permitted, runner, service, staging, workflows
from madang.services.compute.models import Task
from madang.services.compute.tes import Caller
from madang.web import Room
from madang.web.visit import Visit

room = Room("wes", __package__)
BASE = "/ga4gh/wes/v1"
TYPES = {"CWL": "cwl", "SMK": "snakemake", "SNAKEMAKE": "snakemake"}
VERSIONS = {"CWL": ["v1.0", "v1.1", "v1.2"], "SMK": ["9"]}
LARGEST = 200_000_000  # bytes of a request
_MOST = 1_000  # runs of a page
_LONGEST_TAG = 4_000  # characters


def service_info(caller: Caller) -> Response:
    """What this service is: engines, types of workflows, how many runs are in which state."""
    settings = caller.node.settings
    counts: dict[str, int] = {}
    if caller.actor.is_signed_in:
        for each in service.list_tasks(caller.node, caller.actor, service.Asked(kind=workflows.KIND, most=10_000)):
            counts[_state(each)] = counts.get(_state(each), 0) + 1
    host = caller.request.url.hostname or "localhost"
    return JSONResponse(
        {
            "id": ".".join(["madang", "wes", *reversed(host.split("."))])[:200],
            "name": f"{settings.title} WES",
            "type": {"group": "org.ga4gh", "artifact": "wes", "version": "1.1.0"},
            "description": "Workflows in closed boxes on this installation's own cores; nothing is fetched.",
            "organization": {"name": settings.title, "url": caller.origin},
            "version": __version__,
            "workflow_type_versions": {name: {"workflow_type_version": found} for name, found in VERSIONS.items()},
            "supported_wes_versions": ["1.1.0"],
            "supported_filesystem_protocols": ["madang"],
            "workflow_engine_versions": {
                "snakemake": {"workflow_engine_version": ["9"]},
                "cwltool": {"workflow_engine_version": ["3"]},
            },
            "default_workflow_engine_parameters": [
                {"name": "cores", "type": "integer", "default_value": "1"},
                {"name": "memory", "type": "string", "default_value": "4G"},
                {"name": "time", "type": "string", "default_value": "1d"},
            ],
            "system_state_counts": counts,
            "auth_instructions_url": f"{caller.origin}/account",
            "tags": {},
        }
    )


async def run_workflow(caller: Caller, request: Request) -> Response:
    """Ask for a run, as multipart form data; its number."""
    try:
        form = await request.form(max_files=1_000, max_fields=1_000, max_part_size=2_000_000)
        fields: dict[str, Any] = {name: form.get(name) for name in form if name != "workflow_attachment"}
        files = [
            (each.filename or "", await each.read())
            for each in form.getlist("workflow_attachment")
            if isinstance(each, UploadFile)
        ]
    except Exception:
        raise MadangError("workflow.request", _("This request cannot be read."), "multipart/form-data") from None
    return await run_in_threadpool(_asked, caller, fields, files)


def _asked(caller: Visit, fields: dict[str, Any], files: list[tuple[str, bytes]]) -> Response:
    kind = str(fields.get("workflow_type") or "").upper()
    url = str(fields.get("workflow_url") or "")
    if kind not in TYPES:
        message = _("There is no engine {name} here.").format(name=repr(kind)[:100])
        raise MadangError("workflow.engine", message, ", ".join(VERSIONS))
    if not fields.get("workflow_type_version"):
        raise MadangError("workflow.request", _("{name} is missing.").format(name="workflow_type_version"))
    if not url or "://" in url:
        raise MadangError(
            "workflow.request",
            _("This installation fetches nothing from {url}.").format(url=repr(url)[:200]),
            _("Attach the workflow, and name the attachment as workflow_url."),
        )
    names = [name for name, _data in files]
    if url not in names or len(set(names)) != len(names):
        raise MadangError(
            "workflow.request",
            _("No attachment has the name {name}, or two have one.").format(name=repr(url)[:200]),
            _("Attach the workflow, and name the attachment as workflow_url."),
        )
    more = _json(fields, "workflow_engine_parameters")
    from madang.services.compute.definition import seconds_of, size_of

    project = caller.request.query_params.get("project", "")
    cores = str(more.get("cores", "1"))
    wanted = workflows.Workflow(
        TYPES[kind],
        url,
        tuple(_input(caller, name, data, project) for name, data in files),
        _json(fields, "workflow_params"),
        cores=int(cores) if cores.isdecimal() and len(cores) < 7 else 1,
        memory=size_of(str(more.get("memory", "4G"))),
        seconds=seconds_of(str(more.get("time", "1d"))),
        tags={str(key): str(value) for key, value in _json(fields, "tags").items()} | {"wes.request": _request(fields)},
    )
    made = workflows.ask_workflow(caller.node, caller.actor, wanted, project)
    return JSONResponse({"run_id": str(made.id)})


def _request(fields: dict[str, Any]) -> str:
    """What was asked for, as it is shown again: as much of it as a tag holds, the shortest first."""
    told: dict[str, str] = {}
    texts = {name: value for name, value in fields.items() if isinstance(value, str)}
    for name in sorted(texts, key=lambda name: len(texts[name])):
        if len(json.dumps(told | {name: texts[name]}, ensure_ascii=False)) <= _LONGEST_TAG:
            told[name] = texts[name]
    return json.dumps(told, ensure_ascii=False)


def _json(fields: dict[str, Any], name: str) -> dict[str, Any]:
    text = fields.get(name)
    if not text:
        return {}
    try:
        found = json.loads(str(text))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise MadangError("workflow.request", _("{name} is no JSON object.").format(name=name))
    return found


def _input(caller: Visit, name: str, data: bytes, project: str) -> dict[str, str]:
    """An attachment as an input of a task: short text within it, the rest as a file that is brought."""
    if len(data) < 50_000 and b"\x00" not in data:
        try:
            return {"path": f"/inputs/{name}", "content": data.decode()}
        except UnicodeDecodeError:
            pass
    brought = staging.bring(caller.node, caller.actor, name, data, project)
    return {"path": f"/inputs/{name}", "url": f"madang://file/{brought.id}"}


def list_runs(caller: Caller, page_size: int = 100, page_token: str = "") -> Response:
    """The runs that one may see, the newest first."""
    size = min(_MOST, page_size)
    if size < 1 or (page_token and (not page_token.isdecimal() or len(page_token) > 9)):
        raise MadangError("workflow.request", _("This page token was not given here."))
    below = int(page_token) if page_token else None
    asked = service.Asked(kind=workflows.KIND, below=below, most=size + 1)
    found = service.list_tasks(caller.node, caller.actor, asked)
    runner.wake(caller.node)
    runs = [{**_status(each), **_times(each), "tags": _tags(each)} for each in found[:size]]
    more = {"next_page_token": str(found[size - 1].id)} if len(found) > size else {"next_page_token": ""}
    return JSONResponse({"runs": runs} | more)


def get_run(caller: Caller, run_id: str) -> Response:
    """A run, whole."""
    found = _run(caller, run_id, inside=True)
    definition, result = service.definition_of(found), service.result_of(found)
    told = json.loads((definition.tags or {}).get("wes.request", "{}"))
    for name in ("workflow_params", "tags", "workflow_engine_parameters"):
        if name in told:
            told[name] = _json(told, name)
    here = f"{caller.origin}{BASE}/runs/{found.id}"
    log: dict[str, Any] = {
        "name": service.title_of(found),
        "cmd": definition.executors[0].command,
        "stdout": f"{here}/stdout",
        "stderr": f"{here}/stderr",
        **_times(found),
    }
    log |= {"exit_code": found.code} if found.code is not None else {}
    log |= {"system_logs": [found.reason]} if found.reason else {}
    closed = bool(permitted.permits_in(found.inputs)) and caller.actor.kind != "owner"
    outputs = {
        each["name"]: {
            "location": f"{caller.origin}/api/v1/compute/{found.id}/outputs/{each['name']}",
            "size": each["size"],
            "sha256": each["sha256"],
        }
        for each in result["outputs"]
        if not closed
    }
    shown = {**_status(found), "request": told, "run_log": log, "outputs": outputs}
    return JSONResponse(shown | {"task_logs_url": f"{here}/tasks", "task_logs": None})


def get_status(caller: Caller, run_id: str) -> Response:
    """The state of a run."""
    runner.wake(caller.node)
    return JSONResponse(_status(_run(caller, run_id)))


def list_tasks(caller: Caller, run_id: str, page_size: int = 100, page_token: str = "") -> Response:
    """The tasks of a run: here one, that of the engine, which runs the steps itself."""
    return JSONResponse({"task_logs": [_task_log(_run(caller, run_id, inside=True))], "next_page_token": ""})


def get_task(caller: Caller, run_id: str, task_id: str) -> Response:
    """One task of a run."""
    if task_id != run_id:
        raise MadangError("task.none", _("There is no such task."))
    return JSONResponse(_task_log(_run(caller, run_id, inside=True)))


def cancel_run(caller: Caller, run_id: str) -> Response:
    """Stop a run; one that is over stays as it is."""
    found = _run(caller, run_id)
    if found.state not in (*service.ENDED, "canceling"):
        service.cancel(caller.node, caller.actor, found.id)
    return JSONResponse({"run_id": str(found.id)})


def get_stream(caller: Caller, run_id: str, stream: str) -> Response:
    """What the engine of a run printed."""
    found = _run(caller, run_id, inside=True)
    permitted.check_leaves(caller.actor, found)
    if stream not in ("stdout", "stderr"):
        raise MadangError("task.none", _("There is no such output."))
    return PlainTextResponse(staging.printed(caller.node, found.id, 0, 8_000_000)[stream == "stderr"])


def _run(caller: Visit, run_id: str, *, inside: bool = False) -> Task:
    if not run_id.isdecimal() or len(run_id) > 9:
        raise MadangError("task.none", _("There is no such run."), _("Look at yours."))
    look = service.see_inside if inside else service.see
    found = look(caller.node, caller.actor, int(run_id))
    if found.kind != workflows.KIND:
        raise MadangError("task.none", _("There is no such run."), _("Look at yours."))
    return found


def _state(task: Task) -> str:
    return task.state.upper().replace("-", "_")


def _status(task: Task) -> dict[str, Any]:
    return {"run_id": str(task.id), "state": _state(task)}


def _tags(task: Task) -> dict[str, str]:
    return {key: value for key, value in (service.definition_of(task).tags or {}).items() if key != "wes.request"}


def _times(task: Task) -> dict[str, str]:
    found = {"start_time": task.started, "end_time": task.ended}
    return {name: _text(moment) for name, moment in found.items() if moment is not None}


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _task_log(task: Task) -> dict[str, Any]:
    command = service.definition_of(task).executors[0].command
    log: dict[str, Any] = {"id": str(task.id), "name": service.title_of(task), "cmd": command, **_times(task)}
    return log | ({"exit_code": task.code} if task.code is not None else {})


def _add(path: str, function: Any, method: str = "GET") -> None:
    described = room._described(function) | {"response_model": None, "status_code": 200}  # as all doors are described
    size = LARGEST if method == "POST" else 1 << 20
    room.router.add_api_route(BASE + path, function, methods=[method], **described, max_body_size=size)


_add("/service-info", service_info)
_add("/runs", list_runs)
_add("/runs", run_workflow, "POST")
_add("/runs/{run_id}", get_run)
_add("/runs/{run_id}/status", get_status)
_add("/runs/{run_id}/tasks", list_tasks)
_add("/runs/{run_id}/tasks/{task_id}", get_task)
_add("/runs/{run_id}/cancel", cancel_run, "POST")
_add("/runs/{run_id}/{stream}", get_stream)
