"""`madang workspace`: open, list, stop; what they use."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from madang.base.translate import _

if TYPE_CHECKING:
    from madang.node.node import Node
    from madang.services.workspace.models import Workspace
    from madang.services.workspace.service import Awake

app = typer.Typer(no_args_is_help=True, add_completion=False)

AsJson = Annotated[bool, typer.Option("--json", help=_("Print JSON."))]
Number = Annotated[int, typer.Argument(help=_("Number of the workspace."), min=1)]


@app.command("open")
def open_command(
    reference: Annotated[str, typer.Argument(help=_("Number of a permit, or name of a dataset."))],
    project: Annotated[str, typer.Option(help=_("Name of the project whose people share it."))] = "",
    as_json: AsJson = False,
) -> None:
    """Open a workspace by a permit, or on data that you may read."""
    from madang.base.console import console
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.workspace import service
    from madang.services.workspace.environment import lacks

    with opened() as node:
        made = service.open_workspace(node, commander(node), reference, project=project)
        row = _row(node, made, service.awake(node)) | {"lacks": lacks(node)}
    if as_json:
        print(json.dumps(row, ensure_ascii=False))
        return
    text = _("Workspace {number} is open on {dataset}@{version}: {address}")
    console().print(
        text.format(number=made.id, dataset=made.dataset, version=made.version, address=row["address"]), markup=False
    )
    if row["lacks"]:
        console(stderr=True).print(row["lacks"], markup=False)


@app.command("list")
def list_command(
    everything: Annotated[bool, typer.Option("--all", help=_("Those that have ended, too."))] = False,
    as_json: AsJson = False,
) -> None:
    """List the workspaces that you may know of."""
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.workspace import service

    with opened() as node:
        awake = service.awake(node)
        rows = [
            _row(node, each, awake) for each in service.list_workspaces(node, commander(node), everything=everything)
        ]
    if as_json:
        print(json.dumps(rows, ensure_ascii=False))
        return
    _table(
        [_("number"), _("workspace"), _("data"), _("project"), _("permit"), _("state")],
        [
            [
                str(r["number"]),
                r["title"],
                r["course"] or f"{r['dataset']}@{r['version']}",
                r["project"],
                r["permit"],
                _state(r),
            ]
            for r in rows
        ],
    )


@app.command("stop")
def stop_command(
    number: Number,
    reason: Annotated[str, typer.Option(help=_("Why, for the audit."))] = "",
    as_json: AsJson = False,
) -> None:
    """Put a workspace to sleep: its processes end, its files stay."""
    from madang.base.console import console
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.workspace import service

    with opened() as node:
        stopped = service.stop(node, commander(node), number, reason)
        row = _row(node, stopped, {})
    if as_json:
        print(json.dumps(row, ensure_ascii=False))
    else:
        console().print(_("Workspace {number} is put to sleep; its files stay.").format(number=number), markup=False)


@app.command("end")
def end_command(
    number: Number,
    reason: Annotated[str, typer.Option(help=_("Why, for the audit."))] = "",
    as_json: AsJson = False,
) -> None:
    """End a workspace: its data are shown no more, its code is kept for a time."""
    from madang.base.console import console
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.workspace import service

    with opened() as node:
        ended = service.end(node, commander(node), number, reason)
        row = _row(node, ended, {})
    if as_json:
        print(json.dumps(row, ensure_ascii=False))
    else:
        text = _("Workspace {number} has ended; its code is kept until {day}.")
        console().print(text.format(number=number, day=row["kept_until"]), markup=False)


@app.command("usage")
def usage_command(as_json: AsJson = False) -> None:
    """Show what workspaces use: memory, disk, processes, people."""
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.workspace import service

    with opened() as node:
        awake = service.awake(node)
        rows = [_row(node, each, awake) for each in service.list_workspaces(node, commander(node), everything=True)]
    if as_json:
        print(json.dumps(rows, ensure_ascii=False))
        return
    _table(
        [_("number"), _("workspace"), _("state"), _("memory, MB"), _("disk, MB"), _("people"), _("last used")],
        [
            [
                *(str(r["number"]), r["title"], _state(r), f"{r['memory'] / 1e6:.0f}", f"{r['disk'] / 1e6:.1f}"),
                *(str(r["people"]), r["used"][:16].replace("T", " ")),
            ]
            for r in rows
        ],
    )


def _row(node: "Node", each: "Workspace", awake: "dict[int, Awake]") -> dict[str, Any]:
    from madang.services.workspace.service import disk_of

    use = awake.get(each.id)
    portal = node.settings.web.address or f"http://{node.settings.web.host}:{node.settings.web.port}"
    return {
        "number": each.id,
        "title": each.title,
        "dataset": each.dataset,
        "version": each.version,
        "manifest": each.digest,
        "record": each.record,
        "course": each.course,
        "project": each.project.name if each.project else "",
        "permit": each.permit.number if each.permit else "",
        "until": each.permit.ends.isoformat() if each.permit else None,
        "state": each.state,
        "awake": use is not None,
        "memory": use.memory if use else 0,
        "processes": use.processes if use else 0,
        "people": use.people if use else 0,
        "disk": disk_of(node, each.id),
        "used": each.used.isoformat(),
        "kept_until": f"{each.kept_until:%Y-%m-%d}" if each.kept_until else None,
        "address": f"{portal}/workspaces/{each.id}",
    }


def _data(row: dict[str, Any]) -> str:
    return str(row["course"]) or f"{row['dataset']}@{row['version']}"


def _state(row: dict[str, Any]) -> str:
    from madang.node.acts import label

    if row["state"] != "open":
        return label("workspace", row["state"])
    return _("awake") if row["awake"] else _("asleep")


def _table(heads: list[str], rows: list[list[str]]) -> None:
    from rich.table import Table

    from madang.base.console import console

    table = Table(box=None, pad_edge=False)
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*row)
    console().print(table)
