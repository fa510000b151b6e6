"""What a batch is judged by: attributes of its end or its course, and the limits that they have to keep."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.bioprocess.twin.kinetics import STATES, D, Kinetics, L, P, V, X
from madang.science.bioprocess.twin.solve import Array

DERIVED = ("viability", "harvest", "productivity", "peak_biomass", "lactate_peak", "pH_least")
NAMES = (*STATES, *DERIVED)


@dataclass(frozen=True)
class Limit:
    """The range that an attribute has to keep."""

    attribute: str
    least: float = -np.inf
    most: float = np.inf

    def holds(self, values: Array) -> NDArray[np.bool_]:
        """Which of the values keep it."""
        return (values >= self.least) & (values <= self.most)


def attribute(name: str, states: Array, times: Array, kinetics: Kinetics) -> Array:
    """One number per batch from its states (n, times, 10): a state at the end, or one of DERIVED.

    `viability` is the living share of cells; `harvest` the product in the vessel in g; `productivity` its g/L per day;
    `pH_least` needs the buffer of the CHO kinetics. Raises `twin.attribute` for other names.
    """
    if name in STATES:
        return states[:, -1, STATES.index(name)]
    if name == "viability":
        return states[:, -1, X] / np.maximum(states[:, -1, X] + states[:, -1, D], 1e-12)
    if name == "harvest":
        return states[:, -1, P] * states[:, -1, V]
    if name == "productivity":
        return states[:, -1, P] / (times[-1] / 24)
    if name == "peak_biomass":
        return states[:, :, X].max(1)
    if name == "lactate_peak":
        return states[:, :, L].max(1)
    if name == "pH_least":
        return ph(states, kinetics).min(1)
    text = _("There is no attribute {name}.").format(name=name)
    raise MadangError("twin.attribute", text, _("There are {names}.").format(names=", ".join(NAMES)))


def ph(states: Array, kinetics: Kinetics) -> Array:
    """pH without control, from lactate and ammonia against the buffer: (n, times)."""
    values = {name: value for name, (value, _unit) in kinetics.parameters.items()}
    if "buffer" not in values:
        return np.full(states.shape[:2], values["pH"])
    return values["pH_0"] - (states[:, :, L] - states[:, :, STATES.index("ammonia")]) / values["buffer"] * 0.2
