"""Asking Spark: its process in an environment of its own, over a pipe of JSON lines.

Not Spark Connect: that needs a server and gRPC in our environment, and one reader with one pipe is all that is needed.
The driver (`driver.py`) knows nothing of Madang; when we go, its input ends and so does it. Nothing that Spark does
writes to the lake, so whoever is killed on the way leaves nothing half done.
"""

import contextlib
import datetime
import decimal
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa

from madang.base.errors import Cancelled, MadangError
from madang.base.translate import _
from madang.lake.dataset import Version
from madang.lake.spark.grouping import grouped
from madang.lake.spark.translate import to_spark

VERSION = "4.3"  # of Spark, whose answers were proved equal
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

    Errors: `spark.no_java`, `spark.no_environment`, `spark.start`, `spark.other_version`, those of questions.
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
        java = shutil.which("java") or os.environ.get("JAVA_HOME")
        if not java:
            raise MadangError(
                "spark.no_java", _("Spark needs Java 17, and there is none."), _("Install openjdk-17-jre-headless.")
            )
        self._command = [str(python), str(_DRIVER), master, memory, str(threads or os.cpu_count() or 1)]
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()
        self._cancelled = False

    def __enter__(self) -> Self:
        environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
        environment |= {"TZ": "UTC", "PYSPARK_PYTHON": self._command[0], "LC_ALL": "C.UTF-8"}
        if self._command[2].startswith("local"):
            environment["SPARK_LOCAL_IP"] = "127.0.0.1"
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            env=environment,
            start_new_session=True,
        )
        told = self._answer()
        if "error" in told:
            self._end()
            raise MadangError("spark.start", _("Spark does not start: {reason}.").format(reason=_short(told["error"])))
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

    def cancel(self) -> None:
        """Stop what runs; may be called from another thread."""
        self._cancelled = True
        if self._process is not None:
            self._process.kill()

    def attach(self, *versions: Version) -> None:
        """Have the tables of these versions as views, over exactly the files that their manifests name.

        Errors: `spark.file` where one of them is not there.
        """
        tables: dict[str, list[str]] = {}
        schemas: dict[str, str] = {}
        for version in versions:
            for name, table in version.tables.items():
                lost = [path for path in table.paths if not path.is_file()]
                if lost:
                    raise MadangError(
                        "spark.file",
                        _("{file} of {version} is not there.").format(file=lost[0].name, version=version.name),
                        _("Restore it from a backup."),
                    )
                if table.paths:
                    tables[name] = [str(path) for path in table.paths]
                    schemas[name] = _schema(table.schema)
        self.open(tables, schemas)

    def open(self, tables: Mapping[str, Sequence[str]], schemas: Mapping[str, str] | None = None) -> None:
        """Views of these names over these Parquet files; `schemas` as Spark writes them, empty: to be found out."""
        self._ask({"op": "open", "tables": tables, "schemas": schemas or {}})

    def rows(self, sql: str, limit: int | None = None) -> list[list[Any]]:
        """All rows of one SELECT in DuckDB's SQL. Errors: `spark.subset`, `spark.failed`, `spark.lost`."""
        return self.query(sql, limit)[1]

    def value(self, sql: str) -> Any:
        """The one value of a SELECT."""
        return self.rows(sql)[0][0]

    def query(self, sql: str, limit: int | None = None) -> tuple[list[str], list[list[Any]]]:
        """Names of columns, and rows."""
        return self.query_as_it_is(to_spark(sql), limit)

    def query_as_it_is(self, sql: str, limit: int | None = None) -> tuple[list[str], list[list[Any]]]:
        """The same, of a SELECT that is in Spark's own SQL already."""
        told = self._ask({"op": "rows", "sql": sql, "limit": limit})
        return list(told["columns"]), [[_value(each) for each in row] for row in told["ok"]]

    def batches(self, sql: str, limit: int | None = None, seconds: float | None = None) -> Iterator[pa.RecordBatch]:
        """The rows as Arrow, for whoever takes those of the first engine; ends after `seconds` with `sql.time`."""
        timer = threading.Timer(seconds, self.cancel) if seconds is not None else None
        if timer is not None:
            timer.daemon = True
            timer.start()
        try:
            names, rows = self.query(sql, limit)
        except Cancelled:
            raise MadangError(
                "sql.time",
                _("Stopped after {seconds:g} seconds.").format(seconds=seconds or 0),
                _("Give more --seconds."),
            ) from None
        finally:
            if timer is not None:
                timer.cancel()
        columns = [pa.array([row[place] for row in rows]) for place in range(len(names))]
        yield pa.RecordBatch.from_arrays(columns, names=names)

    def make(self, name: str, sql: str, *, keep: bool) -> None:
        """Call a SELECT in Spark's own SQL a view; with `keep`, its rows stay with Spark once they are worked out.

        A view that it reads may have the same name: it is the one that was there before.
        """
        self._ask({"op": "make", "name": name, "sql": sql, "keep": keep})

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
        """The rows of one SELECT that asks all of `asked`; where that fails, none, and each is asked by itself."""
        try:
            return list(self._ask({"op": "rows", "sql": sql})["ok"])
        except MadangError as error:
            if error.code != "spark.failed":
                raise
        for name, question in asked.items():
            try:
                value = self.value(question)
                found[name] = None if value is None else int(value)
            except MadangError as error:
                if error.code != "spark.failed":
                    raise
                found[name] = error
        return []

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            if self._process is None or self._process.stdin is None:
                raise _lost()
            try:
                self._process.stdin.write(json.dumps(question) + "\n")
                self._process.stdin.flush()
            except OSError:
                raise Cancelled() if self._cancelled else _lost() from None
            told = self._answer()
        if told.get("stopped") or "OutOfMemoryError" in told.get("error", ""):
            raise MadangError(
                "spark.stopped",
                _("Spark stopped: {reason}.").format(reason=_short(told["error"])),
                _("Mostly it lacks memory: give it more by [spark] memory. Nothing was written."),
            )
        if "error" in told:
            raise MadangError("spark.failed", _("Spark says: {reason}.").format(reason=_short(told["error"])))
        return told

    def _answer(self) -> dict[str, Any]:
        assert self._process is not None and self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise Cancelled() if self._cancelled else _lost()
        told: dict[str, Any] = json.loads(line)
        return told


_TYPES = {
    **{name: name for name in ("BIGINT", "SMALLINT", "TINYINT", "DOUBLE", "FLOAT", "DATE", "BOOLEAN")},
    **{"INTEGER": "INT", "VARCHAR": "STRING", "BLOB": "BINARY", "TIMESTAMP": "TIMESTAMP_NTZ"},
}


def _schema(columns: Iterable[Sequence[str]]) -> str:
    """The schema of a table as Spark writes it; empty where a type is not among those that both know by heart."""
    told = []
    for name, kind in columns:
        known = kind if kind.startswith("DECIMAL(") else _TYPES.get(kind)
        if known is None:
            return ""
        quoted = name.replace("`", "``")
        told.append(f"`{quoted}` {known}")
    return ", ".join(told)


def _chunks(items: Sequence[Any], size: int) -> list[Sequence[Any]]:
    return [items[place : place + size] for place in range(0, len(items), size)]


def _value(value: Any) -> Any:
    if isinstance(value, dict):
        kind, text = next(iter(value.items()))
        if kind == "date":
            return datetime.date.fromisoformat(text)
        if kind == "timestamp":
            return datetime.datetime.fromisoformat(text)
        if kind == "decimal":
            return decimal.Decimal(text)
        if kind == "double":
            return float(text)
        if kind == "blob":
            return bytes.fromhex(text)
    return value


def _short(text: str) -> str:
    return " ".join(text.split())[:300].rstrip(".")


def _lost() -> MadangError:
    return MadangError("spark.lost", _("Spark's process is gone."), _("Nothing was written; ask again."))
