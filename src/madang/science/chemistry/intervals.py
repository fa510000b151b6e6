"""Conformal intervals and sets: how far off predictions for unseen molecules were, the farther the stranger.

Errors of cross-validation, by scattered molecules and by whole clusters, are divided by what is usual at that distance
from the training molecules; the quantile of these ratios at the level makes the interval (split conformal prediction
with normalized scores: Papadopoulos, Gammerman, Vovk, 2008; over folds: Vovk, 2015).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from madang.science.chemistry.learn import Floats
from madang.science.chemistry.needs import needed

with needed("scikit-learn"):
    from sklearn.isotonic import IsotonicRegression
LEVEL = 0.9
_GRID = np.linspace(0, 1, 41)


@dataclass(frozen=True)
class Calibration:
    """What turns a prediction into an interval, or for classes into a set.

    `usual` is the usual error by similarity to the nearest training molecule (on a grid from 0 to 1); `ratios` are
    sorted ratios of errors to it. For classes `errors` has, per class, sorted values of 1 - probability of the truth.
    """

    usual: Floats
    ratios: Floats
    errors: tuple[Floats, Floats]

    def interval(self, value: Floats, similarity: Floats, level: float = LEVEL) -> tuple[Floats, Floats]:
        """Lower and upper ends of intervals that hold the truth at `level`."""
        half = quantile(self.ratios, level) * np.interp(similarity, _GRID, self.usual)
        return value - half, value + half

    def classes(self, probability: Floats, level: float = LEVEL) -> tuple[Floats, Floats]:
        """The lowest and highest class of sets that hold the truth at `level`; an empty set becomes the likelier."""
        zero = probability <= quantile(self.errors[0], level)
        one = 1 - probability <= quantile(self.errors[1], level)
        likelier = probability >= 0.5
        zero, one = zero | (~one & ~likelier), one | (~zero & likelier)
        return np.where(zero, 0.0, 1.0), np.where(one, 1.0, 0.0)


def calibrate(truth: Floats, predicted: Floats, similarity: Floats, classes: bool) -> Calibration:
    """From predictions for unseen molecules."""
    none = np.zeros(0)
    if classes:
        errors = (np.sort(predicted[truth == 0]), np.sort(1 - predicted[truth == 1]))
        return Calibration(np.ones(len(_GRID)), none, errors)
    error = np.abs(truth - predicted)
    usual = IsotonicRegression(increasing=False, out_of_bounds="clip").fit(similarity, error).predict(_GRID)
    usual = np.maximum(usual, max(float(np.median(error)) * 0.3, 1e-12))
    ratios = np.sort(error / np.interp(similarity, _GRID, usual))
    return Calibration(usual, ratios, (none, none))


def quantile(ordered: Floats, level: float) -> float:
    """The conformal quantile: the ceil((n + 1) level)-th smallest, infinite where n is too small for the level."""
    place = int(np.ceil((len(ordered) + 1) * level))
    return float(ordered[place - 1]) if 0 < place <= len(ordered) else float("inf")


def coverage(truth: Floats, predicted: Floats, similarity: Floats, fold: Any, classes: bool, level: float) -> float:
    """Share of the truth within intervals that were calibrated on the other folds."""
    inside = np.zeros(len(truth), bool)
    for one in np.unique(fold):
        test = fold == one
        made = calibrate(truth[~test], predicted[~test], similarity[~test], classes)
        if classes:
            low, high = made.classes(predicted[test], level)
        else:
            low, high = made.interval(predicted[test], similarity[test], level)
        inside[test] = (truth[test] >= low) & (truth[test] <= high)
    return float(inside.mean())
