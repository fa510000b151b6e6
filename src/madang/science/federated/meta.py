"""Meta-analysis of estimates that sites made on their own: an approximation of the pooled fit, and said so."""

import math
from collections.abc import Sequence

import numpy as np


def fixed_effect(estimates: Sequence[float], errors: Sequence[float]) -> dict[str, float]:
    """The inverse-variance mean, with Cochran's Q and I2 (percent)."""
    y, v = np.asarray(estimates, float), np.asarray(errors, float) ** 2
    w = 1 / v
    beta = float((w * y).sum() / w.sum())
    q = float((w * (y - beta) ** 2).sum())
    free = y.size - 1
    return _told(beta, 1 / math.sqrt(w.sum()), 0.0, q, max(0.0, (q - free) / q * 100) if q > 0 else 0.0)


def der_simonian_laird(estimates: Sequence[float], errors: Sequence[float]) -> dict[str, float]:
    """Random effects, tau2 by the method of moments (DerSimonian and Laird 1986)."""
    y, v = np.asarray(estimates, float), np.asarray(errors, float) ** 2
    fixed = fixed_effect(estimates, errors)
    w = 1 / v
    c = w.sum() - (w**2).sum() / w.sum()
    tau2 = max(0.0, (fixed["Q"] - (y.size - 1)) / c)
    return _random(y, v, tau2, fixed["Q"], fixed["I2"])


def reml(estimates: Sequence[float], errors: Sequence[float]) -> dict[str, float]:
    """Random effects, tau2 by restricted maximum likelihood (Fisher scoring; Viechtbauer 2005)."""
    y, v = np.asarray(estimates, float), np.asarray(errors, float) ** 2
    fixed = fixed_effect(estimates, errors)
    tau2 = der_simonian_laird(estimates, errors)["tau2"]
    for _round in range(500):
        w = 1 / (v + tau2)
        mean = (w * y).sum() / w.sum()
        p = np.diag(w) - np.outer(w, w) / w.sum()
        residual = y - mean
        step = (residual @ (w**2 * residual) - np.trace(p)) / np.trace(p @ p)
        new = max(0.0, tau2 + step)
        if abs(new - tau2) <= 1e-15 * max(1.0, tau2):
            tau2 = new
            break
        tau2 = new
    typical = (y.size - 1) * (1 / v).sum() / ((1 / v).sum() ** 2 - (1 / v**2).sum())
    return _random(y, v, tau2, fixed["Q"], 100 * tau2 / (tau2 + typical))


def _random(y: np.ndarray, v: np.ndarray, tau2: float, q: float, i2: float) -> dict[str, float]:
    w = 1 / (v + tau2)
    return _told(float((w * y).sum() / w.sum()), float(1 / math.sqrt(w.sum())), tau2, q, i2)


def _told(beta: float, se: float, tau2: float, q: float, i2: float) -> dict[str, float]:
    z = 1.959963984540054
    return {"beta": beta, "se": se, "low": beta - z * se, "high": beta + z * se, "tau2": tau2, "Q": q, "I2": i2}
