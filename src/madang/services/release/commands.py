"""`madang release`: ask, list, show, vote, take."""

import json
from pathlib import Path
from typing import Annotated

import typer

from madang.base.errors import MadangError
from madang.base.translate import _

app = typer.Typer(add_completion=False, no_args_is_help=True)
Number = Annotated[int, typer.Argument(min=1, help=_("The number of the release."))]
AsJson = Annotated[bool, typer.Option("--json", help=_("Print JSON."))]
REFUSED = 1


@app.callback()
def release() -> None:
    """Take results away: ask, vote, take."""


@app.command("ask")
def ask_command(
    files: Annotated[
        list[Path], typer.Argument(help=_("What is to leave; NAME.query.json declares the query of NAME."))
    ],
    project: Annotated[str, typer.Option(help=_("The project's short name."))] = "",
    dataset: Annotated[str, typer.Option(help=_("NAME or NAME@VERSION that the results are made from."))] = "",
    purpose: Annotated[str, typer.Option(help=_("What it is for."))] = "",
    to: Annotated[list[str] | None, typer.Option("--to", help=_("An account that may take it; repeatable."))] = None,
    as_json: AsJson = False,
) -> None:
    """Ask for release of files; what the rules say comes at once. Exit 1: refused by a rule."""
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.release.examine import Upload
    from madang.services.release.service import LARGEST, ask, knows, see

    uploads = []
    for path in files:
        try:
            if path.stat().st_size > LARGEST:
                raise MadangError("release.files", _("The files are too large."), _("Bring fewer at a time."))
            uploads.append(Upload(path.name, path.read_bytes()))
        except OSError as error:
            raise MadangError("release.file", _("Cannot read {file}.").format(file=path), str(error.strerror)) from None
    with opened() as node:
        actor = commander(node)
        number = ask(node, actor, uploads, project=project, dataset=dataset, purpose=purpose, recipients=to or [])
        found = see(node, actor, number)
    _show(found, as_json, knows(actor, found))
    if found.state == "refused":
        raise typer.Exit(REFUSED)


@app.command("list")
def list_command(as_json: AsJson = False) -> None:
    """List the requests that you may see."""
    from madang.base.console import show_table
    from madang.node.acts import label
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.release.service import listed

    with opened() as node:
        found = listed(node, commander(node))
        rows = [[each.id, each.state, ", ".join(file.name for file in each.files), each.asked.date()] for each in found]
        names = [label("release", str(row[1])) for row in rows]
    if as_json:
        told = [dict(zip(("number", "state", "files", "asked"), map(str, row), strict=True)) for row in rows]
        print(json.dumps(told, ensure_ascii=False))
        return
    shown = [[row[0], name, row[2], str(row[3])] for row, name in zip(rows, names, strict=True)]
    show_table(_("Releases"), [_("number"), _("state"), _("files"), _("date")], shown)


@app.command("show")
def show_command(number: Number, as_json: AsJson = False) -> None:
    """Show a request with every criterion that was applied."""
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.release.service import knows, see

    with opened() as node:
        actor = commander(node)
        found = see(node, actor, number)
    _show(found, as_json, knows(actor, found))


def _show(found: object, as_json: bool, known: bool) -> None:
    from madang.base.console import console, show_table
    from madang.node.acts import label
    from madang.science.privacy.outputs.said import from_document
    from madang.services.release.models import Release
    from madang.services.release.service import record

    assert isinstance(found, Release)
    if as_json:
        print(json.dumps(record(found, known), ensure_ascii=False))
        return
    words = {"pass": _("yes", "criterion"), "fail": _("no", "criterion"), "review": _("a person decides")}
    console().print(f"{_('Release {n}').format(n=found.id)}: {label('release', found.state)}", markup=False)
    for each in found.files:
        rows = [[from_document(said), words[said["status"]]] for said in each.read("findings")]
        show_table(each.name, [_("criterion"), _("result")], rows)


@app.command("vote")
def vote_command(
    number: Number,
    agrees: Annotated[bool, typer.Option("--yes/--no", help=_("Whether it may leave."))],
    words: Annotated[str, typer.Option("--reason", help=_("Why; needed with --no."))] = "",
) -> None:
    """Vote on a request."""
    from madang.base.console import console
    from madang.node.acts import label
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.release.service import vote

    with opened() as node:
        state = vote(node, commander(node), number, agrees, words)
        name = label("release", state)
    console().print(_("Your vote is in. It stands: {state}.").format(state=name), markup=False)


@app.command("take")
def take_command(
    number: Number,
    out: Annotated[Path | None, typer.Option("--out", help=_("Where to write the ZIP; here if not given."))] = None,
) -> None:
    """Take what was released, once."""
    from madang.base.console import console
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.release.service import take

    target = out if out is not None else Path(f"release-{number}.zip")
    if target.exists() or not target.parent.is_dir():
        raise MadangError("release.file", _("Cannot write {file}.").format(file=target), _("Choose another name."))
    with opened() as node:
        _name, content = take(node, commander(node), number)
    target.write_bytes(content)
    console().print(_("Wrote {file}.").format(file=target), markup=False)
