"""Which engine a command asks: ours in this process, or Spark beside it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from madang.base.errors import MadangError
from madang.base.translate import _

if TYPE_CHECKING:
    from madang.lake import Version
    from madang.lake.spark import SparkEngine

ENGINES = ("duckdb", "spark")
# The options of every command that may ask either.
OnEngine = Annotated[str, typer.Option("--engine", help=_("duckdb, or spark for data that outgrow one machine."))]
Master = Annotated[str, typer.Option("--master", help=_("Where Spark runs; if not given, where the settings say."))]


def chosen_engine(name: str) -> str:
    """The name, if there is such an engine. Errors: `engine.unknown`."""
    if name not in ENGINES:
        raise MadangError("engine.unknown", _("Unknown engine {name!r}.").format(name=name), _("Use duckdb or spark."))
    return name


@contextmanager
def second_engine(name: str, master: str, *versions: "Version | None") -> "Iterator[SparkEngine | None]":
    """Spark with the tables of these versions (a later one's stand before an earlier one's), or None for ours.

    It runs where `master` says, otherwise where the settings do.
    """
    if chosen_engine(name) != "spark":
        yield None
        return
    from madang.lake.spark import SparkEngine
    from madang.node.home import Home
    from madang.node.settings import load_settings

    settings = load_settings(Home.find().path).spark
    with SparkEngine(master=master or settings.master, memory=settings.memory) as engine:
        engine.attach(*(version for version in versions if version is not None))
        yield engine
