"""Workbooks: the cells are read, nothing else is kept, and a new workbook is written with them."""

import io
import zipfile
from collections.abc import Mapping, Sequence

from madang.base.errors import MadangError
from madang.base.translate import _, later
from madang.science.privacy.outputs.judge import Finding, Status
from madang.science.privacy.outputs.rules import Rules
from madang.science.privacy.outputs.said import said
from madang.science.privacy.outputs.scan import LARGEST, Scan, Table, refused
from madang.science.privacy.outputs.scan.delimited import table_findings

CARRIED = {
    "macros": ("vbaproject", "macrosheets"),
    "links": ("externallinks", "connections", "querytables"),
    "objects": ("embeddings", "activex", "ctrlprops", "customxml", "pivotcache"),
    "pictures": ("media/", "/drawings/"),
    "comments": ("comments", "threadedcomments", "persons/"),
}


def _carried(names: list[str]) -> list[Finding]:
    sentences = {
        "macros": said(later("It has no macros.")),
        "links": said(later("It does not link to other files.")),
        "objects": said(later("It holds no other objects.")),
        "pictures": said(later("It has no pictures: a table is brought as cells.")),
        "comments": said(later("It has no comments.")),
    }
    return [
        _is(criterion, not any(part in named for named in names for part in parts), sentences[criterion])
        for criterion, parts in CARRIED.items()
    ]


def _is(criterion: str, good: bool, sentence: str) -> Finding:
    return Finding(criterion, Status.PASS if good else Status.FAIL, sentence)


def scan_workbook(content: bytes, rules: Rules) -> Scan:
    """An XLSX workbook: hidden sheets, macros, links, objects and pictures are named, the cells judged as tables."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as parcel:
            names = [item.filename.lower() for item in parcel.infolist()]
            size = sum(item.file_size for item in parcel.infolist())
    except zipfile.BadZipFile:
        return refused("workbook", "content", said(later("The workbook cannot be read.")))
    if size > 4 * LARGEST or len(names) > 10_000:
        return refused("workbook", "size", said(later("The workbook is too large once it is opened.")))
    findings = _carried(names)
    try:
        from python_calamine import CalamineError, CalamineWorkbook, SheetVisibleEnum
    except ImportError:
        raise MadangError(
            "outputs.library",
            _("The reader of workbooks (python-calamine) is not installed."),
            _("Install Madang with the extra `rooms`."),
        ) from None
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(content))
        hidden = [sheet.name for sheet in book.sheets_metadata if sheet.visible != SheetVisibleEnum.Visible]
        sheets = {name: book.get_sheet_by_name(name).to_python() for name in book.sheet_names}
    except (CalamineError, OSError, ValueError):
        return refused("workbook", "content", said(later("The workbook cannot be read.")))
    findings.append(
        Finding(
            "hidden_sheets",
            Status.FAIL if hidden else Status.PASS,
            said(later("It has no hidden sheets.")),
            tuple((n,) for n in hidden),
        )
    )
    tables: list[Table] = []
    for rows in sheets.values():
        table = [["" if cell is None else _shown(cell) for cell in row] for row in rows if any(c != "" for c in row)]
        if table:
            tables.append(table)
            findings += table_findings(table, rules)
    return Scan("workbook", tuple(findings), tuple(tables), written_anew(sheets))


def _shown(cell: object) -> str:
    return str(int(cell)) if isinstance(cell, float) and cell == int(cell) else str(cell)


def written_anew(sheets: Mapping[str, Sequence[Sequence[object]]]) -> bytes:
    """A workbook with these cells and nothing else: no formulas, styles, names of people, history."""
    import xlsxwriter

    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}) as book:
        book.set_properties({"author": "", "comments": ""})
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name[:31])
            for i, row in enumerate(rows):
                for j, cell in enumerate(row):
                    if isinstance(cell, bool | int | float):
                        sheet.write(i, j, cell)
                    elif cell not in ("", None):
                        sheet.write_string(i, j, str(cell))
    return out.getvalue()
