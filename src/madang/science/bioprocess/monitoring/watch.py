"""Watching: alarms of a record against a model, and the variables that explain them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.bioprocess.monitoring.model import Array, Model
from madang.science.bioprocess.monitoring.statistics import (
    averaged,
    cva_distance,
    errors_of,
    innovations_distance,
    stacked,
)
from madang.science.bioprocess.signals import Signals

EXPLAINED_BY = 5  # variables that an alarm names


@dataclass(frozen=True)
class Explanation:
    """Which variables an alarm that began at `sample` (from 0) and lasted `length` samples comes from, and how much."""

    sample: int
    length: int
    variables: tuple[tuple[str, float], ...]  # name and share of the whole, largest first


@dataclass(frozen=True)
class Watched:
    """The answer for one record: per sample an alarm, the ratio to the limits, and whether a reading was missing."""

    alarm: NDArray[np.bool_]
    ratio: Array
    cva: Array
    innovations: Array
    missing: NDArray[np.bool_]
    explanations: tuple[Explanation, ...]


def watch(model: Model, record: Signals, product: str = "", explain: bool = False) -> Watched:
    """Hold a record against a model. A missing reading is taken as the last one before it, and its sample is marked.

    Raises `monitor.other` where the record is of other variables or of another product.
    """
    values, missing = _filled(model, record, product)
    scaled = (values[:, model.used] - model.mean) / model.deviation
    settings, limits = model.settings, model.limits
    cva = cva_distance(scaled, model.residual, settings.lag)
    innovations = innovations_distance(scaled, model.predictor, model.whitening, settings.order)
    ratios = (
        cva / limits.cva,
        averaged(cva, settings.memory, limits.cva_start) / limits.cva_average,
        innovations / limits.innovations,
        averaged(innovations, settings.memory, limits.innovations_start) / limits.innovations_average,
    )
    ratio: Array = np.stack(ratios).max(0)
    fixed = np.flatnonzero(np.isfinite(model.constants))
    moved = np.abs(values[:, fixed] - model.constants[fixed]) > 1e-6 * np.maximum(1.0, np.abs(model.constants[fixed]))
    ratio = np.where(moved.any(1), np.maximum(ratio, 10.0), ratio)  # what never moved in training moves
    alarm = ratio > 1
    explanations = _explained(model, scaled, alarm, moved, fixed) if explain else ()
    return Watched(alarm, ratio, cva, innovations, missing, explanations)


def _filled(model: Model, record: Signals, product: str) -> tuple[Array, NDArray[np.bool_]]:
    if product and model.product and product != model.product:
        text = _("The model is of {model}, the record of {record}.").format(model=model.product, record=product)
        raise MadangError("monitor.other", text, _("Train a model of this product; one of another says nothing."))
    named = record.named and bool(model.card.get("named"))
    if len(record.names) != len(model.variables) or (named and record.names != model.variables):
        text = _("The model has {model} signals, the record has {record} or others.")
        raise MadangError(
            "monitor.other",
            text.format(model=len(model.variables), record=len(record.names)),
            _("A model can be used on the signals it was trained with, in the same order."),
        )
    values = record.values.copy()
    missing = ~np.isfinite(values)
    last = np.where(np.isfinite(model.constants), model.constants, 0.0)
    last[model.used] = model.mean
    for row in np.flatnonzero(missing.any(1)):
        before = values[row - 1] if row else last
        values[row, missing[row]] = before[missing[row]]
    return values, np.asarray(missing.any(1))


def _explained(
    model: Model,
    scaled: Array,
    alarm: NDArray[np.bool_],
    moved: NDArray[np.bool_],
    fixed: NDArray[np.int64],
) -> tuple[Explanation, ...]:
    """One explanation per run of alarms: what each variable adds to the two distances, over the limits' share."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], alarm.astype(int), [0]])))
    out = []
    errors = errors_of(scaled, model.predictor, model.settings.order)
    stack = stacked(scaled, model.settings.lag)
    metric = model.whitening @ model.whitening.T
    used, lag = len(model.used), model.settings.lag
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        rows = slice(max(0, begin - lag), min(end, begin + 40))  # what began it, not all that followed
        first = _partial(errors[rows], metric) / model.limits.innovations
        through = (stack[rows] @ model.residual.T) @ model.residual
        by_place = (stack[rows] * through).mean(0).reshape(lag, used).sum(0)
        share = np.zeros(len(model.variables))
        share[model.used] = np.maximum(0, first) + np.maximum(0, by_place / model.limits.cva)
        share[fixed] = moved[begin:end].mean(0) * max(1.0, float(share.max()))
        total = float(share.sum()) or 1.0
        order = np.argsort(-share, kind="stable")[:EXPLAINED_BY]
        named = tuple(
            (model.variables[place], round(float(share[place]) / total, 4)) for place in order if share[place]
        )
        out.append(Explanation(int(begin), int(end - begin), named))
    return tuple(out)


def _partial(errors: Array, metric: Array) -> Array:
    """What each variable adds to the mean squared length of the whitened errors; the parts add up to it."""
    return (errors * (errors @ metric)).mean(0)
