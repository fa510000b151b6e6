"""Fitting the twin to runs: parameters with intervals, which of them the runs do not tell, and what is left over."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from madang.base.errors import MadangError
from madang.base.progress import Progress, Silent
from madang.base.translate import _
from madang.science.bioprocess.needs import needs
from madang.science.bioprocess.twin.kinetics import CONTROLS, STATES, Kinetics
from madang.science.bioprocess.twin.recipe import Change, Recipe
from madang.science.bioprocess.twin.solve import Array, Batches, solve

FITTED = {
    "cho": ("mu_max", "kd", "Y_x_glc", "Y_lac_glc", "Y_x_gln", "Y_amm_gln", "q_p"),
    "penicillin": ("mu_x", "mu_p", "K", "Y_xs", "m_x"),
}
UNCLEAR = 1.0  # standard error of a logarithm from which a parameter is not told by the runs
_HOURS = ("hours", "time_h", "time", "hour", "h")


@dataclass(frozen=True)
class Run:
    """One cultivation as it was: hours (m), readings (m, 10) with NaN where nothing was read, and how it was fed."""

    name: str
    hours: Array
    readings: Array
    recipe: Recipe


@dataclass(frozen=True)
class Estimate:
    """A parameter: its value, a 95 % interval, and whether the runs tell it at all."""

    name: str
    value: float
    low: float
    high: float
    told: bool


@dataclass(frozen=True)
class Fit:
    """What was learned: estimates, their correlations (p, p), the error left per state, and how many readings."""

    kinetics: Kinetics
    estimates: tuple[Estimate, ...]
    correlations: Array
    residuals: dict[str, float]
    readings: int
    runs: int

    @property
    def parameters(self) -> dict[str, float]:
        """The estimates by name."""
        return {each.name: each.value for each in self.estimates}


def read_run(path: Path, kinetics: Kinetics) -> Run:
    """A run from CSV: a column of hours, columns named as STATES and CONTROLS; an empty cell is no reading.

    A control holds from its row to the next that gives one. The first reading of a state is its start.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise MadangError("twin.run", _("Cannot read the run {file}: {why}.").format(file=path, why=error)) from None
    columns = list(table[0]) if table else []
    clock = next((name for name in _HOURS if name in columns), None)
    measured = [name for name in STATES if name in columns]
    if clock is None or not measured:
        text = _("{file} is no run: it needs a column of hours and one of what was measured.").format(file=path)
        raise MadangError("twin.run", text, _("Columns: hours, {names}.").format(names=", ".join(STATES)))
    hours = np.array([_cell(row[clock], path, clock) for row in table])
    if not np.isfinite(hours).all() or (np.diff(hours) <= 0).any():
        raise MadangError("twin.run", _("The hours of {file} do not increase from row to row.").format(file=path))
    readings = np.full((len(table), len(STATES)), np.nan)
    for name in measured:
        readings[:, STATES.index(name)] = [_cell(row[name], path, name) for row in table]
    changes = [
        Change(float(hour - hours[0]), **{key: value for key, value in given.items() if np.isfinite(value)})
        for hour, row in zip(hours, table, strict=True)
        if (given := {name: _cell(row.get(name), path, name) for name in CONTROLS if name in columns})
        and any(np.isfinite(value) for value in given.values())
    ]
    start = {}
    for name in measured:
        column = readings[:, STATES.index(name)]
        if np.isfinite(column[0]):
            start[name] = float(column[0])
    recipe = Recipe(kinetics, float(hours[-1] - hours[0]), start=start, changes=tuple(changes))
    return Run(path.stem, hours - hours[0], readings, recipe)


def fit(runs: Sequence[Run], kinetics: Kinetics, names: Sequence[str] = (), progress: Progress | None = None) -> Fit:
    """Parameters by weighted least squares on their logarithms, all runs at once.

    Each state is weighed by the error that the fit itself leaves, found in two rounds. Raises `twin.fit` where there
    are fewer readings than parameters.
    """
    progress = progress or Silent()
    names = tuple(names or FITTED[kinetics.name])
    kinetics.values({name: 1.0 for name in names})
    if not runs:
        raise MadangError("twin.fit", _("There is no run to learn from."))
    batches, times, places, data, states = _gathered(runs, kinetics)
    if len(data) <= len(names):
        text = _("{readings} readings cannot tell {parameters} parameters.")
        raise MadangError("twin.fit", text.format(readings=len(data), parameters=len(names)))
    columns = [kinetics.names.index(name) for name in names]
    begin = np.log(np.maximum(kinetics.values()[columns], 1e-12))
    least_squares = needs("scipy.optimize").least_squares

    def predicted(logs: Array) -> Array:
        """Readings that each row of `logs` (k, p) would give: (k, readings)."""
        many = len(logs)
        parameters = np.tile(batches.parameters, (many, 1))
        parameters[:, columns] = np.repeat(np.exp(logs), len(runs), axis=0)
        answer = solve(
            Batches(
                kinetics,
                parameters,
                np.tile(batches.start, (many, 1)),
                np.tile(batches.edges, (many, 1)),
                np.tile(batches.controls, (many, 1, 1)),
            ),
            times,
            1e-7,
        ).reshape(many, len(runs), len(times), len(STATES))
        return answer[:, places[0], places[1], places[2]]

    width = np.array(
        [max(1e-9, 0.1 * float(np.ptp(data[states == s])) + 1e-3) for s in range(len(STATES)) if (states == s).any()]
    )
    scale = np.empty(len(data))
    for value, state in zip(width, np.unique(states), strict=True):
        scale[states == state] = value
    step = 1e-4
    logs = begin
    with progress.step(_("fit"), 2, _("rounds")):
        for _round in range(2):

            def jacobian(at: Array, scale: Array = scale) -> Array:
                many = predicted(np.concatenate([at + step * np.eye(len(at)), at - step * np.eye(len(at))]))
                return ((many[: len(at)] - many[len(at) :]) / (2 * step) / scale).T

            def misses(at: Array, scale: Array = scale) -> Array:
                return (predicted(at[None])[0] - data) / scale

            answer = least_squares(
                misses, logs, jac=jacobian, loss="soft_l1", bounds=(begin - 4, begin + 4), max_nfev=60
            )
            logs = answer.x
            left = predicted(logs[None])[0] - data
            scale = scale.copy()
            for state in np.unique(states):
                mine = states == state
                scale[mine] = max(
                    1.4826 * float(np.median(np.abs(left[mine]))), 1e-6 * float(np.abs(data[mine]).max()), 1e-9
                )
            progress.advance()
    return _answer(kinetics, names, logs, jacobian(logs, scale), left, states, scale, len(runs))


def _gathered(runs, kinetics):  # type: ignore[no-untyped-def]  # plain arrays
    """All runs as batches of one length of schedule; the places and values of all readings but those of the start."""
    times = np.unique(np.concatenate([run.hours for run in runs]))
    plans = [run.recipe.schedule() for run in runs]
    longest = max(len(controls) for _edges, controls in plans)
    edges = np.stack([np.pad(e, (0, longest + 1 - len(e)), mode="edge") for e, _c in plans])
    edges[:, -1] = np.maximum(edges[:, -1], times[-1])
    controls = np.stack([np.pad(c, ((0, longest - len(c)), (0, 0)), mode="edge") for _e, c in plans])
    batches = Batches(
        kinetics,
        np.stack([kinetics.values(run.recipe.parameters) for run in runs]),
        np.stack([run.recipe.state() for run in runs]),
        edges,
        controls,
    )
    which, at, states, data = [], [], [], []
    for number, run in enumerate(runs):
        rows, columns = np.nonzero(np.isfinite(run.readings))
        later = (rows > 0) & (columns != STATES.index("volume"))
        rows, columns = rows[later], columns[later]
        which.append(np.full(len(rows), number))
        at.append(np.searchsorted(times, run.hours[rows]))
        states.append(columns)
        data.append(run.readings[rows, columns])
    joined = [np.concatenate(part) for part in (which, at, states)]
    return batches, times, joined, np.concatenate(data), joined[2]


def _answer(kinetics, names, logs, jacobian, left, states, scale, runs):  # type: ignore[no-untyped-def]  # plain arrays
    information = jacobian.T @ jacobian
    values, vectors = np.linalg.eigh(information)
    floor = max(float(values[-1]) * 1e-14, 1e-12)
    covariance = (vectors / np.maximum(values, floor)) @ vectors.T
    spread = max(1.0, float(((left / scale) ** 2).sum()) / max(1, len(left) - len(names)))
    errors = np.sqrt(np.diag(covariance) * min(spread, 25.0))
    estimates = tuple(
        Estimate(
            name,
            float(np.exp(log)),
            float(np.exp(log - 1.96 * min(error, 20))),
            float(np.exp(log + 1.96 * min(error, 20))),
            bool(error < UNCLEAR),
        )
        for name, log, error in zip(names, logs, errors, strict=True)
    )
    norm = np.sqrt(np.diag(covariance))
    residuals = {STATES[s]: float(np.sqrt((left[states == s] ** 2).mean())) for s in np.unique(states)}
    return Fit(kinetics, estimates, covariance / np.outer(norm, norm), residuals, len(left), runs)


def _cell(text: str | None, path: Path, column: str) -> float:
    if text is None or not text.strip():
        return float("nan")
    try:
        return float(text)
    except ValueError:
        words = _("{file}: {value!r} in column {column} is no number.").format(
            file=path, value=text[:40], column=column
        )
        raise MadangError("twin.run", words) from None
