"""Keys of sources that pass file by file: what came before, in this run and in earlier ones.

Of every row a hash of its key and one of its content are kept; where the keys of a file grow and lie beyond those of
all files before, nothing has to be looked up. The hashes are the engine's own, so another release of it knows none.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from madang.lake import Version
from madang.lake.engine import Engine, quote_name, quote_text
from madang.science.standardize.compiler.program import Program
from madang.science.standardize.pack import Source

Span = tuple[tuple[Any, ...], tuple[Any, ...]]


@dataclass
class Keys:
    """The keys of one source so far. `earlier` is a SELECT of those of earlier runs, None where none can be known."""

    engine: Engine
    source: Source
    columns: Sequence[str]
    earlier: str | None = None
    spans: list[Span | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.added = False
        self.table = quote_name(f"_keys_{self.source.name}")
        self.engine.execute(
            f"CREATE OR REPLACE TEMP TABLE {self.table} (k1 BIGINT, k2 BIGINT, content INTEGER, _row BIGINT)"
        )

    def _hashed(self, table: str) -> str:
        names = [quote_name(name) for name in self.source.key]
        known = " AND ".join(f"{name} IS NOT NULL" for name in names)
        key, row = ", ".join(names), ", ".join(map(quote_name, self.columns))
        return (
            f"SELECT (hash({key}) >> 1)::BIGINT AS k1, (hash({key}, 'second') >> 1)::BIGINT AS k2, "
            f"(hash({row}) & 2147483647)::INTEGER AS content, _row FROM {table} WHERE {known}"
        )

    def before(self, table: str, span: Span | None) -> list[tuple[int, int, bool]]:
        """Rows of a new file whose key came in an earlier one: (row, earlier row, whether all is the same)."""
        if not self.spans or self._beyond(span):
            return []
        known = f"SELECT * FROM {self.table}" + (f" UNION ALL {self.earlier}" if self.earlier else "")
        return self.engine.rows(
            f"SELECT t._row, min(k._row), bool_or(k.content = t.content) FROM ({self._hashed(table)}) t "
            f"JOIN ({known}) k ON k.k1 = t.k1 AND k.k2 = t.k2 GROUP BY t._row ORDER BY t._row"
        )

    def _beyond(self, span: Span | None) -> bool:
        return span is not None and all(
            one is not None and (one[1] < span[0] or span[1] < one[0]) for one in self.spans
        )

    def add(self, table: str, span: Span | None) -> None:
        """Remember the keys of a file whose doubled rows have been taken out."""
        self.spans.append(span)
        self.added = True
        self.engine.execute(f"INSERT INTO {self.table} {self._hashed(table)}")

    def sql(self) -> str:
        """SELECT of what this run has added."""
        return f"SELECT {quote_text(self.source.name)} AS source, * FROM {self.table}"


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
        if before is None or not any(entry["source"] == name for entry in before.info["files"]):
            continue
        if name not in spans or before.info.get("engine") != engine_release(engine):
            warnings.append(
                f"The keys of {name} in files of earlier runs are not known: rows that come again are not found; "
                "--rebuild looks at all files."
            )
            continue
        keys.spans = typed_spans(spans[name], source)
        keys.earlier = f"SELECT k1, k2, content, _row FROM ({kept}) WHERE source = {quote_text(name)}"
    return found, warnings


def engine_release(engine: Engine) -> str:
    """The release of the engine, whose hashes these are."""
    return str(engine.value("SELECT version()"))
