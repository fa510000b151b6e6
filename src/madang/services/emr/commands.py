"""`madang fhir`: validate resources, test a system, serve a synthetic one."""

import sys
from collections.abc import Sequence
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
    strict: Annotated[
        bool, typer.Option("--strict", help=_("Refuse extensions whose definition is not at hand."))
    ] = False,
    refuse: Annotated[
        list[str] | None,
        typer.Option(help=_("What FHIR allows and a receiver may refuse: markup in texts, examples (example URLs).")),
    ] = None,
    references: Annotated[
        str,
        typer.Option(
            help=_("Of references: none (as they are), type (may not name another type), exist (and lead somewhere).")
        ),
    ] = "type",
    entry: Annotated[
        list[str] | None,
        typer.Option(help=_("A profile for entries of a Bundle: Patient=URL, or Patient:0=URL for the first one.")),
    ] = None,
    workers: Annotated[int | None, typer.Option(help=_("Processes; all cores if not given."), min=1)] = None,
    worst: Annotated[int, typer.Option(help=_("How many findings to show."), min=0)] = WORST,
) -> None:
    """Hold resources against profiles: every finding with its place, rule and repair.

    Exit status 0: no finding of severity error; 1: some; 2: something could not be read.
    """
    from madang.base.console import ProgressBars
    from madang.science.fhir.run import validate_files

    setup = setup_of(profile or ["kr-core"], package or [], terms or [], strict, refuse or [], references, entry or [])
    definitions = setup.validator().definitions  # says what is wrong with the options before any file is read
    with ProgressBars() as progress:
        stdin = sys.stdin.buffer if any(str(each) == "-" for each in paths) else None
        outcome = validate_files(paths, setup, workers, progress, stdin)
    show(outcome, definitions, worst)
    _write(outcome, definitions, setup, json_, csv, junit)
    if outcome.exit_code:
        raise typer.Exit(outcome.exit_code)


Only = Annotated[list[str] | None, typer.Option(help=_("Run only these tests: an id or the beginning of one."))]


@app.command("test")
def kit_command(
    target: Annotated[str, typer.Argument(help=_("Base URL of an endpoint, or a folder with exported resources."))],
    json_: Annotated[Path | None, typer.Option("--json", help=_("Write the signed report."))] = None,
    token: Annotated[str | None, typer.Option(envvar="MADANG_FHIR_TOKEN", help=_("A ready access token."))] = None,
    client: Annotated[str | None, typer.Option(help=_("Client id for SMART backend services."))] = None,
    key: Annotated[Path | None, typer.Option(help=_("Private key of the client, a JWK file."))] = None,
    authority: Annotated[
        Path | None, typer.Option(help=_("Certificates to trust besides the usual ones (PEM)."))
    ] = None,
    only: Only = None,
    package: Packages = None,
    terms: Terms = None,
    resume: Annotated[Path | None, typer.Option(help=_("Go on with the report of a run that was stopped."))] = None,
    junit: Annotated[Path | None, typer.Option("--junit", help=_("Write the results as JUnit XML."))] = None,
    challenge: Annotated[
        Path | None, typer.Option(help=_("A challenge that a body drew: its records have to come back."))
    ] = None,
) -> None:
    """Test an endpoint, or an exported folder, against the KR Core server statement. The report is a self-declaration.

    Exit status 0: nothing that the guide demands failed; 1: something did; 2: it could not be tested.
    """
    from madang.services.emr.testing import credentials_of, run_kit, show_report

    given = credentials_of(target, token, client, key)
    report = run_kit(
        target,
        setup_of(["kr-core"], package or [], terms or []),
        given,
        authority,
        tuple(only or ()),
        resume,
        challenge,
    )
    show_report(report)
    if json_ is not None:
        import orjson

        write_file(json_, orjson.dumps(report, option=orjson.OPT_INDENT_2))
    if junit is not None:
        from madang.services.emr.testing import junit_text

        write_file(junit, junit_text(report).encode())
    if report["summary"]["fail"]:
        raise typer.Exit(1)


@app.command()
def challenge(
    login: Annotated[str, typer.Argument(help=_("Account of the applicant."))],
    product: Annotated[str, typer.Option(help=_("The product."))],
    version: Annotated[str, typer.Option(help=_("Its version."))],
    out: Annotated[Path, typer.Option(help=_("Write the signed challenge."))],
    days: Annotated[int, typer.Option(help=_("Days to answer."), min=1)] = 14,
    persons: Annotated[int, typer.Option(help=_("Persons to draw."), min=1)] = 3,
) -> None:
    """Draw a challenge: records that a system has to give back as they went in. For the body that assesses."""
    from madang.base.console import console
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.emr.challenges import draw

    with opened() as node:
        made = draw(node, commander(node), login, product, version, days, persons)
    write_file(out, made.document.encode())
    console().print(_("Challenge {number} was drawn: {path}").format(number=made.id, path=out), markup=False)


@app.command()
def bring(
    target: Annotated[str, typer.Argument(help=_("Base URL of an endpoint, or a folder with exported resources."))],
    into: Annotated[str, typer.Option(help=_("Name of the dataset."))],
    vocabulary: Annotated[str, typer.Option(help=_("A loaded vocabulary's name, or `starter`."))] = "starter",
    token: Annotated[str | None, typer.Option(envvar="MADANG_FHIR_TOKEN", help=_("A ready access token."))] = None,
    client: Annotated[str | None, typer.Option(help=_("Client id for SMART backend services."))] = None,
    key: Annotated[Path | None, typer.Option(help=_("Private key of the client, a JWK file."))] = None,
    authority: Annotated[
        Path | None, typer.Option(help=_("Certificates to trust besides the usual ones (PEM)."))
    ] = None,
) -> None:
    """Fetch the records of a system, or of a folder, and standardize those that conform by the pack fhir-r4."""
    from madang.base.console import ProgressBars
    from madang.services.emr.bringing import bring_here, show_brought
    from madang.services.emr.testing import credentials_of

    with ProgressBars() as progress:
        said = bring_here(target, into, vocabulary, credentials_of(target, token, client, key), authority, progress)
    show_brought(said)


@app.command()
def scheme(
    name: Annotated[str, typer.Argument(help=_("Name of a scheme for products."))] = "emr-korea",
    report: Annotated[Path | None, typer.Option(help=_("Hold this report against it."))] = None,
    write: Annotated[Path | None, typer.Option(help=_("Write the file of the scheme, to be filled in."))] = None,
) -> None:
    """Show a scheme for record systems: what is public, what a test shows, what the body fills in."""
    from madang.node.home import Home
    from madang.services.emr.schemes import scheme_bytes, show_scheme

    home = Home.find()
    if write is not None:
        write_file(write, scheme_bytes(home, name))
        return
    show_scheme(home, name, report)


@app.command()
def serve(
    dataset: Annotated[str, typer.Argument(help=_("NAME or NAME@VERSION of a CDM dataset, or a folder of resources."))],
    port: Annotated[int, typer.Option(help=_("0 takes any free one."), min=0, max=65535)] = 8085,
    host: Annotated[str, typer.Option(help=_("Address to listen on."))] = "127.0.0.1",
    persons: Annotated[int, typer.Option(help=_("How many persons of a dataset."), min=1, max=5000)] = 100,
    open_: Annotated[bool, typer.Option("--open", help=_("Ask for no token."))] = False,
) -> None:
    """Serve a synthetic hospital as a KR Core endpoint: read, search, bulk export, SMART backend services."""
    from madang.base.console import console
    from madang.node.home import Home
    from madang.services.emr.serving import client_file, listen, make_endpoint, run

    home = Home.find()
    sock = listen(host, port)
    base = f"http://{f'[{host}]' if ':' in host else host}:{sock.getsockname()[1]}/fhir"
    endpoint = make_endpoint(home, dataset, base, persons, open_)
    count = sum(map(len, endpoint.store.values()))
    out = console()
    out.print(
        _("KR Core endpoint with {count:,} synthetic resources: {base}").format(count=count, base=base), markup=False
    )
    if not open_:
        text = _("`madang fhir test {base}` on this machine finds its key in {path}.")
        out.print(text.format(base=base, path=client_file(home, base)), markup=False)
    out.file.flush()
    run(endpoint, sock, "/fhir")


@app.command()
def verify(
    report: Annotated[Path, typer.Argument(help=_("A report that `madang fhir test --json` wrote."))],
    key: Annotated[Path | None, typer.Option(help=_("Public keys that you trust; else those of this node."))] = None,
) -> None:
    """Say whether a conformance report is what a node signed, and not changed since. Exit status 3 if it is not."""
    from madang.base.console import console
    from madang.node.home import Home
    from madang.node.signing import public_keys, read_keys
    from madang.services.emr.signed import read_report, verify_report

    keys = read_keys(key.read_bytes(), key.name) if key is not None else public_keys(Home.find())
    good, sentence = verify_report(read_report(report), keys)
    console().print(sentence, markup=False)
    if not good:
        raise typer.Exit(3)


def setup_of(
    profiles: list[str],
    packages: list[Path],
    terms: list[Path],
    strict: bool = False,
    refused: Sequence[str] = (),
    references: str = "type",
    entries: Sequence[str] = (),
) -> "Setup":
    """What is to be held against what, from the options."""
    from madang.base.errors import MadangError
    from madang.science.fhir.compiler import REFERENCES, REFUSABLE
    from madang.science.fhir.definitions import SHIPPED
    from madang.science.fhir.run import Setup

    guides = [name for name in profiles if name in SHIPPED]
    guide = "kr-core" if "kr-core" in guides else guides[0] if guides else "r4"
    urls = tuple(name for name in profiles if name not in SHIPPED)
    if any(url.startswith("http://www.hl7korea.or.kr/") for url in urls):
        guide = "kr-core"
    for name in refused:
        if name not in REFUSABLE:
            raise MadangError(
                "fhir.refuse",
                _("{name} cannot be refused.").format(name=name),
                _("It is one of {names}.").format(names=", ".join(REFUSABLE)),
            )
    if references not in REFERENCES:
        raise MadangError(
            "fhir.references",
            _("{name} is no way to look at references.").format(name=repr(references)),
            _("It is one of {names}.").format(names=", ".join(REFERENCES)),
        )
    files, lists = tuple(map(str, packages)), tuple(map(str, terms))
    return Setup(guide, files, urls, lists, strict, tuple(refused), references, tuple(entries))


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
    names = {"error": _("error", "severity"), "warning": _("warning", "severity"), "information": _("note", "finding")}
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
