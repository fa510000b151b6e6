"""`madang compute`: run a command on this machine's cores, see how it goes, stop it, see what was used."""

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from madang.base.translate import _
from madang.services.compute import usage_commands
from madang.services.compute.usage_commands import AsJson

if TYPE_CHECKING:
    from madang.node.node import Node
    from madang.node.people.actor import Actor
    from madang.services.compute.models import Task

app = typer.Typer(no_args_is_help=True, add_completion=False)
app.add_typer(usage_commands.app)

Number = Annotated[int, typer.Argument(help=_("Number of the task."), min=1, max=2**31 - 1)]
Cores = Annotated[int, typer.Option(min=1, help=_("Cores."))]
Memory = Annotated[str, typer.Option(help=_("Memory, as 500M or 4G."))]
Time = Annotated[str, typer.Option(help=_("The longest time, as 90s, 30m or 1h."))]
Project = Annotated[str, typer.Option(help=_("Name of the project whose task it is."))]
Detach = Annotated[bool, typer.Option("--detach", help=_("Do not wait for the end."))]


@app.command("run", context_settings={"ignore_unknown_options": False})
def run_command(
    command: Annotated[list[str], typer.Argument(help=_("The command, after `--`."))],
    cores: Cores = 1,
    memory: Memory = "2G",
    time_: Annotated[str, typer.Option("--time", help=_("The longest time, as 90s, 30m or 1h."))] = "1d",
    disk: Annotated[str, typer.Option(help=_("Disk that it may fill, as 10G."))] = "10G",
    inputs: Annotated[
        list[str] | None, typer.Option("--input", help=_("A file to read: it is at /inputs/NAME. May be repeated."))
    ] = None,
    name: Annotated[str, typer.Option(help=_("What to call the task."))] = "",
    project: Project = "",
    detach: Detach = False,
    as_json: AsJson = False,
) -> None:
    """Run a command in a closed box. It works in /task; what it leaves there is kept."""
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.compute import service
    from madang.services.compute.definition import GB, seconds_of, size_of

    asked = {
        "cpu_cores": cores,
        "ram_gb": size_of(memory) / GB,
        "disk_gb": size_of(disk) / GB,
        "backend_parameters": {"seconds": str(seconds_of(time_))},
    }
    with opened() as node:
        actor = commander(node)
        definition = {
            "name": name or " ".join(command)[:200],
            "executors": [{"image": "madang", "command": command, "workdir": "/task"}],
            "resources": asked,
            "inputs": [input_of(node, actor, each, project) for each in inputs or []],
            "outputs": [{"path": "/task", "url": "madang://", "type": "DIRECTORY"}],
        }
        task = service.submit(node, actor, definition, project=project)
        finish(node, actor, task, detach, as_json)


def input_of(node: "Node", actor: "Actor", given: str, project: str) -> dict[str, str]:
    """An input as it is named in a task: an address, or a file here (brought first by who is not the owner)."""
    from madang.base.errors import MadangError
    from madang.services.compute import staging

    if given.startswith("madang://"):
        return {"url": given, "path": f"/inputs/{given.rpartition('/')[2]}"}
    path = Path(given).absolute()
    if not path.exists():
        raise MadangError("task.input", _("There is no file {path}.").format(path=repr(given)))
    kind = "DIRECTORY" if path.is_dir() else "FILE"
    if actor.kind == "owner":
        return {"url": path.as_uri(), "path": f"/inputs/{path.name}", "type": kind}
    brought = staging.bring(node, actor, path.name, path.read_bytes(), project)
    return {"url": f"madang://file/{brought.id}", "path": f"/inputs/{path.name}"}


def finish(node: "Node", actor: "Actor", task: "Task", detach: bool, as_json: bool) -> None:
    """Say the number of a task that was asked for, and follow it to its end; exit 1 unless it is done."""
    from madang.base.console import console
    from madang.services.compute import permitted, service

    out = console(stderr=True)
    if not as_json:
        out.print(_("Task {number} is asked for.").format(number=task.id), markup=False)
    if detach:
        if as_json:
            print(json.dumps(row(task), ensure_ascii=False))
        return
    closed = bool(permitted.permits_in(task.inputs)) and actor.kind != "owner"
    try:
        ended = follow(node, actor, task.id, quiet=as_json or closed)
    except KeyboardInterrupt:
        service.cancel(node, actor, task.id)
        raise
    if as_json:
        print(json.dumps(whole(ended), ensure_ascii=False))
    else:
        _told(ended)
    if ended.state != "complete":
        raise typer.Exit(1)


def _told(task: "Task") -> None:
    from madang.base.console import console
    from madang.node.acts import label
    from madang.services.compute import service

    out = console(stderr=True)
    text = _("Task {number}: {state}").format(number=task.id, state=label("task", task.state))
    out.print(f"{text}. {task.reason}" if task.reason else text, markup=False)
    for each in service.result_of(task)["outputs"]:
        out.print(f"  {each['sha256'][:16]}  {each['size']:>12,}  {each['name']}", markup=False)


def follow(node: "Node", actor: "Actor", number: int, *, quiet: bool = False) -> "Task":
    """Wait for the end of a task, printing what it prints meanwhile."""
    from madang.services.compute import runner, service, staging

    shown: dict[Path, int] = {}
    while True:
        found = service.see(node, actor, number)
        if not quiet:
            for place in range(len(service.definition_of(found).executors)):
                for ending, stream in (("out", sys.stdout), ("err", sys.stderr)):
                    _print_rest(staging.folder_of(node, number) / f"{place}.{ending}", shown, stream)
        if found.state in service.ENDED:
            return found
        runner.wake(node)
        time.sleep(0.1)


def _print_rest(path: Path, shown: dict[Path, int], stream: Any) -> None:
    try:
        with path.open("rb") as file:
            file.seek(shown.get(path, 0))
            data = file.read()
    except OSError:
        return
    shown[path] = shown.get(path, 0) + len(data)
    stream.write(data.decode("utf-8", "replace"))
    stream.flush()


def row(task: "Task") -> dict[str, Any]:
    """A task in a list, as JSON has it."""
    return {
        "number": task.id,
        "name": task.name,
        "kind": task.kind,
        "state": task.state,
        "cores": task.cores,
        "memory": task.memory,
        "seconds": task.seconds,
        "project": task.project.name if task.project is not None else "",
        "created": task.created.isoformat(),
        "started": task.started.isoformat() if task.started else None,
        "ended": task.ended.isoformat() if task.ended else None,
        "exit_code": task.code,
        "reason": task.reason,
    }


def whole(task: "Task") -> dict[str, Any]:
    """All of a task, as JSON has it."""
    from madang.services.compute import service

    result = service.result_of(task)
    used = {"cpu_seconds": task.cpu, "peak_memory": task.peak, "attempts": task.attempts}
    more = {"definition": json.loads(task.definition), "inputs": result["inputs"], "outputs": result["outputs"]}
    return row(task) | used | more


@app.command("workflow")
def workflow_command(
    file: Annotated[Path, typer.Argument(help=_("The workflow; all of its folder can be read."))],
    engine: Annotated[str, typer.Option(help=_("snakemake or cwl; otherwise by the name of the file."))] = "",
    params: Annotated[Path | None, typer.Option(help=_("Its parameters, as a JSON file."))] = None,
    cores: Cores = 1,
    memory: Memory = "4G",
    time_: Annotated[str, typer.Option("--time", help=_("The longest time, as 90s, 30m or 1h."))] = "1d",
    project: Project = "",
    detach: Detach = False,
    as_json: AsJson = False,
) -> None:
    """Run a workflow of Snakemake or CWL in a closed box."""
    from madang.base.errors import MadangError
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.compute import workflows
    from madang.services.compute.definition import seconds_of, size_of

    inputs = workflows.folder_inputs(file)
    told: Any = {}
    if params is not None:
        try:
            told = json.loads(params.read_text("utf-8"))
        except (OSError, ValueError):
            told = None
        if not isinstance(told, dict):
            raise MadangError("workflow.request", _("{name} is no JSON object.").format(name=params))
    wanted = workflows.Workflow(
        engine or ("cwl" if file.suffix == ".cwl" else "snakemake"),
        file.name,
        tuple(inputs),
        told,
        *(file.name, cores, size_of(memory), seconds_of(time_)),
    )
    with opened() as node:
        actor = commander(node)
        finish(node, actor, workflows.ask_workflow(node, actor, wanted, project), detach, as_json)


@app.command("conformance")
def conformance_command(
    server: Annotated[str, typer.Argument(help=_("Address of a WES server, below which /service-info is."))],
    description: Annotated[Path, typer.Option(help=_("OpenAPI description of WES, as YAML or JSON."))],
    token: Annotated[str, typer.Option(help=_("A token for that server."))] = "",
    field: Annotated[list[str] | None, typer.Option(help=_("More fields of each request, as NAME=VALUE."))] = None,
    report: Annotated[Path | None, typer.Option(help=_("Where to write the result as JSON."))] = None,
) -> None:
    """Try whether a server conforms to GA4GH WES, by cases that are made from its description."""
    from madang.services.compute import wes_suite

    words = ["--server", server, "--description", str(description), "--token", token]
    words += [word for each in field or () for word in ("--field", each)]
    words += ["--report", str(report)] if report is not None else []
    raise typer.Exit(wes_suite.main(words))


@app.command("train")
def train_command(
    permit: Annotated[str, typer.Option(help=_("Number of a permit on whose data to train."))] = "",
    record: Annotated[str, typer.Option(help=_("Name of a record to train on, as hospital or hospital@3."))] = "",
    outcome: Annotated[str, typer.Option(help=_("What to foresee: inpatient, emergency or death."))] = "inpatient",
    epochs: Annotated[int, typer.Option(min=1, max=10_000, help=_("How often to go through the data."))] = 60,
    seed: Annotated[int, typer.Option(min=0, help=_("Seed of what is drawn by chance."))] = 1,
    project: Project = "",
    detach: Detach = False,
    as_json: AsJson = False,
) -> None:
    """Train a small model of risk, with checkpoints: the ready example of a task that learns."""
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.compute import learning

    wanted = learning.Training(permit, record, outcome, epochs, seed)
    with opened() as node:
        actor = commander(node)
        finish(node, actor, learning.ask_training(node, actor, wanted, project), detach, as_json)


@app.command("list")
def list_command(
    state: Annotated[str, typer.Option(help=_("Only tasks in this state."))] = "",
    project: Project = "",
    most: Annotated[int, typer.Option(min=1, max=10_000, help=_("At most so many."))] = 50,
    as_json: AsJson = False,
) -> None:
    """Your tasks, the newest first."""
    from madang.base.console import show_table
    from madang.base.errors import MadangError
    from madang.node.acts import label
    from madang.node.node import opened
    from madang.node.people.projects import see_project
    from madang.node.people.tokens import commander
    from madang.services.compute import service
    from madang.services.compute.acts import TASK

    if state and state not in TASK.labels:
        raise MadangError("task.page", _("{state} is no state.").format(state=repr(state)), ", ".join(TASK.labels))
    with opened() as node:
        actor = commander(node)
        of = see_project(node, actor, project).id if project else None
        asked = service.Asked(states=(state,) if state else (), most=most, project=of)
        found = service.list_tasks(node, actor, asked)
    if as_json:
        print(json.dumps([row(each) for each in found], ensure_ascii=False))
        return
    rows = [
        [each.id, each.name[:60], label("task", each.state), each.cores, f"{each.created:%Y-%m-%d %H:%M}"]
        for each in found
    ]
    show_table(_("Tasks"), [_("number"), _("name"), _("state"), _("cores"), _("asked for")], rows)


@app.command("show")
def show_command(number: Number, as_json: AsJson = False) -> None:
    """A task: its state, what it asked for and used, what it left."""
    from madang.base.console import console
    from madang.node.acts import label
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.compute import runner, service

    with opened() as node:
        runner.wake(node)
        found = service.see_inside(node, commander(node), number)
        why = service.why_waiting(node, found)
    if as_json:
        print(json.dumps(whole(found) | {"waits": why}, ensure_ascii=False))
        return
    out = console()
    out.print(f"{found.id}  {found.name}", markup=False)
    out.print(f"{label('task', found.state)}  {found.reason}{why}", markup=False)
    asked = _("{cores} cores, {memory} MB, at most {seconds} s")
    out.print(asked.format(cores=found.cores, memory=found.memory // 10**6, seconds=found.seconds), markup=False)
    if found.started and found.ended:
        used = _("ran {seconds} s, {cpu} s of processor time, at most {memory} MB")
        seconds = (found.ended - found.started).total_seconds()
        out.print(
            used.format(seconds=f"{seconds:.1f}", cpu=f"{found.cpu:.1f}", memory=found.peak // 10**6), markup=False
        )
    if found.code is not None:
        out.print(_("exit code {code}").format(code=found.code), markup=False)
    for each in service.result_of(found)["outputs"]:
        out.print(f"{each['sha256']}  {each['size']:,}  madang://task/{found.id}/{each['name']}", markup=False)


@app.command("logs")
def logs_command(
    number: Number, follow_: Annotated[bool, typer.Option("--follow", help=_("Go on until its end."))] = False
) -> None:
    """What a task printed."""
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.compute import service

    with opened() as node:
        actor = commander(node)
        if follow_:
            service.see_inside(node, actor, number, leaving=True)
            follow(node, actor, number)
            return
        for out, err in service.printed(node, actor, number, most=20_000_000):
            sys.stdout.write(out)
            sys.stdout.flush()
            sys.stderr.write(err)


@app.command("fetch")
def fetch_command(
    number: Number, folder: Annotated[Path, typer.Argument(help=_("The new folder to copy its outputs to."))]
) -> None:
    """Copy what a task left into a new folder."""
    from madang.node.node import opened
    from madang.node.people.tokens import commander

    with opened() as node:
        copy_outputs(node, commander(node), number, folder)


def copy_outputs(node: "Node", actor: "Actor", number: int, folder: Path) -> None:
    """Copy what a task left into a new folder, as an RO-Crate. Errors: `task.folder` if it is there already."""
    import shutil

    from madang.base.errors import MadangError
    from madang.services.compute import crate, service, staging, workflows

    if folder.exists():
        raise MadangError("task.folder", _("{path} is there already.").format(path=folder), _("Name a new folder."))
    found = service.see_inside(node, actor, number, leaving=True)
    folder.mkdir(parents=True)
    told = json.dumps(crate.crate_of(node, found), ensure_ascii=False, indent=1)
    (folder / crate.FILE).write_text(told, "utf-8")
    workflow = workflows.workflow_of(node, found)
    if workflow is not None:
        target = folder / crate.workflow_name(workflow[0])
        target.parent.mkdir(parents=True)
        target.write_bytes(workflow[1])
    for each in service.result_of(found)["outputs"]:
        target = folder / each["name"]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(staging.output_path(node, number, each["name"]), target)


@app.command("release")
def release_command(
    number: Number,
    names: Annotated[list[str], typer.Argument(help=_("What it left and is to leave this installation."))],
    purpose: Annotated[str, typer.Option(help=_("What for."))] = "",
) -> None:
    """Ask for the release of what a task made of data under a permit; two people judge it."""
    from madang.base.console import console
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.compute import permitted, service

    with opened() as node:
        actor = commander(node)
        asked = permitted.ask_release(node, actor, service.see_inside(node, actor, number), names, purpose)
    console().print(_("Release {number} is asked for.").format(number=asked), markup=False)


@app.command("place")
def place_command(
    number: Number,
    workspace: Annotated[int, typer.Argument(help=_("Number of an open workspace of its project."), min=1)],
) -> None:
    """Put what a task printed and left where a workspace can read it."""
    from madang.base.console import console
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.compute import permitted, service

    with opened() as node:
        actor = commander(node)
        count = permitted.into_workspace(node, actor, service.see_inside(node, actor, number), workspace)
    text = _("{count} files are in the workspace {workspace}.")
    console().print(text.format(count=count, workspace=workspace), markup=False)


@app.command("cancel")
def cancel_command(number: Number) -> None:
    """Stop a task that waits or runs."""
    from madang.base.console import console
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.compute import service

    with opened() as node:
        service.cancel(node, commander(node), number)
    console().print(_("Task {number} is stopped.").format(number=number), markup=False)


@app.command("clear")
def clear_command(number: Number) -> None:
    """Remove the files that a task left; what they were stays known."""
    from madang.base.console import console
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.compute import service

    with opened() as node:
        size = service.clear(node, commander(node), number)
    console().print(_("{size} MB are removed.").format(size=f"{size / 1e6:.1f}"), markup=False)
