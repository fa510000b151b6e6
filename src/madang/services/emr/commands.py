"""`madang fhir`: validate resources, test a system, serve a synthetic one."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from madang.base.translate import _

if TYPE_CHECKING:
    from madang.science.fhir.definitions import Definitions
    from madang.science.fhir.run import Outcome, Setup

app = typer.Typer(no_args_is_help=True, add_completion=False)

WORST = 20  # findings that are shown

Profiles = Annotated[
    list[str] | None,
    typer.Option("--profile", help=_("kr-core, r4, or the URL of a profile; several times.")),
]
Packages = Annotated[
    list[Path] | None, typer.Option("--package", help=_("More definitions: a folder, a file or a package (.tgz)."))
]
Terms = Annotated[list[Path] | None, typer.Option(help=_("CSV with the columns system and code: lists that you have."))]


@app.callback()
def fhir() -> None:
    """Validate FHIR resources, test a record system, serve a synthetic one."""


@app.command()
def validate(
    paths: Annotated[list[Path], typer.Argument(help=_("NDJSON, JSON, XML, .gz, folders; - is standard input."))],
    profile: Profiles = None,
    package: Packages = None,
    terms: Terms = None,
    json_: Annotated[Path | None, typer.Option("--json", help=_("Write the report as JSON."))] = None,
    csv: Annotated[Path | None, typer.Option("--csv", help=_("Write the findings as CSV."))] = None,
    junit: Annotated[Path | None, typer.Option("--junit", help=_("Write the findings as JUnit XML."))] = None,
    workers: Annotated[int | None, typer.Option(help=_("Processes; all cores if not given."), min=1)] = None,
    worst: Annotated[int, typer.Option(help=_("How many findings to show."), min=0)] = WORST,
) -> None:
    """Hold resources against profiles: every finding with its place, rule and repair.

    Exit status 0: no finding of severity error; 1: some; 2: something could not be read.
    """
    from madang.base.console import ProgressBars
    from madang.science.fhir.run import validate_files

    setup = setup_of(profile or ["kr-core"], package or [], terms or [])
    definitions = setup.validator().definitions  # says what is wrong with the options before any file is read
    with ProgressBars() as progress:
        stdin = sys.stdin.buffer if any(str(each) == "-" for each in paths) else None
        outcome = validate_files(paths, setup, workers, progress, stdin)
    show(outcome, definitions, worst)
    _write(outcome, definitions, setup, json_, csv, junit)
    if outcome.exit_code:
        raise typer.Exit(outcome.exit_code)


def setup_of(profiles: list[str], packages: list[Path], terms: list[Path]) -> "Setup":
    """What is to be held against what, from the options."""
    from madang.science.fhir.definitions import SHIPPED
    from madang.science.fhir.run import Setup

    guides = [name for name in profiles if name in SHIPPED]
    guide = "kr-core" if "kr-core" in guides else guides[0] if guides else "r4"
    urls = tuple(name for name in profiles if name not in SHIPPED)
    if any(url.startswith("http://www.hl7korea.or.kr/") for url in urls):
        guide = "kr-core"
    return Setup(guide, tuple(map(str, packages)), urls, tuple(map(str, terms)))


def show(outcome: "Outcome", definitions: "Definitions", worst: int) -> None:
    """Print the numbers of a run and the first findings, errors before warnings."""
    from madang.base.console import console, show_table
    from madang.base.translate import language
    from madang.science.fhir.report import summary_document
    from madang.science.fhir.wording import sentence

    out = console()
    summary = summary_document(outcome, definitions)
    rows = [
        [
            each["profile"].rpartition("/")[2],
            each["resources"],
            each["resources"] - each["with_errors"],
            each["with_errors"],
        ]
        for each in summary["profiles"]
    ]
    show_table(_("Held against"), [_("profile"), _("resources"), _("without errors"), _("with errors")], rows)
    order = {"error": 0, "warning": 1, "information": 2}
    found = sorted(outcome.findings, key=lambda each: order.get(each.severity, 3))
    names = {"error": _("error", "severity"), "warning": _("warning", "severity"), "information": _("note", "severity")}
    for each in found[:worst]:
        where = f"{each.file}:{each.line} {each.resource} {each.place}"
        out.print(f"[{names.get(each.severity, each.severity)}] {where} ({each.rule})", markup=False)
        out.print(f"    {sentence(each.kind, each.about, language())}", markup=False)
    more = len(found) - worst + outcome.more
    if more > 0:
        out.print(
            _("{count:,} more findings; --json, --csv or --junit writes them all.").format(count=more), markup=False
        )
    if summary["cannot_tell"]:
        count = sum(each["count"] for each in summary["cannot_tell"])
        text = _(
            "{count:,} codes, extensions or rules cannot be told: their lists are not at hand (--terms, --package)."
        )
        out.print(text.format(count=count), markup=False)
    for name in outcome.left_out:
        out.print(_("Left out, since it is no FHIR: {file}").format(file=name), markup=False)
    text = _("{resources:,} resources in {files:,} files: {errors:,} errors, {warnings:,} warnings.")
    numbers = summary["findings"]
    out.print(
        text.format(
            resources=summary["resources"], files=summary["files"], errors=numbers["error"], warnings=numbers["warning"]
        ),
        markup=False,
    )


def _write(
    outcome: "Outcome",
    definitions: "Definitions",
    setup: "Setup",
    json_: Path | None,
    csv: Path | None,
    junit: Path | None,
) -> None:
    from madang.science.fhir.report import csv_text, document, junit_text

    if json_ is not None:
        import orjson

        write_file(json_, orjson.dumps(document(outcome, definitions, setup.guide), option=orjson.OPT_INDENT_2))
    if csv is not None:
        write_file(csv, b"\xef\xbb\xbf" + csv_text(outcome).encode())
    if junit is not None:
        write_file(junit, junit_text(outcome).encode())


def write_file(path: Path, data: bytes) -> None:
    """Write a report where somebody asked for it."""
    from madang.lake.files import sentences

    with sentences(f"write {path}"):
        path.write_bytes(data)
