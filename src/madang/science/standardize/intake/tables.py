"""Files that are tables but no text: XLSX, SAS, SPSS and Stata. Each is written as UTF-8 text once, and read as that.

A row of the table is a line of the text, the names of its columns are the first line; so rows are numbered, accounted
for and traced like those of any other file. What identifies the file (size, SHA-256) is that of the file itself.
Line breaks within a value become blanks.
"""

import atexit
import csv
import itertools
import re
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from madang.base.errors import MadangError
from madang.science.standardize.intake import statistics
from madang.science.standardize.pack import Source

KINDS = {
    ".xlsx": "xlsx", ".xlsm": "xlsx", ".xlsb": "xlsx", ".xls": "xlsx", ".ods": "xlsx",
    ".sas7bdat": "sas", ".xpt": "sas", ".sav": "spss", ".zsav": "spss", ".dta": "stata",
}  # fmt: skip
"""The kind of a file by its ending."""

NAMES = {"xlsx": "a spreadsheet", "sas": "a SAS file", "spss": "an SPSS file", "stata": "a Stata file"}
_written: dict[tuple[str, int, int, str, str], Path] = {}
_folder: list[tempfile.TemporaryDirectory[str]] = []
_numbers = itertools.count()
_writing = threading.Lock()


def kind_of(path: Path) -> str | None:
    """Which kind of table a file is by its name, None for text."""
    return KINDS.get(path.suffix.lower())


def as_text(path: Path, source: Source | None = None, encoding: str = "") -> Path:
    """The text of a table, in a temporary folder of this process. Errors: `source.unreadable`, `source.encoding`.

    `encoding` is that of a file of a statistics program which does not say its own, where no source says it.
    Several threads read files at once: each table is written once, and each into a file of its own.
    """
    status = path.stat()
    sheet = source.sheet if source else ""
    if source and not source.encoding.startswith(("utf-8", "each")):
        encoding = source.encoding
    key = (str(path.absolute()), status.st_size, status.st_mtime_ns, sheet, encoding)
    with _writing:
        if key not in _written or not _written[key].exists():
            _written[key] = _write(path, sheet, encoding)
        return _written[key]


def _write(path: Path, sheet: str, encoding: str) -> Path:
    if not _folder:
        _folder.append(tempfile.TemporaryDirectory(prefix="madang-tables-"))
        atexit.register(_folder[0].cleanup)
    target = Path(_folder[0].name) / f"{next(_numbers)}.csv"
    kind = kind_of(path)
    if kind == "xlsx" and (odd := _named_otherwise(path)):
        raise odd
    what = NAMES[kind or "sas"]
    try:
        blocks = _sheet(path, sheet) if kind == "xlsx" else statistics.tables(path, encoding)
        with target.open("w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out, lineterminator="\n")
            for rows in blocks:
                writer.writerows(rows if kind != "xlsx" else ([_text(value) for value in row] for row in rows))
    except MadangError:
        raise
    except ModuleNotFoundError as error:
        raise MadangError(
            "source.unreadable",
            f"{path.name} is {what}, and the package that reads it ({error.name}) is not installed.",
            "Install the packages of the rooms, or export it as CSV.",
        ) from None
    except Exception as error:  # each of the packages has errors of its own
        raise MadangError(
            "source.unreadable",
            f"{path.name} cannot be read as {what}: {str(error).strip().rstrip('.') or 'it is damaged'}.",
            "Open it in its program and save it again, or export it as CSV.",
        ) from None
    return target


def other_sheets(path: Path, read: str = "") -> list[str]:
    """The sheets of a spreadsheet that hold anything, beside the one that is read (empty: the first)."""
    from python_calamine import CalamineWorkbook

    with CalamineWorkbook.from_path(str(path)) as book:
        read = read or _first(book)
        return [name for name in book.sheet_names if name != read and book.get_sheet_by_name(name).height]


def unread_sheets(path: Path, read: str) -> list[str]:
    """`other_sheets` of any file: none of what is no spreadsheet, or cannot be read (whoever reads it says so)."""
    if kind_of(path) != "xlsx":
        return []
    try:
        return other_sheets(path, read)
    except Exception:  # the package has errors of its own, and may be absent
        return []


def _first(book: Any) -> str:
    """The sheet that is read where a pack names none: the first that is not hidden."""
    shown = [sheet.name for sheet in book.sheets_metadata if str(sheet.visible).endswith(".Visible")]
    return str((shown or book.sheet_names)[0])


def _named_otherwise(path: Path) -> MadangError | None:
    """Why a file is no spreadsheet, though it is called so: text or HTML, or one that is locked."""
    with path.open("rb") as raw:
        start = raw.read(1 << 16)
    if start[:2] == b"PK" or (start[:4] == b"\xd0\xcf\x11\xe0" and "EncryptedPackage".encode("utf-16-le") not in start):
        return None
    if start[:4] == b"\xd0\xcf\x11\xe0":
        return MadangError(
            "source.unreadable", f"{path.name} is protected by a password.", "Save it without, or export it as CSV."
        )
    what = "HTML" if re.match(rb"(\xef\xbb\xbf)?\s*<", start) else "text or damaged"
    return MadangError(
        "source.unreadable",
        f"{path.name} is called a spreadsheet, but it is {what}.",
        "Open it in its program and save it as XLSX, or call it .csv if it is that.",
    )


def _sheet(path: Path, wanted: str) -> Iterator[Iterable[Sequence[Any]]]:
    from python_calamine import CalamineWorkbook

    with CalamineWorkbook.from_path(str(path)) as book:
        if wanted and wanted not in book.sheet_names:
            raise MadangError(
                "source.unreadable",
                f"{path.name} has no sheet {wanted}.",
                f"It has {', '.join(book.sheet_names)}.",
            )
        sheet = book.get_sheet_by_name(wanted or _first(book))
        yield sheet.to_python(skip_empty_area=True)


def _text(value: Any) -> str:
    """A cell as text: whole numbers without a point, moments of ISO 8601, nothing for what is missing."""
    if value is None or value is False or value is True:
        return "" if value is None else str(value).lower()
    if isinstance(value, datetime):
        return value.isoformat(sep=" ") if value.time() != time() else f"{value:%Y-%m-%d}"
    if isinstance(value, date | time):
        return value.isoformat()
    return statistics.plain(value)


def text_source(source: Source) -> Source:
    """The source as its text is laid out."""
    return replace(source, format="csv", delimiter=",", encoding="utf-8", quoted_newlines=False)
