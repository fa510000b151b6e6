"""Exceptions first: what in a run a person should look at before anything else."""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from madang.science.bioprocess.runs.segments import Log, Readings, unique

REPEATS = 30  # equal readings in a row of a signal that otherwise varies
JUMP = 12.0  # robust deviations of the differences between neighbors
SILENCE = 20.0  # times the usual interval
CLOCK = 60_000_000  # microseconds between the two clocks


@dataclass(frozen=True)
class Finding:
    """One finding: its kind, the signal, when it begins, and a text with its size."""

    kind: str
    tag: str
    begin: str
    text: str


def exceptions(log: Log) -> list[Finding]:
    """Gaps, bad quality, missing values, clocks that differ, units that change, signals that stop, repeat or jump,
    readings that came after later ones, or twice; the gravest first."""
    out = [
        Finding(
            str(event["kind"]), str(event.get("tag") or ""), moment(event.get("begin")), str(event.get("text") or "")
        )
        for event in log.events
    ]
    readings = unique(log.readings)
    if not len(readings):
        return out
    ends = int(readings["source"].max())
    for number, tag in enumerate(log.tags):
        mine = readings[readings["tag"] == number]
        if len(mine):
            out += _of_tag(tag.name, mine, ends)
    out += _late(log)
    came = len(log.readings) - len(readings)
    if came:
        out.append(Finding("twice", "", "", f"{came:,}"))
    order = ("gap", "silent", "bad", "nan", "clock", "away", "unit", "stuck", "jump", "late", "appeared", "twice")
    return sorted(out, key=lambda each: (order.index(each.kind) if each.kind in order else 99, each.begin))


def _of_tag(name: str, mine: Readings, ends: int) -> list[Finding]:
    out = []
    for kind, marked in (
        ("bad", mine["status"] != 0),
        ("nan", ~np.isfinite(mine["value"]) & (mine["status"] == 0)),
        ("clock", np.abs(mine["source"] - mine["server"]) > CLOCK),
    ):
        if marked.any():
            first = int(mine["source"][np.argmax(marked)])
            out.append(Finding(kind, name, moment(first), f"{int(marked.sum()):,}"))
    good = mine[np.isfinite(mine["value"])]
    if len(good) < 10:
        return out
    usual = float(np.median(np.diff(mine["source"])))
    if usual > 0 and ends - int(mine["source"][-1]) > SILENCE * usual:
        out.append(
            Finding("silent", name, moment(int(mine["source"][-1])), f"{(ends - mine['source'][-1]) / 1e6:.1f} s")
        )
    steps = np.diff(good["value"])
    moving = steps[steps != 0]
    if len(moving) > len(steps) // 10:
        edges = np.flatnonzero(np.concatenate([[True], steps != 0, [True]]))
        lengths = np.diff(edges)
        if lengths.max() >= REPEATS:
            begin = int(good["source"][edges[int(np.argmax(lengths))]])
            out.append(Finding("stuck", name, moment(begin), f"{int(lengths.max()):,}"))
        width = 1.4826 * float(np.median(np.abs(steps - np.median(steps))))
        far = np.abs(steps - np.median(steps)) > JUMP * max(width, 1e-12)
        if width > 0 and far.any():
            out.append(Finding("jump", name, moment(int(good["source"][1:][np.argmax(far)])), f"{int(far.sum()):,}"))
    return out


def _late(log: Log) -> list[Finding]:
    """Signals of which readings came after later ones, as after a break; a reading that comes again is not late."""
    out = []
    for number, tag in enumerate(log.tags):
        source = log.readings["source"][log.readings["tag"] == number]
        first = np.zeros(len(source), bool)
        first[np.unique(source, return_index=True)[1]] = True
        late = first & (source < np.maximum.accumulate(source)) if len(source) else first
        if late.any():
            out.append(Finding("late", tag.name, moment(int(source[late].min())), f"{int(late.sum()):,}"))
    return out


def overview(log: Log) -> list[list[object]]:
    """Per signal: name, unit, readings, first and last time, least and most."""
    readings = unique(log.readings)
    rows: list[list[object]] = []
    for number, tag in enumerate(log.tags):
        mine = readings[readings["tag"] == number]
        if len(mine):
            finite = mine["value"][np.isfinite(mine["value"])]
            least, most = (float(finite.min()), float(finite.max())) if len(finite) else (None, None)
            first, last = moment(int(mine["source"][0])), moment(int(mine["source"][-1]))
            rows.append([tag.name, tag.unit, len(mine), first, last, least, most])
    return rows


def moment(micros: object) -> str:
    """A time in microseconds as ISO 8601, UTC."""
    if not isinstance(micros, int):
        return ""
    return datetime.fromtimestamp(micros / 1e6, UTC).isoformat(timespec="milliseconds")
