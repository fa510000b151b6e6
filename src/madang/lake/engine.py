"""The one seam to DuckDB: every SQL statement of the house goes through an `Engine`.

DuckDB and Arrow are loaded by the first `Engine` and not with this file: what serves pages knows the engine long before
somebody asks it, and they are a third of such a process.
"""

import contextlib
import json
import re
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from madang.base.errors import Cancelled, MadangError
from madang.lake.schema import check_sql_columns

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

ROW_GROUP_ROWS = 122_880
DICTIONARY_VALUES = 5_000  # DuckDB's own limit is far higher and makes it try dictionaries for identifiers, in vain
CODECS = ("zstd", "snappy", "uncompressed")

# Names of DuckDB's errors. First match wins: subclasses stand before the classes that they belong to.
_CODES = (
    ("OutOfMemoryException", "engine.memory", "Out of memory", "Allow more memory or free space for spilling."),
    ("IOException", "engine.files", "Cannot read or write", ""),
    ("PermissionException", "engine.permission", "Not allowed here", ""),
    ("ParserException", "engine.syntax", "The SQL cannot be read", ""),
    ("CatalogException", "engine.unknown", "Unknown name", ""),
    ("BinderException", "engine.columns", "The SQL does not fit the tables", ""),
    ("ConversionException", "engine.conversion", "A value cannot be converted", ""),
    ("OutOfRangeException", "engine.conversion", "A value is out of range", ""),
    ("InvalidInputException", "engine.value", "A value is not allowed", ""),
    ("Error", "engine.failed", "The query failed", ""),
)
_KIND = re.compile(r"^[A-Z][A-Za-z ]* Error: ")

Parameters = Sequence[object] | Mapping[str, object] | None


def quote_name(name: str) -> str:
    """`name` as an SQL identifier, whatever it holds."""
    return '"' + name.replace('"', '""') + '"'


def quote_text(text: str) -> str:
    """`text` as an SQL string literal, whatever it holds."""
    return "'" + text.replace("'", "''") + "'"


def quote_paths(paths: Iterable[Path | str]) -> str:
    """`paths` as an SQL list of string literals."""
    return "[" + ", ".join(quote_text(str(path)) for path in paths) + "]"


class Engine:
    """A DuckDB connection with limits, without network and without extensions from outside.

    `memory_limit` is in bytes or a text such as `"4GB"`; `threads` is a number of threads; `spill` is the folder for
    what does not fit in memory (without one, nothing spills unless `database` is given); `database` is the file of a
    scratch database on disk, so that temporary tables need no memory. Use one engine from one thread at a time; only
    `cancel` may be called from another thread.
    """

    def __init__(
        self,
        memory_limit: int | str | None = None,
        threads: int | None = None,
        spill: Path | None = None,
        database: Path | None = None,
        preserve_insertion_order: bool = False,
    ) -> None:
        import duckdb

        settings: dict[str, str | bool | int | float | list[str]] = {
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "python_enable_replacements": False,  # a table in SQL is never a variable of the caller
            "preserve_insertion_order": preserve_insertion_order,
        }
        if memory_limit is not None:
            settings["memory_limit"] = f"{memory_limit // 1024}KiB" if isinstance(memory_limit, int) else memory_limit
        if threads is not None:
            settings["threads"] = threads
        if spill is not None:
            settings["temp_directory"] = str(spill)
        elif database is None:
            settings["temp_directory"] = ""
        with _sentences():
            self._connection = duckdb.connect(str(database) if database else ":memory:", config=settings)
            self._connection.execute("SET enable_progress_bar = false; SET TimeZone = 'UTC'")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give back memory and files; the engine cannot be used afterwards."""
        self._connection.close()

    def execute(self, sql: str, params: Parameters = None) -> None:
        """Run one or more statements."""
        with _sentences():
            self._connection.execute(sql, params) if params else self._connection.execute(sql)

    def query(self, sql: str, params: Parameters = None) -> "pa.Table":
        """The result of a SELECT, in memory."""
        with _sentences():
            return self._relation(sql, params).to_arrow_table()

    def rows(self, sql: str, params: Parameters = None) -> list[tuple[Any, ...]]:
        """The result of a SELECT as a list of tuples of Python values."""
        with _sentences():
            return self._run(sql, params).fetchall()

    def value(self, sql: str, params: Parameters = None) -> Any:
        """The first column of the first row of a SELECT; None where there is no row."""
        with _sentences():  # to the end: an unfinished result would block what comes next
            rows = self._run(sql, params).fetchmany(2)
            self._connection.fetchall()
        return rows[0][0] if rows else None

    def batches(self, sql: str, params: Parameters = None, rows: int = ROW_GROUP_ROWS) -> "Iterator[pa.RecordBatch]":
        """The result of a SELECT as a stream of batches of about `rows` rows; at least one, so columns are known.

        The stream must be read to its end or dropped before the engine is used again.
        """
        import pyarrow as pa

        with _sentences():
            reader = self._relation(sql, params).to_arrow_reader(rows)
            batch = next(reader, None)
            if batch is None:
                yield pa.RecordBatch.from_pylist([], schema=reader.schema)
            while batch is not None:
                yield batch
                batch = next(reader, None)

    def _run(self, sql: str, params: Parameters) -> "duckdb.DuckDBPyConnection":
        return self._connection.execute(sql, params) if params else self._connection.execute(sql)

    def _relation(self, sql: str, params: Parameters) -> "duckdb.DuckDBPyRelation":
        """A SELECT whose result goes to Arrow without a copy of the rows."""
        relation = self._connection.sql(sql, params=params) if params else self._connection.sql(sql)
        if relation is None:
            raise MadangError("engine.select_only", "Only a SELECT gives rows.")
        return relation

    def register(self, name: str, data: object) -> None:
        """Make an Arrow table, record batch reader or dataset a view called `name`."""
        with _sentences():
            self._connection.register(name, data)

    def unregister(self, name: str) -> None:
        """Forget what was registered as `name`; nothing happens if there is no such view."""
        with _sentences():
            self._connection.unregister(name)

    def describe(self, sql: str, params: Parameters = None) -> list[tuple[str, str]]:
        """Names and SQL types of the columns that a SELECT would give, without running it."""
        with _sentences():
            return [(row[0], row[1]) for row in self._run(f"DESCRIBE {sql}", params).fetchall()]

    def copy_to_parquet(
        self, sql: str, path: Path, *, codec: str = "zstd", row_group_size: int = ROW_GROUP_ROWS
    ) -> int:
        """Write the result of a SELECT to one Parquet file and return its number of rows.

        Columns of types that Spark does not read from Parquet (and that DuckDB would silently change, as HUGEINT to
        DOUBLE) are refused before anything runs. A file that could not be finished is removed.
        """
        if codec not in CODECS:
            raise MadangError("engine.codec", f"Unknown codec {codec!r}.", f"Use one of {', '.join(CODECS)}.")
        check_sql_columns(self.describe(sql))
        options = (
            f"FORMAT parquet, COMPRESSION {codec}, ROW_GROUP_SIZE {int(row_group_size)}, "
            f"DICTIONARY_SIZE_LIMIT {DICTIONARY_VALUES}"
        )
        try:
            return int(self.value(f"COPY ({sql}) TO {quote_text(str(path))} ({options})"))
        except BaseException:
            with contextlib.suppress(OSError):  # why it could not be finished is what has to be heard
                path.unlink(missing_ok=True)
            raise

    def parse(self, sql: str) -> dict[str, Any]:
        """The syntax tree of one or more SELECTs: `{"statements": [...]}`. Anything but a SELECT is refused."""
        with _sentences():
            answer: dict[str, Any] = json.loads(self.value("SELECT json_serialize_sql(?)", [sql]))
        if not answer.pop("error"):
            return answer
        message = str(answer.get("error_message", "")).rstrip(".!")
        if answer.get("error_type") == "not implemented":
            raise MadangError("engine.select_only", "Only SELECT statements are accepted here.", "Begin with SELECT.")
        if answer.get("error_type") == "out of memory":
            raise MadangError("engine.memory", "Reading the SQL needs more memory than is allowed.", "Nest it less.")
        position = answer.get("position")
        where = f" in line {sql.count(chr(10), 0, int(position)) + 1}" if position else ""
        raise MadangError("engine.syntax", f"The SQL cannot be read{where}: {message}.")

    def one_select(self, sql: str) -> str:
        """The one SELECT of a text, without semicolons and comments around it, so that it fits into brackets.

        Errors: `engine.select_only` if it is not one, `engine.syntax` if it cannot be read.
        """
        import duckdb

        written = sql.encode()
        tokens = [
            (place, b"--" if kind == duckdb.token_type.comment else written[place : place + 1])
            for place, kind in duckdb.tokenize(sql)
        ]
        # The parser, which goes 1,000 deep, looks for the ends of missing brackets in a time that grows with the
        # square of their number.
        if max(accumulate((sign == b"(") - (sign == b")") for _place, sign in tokens), default=0) > 1_000:
            raise MadangError("engine.syntax", "The SQL is nested more than 1,000 deep.", "Nest it less.")
        if len(self.parse(sql)["statements"]) != 1:
            raise MadangError("engine.select_only", "Exactly one SELECT is accepted.", "Begin with SELECT.")
        own = [number for number, (_place, sign) in enumerate(tokens) if sign not in (b"--", b";")]
        ends = [place for place, _sign in tokens[own[-1] + 1 :]] or [len(written)]
        return written[tokens[own[0]][0] : ends[0]].decode().rstrip()

    def unparse(self, tree: Mapping[str, Any]) -> str:
        """The SQL of a syntax tree made by `parse`, changed or not."""
        with _sentences():
            return str(self.value("SELECT json_deserialize_sql(?::JSON)", [json.dumps({"error": False, **tree})]))

    def confine(self, paths: Iterable[Path]) -> None:
        """From now on let SQL read only these files, write none, and change no setting. Cannot be undone."""
        self.execute(
            f"SET allowed_paths = {quote_paths(paths)}; SET enable_external_access = false; "
            "SET lock_configuration = true"
        )

    def cancel(self) -> None:
        """Stop the running statement from another thread; it raises `Cancelled` there."""
        self._connection.interrupt()

    @contextlib.contextmanager
    def within(self, seconds: float | None, late: MadangError) -> Iterator[None]:
        """Have what the block does stopped after so many seconds, and raise `late` then; None: no limit."""
        is_late = threading.Event()

        def stop() -> None:
            is_late.set()
            self.cancel()

        timer = threading.Timer(seconds or 0, stop)
        timer.daemon = True
        if seconds is not None:
            timer.start()
        try:
            yield
        except Cancelled:
            if not is_late.is_set():
                raise
            raise late from None
        finally:
            timer.cancel()


class _sentences(contextlib.AbstractContextManager[None]):
    """Turns DuckDB's errors into `MadangError`."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            return
        import duckdb

        if isinstance(error, duckdb.InterruptException):
            raise Cancelled() from None
        if isinstance(error, duckdb.Error):
            raise _explain(error) from None
        if isinstance(error, OSError) and _KIND.match(str(error)):  # DuckDB's error seen through an Arrow stream
            raise Cancelled() if "INTERRUPT" in str(error) else _explain(duckdb.Error(str(error)))
        if isinstance(error, RuntimeError) and "interrupt" in str(error).lower():
            raise Cancelled() from None


def _explain(error: "duckdb.Error") -> MadangError:
    """One sentence for what DuckDB says in several lines: the first line is the fault, the next may be a hint."""
    import duckdb

    lines = [line.strip() for line in _KIND.sub("", str(error)).splitlines()]
    if lines and lines[0].startswith("CSV Error"):  # the line itself is left out: it holds data
        lines[0] += "".join(f": {after}" for line, after in pairwise(lines) if line.startswith("Original Line"))
    text = lines[0].rstrip(".!") if lines else type(error).__name__
    hint = next((line for line in lines[1:] if line.startswith(("Did you mean", "Candidate"))), "")
    if "No space left" in str(error) or "max_temp_directory_size" in str(error):
        return MadangError("engine.disk_full", f"The disk is full: {text}.", "Free some space and run it again.")
    for kind, code, start, advice in _CODES:
        if isinstance(error, getattr(duckdb, kind)):
            return MadangError(code, f"{start}: {text}.", hint or advice)
    raise AssertionError("duckdb.Error is the last entry")
