"""`madang quality profile`: what is in a dataset."""

from pathlib import Path
from typing import Annotated

import typer

from madang.base.translate import _
from madang.node.second_engine import Master, OnEngine, second_engine


def profile(
    reference: Annotated[str, typer.Argument(metavar="NAME[@VERSION]", help=_("Dataset, or one version of it."))],
    json_: Annotated[Path | None, typer.Option("--json", help=_("Write the numbers as JSON to this file."))] = None,
    html: Annotated[Path | None, typer.Option(help=_("Write the report as one page to this file."))] = None,
    minimum: Annotated[
        int, typer.Option(min=1, help=_("The fewest persons that a count may be about; 1 keeps nothing back."))
    ] = 5,
    vocabulary: Annotated[
        str | None, typer.Option(help=_("A loaded vocabulary, instead of the one that the data were mapped with."))
    ] = None,
    engine: OnEngine = "duckdb",
    master: Master = "",
) -> None:
    """Show what is in a dataset: people, time, records, concepts, values; no count about too few people."""
    from madang.app.commands.quality import write_file
    from madang.base.console import ProgressBars, console, show_table
    from madang.node.home import Home
    from madang.science.quality import profile as profiling
    from madang.science.quality.profile.report import covered, rule

    lake = Home.find().lake()
    version, words = lake.find(reference), lake.find(vocabulary) if vocabulary else None
    with ProgressBars() as progress, second_engine(engine, master) as second:
        found = profiling.profile(version, words, minimum=minimum, progress=progress, second=second)
    few = _("fewer than {minimum}").format(minimum=minimum)
    rows = [[r.table, few if r.rows is None else r.rows, r.persons, covered(r), r.rows_before] for r in found.tables]
    columns = [_("table"), _("rows"), _("persons"), _("with a concept"), _("rows before")]
    everybody = few if found.persons is None else f"{found.persons:,}"
    name = f"{found.dataset}@{found.version}"
    show_table(_("{name}: {persons} persons").format(name=name, persons=everybody), columns, rows)
    console().print(rule(found), markup=False)
    if json_ is not None:
        import orjson

        write_file(json_, orjson.dumps(profiling.document(found), option=orjson.OPT_INDENT_2))
    if html is not None:
        write_file(html, profiling.page(found).encode())
