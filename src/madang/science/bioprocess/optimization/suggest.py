"""What to try next: the experiments whose expected improvement is largest, one after another within a batch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from madang.science.bioprocess.design.factors import Array, Point, Space
from madang.science.bioprocess.needs import needs
from madang.science.bioprocess.optimization.acquisition import log_improvement, log_probability
from madang.science.bioprocess.optimization.process import Process, fit, known

SPREAD = 1024  # points at which the acquisition is first looked at
CLIMBED = 6  # of them from which it is climbed; fewer where many experiments make each look dear
Guess = Callable[[Array], tuple[Array, Array]]  # mean and standard deviation at rows


@dataclass(frozen=True)
class Aim:
    """A result to be made large (or small), or only to be kept between `least` and `most`."""

    name: str
    maximize: bool | None = True  # None: no aim, only the range counts
    least: float = float("-inf")
    most: float = float("inf")


@dataclass(frozen=True)
class Suggested:
    """An experiment to try: its factors, per result (mean, standard deviation) expected, and why.

    `promise` is the expected improvement, in standard deviations of the results; `why` is "improve" where the
    expectation is above the best so far, "explore" where little is known.
    """

    point: Point
    expected: dict[str, tuple[float, float]]
    promise: float
    why: str


@dataclass(frozen=True)
class Surrogate:
    """What is believed of one result: what an earlier campaign said, calibrated, and a process of the difference."""

    process: Process
    guess: Process | None
    offset: float
    slope: float

    def __call__(self, rows: Array) -> tuple[Array, Array]:
        """Mean and standard deviation at rows."""
        mean, deviation = self.process.predict(rows)
        return mean + self._first(rows), deviation

    def _first(self, rows: Array) -> Array | float:
        return 0.0 if self.guess is None else self.offset + self.slope * self.guess.predict(rows)[0]

    def with_pending(self, rows: Array) -> "Surrogate":
        """The same, taking experiments that wait to give their expectation: what is sure there, is not tried again."""
        if not len(rows):
            return self
        old = self.process
        standard = np.linalg.solve(old.inverse, old.weights)
        both = np.concatenate([old.rows, rows])
        values = np.concatenate([standard, old.standard(rows)[0]])
        return Surrogate(
            known(both, values, old.groups, old.logs, old.center, old.scale), self.guess, self.offset, self.slope
        )


def learn(space: Space, rows: Array, values: Array, guess: Process | None = None) -> Surrogate:
    """The surrogate of one result at encoded rows; NaN is an experiment that gave none."""
    done = np.isfinite(values)
    offset, slope = _calibrated(guess, rows[done], values[done])
    first = offset + slope * guess.predict(rows[done])[0] if guess is not None else 0.0
    return Surrogate(fit(rows[done], values[done] - first, space.groups), guess, offset, slope)


def suggest(
    space: Space,
    aims: Sequence[Aim],
    points: Sequence[Mapping[str, Any]],
    results: Mapping[str, Array],
    count: int = 1,
    seed: int = 1,
    earlier: Sequence[tuple[Sequence[Mapping[str, Any]], Mapping[str, Array]]] = (),
) -> tuple[list[Suggested], dict[str, Surrogate]]:
    """`count` experiments to try after `points` with `results` (name: values, NaN where it failed).

    Several aims are weighed anew for each suggestion (augmented Chebyshev weights, as ParEGO: Knowles, IEEE Trans.
    Evol. Comput. 10 (2006) 50-66). `earlier` campaigns give a first guess that what was measured here corrects.
    Returns also what is believed of each result.
    """
    rows = space.encode(points)
    guesses = _guesses(space, aims, earlier)
    believed = {
        aim.name: learn(space, rows, np.asarray(results[aim.name], float), guesses.get(aim.name)) for aim in aims
    }
    wanted = [aim for aim in aims if aim.maximize is not None]
    random = np.random.default_rng(seed)
    weights = random.dirichlet(np.ones(len(wanted)), size=count)
    out: list[Suggested] = []
    waiting = np.empty((0, rows.shape[1]))
    for number in range(count):
        seen = np.concatenate([rows, waiting])
        target, best, scale = _target(space, wanted, weights[number], believed, seen, waiting)

        def acquisition(at: Array, target: Guess = target, best: float = best) -> Array:
            value = log_improvement(*target(at), best)
            for aim in aims:
                if np.isfinite(aim.least) or np.isfinite(aim.most):
                    value = value + log_probability(*believed[aim.name](at), aim.least, aim.most)
            return value

        row, value = climb(space, acquisition, seen, seed + 7919 * number + len(rows))
        expected = {aim.name: (float((told := believed[aim.name](row[None]))[0][0]), float(told[1][0])) for aim in aims}
        above = float(target(row[None])[0][0]) > best
        promise = float(np.exp(min(value, 50.0))) / scale
        out.append(Suggested(space.decode(row), expected, promise, "improve" if above else "explore"))
        waiting = np.concatenate([waiting, row[None]])
    return out, believed


def climb(space: Space, acquisition: Callable[[Array], Array], seen: Array, seed: int) -> tuple[Array, float]:
    """The row with the largest acquisition: from spread points and neighbors of the seen, climbed by gradients."""
    random = np.random.default_rng(seed)
    near = seen[random.integers(len(seen), size=SPREAD // 4)]
    near = np.clip(near + 0.05 * random.standard_normal(near.shape), 0, 1)
    candidates = np.concatenate([space.sample(SPREAD, seed), space.snap(near)])
    if space.constraints:
        inside = [space.allowed(space.decode(row)) for row in candidates]
        candidates = candidates[np.array(inside)]
    candidates = _new(candidates, seen)
    values = acquisition(candidates)
    best_row, best = candidates[int(np.argmax(values))], float(values.max())
    movable = np.array([not space.factors[group].discrete for group in space.groups])
    if movable.any():
        for start in np.argsort(-values)[: CLIMBED if len(seen) < 150 else CLIMBED // 3]:
            row = _climbed(space, acquisition, candidates[start], movable)
            if row is None:
                continue
            point = space.decode(row)
            row = space.encode([point])[0]
            if not space.allowed(point) or not len(_new(row[None], seen)):
                continue
            value = float(acquisition(row[None])[0])
            if value > best:
                best_row, best = row, value
    return best_row, best


def _climbed(space: Space, acquisition: Callable[[Array], Array], start: Array, movable: Array) -> Array | None:
    minimize = needs("scipy.optimize").minimize
    places = np.flatnonzero(movable)
    step = 1e-5

    def negative(free: Array) -> tuple[float, Array]:
        up, down = np.minimum(free + step, 1.0), np.maximum(free - step, 0.0)
        rows = np.tile(start, (2 * len(places) + 1, 1))
        rows[:, places] = free
        rows[np.arange(len(places)), places] = up
        rows[len(places) + np.arange(len(places)), places] = down
        values = acquisition(rows)
        slopes = (values[: len(places)] - values[len(places) : -1]) / (up - down)
        return -float(values[-1]), -slopes

    options: dict[str, Any] = {"method": "L-BFGS-B", "options": {"maxiter": 30}}
    if space.constraints:
        options = {"method": "SLSQP", "options": {"maxiter": 30}, "constraints": _linear(space, start, places)}
    with np.errstate(all="ignore"):
        answer = minimize(negative, start[places], jac=True, bounds=[(0.0, 1.0)] * len(places), **options)
    if not np.isfinite(answer.x).all():
        return None
    row = start.copy()
    row[places] = np.clip(answer.x, 0, 1)
    return row


def _linear(space: Space, start: Array, places: Any) -> list[dict[str, Any]]:
    """The constraints as functions of the free columns."""

    def slack(free: Array, number: int) -> float:
        row = start.copy()
        row[places] = np.clip(free, 0, 1)
        return space.constraints[number].slack(space.decode(row))

    return [{"type": "ineq", "fun": slack, "args": (number,)} for number in range(len(space.constraints))]


def _new(rows: Array, seen: Array) -> Array:
    """Rows that are not among the seen; all of them if that leaves none."""
    fresh = np.ones(len(rows), dtype=bool)
    for row in seen:
        fresh &= np.abs(rows - row).max(1) > 1e-7
    return rows[fresh] if fresh.any() or len(rows) == 1 else rows


def _target(
    space: Space,
    wanted: Sequence[Aim],
    weights: Array,
    believed: Mapping[str, Surrogate],
    seen: Array,
    waiting: Array,
) -> tuple[Guess, float, float]:
    """What is to be made large (mean and deviation at rows), its best so far that keeps all ranges, and its scale."""
    signs = np.array([1.0 if aim.maximize else -1.0 for aim in wanted])
    means = np.stack([sign * believed[aim.name](seen)[0] for sign, aim in zip(signs, wanted, strict=True)], 1)
    keeps = np.ones(len(seen), dtype=bool)
    for sign, aim, mean in zip(signs, wanted, means.T, strict=True):
        keeps &= (sign * mean >= aim.least) & (sign * mean <= aim.most)
    if len(wanted) == 1:
        only = believed[wanted[0].name].with_pending(waiting)

        def target(at: Array) -> tuple[Array, Array]:
            mean, deviation = only(at)
            return signs[0] * mean, deviation

        values, scale = means[:, 0], only.process.scale
    else:
        low, high = means.min(0), means.max(0)
        unit = weights * (means - low) / np.maximum(high - low, 1e-12)
        values = unit.min(1) + 0.05 * unit.sum(1)
        process = fit(seen, values, space.groups)
        scale = process.scale
        return process.predict, float(values[keeps].max()) if keeps.any() else float(values.min()), scale
    best = float(values[keeps].max()) if keeps.any() else float(values.min())
    return target, best, scale


def _guesses(space: Space, aims: Sequence[Aim], earlier: Sequence[Any]) -> dict[str, Process]:
    """A process per result over all earlier campaigns that measured it."""
    out = {}
    for aim in aims:
        parts = [(space.encode(points), values[aim.name]) for points, values in earlier if aim.name in values]
        if not parts:
            continue
        rows = np.concatenate([row for row, _values in parts])
        values = np.concatenate([np.asarray(told, float) for _row, told in parts])
        done = np.isfinite(values)
        if done.sum() >= 3:
            out[aim.name] = fit(rows[done], values[done], space.groups)
    return out


def _calibrated(guess: Process | None, rows: Array, values: Array) -> tuple[float, float]:
    """Offset and slope that bring an earlier campaign's guess to the results of this one, the slope held near 1."""
    if guess is None:
        return 0.0, 0.0
    told = guess.predict(rows)[0]
    around = told - told.mean()
    held = 4 * float(told.var()) + 1e-12
    slope = (float(around @ (values - values.mean())) + held) / (float(around @ around) + held)
    return float(values.mean() - slope * told.mean()), slope
