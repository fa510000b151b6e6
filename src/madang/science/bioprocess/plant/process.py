"""The process of the simulated plant: reactors that the twin moves on, read by sensors with noise."""

from dataclasses import dataclass, field

import numpy as np

from madang.science.bioprocess.plant.faults import Fault
from madang.science.bioprocess.twin.attributes import ph
from madang.science.bioprocess.twin.kinetics import STATES, kinetics
from madang.science.bioprocess.twin.solve import Array, Batches, solve

TAGS = {  # name: unit
    "Volume": "L",
    "ViableCells": "1e9 cells/L",
    "Glucose": "mmol/L",
    "Lactate": "mmol/L",
    "Titer": "g/L",
    "pH": "-",
    "DissolvedOxygen": "%",
    "Temperature": "°C",
    "FeedRate": "mL/h",
    "Agitation": "1/min",
    "OffgasCO2": "%",
    "Pressure": "bar",
}
NOISE = {
    "Volume": 0.002,
    "ViableCells": 0.02,
    "Glucose": 0.02,
    "Lactate": 0.02,
    "Titer": 0.01,
    "pH": 0.002,
    "DissolvedOxygen": 0.01,
    "Temperature": 0.001,
    "FeedRate": 0.005,
    "Agitation": 0.002,
    "OffgasCO2": 0.01,
    "Pressure": 0.002,
}
LONGEST = 336.0  # hours of one batch; then the next begins


@dataclass
class Reactor:
    """One bioreactor: the state of its culture, its process time in hours, and the setpoints that may be written."""

    name: str
    volume: float
    seed: int
    faults: tuple[Fault, ...] = ()
    hours: float = 0.0
    batch: int = 1
    setpoints: dict[str, float] = field(default_factory=lambda: {"Temperature": 37.0, "FeedRate": 0.9})
    _state: Array | None = None
    _last: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._random = np.random.default_rng(self.seed)
        self._kinetics = kinetics("cho")
        self._begin()

    def advance(self, hours: float) -> dict[str, float]:
        """Move on by so many hours and read the sensors, before faults of sensors."""
        if self.hours + hours > LONGEST:
            self.batch += 1
            self.hours = 0.0
            self._begin()
        assert self._state is not None
        feed, celsius, air = self._controls()
        values = self._kinetics.values()
        values[self._kinetics.names.index("kLa")] *= air
        controls = np.array([[[feed * self.volume / 1000, 300.0, 20.0, celsius]]])
        edges = np.array([[0.0, max(hours, 1e-9)]])
        batches = Batches(self._kinetics, values[None], self._state[None], edges, controls)
        self._state = solve(batches, np.array([hours]))[0, -1]
        self.hours += hours
        return self._read(feed, celsius, air)

    def active(self, name: str) -> list[Fault]:
        """Faults of that name that have begun."""
        return [fault for fault in self.faults if fault.name == name and self.hours >= fault.hours]

    def _begin(self) -> None:
        self._state = np.zeros(len(STATES))
        for name, value in self._kinetics.start.items():
            self._state[STATES.index(name)] = value * self._random.lognormal(0, 0.03)
        self._state[0] = self.volume

    def _controls(self) -> tuple[float, float, float]:
        feed = self.setpoints["FeedRate"] if self.hours >= 48 else 0.0
        celsius = self.setpoints["Temperature"] - (3.0 if self.hours >= 140 else 0.0)
        if self.active("feed-stop"):
            feed = 0.0
        if self.active("feed-double"):
            feed *= 2
        for fault in self.active("cooling"):
            celsius += min(5.0, self.hours - fault.hours)
        return feed, celsius, 0.5 if self.active("oxygen") else 1.0

    def _read(self, feed: float, celsius: float, air: float) -> dict[str, float]:
        assert self._state is not None
        state = dict(zip(STATES, self._state, strict=True))
        demand = 0.28 * state["biomass"]
        transfer = 18.0 * air
        half = 0.5 * (0.90 - 0.01 - demand / transfer)
        oxygen = half + np.sqrt(half * half + 0.90 * 0.01)
        exact = {
            "Volume": state["volume"],
            "ViableCells": state["biomass"],
            "Glucose": state["substrate"],
            "Lactate": state["lactate"],
            "Titer": state["product"],
            "pH": float(ph(self._state[None, None], self._kinetics)[0, 0]),
            "DissolvedOxygen": 100 * oxygen / 0.90,
            "Temperature": celsius,
            "FeedRate": feed * self.volume,
            "Agitation": 120 + 6 * state["biomass"],
            "OffgasCO2": 0.04 + 0.02 * demand,
            "Pressure": 1.2,
        }
        return {
            name: float(value * (1 + NOISE[name] * self._random.standard_normal())) for name, value in exact.items()
        }
