"""Every column of every table in a small picture: what is most frequent in it, or how it spreads.

Each picture obeys the rule of the profile. Columns that tell once more what another one tells, or of which the profile
tells by more than one measure, have no picture where counts are kept back: two pictures of the same thing that join
their neighbors differently would tell what each of them keeps back.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, Literal

from madang.base.progress import Progress, Silent
from madang.base.translate import _
from madang.lake import Version
from madang.lake.engine import Engine, quote_name
from madang.science.quality.assess import opened
from madang.science.quality.columns import family, read_columns
from madang.science.quality.profile.ask import MINIMUM, Asked
from madang.science.quality.profile.hide import enough, joined

BINS = 12  # about so many bars of numbers
AT_ONCE = 200  # columns that are asked about together
PART = "columns asked about"
LONGEST = 200  # characters of a value

Why = Literal["", "empty", "key", "again", "profile", "text", "few", "other"]
FREE_TEXT = ("note", "note_nlp")  # tables whose texts somebody wrote about somebody
# What the profile tells in more detail: together with a picture of the column small counts could be worked out.
IN_PROFILE = {
    "person": frozenset("gender_concept_id year_of_birth month_of_birth day_of_birth birth_datetime".split()),
    "measurement": frozenset(("unit_concept_id",)),
}


@dataclass(frozen=True)
class Bar:
    """Records with a value (`name` is that of a concept), or from `low` until before `high`, months or numbers."""

    value: str
    records: int
    name: str = ""


@dataclass(frozen=True)
class Content:
    """One column of a table: its name, SQL type, records with a value and without one, and the bars of its picture.

    `kind` says what the bars are: the most frequent values (list), numbers in order (scale), months or years (time).
    Where there are none, `why`: the column is empty, is a key, tells something again, is told in more detail by the
    profile, is free text, is about too few persons, or is of a type without pictures. `filled` and `empty` are None
    where they are kept back; for concepts, 0 counts as empty.
    """

    name: str
    type: str
    filled: int | None = None
    empty: int | None = None
    kind: Literal["", "list", "scale", "time"] = ""
    bars: tuple[Bar, ...] = ()
    why: Why = ""


def contents(
    version: Version,
    vocabulary: Version | None = None,
    *,
    minimum: int = MINIMUM,
    today: date | None = None,
    progress: Progress | None = None,
) -> dict[str, tuple[Content, ...]]:
    """The columns of every table of a version, by the name of the table; arguments as of `profile`."""
    progress = progress or Silent()
    day = today or datetime.now(UTC).date()
    with opened(version, vocabulary) as tables, progress.interruptible(tables.engine.cancel):
        columns = read_columns(tables.engine)
        asked = Asked(tables.engine, columns, minimum, day, tables.engine)
        found = {}
        with progress.step(_("pictures of the columns"), len(version.tables), _("tables")):
            for name in sorted(version.tables):
                found[name] = tuple(
                    each for part in _parts(tables.engine, asked, name.lower()) for each in part.contents()
                )
                progress.advance(1)
    return found


def _parts(engine: Engine, asked: Asked, name: str) -> Iterator["_Table"]:
    """A table; one of very many columns a part after the other, because each question looks at all columns there are.

    Use each part before the next one is asked for.
    """
    columns = asked.columns[name]
    if len(columns) <= AT_ONCE:
        yield _Table(asked, name, name, columns)
        return
    for start in range(0, len(columns), AT_ONCE):
        part = dict(list(columns.items())[start : start + AT_ONCE])
        kept = {**part, "person_id": columns["person_id"]} if "person_id" in columns else part
        listed = ", ".join(map(quote_name, kept))
        engine.execute(f"CREATE OR REPLACE TEMP TABLE {quote_name(PART)} AS SELECT {listed} FROM {quote_name(name)}")
        yield _Table(replace(asked, columns={**asked.columns, PART: kept}), name, PART, part)
    engine.execute(f"DROP TABLE {quote_name(PART)}")


def document(found: tuple[Content, ...]) -> list[dict[str, Any]]:
    """The columns of a table as plain JSON values."""
    return [asdict(content) for content in found]


@dataclass(frozen=True)
class _Filled:
    """Rows and persons with and without a value in a column."""

    rows: int
    empty: int
    persons_filled: int
    persons_empty: int


@dataclass(frozen=True)
class _Table:
    """A table that is asked about its columns; `source` is what holds its rows, `columns` are those asked about."""

    asked: Asked
    name: str
    source: str
    columns: Mapping[str, str]

    def contents(self) -> Iterator[Content]:
        """All columns in their order."""
        whole = self.asked.who(self.source) == "person_id" or self.asked.minimum <= 1
        counts = self._filled() if whole else {}
        for column, kind in self.columns.items():
            bare = Content(column, kind, why="few")
            filled = counts.get(column)
            enough_rows = filled and enough(max(filled.persons_filled, filled.persons_empty), self.asked.minimum)
            yield self._content(bare, filled) if filled and enough_rows else bare

    def _filled(self) -> dict[str, _Filled]:
        """How far columns are filled: one pass by person, then the sums."""
        counts = ", ".join(f"count({quote_name(name)}) AS c{place}" for place, name in enumerate(self.columns))
        sums = ", ".join(
            f"sum(n - c{place})::BIGINT, count(*) FILTER (c{place} > 0), count(*) FILTER (c{place} < n)"
            for place in range(len(self.columns))
        )
        [(rows, *numbers)] = self.asked.engine.rows(
            f"SELECT coalesce(sum(n), 0)::BIGINT, {sums} FROM (SELECT {self.asked.who(self.source)} AS who, "
            f"count(*) AS n, {counts} FROM {quote_name(self.source)} GROUP BY 1)"
        )
        return {
            name: _Filled(rows, numbers[place * 3] or 0, *numbers[place * 3 + 1 : place * 3 + 3])
            for place, name in enumerate(self.columns)
        }

    def _content(self, bare: Content, filled: _Filled) -> Content:
        """A column of a table of enough persons."""
        column, minimum = bare.name, self.asked.minimum
        told = enough(filled.persons_empty, minimum) and enough(filled.persons_filled, minimum)
        counted = replace(bare, filled=filled.rows - filled.empty, empty=filled.empty) if told else bare
        kind = family(bare.type)
        why = "empty" if counted.filled == 0 else self._without(column, kind)
        if why:
            return replace(counted, why=why)
        if column.endswith("_concept_id"):
            return self._concepts(bare, filled.rows)
        if kind == "text":
            return self._texts(counted)
        if not told:
            return counted
        return self._times(counted) if kind == "date" else self._numbers(counted)

    def _without(self, column: str, kind: str) -> Why:
        """Why a column has no picture, apart from too few persons."""
        if kind == "other" or (column.endswith("_concept_id") and kind != "integer"):
            return "other"
        if column.endswith("_id") and not column.endswith("_concept_id"):
            return "key"
        if self.asked.minimum <= 1:
            return ""
        if column in IN_PROFILE.get(self.name, ()):
            return "profile"
        if kind == "text" and self.name in FREE_TEXT:
            return "text"
        date_of = column.removesuffix("time")
        again = column.endswith(("_source_value", "_source_concept_id", "_time")) or (
            date_of != column and date_of in self.columns
        )
        return "again" if again else ""

    def _concepts(self, bare: Content, rows: int) -> Content:
        """The most frequent concepts; as the profile lists them."""
        without, shown = self.asked.listing(self.source, f"coalesce({quote_name(bare.name)}, 0)", 0)
        names = self.asked.names(entry.key for entry in shown)
        bars = tuple(Bar(str(entry.key), entry.records, names.get(entry.key, "")) for entry in shown)
        content = replace(bare, kind="list" if bars else "", bars=bars, why="" if bars else "few")
        return content if without is None else replace(content, filled=rows - without, empty=without)

    def _texts(self, counted: Content) -> Content:
        """The most frequent texts."""
        _without, shown = self.asked.listing(self.source, quote_name(counted.name))
        bars = tuple(Bar(entry.key[:LONGEST], entry.records) for entry in shown)
        return replace(counted, kind="list" if bars else "", bars=bars, why="" if bars else "few")

    def _times(self, counted: Content) -> Content:
        """Records by month, or by year of a long time."""
        periods = self.asked.over_time(self.source, quote_name(counted.name))
        bars = tuple(Bar(p.start if p.start == p.end else f"{p.start}–{p.end}", p.records) for p in periods)
        return replace(counted, kind="time" if bars else "", bars=bars, why="" if bars else "few")

    def _numbers(self, counted: Content) -> Content:
        """Records by numbers, in about a dozen steps of 1, 2 or 5; what lies outside is with the first and last."""
        number = f"{quote_name(counted.name)}::DOUBLE"
        whole = family(counted.type) == "integer"
        [(low, high, unknown)] = self.asked.engine.rows(
            f"SELECT quantile_cont(x, 0.05) FILTER (isfinite(x)), quantile_cont(x, 0.95) FILTER (isfinite(x)), "
            f"count(DISTINCT who) FILTER (NOT isfinite(x)) "
            f"FROM (SELECT {self.asked.who(self.source)} AS who, {number} AS x FROM {quote_name(self.source)})"
        )
        if low is None or not enough(unknown, self.asked.minimum):
            return counted
        edges = _edges(low, high, whole)
        steps = " ".join(f"WHEN {number} < {edge!r} THEN {place}" for place, edge in enumerate(edges))
        persons, records = [0] * (len(edges) + 1), [0] * (len(edges) + 1)
        for entry in self.asked.by_person(self.source, f"CASE {steps} ELSE {len(edges)} END", f"isfinite({number})"):
            persons[entry.key], records[entry.key] = entry.persons, entry.records
        if not any(count >= self.asked.minimum for count in persons):
            return counted
        groups = joined([(count,) for count in persons], self.asked.minimum, max)
        ends = (groups[0], groups[-1])
        bars = tuple(
            Bar(_between(edges, first, last, whole), sum(records[first : last + 1]))
            for first, last in groups
            if (first, last) not in ends or any(persons[first : last + 1])
        )
        return replace(counted, kind="scale", bars=bars, why="")


def _edges(low: float, high: float, whole: bool) -> list[float]:
    """Where one bar ends and the next begins: multiples of a step of 1, 2 or 5 times a power of ten."""
    rough = high / BINS - low / BINS
    if rough <= abs(high) * 1e-9:  # as good as one number
        rough = 1.0 if whole else abs(high) / 10 or 1.0
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * power for unit in (1, 2, 5, 10) if unit * power >= rough * (1 - 1e-9))
    if whole:
        step = max(1.0, step)
    first, last = math.floor(low / step), math.floor(high / step) + 1
    edges = [float(f"{place * step:.12g}") for place in range(first, last + 1)]
    return [edge for edge in edges if math.isfinite(edge)]


def _between(edges: list[float], first: int, last: int, whole: bool) -> str:
    """The numbers of the bars from `first` to `last`, in words of numbers only."""
    low = edges[first - 1] if first > 0 else None
    high = edges[last] if last < len(edges) else None
    if low is None or high is None:
        return "–" if low is high is None else f"<{high:.10g}" if high is not None else f"≥{low:.10g}"
    if whole:
        return f"{low:.10g}" if high - low == 1 else f"{low:.10g}–{high - 1:.10g}"
    return f"{low:.10g}–{high:.10g}"
