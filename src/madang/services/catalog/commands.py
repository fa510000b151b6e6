"""`madang record`: records of the catalog in the forms that others read."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from madang.base.translate import _

app = typer.Typer(no_args_is_help=True, add_completion=False)
PATIENCE = 600  # seconds that a command waits for a version to be prepared
Name = Annotated[str, typer.Argument(help=_("The record, as its address names it."))]


@app.command("export")
def export(
    name: Name,
    form: Annotated[
        str, typer.Option("--as", help="dcat-ap, healthdcat-ap, datacite, schema.org, croissant, ro-crate")
    ],
    syntax: Annotated[
        str, typer.Option("--syntax", help=_("json-ld or turtle; xml or json for DataCite. The first is the default."))
    ] = "",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help=_("Write it to this file instead of the screen."))
    ] = None,
) -> None:
    """Write a record in a form that other catalogs read."""
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.catalog import exporting

    with opened() as node:
        content, _media, _file = exporting.export(node, commander(node), name, form, syntax)
    if out is not None:
        out.write_bytes(content)
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


@app.command("doi")
def doi(
    name: Name,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=_("Show what would be sent, and send nothing."))] = False,
    event: Annotated[
        str, typer.Option(help=_("publish (findable), register (registered), hide; empty: a draft."))
    ] = "publish",
) -> None:
    """Have DataCite register a DOI for a published record, or know it as it is described now."""
    import json

    from madang.base.console import console
    from madang.base.errors import MadangError
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.catalog import identifying

    if event not in identifying.EVENTS:
        known = ", ".join(filter(None, identifying.EVENTS))
        raise MadangError("catalog.doi", _("There is no event {name!r}.").format(name=event), known)
    with opened() as node:
        if dry_run:
            print(json.dumps(identifying.document(node, commander(node), name, event), ensure_ascii=False, indent=1))
            return
        given = identifying.register(node, commander(node), name, event)
    console().print(f"https://doi.org/{given}", markup=False)


@app.command("check-files")
def check_files() -> None:
    """Hash every file of what is published now, and say what is damaged; exit 1 if something is."""
    from madang.base.console import ProgressBars, console
    from madang.node.database import now
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.catalog import hashing

    with opened() as node, ProgressBars() as progress:
        hashing.check_files(node, commander(node), now(), progress)
        with node.read() as session:
            bad = [each.name for each in hashing.damaged_records(session)]
    console().print(
        _("Damaged: {names}").format(names=", ".join(bad)) if bad else _("Every file is whole."), markup=False
    )
    raise typer.Exit(1 if bad else 0)


@app.command("describe")
def describe(
    name: Name,
    fields: Annotated[list[str], typer.Argument(help=_("Such as contact=help@example.org keyword=kidney,reads."))],
) -> None:
    """Say more of a record, field by field as its page has them."""
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.catalog import service

    told = {field.partition("=")[0]: field.partition("=")[2] for field in fields}
    with opened() as node:
        service.describe(node, commander(node), name, **told)


@app.command("publish")
def publish(
    name: Name,
    number: Annotated[int, typer.Option("--version", help=_("Its version; without it the newest."))] = 0,
) -> None:
    """Let everybody find a version of a record, once it is prepared."""
    import time

    from madang.base.console import console
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.catalog import service

    with opened() as node:
        actor = commander(node)
        for _second in range(2 * PATIENCE):  # its profile is made by a job
            versions = service.see(node, actor, name).versions
            wanted = number or max((each.number for each in versions), default=0)
            if not any(each.number == wanted and each.state == "preparing" for each in versions):
                break
            time.sleep(0.5)
        service.publish(node, actor, name, wanted)
    console().print(_("Version {number} of {name} is published.").format(number=wanted, name=name), markup=False)


@app.command("validate")
def validate(
    name: Name,
    form: Annotated[str, typer.Option("--as", help=_("Only this form."))] = "",
    json_: Annotated[bool, typer.Option("--json", help=_("As JSON."))] = False,
) -> None:
    """Say for each form whether the record is valid in it, and what would raise it; exit 1 if it is not."""
    import json

    from madang.base.console import console, show_table
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.catalog import exporting
    from madang.services.catalog.forms import find_form

    if form:
        find_form(form)
    with opened() as node:
        record, reports = exporting.reports(node, commander(node), name)
    reports = [each for each in reports if form in ("", each.form)]
    valid = all(each.valid for each in reports)
    if json_:
        forms = [
            {
                "form": each.form,
                "knows": each.known,
                "valid": each.valid,
                "findings": [
                    {"severity": f.severity, "field": f.field, "message": f.message, "hint": f.hint}
                    for f in each.findings
                ],
            }
            for each in reports
        ]
        print(json.dumps({"record": record.name, "valid": valid, "forms": forms}, ensure_ascii=False, indent=1))
    else:
        names = {"violation": _("wrong"), "advice": _("advice")}
        rows = [
            [each.form, each.known, _("valid") if each.valid else _("not valid"), str(len(each.findings))]
            for each in reports
        ]
        columns = [_("form"), _("version"), _("verdict"), _("findings")]
        show_table(_("{name} in every form").format(name=record.name), columns, rows)
        for found in dict.fromkeys(f for each in reports for f in each.findings):
            said = f"{names[found.severity]}: {found.field}: {found.message} {found.hint}".strip()
            console().print(f"  {said} ({', '.join(f for f in found.forms)})", markup=False)
    if not valid:
        raise typer.Exit(1)
