"""What all ways of answering start from: the tables, and what the footers of their files say about each column."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from madang.base.progress import Progress
from madang.lake.engine import Engine
from madang.science.quality.columns import Columns, family

EVER, NEVER = -(1 << 30), 1 << 30
"""Days before and after all dates that are told apart here; a few days more do not overflow 32 bits."""
MEMORY = 1_500_000_000
MOST = 32
"""How many times a table's keys are read, a range of them each time, before it is left to a query that spills."""


@dataclass(frozen=True)
class Facts:
    """What is known of a column without reading it; `low` and `high` are None where nobody wrote them down."""

    rows: int
    nulls: int
    low: Any
    high: Any


@dataclass(frozen=True)
class Within:
    """A range of whole numbers of a column, `low` <= value < `high`."""

    field: str
    low: float
    high: float

    def holds(self, values: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Which of the values lie within."""
        return (values >= self.low) & (values < self.high)

    def may_be_in(self, footer: pq.FileMetaData, group: int) -> bool:
        """Whether a row group has such a value, as far as its footer tells."""
        statistics = footer.row_group(group).column(_place(footer, self.field)).statistics
        if statistics is None or not statistics.has_min_max:
            return True
        return bool(statistics.min < self.high and statistics.max >= self.low)


@dataclass(frozen=True)
class Given:
    """The tables at hand and how they may be read; made once for each assessment."""

    engine: Engine
    files: Mapping[str, Sequence[Path]]
    columns: Columns
    today: date
    compatible: bool
    threads: int
    progress: Progress
    memory: int = MEMORY  # bytes of arrays that may be held at once, besides what the engine is allowed
    narrowed: str = ""  # the schema whose tables are asked, where it is not all rows; partners are always whole

    def place(self, table: str) -> str:
        """The table whose rows are asked, as SQL names it."""
        return f'"{self.narrowed}"."{table}"' if self.narrowed else table

    @cached_property
    def footers(self) -> dict[str, list[tuple[Path, pq.FileMetaData]]]:
        """The footers of all files, by table."""
        return {
            table: [(path, pq.read_metadata(path)) for path in self.files[table]]
            for table in self.columns
            if table in self.files
        }

    def rows(self, table: str) -> int | None:
        """Rows of a table, None where only a query can tell."""
        found = self.footers.get(table)
        return None if found is None else sum(footer.num_rows for _path, footer in found)

    @cached_property
    def _known(self) -> dict[tuple[str, str], Facts | None]:
        return {}

    def facts(self, table: str, field: str) -> Facts | None:
        """What the footers say of a column; None where they do not tell how many nulls it has."""
        if (table, field) not in self._known:
            self._known[table, field] = _facts(self.footers.get(table), field)
        return self._known[table, field]

    def whole(self, table: str, field: str) -> bool:
        """Whether a column is of integers."""
        return family(self.columns.get(table, {}).get(field, "")) == "integer"

    def each_group(
        self, table: str, fields: Sequence[str], work: Callable[[pa.Table], Any], within: "Within | None" = None
    ) -> list[Any]:
        """`work` on these columns of every row group of a table, in threads; what it returned, in no certain order.

        Row groups that by their footers have no value `within` are left out; those read may still have others.
        """
        tasks = [
            (path, footer, group)
            for path, footer in self.footers[table]
            for group in range(footer.num_row_groups)
            if footer.row_group(group).num_rows and (within is None or within.may_be_in(footer, group))
        ]

        def one(task: tuple[Path, pq.FileMetaData, int]) -> Any:
            self.progress.check()
            path, footer, group = task
            with pq.ParquetFile(path, metadata=footer) as file:
                names = {name.lower(): name for name in file.schema_arrow.names}
                read = file.read_row_group(group, columns=[names[field] for field in fields], use_threads=False)
                return work(read.rename_columns([name.lower() for name in read.column_names]))

        with ThreadPoolExecutor(self.threads) as pool:
            return list(pool.map(one, tasks))


def _facts(footers: list[tuple[Path, pq.FileMetaData]] | None, field: str) -> Facts | None:
    if footers is None:
        return None
    rows = nulls = 0
    lows: list[Any] = []
    highs: list[Any] = []
    bounded = True
    for _path, footer in footers:
        place = _place(footer, field)
        for group in _groups(footer):
            chunk = group.column(place)
            statistics = chunk.statistics if chunk.is_stats_set else None
            if statistics is None or not statistics.has_null_count:
                return None
            rows += group.num_rows
            nulls += statistics.null_count
            if statistics.null_count == group.num_rows:
                continue
            if not statistics.has_min_max or chunk.physical_type not in ("INT32", "INT64"):
                bounded = False  # texts may be cut short, floats may hide what is no number
                continue
            try:
                lows.append(statistics.min)
                highs.append(statistics.max)
            except (ValueError, OverflowError):  # a date that Python does not know
                bounded = False
    bounded = bounded and bool(lows)
    return Facts(rows, nulls, min(lows) if bounded else None, max(highs) if bounded else None)


def _place(footer: pq.FileMetaData, field: str) -> int:
    return next(i for i, name in enumerate(footer.schema.names) if name.lower() == field)


def _groups(footer: pq.FileMetaData) -> Iterator[pq.RowGroupMetaData]:
    return (footer.row_group(group) for group in range(footer.num_row_groups))


def integers(column: pa.ChunkedArray) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_] | None]:
    """Values (anything where null) and which of them are there; None where all are."""
    array = _one(column)
    valid = array.is_valid().to_numpy(zero_copy_only=False) if array.null_count else None
    filled = array.fill_null(0) if array.null_count else array
    return filled.to_numpy().astype(np.int64, copy=False), valid


def days(column: pa.ChunkedArray) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.bool_] | None]:
    """Dates, or the dates of timestamps, as days since 1970 and which of them are there."""
    array = _one(column)
    if not pa.types.is_date32(array.type):
        array = array.cast(pa.timestamp(array.type.unit)).cast(pa.date32(), safe=False)  # as UTC; the time is cut off
    array = array.cast(pa.int32())
    valid = array.is_valid().to_numpy(zero_copy_only=False) if array.null_count else None
    values = (array.fill_null(0) if array.null_count else array).to_numpy()
    return np.clip(values, EVER, NEVER), valid


def _one(column: pa.ChunkedArray) -> pa.Array:
    whole = column.combine_chunks()
    return whole.chunk(0) if isinstance(whole, pa.ChunkedArray) else whole


def both(left: npt.NDArray[np.bool_] | None, right: npt.NDArray[np.bool_] | None) -> npt.NDArray[np.bool_] | None:
    """Where both are there; None is everywhere."""
    if left is None or right is None:
        return right if left is None else left
    return left & right


def how_many(found: npt.NDArray[np.bool_], valid: npt.NDArray[np.bool_] | None) -> int:
    """How many are found among those that are there."""
    return int(np.count_nonzero(found if valid is None else found & valid))
