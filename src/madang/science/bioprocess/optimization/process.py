"""A Gaussian process with a Matern 5/2 kernel and one length per factor, found as the most probable values.

Lengths have a lognormal prior that grows with the number of factors: Hvarfner, Hellsten and Nardi, Vanilla Bayesian
optimization performs great in high dimensions, ICML 2024.
"""

from dataclasses import dataclass
from math import log, sqrt

import numpy as np
from numpy.typing import NDArray

from madang.science.bioprocess.needs import needs

Array = NDArray[np.float64]
ROOT5 = sqrt(5.0)
MOST_FITTED = 120  # points that lengths are found from; all points count in the answers


@dataclass(frozen=True)
class Process:
    """What was learned from results at `rows` (n, columns) of the unit cube.

    `center` and `scale` of the results; `logs`: logarithms of the lengths per factor, of the variance and of the noise;
    `weights` (n) and `inverse` (n, n) of the covariance.
    """

    rows: Array
    groups: NDArray[np.int64]
    center: float
    scale: float
    logs: Array
    weights: Array
    inverse: Array

    def predict(self, rows: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the true value (without noise) at rows (m, columns)."""
        mean, deviation = self.standard(rows)
        return self.center + self.scale * mean, self.scale * deviation

    def standard(self, rows: Array) -> tuple[Array, Array]:
        """The same in units of `scale` around `center`."""
        cross = kernel(rows, self.rows, self.groups, self.logs)
        mean = cross @ self.weights
        variance = np.exp(self.logs[-2]) - np.einsum("ij,ij->i", cross @ self.inverse, cross)
        return mean, np.sqrt(np.maximum(variance, 1e-10))

    @property
    def noise(self) -> float:
        """Standard deviation of one measurement, in the unit of the results."""
        return float(self.scale * np.exp(0.5 * self.logs[-1]))

    @property
    def lengths(self) -> Array:
        """Length per factor, in units of its range: short means that the factor matters."""
        return np.exp(self.logs[:-2])


def kernel(first: Array, second: Array, groups: NDArray[np.int64], logs: Array) -> Array:
    """Covariances between rows, (n, m)."""
    inverse = np.exp(-logs[:-2])[groups]
    one, two = first * inverse, second * inverse
    square = (one**2).sum(1)[:, None] + (two**2).sum(1)[None] - 2 * one @ two.T
    distance = np.sqrt(np.maximum(square, 0.0))
    return np.exp(logs[-2]) * (1 + ROOT5 * distance + 5 / 3 * distance**2) * np.exp(-ROOT5 * distance)


def fit(rows: Array, results: Array, groups: NDArray[np.int64], start: Array | None = None) -> Process:
    """The process of results (n) at rows (n, columns). Equal results give a process that knows only its prior."""
    center = float(results.mean())
    scale = float(results.std()) or max(1.0, abs(center))
    standard = (results - center) / scale
    factors = int(groups.max()) + 1
    chosen = _some(standard)
    squares = _squares(rows[chosen], groups, factors)
    if start is None:
        start = np.concatenate([np.full(factors, sqrt(2) + 0.5 * log(factors) - 1.0), [0.0, -4.0]])
    bounds = [(-4.0, 5.0)] * factors + [(-3.0, 3.0), (-14.0, 0.5)]
    minimize = needs("scipy.optimize").minimize
    answer = minimize(
        _negative,
        np.clip(start, [low for low, _high in bounds], [high for _low, high in bounds]),
        (squares, standard[chosen], factors),
        "L-BFGS-B",
        jac=True,
        bounds=bounds,
        options={"maxiter": 60 if len(chosen) < MOST_FITTED else 25},
    )
    return known(rows, standard, groups, answer.x, center, scale)


def known(rows: Array, standard: Array, groups: NDArray[np.int64], logs: Array, center: float, scale: float) -> Process:
    """The process with these `logs` and standardized results."""
    covariance = kernel(rows, rows, groups, logs) + (np.exp(logs[-1]) + 1e-8) * np.eye(len(rows))
    inverse = np.linalg.inv(covariance)
    return Process(rows, groups, center, scale, logs, inverse @ standard, (inverse + inverse.T) / 2)


def _some(standard: Array) -> NDArray[np.int64]:
    """Places of at most MOST_FITTED points: the best half of that number, and others evenly."""
    if len(standard) <= MOST_FITTED:
        return np.arange(len(standard))
    order = np.argsort(-standard)
    rest = order[MOST_FITTED // 2 :]
    even = rest[np.linspace(0, len(rest) - 1, MOST_FITTED - MOST_FITTED // 2).astype(int)]
    return np.concatenate([order[: MOST_FITTED // 2], even])


def _squares(rows: Array, groups: NDArray[np.int64], factors: int) -> Array:
    out = np.zeros((factors, len(rows), len(rows)))
    for column, factor in enumerate(groups):
        out[factor] += (rows[:, column][:, None] - rows[:, column][None]) ** 2
    return out


def _negative(logs: Array, squares: Array, standard: Array, factors: int) -> tuple[float, Array]:
    """Minus the logarithm of the posterior of `logs`, and its gradient."""
    inverse_squares = np.exp(-2 * logs[:factors])
    variance, noise = np.exp(logs[-2]), np.exp(logs[-1])
    distance = np.sqrt(np.maximum(np.tensordot(inverse_squares, squares, 1), 0.0))
    fall = variance * np.exp(-ROOT5 * distance)
    plain = (1 + ROOT5 * distance + 5 / 3 * distance**2) * fall
    covariance = plain + (noise + 1e-8) * np.eye(len(standard))
    try:
        lower = np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        return 1e10, np.zeros(len(logs))
    half = np.linalg.inv(lower)
    inverse = half.T @ half
    weights = inverse @ standard
    value = 0.5 * float(standard @ weights) + float(np.log(np.diag(lower)).sum())
    outer = np.outer(weights, weights) - inverse
    slope = 5 / 3 * (1 + ROOT5 * distance) * fall
    gradient = np.empty(len(logs))
    gradient[:factors] = -0.5 * np.tensordot(squares, outer * slope, 2) * inverse_squares
    gradient[-2] = -0.5 * float((outer * plain).sum())
    gradient[-1] = -0.5 * noise * float(np.trace(outer))
    middles = np.concatenate([np.full(factors, sqrt(2) + 0.5 * log(factors)), [0.0, -4.0]])
    widths = np.concatenate([np.full(factors, sqrt(3)), [1.0, 1.5]])
    away = (logs - middles) / widths
    return value + 0.5 * float(away @ away), gradient + away / widths
