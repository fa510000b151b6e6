"""Ten runs and a laboratory sheet to one comparison: one axis, the envelope of good runs, exceptions first."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.bioprocess.runs.align import Array, at, by_indicator
from madang.science.bioprocess.tables import read_table

POINTS = 101
WIDTH = 3.0  # deviations around the middle of good runs
LEAST_SHARE = 0.03  # of the axis outside the envelope from which it is said
_HOURS = ("hours", "hour", "time_h", "time", "h", "시간")
_RUNS = ("run", "batch", "배치")


@dataclass(frozen=True)
class Cultivation:
    """One run: hours (m), and its signals by name (m), NaN where nothing was measured."""

    name: str
    hours: Array
    signals: dict[str, Array]


@dataclass(frozen=True)
class Outside:
    """A run outside the envelope: the signal, from and to which point of the axis, the share, how far at most."""

    run: str
    signal: str
    begin: float
    finish: float
    share: float
    worst: float


@dataclass(frozen=True)
class Comparison:
    """Runs on one axis: `values` (runs, points, signals), the envelope of good ones, what lies outside, a table."""

    runs: tuple[str, ...]
    signals: tuple[str, ...]
    axis: Array
    aligned_by: str
    values: Array
    middle: Array
    low: Array
    high: Array
    exceptions: tuple[Outside, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    def as_json(self) -> dict[str, Any]:
        """The comparison as JSON-ready data; None where there is no value."""

        def plain(values: Array) -> Any:
            return [[None if not np.isfinite(v) else float(v) for v in row] for row in values]

        return {
            "runs": list(self.runs),
            "signals": list(self.signals),
            "axis": [float(value) for value in self.axis],
            "aligned_by": self.aligned_by,
            "envelope": {"middle": plain(self.middle), "low": plain(self.low), "high": plain(self.high)},
            "values": {run: plain(values) for run, values in zip(self.runs, self.values, strict=True)},
            "exceptions": [vars(each) for each in self.exceptions],
            "table": [dict(zip(("run", *self.columns), row, strict=True)) for row in self.rows],
        }


def read_runs(files: Sequence[Path], sheet: Path | None = None) -> list[Cultivation]:
    """Runs from tables with a column of hours, joined with a laboratory sheet (run, hours, values) where there is one.

    Raises `compare.hours` where hours are missing or do not increase, `compare.sheet` where the sheet names no run.
    """
    out = []
    for file in files:
        rows = read_table(file)
        clock = next((name for name in (rows[0] if rows else {}) if name.lower() in _HOURS), None)
        if clock is None:
            raise MadangError("compare.hours", _("{file} has no column of hours.").format(file=file.name))
        hours = np.array([_number(row[clock]) for row in rows])
        if not np.isfinite(hours).all() or (np.diff(hours) <= 0).any():
            raise MadangError(
                "compare.hours", _("The hours of {file} do not increase from row to row.").format(file=file.name)
            )
        names = [name for name in rows[0] if name != clock]
        signals = {name: np.array([_number(row[name]) for row in rows]) for name in names}
        out.append(Cultivation(file.stem, hours - hours[0], {n: v for n, v in signals.items() if np.isfinite(v).any()}))
    if len({run.name for run in out}) != len(out):
        raise MadangError("compare.sheet", _("Two files have one name; a run is called as its file."))
    return _with_sheet(out, sheet) if sheet is not None else out


def short_name(title: str) -> str:
    """How a run is called that a person or a file called so: small letters, digits and -."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def _with_sheet(runs: list[Cultivation], sheet: Path) -> list[Cultivation]:
    rows = read_table(sheet)
    names = list(rows[0]) if rows else []
    clock = next((name for name in names if name.lower() in _HOURS), None)
    which = next((name for name in names if name.lower() in _RUNS), None)
    if clock is None or which is None:
        raise MadangError("compare.sheet", _("The laboratory sheet needs the columns run and hours."))
    known = {run.name for run in runs}
    alike = {short_name(run.name): run.name for run in runs}
    for row in rows:
        told = str(row[which]).strip()
        row[which] = told if told in known else alike.get(short_name(told), told)
    strangers = {row[which] for row in rows} - known
    if strangers:
        text = _("The laboratory sheet names runs that are not here: {names}.")
        raise MadangError("compare.sheet", text.format(names=", ".join(sorted(strangers)[:5])))
    out = []
    for run in runs:
        mine = [row for row in rows if row[which] == run.name]
        taken = np.array([_number(row[clock]) for row in mine])
        hours = np.union1d(run.hours, taken[np.isfinite(taken)])
        signals = {}
        for name, values in run.signals.items():
            signals[name] = np.full(len(hours), np.nan)
            signals[name][np.searchsorted(hours, run.hours)] = values
        for name in names:
            if name in (clock, which):
                continue
            title = f"{name} (lab)" if name in run.signals else name
            signals[title] = np.full(len(hours), np.nan)
            for hour, row in zip(taken, mine, strict=True):
                if np.isfinite(hour):
                    signals[title][np.searchsorted(hours, hour)] = _number(row[name])
        out.append(Cultivation(run.name, hours, signals))
    return out


def compare(runs: Sequence[Cultivation], golden: int = 0, indicator: str = "") -> Comparison:
    """Bring runs onto one axis (hours, or the share of an indicator's rise) and hold each against the others.

    The envelope at a point is the median of good runs and three robust deviations, of the others where the run is
    itself a good one. Raises `compare.few` for fewer than three runs.
    """
    if len(runs) < 3:
        raise MadangError("compare.few", _("Three runs are the fewest that can be compared."))
    names = [name for name in runs[0].signals if sum(name in run.signals for run in runs) >= 3]
    names += [n for run in runs[1:] for n in run.signals if n not in names and sum(n in r.signals for r in runs) >= 3]
    names = list(dict.fromkeys(names))
    if indicator and not all(indicator in run.signals for run in runs):
        raise MadangError("align.indicator", _("Not every run has the signal {name}.").format(name=indicator))
    longest = max(float(run.hours[-1]) for run in runs)
    axis = np.linspace(0, 1 if indicator else longest, POINTS)
    values = np.full((len(runs), POINTS, len(names)), np.nan)
    for place, run in enumerate(runs):
        table = np.stack([run.signals.get(name, np.full(len(run.hours), np.nan)) for name in names], 1)
        if indicator:
            rising = at(run.hours, run.signals[indicator][:, None], run.hours)[:, 0]
            whole = at(run.hours, table, run.hours)  # laboratory values stand at few hours only
            values[place] = by_indicator(run.hours, whole, rising, POINTS)
        else:
            values[place] = at(run.hours, table, axis)
    good = range(min(golden, len(runs)) if golden else len(runs))
    middle, low, high = _envelope(values[list(good)])
    outside: list[Outside] = []
    for place, run in enumerate(runs):
        others = [each for each in good if each != place]
        bounds = _envelope(values[others]) if len(others) >= 2 else (middle, low, high)
        outside += _outside(run.name, names, axis, values[place], *bounds)
    outside.sort(key=lambda each: -each.share * each.worst)
    columns = (_("hours"), _("outside"), *(f"{name} ({_('end')})" for name in names))
    rows: list[tuple[Any, ...]] = []
    for place, run in enumerate(runs):
        ends = [_last(values[place, :, column]) for column in range(len(names))]
        rows.append((run.name, float(run.hours[-1]), sum(each.run == run.name for each in outside), *ends))
    rows.sort(key=lambda row: -row[2])
    how = indicator or "hours"
    told = tuple(run.name for run in runs)
    return Comparison(told, tuple(names), axis, how, values, middle, low, high, tuple(outside), columns, tuple(rows))


def _envelope(values: Array) -> tuple[Array, Array, Array]:
    with np.errstate(all="ignore"):
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a point that no run has is NaN, which is what is meant
            middle = np.nanmedian(values, axis=0)
            width = 1.4826 * np.nanmedian(np.abs(values - middle), axis=0)
            scale = np.nanmax(np.abs(middle), axis=0)
    # Few runs agree by chance: the width at a point is at least half the usual one, and one percent of the scale.
    floor = np.maximum(0.5 * np.nan_to_num(np.nanmedian(width, axis=0)), 0.01 * np.nan_to_num(scale))
    width = np.maximum(width, floor)
    return middle, middle - WIDTH * width, middle + WIDTH * width


def _outside(
    run: str, names: list[str], axis: Array, values: Array, middle: Array, low: Array, high: Array
) -> Iterator[Outside]:
    for column, name in enumerate(names):
        with np.errstate(all="ignore"):
            out = (values[:, column] < low[:, column]) | (values[:, column] > high[:, column])
            far = np.abs(values[:, column] - middle[:, column]) / np.maximum(
                high[:, column] - middle[:, column], 1e-300
            )
        share = float(out.mean())
        if share >= LEAST_SHARE:
            where = np.flatnonzero(out)
            worst = float(np.nanmax(far[where]))
            yield Outside(run, name, float(axis[where[0]]), float(axis[where[-1]]), round(share, 4), round(worst, 2))


def _last(values: Array) -> float | None:
    known = values[np.isfinite(values)]
    return float(known[-1]) if len(known) else None


def _number(cell: Any) -> float:
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return float("nan")
    try:
        return float(cell)
    except (TypeError, ValueError):
        return float("nan")
