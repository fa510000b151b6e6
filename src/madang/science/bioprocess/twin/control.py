"""Model prediction: what feed to give next, found by trying many on the twin from the state as it was measured.

Each time the controller looks to the end of the batch, draws feeds of the coming pieces of time, keeps the best tenth
and draws again around them (the cross-entropy method: Rubinstein, Methodol. Comput. Appl. Probab. 1 (1999) 127-190),
and gives the first piece of the best. It says what should be fed; nothing here writes to equipment.
For development use. Limits are kept as well as the state is measured.
"""

from dataclasses import dataclass, replace

import numpy as np

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.bioprocess.toml import Section
from madang.science.bioprocess.twin.attributes import Limit, attribute
from madang.science.bioprocess.twin.kinetics import STATES
from madang.science.bioprocess.twin.recipe import Recipe
from madang.science.bioprocess.twin.solve import Array, Batches, solve

CANDIDATES, ROUNDS, BEST = 200, 5, 20
PIECES = 6  # of the time that is left, in which the feed is held
PENALTY = 10.0  # of a limit missed by its own size, in units of the aim


@dataclass(frozen=True)
class Controller:
    """How the feed is chosen: every so many hours, between `least` and `most` L/h, for the largest `aim` (an attribute)
    that keeps the limits; `noise` is the relative error of the measured state."""

    every: float = 24.0
    least: float = 0.0
    most: float = 0.004
    aim: str = "harvest"
    noise: float = 0.02
    seed: int = 1


@dataclass(frozen=True)
class Controlled:
    """A batch that was controlled: the feed from each hour on, states (times, 10), the aim at its end, and that of the
    recipe's own feed on the same plant; whether the limits held for either."""

    hours: tuple[float, ...]
    feed: tuple[float, ...]
    times: Array
    states: Array
    reached: float
    fixed: float
    held: bool
    fixed_held: bool


def read_controller(section: Section) -> tuple[Controller, dict[str, float]]:
    """The table [control] and what is different in the plant (its table [control.plant])."""
    usual = Controller()
    made = Controller(
        section.number("every", usual.every, 0.5, 1000),
        section.number("least", usual.least, 0, 1e6),
        section.number("most", usual.most, 0, 1e6),
        section.text("aim", usual.aim),
        section.number("noise", usual.noise, 0, 1),
        section.whole("seed", usual.seed),
    )
    if made.least >= made.most:
        raise MadangError("twin.control", _("The most that may be fed must be above the least."))
    plant = section.section("plant")
    other = {name: plant.number(name, least=0) for name in plant.names()}
    section.end()
    return made, other


def next_feed(
    recipe: Recipe, state: Array, hour: float, controller: Controller, limits: list[Limit], usual: float
) -> float:
    """The feed in L/h for the coming piece of time, given the measured state (10,) at `hour`; `usual` is the guess to
    begin from."""
    random = np.random.default_rng([controller.seed, round(hour * 1000)])
    first = min(hour + controller.every, recipe.hours)  # for so long the chosen feed is held
    edges = np.concatenate([[hour], np.linspace(first, recipe.hours, PIECES)])
    middle = np.full(PIECES, np.clip(usual, controller.least, controller.most))
    width = np.full(PIECES, (controller.most - controller.least) / 3)
    times = np.linspace(hour, recipe.hours, 2 * PIECES + 1)[1:]  # of the course, for attributes such as a peak
    for _round in range(ROUNDS):
        feeds = np.clip(
            middle + width * random.standard_normal((CANDIDATES, PIECES)), controller.least, controller.most
        )
        feeds[0] = middle
        states = solve(_batches(recipe, state, edges, feeds), times)
        best = np.argsort(-_worth(states, times, recipe, controller.aim, limits))[:BEST]
        middle, width = feeds[best].mean(0), np.maximum(feeds[best].std(0), 1e-9)
        winner = feeds[best[0]]
    return float(winner[0])


def control(recipe: Recipe, controller: Controller, limits: list[Limit], plant: dict[str, float]) -> Controlled:
    """Run a batch whose plant differs from the twin by `plant` (parameters), its feed chosen anew every few hours from
    a measurement with noise; beside it the recipe's own feed on that plant. Feeding begins when the recipe's does."""
    real = replace(recipe, parameters=recipe.parameters | plant)
    random = np.random.default_rng(controller.seed)
    begins = min((change.hours for change in recipe.changes if change.feed), default=0.0)
    times = recipe.times()
    usual = max((change.feed or 0.0 for change in recipe.changes), default=0.0)
    state, hour = real.state(), 0.0
    hours, feeds = [], []
    while hour < recipe.hours - 1e-9:
        until = min(begins if hour < begins else hour + controller.every, recipe.hours)
        if hour >= begins:
            measured = state * np.exp(controller.noise * random.standard_normal(len(STATES)))
            usual = next_feed(recipe, measured, hour, controller, limits, usual)
        feed = usual if hour >= begins else 0.0
        hours.append(hour)
        feeds.append(feed)
        piece = _batches(real, state, np.array([hour, until]), np.array([[feed]]))
        state, hour = solve(piece, np.array([until]))[0, -1], until
    edges = np.array([*hours, recipe.hours])
    states = solve(_batches(real, real.state(), edges, np.array([feeds])), times)
    fixed = solve(real.batches(), times)

    def reached(course: Array) -> float:
        return float(attribute(controller.aim, course, times, recipe.kinetics)[0])

    def held(course: Array) -> bool:
        return all(bool(one.holds(attribute(one.attribute, course, times, recipe.kinetics))[0]) for one in limits)

    return Controlled(
        tuple(hours), tuple(feeds), times, states[0], reached(states), reached(fixed), held(states), held(fixed)
    )


def _batches(recipe: Recipe, state: Array, edges: Array, feeds: Array) -> Batches:
    """Batches from a state on with these feeds (n, pieces); temperature and medium are the recipe's at the time."""
    whole, controls = recipe.schedule()
    cuts = np.unique(np.concatenate([edges, whole[(whole > edges[0]) & (whole < edges[-1])]]))
    at = np.clip(np.searchsorted(whole, cuts[:-1], "right") - 1, 0, len(controls) - 1)
    mine = np.tile(controls[at], (len(feeds), 1, 1))
    medium = controls[controls[:, 0] > 0]
    if len(medium):
        mine[:, :, 1:3] = medium[0, 1:3]
    mine[:, :, 0] = feeds[:, np.clip(np.searchsorted(edges, cuts[:-1], "right") - 1, 0, feeds.shape[1] - 1)]
    count = len(feeds)
    return Batches(
        recipe.kinetics,
        np.tile(recipe.kinetics.values(recipe.parameters), (count, 1)),
        np.tile(state, (count, 1)),
        np.tile(cuts, (count, 1)),
        mine,
    )


def _worth(states: Array, times: Array, recipe: Recipe, aim: str, limits: list[Limit]) -> Array:
    worth = attribute(aim, states, times, recipe.kinetics)
    scale = max(float(np.median(np.abs(worth))), 1e-12)
    for one in limits:
        values = attribute(one.attribute, states, times, recipe.kinetics)
        size = max(
            abs(one.least) if np.isfinite(one.least) else 0, abs(one.most) if np.isfinite(one.most) else 0, 1e-12
        )
        missed = np.maximum(np.maximum(one.least - values, values - one.most), 0) / size
        worth = worth - PENALTY * scale * missed
    return np.where(np.isfinite(worth), worth, -np.inf)
