"""Blocks of delimited text become columns of bytes.

A clean block is parsed by Arrow alone. Arrow lets a quote swallow line ends and takes a lone carriage return for a line
end; where its rows are not the block's rows, the odd rows are taken out, split by `exact.split_row`, and put back.
"""

import re
from codecs import BOM_UTF8
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from madang.science.standardize.intake import exact
from madang.science.standardize.intake.fields import EMPTY_LINE, OPEN_QUOTE, TOO_FEW, TOO_MANY
from madang.science.standardize.intake.files import CHUNK, newlines

MAX_ROW_LINES = 1000
"""Most physical lines of one row with quoted line breaks; a quote open for longer is an unbalanced one."""


@dataclass(frozen=True)
class Shape:
    """How the rows of a file are laid out: what parsing needs to know of source and header together."""

    delimiter: bytes
    quoting: bool
    width: int
    """Fields of a row, those that nobody wants included."""
    wanted: tuple[int, ...]
    """Positions of the fields to read."""
    quoted_newlines: bool = False


@dataclass(frozen=True)
class Rows:
    """The rows of a block: one array per wanted field, the offset of each row's line in the block, and the refused."""

    arrays: list[pa.Array]
    lines: np.ndarray | None
    """None: row i is line i."""
    refused: list[tuple[int, str]]
    count: int
    """Physical lines of the block."""


@dataclass(frozen=True)
class _Cut:
    """Where each row begins and ends in the data, and on which line."""

    starts: np.ndarray
    ends: np.ndarray
    lines: np.ndarray


def parse(data: bytes, shape: Shape) -> Rows:
    """The rows of a block of whole lines."""
    count = newlines(data) + (not data.endswith(b"\n"))
    if not shape.quoted_newlines and not _has_blank_line(data) and not has_lone_return(data):
        parsed = _arrow(data, shape)
        last = data[data.rfind(b"\n", 0, -1) + 1 :]
        if parsed and parsed[0] + len(parsed[2]) == count and _is_closed(last, shape):
            return Rows(parsed[1], *_numbered(np.arange(count), parsed[2]), count)
    return _carefully(data, shape, count)


def _arrow(data: bytes, shape: Shape) -> tuple[int, list[pa.Array], list[tuple[int, str]]] | None:
    """Number of rows, their fields, and the ragged rows by position; None where Arrow loses its way."""
    ragged: list[tuple[int, str]] = []

    def refuse(row: pa_csv.InvalidRow) -> str:
        ragged.append((row.number - 1, TOO_FEW if row.actual_columns < row.expected_columns else TOO_MANY))
        return "skip"

    names = [str(index) for index in range(shape.width)]
    wanted = [str(index) for index in shape.wanted]
    # A column that is always read tells the number of rows where none is wanted.
    included = wanted or names[:1]
    if data.startswith(BOM_UTF8):
        data = BOM_UTF8 + data  # Arrow drops one at the start of what it is given, which need not be the file's start
    try:
        table = pa_csv.read_csv(
            pa.py_buffer(data),
            read_options=pa_csv.ReadOptions(use_threads=False, column_names=names, block_size=len(data) + 1),
            parse_options=pa_csv.ParseOptions(
                delimiter=shape.delimiter.decode(),
                quote_char='"' if shape.quoting else False,
                ignore_empty_lines=False,
                newlines_in_values=True,
                # Arrow hands over a ragged row as UTF-8 text, or not at all.
                invalid_row_handler=refuse if data.isascii() else None,
            ),
            convert_options=pa_csv.ConvertOptions(
                include_columns=included,
                column_types=dict.fromkeys(included, pa.binary()),
                null_values=[""],
                strings_can_be_null=True,
            ),
        )
    except pa.ArrowInvalid:
        return None
    return table.num_rows, [joined(table[name]) for name in wanted], ragged


def joined(column: pa.ChunkedArray) -> pa.Array:
    """One array of a column."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _numbered(lines: np.ndarray, ragged: list[tuple[int, str]]) -> tuple[np.ndarray | None, list[tuple[int, str]]]:
    """The lines of the rows that are left, None where all are; and the ragged by line."""
    if not ragged:
        return None, []
    return np.delete(lines, [row for row, _ in ragged]), [(int(lines[row]), reason) for row, reason in ragged]


def _has_blank_line(data: bytes) -> bool:
    """Whether some line holds nothing; may err on the side of yes (a line of one character)."""
    view = np.frombuffer(data, np.uint8)
    if data[:1] in (b"\n", b"\r"):
        return True
    step = 2 if b"\r" in data else 1
    for at in range(0, len(view), CHUNK):
        ends = view[at : at + CHUNK + step] == 10
        if (ends[step:] & ends[:-step]).any() or (step == 2 and (ends[1:] & ends[:-1]).any()):
            return True
    return False


def has_lone_return(data: bytes) -> bool:
    """Whether a carriage return stands elsewhere than before a line feed."""
    if b"\r" not in data:
        return False
    view = np.frombuffer(data, np.uint8)
    for at in range(0, len(view), CHUNK):
        part = view[at : at + CHUNK + 1]
        if ((part[:-1] == 13) & (part[1:] != 10)).any():
            return True
    return data.endswith(b"\r")


# Odd blocks


def _carefully(data: bytes, shape: Shape, count: int) -> Rows:
    cut = _rows_of(data, shape.quoted_newlines and shape.quoting)
    odd = _odd_rows(data, cut, shape)
    parsed = None
    for every_quote in (False, True):
        if every_quote:  # quotes that swallow lines though they come in pairs: look at each row that has one
            odd |= _rows_with(data, cut, re.compile(b'"'))
        rest = np.flatnonzero(~odd)
        clean = b"".join(_slices(data, cut, odd))
        parsed = _arrow(clean, shape) if clean else None
        if not clean:
            break
        last = data[cut.starts[rest[-1]] : cut.ends[rest[-1]]]
        if parsed and parsed[0] + len(parsed[2]) == len(rest) and _is_closed(last, shape):
            break
    else:
        raise AssertionError("rows without quotes are lines")
    split, refused, split_lines = _split_odd(data, cut, odd, shape)
    if parsed is None:
        if not split_lines:
            return Rows([pa.array([], pa.binary()) for _ in shape.wanted], np.zeros(0, np.int64), refused, count)
        arrays, lines = [], np.zeros(0, np.int64)
    else:
        kept, ragged = _numbered(cut.lines[rest], parsed[2])
        arrays, lines = parsed[1], cut.lines[rest] if kept is None else kept
        refused += ragged
    if split_lines:
        extra = _arrow(_quoted(split, shape), _requoted(shape))
        assert extra is not None
        assert extra[0] == len(split)
        lines = np.concatenate([lines, split_lines]).astype(np.int64)
        order = np.argsort(lines, kind="stable")
        columns = extra[1] if not arrays else [pa.concat_arrays(pair) for pair in zip(arrays, extra[1], strict=True)]
        arrays = [array.take(pa.array(order)) for array in columns]
        lines = lines[order]
    return Rows(arrays, lines, sorted(refused), count)


def _requoted(shape: Shape) -> Shape:
    return Shape(b",", True, len(shape.wanted) or 1, tuple(range(len(shape.wanted))))


def _quoted(rows: list[list[bytes]], shape: Shape) -> bytes:
    """Rows of fields, only the wanted, as text that Arrow splits as they are: so odd rows are typed like all others."""
    wanted = shape.wanted or (0,)
    lines = [b",".join(b'"' + row[at].replace(b'"', b'""') + b'"' for at in wanted) for row in rows]
    return b"\n".join(lines) + b"\n"


def _split_odd(
    data: bytes, cut: _Cut, odd: np.ndarray, shape: Shape
) -> tuple[list[list[bytes]], list[tuple[int, str]], list[int]]:
    split: list[list[bytes]] = []
    refused: list[tuple[int, str]] = []
    lines: list[int] = []
    for row in np.flatnonzero(odd):
        line = int(cut.lines[row])
        fields = split_line(data[cut.starts[row] : cut.ends[row]], shape)
        if isinstance(fields, str):
            refused.append((line, fields))
        else:
            split.append(fields)
            lines.append(line)
    return split, refused, lines


def split_line(row: bytes, shape: Shape) -> list[bytes] | str:
    """The fields of one row, or the reason why it is none."""
    row = row.removesuffix(b"\n").removesuffix(b"\r")
    if not row:
        return EMPTY_LINE
    fields = exact.split_row(row, shape.delimiter, shape.quoting)
    if fields is None:
        return OPEN_QUOTE
    if len(fields) != shape.width:
        return TOO_FEW if len(fields) < shape.width else TOO_MANY
    return fields


def _is_closed(last: bytes, shape: Shape) -> bool:
    """Whether the last row ends outside quotes: an open quote there swallows no further row that would be missed."""
    return not shape.quoting or b'"' not in last or exact.split_row(last, shape.delimiter, True) is not None


def _rows_of(data: bytes, quoted_newlines: bool) -> _Cut:
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == 10) + 1
    if len(ends) == 0 or ends[-1] != len(data):
        ends = np.append(ends, len(data))
    starts = np.concatenate([[0], ends[:-1]])
    lines = np.arange(len(ends))
    if quoted_newlines:
        first = np.ones(len(ends), bool)
        for opening, closing in quoted_spans(data, ends)[0]:
            first[opening + 1 : closing + 1] = False
        last = np.append(np.flatnonzero(first)[1:], len(ends)) - 1
        starts, ends, lines = starts[first], ends[last], lines[first]
    return _Cut(starts, ends, lines)


def quoted_spans(data: bytes, ends: np.ndarray) -> tuple[list[tuple[int, int]], int | None]:
    """Lines that one row spans, as (first, last) pairs, and the line of a quote that is still open at the end.

    Lines with an odd number of quotes open and close by turns; a quote open for more than `MAX_ROW_LINES` lines
    is taken for an unbalanced one, whose line stands alone.
    """
    quotes = np.flatnonzero(np.frombuffer(data, np.uint8) == 34)
    per_line = np.bincount(np.searchsorted(ends, quotes, side="right"), minlength=len(ends))
    spans: list[tuple[int, int]] = []
    opening: int | None = None
    for line in np.flatnonzero(per_line % 2):
        if opening is not None and line - opening < MAX_ROW_LINES:
            spans.append((opening, int(line)))
            opening = None
        else:
            opening = int(line)
    if opening is not None and len(ends) - opening > MAX_ROW_LINES:
        opening = None
    return spans, opening


def _odd_rows(data: bytes, cut: _Cut, shape: Shape) -> np.ndarray:
    """Rows that Arrow may read otherwise than `exact.split_row`: blank ones, lone carriage returns, odd quotes; and
    such as have another number of delimiters, where Arrow cannot hand them over."""
    view = np.frombuffer(data, np.uint8)
    length = cut.ends - cut.starts
    odd: np.ndarray = length <= 2
    if odd.any():  # of the short ones, those that hold nothing but their line end
        for row in np.flatnonzero(odd):
            odd[row] = not data[cut.starts[row] : cut.ends[row]].strip(b"\r\n")
    if b"\r" in data:
        returns = np.flatnonzero(view == 13)
        follower = view[np.minimum(returns + 1, len(view) - 1)]
        lone = returns[(follower != 10) | (returns == len(view) - 1)]
        odd[_rows_at(cut, lone)] = True
    if shape.quoting and b'"' in data:
        odd |= _per_row(cut, view, 34) % 2 == 1
    if not data.isascii():
        odd |= _per_row(cut, view, shape.delimiter[0]) != shape.width - 1
    return odd


def _per_row(cut: _Cut, view: np.ndarray, byte: int) -> np.ndarray:
    """How often `byte` occurs in each row."""
    before = np.searchsorted(np.flatnonzero(view == byte), cut.ends)
    count: np.ndarray = np.diff(before, prepend=0)
    return count


def _rows_at(cut: _Cut, positions: np.ndarray) -> np.ndarray:
    return np.searchsorted(cut.ends, positions, side="right")


def _rows_with(data: bytes, cut: _Cut, pattern: re.Pattern[bytes]) -> np.ndarray:
    flags = np.zeros(len(cut.starts), bool)
    flags[_rows_at(cut, np.array([m.start() for m in pattern.finditer(data)], np.int64))] = True
    return flags


def _slices(data: bytes, cut: _Cut, odd: np.ndarray) -> list[bytes]:
    """The data without the odd rows."""
    pieces, at = [], 0
    for row in np.flatnonzero(odd):
        if cut.starts[row] > at:
            pieces.append(data[at : cut.starts[row]])
        at = int(cut.ends[row])
    pieces.append(data[at:])
    return pieces
