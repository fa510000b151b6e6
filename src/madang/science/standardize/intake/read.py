"""Reading a source file: blocks of lines, in order, parsed and typed on a few threads."""

import codecs
import os
import re
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from madang.base.errors import MadangError
from madang.base.progress import Progress, Silent
from madang.science.standardize.intake import convert, delimited, exact, ndjson, tables
from madang.science.standardize.intake.base import find_base
from madang.science.standardize.intake.delimited import Rows, Shape
from madang.science.standardize.intake.fields import Field, plan
from madang.science.standardize.intake.files import (
    Hashing,
    SourceFile,
    changed,
    contents,
    find_files,
    is_big_endian,
    is_compressed,
    is_mixed,
    is_wide,
    line_ends,
    newlines,
    physical_lines,
    reading,
    register,
    unmixed,
)
from madang.science.standardize.pack import Source
from madang.science.standardize.pack_model import fallback

BLOCK_BYTES = 8 << 20
SAMPLE_ROWS = 1_000
"""Rows of one file of each source that `check_files` tries to read."""
_BLANKS = tuple(blank.encode() for blank in exact.BLANKS if blank.isascii() and blank not in "\r\n")


@dataclass(frozen=True)
class Block:
    """Some lines of a file, typed."""

    first_line: int
    """Physical line of the block's first line; 1 is the first line of the file, header included."""
    lines: int
    """Physical lines of the block; without quoted line breaks each is a row of `table` or one of `rejects`."""
    table: pa.Table
    """`_line` (int64), the source's columns but direct identifiers, and the captures of the file's name as text."""
    rejects: list[tuple[int, str]]
    """(line, reason) of rows that are no record, by line."""
    repairs: list[tuple[int, str]]
    """(line, column) of optional fields that were nulled because they held no value of their type, by line."""


@dataclass
class _Reader:
    """What all blocks of one file share."""

    name: str
    source: Source
    fields: list[Field]
    captures: dict[str, str]
    pseudonym: Callable[[str], str] | None
    encoding: str
    shape: Shape | None = None
    absent: frozenset[int] = frozenset()
    """Fields that this file lacks."""
    big_endian: bool = False
    mixed: str = ""
    """The encoding of the file where its text is taken to UTF-8 before it is cut."""


def read_blocks(
    path: Path,
    file: SourceFile,
    source: Source,
    *,
    columns: Sequence[str] | None = None,
    pseudonym: Callable[[str], str] | None = None,
    threads: int = 2,
    block_bytes: int = BLOCK_BYTES,
    progress: Progress | None = None,
    header: bool = True,
) -> Iterator[Block]:
    """The blocks of a registered file, in order; `progress` advances by bytes of its text.

    `columns` are those wanted (None: all but direct identifiers). Columns that can reject a row are always checked, so
    a row has the same fate whichever are wanted. `pseudonym` replaces identifiers that the pack marks so.
    A file without `header` has the declared columns in their order.

    At the end the file must be what was registered, byte for byte: else `MadangError` `source.changed`. Further errors:
    `source.empty`, `source.header`, `source.column`, `source.truncated`, `source.damaged`, `source.unreadable`.
    """
    progress = progress or Silent()
    if tables.kind_of(path):
        yield from _table_blocks(
            path, file, source, columns=columns, pseudonym=pseudonym, threads=threads, block_bytes=block_bytes,
            progress=progress, header=header,
        )  # fmt: skip
        return
    fields = plan(source, columns)
    if pseudonym is None and any(one.pseudonym for one in fields):
        raise MadangError(
            "source.key", f"Source {source.name} has pseudonyms, but there is no key.", "Give the pseudonym key."
        )
    captured = {n: v for n, v in file.captures.items() if columns is None or n in columns}
    reader = _reader(file.name, path, source, fields, captured, pseudonym)
    with reading(path), path.open("rb") as raw:
        before = os.fstat(raw.fileno())
        if (before.st_size, before.st_mtime_ns) != (file.size, file.mtime_ns):
            raise changed(file.name)
        hashing = Hashing(raw)
        stream = contents(hashing, is_compressed(path))
        last = 1, b""
        with ThreadPoolExecutor(max_workers=max(1, threads), thread_name_prefix="intake") as pool:
            waiting: deque[tuple[int, Future[Block]]] = deque()
            try:
                for first, data in _texts(physical_lines(stream, source.encoding, block_bytes), reader):
                    last = first, data
                    if first == 1 and not header:
                        reader.shape = _bare_shape(source, fields)
                    elif first == 1 and source.format != "ndjson":
                        head, data = _head(data)
                        reader.shape, reader.absent = _shape(head, reader)
                        first = 2
                    if data:
                        waiting.append((len(data), pool.submit(_block, first, data, reader)))
                    if len(waiting) > threads:
                        yield _done(waiting, progress)
                while waiting:
                    yield _done(waiting, progress)
            finally:
                for _, future in waiting:
                    future.cancel()
        while hashing.read(1 << 20):  # what follows the compressed text
            pass
        seen = last[0] - 1 + newlines(last[1]) + bool(last[1] and not last[1].endswith(b"\n"))
        if seen == 0 and source.format != "ndjson":
            raise _empty(file.name)
        after = os.stat(path)
        same = (after.st_size, after.st_mtime_ns, after.st_ino) == (file.size, file.mtime_ns, before.st_ino)
        if not same or seen != file.lines or hashing.digest.hexdigest() != file.sha256:
            raise changed(file.name)


def _table_blocks(path: Path, file: SourceFile, source: Source, **options: Any) -> Iterator[Block]:
    """The blocks of a table that is no text, by way of its text."""
    now = register(path, source)
    if (now.size, now.sha256, now.mtime_ns) != (file.size, file.sha256, file.mtime_ns):
        raise changed(file.name)
    text, spec = tables.as_text(path, source), tables.text_source(source)
    yield from read_blocks(text, replace(register(text, spec), name=file.name, captures=file.captures), spec, **options)


def _done(waiting: deque[tuple[int, Future[Block]]], progress: Progress) -> Block:
    size, future = waiting.popleft()
    block = future.result()
    progress.advance(size)
    return block


# From bytes on disk to blocks of text


def _texts(blocks: Iterator[tuple[int, bytes]], reader: _Reader) -> Iterator[tuple[int, bytes]]:
    """The blocks without byte order mark, UTF-16 as UTF-8, cut where no quoted row is open."""
    carry, carry_first = b"", 0
    for first, data in blocks:
        if first == 1:
            data = _without_mark(data, reader)
        data = _as_utf8(data, reader)
        if reader.source.quoted_newlines and data:
            if carry:
                first, data = carry_first, carry + data
            ends = line_ends(data)
            _, opening = delimited.quoted_spans(data, ends)
            cut = len(data) if opening is None else int(ends[opening - 1]) if opening else 0
            carry, carry_first = data[cut:], first + (opening or 0)
            data = data[:cut]
        if data:
            yield first, data
    if carry:
        yield carry_first, carry


def _without_mark(data: bytes, reader: _Reader) -> bytes:
    if is_wide(reader.source.encoding):
        reader.big_endian = is_big_endian(data, reader.source.encoding)
        return data[2:] if data[:2] in (b"\xff\xfe", b"\xfe\xff") else data
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise MadangError(
            "source.encoding",
            f"{reader.name} is UTF-16, not {reader.source.encoding}.",
            f'Write encoding = "utf-16" under [sources.{reader.source.name}].',
        )
    return data.removeprefix(b"\xef\xbb\xbf")


def _as_utf8(data: bytes, reader: _Reader) -> bytes:
    """Whole lines as they can be cut: those of UTF-16, and of encodings of two bytes that hold delimiters, as UTF-8."""
    if is_wide(reader.source.encoding):
        return _narrow(data, reader.big_endian)
    return unmixed(data, reader.mixed) if reader.mixed and not data.isascii() else data


def _narrow(data: bytes, big_endian: bool) -> bytes:
    """UTF-16 as UTF-8; what is no character becomes bytes that are no UTF-8, so that its field is found."""
    whole = data[: len(data) // 2 * 2].decode("utf-16-be" if big_endian else "utf-16-le", "surrogatepass")
    return whole.encode("utf-8", "surrogatepass") + (b"\xff" if len(data) % 2 else b"")


def _head(data: bytes) -> tuple[bytes, bytes]:
    end = data.find(b"\n") + 1 or len(data)
    return data[:end], data[end:]


# The header


def _shape(head: bytes, reader: _Reader) -> tuple[Shape, frozenset[int]]:
    source, name = reader.source, reader.name
    delimiter = source.delimiter.encode()
    if len(delimiter) != 1:
        raise MadangError("source.delimiter", f"The delimiter of source {source.name} is not one ASCII character.")
    quoting = source.format == "csv"
    row = head.removesuffix(b"\n").removesuffix(b"\r")
    raw = exact.split_row(row, delimiter, quoting)
    hint = f"Check encoding and delimiter of [sources.{source.name}]; `madang scan` shows what the file has."
    if raw is None:
        raise MadangError("source.header", f"The header of {name} has a quote that is not closed.", hint)
    if re.fullmatch(rb"sep=.", row, re.IGNORECASE):
        raise MadangError(
            "source.header",
            f"{name} begins with the line {row.decode('ascii', 'replace')}, which is for Excel.",
            "Take that line away; the delimiter stands in pack.toml.",
        )
    try:
        names = [exact.text_of(cell, reader.encoding) or "" for cell in raw]
    except exact.Bad:
        raise MadangError("source.header", f"The header of {name} is not {source.encoding}.", hint) from None
    twice = next((one for one in names if one and names.count(one) > 1), None)
    if twice is not None:
        raise MadangError("source.header", f"The header of {name} has the column {twice} twice.", hint)
    declared = {column.header or column.name for column in source.columns.values()}
    for column in source.columns.values():
        header = column.header or column.name
        if header not in names and (column.required or column.name in source.key):
            for other, told in source.other_layouts.items():
                if other in names:
                    message = f"{name} has no column {header}, but {other}. {told}"
                    raise MadangError("source.header", message)
            near = get_close_matches(header, names, 1) or names[:8]
            raise MadangError(
                "source.header",
                f"{name} has no column {header}, which source {source.name} requires.",
                f"Its header has {', '.join(near)}. {hint}",
            )
    # A delimiter too many at the end of the header names no column, and nobody could declare one.
    extra = [one for one in names if one and one not in declared]
    if extra and source.extra_columns != "ignore":
        shown = ", ".join(one or "(no name)" for one in extra[:5]) + (", ..." if len(extra) > 5 else "")
        raise MadangError(
            "source.header",
            f"{name} has columns that source {source.name} does not declare: {shown}.",
            f'Declare them, or write extra_columns = "ignore" under [sources.{source.name}].',
        )
    absent = frozenset(i for i, one in enumerate(reader.fields) if one.header not in names)
    wanted = tuple(names.index(one.header) for i, one in enumerate(reader.fields) if i not in absent)
    return Shape(delimiter, quoting, len(names), wanted, source.quoted_newlines), absent


def _bare_shape(source: Source, fields: list[Field]) -> Shape:
    names = list(source.columns)
    wanted = tuple(names.index(one.name) for one in fields)
    return Shape(source.delimiter.encode(), source.format == "csv", len(names), wanted, source.quoted_newlines)


# One block


def _block(first: int, data: bytes, reader: _Reader) -> Block:
    fields = [one for i, one in enumerate(reader.fields) if i not in reader.absent]
    shape = reader.shape
    rows = (
        delimited.parse(data, shape) if shape else ndjson.parse(data, fields, reader.encoding, reader.source.resource)
    )
    return _typed(
        first, rows, fields, reader, plain=shape is not None and not shape.quoted_newlines and _is_plain(data)
    )


def _is_plain(data: bytes) -> bool:
    """Whether a block is ASCII and holds nothing that is trimmed or refused: most blocks of claims are so."""
    return data.isascii() and not any(blank in data for blank in _BLANKS) and not delimited.has_lone_return(data)


def _typed(first: int, rows: Rows, fields: list[Field], reader: _Reader, plain: bool = False) -> Block:
    total = rows.count - len(rows.refused) if rows.lines is None else len(rows.lines)
    line = (np.arange(total) if rows.lines is None else rows.lines).astype(np.int64) + first
    reject = np.full(total, -1, np.int32)
    reasons: list[str] = []
    repaired: list[tuple[str, np.ndarray]] = []
    typed: dict[str, pa.Array] = {}

    def refuse(which: np.ndarray, reason: str) -> None:
        if which.any():
            reject[which & (reject < 0)] = len(reasons)
            reasons.append(reason)

    arrays = dict(zip((one.name for one in fields), rows.arrays, strict=True))
    for one in reader.fields:
        raw = arrays.get(one.name)
        bad: np.ndarray | None = None
        if raw is None:
            array = pa.nulls(total, pa.string() if one.pseudonym else convert.TYPES[one.kind])
        else:
            array, bad = convert.column(one, raw, reader.encoding, reader.pseudonym, plain)
        if bad is not None and one.strict:
            refuse(bad, one.bad)
        if one.required and array.null_count:
            # A reference that names by identifier has no id, and is none the less there.
            empty = (raw if one.reference and raw is not None else array).is_null().to_numpy(zero_copy_only=False)
            refuse(empty if bad is None else empty & ~bad, one.empty)
        if bad is not None and not one.strict and one.kept:
            repaired.append((one.name, bad))
        if one.kept:
            typed[one.name] = array
    rejects = [(number + first, reason) for number, reason in rows.refused]
    good = reject < 0
    table = pa.table({"_line": pa.array(line), **typed, **{n: _same(v, total) for n, v in reader.captures.items()}})
    if not good.all():
        rejects += [(int(line[i]), reasons[reject[i]]) for i in np.flatnonzero(~good)]
        table = table.filter(pa.array(good))
    repairs = [(int(line[i]), name) for name, bad in repaired for i in np.flatnonzero(bad & good)]
    order = {one.name: i for i, one in enumerate(reader.fields)}
    repairs.sort(key=lambda repair: (repair[0], order[repair[1]]))
    return Block(first, rows.count, table, sorted(rejects), repairs)


def _same(value: str, total: int) -> pa.Array:
    return pa.repeat(pa.scalar(value, pa.string()), total)


def check_files(folder: Path, sources: Sequence[Source]) -> list[MadangError]:
    """What keeps the files of a folder from being read by these sources.

    Looked at are all names and headers, and of the largest file of each source the first `SAMPLE_ROWS` rows: columns of
    which more than half of the filled values cannot be read are declared wrongly.
    """
    try:
        found = find_files(folder, sources)
    except MadangError as error:
        return [error]
    problems = []
    refused = set()
    for source, path, _captures in found:
        try:
            if tables.kind_of(path):
                path, source = tables.as_text(path, source), tables.text_source(source)
            reader = _reader(path.name, path, source, plan(source))
            with reading(path), path.open("rb") as raw:
                stream = contents(raw, is_compressed(path))
                first = next(physical_lines(stream, source.encoding, 1 << 20), None)
            if first is None and source.format != "ndjson":
                raise _empty(path.name)
            if first is not None and source.format != "ndjson":
                data = _as_utf8(_without_mark(first[1], reader), reader)
                _shape(_head(data)[0], reader)
        except MadangError as error:
            problems.append(error)
            refused.add(source.name)
    base, _others = find_base(folder, [(source, path) for source, path, _ in found])
    largest: dict[str, tuple[Source, Path]] = {}
    for source, path, _captures in found:
        if source.name not in largest or path.stat().st_size > largest[source.name][1].stat().st_size:
            largest[source.name] = source, path
    for name, (source, path) in largest.items():
        if name not in refused:
            problems += _unreadable(path, replace(source, base=source.base or base))
    return problems


def _unreadable(path: Path, source: Source) -> list[MadangError]:
    """An error for each column of which more than half of the first values cannot be read, or for such lines."""
    columns = {
        column.name: replace(column, required=False, identifier=None)
        for column in source.columns.values()
        if column.identifier != "direct"
    }
    lenient = replace(source, columns=columns, key=(), operation=None, latest=None, extra_columns="ignore")
    named = path.name
    try:
        if tables.kind_of(path):
            path, lenient = tables.as_text(path, source), tables.text_source(lenient)
            source = lenient
        reader = _reader(named, path, lenient, plan(lenient))
    except MadangError as error:
        return [error]
    try:
        with reading(path), path.open("rb") as raw:
            stream = contents(raw, is_compressed(path))
            first, data = next(_texts(physical_lines(stream, source.encoding, 1 << 20), reader), (1, b""))
        if source.format != "ndjson":
            head, data = _head(data)
            reader.shape, reader.absent = _shape(head, reader)
            first += 1
        if not data:
            return []
        if not source.quoted_newlines:
            data = data[: next(iter(line_ends(data)[SAMPLE_ROWS - 1 : SAMPLE_ROWS]), len(data))]
        block = _block(first, data, reader)
    except MadangError as error:
        return [error]
    if len(block.rejects) > block.table.num_rows:
        reason, count = Counter(reason for _, reason in block.rejects).most_common(1)[0]
        message = f"{named}: {count:,} of the first {block.lines:,} lines cannot be read: {reason}."
        hint = f"Check delimiter, encoding and quoted_newlines of [sources.{source.name}]."
        return [MadangError("source.unreadable_lines", message, hint)]
    bad = Counter(name for _, name in block.repairs)
    problems = []
    for one in reader.fields:
        filled = block.table.num_rows - block.table[one.name].null_count + bad[one.name]
        if bad[one.name] * 2 > filled:
            message = (
                f"{named}: {bad[one.name]:,} of the first {filled:,} values of {one.header} cannot be read as "
                f"{one.kind}{f' {one.format}' if one.format else ''}."
            )
            hint = f"Check the encoding, and the type and format of {one.name} under [sources.{source.name}.columns]."
            problems.append(MadangError("source.unreadable_column", message, hint))
    return problems


def _reader(
    name: str,
    path: Path,
    source: Source,
    fields: list[Field],
    captures: dict[str, str] | None = None,
    pseudonym: Callable[[str], str] | None = None,
) -> _Reader:
    encoding = encoding_of(path, source)
    mixed = encoding if is_mixed(encoding) else ""
    return _Reader(name, source, fields, captures or {}, pseudonym, "utf-8" if mixed else encoding, mixed=mixed)


def encoding_of(path: Path, source: Source) -> str:
    """The encoding of the text of one file: that of its source, unless a mark at its beginning says UTF-8.

    With encoding = "each" or "utf-8 or X" every file has its own: UTF-8 if all of it is that, else cp949 or X.
    """
    told = _text_encoding(source)
    if is_wide(source.encoding):
        return told
    with reading(path), path.open("rb") as raw:
        stream = contents(raw, is_compressed(path))
        start = stream.read(3)
        if start == b"\xef\xbb\xbf":
            return "utf-8"
        other = fallback(source.encoding)
        if not other:
            return told
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            decoder.decode(start)
            while data := stream.read(1 << 20):
                decoder.decode(data)
            decoder.decode(b"", True)
        except UnicodeDecodeError:
            return other
    return "utf-8"


def _text_encoding(source: Source) -> str:
    """The encoding of the text once UTF-16 has become UTF-8."""
    own = not is_wide(source.encoding) and source.encoding != "ascii" and not fallback(source.encoding)
    return source.encoding if own else "utf-8"


def _empty(name: str) -> MadangError:
    return MadangError("source.empty", f"{name} is empty (0 bytes).", "Export it again, or take it away.")
