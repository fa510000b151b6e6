"""`madang discovery library`: add files, list, show, remove compounds, compare versions."""

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from madang.base.errors import MadangError
from madang.base.translate import _

if TYPE_CHECKING:
    from madang.lake import Version
    from madang.science.chemistry.properties import OwnAlert

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help=_("Libraries of molecules, as versions of the lake.")
)

SHOWN_REJECTS = 20

Name = Annotated[str, typer.Argument(help=_("Name of the library."))]
Reference = Annotated[str, typer.Argument(help=_("NAME, or NAME@VERSION."))]
JsonOut = Annotated[Path | None, typer.Option("--json", help=_("Write the result to this file as JSON."))]


@app.command("add")
def add_command(
    name: Name,
    files: Annotated[list[Path], typer.Argument(help=_("SMILES, SDF, CSV, XLSX or Parquet files, also with .gz."))],
    structure: Annotated[str, typer.Option(help=_("The column with the structures."))] = "",
    identifier: Annotated[str, typer.Option("--id", help=_("The column (or SDF field) with the ids."))] = "",
    alerts: Annotated[
        Path | None, typer.Option(help=_("CSV file of own structural alerts with columns name and smarts."))
    ] = None,
    processes: Annotated[int, typer.Option(help=_("Processes to work with; 0 chooses."))] = 0,
    json_out: JsonOut = None,
) -> None:
    """Add the molecules of files to a library; every row is accounted for."""
    from madang.base.console import ProgressBars, console, show_table
    from madang.node.home import Home
    from madang.science.chemistry.library import add_files

    dataset = Home.find().lake().dataset(name)
    with ProgressBars() as progress:
        added = add_files(
            dataset,
            files,
            structure=structure,
            identifier=identifier,
            own_alerts=own_alerts(alerts) if alerts else (),
            processes=processes or None,
            progress=progress,
        )
    totals = {key: sum(getattr(one, key) for one in added.accounts) for key in ("rows", *_KINDS)}
    if json_out:
        rejects = [asdict(reject) for reject in added.rejects]
        document = {"library": name, "version": added.version.number, "manifest": added.version.digest, **totals}
        write_json(json_out, document | {"files": [asdict(one) for one in added.accounts], "rejected": rejects})
    columns = [_("File"), _("Rows"), _("Compounds"), _("Duplicates"), _("Rejects"), _("Unused")]
    rows = [[one.file, one.rows, *(getattr(one, kind) for kind in _KINDS)] for one in added.accounts]
    show_table(_("What became of every row"), columns, rows)
    show_rejects(added.rejects[:SHOWN_REJECTS], len(added.rejects), name)
    text = _("{version}: {count} compounds.")
    console().print(text.format(version=added.version.name, count=f"{added.version.info['compounds']:,}"), markup=False)


_KINDS = ("compounds", "duplicates", "rejects", "unused")


@app.command("list")
def list_command(json_out: JsonOut = None) -> None:
    """List the libraries of this home."""
    from madang.base.console import show_table
    from madang.node.home import Home
    from madang.science.chemistry.library import KIND

    versions = [dataset.version() for dataset in Home.find().lake().datasets() if dataset.exists]
    rows = [
        [version.dataset.name, version.number, int(version.info["compounds"]), version.created]
        for version in versions
        if version.kind == KIND
    ]
    keys = ("library", "version", "compounds", "created")
    if json_out:
        write_json(json_out, [dict(zip(keys, row, strict=True)) for row in rows])
    show_table(_("Libraries"), [_("Library"), _("Version"), _("Compounds"), _("Made")], rows)


@app.command("show")
def show_command(
    reference: Reference,
    top: Annotated[int, typer.Option(help=_("How many compounds to show."))] = 10,
    rejects: Annotated[bool, typer.Option("--rejects", help=_("Show every rejected row."))] = False,
    json_out: JsonOut = None,
) -> None:
    """Show what a library holds, and what became of the rows that it was made from."""
    from madang.base.console import show_table
    from madang.science.chemistry.library import read_table, rejects_of

    version = library(reference)
    table = read_table(version, "compound")
    refused = list(rejects_of(version))
    if json_out:
        document = {"library": version.dataset.name, "version": version.number, "manifest": version.digest}
        document |= {"files": list(version.info["files"]), "compounds": table.to_pylist()}
        write_json(json_out, document | {"rejected": [asdict(reject) for reject in refused]})
    columns = [_("File"), _("Rows"), _("Compounds"), _("Duplicates"), _("Rejects"), _("Unused")]
    files = [[one["file"], one["rows"], *(one[kind] for kind in _KINDS)] for one in version.info["files"]]
    show_table(version.name, columns, files)
    shown = ("id", "smiles", "weight", "logp", "tpsa", "qed", "alerts", "notes")
    first = table.slice(0, top).select(list(shown)).to_pylist()
    show_table(_("Compounds"), list(shown), [[row[key] for key in shown] for row in first])
    show_rejects(refused if rejects else refused[:SHOWN_REJECTS], len(refused), version.dataset.name)


@app.command("remove")
def remove_command(
    name: Name, ids: Annotated[list[str], typer.Argument(help=_("Ids of the compounds to leave out."))]
) -> None:
    """Make a version of a library without some compounds; earlier versions keep them."""
    from madang.base.console import console
    from madang.node.home import Home
    from madang.science.chemistry.library import remove_compounds

    version, missing = remove_compounds(Home.find().lake().dataset(name), ids)
    if missing:
        console(stderr=True).print(_("Not in the library: {ids}.").format(ids=", ".join(missing)), markup=False)
    text = _("{version}: {count} compounds.")
    console().print(text.format(version=version.name, count=f"{version.info['compounds']:,}"), markup=False)


@app.command("diff")
def diff_command(before: Reference, after: Reference, json_out: JsonOut = None) -> None:
    """Say which compounds are only in one of two versions."""
    from madang.base.console import show_table
    from madang.science.chemistry.library import difference

    one, two = library(before), library(after)
    found = difference(one, two)
    if json_out:
        write_json(json_out, found)
    for title, key in ((_("Added"), "added"), (_("Removed"), "removed")):
        show_table(title, ["id", "smiles"], [[row["id"], row["smiles"]] for row in found[key]])


def library(reference: str) -> "Version":
    """The version of a library that a command names; raises MadangError if it is something else."""
    from madang.node.home import Home
    from madang.science.chemistry.library import checked

    return checked(Home.find().lake().find(reference))


def own_alerts(path: Path) -> "list[OwnAlert]":
    """The alerts of an institution from a CSV file with columns name and smarts."""
    from madang.science.chemistry.properties import OwnAlert
    from madang.science.chemistry.reading import cell_text, named_column, table
    from madang.science.chemistry.structure import Unreadable, read_query

    header, records = table(path)
    name, smarts = named_column(path.name, header, "name"), named_column(path.name, header, "smarts")
    found = []
    for line, cells in records:
        texts = [cell_text(cell) for cell in cells]
        if not any(texts):
            continue
        try:
            read_query(texts[smarts])
        except (Unreadable, IndexError):
            raise MadangError(
                "chemistry.query",
                _("Line {line} of {file} has no SMARTS that can be read.").format(line=line, file=path.name),
            ) from None
        found.append(OwnAlert(texts[name], texts[smarts]))
    return found


def show_rejects(rejects: Sequence[Any], total: int, name: str) -> None:
    """A table of rejected rows, and how to see the others."""
    from madang.base.console import console, show_table

    if not total:
        return
    rows = [[reject.file, reject.line, reject.name, reject.reason] for reject in rejects]
    show_table(_("Rejects"), [_("File"), _("Line"), _("Name"), _("Reason")], rows)
    if total > len(rejects):
        text = _("{count} more: `madang discovery library show {name} --rejects`.")
        console().print(text.format(count=f"{total - len(rejects):,}", name=name), markup=False)


def write_json(path: Path, document: Any) -> None:
    """Write a result as JSON, whole or not at all."""
    from madang.lake.files import sentences

    with sentences(f"write {path}"):
        partial = path.with_name(f".{path.name}.partial")
        partial.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        partial.replace(path)


def write_csv(path: Path, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Write a table as CSV, whole or not at all."""
    from madang.lake.files import sentences

    with sentences(f"write {path}"):
        partial = path.with_name(f".{path.name}.partial")
        with partial.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows(rows)
        partial.replace(path)


@app.command("share")
def share_command(
    name: Name,
    project: Annotated[str, typer.Option(help=_("The project whose people may see it on the pages."))],
    title: Annotated[str, typer.Option(help=_("The title."))] = "",
) -> None:
    """Give a library to a project, whose people then see it on the pages."""
    from madang.base.console import console
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.discovery.service import adopt

    with opened() as node:
        adopt(node, commander(node), name, project, title)
    console().print(_("{name} is a library of {project}.").format(name=name, project=project), markup=False)
