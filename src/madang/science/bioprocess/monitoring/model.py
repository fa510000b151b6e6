"""The model of normal operation, as data and as a file."""

import io
import json
import zipfile
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake.files import put_instead, sentences

Array = NDArray[np.float64]
FORMAT = "madang-monitor-1"
LARGEST = 200_000_000  # bytes of a model file


@dataclass(frozen=True)
class Settings:
    """What is chosen before a model is trained.

    `lag`: samples in the past vector of CVA; `states`: canonical variates kept as the state, the rest is the residual;
    `order`: samples that the one-step prediction looks back; `ridge`: its regularization, in units of samples;
    `memory`: weight of the newest sample in the averages; `alarms`: share of samples of normal operation allowed above
    the limit of an average; `alarms_at_once`: the same for single samples; `confidence`: that no more are above it;
    `folds`: of the cross-validation; `guard`: samples left out on both sides of a fold, so that what is tested is not
    next to what was learned.
    """

    lag: int = 3
    states: int = 25
    order: int = 2
    ridge: float = 50.0
    memory: float = 0.1
    alarms: float = 0.01
    alarms_at_once: float = 0.002
    confidence: float = 0.95
    folds: int = 20
    guard: int = 15


@dataclass(frozen=True)
class Limits:
    """Above what the statistics alarm: at once and averaged, for CVA and for innovations; `start` begins averages."""

    cva: float
    cva_average: float
    cva_start: float
    innovations: float
    innovations_average: float
    innovations_start: float


@dataclass(frozen=True)
class Model:
    """Normal operation of one product on one piece of equipment.

    `variables` are all that a file must have, in this order; `used` are places of those that varied in training.
    `mean`, `deviation`: of the used variables. `residual`: (directions, used * lag), its rows whiten what is no state.
    `predictor`: (used * order, used). `whitening`: (used, used), whitens the errors of prediction.
    """

    variables: tuple[str, ...]
    product: str
    settings: Settings
    limits: Limits
    card: dict[str, object]
    used: NDArray[np.int64]
    constants: Array  # the value of each variable that did not vary, NaN for the others
    mean: Array
    deviation: Array
    residual: Array
    predictor: Array
    whitening: Array


_ARRAYS = ("used", "constants", "mean", "deviation", "residual", "predictor", "whitening")


def save(model: Model, path: Path) -> None:
    """Write `model` as one file (NumPy's zip format; the card is JSON inside)."""
    about = {
        "format": FORMAT,
        "variables": list(model.variables),
        "product": model.product,
        "settings": asdict(model.settings),
        "limits": asdict(model.limits),
        "card": model.card,
    }
    buffer = io.BytesIO()
    arrays = {name: getattr(model, name) for name in _ARRAYS}
    text = np.frombuffer(json.dumps(about, ensure_ascii=False).encode(), dtype=np.uint8)
    np.savez_compressed(buffer, about=text, **arrays)
    with sentences("write the model"):
        put_instead(path, buffer.getvalue(), 0o644)


def load(path: Path) -> Model:
    """The model of a file; raises `monitor.model` where it is none, is damaged, or of another format."""
    wrong = MadangError("monitor.model", _("{file} is no model of a process.").format(file=path))
    try:
        if path.stat().st_size > LARGEST:
            raise wrong
        with np.load(path, allow_pickle=False) as held:
            about = json.loads(bytes(held["about"]))
            arrays = {name: held[name] for name in _ARRAYS}
    except OSError as error:
        raise MadangError("monitor.model", _("Cannot read {file}: {why}.").format(file=path, why=error)) from None
    except (ValueError, KeyError, zipfile.BadZipFile, EOFError):
        raise wrong from None
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise wrong
    try:
        model = Model(
            variables=tuple(map(str, about["variables"])),
            product=str(about["product"]),
            settings=Settings(**{each.name: about["settings"][each.name] for each in fields(Settings)}),
            limits=Limits(**{each.name: float(about["limits"][each.name]) for each in fields(Limits)}),
            card=dict(about["card"]),
            **{name: array if name == "used" else array.astype(float) for name, array in arrays.items()},
        )
    except (KeyError, TypeError, ValueError):
        raise wrong from None
    if not _fits(model):
        raise wrong
    return model


def _fits(model: Model) -> bool:
    used, lag, order = len(model.used), model.settings.lag, model.settings.order
    return (
        model.mean.shape == model.deviation.shape == (used,)
        and model.constants.shape == (len(model.variables),)
        and model.residual.ndim == 2
        and model.residual.shape[1] == used * lag
        and model.predictor.shape == (used * order, used)
        and model.whitening.shape == (used, used)
        and all(0 <= place < len(model.variables) for place in model.used)
        and all(np.isfinite(part).all() for part in (model.mean, model.deviation, model.residual, model.whitening))
    )
