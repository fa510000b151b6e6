"""The simulated answer of a construct: expression from the strengths of its parts, burden, an optimum of each factor.

Synthetic: strengths are drawn from a seed and stand for no real part.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from madang.science.bioprocess.design.factors import Space

BLANK, CONTROL = 50.0, 900.0  # readings of an empty well and of the reference strain
NOISE = 0.05
HEAVY, BURDEN = 1.2, 0.8  # strength from which making is a burden, and how heavy it weighs


class Biology:
    """What nature would say, and what a reader would read of it."""

    def __init__(self, space: Space, seed: int) -> None:
        random = np.random.default_rng([seed, 11])
        self._space = space
        self._strengths = {
            factor.name: dict(zip(factor.choices, random.normal(0, 0.8, len(factor.choices)), strict=True))
            for factor in space.factors
            if factor.choices
        }
        self._optima = {f.name: random.uniform(0.15, 0.85) for f in space.factors if not f.choices}
        self._widths = {f.name: random.uniform(0.18, 0.35) for f in space.factors if not f.choices}

    def truth(self, point: Mapping[str, Any]) -> float:
        """Fluorescence without noise."""
        strength, away = 0.0, 0.0
        for factor in self._space.factors:
            if factor.choices:
                strength += self._strengths[factor.name][str(point[factor.name])]
            else:
                unit = factor.encode(point[factor.name])[0]
                away += ((unit - self._optima[factor.name]) / self._widths[factor.name]) ** 2 / 2
        # Cells that make too much grow less: the strongest parts together are not the best construct.
        burden = BURDEN * max(0.0, strength - HEAVY) ** 2
        return BLANK + 600 * float(np.exp(strength - burden - away))

    def reading(self, point: Mapping[str, Any], random: np.random.Generator) -> float:
        """What a reader shows of it."""
        return float(self.truth(point) * (1 + NOISE * random.standard_normal()))
