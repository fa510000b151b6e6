"""What a scan finds, as frozen values that are JSON with `dataclasses.asdict`."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Flag:
    """Why a column may hold what tells who somebody is; its values are never shown."""

    kind: str
    """`name`, `resident number`, `phone`, `e-mail`, `address`, `identity document`, `person identifier`."""
    certainty: str
    """`likely` (the content says so) or `possible` (only the header does, or only some values)."""
    why: str


@dataclass(frozen=True)
class ColumnScan:
    """One column over all files of its source."""

    name: str
    header: str
    path: str | None
    """Where the value lies, for NDJSON."""
    type: str
    """text, integer, number, date, time or datetime: a guess."""
    format: str | None
    """strptime format of dates and times, where it is not ISO 8601."""
    thousands: str | None
    shape: str
    """What the values look like, in words: `YYYYMMDD`, `numbers, some as <0.5`, ..."""
    fits: float
    """Share of the values looked at that have that type."""
    filled: int
    empty: int
    distinct: int
    distinct_exact: bool
    shortest: int
    longest: int
    low: str | None
    """At least `minimum` rows are at or below this value; numbers, dates and times only."""
    high: str | None
    values: tuple[tuple[str, int], ...]
    """Most frequent values with exact counts, none under the minimum; none at all for flagged columns."""
    hidden: int
    """Distinct values that are not shown (an estimate where `distinct` is one)."""
    flags: tuple[Flag, ...]
    decimal: str | None = None
    """The mark before the fraction, where it is not a point."""
    first_year: int | None = None
    """Of years of two digits: the hundred years that begin with it."""
    missing: tuple[str, ...] = ()
    """Texts that say that there is no value; they count as empty."""
    ask: str = ""
    """What the values do not tell and somebody has to decide."""
    system: str = ""
    """The system of codes that nearly all values are written as: LOINC, SNOMED, ICD10 or NDC."""
    label: str = ""
    """What a file of a statistics program calls the column."""
    labels: tuple[tuple[str, str], ...] = ()
    """What it calls the values that are shown."""


@dataclass(frozen=True)
class FileScan:
    """One file, as found."""

    name: str
    size: int
    lines: int
    rows: int
    format: str
    encoding: str
    evidence: str
    byte_order_mark: bool
    delimiter: str
    quoting: str
    """`none`, `some fields`, `all fields`, `with line breaks`."""
    header: bool
    line_ends: str
    """`LF`, `CRLF`, `mixed`."""
    ragged: int
    """Lines with too few or too many fields."""
    open_quotes: int
    blank: int
    complete: bool
    """False: only the first rows were read."""


@dataclass(frozen=True)
class SourceScan:
    """Files with one layout, which a pack reads as one table."""

    name: str
    patterns: tuple[str, ...]
    files: tuple[str, ...]
    format: str
    encoding: str
    delimiter: str
    quoted_newlines: bool
    header: bool
    rows: int
    columns: tuple[ColumnScan, ...]
    keys: tuple[tuple[str, ...], ...]
    """Columns, and pairs of columns, that are filled in every row read and never repeat."""
    near_keys: tuple[tuple[str, ...], ...] = ()
    """Where there are no `keys`: those that repeat in at most 2 % of the rows, exact repeats of rows and later
    corrections aside."""
    repeated: int = 0
    """Rows that repeat another one exactly; 0 where that is not known."""
    operation: str | None = None
    """The column that says whether a row adds, corrects or withdraws, where there seems to be one."""
    withdraw: str = ""
    """Its value that withdraws, as such columns have it by custom."""
    ask: str = ""
    """What of the encoding somebody has to decide."""

    @property
    def likely_keys(self) -> tuple[tuple[str, ...], ...]:
        """The keys, or where there are none, what nearly is one."""
        return self.keys or self.near_keys


@dataclass(frozen=True)
class Reference:
    """Values of one column that are among the values of a key of another source."""

    source: str
    column: str
    to_source: str
    to_column: str
    share: float
    """Of the distinct values."""
    compared: int
    """Distinct values compared; all of them where `exact`."""
    exact: bool


@dataclass(frozen=True)
class Scan:
    """A folder, as found. Counts are exact unless their field says otherwise; types, keys and flags are guesses."""

    folder: str
    minimum: int
    rows: int | None
    """Most rows read per file; None: all."""
    files: tuple[FileScan, ...]
    sources: tuple[SourceScan, ...]
    references: tuple[Reference, ...]
    skipped: tuple[tuple[str, str], ...]
    """Files that could not be scanned, and why."""

    def as_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"madang_scan": 1, **asdict(self)}
