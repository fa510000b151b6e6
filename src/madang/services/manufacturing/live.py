"""A recorded run as its page shows it: what came so far, exceptions, and where it leaves what good runs did."""

import json
from dataclasses import dataclass
from typing import Any

from madang.base.errors import MadangError
from madang.node.node import Node
from madang.services.manufacturing.models import Study
from madang.services.manufacturing.recording import log_folder

SHOWN = 400  # points of a picture


@dataclass(frozen=True)
class Signal:
    """A signal with its unit, readings so far, the newest value, and its course (hours, values)."""

    name: str
    unit: str
    count: int
    newest: float | None
    hours: list[float]
    values: list[float]


@dataclass(frozen=True)
class Live:
    """A run so far: process hours, readings, signals of the unit, findings, and how it stands against good runs."""

    hours: float
    readings: int
    units: tuple[str, ...]
    unit: str
    signals: tuple[Signal, ...]
    findings: tuple[Any, ...]
    golden: Any
    held: Any


def look(node: Node, study: Study, golden: Study | None, unit: str = "") -> Live:
    """Read the log of a recording, also while it goes on."""
    import numpy as np

    from madang.science.bioprocess.runs.compare import Cultivation
    from madang.science.bioprocess.runs.exceptions import exceptions
    from madang.science.bioprocess.runs.golden import from_json, hold
    from madang.science.bioprocess.runs.segments import read_log, unique

    asked = json.loads(study.asked)
    try:
        log = read_log(log_folder(node.home, study.id))
    except MadangError:
        return Live(0.0, 0, (), "", (), (), None, None)
    readings = unique(log.readings)
    units = tuple(dict.fromkeys(unit_of(tag.name) for tag in log.tags))
    chosen = unit if unit in units else asked["unit"] if asked["unit"] in units else (units[-1] if units else "")
    begin = int(readings["source"].min()) if len(readings) else 0
    scale = asked["speed"] / 3.6e9  # microseconds of the clock to hours of the process
    signals = []
    for number, tag in enumerate(log.tags):
        mine = readings[(readings["tag"] == number) & np.isfinite(readings["value"])]
        if unit_of(tag.name) != chosen or not len(mine):
            continue
        hours = (mine["source"] - begin) * scale
        kept = np.unique(np.linspace(0, len(mine) - 1, min(SHOWN, len(mine))).astype(int))
        name = tag.name.rpartition(".")[2]
        newest = float(mine["value"][-1])
        signals.append(
            Signal(name, tag.unit, len(mine), newest, hours[kept].tolist(), mine["value"][kept].astype(float).tolist())
        )
    ends = float((readings["source"].max() - begin) * scale) if len(readings) else 0.0
    good = from_json(json.loads(golden.answer)["golden"]) if golden is not None and golden.state == "done" else None
    held = None
    if good is not None and signals:
        run = _one(Cultivation, study.title, begin, readings, log, chosen, scale)
        held = hold(good, run) if set(run.signals) & set(good.signals) else None
    return Live(ends, len(readings), units, chosen, tuple(signals), tuple(exceptions(log)), good, held)


def unit_of(tag: str) -> str:
    """The part of the equipment that a signal is of: the last folder of its name."""
    return tag.rpartition(".")[0].rpartition(".")[2]


def _one(kind: Any, title: str, begin: int, readings: Any, log: Any, unit: str, scale: float) -> Any:
    """The run as a cultivation: each signal averaged over short pieces of process time, since readings are noisy."""
    import numpy as np

    step = 0.5
    last = float((readings["source"].max() - begin) * scale)
    edges = np.arange(0, last + step, step)
    middle = (edges[:-1] + edges[1:]) / 2
    told: dict[str, Any] = {}
    for number, tag in enumerate(log.tags):
        mine = readings[(readings["tag"] == number) & np.isfinite(readings["value"])]
        if unit_of(tag.name) != unit or len(mine) < 2:
            continue
        hours = (mine["source"] - begin) * scale
        place = np.clip(np.digitize(hours, edges) - 1, 0, max(len(middle) - 1, 0))
        total = np.bincount(place, mine["value"], len(middle))
        count = np.bincount(place, minlength=len(middle))
        with np.errstate(all="ignore"):
            told[tag.name.rpartition(".")[2]] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return kind(title, middle if len(middle) else np.zeros(1), told)
