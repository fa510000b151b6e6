"""Integrating many batches: Dormand and Prince's method of order 5 with its own step for each, compiled, in threads.

Steps end exactly where a feed or a temperature changes and where an answer is wanted, so that no change is stepped
over. J. Comput. Appl. Math. 6 (1980) 19-26.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.bioprocess.needs import needs
from madang.science.bioprocess.twin.kinetics import CONTROLS, STATES, Kinetics, V, prepare, rates

numba = needs("numba")
Array = NDArray[np.float64]
MOST_STEPS = 200_000  # of one batch; reached only with parameters that make no sense


@dataclass(frozen=True)
class Batches:
    """What to compute, n batches.

    `parameters`: (n, parameters of the kinetics); `start`: (n, 10), in the order of STATES; `edges`: (n, k+1) hours at
    which controls change, increasing, the first is the beginning; `controls`: (n, k, 4) in the order of CONTROLS,
    each held from its edge to the next.
    """

    kinetics: Kinetics
    parameters: Array
    start: Array
    edges: Array
    controls: Array

    def checked(self) -> "Batches":
        """These, if their shapes agree and their values can be; raises `twin.batch` otherwise."""
        count = len(self.parameters)
        fits = (
            self.parameters.shape == (count, len(self.kinetics.parameters))
            and self.start.shape == (count, len(STATES))
            and self.edges.ndim == 2
            and self.edges.shape[0] == count
            and self.controls.shape == (count, self.edges.shape[1] - 1, len(CONTROLS))
        )
        if not fits:
            raise MadangError("twin.batch", _("The shapes of parameters, start, edges and controls do not agree."))
        for part in (self.parameters, self.start, self.edges, self.controls):
            if not np.isfinite(part).all():
                raise MadangError("twin.batch", _("A parameter, a start, a time or a control is not a finite number."))
        if (self.start[:, V] <= 0).any() or (self.start < 0).any():
            raise MadangError("twin.batch", _("A batch begins with a volume above 0 and nothing below 0."))
        if (np.diff(self.edges, axis=1) < 0).any():
            raise MadangError("twin.batch", _("The times at which controls change must increase."))
        if (self.controls[:, :, :3] < 0).any():
            raise MadangError("twin.batch", _("A feed cannot be negative."))
        return self


def solve(batches: Batches, times: Array, tolerance: float = 1e-6) -> Array:
    """States of all batches at `times` (hours, increasing): (n, times, 10).

    `tolerance` is relative, per step. Raises `twin.batch` for input that cannot be, and `twin.failed` where a batch
    does not come to its end.
    """
    batches.checked()
    times = np.ascontiguousarray(times, dtype=float)
    if times.ndim != 1 or not len(times) or not np.isfinite(times).all() or (np.diff(times) < 0).any():
        raise MadangError("twin.batch", _("The times of the answers must be finite and increase."))
    out = np.empty((len(batches.parameters), len(times), len(STATES)))
    failed = np.zeros(len(batches.parameters), dtype=np.bool_)
    _solve_all(
        batches.kinetics.kind,
        np.ascontiguousarray(batches.parameters),
        np.ascontiguousarray(batches.start),
        np.ascontiguousarray(batches.edges),
        np.ascontiguousarray(batches.controls),
        times,
        tolerance,
        out,
        failed,
    )
    if failed.any():
        text = _("Batch {number} does not come to its end with these parameters.")
        raise MadangError("twin.failed", text.format(number=int(np.flatnonzero(failed)[0]) + 1))
    return out


@numba.njit(cache=True, error_model="numpy")
def _step(kind, y, u, p, w, h, k, mid, new):  # type: ignore[no-untyped-def]  # plain arrays
    """One step of size `h`; k[0] holds the derivative at its begin, k[6] then that at its end; the error norm."""
    n = y.shape[0]
    for i in range(n):
        mid[i] = y[i] + h * 0.2 * k[0, i]
    rates(kind, mid, u, p, w, k[1])
    for i in range(n):
        mid[i] = y[i] + h * (0.075 * k[0, i] + 0.225 * k[1, i])
    rates(kind, mid, u, p, w, k[2])
    for i in range(n):
        mid[i] = y[i] + h * (44 / 45 * k[0, i] - 56 / 15 * k[1, i] + 32 / 9 * k[2, i])
    rates(kind, mid, u, p, w, k[3])
    for i in range(n):
        mid[i] = y[i] + h * (
            19372 / 6561 * k[0, i] - 25360 / 2187 * k[1, i] + 64448 / 6561 * k[2, i] - 212 / 729 * k[3, i]
        )
    rates(kind, mid, u, p, w, k[4])
    for i in range(n):
        mid[i] = y[i] + h * (
            9017 / 3168 * k[0, i]
            - 355 / 33 * k[1, i]
            + 46732 / 5247 * k[2, i]
            + 49 / 176 * k[3, i]
            - 5103 / 18656 * k[4, i]
        )
    rates(kind, mid, u, p, w, k[5])
    for i in range(n):
        new[i] = y[i] + h * (
            35 / 384 * k[0, i] + 500 / 1113 * k[2, i] + 125 / 192 * k[3, i] - 2187 / 6784 * k[4, i] + 11 / 84 * k[5, i]
        )
    rates(kind, new, u, p, w, k[6])
    worst = 0.0
    for i in range(n):
        error = h * (
            71 / 57600 * k[0, i]
            - 71 / 16695 * k[2, i]
            + 71 / 1920 * k[3, i]
            - 17253 / 339200 * k[4, i]
            + 22 / 525 * k[5, i]
            - 1 / 40 * k[6, i]
        )
        scale = max(abs(y[i]), abs(new[i])) + 1e-3
        worst = max(worst, abs(error) / scale)
    return worst


@numba.njit(cache=True, parallel=True, error_model="numpy")
def _solve_all(kind, parameters, start, edges, controls, times, tolerance, out, failed):  # type: ignore[no-untyped-def]  # plain arrays
    for batch in numba.prange(parameters.shape[0]):
        failed[batch] = _solve_one(
            kind, parameters[batch], start[batch], edges[batch], controls[batch], times, tolerance, out[batch]
        )


@numba.njit(cache=True, error_model="numpy")
def _solve_one(kind, p, start, edges, controls, times, tolerance, out):  # type: ignore[no-untyped-def]  # plain arrays
    n = start.shape[0]
    y, new, mid, k, w = start.copy(), np.empty(n), np.empty(n), np.empty((7, n)), np.zeros(4)
    segments, now, place, h, steps = controls.shape[0], edges[0], 0, 0.5, 0
    segment = 0
    while segment < segments - 1 and edges[segment + 1] <= now:
        segment += 1
    prepare(kind, controls[segment], p, w)
    rates(kind, y, controls[segment], p, w, k[0])
    while place < times.shape[0] and times[place] <= now:
        out[place] = y
        place += 1
    last = times[times.shape[0] - 1]
    while place < times.shape[0]:
        goal = last
        if segment < segments - 1 and edges[segment + 1] < goal:
            goal = edges[segment + 1]
        whole = h >= goal - now
        size = goal - now if whole else h
        error = _step(kind, y, controls[segment], p, w, size, k, mid, new) / tolerance
        steps += 1
        if steps > MOST_STEPS or not error < 1e300:
            out[place:] = np.nan
            return True
        if error > 1.0:
            h = size * max(0.2, 0.9 * error**-0.2)
            continue
        place = _between(now, size, goal if whole else now + size, y, new, k, times, place, out)
        now = goal if whole else now + size
        for i in range(n):
            y[i] = max(new[i], 0.0)
            k[0, i] = k[6, i]
        grown = size * min(5.0, 0.9 * max(error, 1e-9) ** -0.2)
        h = max(h, grown) if whole else grown
        changed = False
        while segment < segments - 1 and edges[segment + 1] <= now:
            segment += 1
            changed = True
        if changed:
            prepare(kind, controls[segment], p, w)
            rates(kind, y, controls[segment], p, w, k[0])
            h = min(h, 1.0)
    return False


@numba.njit(cache=True, error_model="numpy")
def _between(now, size, until, y, new, k, times, place, out):  # type: ignore[no-untyped-def]  # plain arrays
    """Answers at the times within the step just made, by the method's own polynomial of degree 4; the next place."""
    while place < times.shape[0] and times[place] <= until:
        at = (times[place] - now) / size
        rest = 1.0 - at
        for i in range(y.shape[0]):
            change = new[i] - y[i]
            bend = size * k[0, i] - change
            twist = change - size * k[6, i] - bend
            last = size * (
                -12715105075 / 11282082432 * k[0, i]
                + 87487479700 / 32700410799 * k[2, i]
                - 10690763975 / 1880347072 * k[3, i]
                + 701980252875 / 199316789632 * k[4, i]
                - 1453857185 / 822651844 * k[5, i]
                + 69997945 / 29380423 * k[6, i]
            )
            out[place, i] = max(0.0, y[i] + at * (change + rest * (bend + at * (twist + rest * last))))
        place += 1
    return place
