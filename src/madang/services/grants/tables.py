"""The ledger as CSV and as a workbook, and in pictures."""

import csv
import io
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from madang.base.translate import _
from madang.services.grants.ledger import STATUSES
from madang.services.grants.service import Line

FORMULA = ("=", "+", "-", "@", "\t", "\r")
_COLORS = {
    "released": "#1b6337",
    "validated": "#2b8f79",
    "deposited": "#134a78",
    "due": "#8a5a00",
    "late": "#9d1c22",
    "promised": "#5a625e",
    "excused": "#b8569f",
    "cancelled": "#dbd9d0",
}


def rows(lines: Sequence[Line]) -> list[list[Any]]:
    """The ledger with its heads, as it goes into any table; days as ISO 8601."""
    from madang.services.grants.routes import status_name, tier_name

    heads = [
        *(_("award number"), _("award"), _("program", "award"), _("institution"), _("leader"), _("promised dataset")),
        *(_("identifier"), _("to be released"), _("due on"), _("status"), _("released on"), _("excused until")),
    ]
    return [heads] + [
        [
            *(line.award.number, line.award.title, line.award.program, line.award.institution, line.award.leader),
            *(line.promise.title, line.promise.key, tier_name(line.tier), _day(line.due), status_name(line.status)),
            *(_day(line.released_on), _day(line.excused_until)),
        ]
        for line in lines
    ]


def csv_text(lines: Sequence[Line]) -> bytes:
    """CSV for spreadsheets: with a byte order mark, texts that would be formulas defused."""
    out = io.StringIO()
    writer = csv.writer(out)
    for row in rows(lines):
        writer.writerow([f"'{cell}" if str(cell).startswith(FORMULA) else cell for cell in row])
    return out.getvalue().encode("utf-8-sig")


def workbook(lines: Sequence[Line], year: int | None = None) -> bytes:
    """An XLSX workbook; with a year, only what was released in it or is open from before: the year-end sheet."""
    import xlsxwriter

    if year is not None:
        lines = [
            line
            for line in lines
            if (line.released_on is not None and line.released_on.year == year)
            or (line.due is not None and line.due.year <= year and line.status != "released")
        ]
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}) as book:
        sheet = book.add_worksheet(str(year) if year is not None else "grants")
        bold = book.add_format({"bold": True})
        for place, row in enumerate(rows(lines)):
            for column, cell in enumerate(row):
                sheet.write_string(place, column, str(cell), bold if place == 0 else None)
        sheet.freeze_panes(1, 0)
        sheet.set_column(0, 11, 18)
    return out.getvalue()


@lru_cache(maxsize=64)
def picture(groups: tuple[tuple[str, tuple[tuple[str, int], ...]], ...], title: str, language: str) -> str:
    """Bars of how many promises of each status there are by group; an empty text where there is nothing."""
    from madang.science import charts
    from madang.services.grants.routes import status_name

    names = {status: status_name(status) for status in STATUSES}
    count = _("promises")
    told = [
        {"group": name or _("not told", "award"), "status": names[status], count: number}
        for name, counts in groups
        for status, number in counts
    ]
    if not told:
        return ""
    shown = [status for status in _COLORS if any(row["status"] == names[status] for row in told)]
    colors = {names[status]: _COLORS[status] for status in shown}
    return charts.svg(charts.bars(told, category="group", value=count, part="status", colors=colors), title)


def _day(day: Any) -> str:
    return day.isoformat() if day is not None else ""
