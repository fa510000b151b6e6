"""Secondary suppression: a table with its sums, the cells that must stay unknown, and what an attacker can say of them.

An attacker knows every published cell, all equations, and that each cell lies between `lower` and `upper`. A pattern is
safe if for every primary cell both ends of its protection interval stay possible (the feasible values are an interval).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.privacy.outputs.linear import new_model, solver

Floats = npt.NDArray[np.float64]
NEAR = 1e-6
MOST_CELLS = 200_000


@dataclass(frozen=True)
class Problem:
    """What has to be protected.

    `equations` are pairs of the cells that are added and the cell of their sum. `below` and `above` say for each cell
    of `primary` how far from its count the attacker must not be able to rule out, in the unit of the table.
    """

    cells: Floats
    equations: tuple[tuple[tuple[int, ...], int], ...]
    primary: tuple[int, ...]
    below: Floats
    above: Floats
    lower: Floats
    upper: Floats
    cost: Floats
    names: tuple[str, ...] = ()

    @property
    def down(self) -> Floats:
        """How far each cell can lie below its value."""
        return self.cells - self.lower

    @property
    def up(self) -> Floats:
        """How far each cell can lie above its value."""
        return self.upper - self.cells

    def rows(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], Floats]:
        """The equations in compressed rows: starts, indices, values."""
        starts, indices, values = [0], list[int](), list[float]()
        for parts, total in self.equations:
            indices += [*parts, total]
            values += [1.0] * len(parts) + [-1.0]
            starts.append(len(indices))
        return np.array(starts, np.int32), np.array(indices, np.int32), np.array(values)


@dataclass(frozen=True)
class Exposure:
    """What an attacker can say of a primary cell under a pattern: `lower..upper` where `needs` has to be covered."""

    cell: int
    lower: float
    upper: float
    needs: tuple[float, float]

    @property
    def safe(self) -> bool:
        """Whether the needed interval stays possible."""
        return self.lower <= self.needs[0] + NEAR and self.upper >= self.needs[1] - NEAR


def problem_of(document: Any, name: str) -> Problem:
    """A problem from its JSON document: `cells`, `equations` ([parts, total]), `primary`, `lower_protection`,
    `upper_protection`, `attacker_lower`, `attacker_upper`, `cost`, and `names` where there are any.

    Raises `MadangError("outputs.table")` for a document that does not say all of this, or does not add up.
    """
    if not isinstance(document, dict):
        raise _refuse(name, _("a table to protect is a JSON object."))
    cells = _numbers(document, "cells", name)
    count = len(cells)
    if not 0 < count <= MOST_CELLS:
        raise _refuse(name, _("there are no cells, or too many."))
    equations = tuple(_equations(document.get("equations"), count, name))
    primary = document.get("primary")
    if not isinstance(primary, list) or not all(_place(cell, count) for cell in primary):
        raise _refuse(name, _("`primary` lists cells by their number."))
    if len(set(primary)) != len(primary):
        raise _refuse(name, _("a primary cell is listed twice."))
    below = _numbers(document, "lower_protection", name, len(primary), 1.0)
    above = _numbers(document, "upper_protection", name, len(primary), 1.0)
    lower = _numbers(document, "attacker_lower", name, count, 0.0)
    upper = _numbers(document, "attacker_upper", name, count, 2 * float(np.abs(cells).max()) + 10)
    cost = _numbers(document, "cost", name, count, 1.0)
    names = document.get("names") or []
    if not isinstance(names, list) or (names and len(names) != count):
        raise _refuse(name, _("`names` has one name for each cell."))
    if (cost < 0).any() or (below < 0).any() or (above < 0).any():
        raise _refuse(name, _("costs and protection levels are not negative."))
    if (cells < lower - NEAR).any() or (cells > upper + NEAR).any():
        raise _refuse(name, _("a cell lies outside of what the attacker knows already."))
    for parts, total in equations:
        if abs(cells[list(parts)].sum() - cells[total]) > NEAR * max(1.0, abs(cells[total])) * 100:
            raise _refuse(name, _("the cells do not add up to cell {n}.").format(n=total))
    return Problem(cells, equations, tuple(primary), below, above, lower, upper, cost, tuple(map(str, names)))


def _refuse(name: str, what: str) -> MadangError:
    hint = _("A table to protect has `cells`, `equations`, `primary`, protection levels, attacker's bounds and `cost`.")
    return MadangError("outputs.table", _("{file}: {what}").format(file=name, what=what), hint)


def _place(value: Any, count: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < count


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and abs(value) < 1e15


def _numbers(document: Any, key: str, name: str, count: int | None = None, default: float | None = None) -> Floats:
    given = document.get(key, default)
    if count is not None and _number(given):
        return np.full(count, float(given))
    if not isinstance(given, list) or not all(map(_number, given)) or (count is not None and len(given) != count):
        raise _refuse(name, _("`{key}` is a list of numbers, one for each cell.").format(key=key))
    return np.array(given, float)


def _equations(given: Any, count: int, name: str) -> Iterable[tuple[tuple[int, ...], int]]:
    if given is None:
        return
    wrong = _refuse(name, _("an equation is a pair: the cells that are added, and the cell of their sum."))
    if not isinstance(given, list):
        raise wrong
    for equation in given:
        if not isinstance(equation, list) or len(equation) != 2 or not isinstance(equation[0], list):
            raise wrong
        parts, total = equation
        if not all(_place(cell, count) for cell in [*parts, total]) or len({*parts, total}) != len(parts) + 1:
            raise wrong
        yield tuple(parts), total


class Deviations:
    """The attacker's linear program: how far cells can deviate from their values, if only some are suppressed."""

    def __init__(self, problem: Problem) -> None:
        self._highspy = solver()
        self.problem = problem
        highspy = self._highspy
        starts, indices, values = problem.rows()
        model = highspy.HighsLp()
        count = len(problem.cells)
        model.num_col_, model.num_row_ = count, len(problem.equations)
        model.col_cost_ = np.zeros(count)
        model.col_lower_ = np.zeros(count)
        model.col_upper_ = np.zeros(count)
        model.row_lower_ = np.zeros(len(problem.equations))
        model.row_upper_ = np.zeros(len(problem.equations))
        model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        model.a_matrix_.start_, model.a_matrix_.index_, model.a_matrix_.value_ = starts, indices, values
        self._model = new_model()
        self._model.passModel(model)
        self._all = np.arange(count, dtype=np.int32)

    def allow(self, share: Floats) -> None:
        """Let each cell deviate by a share of what is possible: 1 suppressed, 0 published."""
        count = len(self._all)
        self._model.changeColsBounds(count, self._all, -self.problem.down * share, self.problem.up * share)

    def furthest(self, cell: int, sign: int) -> tuple[float, Floats, Floats]:
        """How far a cell can deviate upward (1) or downward (-1), the deviations, and the reduced costs of all."""
        cost = np.zeros(len(self._all))
        cost[cell] = -sign
        self._model.changeColsCost(len(self._all), self._all, cost)
        self._model.run()
        if self._model.getModelStatus() != self._highspy.HighsModelStatus.kOptimal:
            self._model.clearSolver()
            self._model.run()
        solution = self._model.getSolution()
        return (
            -self._model.getInfo().objective_function_value,
            np.array(solution.col_value),
            np.array(solution.col_dual),
        )


def audit(problem: Problem, suppressed: Iterable[int]) -> list[Exposure]:
    """What an attacker can say of every primary cell if exactly these cells are suppressed."""
    program = Deviations(problem)
    share = np.zeros(len(problem.cells))
    share[list(suppressed)] = 1.0
    program.allow(share)
    found = []
    for place, cell in enumerate(problem.primary):
        value = float(problem.cells[cell])
        low, high = value - program.furthest(cell, -1)[0], value + program.furthest(cell, 1)[0]
        needs = (value - float(problem.below[place]), value + float(problem.above[place]))
        found.append(Exposure(cell, low, high, needs))
    return found


def cost_of(problem: Problem, suppressed: Sequence[int]) -> float:
    """What a pattern costs, the primary cells included."""
    return float(problem.cost[list(suppressed)].sum())
