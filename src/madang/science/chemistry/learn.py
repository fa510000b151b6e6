"""The learners: gradient-boosted trees on counts and descriptors, and a kernel machine on how alike molecules are.

A model is the mean of both. Their settings were chosen by cross-validation on public tables without their test parts
(docs/discovery.md). What is fitted is kept as plain arrays and text: loading a model runs no code.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from madang.science.chemistry.features import Features
from madang.science.chemistry.needs import needed

with needed("lightgbm"):
    import lightgbm
with needed("scipy"):
    from scipy.special import ndtri
with needed("scikit-learn"):
    from sklearn.svm import SVC, SVR
Floats = npt.NDArray[np.float64]
MOST_FOR_KERNEL = 4000  # molecules; beyond, trees alone, which gain more from many molecules
_LEVELS = 8  # counts above are as good as this one
_GRID = 200  # quantiles per descriptor
_WIDTH = 0.3  # of the kernel over descriptors


@dataclass(frozen=True)
class Kernel:
    """A fitted kernel machine: its molecules, weights and constant, and the quantiles that descriptors are put on."""

    wide: npt.NDArray[np.uint8]
    scores: npt.NDArray[np.float32]
    weights: Floats
    constant: float
    quantiles: npt.NDArray[np.float32]

    def predict(self, features: Features) -> Floats:
        """Its values (or margins) for molecules."""
        scores = normal_scores(features.descriptors, self.quantiles)
        result: Floats = _alike(features.wide, scores, self.wide, self.scores) @ self.weights + self.constant
        return result


@dataclass(frozen=True)
class Fitted:
    """Both learners, and how their sum is turned into the values of the assay.

    Values are `center + spread * mean`; for classes the probability is a logistic function of the mean margin.
    """

    trees: Any
    kernel: Kernel | None
    center: float
    spread: float
    classes: bool

    def predict(self, features: Features) -> Floats:
        """Values, or probabilities of class 1, for molecules."""
        flat = features.flat()
        if self.classes:
            margin = np.asarray(self.trees.predict(flat, raw_score=True), np.float64)
            if self.kernel:
                margin = (margin + 2 * self.kernel.predict(features)) / 2
            return np.asarray(1 / (1 + np.exp(-margin)))
        value = np.asarray(self.trees.predict(flat), np.float64)
        if self.kernel:
            value = (value + self.kernel.predict(features)) / 2
        return np.asarray(self.center + self.spread * value)


def fit(features: Features, values: Floats, classes: bool, threads: int = 1, trees: int = 400) -> Fitted:
    """Fit both learners; `values` are 0 and 1 for classes."""
    center, spread = (0.0, 1.0) if classes else (float(values.mean()), float(values.std()) or 1.0)
    scaled = values if classes else (values - center) / spread
    settings: dict[str, Any] = {
        "objective": "binary" if classes else "regression",
        "learning_rate": 0.05,
        "num_leaves": 31,
        "min_data_in_leaf": min(10, max(1, len(values) // 20)),
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "feature_fraction": 0.2,
        "num_threads": threads,
        "seed": 1,
        "deterministic": True,
        "force_col_wise": True,  # each tree looks at a fifth of the columns
        "verbose": -1,
    }
    data = lightgbm.Dataset(features.flat(), label=scaled, free_raw_data=True, params={"verbose": -1})
    booster = lightgbm.train(settings, data, num_boost_round=trees)
    kernel = _fit_kernel(features, scaled, classes) if len(values) <= MOST_FOR_KERNEL else None
    return Fitted(booster, kernel, center, spread, classes)


def normal_scores(descriptors: npt.NDArray[np.float32], quantiles: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Descriptors as normal scores by the quantiles of the training molecules, cut at 3."""
    grid = np.linspace(0, 1, len(quantiles))
    columns = [np.interp(descriptors[:, d], quantiles[:, d], grid) for d in range(descriptors.shape[1])]
    ranks = np.array(columns).T if columns else np.zeros((len(descriptors), 0))
    constant = quantiles[0] == quantiles[-1]
    scores = np.clip(ndtri(np.clip(ranks, 1e-7, 1 - 1e-7)), -3, 3)
    scores[:, constant] = 0
    return np.asarray(scores, np.float32)


def _fit_kernel(features: Features, scaled: Floats, classes: bool) -> Kernel:
    quantiles = np.quantile(features.descriptors, np.linspace(0, 1, _GRID), axis=0).astype(np.float32)
    scores = normal_scores(features.descriptors, quantiles)
    gram = _alike(features.wide, scores, features.wide, scores)
    machine = SVC(C=2, kernel="precomputed") if classes else SVR(C=2, epsilon=0.1, kernel="precomputed")
    machine.fit(gram, scaled)
    used = machine.support_
    return Kernel(
        features.wide[used], scores[used], machine.dual_coef_[0].copy(), float(machine.intercept_[0]), quantiles
    )


def _alike(wide: Any, scores: Any, other_wide: Any, other_scores: Any) -> Floats:
    """How alike molecules are, 0 to 1: the mean of shared over all environments (with their counts) and a Gaussian
    kernel over normal scores of descriptors."""
    common = np.zeros((len(wide), len(other_wide)), np.float32)
    used = np.flatnonzero(other_wide.any(axis=0))
    mine, theirs = np.minimum(wide[:, used], _LEVELS), np.minimum(other_wide[:, used], _LEVELS)
    for level in range(1, int(min(mine.max(initial=0), theirs.max(initial=0))) + 1):
        columns = np.flatnonzero((theirs >= level).any(axis=0))
        common += (mine[:, columns] >= level).astype(np.float32) @ (theirs[:, columns] >= level).astype(np.float32).T
    mass = np.minimum(wide, _LEVELS).sum(axis=1, dtype=np.float32)
    other_mass = np.minimum(other_wide, _LEVELS).sum(axis=1, dtype=np.float32)
    shared = common / np.maximum(mass[:, None] + other_mass[None] - common, 1)
    distance = (scores**2).sum(axis=1)[:, None] + (other_scores**2).sum(axis=1)[None] - 2 * scores @ other_scores.T
    close = np.exp(-_WIDTH / max(scores.shape[1], 1) * np.maximum(distance, 0))
    return np.asarray((shared + close) / 2, np.float64)
