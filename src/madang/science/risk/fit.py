"""Training with checkpoints: who begins again goes on with the next epoch, and ends with the same model, bit by bit.

One hidden layer of tanh, one output of the logistic function, cross entropy with a penalty on the squares of the
weights, by Adam (Kingma and Ba 2015, https://arxiv.org/abs/1412.6980, algorithm 1) in small batches; the epoch with the
lowest loss on the people held out for choosing is kept.
"""

import hashlib
import json
import os
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.risk.table import Cohort

Array = NDArray[np.float64]
Weights = dict[str, Array]
_CHECKPOINT = "checkpoint.npz"
_BETA = (0.9, 0.999)
_TINY = 1e-8


@dataclass(frozen=True)
class Settings:
    """How to train: epochs, people of a batch, units of the hidden layer, step, penalty, seed of all that is drawn."""

    epochs: int = 60
    batch: int = 64
    hidden: int = 12
    step: float = 0.005
    penalty: float = 1e-3
    seed: int = 1


@dataclass(frozen=True)
class Trained:
    """A model: how features are scaled, its weights, how it did on people whom it had not seen, by its epochs."""

    weights: Weights
    mean: Array
    scale: Array
    best_epoch: int
    losses: list[tuple[float, float]]  # of each epoch: of the people trained on, and of those for choosing
    measures: dict[str, float]
    began_at: int  # the epoch at which this attempt went on; 0: from the beginning


def split(cohort: Cohort, seed: int) -> NDArray[np.int64]:
    """0 (train, 60 %), 1 (choose, 20 %) or 2 (test, 20 %) for each person: by a hash of the seed and their number."""
    parts = [
        int.from_bytes(hashlib.sha256(f"{seed}/{person}".encode()).digest()[:8], "big") % 5 for person in cohort.people
    ]
    return np.asarray([0 if part < 3 else part - 2 for part in parts], dtype=np.int64)


def train(
    cohort: Cohort,
    settings: Settings,
    checkpoints: Path | None = None,
    said: Callable[[str], None] = lambda text: None,
) -> Trained:
    """Train on a cohort, from the last checkpoint in `checkpoints` if there is one of these data and settings.

    A checkpoint is there whole or not at all. Errors: `risk.data` where a part of the people lacks an outcome.
    """
    part = split(cohort, settings.seed)
    mean, scale = cohort.x[part == 0].mean(axis=0), cohort.x[part == 0].std(axis=0)
    scale[scale == 0] = 1.0
    x, y = (cohort.x - mean) / scale, cohort.y
    for each in range(3):
        if not 0 < y[part == each].sum() < (part == each).sum():
            raise MadangError("risk.data", _("Too few people have the outcome, or lack it, to learn from them."))
    state = _read(checkpoints, cohort, settings) or _begin(x.shape[1], settings)
    began_at = state["epoch"]
    if began_at:
        said(f"goes on after epoch {began_at}")
    draw = np.random.default_rng(settings.seed)
    draw.bit_generator.state = state["draw"]
    seen = np.flatnonzero(part == 0)
    for epoch in range(began_at + 1, settings.epochs + 1):
        for rows in np.array_split(draw.permutation(seen), max(1, len(seen) // settings.batch)):
            _step(state, x[rows], y[rows], settings)
        losses = [_loss(state["weights"], x[part == each], y[part == each]) for each in (0, 1)]
        state["losses"].append(losses)
        if losses[1] < state["lowest"]:
            state["lowest"], state["best_epoch"] = losses[1], epoch
            state["best"] = {name: value.copy() for name, value in state["weights"].items()}
        state["epoch"], state["draw"] = epoch, draw.bit_generator.state
        if checkpoints is not None:
            _write(checkpoints, state, cohort, settings)
        said(f"epoch {epoch} of {settings.epochs} ({100 * epoch / settings.epochs:.0f} %): loss {losses[1]:.4f}")
    measures = measure(foresee(state["best"], x[part == 2]), y[part == 2])
    measures |= {"people": float(len(y)), "trained_on": float(len(seen)), "tested_on": float((part == 2).sum())}
    measures["auc_of_age_alone"] = _auc(x[part == 2][:, 0], y[part == 2])
    losses_ = [(float(a), float(b)) for a, b in state["losses"]]
    return Trained(state["best"], mean, scale, state["best_epoch"], losses_, measures, began_at)


def foresee(weights: Weights, x: Array) -> Array:
    """The probability of the outcome for rows of scaled features."""
    return _logistic(np.tanh(x @ weights["w1"] + weights["b1"]) @ weights["w2"] + weights["b2"])


def measure(p: Array, y: Array) -> dict[str, float]:
    """Area under the ROC curve, Brier score, and what was foreseen on average beside what came."""
    return {
        "auc": _auc(p, y),
        "brier": float(np.mean((p - y) ** 2)),
        "brier_of_the_mean": float(np.mean((y.mean() - y) ** 2)),
        "foreseen": float(p.mean()),
        "came": float(y.mean()),
    }


def _auc(score: Array, y: Array) -> float:
    """By ranks (Mann and Whitney 1947), those of equal scores shared."""
    _values, place, count = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[place]
    having = float(y.sum())
    return float((rank[y == 1].sum() - having * (having + 1) / 2) / (having * (len(y) - having)))


def _logistic(z: Array) -> Array:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * z)), dtype=np.float64)


def _loss(weights: Weights, x: Array, y: Array) -> float:
    p = np.clip(foresee(weights, x), 1e-12, 1 - 1e-12)
    return float(-np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)))


def gradients(weights: Weights, x: Array, y: Array, penalty: float) -> Weights:
    """Of the mean cross entropy and the penalty, by each weight."""
    hidden = np.tanh(x @ weights["w1"] + weights["b1"])
    wrong = (_logistic(hidden @ weights["w2"] + weights["b2"]) - y) / len(y)
    back = np.outer(wrong, weights["w2"]) * (1 - hidden**2)
    return {
        "w1": x.T @ back + penalty * weights["w1"],
        "b1": back.sum(axis=0),
        "w2": hidden.T @ wrong + penalty * weights["w2"],
        "b2": np.asarray(wrong.sum()),
    }


def _begin(features: int, settings: Settings) -> dict[str, Any]:
    draw = np.random.default_rng(settings.seed)
    weights = {
        "w1": draw.normal(0, features**-0.5, (features, settings.hidden)),
        "b1": np.zeros(settings.hidden),
        "w2": draw.normal(0, settings.hidden**-0.5, settings.hidden),
        "b2": np.zeros(()),
    }
    zeros = {name: np.zeros_like(value) for name, value in weights.items()}
    return {
        "weights": weights,
        "first": zeros,
        "second": {name: value.copy() for name, value in zeros.items()},
        "best": weights,
        "steps": 0,
        "epoch": 0,
        "best_epoch": 0,
        "lowest": float("inf"),
        "losses": [],
        "draw": draw.bit_generator.state,
    }


def _step(state: dict[str, Any], x: Array, y: Array, settings: Settings) -> None:
    state["steps"] += 1
    for name, slope in gradients(state["weights"], x, y, settings.penalty).items():
        first = state["first"][name] = _BETA[0] * state["first"][name] + (1 - _BETA[0]) * slope
        second = state["second"][name] = _BETA[1] * state["second"][name] + (1 - _BETA[1]) * slope**2
        first, second = first / (1 - _BETA[0] ** state["steps"]), second / (1 - _BETA[1] ** state["steps"])
        state["weights"][name] = state["weights"][name] - settings.step * first / (np.sqrt(second) + _TINY)


_ARRAYS = ("weights", "first", "second", "best")


def _of_what(cohort: Cohort, settings: Settings) -> dict[str, Any]:
    """What a checkpoint belongs to; more epochs go on where fewer ended."""
    told = asdict(settings)
    del told["epochs"]
    return {"data": cohort.data, "outcome": cohort.outcome, **told}


def _write(folder: Path, state: dict[str, Any], cohort: Cohort, settings: Settings) -> None:
    told = {key: value for key, value in state.items() if key not in _ARRAYS} | {"of": _of_what(cohort, settings)}
    arrays = {f"{kind}.{name}": value for kind in _ARRAYS for name, value in state[kind].items()}
    partial = folder / f"{_CHECKPOINT}.partial"
    with partial.open("wb") as file:
        np.savez(file, told=np.frombuffer(json.dumps(told).encode(), dtype=np.uint8), **arrays)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(folder / _CHECKPOINT)


def _read(folder: Path | None, cohort: Cohort, settings: Settings) -> dict[str, Any] | None:
    """The last checkpoint; None where there is none, or it is of other data or settings."""
    if folder is None or not (folder / _CHECKPOINT).is_file():
        return None
    try:
        with np.load(folder / _CHECKPOINT, allow_pickle=False) as held:
            state: dict[str, Any] = json.loads(held["told"].tobytes())
            for kind in _ARRAYS:
                state[kind] = {name.partition(".")[2]: held[name] for name in held.files if name.startswith(f"{kind}.")}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None
    same = state.pop("of", None) == _of_what(cohort, settings)
    return state if same and state["epoch"] <= settings.epochs else None
