"""Recording a run from OPC UA: read only, without loss where the equipment keeps a history.

What is new comes by subscription. After a break (ours, the network's or the equipment's) HistoryRead gives what was
missed; where the equipment has no history, the gap is noted with its length. Nothing is interpolated.
"""

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.bioprocess.needs import needs
from madang.science.bioprocess.runs.segments import Tag, Writer, open_log, read_log

MARGIN = 120_000_000  # microseconds before the last reading from which history is read again: clocks differ
QUIET = 5_000_000  # microseconds without a reading that are no gap
MOST_TAGS = 20_000
AT_ONCE = 1_000  # nodes of one request
TOGETHER = 500  # signals of one subscription: a server keeps only so many notifications for each
REPAIR_EVERY = 30_000_000  # microseconds
OVERLAP = 5_000_000  # microseconds that one repair looks at again
NUMERIC = (  # types of OPC UA that are recorded, all as numbers
    *("Boolean", "SByte", "Byte", "Int16", "UInt16", "Int32", "UInt32", "Int64", "UInt64", "Float", "Double"),
)
PATIENCE = 5.0  # seconds until the next attempt to reach equipment that is away


@dataclass
class Recording:
    """The state of one recording: what was seen last, per tag, and which gaps are still open."""

    log: Writer
    last: dict[str, int] = field(default_factory=dict)  # newest source time of each tag
    open: dict[str, int] = field(default_factory=dict)  # tags that wait for the end of a possible gap: its begin
    numbers: dict[str, int] = field(default_factory=dict)
    nodes: dict[Any, str] = field(default_factory=dict)
    recent: dict[str, set[int]] = field(default_factory=dict)  # source times that came since the last repair
    repaired: int = 0  # until when (microseconds) what came was held against the equipment's history
    history: bool = True  # whether the equipment keeps one
    received: int = 0
    stop: bool = False
    asked: Callable[[], bool] | None = None  # whether somebody wants it to end

    def look(self) -> None:
        """Ask whether it is to end."""
        self.stop = self.stop or (self.asked is not None and self.asked())

    def take(self, name: str, data: Any) -> None:
        """Keep one reading as it came: value, quality, both clocks."""
        server = _micros(data.ServerTimestamp) or time.time_ns() // 1000
        source = _micros(data.SourceTimestamp) or server
        try:
            value = float(data.Value.Value) if data.Value is not None and data.Value.Value is not None else np.nan
        except (TypeError, ValueError):
            value = np.nan
        status = int(data.StatusCode.value) if data.StatusCode is not None else 0
        begin = self.open.pop(name, None)
        if begin is not None and source - begin > QUIET:
            self.log.event("gap", tag=name, begin=begin, finish=source, text=f"{(source - begin) / 1e6:.3f} s")
        self.log.add(self.numbers[name], source, server, value, status)
        self.last[name] = max(source, self.last.get(name, source))
        self.recent.setdefault(name, set()).add(source)
        self.received += 1


def record(
    url: str,
    folder: Path,
    seconds: float = float("inf"),
    started: Callable[[int], None] | None = None,
    patience: float = PATIENCE,
    stopped: Callable[[], bool] | None = None,
) -> int:
    """Record everything numeric that the equipment at `url` offers into the log at `folder`; how many readings came.

    Ends after `seconds`, when it is interrupted, or when `stopped()`, asked each second or two, says so. Goes on where
    an earlier recording of the same run ended.
    `started(tags)` is called each time the equipment was reached. Raises `runs.url` for an address that is none.
    """
    needs("asyncua")
    if not url.startswith("opc.tcp://"):
        raise MadangError("runs.url", _("{url} is no address of OPC UA.").format(url=url), "opc.tcp://HOST:PORT/...")
    logging.getLogger("asyncua").setLevel(logging.CRITICAL)
    log = open_log(folder)
    recording = Recording(log, asked=stopped)
    with contextlib.suppress(MadangError):
        held = read_log(folder)
        for number, tag in enumerate(held.tags):
            mine = held.readings["source"][held.readings["tag"] == number]
            recording.numbers[tag.name] = number
            if len(mine):
                recording.last[tag.name] = int(mine.max())
    try:
        asyncio.run(_record(url, recording, seconds, started, patience))
    finally:
        log.close()
    return recording.received


async def _record(url: str, recording: Recording, seconds: float, started: Any, patience: float) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        # A loop without signals (Windows), or one off the main thread: there who records is stopped by the time alone.
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, lambda: setattr(recording, "stop", True))
    ends = time.monotonic() + seconds
    away = False
    while not recording.stop and time.monotonic() < ends:
        try:
            await _connected(url, recording, ends, started)
            return
        except (TimeoutError, OSError, ConnectionError) as error:
            trouble: BaseException = error
        except Exception as error:  # asyncua raises its own errors, a tree of many, when a connection is lost
            if not type(error).__module__.startswith("asyncua"):
                raise
            trouble = error
        if not away:
            away = True
            recording.log.event("away", begin=time.time_ns() // 1000, text=type(trouble).__name__)
        recording.log.sync()
        recording.look()
        rest = ends - time.monotonic()
        waited = time.monotonic() + max(0.0, min(patience, rest))
        while time.monotonic() < waited and not recording.stop:
            await asyncio.sleep(0.1)


async def _connected(url: str, recording: Recording, ends: float, started: Any) -> None:
    client_of: Any = needs("asyncua").Client

    class Handler:
        def datachange_notification(self, node: Any, value: Any, data: Any) -> None:
            name = recording.nodes.get(node.nodeid)
            if name is not None:
                recording.take(name, data.monitored_item.Value)

    async with client_of(url, timeout=10) as client:
        found = await _browse(client)
        handler = Handler()
        recording.repaired = time.time_ns() // 1000
        await _follow(client, handler, recording, found)
        await _backfill(client, recording, list(recording.nodes.items()))
        if started is not None:
            started(len(recording.nodes))
        looked = synced = time.monotonic()
        while not recording.stop and time.monotonic() < ends:
            await asyncio.sleep(min(0.2, max(0.0, ends - time.monotonic())))
            recording.log.write()
            if time.monotonic() - synced >= 1:
                recording.log.sync()
                recording.look()
                synced = time.monotonic()
                await client.check_connection()
            if time.time_ns() // 1000 - recording.repaired > REPAIR_EVERY:
                await _repair(client, recording)
            if time.monotonic() - looked >= 10:
                looked = time.monotonic()
                fresh = [each for each in await _browse(client) if each[0].nodeid not in recording.nodes]
                if fresh:  # a tag appeared in the middle of a run, perhaps under a new name
                    await _follow(client, handler, recording, fresh)
                    for node, tag in fresh:
                        recording.log.event("appeared", tag=tag.name, begin=time.time_ns() // 1000)
                        await _backfill(client, recording, [(node.nodeid, tag.name)], from_start=True)
        # What was published before the end is still on its way.
        await asyncio.sleep(0.5)
        await _repair(client, recording)
        recording.log.sync()


async def _browse(client: Any) -> list[tuple[Any, Tag]]:
    """Every numeric variable under Objects, except the server's own; breadth first, bounded."""
    ua: Any = needs("asyncua.ua")

    numeric = {ua.VariantType[name] for name in NUMERIC}
    level, seen, found = [(client.nodes.objects, "")], set(), []
    for _depth in range(12):
        following = []
        for parent, path in level:
            for described in await parent.get_children_descriptions():
                identity = described.NodeId
                if identity in seen or identity == ua.NodeId(ua.ObjectIds.Server):
                    continue
                seen.add(identity)
                node = client.get_node(identity)
                name = f"{path}.{described.BrowseName.Name}" if path else str(described.BrowseName.Name)
                if described.NodeClass == ua.NodeClass.Variable:
                    found.append((node, name, described.DisplayName.Text or ""))
                elif described.NodeClass == ua.NodeClass.Object:
                    following.append((node, name))
            if len(found) > MOST_TAGS:
                raise MadangError("runs.tags", _("The equipment has more than {most} signals.").format(most=MOST_TAGS))
        if not following:
            break
        level = following
    out = []
    for begin in range(0, len(found), AT_ONCE):
        some = found[begin : begin + AT_ONCE]
        kinds = await client.read_attributes([node for node, _n, _t in some], ua.AttributeIds.DataType)
        units = await client.read_attributes([node for node, _n, _t in some], ua.AttributeIds.Description)
        for (node, name, title), kind, unit in zip(some, kinds, units, strict=True):
            identity = kind.Value.Value if kind.Value is not None else None
            base = getattr(identity, "Identifier", None)
            if isinstance(base, int) and base in {each.value for each in numeric}:
                text = unit.Value.Value.Text if unit.Value is not None and unit.Value.Value is not None else ""
                out.append((node, Tag(name, title, text or "")))
    return out


async def _repair(client: Any, recording: Recording) -> None:
    """Hold what came since the last repair against the equipment's history: queues overflow where a server is busy."""
    ua: Any = needs("asyncua.ua")
    if not recording.history:
        return
    begin, until = recording.repaired, time.time_ns() // 1000
    nodes, any_history = list(recording.nodes.items()), False
    for place in range(0, len(nodes), 200):
        some = nodes[place : place + 200]
        details = ua.ReadRawModifiedDetails()
        details.IsReadModified, details.ReturnBounds, details.NumValuesPerNode = False, False, 0
        details.StartTime, details.EndTime = _moment(begin - 2_000_000), _moment(until)
        asked = ua.HistoryReadParameters()
        asked.HistoryReadDetails, asked.TimestampsToReturn = details, ua.TimestampsToReturn.Both
        for identity, _name in some:
            one = ua.HistoryReadValueId()
            one.NodeId = identity
            asked.NodesToRead.append(one)
        for (_identity, name), result in zip(some, await client.uaclient.history_read(asked), strict=False):
            values = getattr(result.HistoryData, "DataValues", None) or []
            any_history |= bool(values)
            seen = recording.recent.get(name, set())
            for data in values:
                source = _micros(data.SourceTimestamp)
                if source is not None and source >= begin and source not in seen:
                    recording.take(name, data)
        recording.log.write()
    recording.history = any_history
    recording.repaired = until - OVERLAP  # equipment may show its newest readings only after a while
    for name, seen in recording.recent.items():
        recording.recent[name] = {source for source in seen if source > until - 10_000_000}


def _moment(micros: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)


async def _follow(client: Any, handler: Any, recording: Recording, found: list[tuple[Any, Tag]]) -> None:
    ua: Any = needs("asyncua.ua")

    for node, tag in found:
        recording.numbers[tag.name] = recording.log.tag(tag)
        recording.nodes[node.nodeid] = tag.name
    for begin in range(0, len(found), TOGETHER):
        nodes = [node for node, _tag in found[begin : begin + TOGETHER]]
        subscription = await client.create_subscription(200, handler)
        # By time stamp too: a reading that repeats the last value is a reading.
        trigger = ua.DataChangeFilter(Trigger=ua.DataChangeTrigger.StatusValueTimestamp)
        await subscription._subscribe(nodes, mfilter=trigger, queuesize=10_000)


async def _backfill(client: Any, recording: Recording, nodes: list[tuple[Any, str]], from_start: bool = False) -> None:
    """What the equipment's history has since the last reading of each tag; a tag without one may have a gap."""
    until = datetime.now(UTC) + timedelta(minutes=10)
    last = dict(recording.last)
    for identity, name in nodes:
        before = last.get(name)
        if before is None and not from_start:
            continue
        begin = (before or 0) - MARGIN if before is not None else 0
        start = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=max(0, begin))
        try:
            history = await client.get_node(identity).read_raw_history(start, until)
        except (TimeoutError, OSError, ConnectionError):
            raise
        except Exception:  # the equipment keeps no history of this signal: its answer is one of many status codes
            history = []
        newer = [data for data in history if before is None or (_micros(data.SourceTimestamp) or 0) > before]
        if newer:
            recording.open.pop(name, None)
            for data in history:
                recording.take(name, data)
        elif before is not None:
            recording.open[name] = before
        recording.log.write()


def _micros(moment: datetime | None) -> int | None:
    if moment is None:
        return None
    known = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (known - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
