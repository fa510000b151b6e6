"""`madang import`: a common data model that exists already becomes a version in the lake."""

from typing import TYPE_CHECKING, Annotated

import typer

from madang.base.translate import _

if TYPE_CHECKING:
    from madang.science.omop.importing import Difference, Imported, What

_SHOWN = 60


def command(
    source: Annotated[
        str, typer.Argument(help=_("Folder of CSV or Parquet files, DuckDB file, or postgresql:// address."))
    ],
    into: Annotated[str, typer.Option(help=_("Name of the dataset."))],
    schema: Annotated[str, typer.Option(help=_("Schema of the tables, in a database that has several."))] = "",
    encoding: Annotated[str, typer.Option(help=_("Encoding of CSV files."))] = "utf-8",
    vocabulary: Annotated[
        str, typer.Option(help=_("A loaded vocabulary to use instead of the one in the source."))
    ] = "",
    timezone: Annotated[
        str, typer.Option(help=_("Local time zone, as Asia/Seoul, that moments with an offset are taken to."))
    ] = "",
    memory: Annotated[str, typer.Option(help=_("Most memory of the engine."))] = "3GB",
    threads: Annotated[int | None, typer.Option(help=_("Threads; all cores if not given."))] = None,
) -> None:
    """Take an OMOP CDM 5.3 or 5.4 that exists already into the lake, and say what differs from the model 5.4."""
    from madang.base.console import ProgressBars
    from madang.node.home import Home
    from madang.science.omop.importing import import_model
    from madang.services.datasets import begun
    from madang.services.datasets.acts import IMPORT

    lake = Home.find().lake()
    with begun(IMPORT, into, source=_shown(source)) as act, ProgressBars() as progress:
        done = import_model(
            source,
            lake.dataset(into),
            vocabulary=lake.find(vocabulary) if vocabulary else None,
            schema=schema,
            encoding=encoding,
            timezone=timezone,
            memory_limit=memory,
            threads=threads,
            progress=progress,
        )
        act.made(done.version)
    _show(done)


def _shown(source: str) -> str:
    """A source for the audit, without the password that an address may hold."""
    scheme, mark, rest = source.partition("://")
    return f"{scheme}{mark}{rest.rpartition('@')[2]}" if mark else source


def _show(done: "Imported") -> None:
    from madang.base.console import console, show_table

    out = console()
    rows = [[name, given, given - rejected, rejected] for name, (given, rejected) in done.rows.items()]
    title = _("{name}: rows in").format(name=done.version.name)
    show_table(title, [_("table"), _("rows"), _("used"), _("rejected")], rows)
    told = [[d.table, d.column, _said(d.what), d.count, _detail(d)] for d in done.differences]
    if told:
        columns = [_("table"), _("column"), _("difference"), _("count"), _("detail")]
        show_table(_("What differs from the model 5.4"), columns, told[:_SHOWN])
    if len(told) > _SHOWN:
        out.print(_("{count} more are in the manifest of the version.").format(count=len(told) - _SHOWN))
    if done.cdm_version:
        out.print(_("The source says that it is CDM {version}.").format(version=done.cdm_version), markup=False)
    if done.vocabulary is None:
        out.print(_("There is no vocabulary, so checks that look concepts up cannot be answered."), style="bold")
    else:
        release = done.vocabulary.info.get("release", "")
        out.print(_("Vocabulary: {name} ({release}).").format(name=done.vocabulary.name, release=release), markup=False)
    if not done.new:
        out.print(_("Nothing new: {name} has this source already.").format(name=done.version.name))


def _detail(difference: "Difference") -> str:
    """What else there is to say; a view could read anything, so it is not read."""
    if difference.what == "no table" and difference.detail.endswith("?"):
        return _("is {table} meant?").format(table=difference.detail.removesuffix("?"))
    return _("it is a view; make it a table to have it read") if difference.detail == "view" else difference.detail


def _said(what: "What") -> str:
    """A kind of difference in the reader's language."""
    from madang.science.omop.importing import What

    return {
        What.NO_TABLE: _("not a table of the model, left out"),
        What.NO_COLUMN: _("not a column of the model, left out"),
        What.MISSING: _("missing, left empty"),
        What.REQUIRED: _("missing though required, left empty"),
        What.RENAMED: _("has another name in CDM 5.4"),
        What.EMPTIED: _("values that cannot be read, left empty"),
        What.SHORTENED: _("times of day left out of a date"),
        What.SHIFTED: _("moments with a time zone, kept in UTC"),
        What.OFFSET: _("moments with a time zone, kept as written without it"),
        What.ZONED: _("moments with a time zone, taken to the local one"),
        What.CONVERTED: _("of another type, converted"),
        What.REJECTED: _("rows rejected, without a value that must be there"),
        What.ODD: _("odd"),
    }[what]
