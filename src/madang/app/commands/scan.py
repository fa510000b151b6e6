"""`madang scan`: what is in a folder of files."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from madang.base.translate import _

if TYPE_CHECKING:
    from madang.science.standardize.scan import ColumnScan, Scan


def command(
    folder: Annotated[Path, typer.Argument(help="Folder of the files, with what lies below it.", metavar="DIR")],
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write all that was found as JSON.", metavar="FILE")
    ] = None,
    html_file: Annotated[
        Path | None, typer.Option("--html", help="Write a page for people, in one file.", metavar="FILE")
    ] = None,
    minimum: Annotated[int, typer.Option(help="Show no value that fewer rows have.", min=1)] = 10,
    rows: Annotated[int | None, typer.Option(help="Read at most so many rows of each file.", min=1)] = None,
) -> None:
    """Show files, encodings, columns, types, frequent values, likely keys, and columns that may name people."""
    from madang.base.console import ProgressBars, console
    from madang.science.standardize.scan import scan

    with ProgressBars() as progress:
        found = scan(folder, minimum=minimum, rows=rows, progress=progress)
    if json_file:
        import json

        _write(json_file, json.dumps(found.as_json(), ensure_ascii=False, indent=1) + "\n")
    if html_file:
        from madang.science.standardize.scan.page import page

        _write(html_file, page(found))
    _show(found)
    if not json_file and not html_file:
        text = _("For all of it, with the frequent values, as a page: madang scan {folder} --html scan.html")
        console().print(text.format(folder=folder), markup=False)


def _write(path: Path, text: str) -> None:
    from madang.base.errors import MadangError

    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise MadangError("scan.write", f"{path} cannot be written: {error.strerror}.", "Give another file.") from error


def _show(found: "Scan") -> None:
    from madang.base.console import console, show_table
    from madang.science.standardize.scan.words import word

    show_table(
        _("Files"),
        [_("file"), _("files"), _("rows"), _("encoding"), _("delimiter"), _("line ends"), _("odd lines")],
        _files(found),
    )
    for source in found.sources:
        rows = [
            [
                column.name,
                column.type + (f" {column.format}" if column.format else ""),
                _shape(column),
                f"{column.filled / max(1, column.filled + column.empty):.0%}",
                ("" if column.distinct_exact else "≈ ") + f"{column.distinct:,}",
                _values(column),
            ]
            for column in source.columns
        ]
        keys = " | ".join(" + ".join(key) for key in source.keys)
        title = f"{source.name}  {', '.join(source.patterns)}  " + _("{rows} rows").format(rows=f"{source.rows:,}")
        if keys:
            title += "  " + _("key: {keys}").format(keys=keys)
        show_table(title, [_("column"), _("type"), _("shape"), _("filled"), _("distinct"), _("values")], rows)
    if found.references:
        show_table(
            _("Likely references"),
            [_("column"), _("refers to"), _("values found")],
            [[f"{r.source}.{r.column}", f"{r.to_source}.{r.to_column}", f"{r.share:.1%}"] for r in found.references],
        )
    for name, why in found.skipped:
        console(stderr=True).print(_("Not read: {name}. {why}").format(name=name, why=word(why)), markup=False)


def _files(found: "Scan") -> list[list[object]]:
    """A line for the files of each source: they share a layout, and their names differ in numbers only."""
    from madang.science.standardize.scan.words import shown_delimiter

    files = {file.name: file for file in found.files}
    lines: list[list[object]] = []
    for source in found.sources:
        alike = [files[name] for name in source.files if name in files]
        told = [file for file in alike if "only ASCII" not in file.evidence] or alike
        lines.append(
            [
                ", ".join(source.patterns),
                len(alike),
                source.rows,
                ", ".join(sorted({file.encoding for file in told})) + (" ?" if source.ask else ""),
                shown_delimiter(source.delimiter),
                ", ".join(sorted({file.line_ends for file in alike})),
                sum(file.ragged + file.open_quotes + file.blank for file in alike),
            ]
        )
    return lines


def _shape(column: "ColumnScan") -> str:
    """What the values look like, and what says that there is none."""
    from madang.science.standardize.scan.words import word

    marks = ", ".join(column.missing[:3])
    return word(column.shape) + (_("; none: {marks}").format(marks=marks) if marks else "")


def _values(column: "ColumnScan") -> str:
    from madang.science.standardize.scan.words import word

    if column.flags:
        kinds = ", ".join(word(flag.kind) + ("" if flag.certainty == "likely" else "?") for flag in column.flags)
        return "⚠ " + _("{kinds}: not shown").format(kinds=kinds)
    if column.low and column.high:
        return f"{column.low} – {column.high}"
    return ", ".join(f"{value[:24]} ({count:,})" for value, count in column.values[:3])
