"""Soft sensors: what is measured rarely, predicted from what is measured always, by partial least squares (PLS1).

NIPALS (Wold, Sjöström and Eriksson, Chemometrics and Intelligent Laboratory Systems 58 (2001) 109-130); the number of
components and the interval come from cross-validation. Development use.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.bioprocess import DEVELOPMENT_USE

Array = NDArray[np.float64]


@dataclass(frozen=True)
class SoftSensor:
    """A sensor: names of its inputs, coefficients, and the error that cross-validation found."""

    names: tuple[str, ...]
    mean: Array
    scale: Array
    coefficients: Array
    offset: float
    components: int
    error: float  # root mean square of cross-validation
    samples: int
    limit: float  # largest distance from the inputs' middle in training; beyond it the sensor says nothing
    metric: Array
    use: str = DEVELOPMENT_USE

    def predict(self, inputs: Array) -> tuple[Array, Array, NDArray[np.bool_]]:
        """Predictions, half widths of 95 % intervals, and whether the inputs are like those of training."""
        scaled = (inputs - self.mean) / self.scale
        distance = np.einsum("ij,jk,ik->i", scaled, self.metric, scaled)
        width = 1.96 * self.error * np.sqrt(1 + distance / self.samples)
        return self.offset + scaled @ self.coefficients, width, distance <= self.limit


def learn(names: tuple[str, ...], inputs: Array, wanted: Array, most: int = 10, folds: int = 10) -> SoftSensor:
    """A soft sensor from inputs (n, k) and wanted values (n); rows with a missing value are left out."""
    whole = np.isfinite(inputs).all(1) & np.isfinite(wanted)
    x, y = inputs[whole], wanted[whole]
    if len(x) < 10:
        raise MadangError("soft.few", _("Ten samples are the fewest that a soft sensor is made from."))
    most = min(most, x.shape[1], len(x) // 3)
    errors = np.zeros(most)
    for held in np.array_split(np.arange(len(x)), min(folds, len(x))):
        rest = np.setdiff1d(np.arange(len(x)), held)
        mean, scale = x[rest].mean(0), x[rest].std(0, ddof=1)
        scale = np.where(scale > 0, scale, 1.0)
        for number, line in enumerate(_pls((x[rest] - mean) / scale, y[rest] - y[rest].mean(), most)):
            told = y[rest].mean() + ((x[held] - mean) / scale) @ line
            errors[number] += float(((told - y[held]) ** 2).sum())
    # The fewest components that are not worse than the best by more than 5 percent.
    components = int(np.argmax(errors <= errors.min() * 1.05)) + 1
    mean, scale = x.mean(0), x.std(0, ddof=1)
    scale = np.where(scale > 0, scale, 1.0)
    scaled = (x - mean) / scale
    line = _pls(scaled, y - y.mean(), components)[-1]
    shape = np.cov(scaled.T).reshape(x.shape[1], x.shape[1]) + 1e-6 * np.eye(x.shape[1])
    metric = np.asarray(np.linalg.pinv(shape), dtype=np.float64)
    limit = 1.5 * float(np.einsum("ij,jk,ik->i", scaled, metric, scaled).max())
    error = sqrt(errors[components - 1] / len(x))
    return SoftSensor(names, mean, scale, line, float(y.mean()), components, error, len(x), limit, metric)


def _pls(x: Array, y: Array, components: int) -> list[Array]:
    """Coefficients with 1, 2, ... components."""
    x, y = x.copy(), y.copy()
    weights: list[Array] = []
    loadings: list[Array] = []
    inner: list[float] = []
    out: list[Array] = []
    for _component in range(components):
        weight = x.T @ y
        size = float(np.linalg.norm(weight))
        if size < 1e-12:
            out.append(out[-1] if out else np.zeros(x.shape[1]))
            continue
        weight /= size
        score = x @ weight
        power = float(score @ score)
        loading, regress = x.T @ score / power, float(y @ score) / power
        x -= np.outer(score, loading)
        y -= regress * score
        weights.append(weight)
        loadings.append(loading)
        inner.append(regress)
        w, p = np.array(weights).T, np.array(loadings).T
        out.append(w @ np.linalg.solve(p.T @ w, np.array(inner)))
    return out
