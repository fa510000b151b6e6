"""A small model, trained from tables of the common data model: the ready example of a task that learns.

It foresees whether a person has an outcome within a year, from what was known before: a neural network of one hidden
layer in NumPy, on the processor. It shows how a training task goes on from its checkpoints after it was killed, and
how a model is left with a card that says of which data it is made; it is no medical device and foresees nothing about
patients.

The names below are loaded at first use: who asks for a model does not compute it.
"""

from typing import TYPE_CHECKING

from madang.base.lazily import at_first_use

if TYPE_CHECKING:
    from madang.science.risk.card import write_card
    from madang.science.risk.fit import Settings, Trained, train
    from madang.science.risk.table import Cohort, read_cohort

__all__ = ["Cohort", "Settings", "Trained", "read_cohort", "train", "write_card"]

__getattr__ = at_first_use(
    __name__, {"card": ("write_card",), "fit": ("Settings", "Trained", "train"), "table": ("Cohort", "read_cohort")}
)
