"""Source files as tables of the engine: typed, numbered, every key once, corrections applied.

Two ways to hold a source:

* *staged*: its files are kept as Parquet in the restricted companion and seen together, because entities span files
  or because later deliveries correct earlier ones;
* *passing*: one file at a time in a temporary table, for the large line tables that only events read.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from madang.base.progress import Progress
from madang.lake.engine import Engine, quote_name, quote_paths, quote_text
from madang.science.standardize.identify import LINE_BITS, Registered, row_number
from madang.science.standardize.intake import Block, SourceFile, read_blocks
from madang.science.standardize.pack import Source

EXACT_DUPLICATE = "same as an earlier row in all that is read"
DUPLICATE_KEY = "key of an earlier row with other content"
CORRECTED = "corrected by a later delivery"
WITHDRAWN = "withdrawn by a later delivery"
WITHDRAWAL = "withdraws an earlier row"


@dataclass(frozen=True)
class Incoming:
    """A new file of this run: what it is in the folder and what the dataset calls it."""

    path: Path
    file: SourceFile
    registered: Registered


@dataclass
class Findings:
    """What reading found: (file, line, reason) of rejects and (file, line, column) of nulled fields."""

    rejects: list[tuple[int, int, str]] = field(default_factory=list)
    repairs: list[tuple[int, int, str]] = field(default_factory=list)


@dataclass
class _Stream:
    """Blocks of one file as an Arrow stream with row numbers; notes whether the key only ever grows."""

    incoming: Incoming
    source: Source
    findings: Findings
    blocks: Iterator[Block]
    grows: bool = True
    failure: BaseException | None = None
    _last: tuple[Any, ...] | None = None

    def reader(self, schema: pa.Schema) -> pa.RecordBatchReader:
        return pa.RecordBatchReader.from_batches(schema, self._batches(schema))

    def _batches(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        number = self.incoming.registered.number
        try:
            for block in self.blocks:
                self.findings.rejects += [(number, line, reason) for line, reason in block.rejects]
                self.findings.repairs += [(number, line, column) for line, column in block.repairs]
                if self.grows and self.source.key:
                    self.grows = self._grows(block.table)
                rows = pc.add(block.table["_line"], row_number(number, 0))
                table = block.table.drop_columns(["_line"]).append_column("_row", rows)
                yield from table.select(schema.names).cast(schema).to_batches()
        except BaseException as error:  # the engine would wrap it and lose its sentence
            self.failure = error
            raise

    def _grows(self, table: pa.Table) -> bool:
        """True while each key is greater than the one before it: then no key can come twice."""
        if not table.num_rows:
            return True
        keys = [table[name].combine_chunks() for name in self.source.key]
        if any(key.null_count for key in keys):
            return False
        first, last = (tuple(key[place].as_py() for key in keys) for place in (0, -1))
        before, self._last = self._last, last
        if before is not None and not first > before:
            return False
        greater = pa.array([False] * (table.num_rows - 1), pa.bool_())
        for key in reversed(keys):  # lexicographic: what counts is the first column that differs
            same = pc.equal(key[1:], key[:-1])
            greater = pc.or_(pc.greater(key[1:], key[:-1]), pc.and_(same, greater))
        return bool(pc.all(greater, min_count=0).as_py())


def arrow_schema(source: Source) -> pa.Schema:
    """The source as SELECTs see it, in Arrow types, with `_row`."""
    types = {
        "VARCHAR": pa.string(),
        "BIGINT": pa.int64(),
        "DOUBLE": pa.float64(),
        "DATE": pa.date32(),
        "TIMESTAMP": pa.timestamp("us"),
    }
    return pa.schema([(name, types[kind]) for name, kind in source.schema.items()] + [("_row", pa.int64())])


class Reader:
    """Reads files of one run into an engine and remembers what it found."""

    def __init__(
        self, engine: Engine, pseudonym: Callable[[str], str] | None, threads: int, progress: Progress
    ) -> None:
        self.engine = engine
        self.pseudonym = pseudonym
        self.threads = threads
        self.progress = progress
        self.findings = Findings()

    def _stream(self, incoming: Incoming, source: Source, columns: Sequence[str] | None) -> _Stream:
        blocks = read_blocks(
            incoming.path,
            incoming.file,
            source,
            columns=columns,
            pseudonym=self.pseudonym,
            threads=self.threads,
            progress=self.progress,
        )
        return _Stream(incoming, source, self.findings, blocks)

    def _run(self, stream: _Stream, schema: pa.Schema, work: Callable[[str], object]) -> None:
        self.engine.register("_incoming", stream.reader(schema))
        try:
            work("_incoming")
        except BaseException:
            if stream.failure is not None:
                raise stream.failure from None
            raise
        finally:
            self.engine.unregister("_incoming")

    def stage(self, incoming: Incoming, source: Source, path: Path) -> None:
        """Write one file of a staged source to Parquet, typed, without direct identifiers."""
        schema = arrow_schema(source)
        stream = self._stream(incoming, source, None)
        self._run(stream, schema, lambda name: self.engine.copy_to_parquet(f"SELECT * FROM {name}", path))

    def pass_through(self, incoming: Incoming, source: Source, columns: frozenset[str]) -> list[tuple[int, str]]:
        """Make the temporary table of a passing source from one file; returns its duplicates (row, reason)."""
        wanted = [name for name in source.schema if name in columns or name in source.key]
        full = arrow_schema(source)
        schema = pa.schema([full.field(name) for name in [*wanted, "_row"]])
        stream = self._stream(incoming, source, wanted)
        table = quote_name(source.name)
        self._run(
            stream, schema, lambda name: self.engine.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS FROM {name}")
        )
        if not source.key or stream.grows:
            return []
        found = duplicates(self.engine, table, source.key, wanted)
        if found:
            self.engine.register("_found", pa.table({"_row": [row for row, _ in found]}))
            self.engine.execute(f"DELETE FROM {table} WHERE _row IN (SELECT _row FROM _found)")
            self.engine.unregister("_found")
        return found


def duplicates(engine: Engine, table: str, key: Sequence[str], columns: Sequence[str]) -> list[tuple[int, str]]:
    """Rows whose key came before (in the order of row numbers), with the reason; rows without a key are left alone."""
    keys = ", ".join(quote_name(name) for name in key)
    known = " AND ".join(f"{quote_name(name)} IS NOT NULL" for name in key)
    content = ", ".join(quote_name(name) for name in columns)
    return engine.rows(
        f"""
        WITH twice AS (SELECT {keys} FROM {table} WHERE {known} GROUP BY ALL HAVING count(*) > 1),
        rows AS (SELECT * FROM {table} SEMI JOIN twice USING ({keys})),
        ranked AS (
            SELECT _row,
                   row_number() OVER (PARTITION BY {keys} ORDER BY _row) AS place,
                   row_number() OVER (PARTITION BY {content} ORDER BY _row) AS same
            FROM rows)
        SELECT _row, CASE WHEN same > 1 THEN {quote_text(EXACT_DUPLICATE)} ELSE {quote_text(DUPLICATE_KEY)} END
        FROM ranked WHERE place > 1 ORDER BY _row
        """
    )


def show_snapshot(engine: Engine, source: Source, paths: Sequence[Path]) -> list[tuple[int, str]]:
    """Make the view of a staged snapshot over its Parquet files; returns its duplicates (row, reason)."""
    raw, name = quote_name(f"_raw_{source.name}"), quote_name(source.name)
    _view(engine, raw, source, paths)
    found: list[tuple[int, str]] = []
    if source.key:
        found = duplicates(engine, raw, source.key, list(source.schema))
    _keep(engine, f"_duplicates_{source.name}", found)
    without = f"ANTI JOIN {quote_name(f'_duplicates_{source.name}')} USING (_row)" if found else ""
    engine.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS SELECT * FROM {raw} {without}")
    return found


def show_delta(engine: Engine, source: Source, paths: Sequence[Path]) -> list[tuple[int, str, str]]:
    """Make the view of a delta source: the last delivered row of each key under the number of its first one.

    So identifiers stay when rows are corrected. Returns the lines that are not the row now seen, as
    (row, fate, reason); `_deliveries_<source>` keeps which line (`delivered`) each row (`_row`) now shows.
    """
    raw, name = quote_name(f"_raw_{source.name}"), quote_name(source.name)
    _view(engine, raw, source, paths)
    keys = ", ".join(quote_name(key) for key in source.key)
    content = ", ".join(quote_name(column) for column in source.schema)
    withdraws = "FALSE"
    if source.operation:
        values = ", ".join(quote_text(value) for value in source.withdraw)
        withdraws = f"coalesce({quote_name(source.operation)} IN ({values}), FALSE)"
    deliveries = quote_name(f"_deliveries_{source.name}")
    engine.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE {deliveries} AS
        WITH once AS (
            SELECT *, row_number() OVER (PARTITION BY _row >> {LINE_BITS}, {content} ORDER BY _row) > 1 AS again,
                   {withdraws} AS withdraws
            FROM {raw})
        SELECT _row AS delivered, again, withdraws,
               min(_row) OVER (PARTITION BY again, {keys}) AS _row,
               row_number() OVER (PARTITION BY again, {keys} ORDER BY _row DESC) AS age,
               first_value(withdraws) OVER (PARTITION BY again, {keys} ORDER BY _row DESC) AS gone
        FROM once
        """
    )
    engine.execute(
        f"""
        CREATE OR REPLACE TEMP VIEW {name} AS
        SELECT raw.* EXCLUDE (_row), d._row
        FROM {raw} raw JOIN {deliveries} d ON d.delivered = raw._row
        WHERE NOT d.again AND d.age = 1 AND NOT d.gone
        """
    )
    return engine.rows(
        f"""
        SELECT delivered,
               CASE WHEN again THEN 'rejected' ELSE 'unused' END,
               CASE WHEN again THEN {quote_text(EXACT_DUPLICATE)} WHEN withdraws THEN {quote_text(WITHDRAWAL)}
                    WHEN gone THEN {quote_text(WITHDRAWN)} ELSE {quote_text(CORRECTED)} END
        FROM {deliveries} WHERE again OR gone OR age > 1 ORDER BY delivered
        """
    )


def deliveries_sql(source: Source) -> str:
    """SELECT of the corrected rows of a delta source: the row's number and the line whose content it now shows."""
    return (
        f"SELECT {quote_text(source.name)} AS source, _row, delivered FROM {quote_name(f'_deliveries_{source.name}')} "
        "WHERE NOT again AND age = 1 AND delivered <> _row"
    )


def _view(engine: Engine, name: str, source: Source, paths: Sequence[Path]) -> None:
    if paths:
        engine.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS FROM read_parquet({quote_paths(paths)})")
    else:
        engine.register("_empty", arrow_schema(source).empty_table())
        engine.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS FROM _empty")
        engine.unregister("_empty")


def _keep(engine: Engine, name: str, found: Sequence[tuple[int, str]]) -> None:
    engine.register("_found", pa.table({"_row": pa.array([row for row, _ in found], pa.int64())}))
    engine.execute(f"CREATE OR REPLACE TEMP TABLE {quote_name(name)} AS FROM _found")
    engine.unregister("_found")
