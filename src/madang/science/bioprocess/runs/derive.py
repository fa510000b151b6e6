"""Rates that nobody measures: growth, uptake, production and yields, with their uncertainty.

A local straight line through the amounts in the vessel, weighted by distance in time (tricube); its slope over the
biomass is the specific rate. Feed is accounted for by balances. Standard errors come from what the line leaves over.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from madang.base.errors import MadangError
from madang.base.translate import _

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Rate:
    """A rate at some hours, with its standard error; NaN where too few readings are near."""

    hours: Array
    value: Array
    error: Array


def slope(hours: Array, values: Array, width: float) -> Rate:
    """The local slope of `values` over `hours`, each from the readings within `width` hours (five at least)."""
    known = np.isfinite(values)
    x, y = hours[known], values[known]
    if len(x) < 5:
        raise MadangError("derive.few", _("Five readings are the fewest that tell a rate."))
    value, error = np.full(len(hours), np.nan), np.full(len(hours), np.nan)
    for place, hour in enumerate(hours):
        reach = max(width, float(np.sort(np.abs(x - hour))[4]) * 1.001)
        weight = np.clip(1 - (np.abs(x - hour) / reach) ** 3, 0, None) ** 3
        near = weight > 0
        design = np.stack([np.ones(near.sum()), x[near] - hour], 1)
        scaled = design * weight[near, None]
        gram = scaled.T @ design
        if np.linalg.matrix_rank(gram) < 2:
            continue
        inverse = np.linalg.inv(gram)
        solution = inverse @ (scaled.T @ y[near])
        left = y[near] - design @ solution
        free = max(1.0, weight[near].sum() ** 2 / (weight[near] ** 2).sum() - 2)
        noise = float((weight[near] * left**2).sum() / weight[near].sum()) * (free + 2) / free
        spread = inverse @ (scaled.T @ scaled) @ inverse
        value[place], error[place] = solution[1], float(np.sqrt(noise * spread[1, 1]))
    return Rate(hours, value, error)


def growth(hours: Array, biomass: Array, volume: Array, width: float = 24.0) -> Rate:
    """Specific growth rate, 1/h, from the logarithm of the biomass in the vessel."""
    with np.errstate(all="ignore"):
        return slope(hours, np.log(np.where(biomass * volume > 0, biomass * volume, np.nan)), width)


def specific(
    hours: Array, concentration: Array, biomass: Array, volume: Array, fed: Array | None = None, width: float = 24.0
) -> Rate:
    """Specific production rate (negative: uptake), amount per biomass and hour; `fed`: amount fed in all until then."""
    amount = concentration * volume - (fed if fed is not None else 0.0)
    rate = slope(hours, amount, width)
    cells = biomass * volume
    with np.errstate(all="ignore"):
        return Rate(hours, rate.value / cells, rate.error / cells)


def yield_of(made: Rate, used: Rate) -> Rate:
    """What is made per what is used, with the errors of both."""
    with np.errstate(all="ignore"):
        value = made.value / -used.value
        error = np.abs(value) * np.sqrt((made.error / made.value) ** 2 + (used.error / used.value) ** 2)
    return Rate(made.hours, value, error)
