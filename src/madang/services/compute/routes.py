"""The pages of this room: one's tasks, one of them, files that were brought, runs on sequencing data."""

import json
from typing import Any
from urllib.parse import quote

from fastapi.responses import FileResponse, JSONResponse
from pydantic import Field
from starlette.responses import Response

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.acts import label
from madang.node.people.projects import list_projects
from madang.node.permissions import may
from madang.science.risk.outcomes import OUTCOMES, outcome_name
from madang.services.compute import learning, permitted, runner, service, staging, usage
from madang.services.compute.acts import CANCEL, READ, REMOVE, RUN
from madang.services.compute.definition import GB, MAIL, machine, seconds_of, size_of
from madang.services.compute.models import Task
from madang.web import Done, Here, Number, Room, View

room = Room("compute", __package__)
_SHOWN = 50  # tasks of a page
_TAIL = 10_000  # characters of a log that a page shows


class TaskLine(View):
    """A task in a list."""

    number: int
    name: str
    kind: str
    state: str
    state_name: str
    whose: str
    created: str
    seconds: float | None


class UseLine(View):
    """What a project or person used within 30 days."""

    title: str
    tasks: int
    core_hours: float
    waiting: int
    running: int
    limit: float | None
    gpu_hours: float
    kept: int
    cores: int
    memory: int
    left: list[str]
    costs: float | None
    currency: str


class FileLine(View):
    """A file that was brought."""

    number: int
    name: str
    size: int
    hash: str


class Overview(View):
    """One's tasks, files and use; what the machine has."""

    tasks: list[TaskLine]
    older: int | None
    use: list[UseLine]
    files: list[FileLine]
    projects: list[tuple[str, str]]
    permits: list[tuple[str, str]]
    outcomes: list[tuple[str, str]]
    cores: int
    memory: int
    gpus: int
    waiting: int
    running: int


class OutputLine(View):
    """What a task left, or read."""

    name: str
    size: int
    sha256: str
    address: str = ""


class Printed(View):
    """What a command of a task printed, and how it ended."""

    command: str
    out: str
    err: str
    code: int | None


class TaskView(View):
    """A task, whole."""

    number: int
    name: str
    kind: str
    state: str
    state_name: str
    open: bool
    reason: str
    waits: str
    project: str
    cores: int
    memory: int
    limit: int
    created: str
    started: str
    ended: str
    seconds: float | None
    cpu: float
    peak: int
    attempts: int
    again_of: int | None
    inputs: list[OutputLine]
    outputs: list[OutputLine]
    printed: list[Printed]
    picture: str
    definition: str
    may_stop: bool
    may_repeat: bool
    may_clear: bool
    kept: int
    permits: list[str]
    spaces: list[tuple[str, str]]
    progress: float | None


class NewTask(View):
    """A command to run."""

    command: str = Field(title="The command", min_length=1, max_length=20_000)
    name: str = Field(default="", title="The name", max_length=200)
    cores: int = Field(default=1, ge=1, le=100_000, title="The number of cores")
    memory: str = Field(default="2G", title="The memory", max_length=20)
    time: str = Field(default="1h", title="The longest time", max_length=20)
    files: list[int] = Field(default=[], title="The files", max_length=100)
    project: str = Field(default="", title="The project", max_length=63)
    permit: str = Field(default="", title="The permit", max_length=40)
    gpus: int = Field(default=0, ge=0, le=1_000, title="The number of GPUs")
    mail: bool = Field(default=False, title="An e-mail at its end")


class NewTraining(View):
    """A small model to train."""

    permit: str = Field(default="", title="The permit", max_length=40)
    record: str = Field(default="", title="The record", max_length=80)
    outcome: str = Field(default=OUTCOMES[0], title="The outcome", max_length=40)
    epochs: int = Field(default=60, ge=1, le=learning.MOST_EPOCHS, title="The number of epochs")
    project: str = Field(default="", title="The project", max_length=63)


class NewFile(View):
    """A file to bring."""

    file: bytes = Field(title="The file", min_length=1, max_length=staging.LARGEST_FILE)
    name: str = Field(title="The name", min_length=1, max_length=200)
    project: str = Field(default="", title="The project", max_length=63)


class Leaving(View):
    """What is to be released."""

    names: list[str] = Field(default=[], title="The files", max_length=50)
    purpose: str = Field(default="", title="The purpose", max_length=5_000)


class Placing(View):
    """Where what a task left is to be put."""

    workspace: int = Field(title="The workspace", ge=1, le=2**31 - 1)


@room.page("/compute", "compute.html")
def overview(visit: Here, below: int | None = None) -> Overview:
    """Your tasks, the newest first, and what was used."""
    asked = service.Asked(below=below, most=_SHOWN + 1)
    found = service.list_tasks(visit.node, visit.actor, asked)
    runner.wake(visit.node)
    use = use_lines(visit)
    return Overview(
        tasks=[_line(each) for each in found[:_SHOWN]],
        older=found[_SHOWN - 1].id if len(found) > _SHOWN else None,
        use=use,
        files=[
            FileLine(number=f.id, name=f.name, size=f.size, hash=f.hash) for f in staging.files(visit.node, visit.actor)
        ],
        projects=projects_of(visit),
        permits=permitted.permits_of(visit.node, visit.actor),
        outcomes=[(each, outcome_name(each)) for each in OUTCOMES],
        cores=machine().cores,
        memory=machine().memory,
        gpus=machine().gpus,
        waiting=sum(each.waiting for each in use),
        running=sum(each.running for each in use),
    )


@room.act("/compute/tasks", at=overview)
def ask(visit: Here, given: NewTask) -> Done:
    """Ask for a command to be run; files are at /inputs, what it leaves in its folder is kept."""
    shown = {each.id: each.name for each in staging.files(visit.node, visit.actor)}
    definition = {
        "name": given.name or given.command.strip().splitlines()[0][:200],
        "executors": [
            {
                "image": "madang",
                "command": ["sh", "-c", given.command.replace("\r\n", "\n")],
                "workdir": "/task",
            }
        ],
        "inputs": [
            *({"url": f"madang://file/{n}", "path": f"/inputs/{shown.get(n, n)}"} for n in given.files),
            *([{"url": f"madang://permit/{given.permit}", "path": "/data"}] if given.permit else []),
        ],
        "tags": {MAIL: "end"} if given.mail else {},
        "outputs": [{"path": "/task", "url": "madang://", "type": "DIRECTORY"}],
        "resources": {
            "cpu_cores": given.cores,
            "ram_gb": size_of(given.memory) / GB,
            "backend_parameters": {"seconds": str(seconds_of(given.time)), "gpus": str(given.gpus)},
        },
    }
    project = given.project or (permitted.project_of(visit.node, visit.actor, given.permit) if given.permit else "")
    made = service.submit(visit.node, visit.actor, definition, project=project)
    return Done(see=f"/compute/{made.id}", message=_("The task is asked for."))


@room.act("/compute/training", at=overview)
def ask_training(visit: Here, given: NewTraining) -> Done:
    """Ask for the training of a small model, on the data of a permit or a record."""
    wanted = learning.Training(given.permit, given.record.strip(), given.outcome, given.epochs)
    made = learning.ask_training(visit.node, visit.actor, wanted, given.project)
    return Done(see=f"/compute/{made.id}", message=_("The task is asked for."))


@room.act("/compute/files", at=overview, largest=staging.LARGEST_FILE + 100_000)
def bring(visit: Here, given: NewFile) -> Done:
    """Bring a file as an input of tasks."""
    staging.bring(visit.node, visit.actor, given.name, given.file, given.project)
    return Done(see="/compute", message=_("The file is here."))


@room.page("/compute/{number}", "task.html")
def task(visit: Here, number: Number) -> TaskView:
    """A task: its state, what it printed, used and left."""
    runner.wake(visit.node)
    found = service.see(visit.node, visit.actor, number)
    reads = may(visit.actor, READ, found)
    if reads:
        found = service.see_inside(visit.node, visit.actor, number)
    result = service.result_of(found)
    permits = permitted.permits_in(found.inputs)
    closed = bool(permits) and visit.actor.kind != "owner"
    return TaskView(
        number=found.id,
        name=service.title_of(found),
        kind=found.kind,
        state=found.state,
        state_name=label("task", found.state),
        open=found.state not in service.ENDED,
        reason=found.reason,
        waits=service.why_waiting(visit.node, found),
        project=found.project.name if found.project is not None else "",
        cores=found.cores,
        memory=found.memory,
        limit=found.seconds,
        created=found.created.isoformat(),
        started=found.started.isoformat() if found.started else "",
        ended=found.ended.isoformat() if found.ended else "",
        seconds=_seconds(found),
        cpu=round(found.cpu, 2),
        peak=found.peak,
        attempts=found.attempts,
        again_of=found.again_id,
        inputs=[
            OutputLine(name=i["path"], size=i.get("size", 0), sha256=i.get("sha256", "")) for i in result["inputs"]
        ],
        outputs=outputs_of(found) if reads else [],
        printed=_printed(visit, found) if reads and not closed else [],
        picture=_picture(result["use"] or staging.use_so_far(visit.node, found.id)),
        definition=json.dumps(json.loads(found.definition), ensure_ascii=False, indent=1) if reads else "",
        may_stop=found.state not in (*service.ENDED, "canceling") and may(visit.actor, CANCEL, found),
        may_repeat=reads and found.state in service.ENDED and may(visit.actor, RUN, found),
        may_clear=found.kept > 0 and found.state in service.ENDED and may(visit.actor, REMOVE, found),
        kept=found.kept,
        permits=list(permits),
        spaces=permitted.workspaces_of(visit.node, visit.actor, found) if reads and permits else [],
        progress=staging.progress(visit.node, found.id) if reads and found.state == "running" else None,
    )


@room.act("/compute/{number}/cancel", at=task)
def cancel(visit: Here, number: Number) -> Done:
    """Stop a task."""
    service.cancel(visit.node, visit.actor, number)
    return Done(see=f"/compute/{number}", message=_("The task is stopped."))


@room.act("/compute/{number}/again", at=task)
def again(visit: Here, number: Number) -> Done:
    """Ask for a task once more."""
    made = service.again(visit.node, visit.actor, number)
    return Done(see=f"/compute/{made.id}", message=_("The task is asked for again."))


@room.act("/compute/{number}/clear", at=task)
def clear(visit: Here, number: Number) -> Done:
    """Remove what a task left."""
    service.clear(visit.node, visit.actor, number)
    return Done(see=f"/compute/{number}", message=_("What it left is removed."))


@room.act("/compute/{number}/release", at=task)
def release(visit: Here, number: Number, given: Leaving) -> Done:
    """Ask for the release of what a task left."""
    found = service.see_inside(visit.node, visit.actor, number)
    asked = permitted.ask_release(visit.node, visit.actor, found, given.names, given.purpose)
    return Done(see=f"/releases/{asked}", message=_("The release is asked for."))


@room.act("/compute/{number}/place", at=task)
def place(visit: Here, number: Number, given: Placing) -> Done:
    """Put what a task printed and left where a workspace of its permit can read it."""
    found = service.see_inside(visit.node, visit.actor, number)
    permitted.into_workspace(visit.node, visit.actor, found, given.workspace)
    return Done(see=f"/workspaces/{given.workspace}", message=_("It is in the workspace."))


@room.bytes("/compute/{number}/outputs/{name:path}", "application/octet-stream")
def output(visit: Here, number: Number, name: str) -> Response:
    """A file that a task left."""
    found = service.see_inside(visit.node, visit.actor, number, leaving=True)
    path = staging.output_path(visit.node, found.id, name)
    if path.is_dir():
        raise MadangError("task.none", _("There is no such output."))
    return FileResponse(path, media_type="application/octet-stream", filename=path.name)


@room.bytes("/compute/{number}/crate", "application/ld+json")
def crate(visit: Here, number: Number) -> Response:
    """What a task read, ran and left, as the metadata of an RO-Crate."""
    from madang.services.compute.crate import FILE, crate_of

    found = service.see_inside(visit.node, visit.actor, number, leaving=True)
    saved = {"content-disposition": f'attachment; filename="{FILE}"'}
    return JSONResponse(crate_of(visit.node, found), headers=saved, media_type="application/ld+json")


def use_lines(visit: Any) -> list[UseLine]:
    """What each share used, of the tasks that somebody may see."""
    return [
        UseLine(
            title=each.title,
            tasks=each.tasks,
            core_hours=round(each.core_hours, 3),
            waiting=each.waiting,
            running=each.running,
            limit=each.limit,
            gpu_hours=round(each.gpu_hours, 3),
            kept=each.kept,
            cores=each.cores,
            memory=each.memory,
            left=usage.left_lines(each),
            costs=None if each.costs is None else round(each.costs, 2),
            currency=each.currency,
        )
        for each in usage.usage(visit.node, visit.actor)
    ]


def projects_of(visit: Any) -> list[tuple[str, str]]:
    """The projects for which somebody may ask for tasks."""
    mine = list_projects(visit.node, visit.actor)
    return [(each.name, each.title) for each in mine if each.state == "active" and may(visit.actor, RUN, _of(each.id))]


def _of(project: int) -> Task:
    return Task(project_id=project, owner_id=None)


def _seconds(found: Task) -> float | None:
    if found.started is None or found.ended is None:
        return None
    return round((found.ended - found.started).total_seconds(), 2)


def _line(found: Task) -> TaskLine:
    whose = found.project.title if found.project is not None else found.owner.name if found.owner is not None else ""
    return TaskLine(
        number=found.id,
        name=service.title_of(found)[:120],
        kind=found.kind,
        state=found.state,
        state_name=label("task", found.state),
        whose=whose,
        created=found.created.isoformat(),
        seconds=_seconds(found),
    )


def outputs_of(found: Task) -> list[OutputLine]:
    """What a task left, with where it is taken."""
    return [
        OutputLine(
            name=each["name"],
            size=each["size"],
            sha256=each["sha256"],
            address=f"/compute/{found.id}/outputs/{quote(each['name'])}",
        )
        for each in service.result_of(found)["outputs"][:1_000]
    ]


def _printed(visit: Any, found: Task) -> list[Printed]:
    told = service.result_of(found)["logs"]
    shown = []
    for place, executor in enumerate(service.definition_of(found).executors):
        out, err = staging.printed(visit.node, found.id, place, _TAIL)
        code = told[place]["exit_code"] if place < len(told) else None
        shown.append(Printed(command=" ".join(executor.command)[:500], out=out, err=err, code=code))
    return shown


def _picture(use: list[list[float]]) -> str:
    """Cores and memory over time; empty for what was short."""
    if len(use) < 2:
        return ""
    import altair

    from madang.science.charts import BLUE, ORANGE, svg

    rows = [{"seconds": at, "cores": cores, "memory": memory / GB} for at, cores, memory in use]
    charts = [
        altair.Chart(altair.Data(values=rows))
        .mark_area(color=color, opacity=0.75)
        .encode(x=altair.X("seconds:Q", title=_("seconds")), y=altair.Y(f"{key}:Q", title=title))
        .properties(width=560, height=110)
        for key, title, color in (
            ("cores", _("cores in use"), BLUE),
            ("memory", _("memory in use (GB)"), ORANGE),
        )
    ]
    return svg(altair.vconcat(*charts).to_dict(validate=False), _("Cores and memory over time"))
