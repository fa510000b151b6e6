"""One SELECT of somebody over one version, answered in a closed process that sees nothing but that version."""

import json
import signal
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake import Table, Version
from madang.node import closed

_ROOM = 2 << 30  # bytes that DuckDB and Python reserve besides what the engine may fill
_LONGEST = 100_000  # characters of a question
_AT_ONCE = 2
# Each file is shown to the closed process by itself, which takes a time that grows with the square of their number:
# 0.2 s for 200, 2 s for 1,000.
_FILES = 200  # of more than these only the tables that a question names are shown
_MOST_FILES = 1_000
_STARVED = (128 + signal.SIGKILL, 128 + signal.SIGABRT)  # how a process ends that could not say it lacks memory
_places = threading.BoundedSemaphore(_AT_ONCE)


@dataclass(frozen=True)
class Limits:
    """What one question may use: `memory` and `size` (of the answer) in bytes, `seconds` of wall time."""

    rows: int = 10_000
    size: int = 16 << 20
    seconds: float = 20
    memory: int = 1 << 30


@dataclass(frozen=True)
class Answer:
    """What came out: `columns` as (name, SQL type), `rows` of JSON values, whether there were more, and `seconds`."""

    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[Any, ...], ...]
    is_cut: bool
    seconds: float


def ask(version: Version, sql: str, *, limits: Limits = Limits()) -> Answer:
    """The answer to one SELECT over the open tables of `version`.

    Errors: `ask.one_select`, `ask.refused`, `ask.time`, `ask.memory`, `ask.too_much`, `ask.too_many_files`,
    `ask.failed`, `ask.busy`, `closed.missing`.
    """
    if len(sql) > _LONGEST or "\0" in sql:
        raise MadangError("ask.refused", _("The question is too long or not text."), _("Ask a shorter question."))
    if not _places.acquire(blocking=False):
        raise MadangError("ask.busy", _("Others are asking just now."), _("Try again in a moment."))
    try:
        start = time.monotonic()
        said = _said(version, sql, limits)
    finally:
        _places.release()
    if "code" in said:
        raise MadangError(said["code"], said["message"], said["hint"])
    columns = tuple((name, kind) for name, kind in said["columns"])
    return Answer(columns, tuple(map(tuple, said["rows"])), said["is_cut"], time.monotonic() - start)


def _said(version: Version, sql: str, limits: Limits) -> dict[str, Any]:
    files: dict[str, Path] = {}
    tables: dict[str, list[str]] = {}
    for name, table in _shown(version, sql).items():  # under names of their own: SQL can see them
        inside = {f"/data/{len(files) + number}.parquet": path for number, path in enumerate(table.paths)}
        tables[name] = list(inside)
        files |= inside
    question = {"sql": sql, "tables": tables, "rows": limits.rows, "size": limits.size, "memory": limits.memory}
    memory = limits.memory + _ROOM
    box = closed.Box(closed.Limits(limits.seconds, memory, limits.size + 1024, address=memory), read=files)
    given = json.dumps(question).encode()  # in ASCII: a lone surrogate stays readable
    try:
        ended = box.run([box.python, "-P", "-s", "-m", "madang.services.catalog.asking.child"], given)
    except MadangError as error:
        if error.code == "closed.time":
            hint = _("Ask for less, or for fewer tables at once.")
            raise MadangError("ask.time", error.message, hint) from None
        if error.code == "closed.output":
            raise _too_much() from None
        if error.code == "closed.memory":
            raise _memory() from None
        raise
    if ended.code in _STARVED or any(word in ended.errors for word in (b"MemoryError", b"bad_alloc")):
        raise _memory()
    if ended.code:
        hint = _("Ask it in another way.")
        raise MadangError("ask.failed", _("The process that was to answer ended before it did."), hint)
    said: dict[str, Any] = json.loads(ended.output)
    if said.get("code") == "ask.memory":
        raise _memory()
    if said.get("code") == "ask.too_much":
        raise _too_much()
    if said.get("code") == "ask.one_select":
        raise MadangError("ask.one_select", _("Exactly one SELECT is accepted."), _("Begin with SELECT."))
    return said


def _shown(version: Version, sql: str) -> Mapping[str, Table]:
    """The tables that the closed process gets to see."""
    if sum(len(table.paths) for table in version.tables.values()) <= _FILES:
        return version.tables
    said = sql.casefold()
    named = {n: table for n, table in version.tables.items() if n.replace('"', '""').casefold() in said}
    count = sum(len(table.paths) for table in named.values())
    if count > _MOST_FILES:
        raise MadangError(
            "ask.too_many_files",
            _("The tables of this question have {count} files; {most} can be opened.").format(
                count=count, most=_MOST_FILES
            ),
            _("Ask for fewer tables at once, or download them."),
        )
    return named


def _memory() -> MadangError:
    return MadangError("ask.memory", _("The question needs more memory than is allowed."), _("Ask for less."))


def _too_much() -> MadangError:
    return MadangError("ask.too_much", _("The answer is too large."), _("Choose fewer columns, or count."))
