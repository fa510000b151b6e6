"""`madang deposit`: begin, put files, check, submit, package."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from madang.base.translate import _

if TYPE_CHECKING:
    from madang.node.node import Node
    from madang.node.people.actor import Actor
    from madang.services.deposits.s3 import Keys

app = typer.Typer(no_args_is_help=True, add_completion=False)
To = Annotated[str, typer.Option("--to", help=_("The deposit; without it your newest draft."))]


@app.command("new")
def new(
    name: Annotated[str, typer.Argument(help=_("A name of small letters, digits and hyphens."))],
    model: Annotated[str, typer.Option(help="insdc, k-bds, table, umbrella")] = "insdc",
    title: Annotated[str, typer.Option(help=_("Its title."))] = "",
    title_en: Annotated[str, typer.Option(help=_("Its title in English."))] = "",
    description: Annotated[str, typer.Option(help=_("What it is."))] = "",
    license_: Annotated[str, typer.Option("--license", help=_("For example CC-BY-4.0."))] = "",
    consent: Annotated[str, typer.Option(help=_("Of data of people: the scope of consent."))] = "",
    ethics: Annotated[str, typer.Option(help=_("Of data of people: the number of the ethics approval."))] = "",
    deidentified: Annotated[str, typer.Option(help=_("Of data of people: how they were de-identified."))] = "",
    checklist: Annotated[str, typer.Option(help=_("The checklist of the samples."))] = "",
    organization: Annotated[str, typer.Option(help=_("The organization that will hold the data."))] = "house",
) -> None:
    """Begin a deposit."""
    from madang.base.console import console
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.deposits import service

    told = {
        "title_en": title_en,
        "description": description,
        "license": license_,
        "consent": consent,
        "ethics": ethics,
        "deidentified": deidentified,
        "checklist": checklist,
    }
    with opened() as node:
        actor = commander(node)
        service.begin(node, actor, name, model, organization, title)
        if given := {field: value for field, value in told.items() if value}:
            service.describe(node, actor, name, **given)
    console().print(_("The deposit {name} was begun.").format(name=name), markup=False)


@app.command("sheet")
def sheet(
    out: Annotated[Path, typer.Argument(help=_("The XLSX file to write."))],
    checklist: Annotated[str, typer.Option(help=_("The checklist of the samples."))] = "basic",
) -> None:
    """Write the empty sample sheet of a checklist."""
    from madang.node.home import Home
    from madang.services.deposits.checklists import find_checklist
    from madang.services.deposits.checklists import sheet as made

    out.write_bytes(made(find_checklist(Home.find(), checklist)))


@app.command("runs")
def runs_(out: Annotated[Path, typer.Argument(help=_("The XLSX file to write."))], to: To = "") -> None:
    """Write the sheet of runs of a deposit, filled in as far as the names of its files tell."""
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.deposits import service
    from madang.services.deposits.runs import run_sheet

    with opened() as node:
        actor = commander(node)
        out.write_bytes(run_sheet(service.see(node, actor, _name(node, actor, to))))


@app.command("note")
def note(
    accession: Annotated[str, typer.Argument(help=_("Accession or number of the certificate."))], to: To = ""
) -> None:
    """Note the accession that a national station gave."""
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.deposits import service

    with opened() as node:
        actor = commander(node)
        service.note(node, actor, _name(node, actor, to), accession)


@app.command("link")
def link(promise: Annotated[int, typer.Argument(help=_("Number of the promise of a grant."))], to: To = "") -> None:
    """Say that a deposit keeps a promise of a grant, and what it still lacks."""
    from madang.base.console import console
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.deposits import service

    with opened() as node:
        actor = commander(node)
        lacking = service.link_promise(node, actor, _name(node, actor, to), promise)
    for text in lacking or [_("It keeps the promise.")]:
        console().print(text, markup=False)


@app.command("samples")
def samples(
    path: Annotated[Path, typer.Argument(help=_("The filled sample sheet."))],
    to: To = "",
    runs: Annotated[bool, typer.Option("--runs", help=_("It is a sheet of runs."))] = False,
) -> None:
    """Take a filled sheet of samples or runs in; every wrong cell is named, exit 1."""
    from madang.base.console import show_table
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.deposits import service

    _there(path)
    with opened() as node:
        actor = commander(node)
        wrong = service.put_sheet(node, actor, _name(node, actor, to), path, "runs" if runs else "samples")
    if wrong:
        show_table(_("Wrong cells"), [_("rows"), _("column"), _("value"), _("why")], _alike(wrong))
        raise typer.Exit(1)


def _alike(wrong: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """What is wrong in the same way in several rows is one line, with the rows as 2-25, 31."""
    places: dict[tuple[str, str, str], list[int]] = {}
    for each in wrong:
        places.setdefault((each["column"], each["value"][:40], each["reason"]), []).append(each["row"])
    lines = []
    for (column, value, reason), rows in places.items():
        spans: list[list[int]] = []
        for row in sorted(rows):
            if spans and row == spans[-1][1] + 1:
                spans[-1][1] = row
            else:
                spans.append([row, row])
        told = ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)
        lines.append([told, column, value, reason])
    return lines


@app.command("put")
def put(folder: Annotated[Path, typer.Argument(help=_("The folder, or one file."))], to: To = "") -> None:
    """Put all files of a folder into a deposit; goes on where it was stopped, compares with md5 lists."""
    from madang.base.console import console
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.deposits import putting

    _there(folder)
    with opened() as node:
        actor = commander(node)
        name = _name(node, actor, to)
        done = putting.put_folder(node, actor, name, folder)
    message = _("{new} files put into {name}, {old} were there already.")
    console().print(message.format(new=done.new, name=name, old=done.old), markup=False)


@app.command("fetch")
def fetch(
    place: Annotated[str, typer.Argument(help="s3://BUCKET/FOLDER")],
    endpoint: Annotated[str, typer.Option(help=_("Address of the store, such as https://s3.example.org."))],
    region: Annotated[str, typer.Option(help=_("Its region."))] = "us-east-1",
    anonymous: Annotated[bool, typer.Option("--anonymous", help=_("An open bucket: no keys."))] = False,
    to: To = "",
) -> None:
    """Fetch files of an S3-compatible store; goes on where it was stopped. Keys: AWS_ACCESS_KEY_ID and the like."""
    from madang.base.console import ProgressBars, console
    from madang.base.errors import MadangError
    from madang.node.node import opened
    from madang.node.outgoing import outgoing_of
    from madang.node.people.tokens import commander
    from madang.services.deposits import fetching, s3

    keys = None if anonymous else _keys()
    if not place.startswith("s3://"):
        raise MadangError("deposit.store", _("The place is written as s3://BUCKET/FOLDER."))
    name, _slash, folder = place.removeprefix("s3://").partition("/")
    with opened() as node, ProgressBars() as shown:
        outgoing = outgoing_of(node.settings, only_listed=True, bounds=s3.BOUNDS)
        bucket = s3.Bucket(endpoint, name, region, keys, outgoing)
        actor = commander(node)
        deposit = _name(node, actor, to)
        done = fetching.fetch(node, actor, deposit, bucket, folder, shown)
    message = _("{new} files put into {name}, {old} were there already.")
    console().print(message.format(new=done.new, name=deposit, old=done.old), markup=False)


def _keys() -> "Keys":
    """The keys that the environment has, as other clients of such stores read them; on the command line everybody on
    the machine would see them."""
    import os

    from madang.base.errors import MadangError
    from madang.services.deposits.s3 import Keys

    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    name, secret, token = (os.environ.get(each, "") for each in names)
    if not name or not secret:
        raise MadangError(
            "deposit.store",
            _("The keys of the store are not known."),
            _("Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or say --anonymous for an open bucket."),
        )
    return Keys(name, secret, token)


@app.command("register")
def register(
    place: Annotated[Path, typer.Argument(help=_("The folder, or one file, that stays where it is."))], to: To = ""
) -> None:
    """Register large files where they lie, without copying: hashed, compared with md5 lists, watched for changes."""
    from madang.base.console import ProgressBars, console
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.deposits import registering

    _there(place)
    with opened() as node, ProgressBars() as shown:
        actor = commander(node)
        name = _name(node, actor, to)
        new = registering.register(node, actor, name, place, shown)
    message = _("{new} files registered in {name}; they stay where they are.")
    console().print(message.format(new=new, name=name), markup=False)


@app.command("remove")
def remove(file: Annotated[str, typer.Argument(help=_("The file, as it is named there."))], to: To = "") -> None:
    """Take a file out of a draft, so that the right one can be put."""
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.deposits import service

    with opened() as node:
        actor = commander(node)
        service.remove(node, actor, _name(node, actor, to), file)


@app.command("swap")
def swap(file: Annotated[str, typer.Argument(help=_("One file of the pair."))], to: To = "") -> None:
    """Exchange the names of the two files of a pair, where mates came swapped; nothing is sent again."""
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.deposits import service

    with opened() as node:
        actor = commander(node)
        service.swap(node, actor, _name(node, actor, to), file)


@app.command("describe")
def describe(
    fields: Annotated[list[str], typer.Argument(help=_("Such as title_en=Reads license=CC0-1.0 ethics=IRB-1."))],
    to: To = "",
) -> None:
    """Say more of a draft."""
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.deposits import service

    told = {field.partition("=")[0]: field.partition("=")[2] for field in fields}
    with opened() as node:
        actor = commander(node)
        service.describe(node, actor, _name(node, actor, to), **told)


@app.command("check")
def check(
    to: Annotated[str, typer.Argument(help=_("The deposit; without it your newest draft."))] = "",
    json_: Annotated[bool, typer.Option("--json", help=_("As JSON."))] = False,
) -> None:
    """Read every file and check everything; exit 1 if something is wrong."""
    import json

    from madang.base.console import ProgressBars, console, show_table
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.deposits import checks

    with opened() as node:
        actor = commander(node)
        name = _name(node, actor, to)
        with ProgressBars() as shown:
            found: list[dict[str, Any]] = checks.check(node, actor, name, shown)
    wrong = sum(each["severity"] == "wrong" for each in found)
    if json_:
        print(json.dumps({"deposit": name, "wrong": wrong, "findings": found}, ensure_ascii=False, indent=1))
    elif found:
        rows = [[each["severity"], each["file"], each["message"]] for each in found]
        show_table(name, [_("severity"), _("file"), _("what")], rows)
    else:
        console().print(_("Nothing was found."), markup=False)
    if wrong:
        raise typer.Exit(1)


@app.command("submit")
def submit(to: Annotated[str, typer.Argument(help=_("The deposit; without it your newest draft."))] = "") -> None:
    """Submit a deposit to the curators; it is checked first."""
    from madang.base.console import console
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.deposits import service

    with opened() as node:
        actor = commander(node)
        name = _name(node, actor, to)
        service.submit(node, actor, name)
    console().print(_("{name} was submitted.").format(name=name), markup=False)


@app.command("approve")
def approve(name: Annotated[str, typer.Argument(help=_("The deposit."))]) -> None:
    """Take a submitted deposit into the catalog, as a curator."""
    from madang.base.console import console
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.deposits import service

    with opened() as node:
        record = service.approve(node, commander(node), name)
    console().print(_("The record {name} was begun; publish it when it is ready.").format(name=record), markup=False)


@app.command("package")
def package(
    out: Annotated[Path, typer.Argument(help=_("The folder to write."))],
    station: Annotated[str, typer.Option("--for", help="k-bds")] = "k-bds",
    to: To = "",
) -> None:
    """Write what the form of a national station asks, with files and md5."""
    from madang.base.console import console
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.deposits import publishing, service

    with opened() as node:
        actor = commander(node)
        deposit = service.see(node, actor, _name(node, actor, to))
        written = publishing.package(node, deposit, station, out)
    console().print(_("{count} files written to {folder}.").format(count=len(written), folder=out), markup=False)


def _name(node: "Node", actor: "Actor", name: str) -> str:
    """The deposit that is meant: the one named, or the newest draft."""
    from madang.base.errors import MadangError
    from madang.services.deposits import service

    if name:
        return name
    found = next((each.name for each in service.listed(node, actor) if each.state == "draft"), "")
    if not found:
        raise MadangError("deposit.none", _("There is no draft."), _("Begin one: madang deposit new NAME."))
    return found


def _there(path: Path) -> None:
    from madang.base.errors import MadangError

    if not path.exists():
        raise MadangError("deposit.path", _("There is nothing at {path}.").format(path=path))
