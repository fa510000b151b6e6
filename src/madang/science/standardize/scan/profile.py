"""What a column holds, block by block, in bounded memory.

Exact: rows, empties, lengths, counts of every value shown. Exact up to `EXACT_VALUES` distinct values, an estimate
beyond: the number of distinct values (the k smallest hashes, k = `SKETCH`; error about 2 %; Bar-Yossef et al. 2002),
and the list of most frequent values, which then may lack one that is frequent only late in the files.
"""

import random
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from madang.science.standardize.intake.convert import typed_column
from madang.science.standardize.scan.model import ColumnScan
from madang.science.standardize.scan.personal import flags_of
from madang.science.standardize.scan.shapes import EXAMINED, Form, Shape

EXACT_VALUES = 20_000
KEPT_VALUES = 1_000
SKETCH = 4_096
SHOWN = 20
UNIQUE_ROWS = 20_000_000
"""Most rows for which repetition is looked for exactly."""


def hashes(text: pa.Array) -> np.ndarray:
    """A 64-bit hash of each text (no nulls): a polynomial of its bytes, mixed (Steele et al. 2014)."""
    array = text.combine_chunks() if isinstance(text, pa.ChunkedArray) else text
    ends = np.frombuffer(array.buffers()[1], np.int32)[array.offset : array.offset + len(array) + 1].astype(np.int64)
    data = np.frombuffer(array.buffers()[2] or b"", np.uint8)[ends[0] : ends[-1]]
    ends = ends - ends[0]
    length = np.diff(ends)
    place = np.arange(len(data)) - np.repeat(ends[:-1], length)
    terms = (data.astype(np.uint64) + np.uint64(1)) * _powers(int(length.max(initial=0)))[place]
    total = np.concatenate([np.zeros(1, np.uint64), np.cumsum(terms, dtype=np.uint64)])
    return mixed(total[ends[1:]] - total[ends[:-1]] + length.astype(np.uint64))


def mixed(x: np.ndarray) -> np.ndarray:
    """Spread the bits of 64-bit numbers."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _powers(count: int) -> np.ndarray:
    base = np.full(max(count, 1), 0x9E3779B97F4A7C15, np.uint64)
    return np.cumprod(base, dtype=np.uint64)


@dataclass
class Unique:
    """Whether values never repeat, or how rarely they do: hashes are kept while half of a block differ."""

    possible: bool = True
    kept: bool = True
    parts: list[np.ndarray] = field(default_factory=list)
    rows: int = 0
    new: int = 0

    def add(self, found: np.ndarray, all_filled: bool) -> None:
        """The hashes of the next rows."""
        if not self.kept:
            return
        distinct = np.unique(found)
        self.rows += len(found)
        self.new += len(distinct)
        self.possible = self.possible and len(distinct) == len(found)
        often = self.rows > 1_000 and self.new < self.rows / 2
        if not all_filled or self.rows > UNIQUE_ROWS or often:
            self.possible, self.kept, self.parts = False, False, []
        else:
            self.parts.append(distinct)

    def holds(self) -> bool:
        """Whether no value was seen twice."""
        return self.possible and self.rows > 0 and self.distinct() == self.rows

    def distinct(self) -> int:
        """How many different values there are; 0 where they repeat often, where some are empty, or of too many rows."""
        return len(np.unique(np.concatenate(self.parts))) if self.parts else 0


@dataclass
class Column:
    """The running profile of one column."""

    name: str
    header: str
    path: str | None = None
    minimum: int = 10
    commas: bool = True
    filled: int = 0
    empty: int = 0
    shortest: int = 0
    longest: int = 0
    counts: dict[str, int] | None = field(default_factory=dict)
    kept: dict[str, int] = field(default_factory=dict)
    sketch: np.ndarray = field(default_factory=lambda: np.zeros(0, np.uint64))
    shape: Shape = field(default_factory=Shape)
    sample: list[str] = field(default_factory=list)
    unique: Unique = field(default_factory=Unique)
    ends: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    """Smallest and largest `minimum` values, numbers and moments apart."""

    def __post_init__(self) -> None:
        self.shape.commas = self.commas

    def add(self, text: pa.Array) -> np.ndarray:
        """The next rows, trimmed text; gives their hashes (0 where empty)."""
        coded = text.dictionary_encode()
        codes = pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False)
        values, present = coded.dictionary, codes >= 0
        filled = int(present.sum())
        self.filled += filled
        self.empty += len(text) - filled
        row_hashes = np.zeros(len(text), np.uint64)
        if filled:
            found = hashes(values)
            row_hashes[present] = found[codes[present]]
            self._count(values, np.bincount(codes[present], minlength=len(values)), found)
        self.unique.add(row_hashes, filled == len(text))
        return row_hashes

    def _count(self, values: pa.Array, counts: np.ndarray, found: np.ndarray) -> None:
        lengths = pc.utf8_length(values)
        low, high = (pc.min_max(lengths)[end].as_py() for end in ("min", "max"))
        self.shortest = low if self.longest == 0 else min(self.shortest, low)
        self.longest = max(self.longest, high)
        sketch = np.unique(np.concatenate([self.sketch, found]))
        self.sketch = sketch[:SKETCH]
        looked = slice(0, EXAMINED if not self.sample else EXAMINED // 10)
        few = values[looked].to_pylist()
        self.shape.add(few, counts[looked].tolist())
        random.Random(len(self.sample)).shuffle(few)
        self.sample = (self.sample + few)[: 4 * EXAMINED]
        self._remember(values, counts)
        form = self.shape.guess(self.header)[0]
        if form.type != "text":
            self._extremes(form, values, counts)

    def _remember(self, values: pa.Array, counts: np.ndarray) -> None:
        if self.counts is not None:
            if len(values) <= EXACT_VALUES:
                for value, count in zip(values.to_pylist(), counts.tolist(), strict=True):
                    self.counts[value] = self.counts.get(value, 0) + count
                if len(self.counts) <= EXACT_VALUES:
                    return
            elif not self.counts:  # the first block already has too many: keep its most frequent
                first = np.argsort(-counts, kind="stable")[:KEPT_VALUES]
                self.kept = dict(zip(values.take(pa.array(first)).to_pylist(), counts[first].tolist(), strict=True))
                self.counts = None
                return
            most = sorted(self.counts.items(), key=lambda one: -one[1])[:KEPT_VALUES]
            self.kept = dict(most)
            self.counts = None
            if len(values) <= EXACT_VALUES:
                return
        places = pc.index_in(pa.array(list(self.kept), pa.string()), values)
        for value, place in zip(list(self.kept), places.to_pylist(), strict=True):
            if place is not None:
                self.kept[value] += int(counts[place])

    def _extremes(self, form: Form, values: pa.Array, counts: np.ndarray) -> None:
        """Keep the `minimum` smallest and largest values, so that no end of a range is a single person's."""
        typed, _ = typed_column(form.reader(), values)
        numbers = pc.fill_null(_as_number(typed), float("nan")).to_numpy(zero_copy_only=False)
        order = np.argsort(numbers, kind="stable")[: int(np.count_nonzero(~np.isnan(numbers)))]
        repeated = np.minimum(counts, self.minimum)
        low = np.repeat(numbers[order[: self.minimum]], repeated[order[: self.minimum]])
        high = np.repeat(numbers[order[-self.minimum :]], repeated[order[-self.minimum :]])
        before = self.ends.get(form.words, (np.zeros(0), np.zeros(0)))
        self.ends[form.words] = (
            np.sort(np.concatenate([before[0], low]))[: self.minimum],
            np.sort(np.concatenate([before[1], high]))[-self.minimum :],
        )

    def distinct(self) -> tuple[int, bool]:
        """Number of distinct values, and whether it is exact."""
        if self.counts is not None:
            return len(self.counts), True
        if len(self.sketch) < SKETCH:
            return len(self.sketch), True
        estimate = (SKETCH - 1) / (float(self.sketch[-1]) / 2.0**64)
        return min(self.filled, max(EXACT_VALUES, round(estimate))), False

    def result(self) -> ColumnScan:
        """What is told of the column."""
        form, words, fits, marks = self.shape.told(self.header)
        distinct, exact = self.distinct()
        if self.unique.possible and self.counts is None and self.unique.holds():
            distinct, exact = self.filled, True
        flags = flags_of(self.header, self.sample, form.type)
        said = sum(self.shape.marks[mark] for mark in marks) if self.counts is not None else 0
        known = self.counts if self.counts is not None else self.kept
        frequent = sorted(((v, c) for v, c in known.items() if c >= self.minimum), key=lambda one: (-one[1], one[0]))
        shown = () if flags else tuple(frequent[:SHOWN])
        low, high = (None, None) if flags else self._range(form)
        return ColumnScan(
            name=self.name,
            header=self.header,
            path=self.path,
            type=form.type,
            format=form.format,
            thousands=form.thousands,
            decimal=form.decimal,
            first_year=form.first_year,
            missing=marks,
            ask=form.ask,
            shape=words,
            system=self.shape.system(),
            fits=round(fits, 4),
            filled=self.filled - min(said, self.filled),
            empty=self.empty + min(said, self.filled),
            distinct=distinct,
            distinct_exact=exact,
            shortest=self.shortest,
            longest=self.longest,
            low=low,
            high=high,
            values=shown,
            hidden=distinct - len(shown),
            flags=flags,
        )

    def _range(self, form: Form) -> tuple[str | None, str | None]:
        low, high = self.ends.get(form.words, (np.zeros(0), np.zeros(0)))
        if len(low) < self.minimum or low[-1] > high[0]:
            return None, None
        return _shown(low[-1], form), _shown(high[0], form)


def _as_number(typed: pa.Array) -> pa.Array:
    if pa.types.is_date32(typed.type):
        return typed.cast(pa.int32()).cast(pa.float64())
    if pa.types.is_timestamp(typed.type):
        return typed.cast(pa.int64()).cast(pa.float64(), safe=False)
    if pa.types.is_string(typed.type):  # HH:MM:SS
        return pc.replace_substring(typed, ":", "").cast(pa.float64())
    return typed.cast(pa.float64(), safe=False)


def _shown(number: float, form: Form) -> str:
    if form.type == "date":
        return str(np.datetime64(int(number), "D"))
    if form.type == "datetime":
        return str(np.datetime64(int(number), "us").astype("datetime64[s]")).replace("T", " ")
    if form.type == "time":
        digits = f"{int(number):06}"
        return f"{digits[:2]}:{digits[2:4]}:{digits[4:]}"
    return f"{number:.15g}"
