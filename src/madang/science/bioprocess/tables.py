"""Tables as people keep them: CSV in any of the usual forms, and the first filled sheet of a workbook."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.bioprocess.needs import needs

LARGEST = 200_000_000  # bytes


def read_table(path: Path) -> list[dict[str, Any]]:
    """The rows of a table by the names of its first line; empty rows are left out.

    Raises `table.read` where it cannot be read, `table.columns` where a name is missing or stands there twice.
    """
    rows = [row for row in _cells(path) if any(cell not in (None, "") for cell in row)]
    if not rows:
        return []
    names = [str(cell).strip() if cell is not None else "" for cell in rows[0]]
    while names and not names[-1]:
        names.pop()
    if "" in names:
        text = _("{file}: a column has no name in the first line.").format(file=path.name)
        raise MadangError("table.columns", text, _("Merged cells are not read: give each column its own name."))
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise MadangError(
            "table.columns", _("{file}: two columns are called {name}.").format(file=path.name, name=twice)
        )
    out = []
    for number, row in enumerate(rows[1:], 2):
        if len(row) > len(names) and any(cell not in (None, "") for cell in row[len(names) :]):
            text = _("{file}: row {row} has more cells than the first line has names.").format(
                file=path.name, row=number
            )
            raise MadangError("table.columns", text)
        out.append(dict(zip(names, [*row, *[""] * (len(names) - len(row))], strict=False)))
    return out


def _cells(path: Path) -> Sequence[Sequence[Any]]:
    try:
        if path.stat().st_size > LARGEST:
            raise MadangError("table.read", _("{file} is too large for a table.").format(file=path.name))
        raw = path.read_bytes()
    except OSError as error:
        raise MadangError(
            "table.read", _("Cannot read {file}: {why}.").format(file=path.name, why=error.strerror)
        ) from None
    if raw[:4] == b"PK\x03\x04" or raw[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        return _workbook(path, raw)
    for encoding in ("utf-8-sig", "cp949"):
        try:
            text = raw.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise MadangError("table.read", _("{file} is neither a text table nor a workbook.").format(file=path.name))
    first = text.split("\n", 1)[0]
    mark = max(",;\t", key=first.count)
    try:
        return [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text), delimiter=mark, strict=True)]
    except csv.Error as error:
        raise MadangError("table.read", _("{file} is no CSV: {why}.").format(file=path.name, why=error)) from None


def _workbook(path: Path, raw: bytes) -> Sequence[Sequence[Any]]:
    calamine = needs("python_calamine")
    try:
        book = calamine.CalamineWorkbook.from_filelike(io.BytesIO(raw))
        for name in book.sheet_names:
            rows = book.get_sheet_by_name(name).to_python()
            if rows:
                return [[cell.strip() if isinstance(cell, str) else cell for cell in row] for row in rows]
    except Exception as error:  # the reader has its own errors for each format, and damaged books raise any of them
        raise MadangError("table.read", _("{file} cannot be read as a workbook.").format(file=path.name)) from error
    return []
