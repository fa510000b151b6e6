"""`madang discovery sequences`: antibodies and peptides, their loops, liabilities, and which are alike."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from madang.base.translate import _
from madang.services.discovery.command_library import JsonOut, write_json

app = typer.Typer(no_args_is_help=True, add_completion=False, help=_("Antibodies and peptides as sequences."))

Name = Annotated[str, typer.Argument(help=_("Name of the dataset of sequences."))]
PRINTED = 30


@app.command("add")
def add_command(
    name: Name,
    files: Annotated[list[Path], typer.Argument(help=_("FASTA, or CSV with columns id and sequence."))],
    json_out: JsonOut = None,
) -> None:
    """Add sequences; every one is taken, or refused with its reason."""
    from madang.base.console import console, show_table
    from madang.lake.files import sentences
    from madang.node.home import Home
    from madang.science.chemistry.sequences import add_sequences

    dataset = Home.find().lake().dataset(name)
    refused = []
    for file in files:
        with sentences(f"read {file}"):
            text = file.read_text(encoding="utf-8-sig", errors="replace")
        version, some = add_sequences(dataset, text)
        refused += some
    if json_out:
        write_json(json_out, {"version": version.name, "refused": [asdict(each) for each in refused]})
    rows = [[each.line, each.name, each.problem] for each in refused[:PRINTED]]
    show_table(_("Refused"), [_("Line"), _("Name"), _("Reason")], rows)
    text = _("{version}: {count} sequences.").format(version=version.name, count=version.info["sequences"])
    console().print(text, markup=False)


@app.command("show")
def show_command(
    name: Name,
    near: Annotated[str, typer.Option(help=_("Order by how alike the loops are to those of this sequence."))] = "",
    top: Annotated[int, typer.Option(min=1, help=_("At most so many."))] = 30,
    json_out: JsonOut = None,
) -> None:
    """Show sequences with their loops and liabilities; with --near the most alike first."""
    from madang.base.console import show_table
    from madang.node.home import Home
    from madang.science.chemistry.sequences import all_of, find_alike

    found = find_alike(all_of(Home.find().lake().find(name)), near, top)
    if json_out:
        write_json(json_out, [asdict(each) | {"alike": score} for each, score in found])
    rows = [
        [
            each.id,
            each.chain,
            *each.loops(),
            each.isoelectric,
            ", ".join(f"{risk.kind} {risk.place}" for risk in each.risks if risk.loop or not each.chain),
            "" if score is None else f"{score:.3f}",
        ]
        for each, score in found
    ]
    columns = [_("Name"), _("Chain"), "CDR1", "CDR2", "CDR3", "pI", _("Liabilities in loops"), _("Alike")]
    show_table(name, columns, rows)
