"""Identifiers that are arithmetic: from a row of the CDM to its source line and back, without a look-up table.

A *row number* names one physical line of one registered file: `file number x 2^32 + line`.
An *identifier* of a CDM row that comes from one line is `base + (line x items + item) x fan_out + k`, where the
base was given to the file, per SELECT and target table, when it was registered, above every earlier range.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from madang.base.errors import MadangError

LINE_BITS = 32
LIMIT = 2**53  # identifiers stay exact where a reader takes them for doubles


def row_number(file: int, line: int) -> int:
    """The number of a physical line (1 is the first line of the file) of a registered file."""
    return (file << LINE_BITS) | line


def file_and_line(row: int) -> tuple[int, int]:
    """File number and physical line of a row number."""
    return row >> LINE_BITS, row & ((1 << LINE_BITS) - 1)


def rows_of(file: int) -> str:
    """SQL condition that `_row` is of this file."""
    return f"_row BETWEEN {row_number(file, 0)} AND {row_number(file + 1, 0) - 1}"


@dataclass(frozen=True)
class Writer:
    """A SELECT as far as identifiers are concerned: where it writes and how many rows a line may make."""

    select: str
    source: str
    tables: tuple[str, ...]
    items: int = 1
    fan_out: int = 1

    def width(self, table: str) -> int:
        """Identifiers that one line may use in `table`; a cost belongs to an event, not to each of its targets."""
        return self.items if table == "cost" else self.items * self.fan_out


@dataclass(frozen=True)
class Registered:
    """A source file as the dataset knows it for good: its number, facts and bases (SELECT -> table -> base)."""

    number: int
    name: str
    source: str
    period: str
    lines: int
    size: int
    sha256: str
    bases: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The entry in the manifest."""
        return {**self.__dict__, "bases": {s: dict(t) for s, t in self.bases.items()}}

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> "Registered":
        """The file of a manifest's entry."""
        return cls(**entry)


def allocate(
    number: int,
    name: str,
    source: str,
    period: str,
    lines: int,
    size: int,
    sha256: str,
    writers: Iterable[Writer],
    counters: dict[str, int],
) -> Registered:
    """Register one file: give it a base per SELECT and table and move the `counters` (table -> next free id) on."""
    bases: dict[str, dict[str, int]] = {}
    for writer in writers:
        if writer.source != source:
            continue
        for table in writer.tables:
            base = counters.get(table, 1)
            bases.setdefault(writer.select, {})[table] = base
            counters[table] = base + (lines + 1) * writer.width(table)
            if counters[table] >= LIMIT:
                raise MadangError(
                    "standardize.identifiers_used_up",
                    f"The identifiers of {table} are used up by {name}.",
                    "Start a new dataset with fewer files or a smaller fan_out.",
                )
    return Registered(number, name, source, period, lines, size, sha256, bases)


@dataclass(frozen=True)
class Origin:
    """Where a CDM row comes from."""

    file: Registered
    line: int
    select: str
    item: int
    k: int


def origin(table: str, identifier: int, files: Iterable[Registered], writers: Iterable[Writer]) -> Origin | None:
    """The source line of a CDM row by arithmetic on its identifier; None if no file has it in its range."""
    by_name = {w.select: w for w in writers}
    for file in files:
        for select, bases in file.bases.items():
            base = bases.get(table)
            if base is None or select not in by_name:
                continue
            writer = by_name[select]
            width = writer.width(table)
            if base <= identifier < base + (file.lines + 1) * width:
                line, rest = divmod(identifier - base, width)
                item, k = (rest, 0) if table == "cost" else divmod(rest, writer.fan_out)
                return Origin(file, line, select, item, k)
    return None


def identifiers(table: str, file: Registered, line: int, writers: Iterable[Writer]) -> list[range]:
    """The identifiers that a source line may have in `table`, one range per SELECT."""
    return [
        range(base + line * w.width(table), base + (line + 1) * w.width(table))
        for w in writers
        if (base := file.bases.get(w.select, {}).get(table)) is not None
    ]
