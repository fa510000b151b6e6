"""Delta logs over a dataset's files, for Spark, Trino and other outside readers.

A projection, never the truth: made after the commit, repaired at the next open, rebuilt where somebody else changed
it. Every table has exactly one Delta version per dataset version, so Delta version 7 of each table is version 7 of
the dataset (version 0 only says which columns there are). Written by the public protocol of Delta
(https://github.com/delta-io/delta/blob/master/PROTOCOL.md) as plain JSON commits, whose bytes follow from the
manifests alone: two processes that repair at once write the same files.
"""

import json
import shutil
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from madang.lake.files import make_folder, put_if_absent
from madang.lake.manifest import Table
from madang.lake.schema import Column

LOG = "_delta_log"
ENGINE = "madang"
_TYPES = {
    "BOOLEAN": "boolean",
    "TINYINT": "byte",
    "SMALLINT": "short",
    "INTEGER": "integer",
    "BIGINT": "long",
    "FLOAT": "float",
    "DOUBLE": "double",
    "VARCHAR": "string",
    "BLOB": "binary",
    "DATE": "date",
    "TIMESTAMP": "timestamp_ntz",
    "TIMESTAMP WITH TIME ZONE": "timestamp",
}

Action = dict[str, Any]
Load = Callable[[int], tuple[str, Mapping[str, Table] | None]]  # version -> (time, tables; None where it was removed)


@dataclass
class _Log:
    """What the commits up to now say."""

    last: int = -1
    files: set[str] = field(default_factory=set)
    schema: str = ""


def is_current(folder: Path, newest: int, tables: Iterable[str]) -> bool:
    """Whether every log in the dataset's `folder`, those of `tables` above all, ends at version `newest`.

    Only looks whether the commits are there.
    """
    logs = {folder / name / LOG for name in tables} | set(folder.glob(f"[!_]*/{LOG}"))
    return all(_commit_path(log, newest).exists() and not _commit_path(log, newest + 1).exists() for log in logs)


def project(folder: Path, newest: int, load: Load) -> None:
    """Bring the logs of all tables in the dataset's `folder` up to version `newest`."""
    history = {number: load(number) for number in range(1, newest + 1)}
    names = {path.parent.name for path in folder.glob(f"[!_]*/{LOG}")}
    names |= {name for _, tables in history.values() for name in tables or {}}
    for name in sorted(names):
        if not _extend(folder / name, newest, history):
            shutil.rmtree(folder / name / LOG, ignore_errors=True)
            _extend(folder / name, newest, history)


def matches(table: Table, number: int) -> bool:
    """Whether the log of `table` says at version `number` what the manifest says."""
    log = _replay(table.folder / LOG)
    return log is not None and log.last == number and log.files == {file.name for file in table.files}


def _extend(folder: Path, newest: int, history: Mapping[int, tuple[str, Mapping[str, Table] | None]]) -> bool:
    """Write the missing commits of one table; False if the log is not ours any more and must be made anew."""
    log = _replay(folder / LOG)
    if log is None or log.last > newest:
        return False
    name = folder.name
    if log.last < 0:
        first = next(((time, tables[name]) for time, tables in history.values() if tables and name in tables), None)
        if first is None:
            return True  # no version that is left has this table
        make_folder(folder / LOG, 0o755)
        _commit(log, folder, 0, first[0], _columns(log, first[1].schema, first[0], folder))
    for number in range(log.last + 1, newest + 1):
        time, tables = history[number]
        actions: list[Action] = []
        if tables is not None:
            table = tables.get(name)
            actions = _columns(log, table.schema, time, folder) if table else []
            actions += _changes(log, table, time)
        _commit(log, folder, number, time, actions)
    _, tables = history[newest]
    return tables is None or log.files == {file.name for file in (tables[name].files if name in tables else ())}


def _commit(log: _Log, folder: Path, number: int, time: str, actions: list[Action]) -> None:
    info: Action = {
        "commitInfo": {"timestamp": _milliseconds(time), "operation": "WRITE", "engineInfo": ENGINE, "version": number}
    }
    lines = [json.dumps(action, ensure_ascii=False, separators=(",", ":")) for action in [info, *actions]]
    data = "\n".join(lines).encode() + b"\n"
    put_if_absent(_commit_path(folder / LOG, number), data, 0o444, durable=False)  # what is lost is made again
    log.last = number


def _columns(log: _Log, schema: tuple[Column, ...], time: str, folder: Path) -> list[Action]:
    """The actions that declare the columns, none where they are as before."""
    fields = [{"name": name, "type": _delta_type(kind), "nullable": True, "metadata": {}} for name, kind in schema]
    text = json.dumps({"type": "struct", "fields": fields}, ensure_ascii=False, separators=(",", ":"))
    if text == log.schema:
        return []
    log.schema = text
    protocol: Action = {"minReaderVersion": 1, "minWriterVersion": 2}
    if any(kind == "TIMESTAMP" for _, kind in schema):
        feature = ["timestampNtz"]
        protocol = {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": feature, "writerFeatures": feature}
    metadata = {
        "id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"madang/{folder.parent.name}/{folder.name}")),
        "name": folder.name,
        "format": {"provider": "parquet", "options": {}},
        "schemaString": text,
        "partitionColumns": [],
        "configuration": {},
        "createdTime": _milliseconds(time),
    }
    return [{"protocol": protocol}, {"metaData": metadata}]


def _changes(log: _Log, table: Table | None, time: str) -> list[Action]:
    """The actions that lead from the log's files to the table's."""
    wanted = {file.name: file for file in table.files} if table else {}
    gone: list[Action] = [
        {"remove": {"path": name, "deletionTimestamp": _milliseconds(time), "dataChange": True}}
        for name in sorted(log.files - wanted.keys())
    ]
    new: list[Action] = [
        {
            "add": {
                "path": name,
                "partitionValues": {},
                "size": wanted[name].bytes,
                "modificationTime": _milliseconds(time),
                "dataChange": True,
                "stats": json.dumps({"numRecords": wanted[name].rows}),
            }
        }
        for name in sorted(wanted.keys() - log.files)
    ]
    log.files = set(wanted)
    return gone + new


def _replay(folder: Path) -> _Log | None:
    """What the log in `folder` says; None if a commit is missing, unreadable or not of our making."""
    log = _Log()
    numbers = sorted(int(path.stem) for path in folder.glob("*.json") if path.stem.isdigit())
    if numbers != list(range(len(numbers))):
        return None
    for number in numbers:
        try:
            lines = [json.loads(line) for line in _commit_path(folder, number).read_text("utf-8").splitlines()]
            if lines[0]["commitInfo"]["engineInfo"] != ENGINE:
                return None
            for line in lines:
                if "add" in line:
                    log.files.add(line["add"]["path"])
                elif "remove" in line:
                    log.files.discard(line["remove"]["path"])
                elif "metaData" in line:
                    log.schema = line["metaData"]["schemaString"]
        except (OSError, ValueError, KeyError, IndexError, TypeError):
            return None
        log.last = number
    return log


def _commit_path(log: Path, number: int) -> Path:
    return log / f"{number:020}.json"


def _delta_type(kind: str) -> str:
    return _TYPES.get(kind) or kind.lower()  # DECIMAL(10,2) is decimal(10,2)


def _milliseconds(time: str) -> int:
    return int(datetime.fromisoformat(time).timestamp() * 1000)
