"""How a file is laid out: encoding, delimiter, quotes, header, line ends; from its beginning."""

import codecs
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import orjson

from madang.base.errors import MadangError
from madang.science.standardize.intake.delimited import quoted_spans
from madang.science.standardize.intake.exact import BLANKS, split_row
from madang.science.standardize.intake.files import contents, is_compressed, is_mixed, line_ends, reading, unmixed
from madang.science.standardize.scan.encodings import Guess, guess_by_letters

SAMPLE = 1 << 20
MOST_COLUMNS = 10_000
"""A file with more of them is no table, or has another delimiter."""
LOOK_FOR_LETTERS = 256 << 20
"""How far a file that begins as plain ASCII is searched for its first other characters."""
DELIMITERS = ",\t|;^~$\x01\x1f\x02\x07\x1c\x1e"
"""Those of Hive and of ASCII among them."""
_FIELD = re.compile(r"\d+-\d+\.\d+")
"""A field, visit and number of UK Biobank, which are names of columns."""
_VALUE = re.compile(r"[+-]?[\d.,:/ -]+|\d{4}-\d\d-\d\d.*")


@dataclass(frozen=True)
class Layout:
    """What is known of a file from its beginning."""

    format: str
    encoding: str
    evidence: str
    byte_order_mark: bool
    delimiter: str
    quoting: str
    quoted_newlines: bool
    header: bool
    names: tuple[str, ...]
    ask: str = ""
    """What of the encoding somebody has to decide."""


def sniff(path: Path, known: str = "") -> Layout | None:
    """The layout of a file; None where it is empty. Raises `MadangError` where it cannot be read.

    `known` is its delimiter, where that is no question.
    """
    with reading(path), path.open("rb") as raw:
        stream = contents(raw, is_compressed(path))
        start = _full_read(stream, SAMPLE)
        if not start:
            return None
        guess, mark = guess_encoding(start, stream)
    encoding, evidence = guess.encoding, guess.evidence
    ended = len(start) < SAMPLE
    text = _narrowed(start, encoding)
    if not ended:
        text = text[: text.rfind(b"\n") + 1] or text
    codec = "utf-8" if encoding.startswith("utf-16") or is_mixed(encoding) else encoding
    first = text.split(b"\n", 1)[0]
    if first.lstrip().startswith(b"{") and _is_object(first):
        return Layout("ndjson", "utf-8", evidence, mark, ",", "none", False, False, ())
    if text.count(b"\r") > 2 and b"\n" not in text:
        raise MadangError(
            "scan.line_ends", "Its lines end with a carriage return alone.", "Write it anew with line feeds."
        )
    if text.count(b"\x1e") > 2 and text.count(b"\n") <= 1:
        raise MadangError(
            "scan.line_ends", "Its records are separated by the character \\x1e.", "Write it anew with line feeds."
        )
    delimiter, rows, quoting, newlines = _rows(text, known)
    if rows and len(rows[0]) > MOST_COLUMNS:
        raise MadangError("scan.columns", f"It has more than {MOST_COLUMNS:,} columns.", "Is it a table at all?")
    names = [cell.decode(codec, "replace").strip(BLANKS) for cell in rows[0]] if rows else []
    body = [[cell.decode(codec, "replace").strip(BLANKS) for cell in row] for row in rows[1:]]
    if rows and re.fullmatch(rb"sep=.", rows[0][0] if len(rows[0]) == 1 else first.strip(), re.IGNORECASE):
        told = first.decode("ascii", "replace").strip()
        raise MadangError(
            "scan.header",
            f"It begins with the line {told}, which tells Excel the delimiter.",
            "Take that line away.",
        )
    signs = [name for name in names if re.fullmatch(r"[\^|~$;:,#@&]+", name)]
    if len(signs) * 3 >= len(names) and len(set(signs)) == 1:
        raise MadangError(
            "scan.delimiter",
            f"Its fields are separated by {delimiter}{signs[0]}{delimiter}, which is more than one character.",
            "Write it anew with one character between fields.",
        )
    if above := _above(names, body):
        raise MadangError(
            "scan.header",
            f"Above its columns stands what is no header: “{names[0][:40]}”.",
            f"Take the first {above} lines away." if above > 1 else "Take the first line away.",
        )
    header = _is_header(names, body)
    twice = next((name for name in names if name and names.count(name) > 1), None)
    if not header and twice and _is_header(list(dict.fromkeys(names)), []):
        raise MadangError("scan.header", f"Its header has {twice} twice.", "Give each column a name of its own.")
    if not header:
        names = [f"column_{number + 1}" for number in range(len(names))]
    format = "tsv" if delimiter == "\t" and quoting == "none" else "csv"
    return Layout(format, encoding, evidence, mark, delimiter, quoting, newlines, header, tuple(names), guess.ask)


def _full_read(stream: BinaryIO, size: int) -> bytes:
    pieces, left = [], size
    while left and (data := stream.read(left)):
        pieces.append(data)
        left -= len(data)
    return b"".join(pieces)


def guess_encoding(start: bytes, rest: BinaryIO) -> tuple[Guess, bool]:
    """The encoding, and whether there is a byte order mark."""
    if start.startswith(codecs.BOM_UTF8):
        return Guess("utf-8", "byte order mark"), True
    if start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return Guess("utf-16", "byte order mark"), True
    zeros = np.flatnonzero(np.frombuffer(start, np.uint8) == 0)
    if len(zeros) > len(start) * 0.2:
        big = np.count_nonzero(zeros % 2 == 0) > len(zeros) / 2
        return Guess("utf-16-be" if big else "utf-16-le", "every other byte is zero"), False
    sample, searched = start, len(start)
    while sample.isascii() and searched < LOOK_FOR_LETTERS and (more := rest.read(SAMPLE)):
        sample = more
        searched += len(more)
    if sample.isascii():
        return Guess("utf-8", f"only ASCII in the first {searched:,} bytes"), False
    # Whole lines, so that no letter is cut in two.
    whole = sample[0 if sample is start else sample.find(b"\n") + 1 : sample.rfind(b"\n") + 1] or sample
    return guess_by_letters(sample if whole.isascii() else whole), False


def _narrowed(data: bytes, encoding: str) -> bytes:
    if encoding.startswith("utf-16"):
        big = encoding.endswith("be") or data[:2] == codecs.BOM_UTF16_BE
        even = data.removeprefix(codecs.BOM_UTF16_BE if big else codecs.BOM_UTF16_LE)
        text = even[: len(even) // 2 * 2].decode("utf-16-be" if big else "utf-16-le", "replace")
        return text.encode("utf-8", "replace")
    data = data.removeprefix(codecs.BOM_UTF8)
    return unmixed(data, encoding) if is_mixed(encoding) else data


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(orjson.loads(line), dict)
    except orjson.JSONDecodeError:
        return line.rstrip().endswith(b"}")


def _rows(text: bytes, known: str) -> tuple[str, list[list[bytes]], str, bool]:
    """Delimiter, the first rows, how fields are quoted, and whether quoted fields have line breaks."""
    ends = line_ends(text)[:1000]
    text = text[: ends[-1]]
    lines = [line.removesuffix(b"\r") for line in text.split(b"\n") if line.strip(b"\r")]
    if not lines:
        return ",", [], "none", False
    delimiter = known or max(DELIMITERS, key=lambda one: _evenness(lines, one.encode()))
    mark = delimiter.encode()
    split = [split_row(line, mark, True) for line in lines]
    if not any(b'"' in line for line in lines):
        return delimiter, [row for row in split if row], "none", False
    quoted = re.findall(rb"(?:^|%b|\n)\"" % re.escape(mark), text)
    if delimiter == "\t" and not quoted:
        return delimiter, [line.split(mark) for line in lines], "none", False
    open_quotes = sum(row is None for row in split)
    if open_quotes >= 2:
        spans, _ = quoted_spans(text, ends)
        joined = _joined(text, ends, spans, mark)
        width = Counter(map(len, joined)).most_common(1)
        if joined and width[0][1] >= len(joined) * 0.9 and len(spans) * 2 >= open_quotes * 0.8:
            return delimiter, joined, "with line breaks", True
    rows = [row for row in split if row]
    fields = sum(map(len, rows))
    return delimiter, rows, "all fields" if len(quoted) >= fields * 0.9 else "some fields", False


def _joined(text: bytes, ends: np.ndarray, spans: list[tuple[int, int]], mark: bytes) -> list[list[bytes]]:
    rows, line, last = [], 0, {first: last for first, last in spans}
    while line < len(ends):
        end = last.get(line, line)
        row = split_row(text[ends[line - 1] if line else 0 : ends[end]].rstrip(b"\r\n"), mark, True)
        if row:
            rows.append(row)
        line = end + 1
    return rows


def _evenness(lines: list[bytes], mark: bytes) -> float:
    """How well a delimiter explains the lines: the share of the commonest width, more for wider rows."""
    widths = Counter(len(split_row(line, mark, True) or ()) for line in lines[:300])
    width, count = max(widths.items(), key=lambda one: (one[0] > 1, one[1]))
    return 0.0 if width < 2 else count / min(len(lines), 300) + min(width, 50) / 1000


def _above(names: list[str], body: list[list[str]]) -> int:
    """How many rows of a single field, as titles of a report are, stand above a table of several columns."""
    rows = [_bare(row) for row in (names, *body[:300])]
    width, count = Counter(map(len, rows)).most_common(1)[0] if rows else (0, 0)
    if len(rows[0]) != 1 or width < 2 or count < len(rows) * 0.5:
        return 0
    return next((at for at, row in enumerate(rows[:20]) if len(row) == width and _is_header(row, rows[at + 1 :])), 0)


def _bare(row: list[str]) -> list[str]:
    """A row without the empty fields at its end."""
    filled = len(row)
    while filled and not row[filled - 1]:
        filled -= 1
    return row[:filled]


def _look(text: str) -> str:
    """A text with one sign for all digits and one for all letters."""
    return re.sub(r"[^\W\d_]", "a", re.sub(r"\d", "0", text))


def _is_value(name: str) -> bool:
    return bool(_VALUE.fullmatch(name)) and not _FIELD.fullmatch(name)


def _is_header(names: list[str], body: list[list[str]]) -> bool:
    """Whether the first row names the columns: all filled and different, none a number or date, none seen below.

    Columns without a name may be a numbering of the rows, which is the first one, or columns without a value.
    """
    filled = [name for name in names if name]
    if not filled or len(set(filled)) < len(filled) or any(map(_is_value, filled)):
        return False
    below = [row for row in body[:200] if len(row) == len(names)]
    if len(names) == 1 and re.search(r"\d", names[0]) and len(below) > 2:  # lines of fixed width without a header
        alike = sum(_look(row[0]) == _look(names[0]) for row in below)
        if alike >= len(below) * 0.5:
            return False
    unnamed = [at for at, name in enumerate(names) if not name]
    if len(unnamed) > len(names) * 0.2 and unnamed != [0] and any(row[at] for row in below for at in unnamed):
        return False
    if len(names) > 1 and names in below:  # files that were put together with their headers
        return True
    repeated = sum(any(row[at] == name for row in below) for at, name in enumerate(names) if name)
    return repeated <= len(names) * 0.2
