"""What can be inferred from constraints on whole numbers: every cell that must stay unknown is shown to vary, or not.

A cell passes on two whole solutions alone, both checked in exact arithmetic. It is refused on the bounds of the linear
relaxation, or of the whole-number program where that is not enough; what neither settles in time counts as open.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from madang.science.privacy.outputs.joint import System
from madang.science.privacy.outputs.linear import new_model, solver

NEAR = 1e-6
ROOM = 1000.0  # above all counts that are known, for a cell without an upper end: fewer solutions, so never unsafe
ROUNDS = 8  # of whole solutions in random directions
FEW = 4
SECONDS = 20.0  # for the whole-number programs of one cell
SECONDS_ALL = 60.0  # for everything; what is not settled then counts as open


class Proof(StrEnum):
    """How a cell was settled."""

    VARIES = "varies"  # whole solutions differ in it by as much as is demanded
    NARROW = "narrow"  # no two solutions do
    UNSETTLED = "unsettled"  # neither was shown in time


@dataclass(frozen=True)
class Bounds:
    """What an attacker can say of a cell: it lies in `lower..upper` (None: no upper end is known)."""

    lower: int
    upper: int | None
    proof: Proof


class InfeasibleError(Exception):
    """No whole numbers satisfy the constraints: the tables do not speak of the same people."""


class Attacker:
    """Solves the constraints of one system again and again, from where it stood."""

    def __init__(self, system: System, seed: int = 20261129) -> None:
        self._highspy = solver()
        self.system = system
        self._random = np.random.default_rng(seed)
        self._until = time.monotonic() + SECONDS_ALL
        for row in np.flatnonzero(np.diff(system.starts) == 0):
            if system.lower[row] > 0 or system.upper[row] < 0:
                raise InfeasibleError
        self._relaxed = self._model()
        self._whole: Any = None
        count = len(system.cells)
        self.least = np.full(count, np.iinfo(np.int64).max)
        self.most = np.full(count, -1)
        self._flat = np.concatenate([*system.columns, np.zeros(0, np.int32)]).astype(np.int64)
        self._owner = np.repeat(np.arange(count), [len(columns) for columns in system.columns])

    def _model(self) -> Any:
        highspy, system = self._highspy, self.system
        model = highspy.HighsLp()
        model.num_col_, model.num_row_ = system.width, len(system.lower)
        model.col_cost_ = np.zeros(system.width)
        model.col_lower_ = np.zeros(system.width)
        finite = system.upper[np.isfinite(system.upper)]
        model.col_upper_ = np.full(system.width, min(1e9, float(finite.clip(0).sum()) + ROOM))
        model.row_lower_ = system.lower
        model.row_upper_ = np.where(np.isinf(system.upper), highspy.kHighsInf, system.upper)
        model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        model.a_matrix_.start_ = system.starts.astype(np.int32)
        model.a_matrix_.index_ = system.indices
        model.a_matrix_.value_ = system.values
        solver_ = new_model()
        solver_.passModel(model)
        return solver_

    def _optimize(
        self,
        cost: npt.NDArray[np.float64],
        whole: bool,
        seconds: float = math.inf,
        gap: float = 0.0,
        target: float = -math.inf,
    ) -> tuple[bool, float]:
        """Minimize; returns whether it was solved to the end, and a bound from below. Solutions become witnesses."""
        highspy = self._highspy
        if whole and self._whole is None:
            self._whole = self._model()
            columns = np.arange(self.system.width, dtype=np.int32)
            kind = np.full(self.system.width, int(highspy.HighsVarType.kInteger), np.uint8)
            self._whole.changeColsIntegrality(self.system.width, columns, kind)
            self._whole.setOptionValue("mip_abs_gap", 0.5)
        model = self._whole if whole else self._relaxed
        if whole:
            model.setOptionValue("mip_rel_gap", gap)
            model.setOptionValue("objective_target", target)
        left = max(0.05, min(seconds, self._until - time.monotonic()))
        model.setOptionValue("time_limit", left + model.getRunTime())
        model.changeColsCost(self.system.width, np.arange(self.system.width, dtype=np.int32), cost)
        model.run()
        status = model.getModelStatus()
        states = highspy.HighsModelStatus
        if status in (states.kInfeasible, states.kUnboundedOrInfeasible) and not cost.any():
            raise InfeasibleError
        if status == states.kInfeasible:
            raise InfeasibleError
        if status in (states.kUnbounded, states.kUnboundedOrInfeasible):
            return True, -math.inf
        info = model.getInfo()
        solution = model.getSolution()
        if solution.value_valid and self.system.width:
            self._learn(np.asarray(solution.col_value))
        if self.system.width == 0:
            return True, 0.0
        if whole:
            return status == states.kOptimal, float(info.mip_dual_bound)
        if status != states.kOptimal:
            return False, -math.inf
        return True, float(info.objective_function_value)

    def _learn(self, x: npt.NDArray[np.float64]) -> bool:
        """Keep a solution as a witness, if it is one of whole numbers: all constraints are checked exactly."""
        whole = np.rint(x)
        if np.abs(whole - x).max(initial=0.0) > 1e-4 or whole.min(initial=0.0) < 0:
            return False
        system = self.system
        terms = whole[system.indices].astype(np.int64) * system.values.astype(np.int64)
        products = np.concatenate([[0], np.cumsum(terms)])
        sums = products[system.starts[1:]] - products[system.starts[:-1]]
        if (sums < system.lower).any() or (sums > system.upper).any():
            return False
        counts = np.zeros(len(system.cells), np.int64)
        np.add.at(counts, self._owner, whole.astype(np.int64)[self._flat])
        self.least = np.minimum(self.least, counts)
        self.most = np.maximum(self.most, counts)
        return True

    def feasible(self) -> bool:
        """Whether any whole numbers satisfy the constraints."""
        try:
            self._optimize(np.zeros(self.system.width), whole=False)
            if len(self.most) and self.most[0] < 0:
                self._optimize(np.zeros(self.system.width), whole=True, seconds=SECONDS)
        except InfeasibleError:
            return False
        return True

    def settle(self, widths: Sequence[int], only: Sequence[int] | None = None) -> dict[int, Bounds]:
        """For each cell (or those in `only`) whether whole solutions differ in it by its width or more.

        Raises `InfeasibleError` where there is no solution at all.
        """
        wanted = range(len(self.system.cells)) if only is None else only
        self._optimize(np.zeros(self.system.width), whole=False)
        for sign in (1.0, -1.0, 1.0, -1.0):
            waiting = [i for i in wanted if self._spread(i) < widths[i]]
            if not waiting:
                break
            cost = np.zeros(self.system.width)
            for i in waiting:
                cost[self.system.columns[i]] += sign * self._random.uniform(0.5, 1.5)
            self._optimize(cost, whole=False)
        self._settle_together(widths, wanted)
        return {i: self._settle_one(i, widths[i]) for i in wanted}

    def _settle_together(self, widths: Sequence[int], wanted: Sequence[int]) -> None:
        """Where the relaxation has no whole corners: any whole solutions, each far along a direction of its own."""
        for number in range(ROUNDS):
            waiting = [i for i in wanted if self._spread(i) < widths[i]]
            if not waiting or (number == 0 and len(waiting) < FEW and (self.most[waiting] >= 0).all()):
                return
            cost = np.zeros(self.system.width)
            for i in waiting:
                cost[self.system.columns[i]] += self._random.uniform(-1.0, 1.0)
            self._optimize(cost, whole=True, seconds=SECONDS / 4, gap=0.2)

    def _spread(self, i: int) -> float:
        return float(self.most[i] - self.least[i]) if self.most[i] >= 0 else -1.0

    def _settle_one(self, i: int, width: int) -> Bounds:
        if self._spread(i) >= width:
            return Bounds(int(self.least[i]), int(self.most[i]), Proof.VARIES)
        cost = np.zeros(self.system.width)
        cost[self.system.columns[i]] = 1.0
        _solved, low = self._optimize(cost, whole=False)
        least = max(0, math.ceil(low - NEAR))
        _solved, low = self._optimize(-cost, whole=False)
        most = None if math.isinf(low) else math.floor(-low + NEAR)
        if self._spread(i) >= width:
            return Bounds(int(self.least[i]), int(self.most[i]), Proof.VARIES)
        if most is not None and most - least < width:
            return Bounds(least, most, Proof.NARROW)
        return self._settle_whole(i, width, cost, least, most)

    def _settle_whole(self, i: int, width: int, cost: npt.NDArray[np.float64], least: int, most: int | None) -> Bounds:
        until = time.monotonic() + SECONDS
        if self.most[i] < 0 or self.least[i] > least:  # else the least that is possible was seen already
            target = float(self.most[i] - width) if self.most[i] >= 0 else -math.inf
            _solved, low = self._optimize(cost, whole=True, seconds=until - time.monotonic(), target=target)
            least = max(least, math.ceil(low - NEAR)) if math.isfinite(low) else least
        target = -float(self.least[i] + width) if self.most[i] >= 0 else -math.inf
        _solved, low = self._optimize(-cost, whole=True, seconds=until - time.monotonic(), target=target)
        if math.isfinite(low):
            most = math.floor(-low + NEAR) if most is None else min(most, math.floor(-low + NEAR))
        if self._spread(i) >= width:
            return Bounds(int(self.least[i]), int(self.most[i]), Proof.VARIES)
        proof = Proof.NARROW if most is not None and most - least < width else Proof.UNSETTLED
        return Bounds(least, most, proof)
