"""What if: many batches with what is not sure varied; the share that keeps all limits; what matters most.

Sensitivities are Sobol indices by the estimators of Jansen, Computer Physics Communications 117 (1999) 35-43.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.bioprocess.needs import needs
from madang.science.bioprocess.twin.attributes import Limit, attribute
from madang.science.bioprocess.twin.kinetics import STATES
from madang.science.bioprocess.twin.recipe import Recipe
from madang.science.bioprocess.twin.solve import Array, Batches, solve

LAST_CELSIUS, FEED_SCALE = "temperature", "feed"


@dataclass(frozen=True)
class Summary:
    """An attribute over many batches, and the share of them that keeps its limit (1 where it has none)."""

    name: str
    mean: float
    deviation: float
    low: float
    median: float
    high: float
    probability: float


@dataclass(frozen=True)
class WhatIf:
    """Many batches: how many, their attributes, and the probability that all limits hold, with its standard error."""

    batches: int
    attributes: tuple[Summary, ...]
    probability: float
    error: float


@dataclass(frozen=True)
class Sensitivity:
    """How much of an attribute's variance a factor makes alone (`first`) and with all others (`total`)."""

    attribute: str
    factor: str
    first: float
    total: float


def vary(recipe: Recipe, factors: Mapping[str, Array], count: int) -> Batches:
    """`count` batches with some values multiplied: parameters, states of the start, and `feed` for the whole feed.

    `temperature` is set, in degrees Celsius, for the last part of the recipe. Raises `twin.factor` for other names.
    """
    made = recipe.batches(count)
    parameters, start, controls = made.parameters.copy(), made.start.copy(), made.controls.copy()
    for name, values in factors.items():
        if name in recipe.kinetics.parameters:
            parameters[:, recipe.kinetics.names.index(name)] *= values
        elif name in STATES:
            start[:, STATES.index(name)] *= values
        elif name == FEED_SCALE:
            controls[:, :, 0] *= values[:, None]
        elif name == LAST_CELSIUS:
            controls[:, -1, 3] = values
        else:
            text = _("{name} can not be varied.").format(name=name)
            hint = _("Parameters of the kinetics, states of the start, feed and temperature can.")
            raise MadangError("twin.factor", text, hint)
    return replace(made, parameters=parameters, start=start, controls=controls)


def what_if(
    recipe: Recipe,
    spread: Mapping[str, float],
    limits: Sequence[Limit],
    count: int = 10_000,
    seed: int = 1,
    asked: Sequence[str] = ("product", "viability", "biomass"),
) -> WhatIf:
    """Batches with each name in `spread` varied lognormally by that relative standard deviation."""
    states = solve(vary(recipe, _draws(spread, count, seed), count), recipe.times())
    return _summary(recipe, states, limits, asked)


def design_space(
    recipe: Recipe,
    axes: Mapping[str, tuple[float, float]],
    grid: int,
    spread: Mapping[str, float],
    limits: Sequence[Limit],
    draws: int = 200,
    seed: int = 1,
) -> tuple[list[Array], Array]:
    """The probability that all limits hold on a grid of one or two factors, the same draws at each point.

    Returns the values of each axis and the probabilities, of shape (grid,) * axes.
    """
    if not 1 <= len(axes) <= 2:
        raise MadangError("twin.space", _("A design space has one or two axes."))
    lines = [np.linspace(low, high, grid) for low, high in axes.values()]
    points = np.stack(np.meshgrid(*lines, indexing="ij"), -1).reshape(-1, len(axes))
    drawn = _draws(spread, draws, seed)
    sure = np.empty(len(points))
    at_once = max(1, 20_000 // draws)
    for begin in range(0, len(points), at_once):
        some = points[begin : begin + at_once]
        count = len(some) * draws
        factors = {name: np.tile(values, len(some)) for name, values in drawn.items()}
        for place, name in enumerate(axes):
            chosen = np.repeat(some[:, place], draws)
            factors[name] = chosen if name == LAST_CELSIUS else factors.get(name, 1.0) * chosen
        states = solve(vary(recipe, factors, count), recipe.times()[[0, -1]] if _end_only(limits) else recipe.times())
        hold = _all_hold(recipe, states, limits)
        sure[begin : begin + at_once] = hold.reshape(len(some), draws).mean(1)
    return lines, sure.reshape((grid,) * len(axes))


def sensitivities(
    recipe: Recipe, spread: Mapping[str, float], attributes: Sequence[str], size: int = 512, seed: int = 1
) -> list[Sensitivity]:
    """Sobol indices of the attributes for each name in `spread`; `size` * (names + 2) batches are computed."""
    names = list(spread)
    if not names:
        raise MadangError("twin.factor", _("Nothing is varied, so nothing can matter."))
    sobol = needs("scipy.stats.qmc").Sobol(2 * len(names), rng=seed)
    both = sobol.random(size)
    first, second = both[:, : len(names)], both[:, len(names) :]
    tables = [first, second]
    for place in range(len(names)):
        mixed = first.copy()
        mixed[:, place] = second[:, place]
        tables.append(mixed)
    unit = np.concatenate(tables)
    factors = {name: _lognormal(unit[:, place], spread[name]) for place, name in enumerate(names)}
    states = solve(vary(recipe, factors, len(unit)), recipe.times())
    out = []
    for wanted in attributes:
        values = attribute(wanted, states, recipe.times(), recipe.kinetics).reshape(len(tables), size)
        variance = float(values[:2].var())
        for place, name in enumerate(names):
            if variance < 1e-300:
                out.append(Sensitivity(wanted, name, 0.0, 0.0))
                continue
            alone = 1 - float(((values[1] - values[2 + place]) ** 2).mean()) / (2 * variance)
            total = float(((values[0] - values[2 + place]) ** 2).mean()) / (2 * variance)
            out.append(Sensitivity(wanted, name, alone, total))
    return out


def _draws(spread: Mapping[str, float], count: int, seed: int) -> dict[str, Array]:
    generator = np.random.default_rng(seed)
    return {name: _lognormal(generator.random(count), width) for name, width in spread.items()}


def _lognormal(unit: Array, relative: float) -> Array:
    """Values around 1 with this relative standard deviation; their median is 1."""
    inner = np.clip(unit, 1e-9, 1 - 1e-9)
    width = np.sqrt(np.log1p(relative**2))
    return np.exp(width * needs("scipy.special").ndtri(inner))


def _end_only(limits: Sequence[Limit]) -> bool:
    return all(limit.attribute in (*STATES, "viability", "harvest", "productivity") for limit in limits)


def _all_hold(recipe: Recipe, states: Array, limits: Sequence[Limit]) -> Array:
    hold = np.ones(len(states), dtype=bool)
    for limit in limits:
        hold &= limit.holds(attribute(limit.attribute, states, recipe.times(), recipe.kinetics))
    return hold


def _summary(recipe: Recipe, states: Array, limits: Sequence[Limit], asked: Sequence[str]) -> WhatIf:
    by_name = {limit.attribute: limit for limit in limits}
    summaries = []
    for name in dict.fromkeys([*by_name, *asked]):
        values = attribute(name, states, recipe.times(), recipe.kinetics)
        low, median, high = np.quantile(values, [0.05, 0.5, 0.95])
        sure = float(by_name[name].holds(values).mean()) if name in by_name else 1.0
        summaries.append(
            Summary(name, float(values.mean()), float(values.std()), float(low), float(median), float(high), sure)
        )
    chance = float(_all_hold(recipe, states, limits).mean())
    error = float(np.sqrt(chance * (1 - chance) / len(states)))
    return WhatIf(len(states), tuple(summaries), chance, error)
