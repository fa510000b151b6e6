"""The cheapest safe pattern of suppression: cuts from the attacker's program, in a program of yes and no.

Method: Fischetti and Salazar-González, Management Science 47 (2001) 1008-1027: a pattern is safe iff it satisfies all
capacity inequalities, which the duals of the attacker's linear programs give. They are added where they are violated,
first by the relaxed pattern, then by the whole one, until none is; the pattern is then a proven optimum.
"""

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from madang.base.progress import Progress
from madang.science.privacy.outputs.linear import new_model, solver
from madang.science.privacy.outputs.suppression import (
    NEAR,
    Deviations,
    Exposure,
    Floats,
    Problem,
    audit,
    cost_of,
)

SECONDS = 120.0
MOST_ROUNDS = 200
SHORT_ROUNDS = 400


@dataclass(frozen=True)
class Protection:
    """A pattern: `suppressed` cells, its `cost`, whether it is the proven optimum, a lower `bound` of any safe one.

    `unprotected` lists primary cells that no pattern can protect; then there is no safe pattern.
    """

    suppressed: tuple[int, ...]
    cost: float
    optimal: bool
    bound: float
    exposures: tuple[Exposure, ...]
    unprotected: tuple[int, ...] = ()

    @property
    def safe(self) -> bool:
        """Whether every primary cell is protected."""
        return not self.unprotected and all(exposure.safe for exposure in self.exposures)


def protect(problem: Problem, seconds: float = SECONDS, progress: Progress | None = None) -> Protection:
    """The cheapest cells to suppress so that every primary cell keeps its protection interval.

    After `seconds` the best pattern that was found is given, with the bound that was proved.
    """
    until = time.monotonic() + seconds
    count = len(problem.cells)
    everything = audit(problem, range(count))
    hopeless = tuple(exposure.cell for exposure in everything if not exposure.safe)
    if hopeless:
        whole = tuple(range(count))
        return Protection(whole, cost_of(problem, whole), False, math.inf, tuple(everything), hopeless)
    search = _Search(problem, progress or Progress())
    best, bound = search.run(until)
    suppressed = tuple(int(cell) for cell in np.flatnonzero(best))
    cost = cost_of(problem, suppressed)
    optimal = bound >= cost - NEAR * max(1.0, cost)
    return Protection(suppressed, cost, optimal, min(bound, cost), tuple(audit(problem, suppressed)))


Cut = tuple[npt.NDArray[np.int32], Floats, float]


class _Search:
    """Branch and cut over patterns."""

    def __init__(self, problem: Problem, progress: Progress) -> None:
        self.problem = problem
        self.progress = progress
        self.program = Deviations(problem)
        self.needs = [
            (cell, sign, float(amount))
            for place, cell in enumerate(problem.primary)
            for sign, amount in ((-1, problem.below[place]), (1, problem.above[place]))
            if amount > 0
        ]
        self.cells_of = [np.array([*parts, total], np.int32) for parts, total in problem.equations]
        self.master = self._master()

    def run(self, until: float) -> tuple[npt.NDArray[np.bool_], float]:
        """The best pattern found, and what no safe pattern is cheaper than."""
        best = self._clean(self._start())
        bound = -math.inf
        for _round in range(MOST_ROUNDS):
            self.progress.check()
            value, x = self._solve(whole=False, until=until)
            bound = max(bound, value)
            cuts = self._violated(x)
            if not cuts or time.monotonic() > until:
                break
            self._add(cuts)
        while time.monotonic() < until:
            self.progress.check()
            value, x = self._solve(whole=True, until=until)
            bound = max(bound, value)
            cost = self._cost(best)
            if bound >= cost - NEAR * max(1.0, cost):
                break
            cuts = self._violated(x)
            if not cuts:
                if self._cost(x > 0.5) < cost:
                    best = self._clean(x > 0.5)
                break
            self._add(cuts)
            repaired = self._clean(self._repair(x > 0.5))
            if self._cost(repaired) < cost:
                best = repaired
        return best, bound

    def _cost(self, pattern: npt.NDArray[np.bool_]) -> float:
        return float(self.problem.cost[pattern].sum())

    def _master(self) -> Any:
        highspy = solver()
        problem = self.problem
        count = len(problem.cells)
        fixed = np.zeros(count)
        fixed[list(problem.primary)] = 1.0
        model = new_model()
        model.setOptionValue("mip_rel_gap", 0.0)
        model.setOptionValue("mip_abs_gap", 1e-7)
        model.addVars(count, fixed, np.ones(count))
        columns = np.arange(count, dtype=np.int32)
        model.changeColsCost(count, columns, problem.cost)
        self.columns = columns
        needy = {cell for cell, _sign, _amount in self.needs}
        for cells in self.cells_of:
            for cell in cells:
                if cell in problem.primary and int(cell) not in needy:
                    continue
                others = cells[cells != cell]
                weights = np.ones(len(others) + 1)
                weights[-1] = -1.0
                indices = np.append(others, cell).astype(np.int32)
                model.addRow(0.0, highspy.kHighsInf, len(indices), indices, weights)
        return model

    def _solve(self, whole: bool, until: float) -> tuple[float, Floats]:
        """Solve the pattern program; returns a proved lower bound, and its solution."""
        highspy = solver()
        kind = highspy.HighsVarType.kInteger if whole else highspy.HighsVarType.kContinuous
        count = len(self.columns)
        self.master.changeColsIntegrality(count, self.columns, np.full(count, int(kind), np.uint8))
        left = max(0.5, until - time.monotonic())
        self.master.setOptionValue("time_limit", left + self.master.getRunTime())
        self.master.run()
        info, solution = self.master.getInfo(), self.master.getSolution()
        x = np.array(solution.col_value)
        if not solution.value_valid or len(x) != count:
            x = np.ones(count)
        if whole:
            return float(info.mip_dual_bound), x
        done = self.master.getModelStatus() == highspy.HighsModelStatus.kOptimal
        return (float(info.objective_function_value) if done else -math.inf), x

    def _violated(self, x: Floats) -> list[Cut]:
        """Capacity inequalities that the pattern `x` does not satisfy."""
        cuts = []
        problem = self.problem
        share = x.clip(0.0, 1.0)
        self.program.allow(share)
        for cell, sign, amount in self.needs:
            reach, _deviations, dual = self.program.furthest(cell, sign)
            if reach >= amount * (1 - 1e-7) - 1e-9:
                continue
            # reduced costs of the minimization: negative ones hold a cell at its upper end, positive ones at its lower
            weight = np.where(dual < 0, -dual * problem.up, dual * problem.down)
            weight[np.abs(dual) < 1e-9] = 0.0
            weight[cell] = 0.0
            places = np.flatnonzero(weight > 1e-9)
            cuts.append((places.astype(np.int32), np.minimum(weight[places], amount), amount))
        return cuts

    def _add(self, cuts: list[Cut]) -> None:
        highspy = solver()
        for places, weights, amount in cuts:
            self.master.addRow(amount, highspy.kHighsInf, len(places), places, weights)

    def _start(self) -> npt.NDArray[np.bool_]:
        pattern = np.zeros(len(self.problem.cells), bool)
        pattern[list(self.problem.primary)] = True
        return self._repair(pattern)

    def _repair(self, pattern: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Add cells until every primary cell is protected, for each need those of a cheapest deviation."""
        pattern = pattern.copy()
        flows = _Flows(self.problem)
        for cell, sign, amount in sorted(self.needs, key=lambda need: -need[2]):
            pattern |= flows.cheapest(cell, sign, amount, pattern)
        return pattern

    def _clean(self, pattern: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Publish again what need not be suppressed, the dearest first."""
        pattern = pattern.copy()
        primary = set(self.problem.primary)
        extra = [int(cell) for cell in np.flatnonzero(pattern) if int(cell) not in primary]
        for cell in sorted(extra, key=lambda cell: -self.problem.cost[cell])[:SHORT_ROUNDS]:
            pattern[cell] = False
            if not self._safe(pattern):
                pattern[cell] = True
        return pattern

    def _safe(self, pattern: npt.NDArray[np.bool_]) -> bool:
        self.program.allow(pattern.astype(float))
        return all(
            self.program.furthest(cell, sign)[0] >= amount * (1 - 1e-7) - 1e-9 for cell, sign, amount in self.needs
        )


class _Flows:
    """Cheapest deviations that move one cell by a given amount, published cells paying for every unit."""

    def __init__(self, problem: Problem) -> None:
        highspy = solver()
        self.problem = problem
        count = len(problem.cells)
        starts, indices, values = problem.rows()
        both_indices = np.stack([indices, indices + count], axis=1).ravel().astype(np.int32)
        both_values = np.stack([values, -values], axis=1).ravel()
        model = highspy.HighsLp()
        model.num_col_, model.num_row_ = 2 * count, len(problem.equations)
        model.col_cost_ = np.zeros(2 * count)
        model.col_lower_ = np.zeros(2 * count)
        self.ends = np.concatenate([problem.up, problem.down])
        model.col_upper_ = self.ends
        model.row_lower_ = np.zeros(len(problem.equations))
        model.row_upper_ = np.zeros(len(problem.equations))
        model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        model.a_matrix_.start_ = 2 * starts
        model.a_matrix_.index_, model.a_matrix_.value_ = both_indices, both_values
        self.model = new_model()
        self.model.passModel(model)
        self.columns = np.arange(2 * count, dtype=np.int32)

    def cheapest(self, cell: int, sign: int, amount: float, pattern: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """The cells that deviate in a cheapest way to move `cell` by `amount`."""
        count = len(self.problem.cells)
        price = np.where(pattern, 0.0, self.problem.cost + 1e-6)
        own = (cell, cell + count) if sign > 0 else (cell + count, cell)
        lower, upper = np.zeros(2 * count), self.ends.copy()
        lower[own[0]], upper[own[0]] = amount, max(amount, upper[own[0]])
        upper[own[1]] = 0.0
        self.model.changeColsBounds(2 * count, self.columns, lower, upper)
        self.model.changeColsCost(2 * count, self.columns, np.concatenate([price, price]))
        self.model.run()
        x = np.array(self.model.getSolution().col_value)
        return (x[:count] > NEAR / 10) | (x[count:] > NEAR / 10)
