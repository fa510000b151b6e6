"""The scan of a folder: find, group, profile, relate."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np

from madang.base.errors import Cancelled, MadangError
from madang.base.progress import Progress, Silent
from madang.science.standardize.intake import read_blocks, reason_code, register, statistics
from madang.science.standardize.intake.files import contents, is_compressed, natural, reading, relative_name
from madang.science.standardize.intake.tables import as_text, kind_of, other_sheets
from madang.science.standardize.pack import Column as PackColumn
from madang.science.standardize.pack import Source
from madang.science.standardize.scan.encodings import Guess, guess_by_letters
from madang.science.standardize.scan.grouping import Found, Group, group
from madang.science.standardize.scan.kinds import ANOTHER_SHEET, BY_POSITION, is_by_position, kind_told
from madang.science.standardize.scan.model import ColumnScan, FileScan, Scan, SourceScan
from madang.science.standardize.scan.paths import leaf_paths
from madang.science.standardize.scan.profile import Column, Unique, mixed
from madang.science.standardize.scan.references import find_references, spread_flags
from madang.science.standardize.scan.sniff import SAMPLE, Layout, sniff

BLOCK_BYTES = 8 << 20
NEAR_ROWS = 20
NEAR_SHARE = 0.98
"""Of the rows of a source, how many have to differ in a column that nearly is a key; and of how many at least."""
_OPERATIONS = (
    ("I", "U", "D"),
    ("C", "U", "D"),
    ("A", "M", "D"),
    ("INSERT", "UPDATE", "DELETE"),
    ("신규", "수정", "삭제"),
)  # fmt: skip
"""The values of columns that say that a row adds, corrects or withdraws."""
_OPERATION = re.compile(r"변경|구분|oper|action|crud|flag|change|^op$", re.IGNORECASE)
PAIRED = 14
"""Most columns of which pairs are tried as keys."""
_CONTROLS = bytes(set(range(32)) - {0, 1, 2, 7, 9, 10, 12, 13, 26, 28, 30, 31})
"""Bytes that text has not; those that separate fields or records in some exports aside."""


def scan(folder: Path, *, minimum: int = 10, rows: int | None = None, progress: Progress | None = None) -> Scan:
    """Look at all text files of a folder and what lies below it.

    No value is told that fewer than `minimum` rows have; `rows` limits how many rows of each file are read (None: all).
    Memory stays bounded however large the files are. Raises `MadangError` where there is no folder or no file;
    a single file that cannot be read is listed as skipped.
    """
    progress = progress or Silent()
    if minimum < 1:
        raise MadangError("scan.minimum", "The minimum count has to be at least 1.")
    if rows is not None and rows < 1:
        raise MadangError("scan.rows", "The number of rows to read has to be at least 1.")
    found, skipped = _look(folder)
    groups = group(found)
    if not groups and not skipped:
        raise MadangError("scan.nothing", f"There are no files in {folder}.", "Give the folder of the export.")
    files: list[FileScan] = []
    sources: list[SourceScan] = []
    columns: dict[str, list[Column]] = {}
    total = sum(file.path.stat().st_size for one in groups for file in one.files)
    with progress.step("scan", total, "bytes"):
        for one in groups:
            profile = _Profile(one, minimum, rows)
            for file in one.files:
                try:
                    files.append(profile.read(file))
                except Cancelled:
                    raise
                except MadangError as error:
                    skipped.append((file.name, str(error)))
                progress.advance(file.path.stat().st_size)
            sources.append(profile.result())
            columns[one.name] = profile.columns
    references = tuple(find_references(sources, columns))
    return Scan(
        folder=folder.resolve().name,
        minimum=minimum,
        rows=rows,
        files=tuple(sorted(files, key=lambda one: natural(one.name))),
        sources=tuple(spread_flags(sources, references)),
        references=references,
        skipped=tuple(skipped),
    )


def _look(folder: Path) -> tuple[list[Found], list[tuple[str, str]]]:
    if not folder.is_dir():
        raise MadangError("source.folder", f"{folder} is no folder that can be read.", "Give the folder of the files.")
    found, skipped = [], []
    for path in sorted(folder.rglob("*")):
        name = relative_name(folder, path)
        if any(part.startswith(".") for part in Path(name).parts) or path.is_dir():
            continue
        try:
            kind = kind_of(path)
            if kind is None:
                told = kind_told(path, name)
                if told is not None or _is_binary(path):
                    skipped.append((name, told or "It is no text file."))
                    continue
            layout = _table_layout(path, kind) if kind else sniff(path)
            if kind == "xlsx":
                skipped += [(f"{name} [{sheet}]", ANOTHER_SHEET) for sheet in other_sheets(path)]
        except MadangError as error:
            skipped.append((name, str(error)))
            continue
        if layout is None:
            skipped.append((name, "It is empty (0 bytes)."))
        elif not layout.names and layout.format != "ndjson":
            skipped.append((name, "It has no columns."))
        elif not kind and layout.format != "ndjson" and is_by_position(layout.names, layout.header):
            skipped.append((name, BY_POSITION))
        else:
            found.append(Found(name, path, layout))
    return found, skipped


def _table_layout(path: Path, kind: str) -> Layout | None:
    """The layout of a table that is no text."""
    guess = Guess("utf-8", "written as text")
    try:
        text = as_text(path)
    except MadangError as error:
        if error.code != "source.encoding":
            raise
        guess = guess_by_letters(statistics.texts_as_bytes(path, SAMPLE))
        text = as_text(path, encoding=guess.encoding)
    layout = sniff(text, ",")
    if layout is None:
        raise MadangError("scan.empty", "It has no columns.")
    return replace(
        layout, format=kind, encoding=guess.encoding, evidence=guess.evidence, ask=guess.ask, quoted_newlines=False
    )


def _is_binary(path: Path) -> bool:
    with reading(path), path.open("rb") as raw:
        start = contents(raw, is_compressed(path)).read(1 << 16)
    zeros = [at % 2 for at, byte in enumerate(start) if byte == 0]
    if len(zeros) > len(start) * 0.2 and 0.05 < sum(zeros) / len(zeros) < 0.95:  # in UTF-16 every other byte is zero
        return True
    odd = len(start) - len(start.translate(None, _CONTROLS))
    return odd > len(start) * 0.01 and not start.startswith((b"\xff\xfe", b"\xfe\xff"))


class _Profile:
    """The running profile of one source."""

    def __init__(self, group: Group, minimum: int, rows: int | None) -> None:
        self.group, self.limit = group, rows
        layout = group.layout
        named: list[tuple[str, str, str | None]]
        if layout.format == "ndjson":
            paths = _sampled_paths(group.files[0].path)
            named = [(name, path, path) for path, name in zip(paths, column_names(paths), strict=True)]
        else:
            headers = [name for name in layout.names if name]
            named = [(name, head, None) for head, name in zip(headers, column_names(headers), strict=True)]
        commas = layout.delimiter == "," and layout.format == "csv"
        self.columns = [Column(name, head, path, minimum, commas=commas) for name, head, path in named]
        self.source = Source(
            name=group.name,
            files=(group.pattern,),
            columns={c.name: PackColumn(c.name, "text", header=c.header, path=c.path) for c in self.columns},
            format=layout.format,  # type: ignore[arg-type]  # sniff gives one of the three
            encoding=group.encoding,
            delimiter=layout.delimiter,
            quoted_newlines=layout.quoted_newlines,
            extra_columns="ignore",
        )
        self.labels = (
            statistics.labels(group.files[0].path, group.encoding if group.encoding != "utf-8" else "")
            if layout.format in ("sas", "spss", "stata")
            else {}
        )
        self.rows = 0
        self.pairs: dict[tuple[int, int], Unique] | None = None
        self.whole = Unique()

    def read(self, found: Found) -> FileScan:
        """Add one file."""
        path, layout = found.path, found.layout
        file = register(path, self.source)
        odd: Counter[str] = Counter()
        rows, complete = 0, True
        blocks = read_blocks(
            path, file, self.source, block_bytes=BLOCK_BYTES, header=layout.header or layout.format == "ndjson"
        )
        for block in blocks:
            odd.update(reason_code(reason) for _, reason in block.rejects)
            table = block.table
            if self.limit is not None and rows + table.num_rows >= self.limit:
                complete = rows + table.num_rows == self.limit
                table = table.slice(0, self.limit - rows)
            rows += table.num_rows
            hashed = [column.add(table[column.name].combine_chunks()) for column in self.columns]
            self._pair(hashed, table.num_rows)
            if hashed:
                row = np.zeros(table.num_rows, np.uint64)
                for column_hashes in hashed:
                    row = mixed(row * np.uint64(3) + column_hashes)
                self.whole.add(row, True)
            if self.limit is not None and rows >= self.limit:
                complete = complete and block.first_line + block.lines > file.lines
                break
        self.rows += rows
        returns = "LF" if kind_of(path) else _returns(path, layout.encoding)
        return FileScan(
            name=found.name,
            size=file.size,
            lines=file.lines,
            rows=rows,
            format=layout.format,
            encoding=layout.encoding,
            evidence=layout.evidence,
            byte_order_mark=layout.byte_order_mark,
            delimiter=layout.delimiter,
            quoting=layout.quoting,
            header=layout.header,
            line_ends=returns,
            ragged=odd["line.few_fields"] + odd["line.many_fields"] + odd["line.no_object"],
            open_quotes=odd["line.open_quote"],
            blank=odd["line.empty"],
            complete=complete,
        )

    def _pair(self, hashed: list[np.ndarray], rows: int) -> None:
        """Follow the pairs of columns that never repeat together, where no column alone is unique."""
        if self.pairs is None:
            self.pairs = {}
            surely = rows >= 1_000 and any(column.unique.possible for column in self.columns)
            if rows < 2 or surely:
                return
            full = [i for i, column in enumerate(self.columns) if column.empty == 0 and column.distinct()[0] > 1]
            full = sorted(full, key=lambda i: -self.columns[i].distinct()[0])[:PAIRED]
            self.pairs = {(min(pair), max(pair)): Unique() for pair in combinations(full, 2)}
        for (one, other), unique in self.pairs.items():
            if unique.kept:
                together = mixed(hashed[one] * np.uint64(3) + hashed[other])
                unique.add(together, bool(hashed[one].all() and hashed[other].all()))

    def result(self) -> SourceScan:
        """What is told of the source."""
        columns = tuple(self._labelled(column.result()) for column in self.columns)
        usable = [column.type in ("integer", "text") or column.shape.startswith("digits") for column in columns]
        keys: list[tuple[str, ...]] = [
            (told.name,)
            for told, column, fits in zip(columns, self.columns, usable, strict=True)
            if self.rows > 1 and fits and column.unique.holds()
        ]
        different = self.whole.distinct()
        operation, withdraw, added = self._operation()
        records = added if operation else different
        near = self._near_keys([(one,) for one in range(len(columns))], columns, usable, records)
        if not keys and not (operation and near):  # corrections make pairs of a key and a value look like keys
            keys = [
                (columns[one].name, columns[other].name)
                for (one, other), unique in (self.pairs or {}).items()
                if usable[one] and usable[other] and unique.holds()
            ]
        layout = self.group.layout
        near = near or self._near_keys(list(self.pairs or ()), columns, usable, records)
        return SourceScan(
            name=self.group.name,
            patterns=(self.group.pattern,),
            files=tuple(file.name for file in self.group.files),
            format=layout.format,
            encoding=self.source.encoding,
            delimiter=layout.delimiter,
            quoted_newlines=layout.quoted_newlines,
            header=layout.header,
            rows=self.rows,
            columns=columns,
            keys=tuple(sorted(keys, key=_likeliness)[:6]),
            near_keys=() if keys else tuple(near[:6]),
            repeated=self.whole.rows - different if different else 0,
            operation=operation,
            withdraw=withdraw,
            ask=self.group.ask,
        )

    def _labelled(self, told: ColumnScan) -> ColumnScan:
        """With what the file says of the column, and of those of its values that are shown."""
        label, labels = self.labels.get(told.header, ("", {}))
        shown = tuple((value, labels[value]) for value, _ in told.values if labels.get(value))
        return replace(told, label=label if label != told.header else "", labels=shown)

    def _near_keys(
        self, places: Sequence[tuple[int, ...]], columns: Sequence[ColumnScan], usable: Sequence[bool], records: int
    ) -> list[tuple[str, ...]]:
        """Which of these columns, or pairs of columns, tell nearly all of so many records apart."""
        near = {}
        for place in places if records >= NEAR_ROWS else ():
            unique = self.columns[place[0]].unique if len(place) == 1 else (self.pairs or {})[place[0], place[1]]
            distinct = unique.distinct() if all(usable[one] for one in place) else 0
            if distinct >= NEAR_SHARE * records:
                near[tuple(columns[one].name for one in place)] = distinct
        return sorted(near, key=lambda key: (*_likeliness(key), abs(near[key] - records)))

    def _operation(self) -> tuple[str | None, str, int]:
        """The column of a delta feed that says what a row does, its value that withdraws, and how many rows add."""
        for column in self.columns if self.group.captures else ():
            found = {value.upper(): count for value, count in (column.counts or {}).items()}
            for add, change, withdraw in _OPERATIONS:
                known = found and found.keys() <= {add, change, withdraw}
                if known and add in found and not column.empty and _OPERATION.search(column.header):
                    return column.name, withdraw, found[add]
        return None, "", 0


def _likeliness(key: tuple[str, ...]) -> tuple[int, int]:
    """Keys are usually named so; the fewer columns the better."""
    named = sum(bool(re.search(r"id|no$|num|key|seq|순번|번호|코드|cd$|code", name, re.IGNORECASE)) for name in key)
    return len(key), -named


def column_names(headers: list[str]) -> list[str]:
    """A word for SQL for each header: the header itself where it is one."""
    names: list[str] = []
    taken: set[str] = set()
    for header in headers:
        name = re.sub(r"\W+", "_", header).strip("_") or "column"
        name = f"c_{name}" if name[0].isdigit() else name
        number, unique = 2, name
        while unique.lower() in taken:
            unique, number = f"{name}_{number}", number + 1
        taken.add(unique.lower())
        names.append(unique)
    return names


def _sampled_paths(path: Path) -> list[str]:
    with reading(path), path.open("rb") as raw:
        lines = contents(raw, is_compressed(path)).read(4 << 20).split(b"\n")
    return leaf_paths(lines[:2000])


def _returns(path: Path, encoding: str) -> str:
    """How the lines of the beginning of a file end."""
    with reading(path), path.open("rb") as raw:
        start = contents(raw, is_compressed(path)).read(1 << 20)
    if encoding.startswith("utf-16"):
        start = start.replace(b"\0", b"")
    feeds, both = start.count(b"\n"), start.count(b"\r\n")
    return "LF" if both == 0 else "CRLF" if both == feeds else "mixed"
