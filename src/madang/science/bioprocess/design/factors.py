"""Factors that an experiment sets, and linear constraints between them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import exp, isfinite, log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.bioprocess.needs import needs

Array = NDArray[np.float64]
Point = dict[str, Any]  # a value per factor: float, int or text
SLACK = 1e-9


@dataclass(frozen=True)
class Factor:
    """One thing to set: a number from `low` to `high` (`whole`: an integer; `log`: on a logarithmic scale; `levels`:
    only these), or one of `choices`."""

    name: str
    low: float = 0.0
    high: float = 1.0
    whole: bool = False
    log: bool = False
    levels: tuple[float, ...] = ()
    choices: tuple[str, ...] = ()
    unit: str = ""

    def checked(self) -> "Factor":
        """This, if it can be set; raises `design.factor` otherwise."""
        wrong = ""
        if self.choices:
            if len(set(self.choices)) != len(self.choices) or len(self.choices) < 2:
                wrong = _("choices must be two or more different texts")
        elif not (isfinite(self.low) and isfinite(self.high) and self.low < self.high):
            wrong = _("low must be less than high")
        elif self.log and self.low <= 0:
            wrong = _("a logarithmic scale begins above 0")
        elif self.whole and np.floor(self.high) < np.ceil(self.low):
            wrong = _("there is no whole number between low and high")
        if wrong or not self.name:
            raise MadangError("design.factor", _("Factor {name}: {wrong}.").format(name=self.name or "?", wrong=wrong))
        return self

    @property
    def width(self) -> int:
        """Columns in the encoding: one per choice, otherwise one."""
        return len(self.choices) or 1

    def encode(self, value: Any) -> list[float]:
        """The value in the unit cube; raises `design.value` where the factor cannot have it."""
        if self.choices:
            if str(value) not in self.choices:
                raise self._refused(value)
            return [float(choice == str(value)) for choice in self.choices]
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise self._refused(value) from None
        span = abs(self.high - self.low)
        if not isfinite(number) or not self.low - 1e-6 * span <= number <= self.high + 1e-6 * span:
            raise self._refused(value)
        number = min(max(number, self.low), self.high)
        if self.log:
            return [(log(number) - log(self.low)) / (log(self.high) - log(self.low))]
        return [(number - self.low) / (self.high - self.low)]

    def decode(self, columns: Sequence[float] | Array) -> Any:
        """The nearest value that the factor can have."""
        if self.choices:
            return self.choices[int(np.argmax(columns))]
        unit = min(max(float(columns[0]), 0.0), 1.0)
        if self.log:
            number = exp(log(self.low) + unit * (log(self.high) - log(self.low)))
        else:
            number = self.low + unit * (self.high - self.low)
        if self.levels:
            return min(self.levels, key=lambda level: abs(level - number))
        if self.whole:
            return int(min(max(round(number), np.ceil(self.low)), np.floor(self.high)))
        return min(max(float(f"{number:.8g}"), self.low), self.high)

    def values(self) -> list[float]:
        """The numbers that a discrete factor can have, at most a thousand of them."""
        if self.levels:
            return list(self.levels)
        count = int(np.floor(self.high) - np.ceil(self.low)) + 1
        return [
            float(v) for v in np.unique(np.round(np.linspace(np.ceil(self.low), np.floor(self.high), min(count, 1000))))
        ]

    @property
    def discrete(self) -> bool:
        """Whether it has only some values."""
        return bool(self.choices or self.whole or self.levels)

    def _refused(self, value: Any) -> MadangError:
        if self.choices:
            allowed = ", ".join(self.choices)
        else:
            allowed = _("{low} to {high}").format(low=self.low, high=self.high)
        text = _("Factor {name} cannot be {value!r}.").format(name=self.name, value=value)
        return MadangError("design.value", text, _("It can be: {allowed}.").format(allowed=allowed))


@dataclass(frozen=True)
class Constraint:
    """A weighted sum of numeric factors that has to be at least `least` and at most `most`."""

    weights: Mapping[str, float]
    least: float = float("-inf")
    most: float = float("inf")

    def slack(self, point: Mapping[str, Any]) -> float:
        """By how much the point keeps it; negative where it does not."""
        total = sum(weight * float(point[name]) for name, weight in self.weights.items())
        size = sum(abs(weight * float(point[name])) for name, weight in self.weights.items()) + 1.0
        return min(total - self.least, self.most - total) + SLACK * 1e3 * size


@dataclass(frozen=True)
class Space:
    """All factors and the constraints between them."""

    factors: tuple[Factor, ...]
    constraints: tuple[Constraint, ...] = field(default=())

    def checked(self) -> "Space":
        """This, if experiments exist in it; raises `design.factor` or `design.contradiction` otherwise."""
        names = [factor.checked().name for factor in self.factors]
        if not names or len(set(names)) != len(names):
            raise MadangError("design.factor", _("There must be factors, each with a name of its own."))
        numeric = {factor.name for factor in self.factors if not factor.choices}
        for constraint in self.constraints:
            for name in constraint.weights:
                if name not in numeric:
                    text = _("A constraint is of numeric factors; {name} is none.").format(name=name)
                    raise MadangError("design.factor", text)
        if self.constraints and self._center() is None:
            text = _("No experiment can keep all constraints.")
            raise MadangError("design.contradiction", text, _("Widen a factor or take a constraint away."))
        return self

    @cached_property
    def groups(self) -> NDArray[np.int64]:
        """For each column of the encoding the number of its factor."""
        return np.repeat(np.arange(len(self.factors)), [factor.width for factor in self.factors])

    def encode(self, points: Sequence[Mapping[str, Any]]) -> Array:
        """Points as rows of the unit cube; raises `design.value` for a value that is missing or cannot be."""
        rows = []
        for point in points:
            missing = [factor.name for factor in self.factors if factor.name not in point]
            if missing:
                raise MadangError("design.value", _("An experiment lacks {names}.").format(names=", ".join(missing)))
            rows.append([unit for factor in self.factors for unit in factor.encode(point[factor.name])])
        return np.array(rows, dtype=float).reshape(len(rows), len(self.groups))

    def decode(self, row: Array) -> Point:
        """The point nearest to a row of the unit cube."""
        out: Point = {}
        at = 0
        for factor in self.factors:
            out[factor.name] = factor.decode(row[at : at + factor.width])
            at += factor.width
        return out

    def snap(self, rows: Array) -> Array:
        """Rows moved to the values that the factors can have."""
        out = np.clip(rows, 0.0, 1.0)
        at = 0
        for factor in self.factors:
            columns = slice(at, at + factor.width)
            at += factor.width
            if factor.choices:
                out[:, columns] = np.eye(factor.width)[np.argmax(out[:, columns], axis=1)]
            elif factor.discrete:
                values = factor.values()
                units = np.array([factor.encode(value)[0] for value in values])
                nearest = np.abs(out[:, columns] - units[None]).argmin(1)
                out[:, columns] = units[nearest][:, None]
        return out

    def allowed(self, point: Mapping[str, Any]) -> bool:
        """Whether the point keeps every constraint."""
        return all(constraint.slack(point) >= 0 for constraint in self.constraints)

    def sample(self, count: int, seed: int) -> Array:
        """`count` rows spread evenly over what is allowed (Sobol points; the few that are not allowed are drawn on)."""
        sobol = needs("scipy.stats.qmc").Sobol(len(self.groups), rng=seed)
        kept: list[Array] = []
        for _round in range(60):
            with np.errstate(all="ignore"):
                drawn = (
                    sobol.random_base2(max(6, int(np.ceil(np.log2(count)))))
                    if not _round
                    else sobol.random(2 ** max(6, int(np.ceil(np.log2(count)))))
                )
            rows = self.snap(drawn)
            if self.constraints:
                rows = np.array([row for row in rows if self.allowed(self.decode(row))]).reshape(-1, rows.shape[1])
            kept.append(rows)
            if sum(map(len, kept)) >= count:
                break
        found = np.concatenate(kept)
        if len(found) < count and self.constraints:
            found = np.concatenate([found, self._walk(count - len(found), seed)])
        return found[:count]

    def _walk(self, count: int, seed: int) -> Array:
        """Rows within narrow constraints: from the middle in random directions, each as far as a random share."""
        middle = self._center()
        assert middle is not None
        random = np.random.default_rng(seed)
        here = self.encode([middle])[0]
        out = []
        for _try in range(count * 50):
            goal = random.random(len(here))
            for share in random.random() * 0.5 ** np.arange(12):
                row = self.snap((here + share * (goal - here))[None])[0]
                if self.allowed(self.decode(row)):
                    here = row
                    out.append(row)
                    break
            if len(out) >= count:
                break
        return np.array(out or [here]).reshape(-1, len(here))

    def _center(self) -> Point | None:
        """A point inside all constraints, far from their edges; None where there is none (a linear program)."""
        linprog = needs("scipy.optimize").linprog
        numeric = [factor for factor in self.factors if not factor.choices]
        places = {factor.name: place for place, factor in enumerate(numeric)}
        rows, most = [], []
        for constraint in self.constraints:
            row = np.zeros(len(numeric) + 1)
            for name, weight in constraint.weights.items():
                row[places[name]] = weight
            size = float(np.abs(row).sum()) or 1.0
            for sign, limit in ((1.0, constraint.most), (-1.0, -constraint.least)):
                if isfinite(limit):
                    tight = constraint.least == constraint.most
                    rows.append(np.append(sign * row[:-1], 0.0 if tight else size))
                    most.append(limit + 1e-9 * (abs(limit) + 1))
        bounds = [(factor.low, factor.high) for factor in numeric] + [(0.0, 1e9)]
        aim = np.append(np.zeros(len(numeric)), -1.0)
        whole = np.array([*(int(factor.whole) for factor in numeric), 0])
        answer = linprog(aim, A_ub=np.array(rows), b_ub=np.array(most), bounds=bounds, integrality=whole)
        if answer.x is None:
            return None
        point: Point = {factor.name: factor.choices[0] for factor in self.factors if factor.choices}
        for factor, value in zip(numeric, answer.x, strict=False):
            point[factor.name] = factor.decode(factor.encode(min(max(value, factor.low), factor.high)))
        return point if self.allowed(point) else None
