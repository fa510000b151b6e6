"""The account of a standardized version, for the terminal."""

from typing import TYPE_CHECKING

from madang.base.console import console, show_table
from madang.base.translate import _

if TYPE_CHECKING:
    from collections.abc import Sequence

    from madang.science.standardize import Standardized


def show_account(done: "Standardized") -> None:
    """Print what came in, what came out, what did not and why, how much was mapped, and where the data lie."""
    report, version = done.report, done.version
    out = console()
    title = _("{name}: source rows in").format(name=version.name)
    columns = [_("source"), _("files"), _("rows"), _("used"), _("rejected"), _("unused")]
    total = [sum(values) for values in zip((0,) * 5, *report.sources.values(), strict=True)]
    show_table(title, columns, [*([name, *counts] for name, counts in report.sources.items()), [_("all"), *total]])
    made = sorted((table, rows) for table, rows in report.tables.items() if rows)
    show_table(_("CDM rows out"), [_("table"), _("rows")], made)
    if report.reasons:
        rows = [[r.source, _(r.fate), r.reason, r.lines] for r in report.reasons]
        show_table(_("Rows not used, and why"), [_("source"), _("fate"), _("reason"), _("rows")], rows)
    if report.repairs:
        show_table(_("Fields emptied because they could not be read"), [_("field"), _("rows")], report.repairs.items())
    show_unread(report.unread)
    if report.moved:
        show_table(
            _("Codes whose records moved to another table"),
            [_("vocabulary"), _("code"), _("before"), _("now"), _("records")],
            report.moved[:20],
        )
    if report.newly_mapped:
        out.print(_("{codes:,} codes have a target now that had none before.").format(codes=report.newly_mapped))
    if report.newly_unmapped:
        out.print(_("{codes:,} codes have no target any more.").format(codes=report.newly_unmapped))
    for table, n in report.after_death.items():
        out.print(_("{rows:,} rows of {table} are dated after death; they are kept.").format(rows=n, table=table))
    for warning in report.warnings:
        out.print(_("Look at this: {warning}").format(warning=warning), style="bold", markup=False)
    records = _share(*report.mapped_records)
    codes = _share(*report.mapped_codes)
    out.print(_("Mapped: {records} of records, {codes} of codes.").format(records=records, codes=codes))
    seconds = sum(report.seconds.values())
    if done.new:
        out.print(_("Made in {seconds:.1f} s: {where}").format(seconds=seconds, where=version.dataset.folder))
    else:
        out.print(_("Nothing new: {name} has these files already.").format(name=version.name))


SHOWN = 20


def show_unread(unread: "Sequence[tuple[str, str]]") -> None:
    """Print the files that no source reads, each with the pattern that it may have been meant for."""
    if not unread:
        return
    rows = [[name, _("misspelt? {pattern}").format(pattern=near) if near else ""] for name, near in unread[:SHOWN]]
    show_table(_("Files that no source reads"), [_("file"), ""], rows)
    if len(unread) > SHOWN:
        console().print(_("{count} more files are not read.").format(count=len(unread) - SHOWN))


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%} ({part:,}/{whole:,})" if whole else "-"
