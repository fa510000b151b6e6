"""Logarithm of expected improvement, safe where the improvement is tiny.

Ament, Daulton, Eriksson, Balandat and Bakshy, Unexpected improvements to expected improvement for Bayesian
optimization, NeurIPS 2023.
"""

from math import log, pi

import numpy as np

from madang.science.bioprocess.needs import needs
from madang.science.bioprocess.optimization.process import Array

_HALF_LOG_2PI = 0.5 * log(2 * pi)


def log_improvement(mean: Array, deviation: Array, best: float) -> Array:
    """log E[max(f - best, 0)] of normal values; everything in one unit."""
    return _log_h((mean - best) / deviation) + np.log(deviation)


def log_probability(mean: Array, deviation: Array, least: float, most: float) -> Array:
    """log P(least <= f <= most) of normal values."""
    special = needs("scipy.special")
    high, low = (most - mean) / deviation, (least - mean) / deviation
    if not np.isfinite(least):
        return special.log_ndtr(high)
    if not np.isfinite(most):
        return special.log_ndtr(-low)
    return np.log(np.maximum(special.ndtr(high) - special.ndtr(low), 1e-300))


def _log_h(z: Array) -> Array:
    """log(phi(z) + z Phi(z)), in three pieces."""
    special = needs("scipy.special")
    out = np.empty_like(z)
    large = z > -1
    at = z[large]
    out[large] = np.log(np.exp(-0.5 * at**2 - _HALF_LOG_2PI) + at * special.ndtr(at))
    middle = ~large & (z > -1e6)
    at = z[middle]
    inner = np.log(special.erfcx(-at / np.sqrt(2)) * np.abs(at)) + 0.5 * log(pi / 2)
    out[middle] = -0.5 * at**2 - _HALF_LOG_2PI + np.log(-np.expm1(np.minimum(inner, -1e-16)))
    small = ~large & ~middle
    at = z[small]
    out[small] = -0.5 * at**2 - _HALF_LOG_2PI - 2 * np.log(np.abs(at))
    return out
