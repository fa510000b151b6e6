"""`madang privacy`: measure how risky a table is, and make it anonymous."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from madang.base.translate import _

if TYPE_CHECKING:
    from madang.science.privacy.hierarchy import Hierarchy

app = typer.Typer(add_completion=False, no_args_is_help=True)

File = Annotated[Path, typer.Argument(help=_("CSV file (comma, semicolon, tab; UTF-8 or CP949), may be .gz."))]
Quasi = Annotated[str, typer.Option("--quasi", help=_("Quasi-identifiers, separated by commas."))]
Json = Annotated[Path | None, typer.Option("--json", help=_("Write the report to this file."))]
Delimiter = Annotated[str | None, typer.Option(help=_("Of the CSV file; found in its header if not given."))]


class LossName(StrEnum):
    """How loss is measured; as `madang.science.privacy.anonymize.METRICS`."""

    CELLS = "cells"
    ENTROPY = "entropy"
    DISCERNABILITY = "discernability"
    ARX = "arx"
    LOSS = "loss"  # as ARX calls it


class Aggregate(StrEnum):
    """How ARX's loss puts the columns together."""

    RANK = "rank"
    GEOMETRIC = "geometric"
    MEAN = "mean"


class Kind(StrEnum):
    """How a hierarchy is made."""

    PLAIN = "plain"
    NUMBERS = "numbers"
    DATES = "dates"
    PREFIXES = "prefixes"


class Method(StrEnum):
    """How the individual risk of a survey is computed."""

    EXACT = "exact"
    APPROX = "approx"


class Missing(StrEnum):
    """What an empty value is equal to."""

    VALUE = "value"
    ANY = "any"


@app.callback()
def privacy() -> None:
    """Measure how risky a table is, and make it anonymous."""


@app.command()
def assess(
    file: File,
    quasi: Quasi,
    sensitive: Annotated[
        str | None, typer.Option(help=_("Sensitive columns, separated by commas: adds l and t."))
    ] = None,
    json_: Json = None,
    fraction: Annotated[float, typer.Option(help=_("Share of the population that the rows are."))] = 0.1,
    weight: Annotated[
        str | None, typer.Option(help=_("Column of sampling weights: adds the individual risk of a survey."))
    ] = None,
    method: Annotated[Method, typer.Option(help=_("How the individual risk is computed."))] = Method.EXACT,
    missing: Annotated[
        Missing, typer.Option(help=_("An empty value is a value of its own, or matches any."))
    ] = Missing.VALUE,
    rows: Annotated[Path | None, typer.Option(help=_("Write fk, Fk and risk of each row to this CSV file."))] = None,
    hierarchies: Annotated[
        Path | None, typer.Option(help=_("Folder with hierarchies of sensitive columns: adds their distance."))
    ] = None,
    delimiter: Delimiter = None,
) -> None:
    """Measure k, l, t, uniqueness in sample and population, and the risk of re-identification."""
    from madang.base.console import console, show_table
    from madang.science.privacy.hierarchy import read_hierarchies
    from madang.science.privacy.measure import assess as measure
    from madang.science.privacy.table import read_csv

    secrets = _names(sensitive) if sensitive else []
    trees = {}
    if hierarchies is not None:
        trees = {tree.name: tree for tree in read_hierarchies(hierarchies, secrets, file.name)}
    found = measure(
        read_csv(file, delimiter),
        _names(quasi),
        secrets,
        fraction,
        weight,
        missing_matches=missing is Missing.ANY,
        method=method.value,
        trees=trees,
    )
    document = found.document()
    if json_ is not None:
        _write_json(json_, document)
    if rows is not None:
        _write_rows(rows, found)
    shown = [
        (_("rows"), found.rows),
        (_("classes"), found.classes),
        ("k", found.k),
        *((name, document[name]) for name in ("l", "l_entropy", "t", "t_ordered") if name in document),
        (_("unique in the sample"), _percent(found.sample_uniqueness)),
        (
            _("unique in the population (estimate)"),
            "" if found.population.dankar is None else _percent(found.population.dankar),
        ),
        (_("average risk"), _percent(found.average_risk)),
        (_("highest risk"), _percent(found.highest_risk)),
    ]
    show_table(str(file), (_("measure"), _("value")), shown)
    console().print(document["limits"], markup=False)


@app.command()
def anonymize(
    file: File,
    quasi: Quasi,
    hierarchies: Annotated[
        Path, typer.Option(help=_("Folder with a file *_hierarchy_COLUMN.csv per quasi-identifier."))
    ],
    k: Annotated[int, typer.Option("--k", help=_("Every class has at least so many rows."))],
    out: Annotated[Path, typer.Option(help=_("Write the anonymous table to this CSV file."))],
    suppression: Annotated[str, typer.Option(help=_("Share of rows that may be suppressed, as 0.02."))] = "0",
    json_: Json = None,
    loss: Annotated[
        LossName, typer.Option(help=_("What is made as small as possible."), case_sensitive=False)
    ] = LossName.CELLS,
    count_suppressed: Annotated[
        bool, typer.Option("--count-suppressed", help=_("Entropy and discernability: suppressed rows cost, too."))
    ] = False,
    aggregate: Annotated[Aggregate, typer.Option(help=_("ARX's loss: how columns are put together."))] = Aggregate.RANK,
    weight: Annotated[
        float, typer.Option(min=0.0, max=1.0, help=_("ARX's loss: 0 favors suppression, 1 generalization."))
    ] = 0.5,
    sensitive: Annotated[str | None, typer.Option(help=_("Column that --l and --t are about."))] = None,
    l: Annotated[int | None, typer.Option("--l", help=_("At least so many sensitive values in a class."))] = None,  # noqa: E741 - the name in the literature
    entropy_l: Annotated[float | None, typer.Option(help=_("Entropy l-diversity."))] = None,
    t: Annotated[float | None, typer.Option("--t", help=_("t-closeness, equal distance."))] = None,
    ordered_t: Annotated[float | None, typer.Option(help=_("t-closeness, ordered distance."))] = None,
    hierarchical_t: Annotated[
        float | None, typer.Option(help=_("t-closeness along the hierarchy of the sensitive column."))
    ] = None,
    local: Annotated[bool, typer.Option("--local", help=_("Local recoding: each class has its own levels."))] = False,
    seconds: Annotated[float, typer.Option(help=_("After so long, take the best found so far."))] = 60.0,
    delimiter: Delimiter = None,
) -> None:
    """Generalize the quasi-identifiers as little as possible; the rest of the columns stays as it is."""
    from madang.base.console import ProgressBars, console
    from madang.base.errors import MadangError
    from madang.science.privacy.anonymize import anonymize as run
    from madang.science.privacy.anonymize import metric_named
    from madang.science.privacy.criteria import (
        Criterion,
        DistinctLDiversity,
        EntropyLDiversity,
        KAnonymity,
        TCloseness,
    )
    from madang.science.privacy.hierarchy import read_hierarchies
    from madang.science.privacy.table import read_csv

    names = _names(quasi)
    table = read_csv(file, delimiter)
    trees = read_hierarchies(hierarchies, names, file.name)
    tree: Hierarchy | None = None
    if hierarchical_t is not None:
        if sensitive is None:
            raise MadangError("privacy.criteria", _("l-diversity and t-closeness need a sensitive column."))
        tree = read_hierarchies(hierarchies, [sensitive], file.name)[0]
    criteria: list[Criterion] = [KAnonymity(k)]
    if l is not None:
        criteria.append(DistinctLDiversity(l))
    if entropy_l is not None:
        criteria.append(EntropyLDiversity(entropy_l))
    if t is not None:
        criteria.append(TCloseness(t))
    if ordered_t is not None:
        criteria.append(TCloseness(ordered_t, "ordered"))
    if hierarchical_t is not None and tree is not None:
        criteria.append(TCloseness(hierarchical_t, tree))
    name = "arx" if loss is LossName.LOSS else loss.value
    with ProgressBars() as progress:
        done = run(
            table,
            trees,
            criteria,
            suppression,
            metric_named(name, count_suppressed, aggregate.value, weight),
            name,
            sensitive,
            tree,
            local,
            seconds,
            progress,
        )
    _write_csv(out, done.table, delimiter or _delimiter(file))
    document = done.document()
    if json_ is not None:
        _write_json(json_, document)
    to = console()
    if done.levels is not None:
        to.print(_("Levels") + ": " + ", ".join(f"{name} {at}" for name, at in zip(names, done.levels, strict=True)))
    to.print(
        _("Suppressed rows: {gone} of {rows}; loss {loss:.4f}; smallest class {k}.").format(
            gone=done.suppressed, rows=done.rows, loss=done.loss, k=done.verified.k or "-"
        )
    )
    if not done.optimal and not local:
        to.print(_("Time ran out: this is the best found so far, not proved the best."))


@app.command()
def hierarchy(
    file: File,
    column: Annotated[str, typer.Argument(help=_("The column whose values get a hierarchy."))],
    kind: Annotated[Kind, typer.Option(help=_("Bands of numbers, parts of dates, first characters, or * only."))],
    out: Annotated[Path, typer.Option(help=_("Folder for the file data_hierarchy_COLUMN.csv."))],
    steps: Annotated[
        str | None, typer.Option(help=_("Widths of bands (5,10,20) or lengths of prefixes (3,1)."))
    ] = None,
    delimiter: Delimiter = None,
) -> None:
    """Make a hierarchy for a column, to be looked over and edited."""
    from madang.base.errors import MadangError
    from madang.science.privacy import hierarchy as made
    from madang.science.privacy.table import coded, read_csv

    values = coded(read_csv(file, delimiter), [column])[0].values
    try:
        numbers = [int(step) for step in steps.split(",")] if steps else None
    except ValueError:
        raise MadangError("privacy.steps", f"{steps!r} are no numbers.", "Give them as 5,10,20.") from None
    if numbers is not None and (not numbers or min(numbers) < 1):
        raise MadangError("privacy.steps", "A step is at least 1.")
    if kind is Kind.NUMBERS:
        tree = made.numbers(column, values, numbers or (5, 10, 20))
    elif kind is Kind.DATES:
        tree = made.dates(column, values)
    elif kind is Kind.PREFIXES:
        tree = made.prefixes(column, values, numbers or (3, 1))
    else:
        tree = made.plain(column, values)
    import csv

    from madang.lake.files import sentences

    with sentences("write the hierarchy"):
        out.mkdir(parents=True, exist_ok=True)
        with (out / f"data_hierarchy_{column}.csv").open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream, delimiter=";", lineterminator="\n").writerows(tree.lines())


@app.command()
def persons(
    reference: Annotated[str, typer.Argument(help=_("NAME, or NAME@VERSION."))],
    draws: Annotated[int, typer.Option(min=1, max=10_000, help=_("Random draws for each person."))] = 100,
    seed: Annotated[int, typer.Option(min=0, help=_("The same seed gives the same answer."))] = 1,
    json_: Json = None,
) -> None:
    """Measure how many persons of an OMOP CDM dataset one, two or three known events single out."""
    from madang.base.console import ProgressBars, console, show_table
    from madang.lake.engine import Engine
    from madang.node.home import Home
    from madang.science.privacy.persons import person_risk
    from madang.science.privacy.recipe import CODE

    version = Home.find().lake().find(reference)
    with ProgressBars() as progress, Engine() as engine:
        version.attach(engine)
        tables = [name for name in ("person", *CODE) if name in version.tables]
        found = person_risk(engine, tables, draws=draws, seed=seed, progress=progress)
    if json_ is not None:
        _write_json(json_, found.document())
    shown: list[tuple[str, str, str]] = [(_("none"), _percent(found.by_demographics), "")]
    for each in found.singled:
        interval = _("exact", "count") if each.exact else f"{_percent(each.low)}-{_percent(each.high)}"
        shown.append((str(each.events), _percent(each.share), interval))
    show_table(version.name, (_("known events"), _("persons singled out"), _("interval")), shown)
    console().print(found.document()["not_covered"], markup=False)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _percent(share: float) -> str:
    return f"{100 * share:.2f}%"


def _delimiter(file: Path) -> str:
    from madang.science.privacy.table import delimiter_of

    return delimiter_of(file)


def _write_json(path: Path, document: dict[str, Any]) -> None:
    import orjson

    from madang.lake.files import sentences

    with sentences("write the report"):
        path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))


def _write_csv(path: Path, table: Any, delimiter: str) -> None:
    from madang.lake.files import sentences
    from madang.science.privacy.table import write_csv

    with sentences("write the table"):
        write_csv(path, table, delimiter)


def _write_rows(path: Path, found: Any) -> None:
    import pyarrow as pa

    columns = {"fk": found.fk}
    if found.Fk is not None:
        columns["Fk"] = found.Fk
    columns["risk"] = 1 / found.fk if found.individual is None else found.individual
    _write_csv(path, pa.table(columns), ",")
