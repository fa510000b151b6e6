"""What a trained model is left as: its weights, its measures, and a card for people, in English and Korean.

The headings are those of Mitchell and others, Model Cards for Model Reporting (2019, https://arxiv.org/abs/1810.03993).
"""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from madang import __version__
from madang.base.translate import _, speaking
from madang.science.risk.fit import Settings, Trained
from madang.science.risk.outcomes import outcome_name
from madang.science.risk.table import Cohort


def write_card(folder: Path, cohort: Cohort, settings: Settings, trained: Trained) -> dict[str, Any]:
    """Write model.json, card.json, card.md and card.ko.md into `folder`; what card.json says."""
    model = {
        "kind": "madang.risk/1",
        "outcome": cohort.outcome,
        "features": list(cohort.features),
        "mean": trained.mean.tolist(),
        "scale": trained.scale.tolist(),
        "weights": {name: value.tolist() for name, value in trained.weights.items()},
    }
    text = json.dumps(model, sort_keys=True)
    (folder / "model.json").write_text(text, "utf-8")
    told = {
        "model": {"sha256": hashlib.sha256(text.encode()).hexdigest(), "features": list(cohort.features)},
        "outcome": cohort.outcome,
        "day": cohort.day.isoformat(),
        "data": {"sha256": cohort.data, "files": cohort.files},
        "settings": asdict(settings),
        "software": {"madang": __version__},
        "measures": trained.measures,
        "best_epoch": trained.best_epoch,
        "losses": trained.losses,
    }
    (folder / "card.json").write_text(json.dumps(told, indent=1), "utf-8")
    for language, name in (("en", "card.md"), ("ko", "card.ko.md")):
        with speaking(language):
            (folder / name).write_text(_card(told), "utf-8")
    return told


def _card(told: dict[str, Any]) -> str:
    measures, settings, data = told["measures"], told["settings"], told["data"]
    what = _("A neural network of one hidden layer ({hidden} units, tanh), trained by Madang {version} with NumPy.")
    made = _("Epoch {best} of {epochs} was kept; seed {seed}.")
    files = _("SHA-256 {digest} over {count} files; the day is {day}.")
    people = _("{people} people, {trained} trained on, {tested} tested on.")
    auc = _("Area under the ROC curve {auc} (age alone {age})")
    brier = _("Brier score {brier} (foreseeing the mean {mean})")
    sections = {
        _("Model"): (
            what.format(hidden=settings["hidden"], version=told["software"]["madang"]),
            _("Version: SHA-256 {digest} of model.json").format(digest=told["model"]["sha256"]),
            made.format(best=told["best_epoch"], epochs=settings["epochs"], seed=settings["seed"]),
        ),
        _("Intended use"): (
            _("An example of how training goes here. No medical device; not for decisions about people."),
        ),
        _("Data"): (
            files.format(digest=data["sha256"], count=len(data["files"]), day=told["day"]),
            people.format(
                people=int(measures["people"]), trained=int(measures["trained_on"]), tested=int(measures["tested_on"])
            ),
        ),
        _("Measures, on people who were not trained on"): (
            auc.format(auc=f"{measures['auc']:.3f}", age=f"{measures['auc_of_age_alone']:.3f}"),
            brier.format(brier=f"{measures['brier']:.4f}", mean=f"{measures['brier_of_the_mean']:.4f}"),
            _("Foreseen on average {foreseen}, came {came}").format(
                foreseen=f"{measures['foreseen']:.1%}", came=f"{measures['came']:.1%}"
            ),
        ),
        _("Limits"): (
            _("Measured once, on a random fifth of the same data; other hospitals and years were not tried."),
            _("Nothing was measured by groups of people."),
        ),
    }
    title = _("Model card: {outcome} within a year").format(outcome=outcome_name(told["outcome"]))
    lines = [f"# {title}", ""]
    for heading, sentences in sections.items():
        lines += [f"## {heading}", "", *(f"- {each}" for each in sentences), ""]
    return "\n".join(lines)
