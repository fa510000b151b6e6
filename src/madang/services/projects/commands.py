"""`madang project`: begin projects, their members and approvals."""

import json
from datetime import UTC, datetime, time
from typing import Annotated

import typer

from madang.base.errors import MadangError
from madang.base.translate import _

app = typer.Typer(add_completion=False, no_args_is_help=True)
Name = Annotated[str, typer.Argument(help=_("The project's short name."))]
Day = Annotated[str, typer.Option(help=_("Until when, as 2026-12-31."))]
AsJson = Annotated[bool, typer.Option("--json", help=_("Print JSON."))]


@app.command("make")
def make_command(
    name: Name,
    title: Annotated[str, typer.Option(help=_("The title."))],
    organization: Annotated[str, typer.Option(help=_("Whose project it is."))] = "house",
    leader: Annotated[str, typer.Option(help=_("The account that leads it; yours if not given."))] = "",
    purpose: Annotated[str, typer.Option(help=_("What it is for."))] = "",
) -> None:
    """Begin a project."""
    from madang.base.console import console
    from madang.node.node import opened
    from madang.node.people.projects import make_project
    from madang.node.people.tokens import commander

    with opened() as node:
        made = make_project(
            node, commander(node), name, title, organization=organization, purpose=purpose, leader=leader
        )
    console().print(_("Began the project {name}.").format(name=made.name), markup=False)


@app.command("list")
def list_command(as_json: AsJson = False) -> None:
    """List the projects that you may see."""
    from madang.base.console import show_table
    from madang.node.node import opened
    from madang.node.people.projects import list_projects
    from madang.node.people.tokens import commander

    with opened() as node:
        rows = [[each.name, each.title, each.state] for each in list_projects(node, commander(node))]
    if as_json:
        print(json.dumps([dict(zip(("name", "title", "state"), row, strict=True)) for row in rows], ensure_ascii=False))
    else:
        show_table(_("Projects"), [_("name"), _("title"), _("state")], rows)


@app.command("show")
def show_command(name: Name, as_json: AsJson = False) -> None:
    """Show a project with its people and approvals."""
    from madang.base.console import console, show_table
    from madang.node.node import opened
    from madang.node.people.projects import see_project
    from madang.node.people.tokens import commander

    with opened() as node:
        found = see_project(node, commander(node), name)
        members = [[m.person.login, m.role, m.ends.date().isoformat() if m.ends else ""] for m in found.members]
        approvals = [[a.kind, a.body, a.number, a.ends.date().isoformat() if a.ends else ""] for a in found.approvals]
    if as_json:
        told = {"name": found.name, "title": found.title, "state": found.state, "purpose": found.purpose}
        print(json.dumps(told | {"members": members, "approvals": approvals}, ensure_ascii=False))
        return
    console().print(f"{found.title} ({found.state})", markup=False)
    show_table(_("People", "project"), [_("account"), _("role"), _("until")], members)
    if approvals:
        show_table(_("Approvals"), [_("kind"), _("board"), _("number"), _("until")], approvals)


@app.command("add")
def add_command(
    name: Name,
    login: Annotated[str, typer.Argument(help=_("The account."))],
    role: Annotated[str, typer.Option(help=_("The role in the project."))] = "project-member",
    until: Day = "",
) -> None:
    """Take somebody into a project."""
    from madang.node.node import opened
    from madang.node.people.projects import add_member
    from madang.node.people.tokens import commander

    with opened() as node:
        add_member(node, commander(node), name, login, role, _day(until))


@app.command("remove")
def remove_command(name: Name, login: Annotated[str, typer.Argument(help=_("The account."))]) -> None:
    """Take somebody out of a project at once."""
    from madang.node.node import opened
    from madang.node.people.projects import remove_member
    from madang.node.people.tokens import commander

    with opened() as node:
        remove_member(node, commander(node), name, login)


@app.command("approval")
def approval_command(
    name: Name,
    number: Annotated[str, typer.Argument(help=_("The number that the board gave."))],
    board: Annotated[str, typer.Option(help=_("Which board gave it."))],
    given: Annotated[str, typer.Option(help=_("When it was given, as 2026-12-31."))],
    kind: Annotated[str, typer.Option(help=_("ethics, data-review or other."))] = "ethics",
    until: Day = "",
) -> None:
    """Note an approval that a board outside gave."""
    from madang.node.node import opened
    from madang.node.people.projects import note_approval
    from madang.node.people.tokens import commander

    begun = _day(given)
    if begun is None:
        raise MadangError("command.usage", _("Say when it was given."), "--given 2026-12-31")
    with opened() as node:
        note_approval(node, commander(node), name, kind, board, number, begun, _day(until))


@app.command("end")
def end_command(name: Name) -> None:
    """End a project: its permits open nothing any more."""
    from madang.node.node import opened
    from madang.node.people.projects import end_project
    from madang.node.people.tokens import commander

    with opened() as node:
        end_project(node, commander(node), name)


def _day(text: str) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.combine(datetime.fromisoformat(text).date(), time(23, 59, 59), UTC)
    except ValueError:
        raise MadangError(
            "command.usage", _("{day} is no day.").format(day=text), _("Write it as 2026-12-31.")
        ) from None
