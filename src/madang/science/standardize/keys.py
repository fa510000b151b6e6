"""Keys of sources that pass file by file: what came before, in this run and in earlier ones.

Of every row a hash of its key and one of its content are kept; where the keys of a file grow and lie beyond those of
all files before, nothing has to be looked up. The hashes are the engine's own, so another release of it knows none.
In memory are those of the files at hand only; those of all others are looked up where they are kept.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from madang.lake import Version
from madang.lake.engine import Engine, quote_name, quote_paths
from madang.science.standardize.compiler.program import Program
from madang.science.standardize.identify import LINE_BITS, row_number, rows_of
from madang.science.standardize.pack import Source

Span = tuple[tuple[Any, ...], tuple[Any, ...]]


@dataclass
class Keys:
    """The keys of one source so far. `earlier` is a SELECT of those of earlier runs, empty where none can be known."""

    engine: Engine
    source: Source
    columns: Sequence[str]
    earlier: str = ""
    spans: list[Span | None] = field(default_factory=list)
    """First and last key of each file, None where they do not grow; those of earlier runs come first."""
    numbers: list[int] = field(default_factory=list)
    """The number of each of these files."""
    at_hand: list[int] = field(default_factory=list)
    """Those of which the keys are in memory."""
    written: dict[int, Path] = field(default_factory=dict)
    """Where the keys of files of this run are kept, by the number of the file."""

    def __post_init__(self) -> None:
        self.table = quote_name(f"_keys_{self.source.name}")
        self._begin()

    def _begin(self) -> None:
        self.engine.execute(
            f"CREATE OR REPLACE TEMP TABLE {self.table} (k1 BIGINT, k2 BIGINT, content INTEGER, _row BIGINT)"
        )

    def _hashed(self, table: str) -> str:
        names = [quote_name(name) for name in self.source.key]
        known = " AND ".join(f"{name} IS NOT NULL" for name in names)
        some = " OR ".join(f"{name} IS NOT NULL" for name in names)
        key, row = ", ".join(names), ", ".join(map(quote_name, self.columns))
        first, second = f"hash({key})", f"hash({key}, 'second')"
        if len(names) > 1:  # a row whose key has a gap is known by all that it says
            first = f"CASE WHEN {known} THEN {first} ELSE hash({row}) END"
            second = f"CASE WHEN {known} THEN {second} ELSE hash({row}, 'second') END"
        return (
            f"SELECT ({first} >> 1)::BIGINT AS k1, ({second} >> 1)::BIGINT AS k2, "
            f"(hash({row}) & 2147483647)::INTEGER AS content, _row FROM {table} WHERE {some}"
        )

    def add(self, rows: str, files: Sequence[tuple[int, Span | None]]) -> None:
        """Take the keys of the rows of some files (number, span) at hand."""
        self.at_hand = [number for number, _ in files]
        self.numbers += self.at_hand
        self.spans += [span for _, span in files]
        self.engine.execute(f"INSERT INTO {self.table} {self._hashed(rows)}")

    def outside(self) -> list[tuple[int, bool]]:
        """Rows at hand whose key came in a file that is not: (row, whether all is the same)."""
        span_of = dict(zip(self.numbers, self.spans, strict=True))
        pairs = [
            (one, other)
            for other in self.numbers[: -len(self.at_hand)]
            if self.earlier or other in self.written
            for one in self.at_hand
            if not _apart(span_of[one], span_of[other])
        ]
        files: dict[Path | None, list[int]] = {}
        for other in dict.fromkeys(other for _, other in pairs):
            files.setdefault(self.written.get(other), []).append(other)
        parts = []
        for path, there in files.items():
            kept = f"read_parquet({quote_paths([path])})" if path else f"({self.earlier})"
            parts.append(f"SELECT k1, k2, content, _row FROM {kept} WHERE {_of_files(there)}")
        return self._found(list(dict.fromkeys(one for one, _ in pairs)), parts)

    def inside(self, number: int) -> list[tuple[int, bool]]:
        """Rows of a file at hand whose key came in an earlier one at hand: (row, whether all is the same).

        What came before in those must have been taken out.
        """
        span_of = dict(zip(self.numbers, self.spans, strict=True))
        before = self.at_hand[: self.at_hand.index(number)]
        touched = [one for one in before if not _apart(span_of[one], span_of[number])]
        return self._found([number], [f"SELECT * FROM {self.table} WHERE {_of_files(touched)}"] if touched else [])

    def _found(self, files: Sequence[int], parts: Sequence[str]) -> list[tuple[int, bool]]:
        """The rows of files at hand whose key is in one of the SELECTs `parts`."""
        if not parts:
            return []
        told, kept = f"(SELECT * FROM {self.table} WHERE {_of_files(files)}) t", f"({' UNION ALL '.join(parts)}) k"
        # Mostly none is there, which half of the hash says at half of the cost.
        if not self.engine.value(f"SELECT count(*) FROM {told} SEMI JOIN {kept} ON k.k1 = t.k1"):
            return []
        return self.engine.rows(
            "SELECT t._row, bool_or(k.content = t.content) "
            f"FROM {told} JOIN {kept} ON k.k1 = t.k1 AND k.k2 = t.k2 GROUP BY t._row ORDER BY t._row"
        )

    def take_out(self, rows: str) -> None:
        """Forget the keys of rows that came before; `rows` is a SELECT of `_row`."""
        self.engine.execute(f"DELETE FROM {self.table} WHERE _row IN ({rows})")

    def keep(self, put: Callable[[str], Path]) -> None:
        """Write the keys of the files at hand with `put`, which takes a SELECT, and forget them.

        The column `source` is there for what earlier releases wrote into it: the number of its file says as much of a
        row, and to write a text as often costs more than the rest.
        """
        path = put(f"SELECT NULL::VARCHAR AS source, * FROM {self.table}")
        self.written |= dict.fromkeys(self.at_hand, path)
        self.at_hand = []
        self._begin()


def _of_files(numbers: Sequence[int]) -> str:
    """SQL condition that `_row` is of one of these files."""
    if len(numbers) == 1:
        return rows_of(numbers[0])
    low, high = row_number(min(numbers), 0), row_number(max(numbers) + 1, 0)
    return f"_row >= {low} AND _row < {high} AND _row >> {LINE_BITS} IN ({', '.join(map(str, numbers))})"


def _apart(one: Span | None, other: Span | None) -> bool:
    return one is not None and other is not None and (one[1] < other[0] or other[1] < one[0])


def plain_spans(spans: Sequence[Span | None]) -> list[Any]:
    """First and last keys of files as JSON has them: numbers and text, dates as text."""
    return [
        [[v if isinstance(v, int | str) else str(v) for v in end] for end in span] if span else None for span in spans
    ]


def typed_spans(plain: Sequence[Any], source: Source) -> list[Span | None]:
    """The keys of `plain_spans`, typed; a key of another type is not compared by its span."""
    read: dict[str, Callable[[Any], Any]] = {
        "VARCHAR": str, "BIGINT": int, "DATE": date.fromisoformat, "TIMESTAMP": datetime.fromisoformat,
    }  # fmt: skip
    kinds = [read[source.schema[name]] for name in source.key if source.schema[name] in read]
    if len(kinds) < len(source.key):
        return [None for _ in plain]

    def typed(end: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(kind(value) for kind, value in zip(kinds, end, strict=True))

    return [(typed(span[0]), typed(span[1])) if span else None for span in plain]


def known_keys(
    engine: Engine, program: Program, columns: Mapping[str, Sequence[str]], before: Version | None, kept: str
) -> tuple[dict[str, Keys], list[str]]:
    """The keys of the passing sources as earlier runs know them, and what cannot be known of them.

    `kept` is a SELECT of the keys that earlier runs kept.
    """
    found: dict[str, Keys] = {}
    warnings: list[str] = []
    spans = before.info.get("spans", {}) if before is not None else {}
    for name, source in program.pack.sources.items():
        if not source.key or name in program.staged:
            continue
        keys = found[name] = Keys(engine, source, columns[name])
        files = [entry["number"] for entry in before.info["files"] if entry["source"] == name] if before else []
        if before is None or not files:
            continue
        if name not in spans or before.info.get("engine") != engine_release(engine):
            warnings.append(
                f"The keys of {name} in files of earlier runs are not known: rows that come again are not found; "
                "--rebuild looks at all files."
            )
            continue
        keys.numbers, keys.spans = files, typed_spans(spans[name], source)
        if len(keys.spans) != len(files):
            keys.spans = [None for _ in files]
        keys.earlier = kept
    return found, warnings


def engine_release(engine: Engine) -> str:
    """The release of the engine, whose hashes these are."""
    return str(engine.value("SELECT version()"))
