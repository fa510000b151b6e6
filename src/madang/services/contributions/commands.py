"""`madang contributions`: what a result stands on, or how the data of an institution were used."""

import json
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from madang.base.errors import MadangError
from madang.base.translate import _


def command(
    reference: Annotated[
        str,
        typer.Argument(help=_("Result: dataset:NAME@3, record:NAME, release:12; or organization:NAME.")),
    ],
    json_: Annotated[Path | None, typer.Option("--json", help=_("Write the statement as JSON to this file."))] = None,
    rule: Annotated[int | None, typer.Option(help=_("Also weigh by this rule, if all parties signed it."))] = None,
    since: Annotated[str, typer.Option(help=_("Of a holder: from this day, as 2026-01-01."))] = "",
    until: Annotated[str, typer.Option(help=_("Of a holder: until this day."))] = "",
) -> None:
    """Say everything that a result stands on, as counts of use; or how a holder's data were used, by month."""
    from madang.base.console import console, show_table
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.contributions import service

    kind, _colon, name = reference.partition(":")
    if kind == "organization":
        _show_use(name, since, until, json_)
        return
    with opened() as node:
        found = service.statement_of(node, commander(node), reference)
        weights = service.weights_of(node, found, rule) if rule is not None else {}
    document = service.document(found)
    if weights:
        document["calculation example, not a claim"] = {name: str(share) for name, share in weights.items()}
    if json_ is not None:
        text = json.dumps(document, ensure_ascii=False, indent=1)
        print(text) if str(json_) == "-" else json_.write_text(text, "utf-8")
        return
    rows = [[thing.kind, thing.title or thing.reference, found.used[thing.reference]] for thing in found.things]
    show_table(_("What {name} stands on").format(name=reference), [_("kind"), _("name"), _("uses")], rows)
    if weights:
        rows = [[name, str(share), f"{float(share):.1%}"] for name, share in weights.items()]
        show_table(_("Calculation example, not a claim"), [_("contributor"), _("share", "of the whole"), ""], rows)
    for name in found.missing:
        console().print(_("The room {name} is not installed and could not say what it knows.").format(name=name))


def _show_use(name: str, since: str, until: str, out: Path | None) -> None:
    from madang.base.console import show_table
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.contributions import using

    with opened() as node:
        found = using.use_by_holder(node, commander(node), name, _day(since), _day(until))
    if out is not None:
        told = [{"record": each.dataset, "month": each.month, "counts": each.counts} for each in found]
        text = json.dumps({"organization": name, "periods": told}, ensure_ascii=False, indent=1)
        print(text) if str(out) == "-" else out.write_text(text, "utf-8")
        return
    rows = [[each.dataset, each.month, *(each.counts.get(kind, 0) for kind in using.KINDS)] for each in found]
    show_table(_("How the data of {name} were used").format(name=name), [_("record"), _("month"), *using.KINDS], rows)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        message = _("{day} is no day.").format(day=text)
        raise MadangError("command.usage", message, _("Write it as 2026-12-31.")) from None
