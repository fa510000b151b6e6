"""The program in the closed process: reads /given/file and tells JSON."""

import csv
import json
import sys
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import Any

GIVEN = Path("/given/file")
ROWS, CELLS = 20_000, 2_000_000


def main() -> None:
    """`look NAME`, `cells NAME`, or `looks NAME ...` of /given/0, /given/1 and so on: one line of JSON for each."""
    what, name = sys.argv[1:3]
    if what == "looks":
        from madang.science.formats import look

        for number, each in enumerate(sys.argv[2:]):
            print(json.dumps(asdict(look(GIVEN.parent / str(number), each)), default=str), flush=True)
        return
    if what == "look":
        from madang.science.formats import look

        print(json.dumps(asdict(look(GIVEN, name)), default=str))
        return
    try:
        print(json.dumps({"rows": cells(name)}))
    except Exception as error:  # whatever a parser says of a file that a stranger made
        finding = {"severity": "wrong", "code": "sheet", "message": str(error)[:200]}
        print(json.dumps({"findings": [finding]}))


def cells(name: str) -> list[list[Any]]:
    """Rows of the first sheet without empty ones at the end; dates as text."""
    start = GIVEN.read_bytes()[:4]
    if start[:2] != b"PK":
        text = GIVEN.read_bytes().decode("utf-8-sig")
        mark = "\t" if text.partition("\n")[0].count("\t") else ","
        rows: list[list[Any]] = list(csv.reader(text.splitlines(), delimiter=mark))
    else:
        import python_calamine

        book = python_calamine.CalamineWorkbook.from_path(str(GIVEN))
        rows = book.get_sheet_by_index(0).to_python(skip_empty_area=True, nrows=ROWS)
    found = [[_cell(cell) for cell in row] for row in rows[:ROWS]]
    while found and not any(str(cell).strip() for cell in found[-1]):
        found.pop()
    if sum(map(len, found)) > CELLS:
        raise ValueError("too many cells")
    return found


def _cell(cell: Any) -> Any:
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == cell.time().min else cell.isoformat() + "Z"
    return cell.isoformat() if isinstance(cell, date) else cell if isinstance(cell, (int, float, str)) else str(cell)


if __name__ == "__main__":
    main()
