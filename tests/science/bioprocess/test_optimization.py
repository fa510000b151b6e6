import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import approx_fprime
from scipy.stats import norm

from madang.science.bioprocess.design import Constraint, Factor, Space, design
from madang.science.bioprocess.optimization.acquisition import log_improvement, log_probability
from madang.science.bioprocess.optimization.process import _negative, _squares, fit, kernel
from madang.science.bioprocess.optimization.suggest import Aim, suggest

SPACE = Space((Factor("a", 0.0, 1.0), Factor("b", 0.0, 1.0)))


def hill(point) -> float:  # type: ignore[no-untyped-def]  # plain arrays
    return float(np.exp(-8 * (point["a"] - 0.3) ** 2 - 8 * (point["b"] - 0.7) ** 2))


@settings(deadline=None, max_examples=25)
@given(st.floats(-6, 6), st.floats(0.01, 3), st.floats(-4, 4))
def test_improvement_is_the_integral(mean: float, deviation: float, best: float) -> None:
    top = max(best, mean) + 12 * deviation
    whole, _error = quad(
        lambda f: (f - best) * norm.pdf(f, mean, deviation), best, top, points=[max(best, mean)], limit=200
    )
    told = float(log_improvement(np.array([mean]), np.array([deviation]), best)[0])
    if whole > 1e-10:
        assert told == pytest.approx(np.log(whole), abs=1e-5)
    else:
        assert told < np.log(1e-9)


def test_improvement_stays_ordered_where_it_is_tiny() -> None:
    means = np.linspace(-5e8, 1, 4000)
    told = log_improvement(means, np.ones(4000), 0.0)
    assert np.isfinite(told).all() and (np.diff(told) > 0).all()
    assert np.exp(log_probability(np.zeros(1), np.ones(1), -1.96, 1.96))[0] == pytest.approx(0.95, abs=1e-3)


def test_the_process_is_that_of_the_formula() -> None:
    random = np.random.default_rng(1)
    rows, results = random.random((12, 2)), random.standard_normal(12)
    process = fit(rows, results, SPACE.groups)
    at = random.random((5, 2))
    noise = np.exp(process.logs[-1]) + 1e-8

    def covers(one: np.ndarray, other: np.ndarray) -> float:
        return float(kernel(one[None], other[None], SPACE.groups, process.logs)[0, 0])

    covariance = np.array([[covers(a, b) for b in rows] for a in rows])
    for place, point in enumerate(at):
        cross = np.array([covers(point, b) for b in rows])
        solved = np.linalg.solve(covariance + noise * np.eye(12), cross)
        mean = process.center + solved @ (results - process.center)
        assert process.predict(at)[0][place] == pytest.approx(mean, rel=1e-6)
        variance = np.exp(process.logs[-2]) - cross @ solved
        assert process.predict(at)[1][place] == pytest.approx(process.scale * np.sqrt(variance), rel=1e-4)


def test_the_gradient_is_that_of_differences() -> None:
    random = np.random.default_rng(2)
    rows, standard = random.random((15, 3)), random.standard_normal(15)
    groups = np.array([0, 1, 1])
    squares = _squares(rows, groups, 2)
    logs = np.array([-0.3, 0.4, 0.2, -2.0])
    told = _negative(logs, squares, standard, 2)[1]
    assert told == pytest.approx(approx_fprime(logs, lambda v: _negative(v, squares, standard, 2)[0], 1e-6), rel=1e-3)


def test_the_top_of_a_hill_is_found() -> None:
    points = design(SPACE, "latin-hypercube", 5, seed=2)
    for _turn in range(10):
        results = {"y": np.array([hill(point) for point in points])}
        tried, _believed = suggest(SPACE, [Aim("y")], points, results, seed=1)
        points.append(tried[0].point)
    assert max(map(hill, points)) > 0.99


def test_small_is_as_good_as_large_turned_round() -> None:
    points = design(SPACE, "latin-hypercube", 8, seed=2)
    results = np.array([hill(point) for point in points])
    up, _believed = suggest(SPACE, [Aim("y")], points, {"y": results}, seed=1)
    down, _believed = suggest(SPACE, [Aim("y", maximize=False)], points, {"y": -results}, seed=1)
    assert down[0].point["a"] == pytest.approx(up[0].point["a"], abs=0.02)


def test_batches_spread_and_constraints_choices_and_ranges_are_kept() -> None:
    mixed = Space(
        (Factor("a", 0.0, 1.0), Factor("n", 1, 5, whole=True), Factor("c", choices=("x", "y", "z"))),
        (Constraint({"a": 1.0, "n": 0.1}, most=0.9),),
    )
    points = design(mixed, "latin-hypercube", 8, seed=1)
    value = np.array([point["a"] + (point["c"] == "y") for point in points])
    cost = np.array([point["a"] * 2 for point in points])
    aims = [Aim("y"), Aim("cost", None, most=1.2)]
    tried, _believed = suggest(mixed, aims, points, {"y": value, "cost": cost}, count=4, seed=1)
    assert len({(each.point["a"], each.point["n"], each.point["c"]) for each in tried}) == 4
    for each in tried:
        assert mixed.allowed(each.point) and each.point["n"] in range(1, 6)
    assert tried[0].point["c"] == "y" and tried[0].point["a"] < 0.7


def test_failed_experiments_and_equal_results_are_no_trouble() -> None:
    points = design(SPACE, "latin-hypercube", 6, seed=3)
    values = np.array([hill(point) for point in points])
    values[2] = np.nan
    assert suggest(SPACE, [Aim("y")], points, {"y": values})[0]
    tried, _believed = suggest(SPACE, [Aim("y")], points, {"y": np.full(6, 3.0)})
    assert tried[0].why in ("explore", "improve") and np.isfinite(tried[0].promise)


def test_two_aims_find_both_ends() -> None:
    line = Space((Factor("a", 0.0, 1.0), Factor("b", 0.0, 1.0)))
    points = design(line, "latin-hypercube", 6, seed=1)
    for turn in range(4):
        told = {
            "up": np.array([p["a"] - p["b"] ** 2 for p in points]),
            "down": np.array([-p["a"] - p["b"] ** 2 for p in points]),
        }
        tried, _believed = suggest(line, [Aim("up"), Aim("down")], points, told, count=3, seed=turn)
        points += [each.point for each in tried]
    late = [p for p in points[6:] if p["b"] < 0.15]
    assert min(p["a"] for p in late) < 0.25 and max(p["a"] for p in late) > 0.75


def test_an_earlier_campaign_is_a_head_start() -> None:
    before = design(SPACE, "latin-hypercube", 25, seed=9)
    earlier = [(before, {"y": np.array([hill(p) * 3 + 5 for p in before])})]
    points = design(SPACE, "latin-hypercube", 3, seed=4)
    results = {"y": np.array([hill(point) for point in points])}
    with_it, _believed = suggest(SPACE, [Aim("y")], points, results, seed=1, earlier=earlier)
    assert hill(with_it[0].point) > 0.8
