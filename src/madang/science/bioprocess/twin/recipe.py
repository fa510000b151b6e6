"""A recipe: what one cultivation begins with, how it is fed and at what temperature, and how long it lasts."""

from dataclasses import dataclass, field

import numpy as np

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.bioprocess.toml import Section
from madang.science.bioprocess.twin.kinetics import CONTROLS, STATES, Kinetics
from madang.science.bioprocess.twin.kinetics import kinetics as named
from madang.science.bioprocess.twin.solve import Array, Batches

MOST_ANSWERS = 100_000
_USUAL_CELSIUS = {"cho": 37.0, "penicillin": 25.0}


@dataclass(frozen=True)
class Change:
    """From `hours` on: feed in L/h, its substrate and glutamine per L, and the temperature; None leaves it as it is."""

    hours: float
    feed: float | None = None
    feed_substrate: float | None = None
    feed_glutamine: float | None = None
    temperature: float | None = None


@dataclass(frozen=True)
class Recipe:
    """One cultivation for the twin: kinetics, parameters that differ from their defaults, start, changes, length."""

    kinetics: Kinetics
    hours: float
    every: float = 2.0
    parameters: dict[str, float] = field(default_factory=dict)
    start: dict[str, float] = field(default_factory=dict)
    changes: tuple[Change, ...] = ()

    def times(self) -> Array:
        """Hours at which the twin answers: every `every` hours, and at the end."""
        steps = np.arange(0.0, self.hours + 1e-9, self.every)
        return steps if abs(steps[-1] - self.hours) < 1e-9 else np.append(steps, self.hours)

    def state(self) -> Array:
        """The state at the beginning, (10,)."""
        out = np.zeros(len(STATES))
        for name, value in (self.kinetics.start | self.start).items():
            if name not in STATES:
                text = _("A batch cannot begin with {name}.").format(name=name)
                raise MadangError("twin.start", text, _("It has {names}.").format(names=", ".join(STATES)))
            out[STATES.index(name)] = value
        return out

    def schedule(self) -> tuple[Array, Array]:
        """Edges (k+1) and controls (k, 4): what holds from when."""
        ordered = sorted(self.changes, key=lambda change: change.hours)
        hours = sorted({0.0, *(change.hours for change in ordered if change.hours < self.hours)})
        controls = np.zeros((len(hours), len(CONTROLS)))
        current = np.array([0.0, 0.0, 0.0, _USUAL_CELSIUS[self.kinetics.name]])
        for place, hour in enumerate(hours):
            for change in ordered:
                if change.hours == hour:
                    for at, name in enumerate(CONTROLS):
                        value = getattr(change, name)
                        if value is not None:
                            current[at] = value
            controls[place] = current
        return np.array([*hours, self.hours]), controls

    def batches(self, count: int = 1) -> Batches:
        """`count` equal batches of this recipe, to be varied."""
        edges, controls = self.schedule()
        return Batches(
            self.kinetics,
            np.tile(self.kinetics.values(self.parameters), (count, 1)),
            np.tile(self.state(), (count, 1)),
            np.tile(edges, (count, 1)),
            np.tile(controls, (count, 1, 1)),
        )


def read_recipe(section: Section) -> Recipe:
    """The recipe in a description: kinetics, hours, every, [parameters], [start], [[feed]], [[temperature]]."""
    kinetics = named(section.text("kinetics", "cho"))
    hours = section.number("hours", 336.0, 0.001, 100_000)
    every = section.number("every", 2.0, 1e-6, 100_000)
    if hours / every > MOST_ANSWERS:
        raise section.wrong("every", _("longer, or there are too many answers"))
    parameters = section.section("parameters")
    start = section.section("start")
    changes = []
    for feed in section.sections("feed"):
        changes.append(
            Change(
                feed.number("from", least=0),
                feed=feed.number("rate", least=0),
                feed_substrate=feed.number("substrate", least=0) if "substrate" in feed else None,
                feed_glutamine=feed.number("glutamine", least=0) if "glutamine" in feed else None,
            )
        )
        feed.end()
    for heat in section.sections("temperature"):
        changes.append(Change(heat.number("from", least=0), temperature=heat.number("celsius", least=0, most=80)))
        heat.end()
    recipe = Recipe(
        kinetics,
        hours,
        every,
        {name: parameters.number(name, least=0) for name in parameters.names()},
        {name: start.number(name, least=0) for name in start.names()},
        tuple(changes),
    )
    kinetics.values(recipe.parameters)
    recipe.state()
    return recipe
