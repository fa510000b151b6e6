"""Training: from samples of normal operation to a model with limits."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from madang.base.errors import MadangError
from madang.base.progress import Progress, Silent
from madang.base.translate import _
from madang.science.bioprocess.monitoring.model import Array, Limits, Model, Settings
from madang.science.bioprocess.monitoring.statistics import (
    averaged,
    cva_distance,
    fit,
    innovations_distance,
    tolerance_limit,
)
from madang.science.bioprocess.monitoring.watch import watch
from madang.science.bioprocess.signals import Signals

LEAST_SAMPLES = 100
TUNED = (0.07, 0.1, 0.2)  # `memory` that known disturbances may choose from; the limits never see them
NORMAL_LIKE = 0.05  # a disturbance with fewer alarms than this cannot be told from normal operation


def train(
    normal: Sequence[Signals],
    settings: Settings | None = None,
    product: str = "",
    progress: Progress | None = None,
) -> Model:
    """A model of normal operation from one or more records of it.

    Raises `monitor.training` for records that differ in their variables, are too short, or do not vary.
    """
    progress = progress or Silent()
    samples, used, constants = _checked(normal)
    settings = _fitting(settings or Settings(), samples)
    mean, deviation = samples.mean(0), samples.std(0, ddof=1)
    scaled = (samples - mean) / deviation
    lengths = [record.samples for record in normal]
    keep = np.ones(len(scaled), dtype=bool)
    options = (settings.lag, settings.states, settings.order, settings.ridge)
    cva, innovations = np.empty(len(scaled)), np.empty(len(scaled))
    edges = np.linspace(0, len(scaled), settings.folds + 1).astype(int)
    with progress.step(_("cross-validation"), settings.folds, _("folds")):
        for begin, end in pairwise(edges):
            mask = keep.copy()
            mask[max(0, begin - settings.guard) : end + settings.guard] = False
            center, spread = samples[mask].mean(0), samples.std(0, ddof=1)
            inner = (samples - center) / spread
            held = fit(inner, mask, *options)
            cva[begin:end] = cva_distance(inner, held.residual, settings.lag)[begin:end]
            innovations[begin:end] = innovations_distance(inner, held.predictor, held.whitening, settings.order)[
                begin:end
            ]
            progress.advance()
    fitted = fit(scaled, keep, *options)
    return Model(
        variables=normal[0].names,
        product=product,
        settings=settings,
        limits=_limits(cva, innovations, settings),
        card={
            "records": len(normal),
            "samples": lengths,
            "constant": [normal[0].names[place] for place in range(len(constants)) if np.isfinite(constants[place])],
            "named": normal[0].named,
        },
        used=used,
        constants=constants,
        mean=mean,
        deviation=deviation,
        residual=fitted.residual,
        predictor=fitted.predictor,
        whitening=fitted.whitening,
    )


def tune(
    normal: Sequence[Signals],
    disturbances: Sequence[Signals],
    settings: Settings | None = None,
    product: str = "",
    progress: Progress | None = None,
) -> Model:
    """A model whose memory, out of `TUNED`, misses the least of known disturbances.

    Disturbances that no setting tells from normal operation do not take part; limits come from `normal` alone.
    """
    progress = progress or Silent()
    base = settings or Settings()
    tried: list[tuple[float, Model]] = []
    with progress.step(_("settings"), len(TUNED), _("settings")):
        for memory in TUNED:
            model = train(normal, replace(base, memory=memory), product)
            shares = np.array([watch(model, record).alarm.mean() for record in disturbances])
            seen = shares[shares >= NORMAL_LIKE]
            tried.append((float(1 - seen.mean()) if len(seen) else 1.0, model))
            progress.advance()
    # The false alarms that each setting makes are the same by its limits, so the fewest misses decide.
    missed, model = min(tried, key=lambda each: each[0])
    note = {"disturbances": len(disturbances), "missed": round(missed, 4)}
    return replace(model, card={**model.card, **note, "settings": asdict(model.settings)})


def _limits(cva: Array, innovations: Array, settings: Settings) -> Limits:
    def limit(values: Array, alarms: float) -> float:
        return tolerance_limit(values, 1 - alarms, settings.confidence)

    starts = float(np.median(cva)), float(np.median(innovations))
    return Limits(
        cva=limit(cva, settings.alarms_at_once),
        cva_average=limit(averaged(cva, settings.memory, starts[0]), settings.alarms),
        cva_start=starts[0],
        innovations=limit(innovations, settings.alarms_at_once),
        innovations_average=limit(averaged(innovations, settings.memory, starts[1]), settings.alarms),
        innovations_start=starts[1],
    )


def _checked(normal: Sequence[Signals]) -> tuple[Array, NDArray[np.int64], Array]:
    if not normal:
        raise MadangError("monitor.training", _("There is no record of normal operation."))
    for record in normal[1:]:
        if record.names != normal[0].names:
            text = _("The records have different variables: {first} and {other}.")
            counts = text.format(first=len(normal[0].names), other=len(record.names))
            raise MadangError("monitor.training", counts, _("Train with files of the same signals in the same order."))
    samples = np.concatenate([record.values for record in normal])
    whole = np.isfinite(samples).all(1)
    samples = samples[whole]  # a sample with a missing reading teaches nothing that can be trusted
    if len(samples) < LEAST_SAMPLES:
        text = _("{found} whole samples of normal operation are too few; at least {least} are needed.")
        raise MadangError("monitor.training", text.format(found=len(samples), least=LEAST_SAMPLES))
    varies = samples.std(0) > 1e-12 * np.maximum(1e-300, np.abs(samples).max(0))
    if varies.sum() < 2:
        raise MadangError("monitor.training", _("Fewer than two signals vary in normal operation."))
    constants = np.where(varies, np.nan, samples[0])
    used = np.flatnonzero(varies)
    return samples[:, used], used, constants


def _fitting(settings: Settings, samples: Array) -> Settings:
    """The settings, with lags that the number of samples can carry."""
    count, width = samples.shape
    lag = max(1, min(settings.lag, int(count * 0.9 / (width * 2))))
    order = max(1, min(settings.order, int(count * 0.9 / (width * 2))))
    states = min(settings.states, (width * lag) // 3)
    if count < 2 * width + 4 * settings.guard:
        text = _("{samples} samples are too few for {variables} signals.")
        raise MadangError("monitor.training", text.format(samples=count, variables=width))
    return replace(settings, lag=lag, order=order, states=states)
