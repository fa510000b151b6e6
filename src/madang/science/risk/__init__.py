"""A small model, trained from tables of the common data model: the ready example of a task that learns.

It foresees whether a person has an outcome within a year, from what was known before: a neural network of one hidden
layer in NumPy, on the processor. It shows how a training task goes on from its checkpoints after it was killed, and
how a model is left with a card that says of which data it is made; it is no medical device and foresees nothing about
patients.

The names below are loaded at first use: who asks for a model does not compute it.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from madang.science.risk.card import write_card
    from madang.science.risk.fit import Settings, Trained, train
    from madang.science.risk.table import Cohort, read_cohort

__all__ = ["Cohort", "Settings", "Trained", "read_cohort", "train", "write_card"]

_PLACES = {
    "Cohort": "table",
    "Settings": "fit",
    "Trained": "fit",
    "read_cohort": "table",
    "train": "fit",
    "write_card": "card",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(name)
    return getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)
