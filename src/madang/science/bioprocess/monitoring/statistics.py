"""The two statistics: fitted from scaled samples, computed for scaled samples.

CVA: Larimore's canonical variates of past and future as used for monitoring by Russell, Chiang and Braatz,
Chemometrics and Intelligent Laboratory Systems 51 (2000) 81-93; the residual distance T_r^2.
Averages: Roberts, Technometrics 1 (1959) 239-250.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
FLOOR = 1e-8  # of the largest eigenvalue: smaller directions are noise of computing


@dataclass(frozen=True)
class Fitted:
    """The matrices of both statistics; see `Model`."""

    residual: Array
    predictor: Array
    whitening: Array


def stacked(samples: Array, lag: int) -> Array:
    """Row t holds samples t, t-1, ..., t-lag+1 side by side; before the first sample the mean (zero) is taken."""
    count, width = samples.shape
    padded = np.concatenate([np.zeros((lag - 1, width)), samples])
    return np.concatenate([padded[lag - 1 - back : lag - 1 - back + count] for back in range(lag)], axis=1)


def fit(samples: Array, keep: NDArray[np.bool_], lag: int, states: int, order: int, ridge: float) -> Fitted:
    """Both statistics from the scaled samples that are marked in `keep`; windows with an unmarked one are left out."""
    past = _windows(keep, lag, lag)
    stack = stacked(samples, lag)
    residual = _cva(stack[past], stack[past + lag], states)
    before = _windows(keep, order, 1)
    inputs, outputs = stacked(samples, order)[before], samples[before + 1]
    gram = inputs.T @ inputs + (ridge + 1e-9 * len(inputs)) * np.eye(inputs.shape[1])
    predictor = np.asarray(np.linalg.solve(gram, inputs.T @ outputs), dtype=np.float64)
    errors = outputs - inputs @ predictor
    values, vectors = np.linalg.eigh(errors.T @ errors / len(errors))
    whitening: Array = vectors / np.sqrt(np.clip(values, 1e-6, None))
    return Fitted(residual, predictor, whitening)


def _windows(keep: NDArray[np.bool_], back: int, ahead: int) -> NDArray[np.int64]:
    """Places t whose samples t-back+1 ... t+ahead are all kept."""
    gaps = np.concatenate([[0], np.cumsum(~keep)])
    places = np.arange(back - 1, len(keep) - ahead)
    return places[gaps[places + ahead + 1] == gaps[places - back + 1]]


def _cva(past: Array, future: Array, states: int) -> Array:
    first = _inverse_root(past.T @ past / len(past))
    second = _inverse_root(future.T @ future / len(past))
    left, _singular, _right = np.linalg.svd(first @ (past.T @ future / len(past)) @ second)
    return (left.T @ first)[states:]


def _inverse_root(covariance: Array) -> Array:
    values, vectors = np.linalg.eigh(covariance)
    kept = values > FLOOR * values[-1]
    return (vectors[:, kept] / np.sqrt(values[kept])) @ vectors[:, kept].T


def cva_distance(samples: Array, residual: Array, lag: int) -> Array:
    """T_r^2 of every sample."""
    return np.einsum("ij,ij->i", scores := stacked(samples, lag) @ residual.T, scores)


def errors_of(samples: Array, predictor: Array, order: int) -> Array:
    """What the one-step prediction missed, scaled units; the first sample is predicted by the mean."""
    predicted = stacked(samples, order)[:-1] @ predictor
    return samples - np.concatenate([np.zeros((1, samples.shape[1])), predicted])


def innovations_distance(samples: Array, predictor: Array, whitening: Array, order: int) -> Array:
    """Squared length of the whitened errors of prediction of every sample."""
    white = errors_of(samples, predictor, order) @ whitening
    return np.einsum("ij,ij->i", white, white)


def averaged(values: Array, memory: float, start: float) -> Array:
    """Averages with exponential weights, `memory` for the newest, beginning at `start`."""
    out, level = np.empty_like(values), start
    for place, value in enumerate(values):
        level += memory * (value - level)
        out[place] = level
    return out


def tolerance_limit(values: Array, content: float, confidence: float) -> float:
    """The value below which a share `content` lies, with `confidence`, of positive values of which these are a sample.

    A one-sided tolerance limit of a lognormal distribution (Natrella, Experimental Statistics, 1963, 2-15) whose number
    of observations is that of independent ones: neighbours in time repeat each other.
    """
    logs = np.log(np.maximum(values, 1e-300))
    count = max(8.0, independent(logs))
    normal = NormalDist()
    part, sure = normal.inv_cdf(content), normal.inv_cdf(confidence)
    first = 1 - sure**2 / (2 * (count - 1))
    factor = (part + np.sqrt(part**2 - first * (part**2 - sure**2 / count))) / first
    return float(np.exp(logs.mean() + factor * logs.std(ddof=1)))


def independent(values: Array) -> float:
    """How many independent observations a series is worth: its length over the sum of its autocorrelations."""
    centered = values - values.mean()
    power = float(centered @ centered)
    if power == 0:
        return float(len(values))
    total = 1.0
    for lag in range(1, len(values) // 4):
        correlation = float(centered[lag:] @ centered[:-lag]) / power
        if correlation <= 0:
            break
        total += 2 * correlation
    return len(values) / total
