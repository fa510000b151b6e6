"""Alignment: runs that do not go equally fast are brought onto one axis before they are compared.

Time warping: Sakoe and Chiba, IEEE Trans. Acoust. Speech Signal Process. 26 (1978) 43-49, with a band; an indicator
signal that rises (product formed, oxygen taken up) is the other way.
"""

import numpy as np
from numpy.typing import NDArray

from madang.base.errors import MadangError
from madang.base.translate import _

Array = NDArray[np.float64]


def by_indicator(hours: Array, values: Array, indicator: Array, points: int) -> Array:
    """`values` (m, signals) at `points` equal steps of an indicator from first to last value: (points, signals).

    The indicator's running maximum is taken. Raises `align.indicator` where it does not rise.
    """
    rising = np.maximum.accumulate(np.where(np.isfinite(indicator), indicator, -np.inf))
    rising = np.where(np.isfinite(rising), rising, np.nanmin(indicator))
    if not rising[-1] > rising[0]:
        raise MadangError("align.indicator", _("The signal by which runs are aligned does not rise."))
    kept = np.concatenate([[True], np.diff(rising) > 0])
    share = (rising[kept] - rising[0]) / (rising[-1] - rising[0])
    return at(share, values[kept], np.linspace(0, 1, points))


def at(axis: Array, values: Array, wanted: Array) -> Array:
    """`values` (m, signals) between their neighbors on `axis`; NaN outside what was measured, and over holes."""
    out = np.full((len(wanted), values.shape[1]), np.nan)
    for column in range(values.shape[1]):
        known = np.isfinite(values[:, column])
        if known.sum() >= 2:
            out[:, column] = np.interp(wanted, axis[known], values[known, column], left=np.nan, right=np.nan)
    return out


def warp(reference: Array, other: Array, band: float = 0.2) -> NDArray[np.int64]:
    """For each row of `reference` (n, signals) the row of `other` (m, signals) that it corresponds to, increasing.

    Both scaled alike. `band` is how far, as a share of the length, a row may be from its place.
    """
    n, m = len(reference), len(other)
    cost = np.full((n + 1, m + 1), np.inf)
    cost[0, 0] = 0.0
    reach = max(2, int(band * max(n, m)))
    for i in range(1, n + 1):
        middle = i * m // n
        low, high = max(1, middle - reach), min(m, middle + reach)
        distance = np.nansum((other[low - 1 : high] - reference[i - 1]) ** 2, axis=1)
        best = np.minimum(cost[i - 1, low - 1 : high], cost[i - 1, low : high + 1])
        for place, j in enumerate(range(low, high + 1)):
            cost[i, j] = distance[place] + min(best[place], cost[i, j - 1])
    path = np.zeros(n, dtype=np.int64)
    i, j = n, m
    while i > 0:
        path[i - 1] = j - 1
        steps = (cost[i - 1, j - 1], cost[i - 1, j], cost[i, j - 1])
        choice = int(np.argmin(steps))
        if choice == 2 and j > 1:
            j -= 1
        else:
            i -= 1
            j = max(1, j - (choice == 0))
    return np.maximum.accumulate(path)
