"""`madang export`: a dataset version written out for other tools."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from madang.base.translate import _


class As(StrEnum):
    """What to write; the same values as `madang.science.omop.export.Format`, which help must not import."""

    DUCKDB = "duckdb"
    PARQUET = "parquet"
    CSV = "csv"
    POSTGRESQL = "postgresql-scripts"


def command(
    name: Annotated[str, typer.Argument(help=_("Dataset, or NAME@VERSION."))],
    to: Annotated[Path, typer.Option("--to", help=_("Folder to write to; must be empty or new."))],
    as_: Annotated[As, typer.Option("--as", help=_("What to write."))] = As.DUCKDB,
    vocabulary: Annotated[
        str | None, typer.Option(help=_("Vocabulary to include; the one it was mapped with if not given."))
    ] = None,
    force: Annotated[bool, typer.Option("--force", help=_("Write into a folder that is not empty."))] = False,
    memory: Annotated[str, typer.Option(help=_("Most memory of the engine."))] = "4GB",
) -> None:
    """Write a dataset as a DuckDB file, Parquet, CSV, or scripts that fill a PostgreSQL database."""
    import tempfile

    from madang.base.console import ProgressBars, console, show_table
    from madang.lake.engine import Engine
    from madang.node.home import Home
    from madang.science.omop.export import Format, export
    from madang.science.omop.release import mapped_with
    from madang.services.datasets import read
    from madang.services.datasets.acts import EXPORT

    lake = Home.find().lake()
    version = lake.find(name)
    read(EXPORT, version, as_.value)
    included = lake.find(vocabulary) if vocabulary else mapped_with(lake, version)
    with (
        tempfile.TemporaryDirectory(prefix="madang-spill-") as spill,
        Engine(memory_limit=memory, spill=Path(spill)) as engine,
        ProgressBars() as progress,
    ):
        done = export(version, to, Format(as_.value), engine, vocabulary=included, force=force, progress=progress)
    console().print(_("{version} is in {folder}").format(version=version.name, folder=done.folder), markup=False)
    show_table(_("Tables"), [_("table"), _("rows")], [[table, rows] for table, rows in done.rows.items() if rows])
    for note in done.notes:
        console().print(note, markup=False)
    if as_ is As.POSTGRESQL:
        hint = _("Load it with: psql -d DATABASE -f {file}").format(file=done.folder / "load.sql")
        console().print(hint, markup=False)
