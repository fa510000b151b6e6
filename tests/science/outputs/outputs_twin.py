"""The slow twins: whole-number programs over the full joint domain, and every pattern of suppression tried."""

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, linprog, milp

from madang.science.privacy.outputs.suppression import Problem
from madang.science.privacy.outputs.tables import CountTable, Key


def ranges(tables: Sequence[CountTable]) -> dict[tuple[int, Key], tuple[int, int]]:
    """The least and the largest whole count of every hidden cell, over all joint tables that fit all tables.

    Every attribute is a dimension, every combination of values a variable; no thought is spent on what could be left
    out. Raises ValueError where no joint table fits.
    """
    values: dict[str, set[str]] = {}
    for table in tables:
        for place, attribute in enumerate(table.attributes):
            values.setdefault(attribute, set()).update(key[place] for key in table.cells)
    names = sorted(values)
    joint = list(itertools.product(*(sorted(values[name]) for name in names)))
    rows, low, high = [], [], []
    hidden: dict[tuple[int, Key], np.ndarray] = {}
    for number, table in enumerate(tables):
        for key in itertools.product(*(sorted(values[name]) for name in table.attributes)):
            row = np.array([_inside(dict(zip(names, cell, strict=True)), table, key) for cell in joint], float)
            least, most = table.cells.get(key, (0, 0))
            rows.append(row)
            low.append(least)
            high.append(math.inf if most is None else most)
            if key in table.hidden:
                hidden[number, key] = row
    constraint = LinearConstraint(np.array(rows), low, high)
    found = {}
    for cell, row in hidden.items():
        ends = []
        for sign in (1, -1):
            answer = milp(sign * row, constraints=constraint, integrality=np.ones(len(joint)), bounds=Bounds(0, np.inf))
            if answer.status == 2:
                raise ValueError("no joint table fits")
            assert answer.status in (0, 3)
            ends.append(round(sign * answer.fun) if answer.status == 0 else None)
        found[cell] = (ends[0], ends[1])
    return found


def _inside(cell: Mapping[str, str], table: CountTable, key: Key) -> bool:
    return all(cell[attribute] == value for attribute, value in zip(table.attributes, key, strict=True))


def safe(problem: Problem, pattern: Sequence[int]) -> bool:
    """Whether an attacker cannot rule out either end of any protection interval; one linear program for each."""
    low, high = problem.cells.copy(), problem.cells.copy()
    low[list(pattern)] = problem.lower[list(pattern)]
    high[list(pattern)] = problem.upper[list(pattern)]
    matrix = np.zeros((len(problem.equations), len(problem.cells)))
    for row, (parts, total) in enumerate(problem.equations):
        matrix[row, list(parts)] = 1
        matrix[row, total] = -1
    for place, cell in enumerate(problem.primary):
        cost = np.zeros(len(problem.cells))
        cost[cell] = 1
        for sign, needed in ((1, problem.below[place]), (-1, problem.above[place])):
            answer = linprog(
                sign * cost, A_eq=matrix, b_eq=np.zeros(len(matrix)), bounds=list(zip(low, high, strict=True))
            )
            reached = sign * answer.fun
            if sign * (reached - problem.cells[cell]) > -needed + 1e-7:
                return False
    return True


def cheapest(problem: Problem) -> float:
    """What the cheapest safe pattern costs; every pattern is tried, the cheap ones first."""
    others = [cell for cell in range(len(problem.cells)) if cell not in problem.primary]
    patterns = [
        (float(problem.cost[[*problem.primary, *extra]].sum()), extra)
        for size in range(len(others) + 1)
        for extra in itertools.combinations(others, size)
    ]
    for cost, extra in sorted(patterns, key=lambda pattern: pattern[0]):
        if safe(problem, [*problem.primary, *extra]):
            return cost
    return math.inf
