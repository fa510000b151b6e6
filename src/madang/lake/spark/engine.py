"""Asking Spark: its process in an environment of its own, over a pipe of JSON lines.

Not Spark Connect: that needs a server and gRPC in our environment, and one reader with one pipe is all that is needed.
The driver (`driver.py`) knows nothing of Madang; when we go, its input ends and so does it. Nothing that Spark does
writes to the lake, so whoever is killed on the way leaves nothing half done.
"""

import contextlib
import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import pyarrow as pa

from madang.base.errors import Cancelled, MadangError
from madang.base.translate import _
from madang.lake.dataset import Version
from madang.lake.spark.asked import Asked, check_texts, check_there
from madang.lake.spark.faults import OF_A_QUESTION, check_java, explained, lost, not_started
from madang.lake.spark.grouping import grouped
from madang.lake.spark.translate import to_spark
from madang.lake.spark.values import Found, as_said, check_kinds, schema_of, value_of

VERSION = "4.3"  # of Spark, whose answers were proved equal
# What would have another Spark than that of our environment started, or ours in another way.
_NOT_OURS = ("PYTHONPATH", "PYTHONHOME", "SPARK_HOME", "SPARK_REMOTE", "SPARK_API_MODE", "SPARK_CONNECT", "PYSPARK_")
_DRIVER = Path(__file__).with_name("driver.py")


def installed() -> Path:
    """The Python of the environment with Spark, which `script/environment spark` makes (it need not be there)."""
    folder = Path(os.environ.get("MADANG_ENVIRONMENTS", ".environments"))
    if not folder.is_absolute():
        folder = Path(__file__).resolve().parents[4] / folder  # beside the sources, as the script has it
    return folder / "spark" / "bin" / "python"


class SparkEngine:
    """A Spark session that sees the tables of versions. `python` is that of the environment with pyspark, `master`
    `local[*]`, `spark://host:7077` or what else Spark knows.

    Errors: `spark.no_java`, `spark.java`, `spark.no_environment`, `spark.start`, `spark.other_version`, and of what is
    asked `spark.subset`, `spark.value` (a value cannot be converted), `spark.failed` (it cannot be asked so),
    `spark.file` (a file cannot be read), `spark.job` (it could not be worked out), `spark.stopped`, `spark.lost`.
    """

    def __init__(
        self, python: Path | None = None, *, master: str = "local[*]", memory: str = "4g", threads: int | None = None
    ) -> None:
        python = python or installed()
        if not python.exists():
            raise MadangError(
                "spark.no_environment",
                _("Spark is not installed here."),
                _("Run `script/environment spark`, which puts it into an environment of its own."),
            )
        check_java()
        self._command = [str(python), str(_DRIVER), master, memory, str(threads or os.cpu_count() or 1)]
        self._process: subprocess.Popen[str] | None = None
        self._room: tempfile.TemporaryDirectory[str] | None = None
        self._said: IO[bytes] | None = None
        self._lock = threading.Lock()
        self._cancelled = False

    def __enter__(self) -> Self:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_OURS)}
        environment |= {"TZ": "UTC", "PYSPARK_PYTHON": self._command[0], "LC_ALL": "C.UTF-8"}
        if self._command[2].startswith("local"):
            environment["SPARK_LOCAL_IP"] = "127.0.0.1"
        # Rows that do not fit in memory lie there: Spark's own folders could be read by everybody on this machine.
        self._room = tempfile.TemporaryDirectory(prefix="madang-spark-", ignore_cleanup_errors=True)
        environment["SPARK_LOCAL_DIRS"] = self._room.name
        self._said = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            encoding="utf-8",
            env=environment,
            start_new_session=True,
        )
        try:
            told = self._answer()
        except MadangError as error:
            reason = self._last_words()
            self._end()
            if error.code == "spark.lost" and reason:
                raise not_started(reason, self._command[2], VERSION) from None
            raise
        if "error" in told:
            reason = (
                told["error"] if told["condition"] != "JAVA_GATEWAY_EXITED" else self._last_words() or told["error"]
            )
            self._end()
            raise not_started(reason, self._command[2], VERSION)
        if not str(told.get("version", "")).startswith(VERSION):
            self._end()
            raise MadangError(
                "spark.other_version",
                _("This is Spark {found}; answers are proved equal for {wanted} only.").format(
                    found=told.get("version"), wanted=VERSION
                ),
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        if self._process is None:
            return
        process, self._process = self._process, None
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):  # what was to be said to a process that is gone
                    stream.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if self._said is not None and self._room is not None:
            self._said.close()
            self._room.cleanup()

    def _last_words(self) -> str:
        """The last line that looks like a reason of what Spark and Java have printed."""
        if self._said is None:
            return ""
        self._said.seek(0)
        lines = self._said.read()[-20_000:].decode("utf-8", errors="replace").splitlines()
        telling = [line.strip() for line in lines if "rror" in line or "xception" in line or "nvalid" in line]
        return (telling or [line.strip() for line in lines if line.strip()] or [""])[-1]

    def cancel(self) -> None:
        """Stop what runs; may be called from another thread."""
        self._cancelled = True
        if self._process is not None:
            self._process.kill()

    def attach(self, *versions: Version) -> None:
        """Have the tables of these versions as views, over exactly the files that their manifests name.

        Errors: `spark.file` where one of them is not there, `spark.type` where a column is not proved to be the same.
        """
        tables: dict[str, list[str]] = {}
        schemas: dict[str, str] = {}
        for version in versions:
            check_there(version)
            for name, table in version.tables.items():
                _check_types(name, table.schema)
                if table.paths:
                    tables[name] = [str(path) for path in table.paths]
                    schemas[name] = schema_of(table.schema)
        self.open(tables, schemas)

    def open(self, tables: Mapping[str, Sequence[str]], schemas: Mapping[str, str] | None = None) -> None:
        """Views of these names over these Parquet files; `schemas` as Spark writes them, empty: to be found out."""
        self._ask({"op": "open", "tables": tables, "schemas": schemas or {}})

    def rows(self, sql: str, limit: int | None = None) -> list[list[Any]]:
        """All rows of one SELECT in DuckDB's SQL. Errors: `spark.subset`, `spark.failed`, `spark.lost`."""
        return self.query(sql, limit).rows

    def value(self, sql: str) -> Any:
        """The one value of a SELECT."""
        return self.rows(sql)[0][0]

    def query(self, sql: str, limit: int | None = None) -> Found:
        """The same with the names and types of its columns."""
        return self.query_as_it_is(to_spark(sql), limit)

    def query_as_it_is(self, sql: str, limit: int | None = None) -> Found:
        """The same, of a SELECT that is in Spark's own SQL already."""
        told = self._ask({"op": "rows", "sql": sql, "limit": limit})
        columns = list(zip(told["columns"], told["types"], strict=True))
        return Found(columns, [[value_of(each) for each in row] for row in told["ok"]])

    def table(self, question: Asked, limit: int | None = None) -> pa.Table:
        """The rows of what somebody asked, with the names and types that the first engine gives them.

        Errors: `spark.subset` where a text is made a number or a time, or a floating number a text, also where that is
        not written (our own questions do so only where it is proved), and where a column has another type; this before
        anything runs. Also where it is open which rows are asked for.
        """
        told = self._ask({"op": "look", "sql": question.sql})
        check_texts(told["texts"])
        check_kinds(question.schema, told["ok"])
        found = self.query_as_it_is(question.sql, limit)
        return as_said(question.schema, found.columns, question.rows(found.rows))

    def batches(
        self, question: Asked | str, limit: int | None = None, seconds: float | None = None
    ) -> Iterator[pa.RecordBatch]:
        """The rows of what somebody asked, or of one of our own SELECTs (with the types of Spark), as batches.

        Ends after `seconds` with `sql.time`.
        """
        timer = threading.Timer(seconds, self.cancel) if seconds is not None else None
        if timer is not None:
            timer.daemon = True
            timer.start()
        try:
            if isinstance(question, str):
                found = self.query(question, limit).table()
            else:
                found = self.table(question, limit)
        except Cancelled:
            raise MadangError(
                "sql.time",
                _("Stopped after {seconds:g} seconds.").format(seconds=seconds or 0),
                _("Give more --seconds."),
            ) from None
        finally:
            if timer is not None:
                timer.cancel()
        yield from found.to_batches() or [pa.RecordBatch.from_pylist([], schema=found.schema)]

    def make(self, name: str, sql: str, *, keep: bool, more: bool = False) -> None:
        """Call a SELECT in Spark's own SQL a view; with `keep`, its rows stay with Spark once they are worked out.

        A view that it reads may have the same name: it is the one that was there before. With `more`, its rows are
        those that the view has already, and these.
        """
        self._ask({"op": "make", "name": name, "sql": sql, "keep": keep, "more": more})

    def drop(self, names: Iterable[str]) -> None:
        """Have these views no more, nor their rows; nothing happens where there is none."""
        self._ask({"op": "drop", "names": list(names)})

    def counts(
        self, questions: Mapping[str, str], told: Callable[[int], None] | None = None
    ) -> dict[str, int | MadangError | None]:
        """The one number of each of many SELECTs, asked together; None where it is null, the error where it fails.

        Questions about one table are asked in one reading of it, also those whether there is a row in another table;
        see `grouped`. `told` is called with how many more have been answered.
        """
        told = told or (lambda _count: None)
        found: dict[str, int | MadangError | None] = {}
        readings, rest = grouped(questions)
        for reading in readings:
            asked = {name: questions[name] for names in reading.names for name in names}
            for values in self._together(reading.sql, asked, found):
                for names, value in zip(reading.names, values, strict=True):
                    found |= dict.fromkeys(names, int(value))
            told(len(asked))
        for few in _chunks(list(rest.items()), 24):
            texts = [f"SELECT {n} AS n, ({text}) AS v" for n, (text, _names) in enumerate(few)]
            asked = {name: questions[name] for _text, names in few for name in names}
            for n, value in self._together(" UNION ALL ".join(texts), asked, found):
                found |= dict.fromkeys(few[n][1], None if value is None else int(value))
            told(len(asked))
        return found

    def _together(
        self, sql: str, asked: Mapping[str, str], found: dict[str, int | MadangError | None]
    ) -> list[list[Any]]:
        """The rows of one SELECT that asks all of `asked`; where one of them fails, none, and each is asked by itself.

        A failure that has nothing to do with the questions ends them all.
        """
        try:
            return list(self._ask({"op": "rows", "sql": sql})["ok"])
        except MadangError as error:
            if error.code not in OF_A_QUESTION:
                raise
        for name, question in asked.items():
            try:
                value = self.value(question)
                found[name] = None if value is None else int(value)
            except MadangError as error:
                if error.code not in OF_A_QUESTION:
                    raise
                found[name] = error
        return []

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            if self._process is None or self._process.stdin is None:
                raise lost()
            try:
                self._process.stdin.write(json.dumps(question) + "\n")
                self._process.stdin.flush()
            except OSError:
                raise Cancelled() if self._cancelled else lost() from None
            told = self._answer()
        if "error" in told:
            raise explained(told)
        return told

    def _answer(self) -> dict[str, Any]:
        assert self._process is not None and self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise Cancelled() if self._cancelled else lost()
        told: dict[str, Any] = json.loads(line)
        return told


def _chunks(items: Sequence[Any], size: int) -> list[Sequence[Any]]:
    return [items[place : place + size] for place in range(0, len(items), size)]


def _check_types(table: str, columns: Iterable[Sequence[str]]) -> None:
    """Raise `spark.type` where a column is of a type that is not proved to be the same."""
    for column, kind in columns:
        if kind in ("FLOAT", "REAL"):
            message = _("{column} of {table} is a number of 32 bits, which Spark compares in another way.")
            hint = _("Ask on one machine: leave --engine spark out.")
            raise MadangError("spark.type", message.format(column=column, table=table), hint)
