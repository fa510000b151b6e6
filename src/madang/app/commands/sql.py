"""`madang sql`: one SELECT over one version, read only."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from madang.base.translate import _
from madang.node.second_engine import Master, OnEngine, second_engine

if TYPE_CHECKING:
    import pyarrow as pa

    from madang.lake import Version

SHOWN = 100  # rows of a table on the terminal unless --limit says otherwise


def command(
    reference: Annotated[str, typer.Argument(help=_("NAME, or NAME@VERSION."))],
    query: Annotated[str, typer.Argument(help=_("One SELECT over the tables of that version."))],
    format_: Annotated[str, typer.Option("--format", help=_("table, json, csv or parquet."))] = "table",
    output: Annotated[Path | None, typer.Option(help=_("Write to this file, which must not exist yet."))] = None,
    limit: Annotated[int | None, typer.Option(min=0, help=_("Most rows; a table shows 100 if not given."))] = None,
    seconds: Annotated[float | None, typer.Option(min=0, help=_("Stop after this many seconds."))] = None,
    memory: Annotated[str, typer.Option(help=_("Most memory of the engine."))] = "4GB",
    threads: Annotated[int | None, typer.Option(min=1, help=_("Threads; all cores if not given."))] = None,
    engine: OnEngine = "duckdb",
    master: Master = "",
) -> None:
    """Ask one version of a dataset by SQL. Text comes out in UTF-8. Nothing can be changed, and no other file read."""
    from madang.app.commands import sql_output
    from madang.base.errors import MadangError
    from madang.node.home import Home
    from madang.services.datasets import read
    from madang.services.datasets.acts import SQL

    if format_ not in ("table", *sql_output.FORMATS):
        raise MadangError("sql.format", f"Unknown format {format_!r}.", "Use table, json, csv or parquet.")
    if format_ == "parquet" and output is None:
        raise MadangError("sql.output", "Parquet goes to a file.", "Give --output FILE.")
    if format_ == "table" and output is not None:
        raise MadangError("sql.output", "A table goes to the terminal.", "Choose --format json, csv or parquet.")
    version = Home.find().lake().find(reference)
    read(SQL, version, query[:500])
    rows = SHOWN if limit is None and format_ == "table" else limit
    asked = rows + 1 if rows is not None and format_ == "table" else rows
    question = None
    if engine == "spark":
        from madang.lake.spark import as_asked

        question = as_asked(query, version)  # what is refused is said before a session is waited for
    with second_engine(engine, master, version) as second:
        found = (
            answer(version, query, asked, seconds, memory, threads)
            if second is None or question is None
            else second.batches(question, asked, seconds)
        )
        if format_ == "table":
            sql_output.show(found, rows or 0)
        else:
            sql_output.write(found, format_, output)


def answer(
    version: "Version", query: str, limit: int | None, seconds: float | None, memory: str, threads: int | None
) -> "Iterator[pa.RecordBatch]":
    """The rows of one SELECT over `version`, at least one batch; at most `limit` rows, for at most `seconds`."""
    from madang.base.errors import MadangError
    from madang.lake import Engine

    with Engine(memory, threads, preserve_insertion_order=True) as engine:
        query = engine.one_select(query)
        version.attach(engine)
        engine.confine(path for table in version.tables.values() for path in table.paths)
        late = MadangError("sql.time", f"Stopped after {seconds or 0:g} seconds.", "Give more --seconds.")
        with engine.within(seconds, late):
            left = limit
            for batch in engine.batches(query):
                yield batch if left is None else batch.slice(0, left)
                if left is not None:
                    left -= min(left, batch.num_rows)
                    if left == 0:
                        return
