"""`madang contributions`: what a result stands on."""

import json
from pathlib import Path
from typing import Annotated

import typer

from madang.base.translate import _


def command(
    reference: Annotated[str, typer.Argument(help=_("The result: dataset:NAME@3, record:NAME, release:12."))],
    json_: Annotated[Path | None, typer.Option("--json", help=_("Write the statement as JSON to this file."))] = None,
    rule: Annotated[int | None, typer.Option(help=_("Also weigh by this rule, if all parties signed it."))] = None,
) -> None:
    """Say everything that a result stands on, as counts of use."""
    from madang.base.console import console, show_table
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.contributions import service

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
