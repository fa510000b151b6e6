"""`madang quality`: the verdict on a dataset version, and the rows behind it."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from madang.app.commands.quality_profile import profile
from madang.base.translate import _
from madang.node.second_engine import Master, OnEngine, chosen_engine, second_engine

if TYPE_CHECKING:
    from madang.lake import Lake, Version
    from madang.science.quality.model import Assessment, Check, Result

app = typer.Typer(add_completion=False, no_args_is_help=True)

Reference = Annotated[str, typer.Argument(help=_("NAME, or NAME@VERSION."))]
Vocabulary = Annotated[
    str | None, typer.Option(help=_("Vocabulary to look concepts up in; the one it was mapped with if not given."))
]
Cohort = Annotated[int | None, typer.Option(help=_("Only the persons of this definition in the table COHORT."))]
Files = Annotated[
    list[Path] | None, typer.Option("--checks", help=_("TOML file with checks and thresholds of your own; repeatable."))
]

WORST = 20
FAILED_GATE = 3


class FailOn(StrEnum):
    """From which severity on a failure makes the command fail; as `madang.science.quality.model.Severity`."""

    FATAL = "fatal"
    CONVENTION = "convention"
    CHARACTERIZATION = "characterization"


app.command()(profile)


@app.callback()
def quality() -> None:
    """Assess a dataset: all checks of DataQualityDashboard, in seconds."""


@app.command()
def assess(
    reference: Reference,
    json_: Annotated[
        Path | None, typer.Option("--json", help=_("Write the results as DataQualityDashboard does to this file."))
    ] = None,
    html: Annotated[Path | None, typer.Option(help=_("Write the report as one page to this file."))] = None,
    fail_on: Annotated[
        FailOn | None, typer.Option(help=_("End with status 3 if a check of this severity or worse fails or errs."))
    ] = None,
    vocabulary: Vocabulary = None,
    cohort: Annotated[
        list[str] | None,
        typer.Option(help=_("Also the persons of this definition in the table COHORT; repeatable, or `all`.")),
    ] = None,
    own: Files = None,
    vocabulary_tables: Annotated[
        bool, typer.Option("--vocabulary-tables", help=_("Also check the tables of the vocabulary."))
    ] = False,
    compatible: Annotated[
        bool, typer.Option("--compatible", help=_("Answer as DataQualityDashboard does even where it is at fault."))
    ] = False,
    worst: Annotated[int, typer.Option(min=0, help=_("How many of the worst failures to show."))] = WORST,
    engine: OnEngine = "duckdb",
    master: Master = "",
) -> None:
    """Ask all checks, and show the verdict and the worst failures. Counts only, no rows."""
    from madang.base.console import ProgressBars
    from madang.base.errors import MadangError
    from madang.science.omop.release import mapped_with
    from madang.science.quality import assess_all, default_checks
    from madang.science.quality.custom import with_files
    from madang.services.datasets import read
    from madang.services.datasets.acts import ASSESS

    if chosen_engine(engine) == "spark" and (cohort or own or compatible):
        raise MadangError(
            "quality.spark",
            _("On Spark, a whole version is asked: no cohorts, no checks of one's own, not `compatible`."),
            _("Leave these out, or leave --engine spark out."),
        )
    checks = with_files(default_checks(vocabulary_tables, compatible), own or [])
    lake = _lake()
    version = lake.find(reference)
    release = lake.find(vocabulary) if vocabulary else mapped_with(lake, version)
    read(ASSESS, version)
    with ProgressBars() as progress, second_engine(engine, master, release, version) as second:
        done = assess_all(
            version,
            release,
            cohorts=_cohorts(cohort or []),
            checks=checks,
            compatible=compatible,
            progress=progress,
            second=second,
        )
    show(done[0], worst)
    if len(done) > 1:
        _show_cohorts(done)
    for each in done:
        if json_ is not None:
            import orjson

            from madang.science.quality.peer import peer_document

            write_file(_named(json_, each), orjson.dumps(peer_document(each), option=orjson.OPT_INDENT_2))
        if html is not None:
            from madang.science.quality.report import page

            write_file(_named(html, each), page(each).encode())
    if fail_on is not None and any(_fails(each, fail_on) for each in done):
        raise typer.Exit(FAILED_GATE)


@app.command()
def rows(
    reference: Reference,
    check: Annotated[str, typer.Argument(help=_("Identifier of a check, as the report shows it."))],
    limit: Annotated[int, typer.Option(min=1, help=_("Most rows."))] = 1000,
    vocabulary: Vocabulary = None,
    cohort: Cohort = None,
    own: Files = None,
    lines: Annotated[bool, typer.Option("--lines", help=_("Also show the source file and line of each row."))] = False,
    engine: OnEngine = "duckdb",
    master: Master = "",
) -> None:
    """Show the rows that violate a check: primary keys, the fields it looks at, source file and line."""
    from madang.base.console import show_table
    from madang.science.omop.release import mapped_with
    from madang.science.quality.rows import find
    from madang.services.datasets import read
    from madang.services.datasets.acts import SQL

    lake = _lake()
    version = lake.find(reference)
    read(SQL, version, f"rows that violate {check}")
    found = _check(check, own or [])
    words = lake.find(vocabulary) if vocabulary else mapped_with(lake, version)
    with second_engine(engine, master, words, version) as second:
        table = find(version, found, words, limit=limit, cohort=cohort, second=second)
    names, values = list(table.column_names), [list(row.values()) for row in table.to_pylist()]
    if lines:
        names.append(_("source lines"))
        for row, place in zip(values, _places(version, found, [row[0] for row in values]), strict=True):
            row.append(place)
    show_table(found.id, names, [[None if value is None else str(value) for value in row] for row in values])


@app.command()
def compare(before: Reference, after: Reference, vocabulary: Vocabulary = None) -> None:
    """Assess two versions, or two sites, and show the checks whose answers differ."""
    from madang.base.console import ProgressBars, console, show_table
    from madang.science.quality import assess as ask
    from madang.science.quality.compare import differences
    from madang.science.quality.wording import status_name

    lake = _lake()
    words = lake.find(vocabulary) if vocabulary else None
    with ProgressBars() as progress:
        one, two = (ask(lake.find(name), words, progress=progress) for name in (before, after))
    rows_ = [
        [change.check.id, status_name(change.before.status), status_name(change.after.status), *_shares(change)]
        for change in differences(one, two)
    ]
    show_table(_("Different answers"), [_("check"), before, after, _("share before"), _("share after")], rows_)
    if one.vocabulary != two.vocabulary:
        text = _("The vocabulary releases differ: {before} and {after}.")
        console().print(text.format(before=one.vocabulary or "-", after=two.vocabulary or "-"), markup=False)


def show(done: "Assessment", worst: int = WORST) -> None:
    """Print the verdict of an assessment: by category and severity, then the worst failures."""
    from madang.base.console import console, show_table
    from madang.science.quality.compare import worst_first
    from madang.science.quality.model import Severity, Status
    from madang.science.quality.wording import category_name, hint, sentence, severity_name, status_name

    out = console()
    title = _("Quality of {name}, {seconds} s").format(
        name=f"{done.dataset}@{done.version}", seconds=f"{done.seconds:.1f}"
    )
    rows_: list[list[object]] = []
    for category in ("Conformance", "Completeness", "Plausibility"):
        for severity in Severity:
            counted = [done.count(status, severity, category) for status in Status]
            if any(counted):
                rows_.append([category_name(category), severity_name(severity), *counted])
    rows_.append([_("all"), "", *(done.count(status) for status in Status)])
    show_table(title, [_("category"), _("severity"), *(status_name(status) for status in Status)], rows_)
    bad = worst_first(done)
    for result in bad[:worst]:
        out.print(f"{_mark(result)} {sentence(result)}", markup=False)
        advice = hint(result.check)
        if advice:
            out.print(f"    {advice}", markup=False)
        out.print(f"    {result.check.id}", markup=False, style="dim")
    if len(bad) > worst:
        out.print(_("{count} more; --worst shows more of them.").format(count=len(bad) - worst), markup=False)
    if "other_vocabulary" in done.about:
        out.print(str(done.about["other_vocabulary"]), markup=False)


def _mark(result: "Result") -> str:
    from madang.science.quality.model import Status
    from madang.science.quality.wording import severity_name

    return "[" + (_("error") if result.status is Status.ERROR else severity_name(result.check.severity)) + "]"


def _shares(change: Any) -> list[str]:
    from madang.science.quality.wording import percent

    return [percent(change.before), percent(change.after)]


def _fails(done: "Assessment", fail_on: FailOn) -> bool:
    """Whether a check of this severity or a worse one failed, or any check could not be answered."""
    from madang.science.quality.model import Severity, Status

    order = list(Severity)
    counts = order[: order.index(Severity(fail_on.value)) + 1]
    return any(
        result.status in (Status.FAILED, Status.ERROR) and result.check.severity in counts for result in done.results
    )


def _cohorts(wanted: list[str]) -> list[int] | None:
    """The cohorts that were asked for; None for all there are."""
    from madang.base.errors import MadangError

    if "all" in wanted:
        return None
    for text in wanted:
        if not text.lstrip("-").isdecimal():
            raise MadangError(
                "quality.cohort", _("{text} is no number of a cohort.").format(text=text), _("Or write `all`.")
            )
    return [int(text) for text in wanted]


def _named(path: Path, done: "Assessment") -> Path:
    """The file for an assessment: the one that was named, with the number of a cohort in its name."""
    return path if done.cohort is None else path.with_name(f"{path.stem}-cohort-{done.cohort}{path.suffix}")


def _show_cohorts(done: "list[Assessment]") -> None:
    from madang.base.console import show_table
    from madang.science.quality.model import Severity, Status
    from madang.science.quality.wording import status_name

    rows_ = [
        [
            _("all") if each.cohort is None else str(each.cohort),
            each.persons,
            *(each.count(status) for status in Status),
            each.count(Status.FAILED, Severity.FATAL),
            f"{each.seconds:.1f}",
        ]
        for each in done
    ]
    columns = [_("cohort"), _("persons"), *(status_name(status) for status in Status), _("fatal"), _("seconds")]
    show_table(_("By cohort"), columns, rows_)


def _check(identifier: str, files: list[Path]) -> "Check":
    from difflib import get_close_matches

    from madang.base.errors import MadangError
    from madang.science.quality import default_checks
    from madang.science.quality.custom import with_files

    checks = {check.id: check for check in with_files(default_checks(vocabulary=True), files)}
    if identifier not in checks:
        near = get_close_matches(identifier, checks, 1, 0.5)
        hint = _("Did you mean {name}?").format(name=near[0]) if near else ""
        raise MadangError("quality.no_check", _("There is no check {name}.").format(name=repr(identifier)), hint)
    return checks[identifier]


def _places(version: "Version", check: "Check", keys: list[Any]) -> list[str]:
    """Source file and line of each row, as far as they are known."""
    from madang.base.errors import MadangError
    from madang.lake.engine import Engine
    from madang.science.standardize.trace import Tracer

    table = "person" if check.name == "measurePersonCompleteness" else check.table
    with Engine() as engine:
        tracer = Tracer(version, engine)
        places = []
        for key in keys:
            try:
                found = tracer.row(table, int(key)).lines
            except (MadangError, TypeError, ValueError):
                found = ()
            places.append(", ".join(f"{line.file.name}:{line.line}" for line in found))
    return places


def _lake() -> "Lake":
    from madang.node.home import Home

    return Home.find().lake()


def write_file(path: Path, data: bytes) -> None:
    """Write a report where somebody asked for it."""
    from madang.lake.files import explain

    try:
        path.write_bytes(data)
    except OSError as error:
        raise explain(error, f"write {path}") from None
