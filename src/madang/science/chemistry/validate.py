"""Honest figures for a model: predictions for molecules that it did not see, and what they say."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from madang.science.chemistry import kernels
from madang.science.chemistry.features import Features
from madang.science.chemistry.learn import Floats, fit

NEIGHBORS = 5  # of the baseline


@dataclass(frozen=True)
class Unseen:
    """Predictions for molecules by models that did not see them: rows, values, those of the baseline, and the
    similarity of the nearest molecule that the model saw."""

    rows: npt.NDArray[np.int64]
    predicted: Floats
    baseline: Floats
    similarity: Floats


def cross_predict(
    features: Features, values: Floats, classes: bool, fold: npt.NDArray[np.int64], threads: int, trees: int
) -> Unseen:
    """Predictions for every molecule by a model of the other folds."""
    parts = [
        predict_unseen(
            features, values, classes, np.flatnonzero(fold != one), np.flatnonzero(fold == one), threads, trees
        )
        for one in np.unique(fold)
    ]
    rows = np.concatenate([part.rows for part in parts])
    order = np.argsort(rows)
    joined = [np.concatenate([getattr(part, name) for part in parts])[order] for name in _FIELDS]
    return Unseen(rows[order], *joined)


_FIELDS = ("predicted", "baseline", "similarity")


def predict_unseen(
    features: Features, values: Floats, classes: bool, train: Any, test: Any, threads: int, trees: int
) -> Unseen:
    """Predictions for `test` by a model of `train`."""
    seen, new = features.rows(train), features.rows(test)
    near, similarity = nearest(new.words, seen.words, NEIGHBORS)
    weights = np.maximum(similarity, 1e-3) ** 3
    baseline = (values[train][near] * weights).sum(axis=1) / weights.sum(axis=1)
    if classes and len(set(values[train])) < 2:
        predicted = np.full(len(test), float(values[train][0]))
    else:
        predicted = fit(seen, values[train], classes, threads, trees).predict(new)
    return Unseen(np.asarray(test, np.int64), predicted, baseline, similarity[:, 0])


def nearest(words: Any, seen: Any, count: int) -> tuple[npt.NDArray[np.int64], Floats]:
    """The `count` most similar of `seen` for each fingerprint (n, 32), most similar first: places and similarities."""
    count = min(count, len(seen))
    places = np.zeros((len(words), count), np.int64)
    scores = np.zeros((len(words), count))
    ones, seen_ones = (np.bitwise_count(each).sum(axis=1).astype(np.int64) for each in (words, seen))
    shared = np.empty((1, len(seen)), np.int32)
    for row in range(len(words)):
        kernels.common(words[row : row + 1], seen, shared)
        common = shared[0]
        similarity = common / np.maximum(seen_ones + ones[row] - common, 1)
        best = np.argpartition(-similarity, count - 1)[:count] if count < len(seen) else np.arange(len(seen))
        best = best[np.lexsort((best, -similarity[best]))]
        places[row], scores[row] = best, similarity[best]
    return places, scores


def metrics(values: Floats, predicted: Floats, classes: bool, seed: int = 0) -> dict[str, Any]:
    """The usual figures, the first of them with a 95% interval by bootstrap."""
    if len(values) < 3:
        return {"count": len(values)}
    main = _auroc if classes else _pearson
    random = np.random.default_rng(seed)
    draws = [random.integers(0, len(values), len(values)) for _ in range(200)]
    drawn = [main(values[draw], predicted[draw]) for draw in draws]
    spread = [value for value in drawn if value is not None]
    result: dict[str, Any] = {"count": len(values), "auroc" if classes else "pearson_r": main(values, predicted)}
    result["interval"] = [float(value) for value in np.quantile(spread, [0.025, 0.975])] if spread else None
    if classes:
        result["accuracy"] = float(np.mean((predicted >= 0.5) == (values >= 0.5)))
        result["brier"] = float(np.mean((predicted - values) ** 2))
    else:
        error = predicted - values
        total = float(np.sum((values - values.mean()) ** 2))
        result["mae"] = float(np.abs(error).mean())
        result["rmse"] = float(np.sqrt(np.mean(error**2)))
        result["r2"] = 1 - float(np.sum(error**2)) / total if total else None
    return result


def _pearson(values: Floats, predicted: Floats) -> float | None:
    if np.ptp(values) == 0 or np.ptp(predicted) == 0:
        return None
    return float(np.corrcoef(values, predicted)[0, 1])


def _auroc(values: Floats, predicted: Floats) -> float | None:
    """Share of pairs of unlike classes that are in the right order, ties counting half."""
    yes, no = predicted[values == 1], predicted[values == 0]
    if not len(yes) or not len(no):
        return None
    no = np.sort(no)
    lower, upper = np.searchsorted(no, yes, "left"), np.searchsorted(no, yes, "right")
    return float((lower + upper).sum() / 2 / (len(yes) * len(no)))
