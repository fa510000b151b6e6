"""Source files as tables of the engine: typed, numbered, every key once, corrections applied.

Two ways to hold a source:

* *staged*: its files are kept as Parquet in the restricted companion and seen together, because entities span files
  or because later deliveries correct earlier ones;
* *passing*: some files at a time, for the large line tables that only events read.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from madang.base.progress import Progress
from madang.lake.engine import Engine, quote_name, quote_paths, quote_text
from madang.lake.files import sentences
from madang.science.standardize.accounting import REJECTED, UNUSED, Ledger
from madang.science.standardize.compiler.program import Program
from madang.science.standardize.identify import LINE_BITS, Registered, file_and_line, row_number, rows_of
from madang.science.standardize.intake import Block, SourceFile, read_blocks
from madang.science.standardize.keys import Keys, Span
from madang.science.standardize.lasting import Corrected
from madang.science.standardize.pack import Source

EXACT_DUPLICATE = "same as an earlier row in all that is read"
DUPLICATE_KEY = "key of an earlier row with other content"
REPLACED = "replaced by a later version"
CORRECTED = "corrected by a later delivery"
WITHDRAWN = "withdrawn by a later delivery"
WITHDRAWAL = "withdraws an earlier row"
FEW_ROWS = 20_000
TOLD = 5  # examples of one thing in a report
HELD_BYTES = 256 << 20
"""Rows of a passing source that are held as they were read. More are the engine's, which can put them on the disk."""


@dataclass(frozen=True)
class Incoming:
    """A new file of this run: what it is in the folder and what the dataset calls it."""

    path: Path
    file: SourceFile
    registered: Registered


@dataclass
class _Stream:
    """Blocks of one file as an Arrow stream with row numbers; notes whether the key only ever grows."""

    incoming: Incoming
    source: Source
    blocks: Iterator[Block]
    rejects: list[tuple[int, str, str]] = field(default_factory=list)
    repairs: list[tuple[int, int, str]] = field(default_factory=list)
    rows: int = 0
    grows: bool = True
    first: tuple[Any, ...] | None = None
    last: tuple[Any, ...] | None = None
    failure: BaseException | None = None

    @property
    def span(self) -> Span | None:
        """The first and the last key, if keys only grow."""
        return (self.first, self.last) if self.grows and self.first and self.last else None

    def batches(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        number = self.incoming.registered.number
        try:
            for block in self.blocks:
                self.rejects += [(row_number(number, line), REJECTED, reason) for line, reason in block.rejects]
                self.repairs += [(number, line, column) for line, column in block.repairs]
                self.rows += block.table.num_rows + len(block.rejects)
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
        before, self.last = self.last, last
        self.first = self.first or first
        if before is not None and not first > before:
            return False
        greater = pa.array([False] * (table.num_rows - 1), pa.bool_())
        for key in reversed(keys):  # lexicographic: what counts is the first column that differs
            same = pc.equal(key[1:], key[:-1])
            greater = pc.or_(pc.greater(key[1:], key[:-1]), pc.and_(same, greater))
        return bool(pc.all(greater, min_count=0).as_py())


def arrow_schema(source: Source, columns: Sequence[str]) -> pa.Schema:
    """Columns of a source as SELECTs see them, in Arrow types, with `_row`."""
    types = {
        "VARCHAR": pa.string(),
        "BIGINT": pa.int64(),
        "DOUBLE": pa.float64(),
        "DATE": pa.date32(),
        "TIMESTAMP": pa.timestamp("us"),
    }
    return pa.schema([*((name, types[source.schema[name]]) for name in columns), ("_row", pa.int64())])


def columns_needed(program: Program) -> dict[str, list[str]]:
    """The columns of each source that any SELECT reads, with its key; the others are not even read."""
    needed: dict[str, set[str]] = {}
    for select in (*program.entities, *program.events):
        for relation, columns in select.columns_read.items():
            needed.setdefault(relation, set()).update(columns)
    found = {}
    for name, source in program.pack.sources.items():
        wanted = needed.get(name, set()) | set(source.key) | {source.operation, source.latest, source.version}
        found[name] = [column for column in source.schema if column in wanted]
    return found


class Reader:
    """Reads files of one run into an engine and notes what it could not read in the ledger."""

    def __init__(
        self,
        engine: Engine,
        ledger: Ledger,
        needed: Mapping[str, Sequence[str]],
        pseudonym: Callable[[str], str] | None,
        threads: int,
        progress: Progress,
    ) -> None:
        self.engine = engine
        self.ledger = ledger
        self.needed = needed
        self.pseudonym = pseudonym
        self.threads = threads
        self.progress = progress
        self.keys: dict[str, Keys] = {}
        """Of the passing sources that declare one."""

    def _read(
        self, files: Sequence[Incoming], source: Source, work: Callable[[pa.RecordBatchReader], object]
    ) -> list[_Stream]:
        """Let `work` take the rows of some files, one after the other, once."""
        columns = self.needed[source.name]
        schema = arrow_schema(source, columns)
        streams = [
            _Stream(
                incoming,
                source,
                read_blocks(
                    incoming.path,
                    incoming.file,
                    source,
                    columns=columns,
                    pseudonym=self.pseudonym,
                    threads=self.threads,
                    progress=self.progress,
                ),
            )
            for incoming in files
        ]
        try:
            work(pa.RecordBatchReader.from_batches(schema, chain.from_iterable(s.batches(schema) for s in streams)))
        except BaseException:
            failure = next((stream.failure for stream in streams if stream.failure is not None), None)
            if failure is not None:
                raise failure from None
            raise
        for stream in streams:
            self.ledger.note_rows(stream.incoming.registered, source, stream.rows)
        self.ledger.note([one for stream in streams for one in stream.rejects], lasting=True)
        self.ledger.note_repairs([one for stream in streams for one in stream.repairs])
        return streams

    def stage(self, incoming: Incoming, source: Source, path: Path) -> Span | None:
        """Write one file of a staged source to Parquet; returns its first and last key if its keys only grow."""
        (stream,) = self._read([incoming], source, lambda rows: self._copy(rows, path))
        return stream.span

    def _copy(self, rows: pa.RecordBatchReader, path: Path) -> None:
        """Write rows to Parquet. Few go without the engine, to which beginning costs more than a small file."""
        held: list[pa.RecordBatch] = []
        while sum(batch.num_rows for batch in held) < FEW_ROWS:
            batch = next(rows, None)
            if batch is None:
                with sentences("keep the rows of a source file"):
                    pq.write_table(pa.Table.from_batches(held, rows.schema), path, compression="zstd")
                return
            held.append(batch)
        with self._registered(pa.RecordBatchReader.from_batches(rows.schema, chain(held, rows))) as name:
            self.engine.copy_to_parquet(f"SELECT * FROM {name}", path)

    @contextmanager
    def _registered(self, rows: pa.RecordBatchReader) -> Iterator[str]:
        """The name by which SQL sees rows, once."""
        self.engine.register("_incoming", rows)
        try:
            yield "_incoming"
        finally:
            self.engine.unregister("_incoming")

    def pass_through(self, files: Sequence[Incoming], source: Source) -> None:
        """Show the rows of some files of a passing source by its name, every key once."""
        rows, taken = quote_name(_rows_of(source)), quote_name(f"_taken_{source.name}")
        streams = self._read(files, source, lambda stream: self._hold(stream, source))
        found: dict[int, tuple[int, str, str]] = {}
        if source.key:
            keys = self.keys[source.name]
            keys.add(rows, [(stream.incoming.registered.number, stream.span) for stream in streams])
            found = self._taken(keys, _fated(keys.outside()))
            for stream in streams:
                found = self._taken(keys, self._came_before(stream, source, rows, keys)) | found
        if source.latest and any(why == DUPLICATE_KEY for _, _, why in found.values()):
            raise Corrected(source.name, stage=True)
        if found:
            self.engine.register("_found", pa.table({"_row": list(found)}))
            self.engine.execute(f"CREATE OR REPLACE TEMP TABLE {taken} AS FROM _found")
            self.engine.unregister("_found")
        without = f"ANTI JOIN {taken} USING (_row)" if found else ""
        self.engine.execute(f"CREATE OR REPLACE TEMP VIEW {quote_name(source.name)} AS SELECT * FROM {rows} {without}")
        self.ledger.note([found[row] for row in sorted(found)], lasting=True)

    def pass_by(self, source: Source) -> None:
        """Forget the rows of a passing source that are there now."""
        self.engine.execute(f"DROP VIEW IF EXISTS {quote_name(source.name)}")
        self.engine.unregister(_rows_of(source))
        for table in (_rows_of(source), f"_taken_{source.name}"):
            self.engine.execute(f"DROP TABLE IF EXISTS {quote_name(table)}")

    def _hold(self, rows: pa.RecordBatchReader, source: Source) -> None:
        """Let SQL see rows by the name `_rows_of`, as often as it likes."""
        held: list[pa.RecordBatch] = []
        size = 0
        for batch in rows:
            held.append(batch)
            size += batch.nbytes
            if size > HELD_BYTES:
                with self._registered(pa.RecordBatchReader.from_batches(rows.schema, _first_of(held, rows))) as name:
                    self.engine.execute(f"CREATE OR REPLACE TEMP TABLE {quote_name(_rows_of(source))} AS FROM {name}")
                return
        self.engine.register(_rows_of(source), pa.Table.from_batches(held, rows.schema))

    def _came_before(self, stream: _Stream, source: Source, table: str, keys: Keys) -> dict[int, tuple[int, str, str]]:
        """The rows of one file whose key came before, in it or in an earlier file at hand."""
        number = stream.incoming.registered.number
        mine = f"(SELECT * FROM {table} WHERE {rows_of(number)})"
        doubled = [] if stream.grows else duplicates(self.engine, mine, source.key, self.needed[source.name])
        return {row: (row, fate, why) for row, fate, why in doubled} | _fated(keys.inside(number))

    def _taken(self, keys: Keys, found: dict[int, tuple[int, str, str]]) -> dict[int, tuple[int, str, str]]:
        """The same, when their keys are forgotten."""
        if found:
            self.engine.register("_found", pa.table({"_row": list(found)}))
            keys.take_out("SELECT _row FROM _found")
            self.engine.unregister("_found")
        return found


def _fated(found: Iterable[tuple[int, bool]]) -> dict[int, tuple[int, str, str]]:
    """What becomes of rows whose key came before (row, whether all is the same): (row, fate, reason) by row."""
    return {row: (row, REJECTED, EXACT_DUPLICATE if same else DUPLICATE_KEY) for row, same in found}


def _rows_of(source: Source) -> str:
    """The name of the rows of a passing source that are at hand, those included that came before."""
    return f"_passing_{source.name}"


def _first_of(held: list[pa.RecordBatch], rows: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The batches of a list, which are let go of one by one, and then the others."""
    while held:
        yield held.pop(0)
    yield from rows


def disjoint(spans: Sequence[Span | None]) -> bool:
    """Whether files whose keys only grow cover ranges that do not touch: then no key comes twice."""
    known = sorted(span for span in spans if span is not None)
    return len(known) == len(spans) and all(a[1] < b[0] for a, b in pairwise(known))


def duplicates(engine: Engine, table: str, key: Sequence[str], columns: Sequence[str]) -> list[tuple[int, str, str]]:
    """Rows whose key came before, in the order of row numbers, as (row, fate, reason).

    Those without a key stay; of those whose key has a gap, the ones that are the same in all that is read do not.
    """
    keys = ", ".join(quote_name(name) for name in key)
    known = " AND ".join(f"{quote_name(name)} IS NOT NULL" for name in key)
    content = ", ".join(quote_name(name) for name in columns)
    gaps = ""
    if len(key) > 1:
        some = " OR ".join(f"{quote_name(name)} IS NOT NULL" for name in key)
        gaps = f"""
            UNION ALL SELECT _row, {quote_text(REJECTED)}, {quote_text(EXACT_DUPLICATE)} FROM (
                SELECT _row, row_number() OVER (PARTITION BY {content} ORDER BY _row) AS same
                FROM {table} WHERE NOT ({known}) AND ({some})) WHERE same > 1"""
    return engine.rows(
        f"""
        WITH twice AS (SELECT {keys} FROM {table} WHERE {known} GROUP BY ALL HAVING count(*) > 1),
        rows AS (SELECT * FROM {table} SEMI JOIN twice USING ({keys})),
        ranked AS (
            SELECT _row,
                   row_number() OVER (PARTITION BY {keys} ORDER BY _row) AS place,
                   row_number() OVER (PARTITION BY {content} ORDER BY _row) AS same
            FROM rows)
        SELECT _row, {quote_text(REJECTED)},
               CASE WHEN same > 1 THEN {quote_text(EXACT_DUPLICATE)} ELSE {quote_text(DUPLICATE_KEY)} END
        FROM ranked WHERE place > 1{gaps} ORDER BY 1
        """
    )


def show_snapshot(
    engine: Engine, source: Source, columns: Sequence[str], paths: Sequence[Path], *, unique: bool
) -> list[tuple[int, str, str]]:
    """Make the view of a staged snapshot over its Parquet files; returns its duplicates (row, fate, reason).

    `unique` says that it is known already that no key comes twice.
    """
    raw = quote_name(f"_raw_{source.name}")
    _view(engine, raw, source, columns, paths)
    found = [] if unique or not source.key else duplicates(engine, raw, source.key, columns)
    engine.register("_found", pa.table({"_row": pa.array([row for row, _, _ in found], pa.int64())}))
    engine.execute(f"CREATE OR REPLACE TEMP TABLE {quote_name(f'_duplicates_{source.name}')} AS FROM _found")
    engine.unregister("_found")
    show(engine, source, "TRUE", doubled=bool(found))
    return found


def show(engine: Engine, source: Source, condition: str, *, doubled: bool = True) -> None:
    """Let SELECTs see the rows of a staged snapshot that are no duplicates and meet `condition`."""
    without = f"ANTI JOIN {quote_name(f'_duplicates_{source.name}')} USING (_row)" if doubled else ""
    engine.execute(
        f"CREATE OR REPLACE TEMP VIEW {quote_name(source.name)} AS "
        f"SELECT * FROM {quote_name(f'_raw_{source.name}')} {without} WHERE {condition}"
    )


def show_latest(
    engine: Engine, source: Source, columns: Sequence[str], paths: Sequence[Path]
) -> list[tuple[int, str, str]]:
    """Make the view of a snapshot whose rows have versions: the last version of each key, under the number of the row
    that came first. Returns the other lines (row, fate, reason), as `show_delta` does."""
    raw, deliveries = quote_name(f"_raw_{source.name}"), quote_name(f"_deliveries_{source.name}")
    keys = ", ".join(quote_name(key) for key in source.key)
    content = ", ".join(quote_name(column) for column in columns)
    number = f"TRY_CAST({quote_name(source.version)} AS HUGEINT) DESC NULLS LAST, " if source.version else ""
    version = f"TRY_CAST({quote_name(str(source.latest))} AS TIMESTAMPTZ) DESC NULLS LAST, {number}_row DESC"
    engine.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE {deliveries} AS
        WITH once AS (
            SELECT *, row_number() OVER (PARTITION BY {content} ORDER BY _row) > 1 AS again FROM {raw})
        SELECT _row AS delivered, again, FALSE AS withdraws, FALSE AS gone,
               min(_row) OVER (PARTITION BY again, {keys}) AS _row,
               row_number() OVER (PARTITION BY again, {keys} ORDER BY {version}) AS age
        FROM once;
        CREATE OR REPLACE TEMP VIEW {quote_name(source.name)} AS
        SELECT raw.* EXCLUDE (_row), d._row
        FROM {raw} raw JOIN {deliveries} d ON d.delivered = raw._row WHERE NOT d.again AND d.age = 1
        """
    )
    return engine.rows(
        f"SELECT delivered, {quote_text(REJECTED)}, "
        f"CASE WHEN again THEN {quote_text(EXACT_DUPLICATE)} ELSE {quote_text(REPLACED)} END "
        f"FROM {deliveries} WHERE again OR age > 1 ORDER BY delivered"
    )


def told_replaced(engine: Engine, source: Source, names: Mapping[int, str]) -> list[str]:
    """Sentences about the lines that a later version replaced, a few of them; `names` are those of the files."""
    deliveries = quote_name(f"_deliveries_{source.name}")
    pairs = engine.rows(
        f"SELECT o.delivered, n.delivered FROM {deliveries} o JOIN {deliveries} n ON n._row = o._row AND n.age = 1 "
        "AND NOT n.again WHERE o.age > 1 AND NOT o.again ORDER BY 1"
    )
    told = []
    for pair in pairs[:TOLD]:
        old, new = (f"{names[file]}:{line}" for file, line in map(file_and_line, pair))
        told.append(f"{source.name}: {old} is replaced by a later version of it, {new}.")
    if len(pairs) > TOLD:
        told.append(f"{source.name}: {len(pairs) - TOLD} more lines are replaced by later versions.")
    return told


def show_delta(
    engine: Engine, source: Source, columns: Sequence[str], paths: Sequence[Path]
) -> list[tuple[int, str, str]]:
    """Make the view of a delta source: the last delivered row of each key under the number of its first one.

    So identifiers stay when rows are corrected. Returns the lines that are not the row now seen, as
    (row, fate, reason); `_deliveries_<source>` keeps which line (`delivered`) each row (`_row`) now shows.
    """
    raw, name = quote_name(f"_raw_{source.name}"), quote_name(source.name)
    _view(engine, raw, source, columns, paths)
    keys = ", ".join(quote_name(key) for key in source.key)
    content = ", ".join(quote_name(column) for column in columns)
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
               CASE WHEN again THEN {quote_text(REJECTED)} ELSE {quote_text(UNUSED)} END,
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


def _view(engine: Engine, name: str, source: Source, columns: Sequence[str], paths: Sequence[Path]) -> None:
    if paths:
        engine.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS FROM read_parquet({quote_paths(paths)})")
    else:
        engine.register("_empty", arrow_schema(source, columns).empty_table())
        engine.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS FROM _empty")
        engine.unregister("_empty")
