"""Models: trained from an assay with honest figures beside it, kept as versions, and asked for values with intervals.

A version is a folder: `card.json` (data, splits, figures, where it must not be used), `trees.txt`, `arrays.npz`. Its
hash is that of the card, which names the hashes of the others.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from madang.base.canonical import canonical_json, sha256_of_file
from madang.base.errors import MadangError
from madang.base.progress import Progress
from madang.base.translate import _
from madang.lake.files import make_folder, put_if_absent, sentences
from madang.science.chemistry.assay import Assay
from madang.science.chemistry.features import Features, describe, descriptor_names
from madang.science.chemistry.intervals import LEVEL, Calibration, calibrate, coverage
from madang.science.chemistry.learn import Fitted, Floats, Kernel, fit
from madang.science.chemistry.needs import needed
from madang.science.chemistry.split import clusters, folds, scaffold_split
from madang.science.chemistry.structure import Unreadable, read_structure
from madang.science.chemistry.validate import Unseen, cross_predict, metrics, nearest, predict_unseen

with needed("lightgbm"):
    import lightgbm

FORMAT = "madang-model-2"
FOLDS = 5
STRANGE = 0.05  # the share of training molecules that are as far from the others as what counts as out of the domain
MOST_DRAWN = 600  # molecules that a picture of a model shows
_SPAN = 1000.0  # ratio of the largest to the smallest positive value from which logarithms are learned
_LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


@dataclass(frozen=True)
class Prediction:
    """What a model says of one molecule. `nearest` is the most similar training molecule, `similarity` its Tanimoto
    similarity; `problem` says why there is no value."""

    value: float | None
    low: float | None
    high: float | None
    in_domain: bool
    nearest: str = ""
    nearest_value: float | None = None
    similarity: float | None = None
    problem: str = ""


@dataclass(frozen=True)
class Model:
    """A trained model: its card and what it predicts with."""

    card: dict[str, Any]
    fitted: Fitted
    calibration: Calibration
    words: Any
    values: Floats
    smiles: tuple[str, ...]

    def predict(self, smiles: Sequence[str], processes: int | None = None, level: float = LEVEL) -> list[Prediction]:
        """A value with its interval for each molecule; structures that cannot be read have none and say why."""
        result: list[Prediction | None] = [None] * len(smiles)
        good, elements = [], []
        for row, text in enumerate(smiles):
            try:
                molecule = read_structure(text)
            except Unreadable as reason:
                result[row] = Prediction(None, None, None, False, problem=str(reason))
                continue
            good.append(row)
            elements.append({atom.GetSymbol() for atom in molecule.GetAtoms()})
        if good:
            features = describe([smiles[row] for row in good], self.card["light"], processes)
            for row, said in zip(good, self._say(features, elements, level), strict=True):
                result[row] = said
        return [said for said in result if said is not None]

    def _say(self, features: Features, elements: list[set[str]], level: float) -> list[Prediction]:
        value = self.fitted.predict(features)
        near, similarity = nearest(features.words, self.words, 1)
        closest = similarity[:, 0]
        if self.fitted.classes:
            low, high = self.calibration.classes(value, level)
        else:
            low, high = self.calibration.interval(value, closest, level)
        known = set(self.card["elements"])
        back = _back if self.card["logarithm"] else float
        return [
            Prediction(
                back(value[row]),
                back(low[row]),
                back(high[row]),
                bool(closest[row] >= self.card["domain"]["similarity"]) and elements[row] <= known,
                self.smiles[near[row, 0]],
                back(self.values[near[row, 0]]),
                float(closest[row]),
            )
            for row in range(len(features))
        ]


def train(
    name: str,
    assay: Assay,
    *,
    light: bool = False,
    threads: int = 1,
    trees: int = 400,
    progress: Progress | None = None,
) -> Model:
    """Train a model; measure it by scattered molecules, whole clusters, scaffolds and, where there are dates, time."""
    progress = progress or Progress()
    truth = np.array(assay.values)
    classes = assay.classes
    logarithm = not classes and truth.min() > 0 and truth.max() / truth.min() >= _SPAN
    values = np.log10(truth) if logarithm else truth
    with progress.step(_("Features"), total=len(truth)):
        features = describe(assay.smiles, light)
        progress.advance(len(truth))
    random = np.random.default_rng(0)
    scattered = random.permutation(len(values)) % FOLDS
    label = clusters(features.words)
    gathered = folds(label, FOLDS)
    with progress.step(_("Cross-validation"), total=2):
        apart = cross_predict(features, values, classes, scattered, threads, trees)
        progress.advance()
        whole = cross_predict(features, values, classes, gathered, threads, trees)
        progress.advance()
    pooled = [np.concatenate([getattr(one, name_) for one in (apart, whole)]) for name_ in ("predicted", "similarity")]
    calibration = calibrate(np.concatenate([values, values]), pooled[0], pooled[1], classes)
    splits = {
        "random": _figures(values, apart, classes, scattered),
        "cluster": _figures(values, whole, classes, gathered) | {"clusters": int(label.max()) + 1},
    }
    with progress.step(_("Scaffolds and time")):
        splits |= _held_out(assay, features, values, classes, threads, trees)
    with progress.step(_("Final model")):
        fitted = fit(features, values, classes, threads, trees)
    limit = float(np.quantile(apart.similarity, STRANGE))
    inside = whole.similarity >= limit
    card = {
        "format": FORMAT,
        "name": name,
        "made": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "method": "gradient-boosted trees" + (" and kernel regression" if fitted.kernel else ""),
        "light": light,
        "kind": "classes" if classes else "values",
        "logarithm": bool(logarithm),
        "level": LEVEL,
        "assay": {
            "file": assay.name,
            "structure": assay.structure,
            "value": assay.value,
            "rows": assay.rows,
            "compounds": len(assay.smiles),
            "repeats": assay.repeats,
            "dropped": [asdict(row) for row in assay.dropped],
            "range": [float(truth.min()), float(truth.max())],
            "mean": float(truth.mean()),
        },
        "elements": sorted({atom.GetSymbol() for text in assay.smiles for atom in read_structure(text).GetAtoms()}),
        "descriptors": list(descriptor_names(light)),
        "splits": splits,
        "domain": {
            "similarity": limit,
            "inside": metrics(values[inside], whole.predicted[inside], classes),
            "outside": metrics(values[~inside], whole.predicted[~inside], classes),
        },
        "unseen": _sample(values, whole),
        "not_for": "molecules out of the domain; other assays, species or conditions than those of the table",
    }
    return Model(card, fitted, calibration, features.words, values, assay.smiles)


def _sample(values: Floats, unseen: Unseen) -> list[list[float]]:
    """Truth, prediction and similarity to the nearest training molecule of some molecules, by whole clusters; for
    pictures."""
    some = np.random.default_rng(1).permutation(len(values))[:MOST_DRAWN]
    return [[float(f"{each[row]:.5g}") for each in (values, unseen.predicted, unseen.similarity)] for row in some]


def _figures(values: Floats, unseen: Unseen, classes: bool, fold: Any) -> dict[str, Any]:
    found = {"model": metrics(values, unseen.predicted, classes), "baseline": metrics(values, unseen.baseline, classes)}
    given = (values, unseen.predicted, unseen.similarity, fold, classes)
    return found | {"coverage": {str(level): coverage(*given, level) for level in _LEVELS}}


def _held_out(
    assay: Assay, features: Features, values: Floats, classes: bool, threads: int, trees: int
) -> dict[str, Any]:
    """Figures of the scaffold split (model of train and valid, asked for test) and of the newest fifth."""
    parts = scaffold_split(assay.smiles)
    splits = {"scaffold": ([*parts.train, *parts.valid], list(parts.test))}
    if assay.dates and len(set(assay.dates)) > 1:
        order = sorted(range(len(values)), key=lambda row: assay.dates[row])
        splits["time"] = (order[: int(0.8 * len(order))], order[int(0.8 * len(order)) :])
    found = {}
    for name, (train_rows, test_rows) in splits.items():
        if len(test_rows) < 5 or len(train_rows) < 10:
            continue
        unseen = predict_unseen(features, values, classes, np.array(train_rows), np.array(test_rows), threads, trees)
        truth = values[unseen.rows]
        found[name] = {
            "model": metrics(truth, unseen.predicted, classes),
            "baseline": metrics(truth, unseen.baseline, classes),
        }
    return found


def save(model: Model, folder: Path) -> tuple[int, str]:
    """Keep a model as the next version in `folder`; its number and its hash."""
    with sentences(f"write the model {model.card['name']!r}"):
        make_folder(folder, 0o700)
        number = max(versions(folder), default=0) + 1
        place = folder / str(number)
        place.mkdir(mode=0o700)
        kernel = model.fitted.kernel
        arrays = {
            "words": model.words,
            "values": model.values,
            "usual": model.calibration.usual,
            "ratios": model.calibration.ratios,
            "errors0": model.calibration.errors[0],
            "errors1": model.calibration.errors[1],
            "constants": np.array([model.fitted.center, model.fitted.spread, kernel.constant if kernel else 0.0]),
        }
        if kernel:
            arrays |= {f"kernel_{name}": getattr(kernel, name) for name in ("wide", "scores", "weights", "quantiles")}
        np.savez_compressed(place / "arrays.npz", **arrays)
        (place / "trees.txt").write_text(model.fitted.trees.model_to_string())
        (place / "molecules.txt").write_text("\n".join(model.smiles) + "\n")
        files = {name: sha256_of_file(place / name) for name in ("arrays.npz", "trees.txt", "molecules.txt")}
        document = canonical_json(model.card | {"version": number, "files": files})
        put_if_absent(place / "card.json", document, 0o400)
    return number, sha256_of_file(place / "card.json")


def versions(folder: Path) -> list[int]:
    """Numbers of the versions of a model."""
    return sorted(int(path.parent.name) for path in folder.glob("*/card.json") if path.parent.name.isdigit())


def load(folder: Path, number: int | None = None) -> Model:
    """A version of a model, by default the newest; its files must be those that the card names."""
    numbers = versions(folder)
    if not numbers or (number is not None and number not in numbers):
        raise MadangError(
            "chemistry.no_model",
            _("There is no model {name}.").format(name=repr(folder.name) if not number else f"{folder.name}@{number}"),
            _("`madang discovery model list` lists them."),
        )
    place = folder / str(number or numbers[-1])
    card = json.loads((place / "card.json").read_bytes())
    for name, expected in card["files"].items():
        if not (place / name).exists() or sha256_of_file(place / name) != expected:
            raise MadangError("chemistry.model_damaged", _("{file} is not what it was.").format(file=place / name))
    with np.load(place / "arrays.npz", allow_pickle=False) as arrays:
        center, spread, constant = arrays["constants"]
        kernel = None
        if "kernel_wide" in arrays:
            wide, scores, weights = (arrays[f"kernel_{name}"] for name in ("wide", "scores", "weights"))
            kernel = Kernel(wide, scores, weights, float(constant), arrays["kernel_quantiles"])
        calibration = Calibration(arrays["usual"], arrays["ratios"], (arrays["errors0"], arrays["errors1"]))
        words, values = arrays["words"], arrays["values"]
    if card["format"] != FORMAT or card["descriptors"] != list(descriptor_names(card["light"])):
        raise MadangError(
            "chemistry.model_version",
            _("The model {name} was made by another version of Madang or RDKit.").format(name=repr(folder.name)),
            _("Train it again."),
        )
    trees = lightgbm.Booster(model_str=(place / "trees.txt").read_text())
    fitted = Fitted(trees, kernel, float(center), float(spread), card["kind"] == "classes")
    smiles = tuple((place / "molecules.txt").read_text().splitlines())
    return Model(card, fitted, calibration, words, values, smiles)


def _back(logarithm: float) -> float:
    return float(10 ** min(float(logarithm), 300.0)) if math.isfinite(logarithm) else float(logarithm)
