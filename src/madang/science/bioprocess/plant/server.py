"""The OPC UA server of the simulated plant.

Every reading goes to the plant's own log before it goes to a client, so that HistoryRead can give what a client missed,
also when the plant was killed in between. The server listens on this machine only.
"""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.bioprocess.needs import needs
from madang.science.bioprocess.plant.faults import Fault
from madang.science.bioprocess.plant.process import TAGS, Reactor
from madang.science.bioprocess.runs.segments import Tag, Writer, open_log, read_log

NAMESPACE = "urn:madang:simulated-plant"
GOOD, BAD = 0, 0x80000000
REACTORS = (("Seed", 10.0), ("Production", 100.0))


@dataclass(frozen=True)
class Plan:
    """How the plant runs: port, process seconds per second, seconds between readings, faults, extra counters."""

    folder: Path
    port: int = 4840
    speed: float = 3600.0
    period: float = 1.0
    faults: tuple[Fault, ...] = ()
    counters: int = 0
    seconds: float = math.inf
    seed: int = 1


def serve(plan: Plan, ready: Any = None) -> None:
    """Run the plant until it is stopped (or `plan.seconds` are over); `ready(url)` is called when clients may come."""
    needs("asyncua")
    logging.getLogger("asyncua").setLevel(logging.CRITICAL)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(plan, ready))


async def _serve(plan: Plan, ready: Any) -> None:
    ua: Any = needs("asyncua.ua")

    log = open_log(plan.folder)
    server: Any = needs("asyncua").Server()
    await server.init()
    url = f"opc.tcp://127.0.0.1:{plan.port}/madang/plant"
    server.set_endpoint(url)
    server.set_server_name("Madang simulated plant")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    index = await server.register_namespace(NAMESPACE)
    server.iserver.history_manager.set_storage(_history(plan.folder, log))
    plant = await server.nodes.objects.add_object(index, "SimulatedPlant")
    reactors = [Reactor(name, volume, plan.seed + place, plan.faults) for place, (name, volume) in enumerate(REACTORS)]
    nodes: dict[str, Any] = {}
    setpoints: dict[tuple[str, str], Any] = {}
    for reactor in reactors:
        unit = await plant.add_object(index, reactor.name)
        for tag, unit_of in TAGS.items():
            name = f"{reactor.name}.{tag}"
            nodes[name] = await _variable(unit, index, name, tag, unit_of)
        for tag, value in reactor.setpoints.items():
            written = await unit.add_variable(ua.NodeId(f"{reactor.name}.{tag}.SP", index), f"{tag}Setpoint", value)
            await written.set_writable()
            setpoints[(reactor.name, tag)] = written
    if plan.counters:
        unit = await plant.add_object(index, "Counters")
        for place in range(plan.counters):
            name = f"Counters.{place:05d}"
            nodes[name] = await _variable(unit, index, name, f"{place:05d}", "")
    try:
        await server.start()
    except OSError as error:
        log.close()
        text = _("Cannot serve on port {port}: {why}.").format(port=plan.port, why=error.strerror or error)
        raise MadangError("plant.port", text, _("Choose another one with --port.")) from None
    try:
        if ready is not None:
            ready(url)
        await _turn(plan, server, reactors, nodes, setpoints, log)
    finally:
        log.close()
        with contextlib.suppress(Exception):
            await server.stop()


async def _variable(unit: Any, index: int, name: str, title: str, unit_of: str) -> Any:
    ua: Any = needs("asyncua.ua")

    node = await unit.add_variable(ua.NodeId(name, index), title, float("nan"), ua.VariantType.Double)
    read = ua.AccessLevel.CurrentRead.mask | ua.AccessLevel.HistoryRead.mask
    for attribute in (ua.AttributeIds.AccessLevel, ua.AttributeIds.UserAccessLevel):
        await node.write_attribute(attribute, ua.DataValue(ua.Variant(read, ua.VariantType.Byte)))
    await node.write_attribute(ua.AttributeIds.Historizing, ua.DataValue(ua.Variant(True, ua.VariantType.Boolean)))
    await node.write_attribute(
        ua.AttributeIds.Description, ua.DataValue(ua.Variant(ua.LocalizedText(unit_of), ua.VariantType.LocalizedText))
    )
    return node


async def _turn(plan: Plan, server: Any, reactors: Sequence[Reactor], nodes: Any, setpoints: Any, log: Writer) -> None:
    """Read all sensors every period, log them, give them to clients; sync the log each second."""
    begin = time.monotonic()
    synced, turn = begin, 0
    numbers: dict[str, int] = {}
    random = np.random.default_rng(plan.seed)
    held: list[tuple[int, str, float, int, int]] = []
    count = 0
    while time.monotonic() - begin < plan.seconds:
        now = _micros()
        told: list[tuple[str, float, int, int]] = []  # tag, value, status, source time
        for reactor in reactors:
            for (owner, tag), node in setpoints.items():
                if owner == reactor.name:
                    reactor.setpoints[tag] = float(await node.read_value())
            values = reactor.advance(plan.speed * plan.period / 3600)
            told += _sensed(reactor, values, now, random)
        if plan.counters:
            count += 1
            told += [(f"Counters.{place:05d}", float(count), GOOD, now) for place in range(plan.counters)]
        late = [fault for reactor in reactors for fault in reactor.active("late")]
        if late:
            slow = {f"{reactor.name}.{fault.tag}" for reactor in reactors for fault in late}
            held += [(turn + round(60 / plan.period), *each) for each in told if each[0] in slow]
            told = [each for each in told if each[0] not in slow]
        told += [(name, value, status, source) for due, name, value, status, source in held if due <= turn]
        held = [each for each in held if each[0] > turn]
        for name, value, status, source in told:
            if name not in numbers:
                title, _dot, _rest = name.partition(".")
                numbers[name] = log.tag(Tag(name, title, TAGS.get(name.rpartition(".")[2], "")))
            log.add(numbers[name], source, now, value, status)
        log.write()
        for place, (name, value, status, source) in enumerate(told):
            if name not in nodes:
                nodes[name] = await _renamed(server, name)
            await _give(server, nodes[name], value, status, source, now)
            if place % 500 == 499:
                await asyncio.sleep(0)
        if time.monotonic() - synced >= 1:
            log.sync()
            synced = time.monotonic()
        turn += 1
        await asyncio.sleep(max(0.0, begin + turn * plan.period - time.monotonic()))


async def _renamed(server: Any, name: str) -> Any:
    index = await server.get_namespace_index(NAMESPACE)
    unit = await server.nodes.objects.get_child([f"{index}:SimulatedPlant", f"{index}:{name.partition('.')[0]}"])
    return await _variable(unit, index, name, name.rpartition(".")[2], "")


async def _give(server: Any, node: Any, value: float, status: int, source: int, now: int) -> None:
    ua: Any = needs("asyncua.ua")

    await server.write_attribute_value(
        node.nodeid,
        ua.DataValue(
            ua.Variant(value, ua.VariantType.Double),
            StatusCode=ua.StatusCode(status),
            SourceTimestamp=_moment(source),
            ServerTimestamp=_moment(now),
        ),
    )


def _sensed(reactor: Reactor, values: dict[str, float], now: int, random: np.random.Generator) -> list[Any]:
    """What the sensors say, with their faults: tag, value, status, source time in microseconds."""
    out = []
    for tag, value in values.items():
        name, status, source, times = f"{reactor.name}.{tag}", GOOD, now, 1
        for fault in reactor.faults:
            if fault.tag != tag or reactor.hours < fault.hours:
                continue
            if fault.name == "drift":
                value *= 1 + 0.05 * (reactor.hours - fault.hours)
            elif fault.name == "stuck":
                value = reactor._last.get(tag, value)
            elif fault.name == "spike" and random.random() < 0.05:
                value *= 3
            elif fault.name == "nan":
                value = float("nan")
            elif fault.name == "bad":
                status = BAD
            elif fault.name == "clock":
                source -= 90_000_000
            elif fault.name == "twice":
                times = 2
            elif fault.name == "renamed":
                name = f"{reactor.name}.{tag}_2"
            elif fault.name == "silent":
                times = 0
        reactor._last[tag] = value
        out += [(name, value, status, source)] * times
    return out


def _history(folder: Path, log: Writer) -> Any:
    """HistoryRead from the plant's own log."""
    ua: Any = needs("asyncua.ua")
    from asyncua.server.history import HistoryStorageInterface

    class Stored(HistoryStorageInterface):
        async def init(self) -> None:
            return None

        async def stop(self) -> None:
            return None

        async def new_historized_node(self, node_id: Any, period: Any, count: int = 0) -> None:
            return None

        async def save_node_value(self, node_id: Any, datavalue: Any) -> None:
            return None

        async def read_node_history(self, node_id: Any, start: Any, end: Any, nb_values: int) -> tuple[list[Any], Any]:
            held = _cached(folder, log)
            place = held.get(str(node_id.Identifier))
            if place is None:
                return [], None
            first = _as_micros(start) if start is not None else -(2**62)
            last = _as_micros(end) if end is not None else 2**62
            rows = place[(place["source"] >= first) & (place["source"] <= last)]
            most = nb_values or self.max_history_data_response_size
            more = None
            if len(rows) > most:
                # The next page begins at a time not yet given; a page never parts readings of one moment.
                cut = int(np.searchsorted(rows["source"], rows["source"][most], "left")) or most
                more = _moment(int(rows["source"][cut]))
                rows = rows[:cut]
            values = [
                ua.DataValue(
                    ua.Variant(float(row["value"]), ua.VariantType.Double),
                    StatusCode=ua.StatusCode(int(row["status"])),
                    SourceTimestamp=_moment(int(row["source"])),
                    ServerTimestamp=_moment(int(row["server"])),
                )
                for row in rows
            ]
            return values, more

    return Stored()


_read: dict[str, Any] = {}  # the last reading of the log, for the many requests of one client


def _cached(folder: Path, log: Writer) -> dict[str, Any]:
    """Readings of each tag in order of source time; read anew at most once a second."""
    if _read.get("folder") != folder or time.monotonic() - _read["at"] > 1:
        held = read_log(folder)
        ordered = held.readings[np.lexsort((held.readings["source"], held.readings["tag"]))]
        edges = np.searchsorted(ordered["tag"], np.arange(len(held.tags) + 1))
        by_tag = {tag.name: ordered[edges[place] : edges[place + 1]] for place, tag in enumerate(held.tags)}
        _read.update(folder=folder, at=time.monotonic(), tags=by_tag)
    return dict(_read["tags"])


def _micros() -> int:
    return time.time_ns() // 1000


def _moment(micros: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)


def _as_micros(moment: datetime) -> int:
    known = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (known - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
