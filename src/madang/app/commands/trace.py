"""`madang trace`: from a row of the CDM to its source lines, and forward again."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from madang.base.translate import _

if TYPE_CHECKING:
    from collections.abc import Callable

    from madang.science.standardize.originals import Originals
    from madang.science.standardize.trace import Line, Tracer


def command(
    name: Annotated[str, typer.Argument(help=_("Dataset, or NAME@VERSION; or alone, such as release:7."))],
    what: Annotated[str, typer.Argument(help=_("A person_id, a TABLE:ID, or FILE:LINE of the source."))] = "",
    source: Annotated[Path | None, typer.Option(help=_("Folder with the source files, to show their lines."))] = None,
    show_identifiers: Annotated[
        bool, typer.Option("--show-identifiers", help=_("Show source lines whole, with names and numbers of people."))
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help=_("Print the chain of evidence as JSON."))] = False,
) -> None:
    """Show where a row comes from and what else its source lines made."""
    from madang.base.errors import MadangError
    from madang.lake.engine import Engine
    from madang.node.home import Home
    from madang.node.rooms import plans
    from madang.science.standardize.trace import Tracer
    from madang.services.datasets import read
    from madang.services.datasets.acts import IDENTIFY, TRACE

    kind, colon, _number = name.partition(":")
    chain = next((plan.load(plan.traces[kind]) for plan in plans() if colon and kind in plan.traces), None)
    if chain is not None and not what:
        _show_chain(chain, name, as_json)
        return
    if not what:
        raise MadangError("trace.what", f"{name!r} names no row.", "Write a person_id, TABLE:ID or FILE:LINE after it.")
    version = Home.find().lake().find(name)
    left, _colon, right = what.rpartition(":")
    if not right.isascii() or not right.isdigit():
        raise MadangError("trace.what", f"{what!r} names no row.", "Write a person_id, TABLE:ID or FILE:LINE.")
    read(IDENTIFY if show_identifiers else TRACE, version, what)
    with Engine() as engine:
        tracer = Tracer(version, engine)
        originals = tracer.originals(source, identifiers=show_identifiers)
        if not left:
            _show_person(tracer, int(right), originals)
        elif "." in left or "/" in left or any(file.name == left for file in tracer.files):
            _show_line(tracer, tracer.line(left, int(right)), originals)
        else:
            _show_row(tracer, left, int(right), originals)


def _show_chain(chain: "Callable[..., Any]", name: str, as_json: bool) -> None:
    from madang.base.console import show_table
    from madang.node.node import opened
    from madang.node.people.tokens import commander

    with opened() as node:
        links = chain(node, commander(node), name)
    if as_json:
        print(json.dumps([vars(link) for link in links], ensure_ascii=False))
        return
    show_table(name, [_("link"), _("name"), _("says")], [[link.kind, link.name, link.says] for link in links])


def _show_person(tracer: "Tracer", person_id: int, originals: "Originals") -> None:
    from madang.base.console import show_table

    counts = tracer.person(person_id)
    _show_row(tracer, "person", person_id, originals)
    show_table(_("Rows of this person"), [_("table"), _("rows")], counts.items())


def _show_row(tracer: "Tracer", table: str, identifier: int, originals: "Originals") -> None:
    from madang.base.console import show_table

    found = tracer.row(table, identifier)
    values = [[field, value] for field, value in found.values.items() if value is not None]
    show_table(f"{table}:{identifier}", [_("field"), _("value")], [[f, str(v)] for f, v in values])
    if found.lines:
        _show_lines(found.lines, originals)
    if found.computed_from:
        rows = [[f"{row.table}:{row.identifier}"] for row in found.computed_from]
        show_table(_("Computed from"), [_("row")], rows)
    if found.siblings:
        rows = [[f"{row.table}:{row.identifier}"] for row in found.siblings]
        show_table(_("Made by the same source lines"), [_("row")], rows)


def _show_line(tracer: "Tracer", line: "Line", originals: "Originals") -> None:
    from madang.base.console import show_table

    _show_lines([line], originals)
    rows = [[f"{row.table}:{row.identifier}"] for row in tracer.made_by(line.file.number, line.line)]
    if rows:
        show_table(_("Made by this line"), [_("row")], rows)
    else:
        fate = tracer.fate(line.file.number, line.line)
        if fate is None and (selects := tracer.joined_by(line.file.number, line.line)):
            fate = _("used"), _("joined by rows of {selects}").format(selects=", ".join(selects))
        show_table(_("This line made no row"), [_("fate"), _("reason")], [list(fate or (_("unknown"), ""))])


def _show_lines(lines: "list[Line] | tuple[Line, ...]", originals: "Originals") -> None:
    from madang.base.console import console, show_table
    from madang.science.standardize.originals import State

    instead = {
        State.HIDDEN: _("(hidden: it may name people)"),
        State.CHANGED: _("(the file has changed since it was taken in)"),
        State.GONE: _("(the file is not there any more)"),
    }
    found = [originals.read(line.file, line.line) for line in lines]
    rows = [
        [_(line.role), line.file.name, line.line, instead.get(original.state) or _on_one_line(original.text or "")]
        for line, original in zip(lines, found, strict=True)
    ]
    show_table(_("Source lines"), [_("role"), _("file"), _("line"), _("text")], rows)
    if any(original.state in (State.MASKED, State.HIDDEN) for original in found):
        console().print(_("What identifies people is masked; --show-identifiers shows it."), markup=False)


def _on_one_line(text: str) -> str:
    """Text of a stranger for the terminal: control characters would steer it."""
    return "".join(letter if letter.isprintable() or letter == "\t" else "\N{REPLACEMENT CHARACTER}" for letter in text)
