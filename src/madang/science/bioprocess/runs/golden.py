"""Good runs as a measure: what each signal does from hour to hour, and a run held against it while it goes on.

The distance of a moment is the mean square of how many deviations each signal is from the middle of the good runs. Its
limit is the largest that a good run itself reached against the others (after the same averaging), widened by a tenth:
no distribution is assumed, and with few runs the limit is only as good as they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.bioprocess.runs.align import Array, at
from madang.science.bioprocess.runs.compare import WIDTH, Cultivation

FEWEST = 4  # good runs
POINTS = 201
MEMORY = 0.3  # of the average with exponential weights, per point
MOST = 100.0  # square of ten deviations
HELD = 3  # points in a row above the limit that make an alarm
NAMED = 0.12  # share of the distance from which a signal is named


@dataclass(frozen=True)
class Golden:
    """What good runs did: axis in hours, middle and deviation (points, signals), the limit of the distance."""

    runs: tuple[str, ...]
    signals: tuple[str, ...]
    axis: Array
    middle: Array
    deviation: Array
    limit: float

    def low(self, signal: str) -> Array:
        """The lower edge of the envelope of a signal."""
        place = self.signals.index(signal)
        return self.middle[:, place] - WIDTH * self.deviation[:, place]

    def high(self, signal: str) -> Array:
        """The upper edge of the envelope of a signal."""
        place = self.signals.index(signal)
        return self.middle[:, place] + WIDTH * self.deviation[:, place]

    def as_json(self) -> dict[str, Any]:
        """Everything as JSON-ready data."""
        return {
            "runs": list(self.runs),
            "signals": list(self.signals),
            "axis": self.axis.tolist(),
            "middle": np.nan_to_num(self.middle, nan=-1e308).tolist(),
            "deviation": np.nan_to_num(self.deviation, nan=-1e308).tolist(),
            "limit": self.limit,
        }


@dataclass(frozen=True)
class Alarm:
    """A time in which a run was beyond the limit, and the signals that make it, with their shares; `finish` is None
    while it goes on."""

    begin: float
    finish: float | None
    worst: float
    signals: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Held:
    """A run against good ones: hours (points so far), its values there, the averaged distance over the limit, alarms.

    `missing` are signals of the good runs that it has not.
    """

    hours: Array
    values: Array
    ratio: Array
    alarms: tuple[Alarm, ...]
    missing: tuple[str, ...]


def from_json(told: Mapping[str, Any]) -> Golden:
    """What `as_json` gave."""

    def array(name: str) -> Array:
        values = np.array(told[name], float)
        return np.where(values <= -1e307, np.nan, values)

    return Golden(
        tuple(told["runs"]), tuple(told["signals"]), array("axis"), array("middle"), array("deviation"), told["limit"]
    )


def learn(runs: Sequence[Cultivation]) -> Golden:
    """From good runs (at least four). Raises `golden.few`, or `golden.signals` where they share no signal."""
    if len(runs) < FEWEST:
        raise MadangError("golden.few", _("{count} good runs are the fewest to learn from.").format(count=FEWEST))
    names = [name for name in runs[0].signals if all(name in run.signals for run in runs)]
    if not names:
        raise MadangError("golden.signals", _("The good runs have no signal in common."))
    axis = np.linspace(0, min(float(run.hours[-1]) for run in runs), POINTS)
    values = np.stack([at(run.hours, _table(run, names), axis) for run in runs])
    middle, deviation = _middle(values)
    reached = []
    for place in range(len(runs)):
        others = _middle(np.delete(values, place, axis=0))
        squares, _known = _squares(values[place], *others)
        reached.append(float(np.nanmax(_averaged(squares))))
    told = tuple(run.name for run in runs)
    return Golden(told, tuple(names), axis, middle, deviation, 1.1 * max(reached))


def hold(golden: Golden, run: Cultivation) -> Held:
    """Hold a run, also one that goes on, against good ones. Raises `golden.signals` where they share no signal."""
    missing = tuple(name for name in golden.signals if name not in run.signals)
    if len(missing) == len(golden.signals):
        raise MadangError("golden.signals", _("The run has none of the signals of the good runs."))
    axis = golden.axis[golden.axis <= (float(run.hours[-1]) if len(run.hours) else 0.0)]
    table = np.stack([run.signals.get(name, np.full(len(run.hours), np.nan)) for name in golden.signals], 1)
    values = at(run.hours, table, axis)
    squares, parts = _squares(values, golden.middle[: len(axis)], golden.deviation[: len(axis)])
    ratio = _averaged(squares) / golden.limit
    return Held(axis, values, ratio, tuple(_alarms(golden, axis, ratio, parts)), missing)


def _table(run: Cultivation, names: Sequence[str]) -> Array:
    return np.stack([run.signals[name] for name in names], 1)


def _middle(values: Array) -> tuple[Array, Array]:
    """The median and a robust deviation at each point, smoothed along the axis: few runs agree by chance."""
    middle = np.nanmedian(values, axis=0)
    away = 1.4826 * np.nanmedian(np.abs(values - middle), axis=0)
    around = np.stack([np.roll(away, step, axis=0) for step in range(-5, 6)])
    usual = np.nanmedian(away, axis=0)
    scale = 0.005 * np.nanmax(np.abs(middle), axis=0)
    deviation: Array = np.maximum(np.nanmean(around, axis=0), np.maximum(0.5 * usual, np.maximum(scale, 1e-12)))
    return middle, deviation


def _squares(values: Array, middle: Array, deviation: Array) -> tuple[Array, Array]:
    """The mean square per point over the signals that are known there, and the squares themselves.

    A value counts as near as it is to what good runs did at its own point or a neighboring one: steps of a recipe are
    never taken at quite the same moment. No square counts as more than `MOST`: a moment does not outlast itself.
    """
    parts = np.full(values.shape, np.inf)
    for shift in (-1, 0, 1):
        place = np.clip(np.arange(len(values)) + shift, 0, max(len(values) - 1, 0))
        parts = np.fmin(parts, ((values - middle[place]) / deviation[place]) ** 2)
    parts = np.where(np.isfinite(values) & np.isfinite(parts), np.minimum(parts, MOST), np.nan)
    known = np.isfinite(parts)
    total = np.where(known, parts, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return total, np.where(known, parts, 0.0)


def _averaged(squares: Array) -> Array:
    out = np.empty(len(squares))
    last = squares[0] if len(squares) else 0.0
    for place, value in enumerate(squares):
        last = (1 - MEMORY) * last + MEMORY * value
        out[place] = last
    return out


def _alarms(golden: Golden, axis: Array, ratio: Array, parts: Array) -> list[Alarm]:
    found = []
    begin: int | None = None
    for place in range(len(ratio) + 1):
        on = place < len(ratio) and ratio[place] > 1
        if on and begin is None:
            begin = place
        elif not on and begin is not None:
            if place - begin >= HELD:
                found.append(_alarm(golden, axis, ratio, parts, begin, place))
            begin = None
    return found


def _alarm(golden: Golden, axis: Array, ratio: Array, parts: Array, begin: int, end: int) -> Alarm:
    """Which signals make an alarm: their shares in its first points, when it was one or few and not yet all."""
    first = parts[begin : min(end, begin + 2 * HELD)].sum(axis=0)
    shares = first / max(float(first.sum()), 1e-300)
    order = np.argsort(-shares)
    named = [(golden.signals[place], float(round(shares[place], 3))) for place in order if shares[place] >= NAMED]
    finish = None if end == len(ratio) else float(axis[end - 1])
    return Alarm(float(axis[begin]), finish, float(ratio[begin:end].max()), tuple(named))
