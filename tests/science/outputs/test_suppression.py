"""Secondary suppression: never dearer than the optimum, never unsafe."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from outputs_twin import cheapest, safe

from madang.science.privacy.outputs.protect import protect
from madang.science.privacy.outputs.suppression import Problem, audit, problem_of
from support import shared_data


def instances() -> list[dict[str, Any]]:
    path = shared_data("tau_argus") / "suppression_instances.json"
    found: list[dict[str, Any]] = json.loads(path.read_text())["instances"]
    return found


def test_known_instances_reach_the_proven_optimum_and_are_safe() -> None:
    for instance in instances():
        problem = problem_of(instance, instance["id"])
        found = protect(problem)
        assert found.optimal and found.cost == pytest.approx(instance["optimal_cost"]), instance["id"]
        assert found.safe and safe(problem, found.suppressed), instance["id"]
        assert set(instance["primary"]) <= set(found.suppressed)


def grid(inner: np.ndarray, primary: list[int], above: list[float], cost: str) -> Problem:
    """A two-way table with totals."""
    full = np.pad(inner, ((0, 1), (0, 1)))
    full[-1, :-1], full[:-1, -1], full[-1, -1] = inner.sum(0), inner.sum(1), inner.sum()
    rows, columns = full.shape
    number = np.arange(full.size).reshape(full.shape)
    equations = [[number[i, :-1].tolist(), int(number[i, -1])] for i in range(rows)]
    equations += [[number[:-1, j].tolist(), int(number[-1, j])] for j in range(columns)]
    cells = full.ravel().tolist()
    chosen = [int(number[i // (columns - 1), i % (columns - 1)]) for i in primary]
    return problem_of(
        {
            "cells": cells,
            "equations": equations,
            "primary": chosen,
            "lower_protection": [min(1.0, float(cells[cell])) for cell in chosen],
            "upper_protection": above[: len(chosen)],
            "attacker_lower": 0,
            "attacker_upper": float(full.sum()) + 10,
            "cost": [1.0] * full.size if cost == "one" else [max(1.0, float(cell)) for cell in cells],
        },
        "grid",
    )


@given(
    st.lists(st.integers(0, 20), min_size=6, max_size=6),
    st.sets(st.integers(0, 5), min_size=1, max_size=2).map(sorted),
    st.lists(st.sampled_from([1.0, 2.0, 4.0]), min_size=2, max_size=2),
    st.sampled_from(["one", "value"]),
)
def test_the_pattern_is_the_cheapest_of_all_safe_ones(
    cells: list[int], primary: list[int], above: list[float], cost: str
) -> None:
    problem = grid(np.array(cells).reshape(2, 3), primary, above, cost)
    found = protect(problem)
    best = cheapest(problem)
    if found.unprotected:
        assert best == np.inf
    else:
        assert found.optimal and found.cost == pytest.approx(best) and safe(problem, found.suppressed)


@given(
    st.lists(st.integers(0, 60), min_size=20, max_size=20),
    st.sets(st.integers(0, 19), min_size=1, max_size=4).map(sorted),
    st.lists(st.sampled_from([1.0, 3.0]), min_size=4, max_size=4),
)
def test_larger_patterns_are_safe_and_not_above_their_bound(
    cells: list[int], primary: list[int], above: list[float]
) -> None:
    problem = grid(np.array(cells).reshape(4, 5), primary, above, "value")
    found = protect(problem)
    assert found.unprotected or (safe(problem, found.suppressed) and found.optimal)
    assert all(each.safe for each in audit(problem, found.suppressed)) == found.safe


def test_nothing_protects_a_cell_that_is_alone() -> None:
    problem = problem_of(
        {"cells": [5, 5], "equations": [[[0], 1]], "primary": [0], "attacker_upper": [5, 5], "upper_protection": 1}, "t"
    )
    assert protect(problem).unprotected == (0,) and not protect(problem).safe


def test_without_time_the_pattern_is_still_safe() -> None:
    for instance in instances()[4:6]:
        problem = problem_of(instance, instance["id"])
        found = protect(problem, seconds=0.0)
        assert safe(problem, found.suppressed)
        assert found.bound <= instance["optimal_cost"] + 1e-6 <= found.cost + 1e-5
