"""Hierarchies of generalization: each value's way from the leaf up to `*`.

A file has a line per value, its generalizations after it, separated by semicolons, the leaf first. Column l of the
lines is level l. Every line has as many columns as the others, and what a label stands for grows with the level: two
values with one label at a level have one label at every higher level.
"""

import csv
import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from madang.base.errors import MadangError

ALL = "*"
_PARENT = "Each label has one parent, and levels only get coarser."


@dataclass(frozen=True)
class Hierarchy:
    """`codes[l][leaf]` is the place of the leaf's label at level l in `labels[l]`; level 0 is the values themselves."""

    name: str
    labels: tuple[tuple[str, ...], ...]
    codes: tuple[np.ndarray, ...]

    @property
    def levels(self) -> int:
        """How many levels there are, that of the values included."""
        return len(self.labels)

    @property
    def leaves(self) -> tuple[str, ...]:
        """The values."""
        return self.labels[0]

    @cached_property
    def place(self) -> dict[str, int]:
        """Value -> place among the leaves."""
        return {leaf: place for place, leaf in enumerate(self.leaves)}

    @cached_property
    def losses(self) -> tuple[np.ndarray, ...]:
        """Per level and leaf: (leaves that its label covers - 1) / (leaves - 1); 0 where there is one leaf."""
        span = max(1, len(self.leaves) - 1)
        return tuple((np.bincount(code)[code] - 1) / span for code in self.codes)

    def coded(self, values: Sequence[str]) -> np.ndarray:
        """The leaf of each value. Raises `privacy.outside` for the first value that is none."""
        missing = [value for value in values if value not in self.place]
        if missing:
            shown = repr(missing[0]) if missing[0] else "the empty value"
            raise MadangError(
                "privacy.outside",
                f"The hierarchy of {self.name!r} does not have {shown} and {len(missing) - 1} other values of the data."
                if len(missing) > 1
                else f"The hierarchy of {self.name!r} does not have {shown}, which the data have.",
                "Add a line for each value of the data, the empty one included.",
            )
        return np.array([self.place[value] for value in values], dtype=np.int32)

    def lines(self) -> list[list[str]]:
        """The hierarchy as the lines of its file."""
        return [
            [labels[code[leaf]] for labels, code in zip(self.labels, self.codes, strict=True)]
            for leaf in range(len(self.leaves))
        ]


def hierarchy(name: str, lines: Iterable[Sequence[str]]) -> Hierarchy:
    """The hierarchy of these lines. Raises `privacy.hierarchy` for one with a hole, two ways or a cycle."""
    rows: dict[str, tuple[str, ...]] = {}
    for number, line in enumerate(lines, 1):
        row = tuple(line)
        if not row:
            continue
        width = len(next(iter(rows.values()), row))
        if len(row) != width:
            raise _wrong(name, f"line {number} has {len(row)} columns where others have {width}", "Fill the hole.")
        hole = next((level for level, label in enumerate(row) if level and not label), None)
        if hole is not None:
            raise _wrong(name, f"line {number} has nothing at level {hole}", "Fill the hole.")
        if rows.setdefault(row[0], row) != row:
            raise _wrong(name, f"line {number} gives {row[0]!r} a second way up", "Give each value one line.")
    if not rows:
        raise _wrong(name, "it is empty", "Give a line for each value.")
    _check_cycle(name, rows.values())
    labels, codes = [], []
    for level in range(len(next(iter(rows.values())))):
        places: dict[str, int] = {}
        codes.append(np.array([places.setdefault(row[level], len(places)) for row in rows.values()], dtype=np.int32))
        labels.append(tuple(places))
    for level in range(1, len(labels)):
        parent = np.full(len(labels[level - 1]), -1)
        parent[codes[level - 1]] = codes[level]
        torn = np.flatnonzero(parent[codes[level - 1]] != codes[level])
        if len(torn):
            label = labels[level - 1][codes[level - 1][torn[0]]]
            raise _wrong(name, f"{label!r} of level {level - 1} has two parents at level {level}", _PARENT)
    return Hierarchy(name, tuple(labels), tuple(codes))


def _wrong(name: str, what: str, hint: str) -> MadangError:
    return MadangError("privacy.hierarchy", f"The hierarchy of {name!r} cannot be used: {what}.", hint)


def _check_cycle(name: str, rows: Iterable[tuple[str, ...]]) -> None:
    """Refuse a label that stands above another and, elsewhere, below it."""
    above: dict[str, set[str]] = {}
    for row in rows:
        for lower, upper in itertools.pairwise(row):
            if lower != upper:
                above.setdefault(lower, set()).add(upper)
    done: set[str] = set()
    for begin in above:
        path: list[tuple[str, list[str]]] = [(begin, sorted(above[begin]))] if begin not in done else []
        on_path = {begin} if path else set()
        while path:
            label, rest = path[-1]
            if not rest:
                path.pop()
                on_path.discard(label)
                done.add(label)
                continue
            upper = rest.pop()
            if upper in on_path:
                raise _wrong(name, f"{upper!r} stands above and below {label!r}, a cycle", _PARENT)
            if upper not in done:
                on_path.add(upper)
                path.append((upper, sorted(above.get(upper, ()))))


def read_hierarchy(path: Path, name: str) -> Hierarchy:
    """The hierarchy in a file; see the head of this module."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        try:
            text = path.read_text(encoding="cp949")
        except UnicodeDecodeError:
            raise _wrong(name, f"{path} is neither UTF-8 nor CP949", "Save it as UTF-8.") from None
    except OSError as error:
        raise MadangError("privacy.file", f"Cannot read {path}: {error.strerror or error}.") from None
    return hierarchy(name, csv.reader(text.splitlines(), delimiter=";"))


def read_hierarchies(folder: Path, names: Sequence[str], about: str = "") -> list[Hierarchy]:
    """The hierarchies of these columns in a folder: files named `PREFIX_hierarchy_COLUMN.csv`, or without prefix.

    Where a folder has several sets, the one whose prefix begins the name `about` (that of the data file) is taken,
    else the only one that has all the columns. Raises `privacy.no_hierarchy` where a column has none, or has two.
    """
    if not folder.is_dir():
        raise MadangError("privacy.file", f"{folder} is no folder.", "Give the folder of the hierarchies.")
    sets: dict[str, dict[str, Path]] = {}
    for path in sorted(folder.iterdir()):
        for name in names:
            prefix = path.name.removesuffix(f"hierarchy_{name}.csv")
            if prefix != path.name and (not prefix or prefix.endswith("_")):
                sets.setdefault(prefix.removesuffix("_"), {})[name] = path
    whole = [prefix for prefix, files in sets.items() if len(files) == len(names)]
    named = [prefix for prefix in whole if prefix and about.startswith(prefix)]
    if named or len(whole) == 1:
        chosen = sets[max(named, key=len) if named else whole[0]]
        return [read_hierarchy(chosen[name], name) for name in names]
    found = []
    for name in names:
        paths = [files[name] for files in sets.values() if name in files]
        if len(paths) != 1:
            what = f"There are {len(paths)} hierarchies" if paths else "There is no hierarchy"
            raise MadangError(
                "privacy.no_hierarchy",
                f"{what} for {name!r} in {folder}.",
                f"Keep one file named …_hierarchy_{name}.csv; `madang privacy hierarchy` makes one.",
            )
        found.append(read_hierarchy(paths[0], name))
    return found


def plain(name: str, values: Iterable[str]) -> Hierarchy:
    """The value or `*`."""
    return hierarchy(name, ([value, ALL] for value in sorted(set(values))))


def numbers(name: str, values: Iterable[str], widths: Sequence[int] = (5, 10, 20)) -> Hierarchy:
    """Whole numbers in bands of growing width (each a multiple of the one before), then `*`."""
    for narrow, wide in itertools.pairwise(widths):
        if wide % narrow:
            raise _wrong(name, f"bands of {wide} cut bands of {narrow}", "Let each width be a multiple of the last.")
    lines = []
    for value in sorted(set(values)):
        try:
            number = int(value)
        except ValueError:
            if value.strip():
                raise _wrong(name, f"{value!r} is no whole number", "Use another kind of hierarchy.") from None
            lines.append([value, *["unknown"] * len(widths), ALL])
            continue
        bands = [(number // width * width, width) for width in widths]
        lines.append([value, *(f"{low}-{low + width - 1}" if width > 1 else str(low) for low, width in bands), ALL])
    return hierarchy(name, lines)


def dates(name: str, values: Iterable[str]) -> Hierarchy:
    """Dates YYYY-MM-DD or YYYYMMDD by month, quarter, year, then `*`."""
    lines = []
    for value in sorted(set(values)):
        match = re.fullmatch(r"(\d{4})-?(\d\d)-?(\d\d)", value)
        if match is None:
            if value.strip():
                raise _wrong(name, f"{value!r} is no date", "Write dates as 2012-03-31 or 20120331.")
            lines.append([value, "unknown", "unknown", "unknown", ALL])
            continue
        year, month = match[1], match[2]
        quarter = (int(month) - 1) // 3 + 1
        lines.append([value, f"{year}-{month}", f"{year} Q{quarter}", year, ALL])
    return hierarchy(name, lines)


def prefixes(name: str, values: Iterable[str], lengths: Sequence[int] = (3, 1)) -> Hierarchy:
    """Codes cut to their first characters: KCD codes to category and chapter letter, regions to district and province.

    Dots do not count.
    """
    if any(long <= short for long, short in itertools.pairwise(lengths)):
        raise _wrong(name, "lengths must fall from level to level", "Give them as 3,1.")
    lines = []
    for value in sorted(set(values)):
        code = value.replace(".", "")
        if not code:
            lines.append([value, *["unknown"] * len(lengths), ALL])
            continue
        lines.append([value, *(f"{code[:length]}*" for length in lengths), ALL])
    return hierarchy(name, lines)
