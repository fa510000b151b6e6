"""`madang trace`: from a row of the CDM to its source lines, and forward again."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from madang.base.translate import _

if TYPE_CHECKING:
    from madang.science.standardize.trace import Line, Tracer


def command(
    name: Annotated[str, typer.Argument(help=_("Dataset, or NAME@VERSION."))],
    what: Annotated[str, typer.Argument(help=_("A person_id, a TABLE:ID, or FILE:LINE of the source."))],
    source: Annotated[Path | None, typer.Option(help=_("Folder with the source files, to show their lines."))] = None,
) -> None:
    """Show where a row comes from and what else its source lines made."""
    from madang.base.errors import MadangError
    from madang.lake.engine import Engine
    from madang.node.home import Home
    from madang.science.standardize.trace import Tracer

    version = Home.find().lake().find(name)
    left, _colon, right = what.rpartition(":")
    if not right.isascii() or not right.isdigit():
        raise MadangError("trace.what", f"{what!r} names no row.", "Write a person_id, TABLE:ID or FILE:LINE.")
    with Engine() as engine:
        tracer = Tracer(version, engine)
        if not left:
            _show_person(tracer, int(right), source)
        elif any(file.name == left for file in tracer.files):
            _show_line(tracer, left, int(right), source)
        else:
            _show_row(tracer, left, int(right), source)


def _show_person(tracer: "Tracer", person_id: int, source: Path | None) -> None:
    from madang.base.console import show_table

    counts = tracer.person(person_id)
    _show_row(tracer, "person", person_id, source)
    show_table(_("Rows of this person"), [_("table"), _("rows")], counts.items())


def _show_row(tracer: "Tracer", table: str, identifier: int, source: Path | None) -> None:
    from madang.base.console import show_table

    found = tracer.row(table, identifier)
    values = [[field, value] for field, value in found.values.items() if value is not None]
    show_table(f"{table}:{identifier}", [_("field"), _("value")], [[f, str(v)] for f, v in values])
    if found.lines:
        _show_lines(tracer, found.lines, source)
    if found.computed_from:
        rows = [[f"{row.table}:{row.identifier}"] for row in found.computed_from]
        show_table(_("Computed from"), [_("row")], rows)
    if found.siblings:
        rows = [[f"{row.table}:{row.identifier}"] for row in found.siblings]
        show_table(_("Made by the same source lines"), [_("row")], rows)


def _show_line(tracer: "Tracer", file: str, line: int, source: Path | None) -> None:
    from madang.base.console import show_table
    from madang.science.standardize.trace import Line

    registered = next(one for one in tracer.files if one.name == file)
    _show_lines(tracer, [Line(registered, line, "source")], source)
    rows = [[f"{row.table}:{row.identifier}"] for row in tracer.made_by(registered.number, line)]
    if rows:
        show_table(_("Made by this line"), [_("row")], rows)
    else:
        fate = tracer.fate(registered.number, line)
        show_table(_("This line made no row"), [_("fate"), _("reason")], [list(fate or (_("unknown"), ""))])


def _show_lines(tracer: "Tracer", lines: "list[Line] | tuple[Line, ...]", source: Path | None) -> None:
    from madang.base.console import show_table
    from madang.science.standardize.trace import source_text

    folder = source or tracer.folder
    encodings = tracer.encodings()
    rows = []
    for line in lines:
        text = source_text(line, encodings[line.file.source], folder) if folder else None
        rows.append([_(line.role), line.file.name, line.line, text])
    show_table(_("Source lines"), [_("role"), _("file"), _("line"), _("text")], rows)
