"""Ranking: desirability functions written in a small table, the Pareto front, and a pick that is diverse.

A desirability maps a value to 0 (useless) to 1 (as good as it gets); the score is the weighted geometric mean of them
(Derringer and Suich, J. Qual. Technol. 12, 1980, 214), so that one useless property makes the whole useless.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from madang.base.errors import MadangError
from madang.base.translate import _

SHAPES = ("higher", "lower", "target", "range")


@dataclass(frozen=True)
class Goal:
    """What is wanted of a property. `higher` and `lower` rise and fall between low and high; `target` is 1 at the
    target and falls to 0 at low and high; `range` is 1 from low to high and falls off within a tenth of its width."""

    property: str
    shape: str
    low: float
    high: float
    target: float | None = None
    weight: float = 1.0


@dataclass(frozen=True)
class Part:
    """What one property gives to a place in the ranking; `value` is None where it is not known, which counts as 0."""

    property: str
    value: float | None
    desirability: float
    weight: float


@dataclass(frozen=True)
class Ranked:
    """A compound in its place: score 0 to 1, the parts that explain it, and its Pareto front (1: nothing is better in
    every respect)."""

    place: int
    id: str
    smiles: str
    score: float
    front: int
    parts: tuple[Part, ...]


def read_goals(path: Path) -> list[Goal]:
    """Goals from a table with columns property, shape, low, high, and if need be target and weight."""
    from madang.science.chemistry.reading import cell_text, named_column, table

    header, records = table(path)
    needed = {name: named_column(path.name, header, name) for name in ("property", "shape", "low", "high")}
    extra = {name: header.index(name) for name in ("target", "weight") if name in header}
    goals = []
    for line, cells in records:
        texts = [cell_text(cell) for cell in cells] + [""] * len(header)
        if not texts[needed["property"]]:
            continue
        try:
            low, high = float(texts[needed["low"]]), float(texts[needed["high"]])
            target = float(texts[extra["target"]]) if "target" in extra and texts[extra["target"]] else None
            weight = float(texts[extra["weight"]]) if "weight" in extra and texts[extra["weight"]] else 1.0
            goal = Goal(texts[needed["property"]], texts[needed["shape"]].lower(), low, high, target, weight)
            good = goal.shape in SHAPES and low < high and weight > 0
            good = good and (goal.shape != "target" or (target is not None and low < target < high))
        except ValueError:
            good = False
        if not good:
            raise MadangError(
                "chemistry.goal",
                _("Line {line} of {file} is no goal.").format(line=line, file=path.name),
                _("It needs a shape ({shapes}), low below high, a weight above 0, and for `target` a target.").format(
                    shapes=", ".join(SHAPES)
                ),
            )
        goals.append(goal)
    if not goals:
        raise MadangError("chemistry.goal", _("There are no goals in {file}.").format(file=path.name))
    return goals


def desirability(goal: Goal, value: float | None) -> float:
    """How desirable a value is, 0 to 1."""
    if value is None or value != value:
        return 0.0
    width = goal.high - goal.low
    if goal.shape == "higher":
        wish = (value - goal.low) / width
    elif goal.shape == "lower":
        wish = (goal.high - value) / width
    elif goal.shape == "target":
        target = goal.low if goal.target is None else goal.target
        wish = (
            (value - goal.low) / (target - goal.low) if value < target else (goal.high - value) / (goal.high - target)
        )
    else:
        beyond = max(goal.low - value, value - goal.high, 0)
        wish = 1 - beyond / (0.1 * width)
    return float(min(max(wish, 0.0), 1.0))


def rank(rows: Sequence[Mapping[str, Any]], goals: Sequence[Goal]) -> list[Ranked]:
    """Rank rows (with id, smiles and the properties of the goals) by their score; equal ones keep their order."""
    for goal in goals:
        if rows and not any(goal.property in row for row in rows):
            raise MadangError(
                "chemistry.goal",
                _("There is no property {name} to rank by.").format(name=repr(goal.property)),
                _("There are: {names}.").format(names=", ".join(list(rows[0])[:30])),
            )
    parts = [tuple(_part(goal, row.get(goal.property)) for goal in goals) for row in rows]
    wishes = np.array([[part.desirability for part in one] for one in parts]).reshape(len(rows), len(goals))
    weights = np.array([goal.weight for goal in goals])
    with np.errstate(divide="ignore"):
        scores = np.exp((np.log(wishes) * weights).sum(axis=1) / weights.sum())
    fronts = pareto_fronts(wishes)
    order = sorted(range(len(rows)), key=lambda row: -scores[row])
    return [
        Ranked(
            place, str(rows[row].get("id", "")), str(rows[row].get("smiles", "")), float(scores[row]),
            int(fronts[row]), parts[row],
        )
        for place, row in enumerate(order, 1)
    ]  # fmt: skip


def pareto_fronts(wishes: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """The front of each row (n, goals), larger being better: 1 for rows that no other beats, 2 for what is left, ..."""
    front = np.zeros(len(wishes), np.int64)
    different, place = np.unique(wishes, axis=0, return_inverse=True)
    left, number = np.arange(len(different)), 0
    of = np.zeros(len(different), np.int64)
    while len(left):
        number += 1
        some = different[left]
        beaten = np.array([bool(((some >= row).all(axis=1) & (some > row).any(axis=1)).any()) for row in some], bool)
        of[left[~beaten]] = number
        left = left[beaten]
    front[:] = of[place.reshape(-1)]
    return front


def diverse(
    words: npt.NDArray[np.uint64],
    count: int,
    first: int = 0,
    costs: npt.NDArray[np.float64] | None = None,
    budget: float = float("inf"),
) -> list[int]:
    """Places of `count` fingerprints (n, 32) that are far apart: each is the one least like those picked before it
    (the earliest of equals), beginning with `first`.

    With `costs` (n; inf where it is not known) those whose cost is more than what is left of `budget` are passed over,
    so there may be fewer.
    """
    ones = np.bitwise_count(words).sum(axis=1).astype(np.float64)
    price = np.zeros(len(words)) if costs is None else costs
    picked: list[int] = []
    closest, left = np.full(len(words), -1.0), budget
    while len(picked) < min(count, len(words)):
        distance = np.where(price <= left, closest, np.inf)
        distance[picked] = np.inf
        place = first if not picked and distance[first] < np.inf else int(np.argmin(distance))
        if distance[place] == np.inf:
            break
        picked.append(place)
        left -= price[place] if np.isfinite(price[place]) else 0.0
        common = np.bitwise_count(words & words[place]).sum(axis=1)
        closest = np.maximum(closest, common / np.maximum(ones + ones[place] - common, 1))
    return picked


def picked(
    ranked: Sequence[Ranked], count: int, costs: Mapping[str, float] | None = None, budget: float | None = None
) -> list[int]:
    """Places of a diverse pick: the best, then always the one least like those picked, of the best tenth of a ranking
    (at least `count`) without those of score 0. With a `budget` their costs together, by id, are at most that much; one
    whose cost is not known is then not picked. Errors: `chemistry.pick`."""
    from madang.science.chemistry.structure import fingerprint, read_structure

    if count < 0 or (budget is not None and not budget >= 0):
        raise MadangError("chemistry.pick", _("A pick is a number from 0 on, and so is its budget."))
    if budget is not None and not costs:
        raise MadangError("chemistry.pick", _("A budget needs costs."), _("Give a table with what the compounds cost."))
    best = [one for one in ranked[: max(count, len(ranked) // 10)] if one.score > 0]
    if not best or not count:
        return []
    words = np.array([fingerprint(read_structure(one.smiles)) for one in best])
    if budget is None:
        return [best[place].place for place in diverse(words, count)]
    price = np.array([(costs or {}).get(one.id, np.inf) for one in best])
    return [best[place].place for place in diverse(words, count, 0, price, budget)]


def _part(goal: Goal, value: Any) -> Part:
    try:
        number = None if value is None or value == "" else float(value)
    except (TypeError, ValueError):
        number = None
    return Part(goal.property, number, desirability(goal, number), goal.weight)
