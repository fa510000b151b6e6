"""`madang grants`: awards and plans in, the ledger out."""

import json
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from madang.base.errors import MadangError
from madang.base.translate import _

app = typer.Typer(add_completion=False, no_args_is_help=True)
At = Annotated[str, typer.Option("--at", help=_("As of this day, by what was known then (2026-03-31)."))]


@app.command("import")
def import_command(
    file: Annotated[Path, typer.Argument(help=_("A plan (maDMP, .json), or awards as .csv or .xlsx."))],
    funder: Annotated[str, typer.Option(help=_("Organization that gave the awards."))] = "house",
    project: Annotated[str, typer.Option(help=_("Project that they are for."))] = "",
    rule: Annotated[str, typer.Option(help=_("Rule of what counts as kept."))] = "",
    as_json: Annotated[bool, typer.Option("--json", help=_("Print JSON."))] = False,
) -> None:
    """Take awards and plans in; what is known already is brought up to date."""
    from madang.base.console import console
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.grants import plans, service

    read = plans.read(file)
    with opened() as node:
        done = service.import_awards(
            node, commander(node), read, file.name, organization=funder, project=project, rule=rule
        )
    told = {"awards": done.awards, "promises": done.promises, "changed": done.changed}
    if as_json:
        print(json.dumps(told | {"unused": read.unused, "warnings": read.warnings}, ensure_ascii=False))
        return
    message = _("{awards} awards and {promises} promises are new, {changed} were changed.")
    console().print(message.format(**told), markup=False)
    for text in read.warnings:
        console().print(text, markup=False)
    if read.unused:
        console().print(_("Not used of the plan: {fields}.").format(fields=", ".join(read.unused)), markup=False)


@app.command("status")
def status_command(
    at: At = "",
    json_: Annotated[Path | None, typer.Option("--json", help=_("Write the ledger as JSON to this file."))] = None,
    only: Annotated[str, typer.Option(help=_("Only this status, such as late."))] = "",
) -> None:
    """Say what was promised, what is late and what was kept, today or on a past day."""
    from madang.base.console import show_table
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.grants import service
    from madang.services.grants.ledger import STATUSES

    if only and only not in STATUSES:
        raise MadangError("command.usage", _("There is no status {name}.").format(name=only), ", ".join(STATUSES))
    with opened() as node:
        actor = commander(node)
        counts = service.all_counts(node, actor, _day(at))
        found = service.lines(node, actor, day=_day(at), status=only)
    document = {"at": at or date.today().isoformat(), "counts": counts, "promises": [_told(each) for each in found]}
    if json_ is not None:
        if str(json_) == "-":
            print(json.dumps(document, ensure_ascii=False))
        else:
            json_.write_text(json.dumps(document, ensure_ascii=False, indent=1), "utf-8")
        return
    show_table(_("Promises"), [_("status"), _("count")], [[name, count] for name, count in counts.items()])
    rows = [
        [each.award.number, each.promise.title, each.status, each.due.isoformat() if each.due else ""]
        for each in found[:100]
    ]
    show_table(_("Late first"), [_("award"), _("dataset"), _("status"), _("due on")], rows)


@app.command("export")
def export_command(
    out: Annotated[Path, typer.Argument(help=_("File to write: .csv, .xlsx or .json."))],
    at: At = "",
    year: Annotated[int | None, typer.Option(help=_("Only the sheet of results of this year."))] = None,
) -> None:
    """Write the whole ledger, or the sheet of a year, as a table."""
    from madang.base.console import console
    from madang.lake.files import sentences
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.grants import service, tables

    with opened() as node:
        found = service.lines(node, commander(node), day=_day(at))
        found = tables.of_year(found, year) if year is not None else found
        web = node.settings.web
        results = tables.results(node, found, web.address or f"http://{web.host}:{web.port}")
    suffix = out.suffix.lower()
    if suffix == ".xlsx":
        content = tables.workbook(found, year, results)
    elif suffix == ".csv":
        content = tables.csv_text(found)
    elif suffix == ".json":
        content = json.dumps([_told(each) for each in found], ensure_ascii=False, indent=1).encode()
    else:
        raise MadangError("command.usage", _("The file has to end in .csv, .xlsx or .json."))
    with sentences(f"write {out}"):
        out.write_bytes(content)
    console().print(_("{count} promises are in {file}.").format(count=len(found), file=out), markup=False)


@app.command("link")
def link_command(
    promise: Annotated[int, typer.Argument(help=_("Number of the promise."))],
    record: Annotated[str, typer.Argument(help=_("Name of the record that keeps it."))],
) -> None:
    """Link a record to a promise, and say what it still lacks."""
    from madang.base.console import console
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.grants import linking

    with opened() as node:
        lacking = linking.link(node, commander(node), promise, record)
    for text in lacking or [_("It keeps the promise.")]:
        console().print(text, markup=False)


@app.command("unlink")
def unlink_command(
    promise: Annotated[int, typer.Argument(help=_("Number of the promise."))],
    record: Annotated[str, typer.Argument(help=_("Name of the record."))],
) -> None:
    """Take the link of a record back; that it was there stays in the log."""
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.grants import linking

    with opened() as node:
        linking.unlink(node, commander(node), promise, record)


@app.command("promise")
def promise_command(
    award: Annotated[str, typer.Argument(help=_("Number of the award."))],
    title: Annotated[str, typer.Argument(help=_("What the dataset is called."))],
    due: Annotated[str, typer.Option(help=_("By when it is to be released, as 2026-12-31."))] = "",
    tier: Annotated[str, typer.Option(help=_("open, controlled or metadata-only."))] = "open",
    license_: Annotated[str, typer.Option("--license", help=_("Its license."))] = "",
    funder: Annotated[str, typer.Option(help=_("Organization, where several use that number."))] = "",
) -> None:
    """Promise a dataset with an award."""
    from madang.base.console import console
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.grants import service
    from madang.services.grants.plans import Promised

    with opened() as node:
        told = Promised("", title, _day(due), tier, license_)
        made = service.promise_dataset(node, commander(node), award, told, funder)
    console().print(_("It is promise {number}.").format(number=made), markup=False)


@app.command("prolong")
def prolong_command(
    award: Annotated[str, typer.Argument(help=_("Number of the award."))],
    days: Annotated[int, typer.Argument(help=_("By how many days."))],
    funder: Annotated[str, typer.Option(help=_("Organization, where several use that number."))] = "",
) -> None:
    """Move the days of an award's promises."""
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.grants import service

    with opened() as node:
        service.prolong_award(node, commander(node), award, days, funder)


@app.command("cancel")
def cancel_command(
    award: Annotated[str, typer.Argument(help=_("Number of the award."))],
    reason: Annotated[str, typer.Option(help=_("Why, in words."))],
    promise: Annotated[int | None, typer.Option(help=_("Only this promise of it."))] = None,
    funder: Annotated[str, typer.Option(help=_("Organization, where several use that number."))] = "",
) -> None:
    """Cancel the promises of an award, or one of them."""
    from madang.base.console import console
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.grants import service

    count = 1
    with opened() as node:
        if promise is not None:
            service.cancel_promise(node, commander(node), promise, reason)
        else:
            count = service.cancel_award(node, commander(node), award, reason, funder)
    console().print(_("{count} promises were cancelled.").format(count=count), markup=False)


@app.command("funds")
def funds_command(
    promise: Annotated[int, typer.Argument(help=_("Number of the promise."))],
    amount: Annotated[int, typer.Argument(help=_("How much; a negative number puts a mistake right."))],
    text: Annotated[str, typer.Option(help=_("From whom, and for what."))],
    currency: Annotated[str, typer.Option(help=_("Currency, as KRW."))] = "KRW",
) -> None:
    """Enter private funds that came with a promised dataset."""
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.grants import following

    with opened() as node:
        following.enter_funds(node, commander(node), promise, amount, currency, text)


@app.command("remind")
def remind_command() -> None:
    """Write the reminders that are due today; the portal does it by itself every day."""
    from madang.base.console import console
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.grants import reminding

    with opened() as node:
        count = reminding.remind(node, commander(node))
    console().print(_("{count} e-mails were written.").format(count=count), markup=False)


@app.command("template")
def template_command(
    out: Annotated[Path, typer.Argument(help=_("File to write, .xlsx."))],
) -> None:
    """Write an empty table of awards and promised datasets."""
    from madang.lake.files import sentences
    from madang.services.grants import tables

    with sentences(f"write {out}"):
        out.write_bytes(tables.template())


@app.command("excuse")
def excuse_command(
    promise: Annotated[int, typer.Argument(help=_("Number of the promise."))],
    reason: Annotated[str, typer.Option(help=_("illness, no data, patent, consent, publication or other."))],
    text: Annotated[str, typer.Option(help=_("Why, in words."))],
    until: Annotated[str, typer.Option(help=_("Until when, as 2026-12-31."))] = "",
) -> None:
    """Ask to be excused from a promise; somebody else decides."""
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.grants import service

    with opened() as node:
        service.ask_excuse(node, commander(node), promise, reason, text, _day(until))


@app.command("decide")
def decide_command(
    promise: Annotated[int, typer.Argument(help=_("Number of the promise."))],
    allow: Annotated[bool, typer.Option("--allow/--refuse", help=_("What is decided."))],
    text: Annotated[str, typer.Option(help=_("Why, in words."))] = "",
) -> None:
    """Decide on an excuse that somebody else asked for."""
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.grants import service

    with opened() as node:
        service.decide_excuse(node, commander(node), promise, allow=allow, text=text)


def _told(line: Any) -> dict[str, Any]:
    days = {name: getattr(line, name) for name in ("due", "released_on", "excused_until")}
    return {
        "promise": line.promise.id,
        "key": line.promise.key,
        "title": line.promise.title,
        "award": line.award.number,
        "status": line.status,
        "tier": line.tier,
        **{name: day.isoformat() if day is not None else None for name, day in days.items()},
    }


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        message = _("{day} is no day.").format(day=text)
        raise MadangError("command.usage", message, _("Write it as 2026-12-31.")) from None
