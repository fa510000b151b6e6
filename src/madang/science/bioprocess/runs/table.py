"""A log as a table: for SQL while the run goes on, and as a version of the lake when it has ended."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake import Lake
from madang.lake.engine import Engine
from madang.science.bioprocess.runs.segments import Log, read_log, unique


def signals(log: Log) -> pa.Table:
    """tag, time, server_time (microseconds, UTC), value, status; exact repeats once, in order of tag and time."""
    readings = unique(log.readings)
    names = pa.array([tag.name for tag in log.tags], pa.string())
    return pa.table(
        {
            "tag": pa.DictionaryArray.from_arrays(pa.array(readings["tag"].astype(np.int32)), names).cast(pa.string()),
            "time": pa.array(readings["source"], pa.int64()).cast(pa.timestamp("us", "UTC")),
            "server_time": pa.array(readings["server"], pa.int64()).cast(pa.timestamp("us", "UTC")),
            "value": pa.array(readings["value"], pa.float64()),
            "status": pa.array(readings["status"].astype(np.int64), pa.int64()),
        }
    )


def tags(log: Log) -> pa.Table:
    """tag, title, unit."""
    return pa.table(
        {
            "tag": pa.array([tag.name for tag in log.tags], pa.string()),
            "title": pa.array([tag.title for tag in log.tags], pa.string()),
            "unit": pa.array([tag.unit for tag in log.tags], pa.string()),
        }
    )


def events(log: Log) -> pa.Table:
    """kind, tag, begin, finish (microseconds, UTC), text: gaps, with their length, and what else must be known."""

    def times(name: str) -> pa.Array:
        told = [event.get(name) for event in log.events]
        return pa.array(told, pa.int64()).cast(pa.timestamp("us", "UTC"))

    return pa.table(
        {
            "kind": pa.array([str(event["kind"]) for event in log.events], pa.string()),
            "tag": pa.array([event.get("tag") for event in log.events], pa.string()),
            "begin": times("begin"),
            "finish": times("finish"),
            "text": pa.array([event.get("text") for event in log.events], pa.string()),
        }
    )


def ask(folder: Path, sql: str) -> pa.Table:
    """One SELECT over the tables `signals`, `tags` and `events` of a run, also while it goes on."""
    log = read_log(folder)
    with Engine("1GB", 2) as engine:
        engine.one_select(sql)
        for name, table in (("signals", signals(log)), ("tags", tags(log)), ("events", events(log))):
            engine.register(name, table)
        engine.confine([])
        return engine.query(sql)


def finish(folder: Path, lake: Lake, name: str, about: Mapping[str, Any]) -> str:
    """Make the run a version of dataset `name` and return its name; a run that is one already is not made anew.

    Raises `runs.empty` for a run without readings.
    """
    import pyarrow.parquet as parquet

    log = read_log(folder)
    if not len(log.readings):
        raise MadangError("runs.empty", _("The run has no readings."))
    table = signals(log)
    told = {**about, "readings": table.num_rows, "received": len(log.readings), "tags": len(log.tags)}
    dataset = lake.dataset(name)
    if dataset.exists:
        newest = dataset.version()
        if dict(newest.info) == told:
            return newest.name
    with dataset.write() as writer:
        for part, content in (("signals", table), ("tags", tags(log)), ("events", events(log))):
            path = writer.new_file(part)
            parquet.write_table(content, path, compression="zstd")
            writer.add(part, path)
        return writer.commit(kind="run", info=told).name
