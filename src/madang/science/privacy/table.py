"""Flat tables as text: read from CSV, and coded as small integers so that equal values are equal numbers."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from madang.base.errors import MadangError

if TYPE_CHECKING:
    import pyarrow as pa

DELIMITERS = (",", ";", "\t", "|")
ENCODINGS = ("utf-8", "cp949")
SAMPLE_BYTES = 1 << 20


@dataclass(frozen=True)
class Coded:
    """One column: `codes[row]` is the place of the row's value in `values`, which are distinct."""

    name: str
    values: tuple[str, ...]
    codes: np.ndarray  # int32, one per row


@dataclass(frozen=True)
class Distinct:
    """The distinct tuples of some columns: `tuples[i]` holds codes, `weights[i]` how many rows have them.

    `of_row[row]` is the place of the row's tuple.
    """

    tuples: np.ndarray  # int32, distinct tuples x columns
    weights: np.ndarray  # int64
    of_row: np.ndarray  # int32


def read_csv(path: Path, delimiter: str | None = None) -> "pa.Table":
    """The CSV file as a table of dictionary-coded text columns.

    The delimiter is found in the header unless given; the encoding is UTF-8 (with or without mark) or CP949. An empty
    cell is the empty text. Raises `privacy.file` for what cannot be read.
    """
    import pyarrow as pa
    import pyarrow.csv

    compressed = path.suffix == ".gz"
    text, encoding = _beginning(path)
    mark = delimiter or _mark(text)
    names = next(csv.reader(io.StringIO(text), delimiter=mark))
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise MadangError("privacy.file", f"{path} has two columns of the name {twice[0]!r}.", "Name each column once.")
    try:
        with pa.CompressedInputStream(str(path), "gzip") if compressed else pa.OSFile(str(path)) as stream:
            table = pyarrow.csv.read_csv(
                stream,
                read_options=pyarrow.csv.ReadOptions(encoding=encoding, block_size=1 << 24),
                parse_options=pyarrow.csv.ParseOptions(
                    delimiter=mark, newlines_in_values=compressed or _has_quotes(path)
                ),
                convert_options=pyarrow.csv.ConvertOptions(
                    column_types={name: pa.dictionary(pa.int32(), pa.string()) for name in names},
                    strings_can_be_null=False,
                    null_values=[],
                ),
            )
    except (pa.ArrowInvalid, pa.ArrowKeyError, OSError, UnicodeDecodeError) as error:
        raise MadangError(
            "privacy.file", f"{path} cannot be read as CSV: {str(error).splitlines()[0]}.", "Look at the line it names."
        ) from None
    if table.num_rows == 0:
        raise MadangError("privacy.file", f"{path} has a header and no rows.")
    return table.unify_dictionaries().combine_chunks()


def delimiter_of(path: Path) -> str:
    """The delimiter of a CSV file, by its header."""
    return _mark(_beginning(path)[0])


def write_csv(path: Path, table: "pa.Table", delimiter: str = ",") -> None:
    """Write a table as CSV with a header; a cell is quoted only where it must be."""
    import pyarrow as pa
    import pyarrow.csv

    plain = table.cast(
        pa.schema(
            [(field.name, pa.string() if pa.types.is_dictionary(field.type) else field.type) for field in table.schema]
        )
    )
    header = delimiter.join(_quoted(name, delimiter) for name in plain.column_names)
    with path.open("wb") as stream:
        stream.write(header.encode() + b"\n")
        try:
            options = pyarrow.csv.WriteOptions(include_header=False, delimiter=delimiter, quoting_style="none")
            begin = stream.tell()
            pyarrow.csv.write_csv(plain, stream, options)
        except pa.ArrowInvalid:  # some cell must be quoted
            stream.seek(begin)
            stream.truncate()
            options = pyarrow.csv.WriteOptions(include_header=False, delimiter=delimiter, quoting_style="needed")
            pyarrow.csv.write_csv(plain, stream, options)


def _has_quotes(path: Path) -> bool:
    """Whether a cell could hold line breaks; without, the file is read by all cores."""
    import mmap

    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        return mapped.find(b'"') >= 0


def _quoted(name: str, delimiter: str) -> str:
    special = any(mark in name for mark in (delimiter, '"', "\n", "\r"))
    return '"' + name.replace('"', '""') + '"' if special else name


def _mark(text: str) -> str:
    first = text.splitlines()[0]
    return max(DELIMITERS, key=lambda each: (first.count(each), each == ","))


def _beginning(path: Path) -> tuple[str, str]:
    """The first part of the file as text, and its encoding."""
    import gzip

    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            head = file.read(SAMPLE_BYTES)
    except (OSError, EOFError) as error:
        raise MadangError("privacy.file", f"Cannot read {path}: {getattr(error, 'strerror', None) or error}.") from None
    encoding = _encoding(head, path)
    text = head.decode(encoding, errors="ignore").removeprefix("\ufeff")
    if not text.strip():
        raise MadangError("privacy.file", f"{path} is empty.", "Give a CSV file with a header line.")
    return text, encoding


def _encoding(head: bytes, path: Path) -> str:
    if b"\0" in head:
        raise MadangError("privacy.file", f"{path} is no text file.", "Give a CSV file in UTF-8 or CP949.")
    for encoding in ENCODINGS:
        try:
            head.decode(encoding)
        except UnicodeDecodeError as error:
            if error.start >= len(head) - 4 and len(head) == SAMPLE_BYTES:  # only the cut at the end of the sample
                return encoding
        else:
            return encoding
    raise MadangError("privacy.file", f"{path} is neither UTF-8 nor CP949.", "Save it as UTF-8.")


def coded(table: "pa.Table", names: list[str]) -> list[Coded]:
    """The named columns as codes. Raises `privacy.column` for an unknown name or one given twice."""
    if not names:
        raise MadangError("privacy.column", "No column is named.", "Name the quasi-identifiers: --quasi age,sex.")
    found = []
    for place, name in enumerate(names):
        if name not in table.column_names:
            raise MadangError(
                "privacy.column", f"There is no column {name!r}.", f"The columns are {', '.join(table.column_names)}."
            )
        if name in names[:place]:
            raise MadangError("privacy.column", f"The column {name!r} is named twice.")
        found.append(_coded(name, table.column(name)))
    return found


def _coded(name: str, column: "pa.ChunkedArray") -> Coded:
    import pyarrow as pa

    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):  # of a table with no or one chunk
        array = array.chunk(0)
    if not pa.types.is_dictionary(array.type):
        array = array.cast(pa.string()).fill_null("").dictionary_encode()
    values = tuple(array.dictionary.cast(pa.string()).fill_null("").to_pylist())
    indices = array.indices
    if indices.null_count:
        values = (*values, "") if "" not in values else values
        indices = indices.fill_null(values.index(""))
    return Coded(name, values, indices.to_numpy(zero_copy_only=False).astype(np.int32, copy=False))


def pack(columns: list[np.ndarray], sizes: list[int]) -> tuple[np.ndarray, int]:
    """One int64 per row that is equal exactly where all columns are; and the number of values it may take.

    Columns hold codes below their size. Where the product of sizes would not fit, what is packed so far is numbered
    anew by the values that occur.
    """
    key = columns[0].astype(np.int64)
    span = sizes[0]
    for column, size in zip(columns[1:], sizes[1:], strict=True):
        if span * size >= 1 << 62:
            values, inverse = np.unique(key, return_inverse=True)
            key, span = inverse.astype(np.int64), len(values)
        key *= size
        key += column
        span *= size
    return key, span


def order(key: np.ndarray, span: int) -> np.ndarray:
    """The places of `key` in ascending order of it; one sort of plain integers wherever place and key fit in one."""
    bits = max(1, len(key).bit_length())
    if span < 1 << (62 - bits):
        packed = (key << bits) | np.arange(len(key))
        packed.sort()
        return packed & ((1 << bits) - 1)
    return np.argsort(key, kind="stable")


def starts(ordered: np.ndarray) -> np.ndarray:
    """Where in an ordered array each run of equal values begins."""
    if not len(ordered):
        return np.zeros(0, dtype=np.int64)
    return np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))


def distinct(columns: list[np.ndarray], sizes: list[int]) -> Distinct:
    """Collapse rows with equal codes."""
    rows = len(columns[0])
    key, span = pack(columns, sizes)
    if span <= max(1 << 16, 4 * rows):  # few possible values: count them in place, no sort
        counts = np.bincount(key, minlength=span)
        present = np.flatnonzero(counts)
        number = np.zeros(span, dtype=np.int32)
        number[present] = np.arange(len(present), dtype=np.int32)
        of_row = number[key]
        first = np.zeros(len(present), dtype=np.int64)
        first[of_row[::-1]] = np.arange(rows - 1, -1, -1)
        weights = counts[present].astype(np.int64)
    else:
        places = order(key, span)
        begin = starts(key[places])
        first = places[begin]
        weights = np.diff(np.append(begin, rows)).astype(np.int64)
        of_row = np.empty(rows, dtype=np.int32)
        of_row[places] = np.repeat(np.arange(len(begin), dtype=np.int32), weights)
    tuples = np.stack([column[first] for column in columns], axis=1).astype(np.int32, copy=False)
    return Distinct(tuples, weights, of_row)
