"""What the compiler makes: the SQL of each SELECT, and what it reads and gives."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

from madang.science.standardize.pack_model import Pack


@dataclass(frozen=True)
class Rule:
    """One `reject_when` or `unused_when`; a condition that is null counts as false."""

    kind: Literal["reject", "unused"]
    reason: str
    always: bool
    """Whether it holds for every row, as `true` does."""
    line: int


@dataclass(frozen=True)
class Select:
    """One SELECT of a pack, compiled. Its relations are sources, entities, and `<entity>_members`, all with `_row`."""

    name: str
    kind: Literal["entity", "event"]
    table: str | None
    """The CDM table of an entity; None for events."""
    source: str
    """The driving source: every row of it comes out."""
    columns: tuple[tuple[str, str], ...]
    """Columns that come out and their engine types, in order; `_row` and `_rule` aside. A whole number may be wider
    than its CDM field: the writer narrows it."""
    rules: tuple[Rule, ...]
    grouped: bool
    unnests: bool
    of_items: frozenset[str]
    """Columns that an element of the unnested list gives."""
    windowed: bool
    """Whether a window spans rows, so that the whole source has to be seen at once."""
    reads: frozenset[str]
    """Every other relation that is read (the driving source too, where it is joined once more)."""
    columns_read: Mapping[str, frozenset[str]] = field(repr=False)
    """The columns read of each relation, the driving source included; `_row` aside."""
    rows_sql: str = field(default="", repr=False)
    """Not grouped: columns, `_row`, and `_rule` (0-based number of the first rule that holds, else null)."""
    groups_sql: str = field(default="", repr=False)
    """Grouped: columns and `_row` (the first member), of the rows for which no rule holds."""
    members_sql: str = field(default="", repr=False)
    """Grouped: `_row`, the group expressions `_g0`, `_g1`, ..., and `_rule`, of every row."""
    joins: tuple[tuple[str, Callable[[], str] | None], ...] = field(default=(), repr=False, compare=False)
    """Sources that are joined, and what writes the SQL of (`_row`, `joined`); None where the rows cannot be told."""
    in_periods: "Callable[[Collection[str]], Select | None] | None" = field(default=None, repr=False, compare=False)
    """Events: makes the same SELECT for rows of several periods at once, in which they find rows of the given
    relations only in their own period (the engine's variable `PERIODS` says which); None where that cannot be said."""
    group_columns: tuple[str, ...] = ()
    """The output columns that equal `_g0`, `_g1`, ... (null-safe)."""

    @property
    def source_columns(self) -> frozenset[str]:
        """The columns of the driving source that are read."""
        return self.columns_read.get(self.source, frozenset())


@dataclass(frozen=True)
class Program:
    """A compiled pack: the SELECTs in the order of work."""

    pack: Pack
    entities: tuple[Select, ...]
    events: tuple[Select, ...]
    staged: frozenset[str]
    """Sources that have to be seen whole: read by entities, deltas, joined, or spanned by a window."""

    @property
    def only_joined(self) -> frozenset[str]:
        """Sources that no SELECT begins with: their rows are used where a row that makes something joins them."""
        driving = {select.source for select in (*self.entities, *self.events)}
        return frozenset(self.pack.sources) - driving
