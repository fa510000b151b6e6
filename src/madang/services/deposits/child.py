"""The program in the closed process: reads /given/file and tells JSON."""

import csv
import json
import sys
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from madang.base.errors import MadangError
from madang.base.translate import _, keeping, kept_as_json, speaking

if TYPE_CHECKING:
    from madang.science.formats import Finding, Told

GIVEN = Path("/given/file")
ROWS, CELLS = 20_000, 2_000_000


def main() -> None:
    """`look NAME`, `cells NAME`, `looks NAME ...` of /given/0, /given/1 and so on, `compare NAME` of these two."""
    what, name = sys.argv[1:3]
    if what == "looks":
        from madang.science.formats import look

        for number, each in enumerate(sys.argv[2:]):
            print(as_json(look(GIVEN.parent / str(number), each)), flush=True)
        return
    if what == "compare":  # /given/0 are variants, /given/1 is their reference
        from madang.science.formats.references import compare

        found = compare(GIVEN.parent / "0", GIVEN.parent / "1")
        print(json.dumps({"findings": [finding_as_json(each) for each in found]}))
        return
    if what == "look":
        from madang.science.formats import look

        print(as_json(look(GIVEN, name)))
        return
    try:
        print(json.dumps({"rows": cells(name)}))
    except Exception as error:  # whatever a parser says of a file that a stranger made
        kept = error.message if isinstance(error, MadangError) else str(error)[:200]
        message = kept_as_json(kept)
        finding = {"severity": "wrong", "code": "sheet", "message": message}
        print(json.dumps({"findings": [finding]}))


def as_json(told: "Told") -> str:
    """What a file is, on one line; its sentences are to be translated by who shows them."""
    found = [finding_as_json(each) for each in told.findings]
    return json.dumps({"format": told.format, "read": told.read, "facts": told.facts, "findings": found}, default=str)


def finding_as_json(found: "Finding") -> dict[str, Any]:
    """A finding with its sentence kept apart from what is put into it."""
    message = kept_as_json(found.message)
    return {"severity": found.severity, "code": found.code, "message": message}


def cells(name: str) -> list[list[Any]]:
    """Rows of the first sheet that people see, without empty ones at the end; dates as text.

    Errors: `deposit.sheet` where there are too many.
    """
    start = GIVEN.read_bytes()[:4]
    if start[:2] != b"PK":
        text = GIVEN.read_bytes().decode("utf-8-sig")
        mark = "\t" if text.partition("\n")[0].count("\t") else ","
        rows: list[list[Any]] = list(csv.reader(text.splitlines(), delimiter=mark))
    else:
        import python_calamine

        rows = _first_seen(python_calamine.CalamineWorkbook.from_path(str(GIVEN)))
    found = [[_cell(cell) for cell in row] for row in rows]
    while found and not any(str(cell).strip() for cell in found[-1]):
        found.pop()
    if len(found) > ROWS or sum(map(len, found)) > CELLS:
        message = _("The sheet has more than {rows} rows or {cells} cells.")
        raise MadangError("deposit.sheet", message.format(rows=f"{ROWS:,}", cells=f"{CELLS:,}"))
    return found


def _first_seen(book: Any) -> list[list[Any]]:
    """The rows of the first sheet that people see, without those at its end that look empty; one more than may be."""
    from python_calamine import SheetTypeEnum, SheetVisibleEnum

    seen = (
        each.name
        for each in book.sheets_metadata
        if each.visible == SheetVisibleEnum.Visible and each.typ == SheetTypeEnum.WorkSheet
    )
    name = next(seen, None)
    if name is None:
        raise MadangError("deposit.sheet", _("There is no sheet in the workbook that people see."))
    rows: list[list[Any]] = []
    empty: list[list[Any]] = []  # that stand between rows, or at the end
    for row in book.get_sheet_by_name(name).iter_rows():
        if not any(str(cell).strip() for cell in row):
            empty.append([])
            continue
        rows += empty
        empty = []
        rows.append(row)
        if len(rows) > ROWS:
            break
    return rows


def _cell(cell: Any) -> Any:
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == cell.time().min else cell.isoformat() + "Z"
    return cell.isoformat() if isinstance(cell, date) else cell if isinstance(cell, (int, float, str)) else str(cell)


if __name__ == "__main__":
    with speaking("en"), keeping():
        main()
