"""How many of the persons who are unique in a sample are unique in the population that it was drawn from: estimates.

Sources: Hoshino 2001 (Pitman's sampling formula), Zayatz 1991, Chen and Keller-McNulty 1998 (slide negative binomial),
Dankar et al. 2012 (which of them to believe at which sampling fraction). All take the sizes of the classes of a sample
of independent persons; for a table with several rows a person they say nothing.
"""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

SMALL_FRACTION = 0.1  # up to here Pitman's model is the one to believe (Dankar et al.)
STEPS = 200


@dataclass(frozen=True)
class PopulationUniqueness:
    """Share of the population that is unique in it, by model; None where a model does not fit the sample."""

    sampling_fraction: float
    pitman: float | None
    zayatz: float | None
    snb: float | None
    dankar: float | None  # the one to believe, by the rule of Dankar et al.
    model: str | None  # which one that is


def population_uniqueness(sizes: np.ndarray, fraction: float) -> PopulationUniqueness:
    """Estimates from the class sizes of a sample that is `fraction` (above 0, at most 1) of its population."""
    size, classes = np.unique(np.asarray(sizes, dtype=np.int64), return_counts=True)
    rows = int((size * classes).sum())
    unique = int(classes[size == 1].sum())
    if unique == 0:
        return PopulationUniqueness(fraction, 0.0, 0.0, 0.0, 0.0, "none is unique in the sample")
    if fraction >= 1.0:
        share = unique / rows
        return PopulationUniqueness(fraction, share, share, share, share, "the sample is the population")
    pitman = _pitman(size, classes, rows, fraction)
    zayatz = _zayatz(size, classes, rows, fraction)
    snb = _snb(size, classes, rows, fraction)
    if fraction <= SMALL_FRACTION and pitman is not None:
        return PopulationUniqueness(fraction, pitman, zayatz, snb, pitman, "pitman")
    # Dankar et al.: above it the smaller of the two others
    if snb is not None and snb < zayatz:
        return PopulationUniqueness(fraction, pitman, zayatz, snb, snb, "snb")
    return PopulationUniqueness(fraction, pitman, zayatz, snb, zayatz, "zayatz")


def _zayatz(size: np.ndarray, classes: np.ndarray, rows: int, fraction: float) -> float:
    """P(unique in the population | unique in the sample) times the share of sample uniques."""
    population = rows / fraction
    outside = population - rows
    # hypergeometric probability that just one member of a class of this size falls into the sample
    others = np.arange(int(size.max()) - 1)
    with np.errstate(divide="ignore"):
        missed = np.log(np.maximum(0.0, (outside - others) / (population - 1 - others)))
    log_missed = np.concatenate(([0.0], np.cumsum(missed)))
    log_one = np.log(size * fraction) + log_missed[size - 1]
    joint = np.exp(log_one) * (classes / classes.sum())
    return float(joint[size == 1].sum() / joint.sum() * classes[size == 1].sum() / rows)


def _pitman(size: np.ndarray, classes: np.ndarray, rows: int, fraction: float) -> float | None:
    """Maximum likelihood of Pitman's sampling formula by Newton's method, then the expected uniques."""
    total = int(classes.sum())
    order = np.arange(1, total, dtype=float)
    below = np.arange(1, rows, dtype=float)
    largest = int(size.max())
    bigger = np.cumsum(np.bincount(size, weights=classes, minlength=largest + 1)[::-1])[::-1]  # classes of >= i rows
    inner = np.arange(1, largest, dtype=float)
    weight = bigger[2:]

    def gradient(theta: float, alpha: float) -> np.ndarray:
        above = theta + order * alpha
        return np.array(
            [
                (1 / above).sum() - (1 / (theta + below)).sum(),
                (order / above).sum() - (weight / (inner - alpha)).sum(),
            ]
        )

    def hessian(theta: float, alpha: float) -> np.ndarray:
        above = (theta + order * alpha) ** 2
        cross = -(order / above).sum()
        return np.array(
            [
                [-(1 / above).sum() + (1 / (theta + below) ** 2).sum(), cross],
                [cross, -(order**2 / above).sum() - (weight / (inner - alpha) ** 2).sum()],
            ]
        )

    for theta, alpha in ((max(1.0, rows * 0.1), 0.5), (max(1.0, float(total)), 0.2), (1.0, 0.8), (100.0, 0.1)):
        found = _newton(gradient, hessian, theta, alpha)
        if found is not None:
            theta, alpha = found
            population = rows / fraction
            expected = math.exp(math.lgamma(theta + 1) - math.lgamma(theta + alpha)) * population**alpha
            return min(1.0, expected / population)
    return None


def _newton(
    gradient: Callable[[float, float], np.ndarray],
    hessian: Callable[[float, float], np.ndarray],
    theta: float,
    alpha: float,
) -> tuple[float, float] | None:
    """The zero of a gradient within theta > 0, 0 < alpha < 1; steps that leave the region are shortened."""
    if not theta > 0:
        return None
    for _step in range(STEPS):
        slope = gradient(theta, alpha)
        try:
            step = np.linalg.solve(hessian(theta, alpha), slope)
        except np.linalg.LinAlgError:
            return None
        length = 1.0
        while not (theta - length * step[0] > 0 and 0 < alpha - length * step[1] < 1):
            length /= 2
            if length < 1e-12:
                return None
        theta, alpha = theta - length * float(step[0]), alpha - length * float(step[1])
        if abs(step[0]) <= 1e-13 * theta and abs(step[1]) <= 1e-13:
            return theta, alpha
    return (theta, alpha) if np.abs(gradient(theta, alpha)).max() < 1e-6 else None


def _snb(size: np.ndarray, classes: np.ndarray, rows: int, fraction: float) -> float | None:
    """Classes of the population have 1 + negative binomial(a, b) rows; a and b fit the classes and uniques seen.

    Two equations (expected classes and expected uniques of a Bernoulli sample) by nested bisection over b and a.
    """
    total, unique = float(classes.sum()), float(classes[size == 1].sum())
    population = rows / fraction

    def expected(a: float, b: float) -> tuple[float, float]:
        number = population / (a * (1 - b) / b + 1)  # classes in the population
        base = (b / (1 - (1 - b) * (1 - fraction))) ** a
        none = (1 - fraction) * base
        one = fraction * base * (1 + (1 - fraction) * a * (1 - b) / (1 - (1 - b) * (1 - fraction)))
        return number * (1 - none), number * one

    def a_for(b: float) -> float | None:
        low, high = 1e-9, 1e9
        if not expected(high, b)[0] <= total <= expected(low, b)[0]:
            return None
        for _step in range(STEPS):
            middle = math.sqrt(low * high)
            low, high = (middle, high) if expected(middle, b)[0] > total else (low, middle)
        return math.sqrt(low * high)

    def miss(b: float) -> float | None:
        a = a_for(b)
        return None if a is None else expected(a, b)[1] - unique

    grid = [(b, miss(b)) for b in np.geomspace(1e-6, 0.999999, 60)]
    known = [(b, value) for b, value in grid if value is not None]
    for (low, first), (high, second) in itertools.pairwise(known):
        if first * second <= 0:
            for _step in range(STEPS):
                middle = (low + high) / 2
                value = miss(middle)
                if value is None:
                    return None
                low, high, first = (middle, high, value) if value * first > 0 else (low, middle, first)
            b = (low + high) / 2
            a = a_for(b)
            if a is None:
                return None
            number = population / (a * (1 - b) / b + 1)
            return min(1.0, float(number * b**a / population))
    return None
