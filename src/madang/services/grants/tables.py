"""The ledger as CSV and as a workbook, and in pictures."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import select

from madang.base.translate import _
from madang.node.node import Node
from madang.services.grants.ledger import STATUSES
from madang.services.grants.models import PromiseEvent
from madang.services.grants.rules import USUAL
from madang.services.grants.rules import rules as rules_known
from madang.services.grants.service import Line

FORMULA = ("=", "+", "-", "@", "\t", "\r")
_TIERS_OF_TEMPLATE = ("공개", "제한공개", "비공개")
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
    from madang.services.grants.words import status_name, tier_name

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


@dataclass(frozen=True)
class Result:
    """A record that was linked to a promise: its identifiers, and its files with their hashes."""

    promise: int
    record: str
    identifier: str
    version: str
    manifest: str
    files: tuple[tuple[str, int, str], ...]  # name, bytes, SHA-256


def of_year(lines: Sequence[Line], year: int) -> list[Line]:
    """What was released in a year, and what was due by its end and is not released."""
    return [
        line
        for line in lines
        if (line.released_on is not None and line.released_on.year == year)
        or (line.due is not None and line.due.year <= year and line.status != "released")
    ]


def results(node: Node, lines: Sequence[Line], base: str) -> list[Result]:
    """The records that are linked to promises now, with what a research office hands in of them."""
    from madang.services.catalog.models import Record, RecordFile

    event, found = PromiseEvent, []
    numbers = [line.promise.id for line in lines if line.records]
    with node.read() as session:
        for start in range(0, len(numbers), 500):
            query = select(event.promise_id, Record).where(
                event.promise_id.in_(numbers[start : start + 500]),
                *(event.topic == "link", event.kind == "linked", event.replaced.is_(None)),
                Record.name == event.record,
            )
            for promise, record in session.execute(query.order_by(event.promise_id, Record.name)):
                newest = next((each for each in record.versions if each.state == "published"), None)
                files = select(RecordFile).where(RecordFile.version_id == (newest.id if newest else 0))
                found.append(
                    Result(
                        *(promise, record.name, f"{base}/records/{record.name}"),
                        f"{record.dataset}@{newest.number}" if newest is not None else "",
                        newest.manifest if newest is not None else "",
                        tuple((f"{f.table}/{f.name}", f.bytes, f.sha256) for f in session.scalars(files)),
                    )
                )
    return found


def template() -> bytes:
    """An empty table of awards and promised datasets, with an example, as `madang grants import` reads it."""
    import xlsxwriter

    heads = [
        *("과제번호", "과제명", "사업명", "주관기관", "연구책임자", "연구시작일", "연구종료일"),
        *("데이터셋", "공개예정일", "공개구분", "라이선스", "규칙"),
    ]
    example = [
        *("2026-0001", "과제 이름", "사업", "기관", "이름", "2026-01-01", "2028-12-31"),
        *("첫 데이터셋", "2028-06-30", "공개", "CC-BY-4.0", USUAL),
    ]
    choices = {9: list(_TIERS_OF_TEMPLATE), 11: sorted(rules_known())}
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        sheet = book.add_worksheet("awards")
        bold, text = book.add_format({"bold": True}), book.add_format({"num_format": "@"})
        sheet.write_row(0, 0, heads, bold)
        sheet.write_row(1, 0, example, text)
        sheet.set_column(0, len(heads) - 1, 18, text)
        for column, values in choices.items():
            sheet.data_validation(1, column, 5_000, column, {"validate": "list", "source": values})
        sheet.freeze_panes(1, 0)
    return out.getvalue()


def workbook(lines: Sequence[Line], year: int | None = None, found: Sequence[Result] = ()) -> bytes:
    """An XLSX workbook; with a year, only what belongs to it: the year-end sheet. With `found`, two more sheets: the
    records with their identifiers, and every file with its hash."""
    import xlsxwriter

    if year is not None:
        lines = of_year(lines, year)
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}) as book:
        sheet = book.add_worksheet(str(year) if year is not None else "grants")
        bold = book.add_format({"bold": True})
        for place, row in enumerate(rows(lines)):
            for column, cell in enumerate(row):
                sheet.write_string(place, column, str(cell), bold if place == 0 else None)
        sheet.freeze_panes(1, 0)
        sheet.set_column(0, 11, 18)
        if found:
            _more_sheets(book, bold, lines, found)
    return out.getvalue()


def _more_sheets(book: Any, bold: Any, lines: Sequence[Line], found: Sequence[Result]) -> None:
    of = {line.promise.id: line for line in lines}
    kept = [each for each in found if each.promise in of]
    heads = [
        _("award number"),
        _("promised dataset"),
        _("record"),
        _("identifier"),
        _("version"),
        _("hash"),
        _("files"),
    ]
    sheet = book.add_worksheet(_("records"))
    sheet.write_row(0, 0, heads, bold)
    for place, each in enumerate(kept, 1):
        line = of[each.promise]
        told = [line.award.number, line.promise.title, each.record, each.identifier, each.version, each.manifest]
        for column, cell in enumerate([*told, str(len(each.files))]):
            sheet.write_string(place, column, cell)
    files = book.add_worksheet(_("files"))
    files.write_row(0, 0, [_("award number"), _("record"), _("file"), _("bytes"), "SHA-256"], bold)
    place = 0
    for each in kept:
        for name, size, sha256 in each.files[:10_000]:
            place += 1
            for column, cell in enumerate([of[each.promise].award.number, each.record, name, str(size), sha256]):
                files.write_string(place, column, cell)


@lru_cache(maxsize=64)
def picture(groups: tuple[tuple[str, tuple[tuple[str, int], ...]], ...], title: str, language: str) -> str:
    """Bars of how many promises of each status there are by group; an empty text where there is nothing."""
    from madang.science import charts
    from madang.services.grants.words import status_name

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
