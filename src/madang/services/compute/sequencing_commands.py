"""`madang sequencing`: from reads to small variants; references; questions by region and gene. For research use."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from madang.base.translate import _

if TYPE_CHECKING:
    from madang.node.node import Node
    from madang.node.people.actor import Actor

app = typer.Typer(no_args_is_help=True, add_completion=False)
run_app = typer.Typer(no_args_is_help=True, add_completion=False)
bundle_app = typer.Typer(no_args_is_help=True, add_completion=False)
app.add_typer(run_app, name="run", help=_("Run a pipeline."))
app.add_typer(bundle_app, name="bundle", help=_("References: genomes with genes and known sites."))


@run_app.callback()
def _run() -> None:
    """Run a pipeline on reads, as a task in a closed box."""


@run_app.command("germline")
def germline_command(
    reads: Annotated[list[str], typer.Option("--reads", help=_("Files of reads: R1, or R1 R2."))],
    reference: Annotated[str, typer.Option(help=_("A FASTA file, a folder with one, or the name of a reference."))],
    more: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,
    sample: Annotated[str, typer.Option(help=_("Name of the sample."))] = "",
    out: Annotated[Path | None, typer.Option(help=_("Copy what comes of it to this new folder."))] = None,
    cores: Annotated[int, typer.Option(min=1, help=_("Cores."))] = 1,
    memory: Annotated[str, typer.Option(help=_("Memory, as 500M or 4G."))] = "4G",
    time: Annotated[str, typer.Option(help=_("The longest time, as 90s, 30m or 1h."))] = "1d",
    ploidy: Annotated[int | None, typer.Option(min=1, max=2, help=_("1 or 2; else what the reference says."))] = None,
    project: Annotated[str, typer.Option(help=_("Name of the project whose task it is."))] = "",
    detach: Annotated[bool, typer.Option("--detach", help=_("Do not wait for the end."))] = False,
    as_json: Annotated[bool, typer.Option("--json", help=_("Print JSON."))] = False,
) -> None:
    """Trim, align, call small variants, measure coverage, and write a report. For research, not for diagnosis."""
    from madang.base.errors import MadangError
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.science.sequencing import check_reads
    from madang.science.sequencing.tools import check_tools
    from madang.services.compute import sequencing
    from madang.services.compute.commands import copy_outputs, finish
    from madang.services.compute.definition import seconds_of, size_of

    files = [*reads, *(more or [])]
    if out is not None and out.exists():
        raise MadangError("task.folder", _("{path} is there already.").format(path=out), _("Name a new folder."))
    check_tools()
    if all(not each.startswith("madang://") for each in files):
        check_reads([Path(each) for each in files])
    with opened() as node:
        actor = commander(node)
        address, kind = _reference(node, actor, reference, project)
        wanted = sequencing.Wanted(
            tuple(_address(node, actor, each, project) for each in files),
            address,
            *(sample, cores, size_of(memory), seconds_of(time), ploidy, kind),
        )
        task = sequencing.ask_germline(node, actor, wanted, project)
        finish(node, actor, task, detach, as_json)
        if out is not None and not detach:
            copy_outputs(node, actor, task.id, out)


def _address(node: "Node", actor: "Actor", given: str, project: str) -> str:
    from madang.services.compute.commands import input_of

    return input_of(node, actor, given, project)["url"]


def _reference(node: "Node", actor: "Actor", given: str, project: str) -> tuple[str, str]:
    """The address of a reference, and whether it is a file or a folder; names of this home come second."""
    from madang.science.sequencing import find_bundle
    from madang.services.compute import sequencing

    path = Path(given)
    if path.exists():
        find_bundle(path)
        if actor.kind == "owner" or path.is_file():
            return _address(node, actor, given, project), "DIRECTORY" if path.is_dir() else "FILE"
    sequencing.reference_folder(node, given)
    return f"madang://reference/{given}", "DIRECTORY"


@app.command("variants")
def variants_command(
    number: Annotated[int, typer.Argument(help=_("Number of the task."), min=1, max=2**31 - 1)],
    region: Annotated[str, typer.Option(help=_("A region, as chr1:1,000-2,000."))] = "",
    gene: Annotated[str, typer.Option(help=_("Name of a gene."))] = "",
    most: Annotated[int, typer.Option(min=1, max=100_000, help=_("At most so many."))] = 200,
    as_json: Annotated[bool, typer.Option("--json", help=_("Print JSON."))] = False,
) -> None:
    """The variants of a run in a region or a gene."""
    from madang.base.console import show_table
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.compute import sequencing

    with opened() as node:
        found = sequencing.variants_of(node, commander(node), number, region, gene, most)
    if as_json:
        print(json.dumps(found, ensure_ascii=False))
        return
    keys = ("chrom", "pos", "ref", "alt", "qual", "genotype", "depth", "gene")
    rows = [[each[key] if each[key] is not None else "" for key in keys] for each in found]
    show_table(_("Variants"), list(keys), rows)


@bundle_app.command("add")
def add_command(
    name: Annotated[str, typer.Argument(help=_("Short name: small letters, digits, dots, hyphens."))],
    genome: Annotated[Path, typer.Option(help=_("A FASTA file, or a folder with one."))],
    genes: Annotated[Path | None, typer.Option(help=_("Genes as BED, GFF3 or GTF."))] = None,
    title: Annotated[str, typer.Option(help=_("The title."))] = "",
    source: Annotated[str, typer.Option(help=_("Where it came from."))] = "",
    license_: Annotated[str, typer.Option("--license", help=_("Its license."))] = "",
    ploidy: Annotated[int, typer.Option(min=1, max=2, help=_("1 or 2."))] = 2,
) -> None:
    """Keep a reference under a name, with its indexes, as the next version."""
    from madang.base.console import console
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.compute import sequencing

    told = {"title": title or name, "source": source, "license": license_, "ploidy": ploidy}
    with opened() as node:
        made = sequencing.add_reference(node, commander(node), name, genome, told, genes)
    console().print(f"{made.reference}  {made.sha256}", markup=False)


@bundle_app.command("list")
def list_command() -> None:
    """The references that are kept here."""
    from madang.base.console import show_table
    from madang.node.node import opened
    from madang.services.compute import sequencing

    with opened() as node:
        found = sequencing.references(node)
    rows = [[each.reference, each.title, each.source, each.license, each.sha256[:16]] for each in found]
    show_table(_("References"), [_("name"), _("title"), _("source"), _("license"), "SHA-256"], rows)
