"""Reading CSV files that people edit: strict, with the line of whatever is wrong."""

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

from madang.base.errors import MadangError

T = TypeVar("T")

# Longest field that is read; the csv module's own limit gives an error of its own kind.
_LONGEST_FIELD = 1 << 20


@dataclass(frozen=True)
class Line:
    """One row of a file with its line number (the header is line 1)."""

    number: int
    file: str
    values: dict[str, str]

    @property
    def where(self) -> str:
        """`file, line n: `, the beginning of a sentence about this row."""
        return f"{self.file}, line {self.number}: "

    def get(self, column: str, default: str = "") -> str:
        """The trimmed text of a column; `default` if the column is missing or empty."""
        return self.values.get(column, "").strip() or default

    def take(self, column: str, read: Callable[[str], T], default: T, what: str) -> T:
        """The column's text read as something; raises with the line if it is not `what`."""
        text = self.get(column)
        if not text:
            return default
        try:
            return read(text)
        except (ValueError, KeyError, OverflowError):
            raise self.error("mapping.value", f"{column} is '{text[:60]}', which is not {what}.") from None

    def error(self, code: str, sentence: str, hint: str = "Nothing was changed.") -> MadangError:
        """An error about this row."""
        return MadangError(code, self.where + sentence, hint)


_WHOLE = re.compile(r"[+-]?([0-9]+|[1-9][0-9]{0,2}(,[0-9]{3})+)(\.0+)?|[+-]?[0-9](\.[0-9]+)?[eE]\+?[0-9]{1,2}")


def whole_number(text: str) -> int:
    """A count or identifier: plain, with commas between thousands, a spreadsheet's `.0` or R's `1.6e+12`; 63 bits."""
    if not _WHOLE.fullmatch(text):
        raise ValueError(text)
    number = Decimal(text.replace(",", ""))
    if number != int(number) or not -(2**63) <= number < 2**63:
        raise ValueError(text)
    return int(number)


def read_table(
    path: Path, required: Iterable[str], encoding: str = "utf-8", old_names: Mapping[str, str] | None = None
) -> list[Line]:
    """All rows of a CSV file with a header that has the `required` columns, some perhaps under their `old_names`.

    Errors (`mapping.file`, `mapping.encoding`, `mapping.columns`, `mapping.row`) name the file and line.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MadangError("mapping.file", f"{path} cannot be read: {error.strerror}.", "Check the path.") from None
    text = _decode(data, path.name, encoding)
    if "\0" in text:
        at = text.count("\n", 0, text.index("\0")) + 1
        raise MadangError("mapping.row", f"{path.name}, line {at}: holds a NUL byte.", "This is not a CSV file.")
    csv.field_size_limit(_LONGEST_FIELD)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    lines: list[Line] = []
    start = 1
    try:
        header = [(old_names or {}).get(name.strip(), name.strip()) for name in next(reader, [])]
        _check_header(header, list(required), path.name)
        start = reader.line_num + 1
        for row in reader:
            if any(value.strip() for value in row):
                if len(row) != len(header):
                    raise MadangError(
                        "mapping.row",
                        f"{path.name}, line {start}: has {len(row)} fields where the header has {len(header)}.",
                        "Nothing was changed.",
                    )
                lines.append(Line(start, path.name, dict(zip(header, row, strict=True))))
            start = reader.line_num + 1
    except csv.Error as error:
        raise MadangError("mapping.row", f"{path.name}, line {start}: {error}.", "Check its quotes.") from None
    return lines


def _delimiter(text: str) -> str:
    """What separates the names of the columns: a European Excel writes semicolons."""
    first = text.partition("\n")[0]
    return max(",;\t", key=first.count)


def _decode(data: bytes, name: str, encoding: str) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    elif encoding.lower().replace("_", "-") in ("utf-8", "utf8"):
        encoding = "utf-8-sig"
    try:
        return data.decode(encoding)
    except LookupError:
        raise MadangError("mapping.encoding", f"There is no encoding '{encoding}'.", "Try utf-8 or cp949.") from None
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        hint = "Save it as UTF-8, or give its encoding."
        if encoding == "utf-8-sig" and _is(data, "cp949"):
            hint = "It looks like cp949: give --encoding cp949."
        shown = encoding.removesuffix("-sig")
        raise MadangError("mapping.encoding", f"{name}, line {line}: is not {shown} text.", hint) from None


def _is(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _check_header(header: list[str], required: list[str], name: str) -> None:
    missing = [column for column in required if column not in header]
    if not header or missing:
        what = f"has no column {', '.join(missing)}" if header else "is empty"
        raise MadangError("mapping.columns", f"{name} {what}.", f"It needs the columns {', '.join(required)}.")
    twice = sorted({column for column in header if column and header.count(column) > 1})
    if twice:
        raise MadangError("mapping.columns", f"{name} has the column {twice[0]} twice.", "Remove one of them.")
