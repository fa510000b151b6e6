"""`madang datasets`: what there is, whether it is whole, what changed, and taking away."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from madang.base.translate import _

if TYPE_CHECKING:
    from madang.lake import Dataset, Lake, Version

app = typer.Typer(no_args_is_help=False, add_completion=False)

Reference = Annotated[str, typer.Argument(help=_("NAME, or NAME@VERSION."))]
Name = Annotated[str, typer.Argument(help=_("Name of the dataset."))]
AsJson = Annotated[bool, typer.Option("--json", help=_("Print JSON."))]
Yes = Annotated[bool, typer.Option("--yes", help=_("Do not ask."))]


@app.callback(invoke_without_command=True)
def datasets(context: typer.Context, as_json: AsJson = False) -> None:
    """List the datasets, or work with one of them."""
    if context.invoked_subcommand is None:
        rows = [_line(dataset) for dataset in _lake().datasets()]
        _show(_("Datasets"), rows, as_json, _("There is no dataset yet; `madang standardize` makes one."))


@app.command()
def show(reference: Reference, as_json: AsJson = False) -> None:
    """Show the tables of a version."""
    version = _lake().find(reference)
    rows = [
        {
            "table": table.name,
            "rows": table.rows,
            "columns": len(table.schema),
            "files": len(table.files),
            "MB": round(table.bytes / 1e6, 1),
            "content": table.content,
        }
        for table in version.tables.values()
    ]
    if as_json:
        print(json.dumps({**_summary(version, None), "manifest": version.digest, "tables": rows}, ensure_ascii=False))
        return
    from madang.base.console import console

    _show(f"{version.name} ({version.kind}, {version.created})", rows, False, _("This version has no tables."))
    console().print(_("Manifest {digest}").format(digest=version.digest), markup=False)
    if version.kind == "standardize":
        _show_doubts(version)


def _show_doubts(version: "Version") -> None:
    """What an earlier release did otherwise, by pack, source and column."""
    from madang.base.console import show_table
    from madang.science.standardize.since import could_differ

    rows = [[d.pack, d.source, d.kind, d.column, d.answer, d.why] for d in could_differ(version.info)]
    if rows:
        columns = [_("pack"), _("source"), _("kind"), _("column"), _("answer"), _("why")]
        show_table(_("Made by an earlier release: what could differ now"), columns, rows)


@app.command()
def history(name: Name, as_json: AsJson = False) -> None:
    """List the versions of a dataset, removed ones too."""
    dataset = _lake().dataset(name)
    dataset.version()
    removed = {
        stone["number"]: {
            "version": stone["number"],
            "kind": stone["was"],
            "made": stone["created"],
            "parent": (stone["parent"] or {}).get("number"),
            "tables": None,
            "rows": None,
            "manifest": stone["manifest"],
            "removed": stone["removed"],
        }
        for stone in dataset.tombstones()
    }
    rows = [removed.get(number) or _one_of_history(dataset.version(number)) for number in dataset.numbers()]
    _show(_("Versions of {name}").format(name=name), rows, as_json, "")


@app.command()
def verify(
    reference: Reference,
    content: Annotated[bool, typer.Option("--content", help=_("Compute the content hashes again, too."))] = False,
    manifest: Annotated[str, typer.Option(help=_("The manifest hash that the version must have."))] = "",
    as_json: AsJson = False,
) -> None:
    """Read every byte of a dataset, or of one version, and say what is not as it was committed."""
    from madang.base.console import ProgressBars, console
    from madang.base.errors import MadangError
    from madang.lake.verify import verify as check

    name, at, _number = reference.partition("@")
    lake = _lake()
    number = lake.find(reference).number if at else None
    with ProgressBars() as progress:
        findings = check(lake.dataset(name), number, content=content, progress=progress)
    if manifest and not findings and lake.find(reference).digest != manifest.lower():
        raise MadangError("datasets.other_manifest", f"{reference} has another manifest hash: it is not that version.")
    rows = [{"version": found.version, "file": str(found.path), "problem": found.problem} for found in findings]
    if findings or as_json:
        _show(_("Not as committed"), rows, as_json, "")
    if findings:
        raise MadangError(
            "datasets.damaged", f"{reference} is damaged: {len(findings)} findings.", "Restore the files from a backup."
        )
    if not as_json:
        console().print(_("{reference}: everything is as it was committed.").format(reference=reference), markup=False)


@app.command()
def diff(before: Reference, after: Reference, as_json: AsJson = False) -> None:
    """Say what changed from one version to another."""
    from madang.lake.compare import compare

    lake = _lake()
    rows = [
        {
            "table": change.table,
            "change": change.kind,
            "rows before": change.rows_before,
            "rows after": change.rows_after,
            "files +": change.files_added,
            "files -": change.files_removed,
            "columns +": ", ".join(change.columns_added),
            "columns -": ", ".join(change.columns_removed),
        }
        for change in compare(lake.find(before), lake.find(after))
        if change.kind != "same"
    ]
    title = _("From {before} to {after}").format(before=before, after=after)
    _show(title, rows, as_json, _("Both hold the same tables, rows and columns."))


@app.command()
def remove(reference: Reference, yes: Yes = False) -> None:
    """Remove one version, or without @VERSION the whole dataset, for good."""
    from madang.base.console import console
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.datasets import remove_versions

    lake = _lake()
    version = lake.find(reference)
    dataset = version.dataset
    numbers = [version.number] if "@" in reference else dataset.versions()
    if not yes:
        typer.confirm(
            _("Remove {count} version(s) of {name} for good?").format(count=len(numbers), name=dataset.name), abort=True
        )
    with opened() as node:
        gone = remove_versions(node, commander(node), dataset, numbers, "Removed by command.")
    text = _("Removed {count} version(s) of {name}; {files} files went.")
    console().print(text.format(count=len(numbers), name=dataset.name, files=gone), markup=False)


@app.command("remove-persons")
def remove_persons(
    name: Name,
    ids: Annotated[str, typer.Option(help=_("PERSON_ID values, separated by commas."))] = "",
    file: Annotated[Path | None, typer.Option(help=_("Text file with one PERSON_ID per line."))] = None,
    person_column: Annotated[
        list[str] | None,
        typer.Option(help=_("Column of kept source tables that names the person, as PERSON.person_source_value does.")),
    ] = None,
    without_persons: Annotated[
        list[str] | None, typer.Option(help=_("Kept source table that holds nothing about persons."))
    ] = None,
    yes: Yes = False,
) -> None:
    """Make a version without these people and remove all earlier versions for good."""
    from madang.base.console import ProgressBars
    from madang.lake import Engine
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.science.omop.persons import links_of, read_identifiers
    from madang.services.datasets import remove_persons as remove_them

    persons = read_identifiers(ids, file)
    dataset = _lake().dataset(name)
    with Engine() as engine:
        links = links_of(dataset.version(), person_column or [], without_persons or [], engine)
    if not yes:
        question = _("Remove {count} person(s) from {name} and all its earlier versions for good?")
        typer.confirm(question.format(count=len(persons), name=name), abort=True)
    with opened() as node, ProgressBars() as progress:
        done = remove_them(node, commander(node), dataset, persons, links, progress)
    rows = [{"table": table, "rows removed": count} for table, count in done.rows.items()]
    _show(_("Rows removed from {name}").format(name=name), rows, False, _("The newest version held none of them."))
    from madang.base.console import console

    text = _("{versions} earlier version(s) and {files} files went for good. Not looked into: {untouched}.")
    console().print(
        text.format(versions=len(done.purged), files=len(done.files), untouched=", ".join(done.untouched) or "-"),
        markup=False,
    )


@app.command()
def tidy() -> None:
    """Remove files that programs left behind which were killed while they wrote."""
    from madang.base.console import console

    gone = _lake().tidy()
    console().print(_("{files} files went.").format(files=len(gone)))


def _lake() -> "Lake":
    from madang.node.home import Home

    return Home.find().lake()


def _line(dataset: "Dataset") -> dict[str, Any]:
    """A dataset in the list; one that is damaged must not hide the others."""
    from madang.base.errors import MadangError

    try:
        return _summary(dataset.version(), len(dataset.versions()))
    except MadangError:
        empty = dict.fromkeys(("newest", "versions", "tables", "rows", "MB"))
        return {"name": dataset.name, **empty, "kind": _("damaged"), "made": None}


def _summary(version: "Version", versions: int | None) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": version.dataset.name,
        "newest" if versions is not None else "version": version.number,
    }
    if versions is not None:
        row["versions"] = versions
    return row | {
        "tables": len(version.tables),
        "rows": sum(table.rows for table in version.tables.values()),
        "MB": round(sum(table.bytes for table in version.tables.values()) / 1e6, 1),
        "kind": version.kind,
        "made": version.created,
    }


def _one_of_history(version: "Version") -> dict[str, Any]:
    parent = version.manifest["parent"]
    return {
        "version": version.number,
        "kind": version.kind,
        "made": version.created,
        "parent": parent["number"] if parent else None,
        "tables": len(version.tables),
        "rows": sum(table.rows for table in version.tables.values()),
        "manifest": version.digest,
        "removed": None,
    }


def _show(title: str, rows: list[dict[str, Any]], as_json: bool, empty: str) -> None:
    """Rows as a table or as JSON; `empty` is said where there is none."""
    from madang.base.console import console, show_table

    if as_json:
        print(json.dumps(rows, ensure_ascii=False))
    elif rows:
        labels = _labels()
        show_table(title, [labels.get(name, name) for name in rows[0]], [list(row.values()) for row in rows])
    elif empty:
        console().print(empty, markup=False)


def _labels() -> dict[str, str]:
    """What a person reads above the columns; JSON has the keys."""
    return {
        "name": _("name"),
        "newest": _("newest"),
        "version": _("version"),
        "versions": _("versions"),
        "tables": _("tables"),
        "table": _("table"),
        "rows": _("rows"),
        "kind": _("kind"),
        "made": _("made"),
        "columns": _("columns"),
        "files": _("files"),
        "content": _("content"),
        "manifest": _("manifest"),
        "removed": _("removed"),
        "parent": _("parent"),
        "change": _("change"),
        "rows before": _("rows before"),
        "rows after": _("rows after"),
        "files +": _("files +"),
        "files -": _("files -"),
        "columns +": _("columns +"),
        "columns -": _("columns -"),
        "file": _("file"),
        "problem": _("problem"),
        "rows removed": _("rows removed"),
    }
