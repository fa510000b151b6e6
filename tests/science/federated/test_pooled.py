"""However rows are split over sites, the answer is the pooled answer, to 1e-12."""

from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from madang.base.errors import MadangError
from madang.science import federated as f
from madang.science.federated.exact import gram, solve
from support import EVERYTHING

SEEDS = st.integers(0, 2**32 - 1)


def data(seed: int, rows: int, terms: int, condition: float) -> tuple[pa.Table, list[str], np.random.Generator]:
    """Covariates with a condition number, and outcomes of every kind that depend on them."""
    random = np.random.default_rng(seed)
    q, _r = np.linalg.qr(random.normal(size=(rows, terms)))
    mixed, _s = np.linalg.qr(random.normal(size=(terms, terms)))
    x = q @ np.diag(np.geomspace(1, 1 / condition, terms)) @ mixed * np.sqrt(rows)
    eta = x @ random.normal(size=terms) * 0.4
    columns = {f"x{k}": x[:, k] for k in range(terms)}
    outcomes = {
        "gaussian": eta + random.normal(size=rows),
        "binomial": (random.random(rows) < 1 / (1 + np.exp(-eta))).astype(float),
        "poisson": random.poisson(np.exp(np.clip(eta, -3, 3))).astype(float),
        "time": np.ceil(random.exponential(np.exp(-eta)) * 20) + 1,
        "event": (random.random(rows) < 0.7).astype(float),
    }
    return pa.table(columns | outcomes), list(columns), random


def split(table: pa.Table, random: np.random.Generator, count: int) -> list[pa.Table]:
    where = random.integers(0, count, table.num_rows)
    return [table.take(np.nonzero(where == k)[0]) for k in range(count)]


def or_refused(fit: Any, tables: list[pa.Table]) -> Any:
    """A fit, or the code with which it is refused."""
    try:
        return fit(tables)
    except MadangError as refused:
        return refused.code


@settings(max_examples=40 if EVERYTHING else 6)
@given(SEEDS, st.sampled_from(["gaussian", "binomial", "poisson"]), st.sampled_from([1.0, 1e2, 1e4]))
def test_generalized_linear_models_equal_the_pooled_fit(seed: int, family: str, condition: float) -> None:
    table, names, random = data(seed, 300, 4, condition)
    design = f.make_design(names)
    parts = split(table, random, 3)

    def fit(tables: list[pa.Table]) -> f.GlmFit:
        return f.fit_glm(lambda coef: [f.glm_at(each, family, design, family, coef) for each in tables], design, family)  # type: ignore[arg-type]  # one of them

    pooled, apart = or_refused(fit, [table]), or_refused(fit, parts)
    if isinstance(pooled, str) or isinstance(apart, str):
        assert pooled == apart and pooled in ("federated.diverges", "federated.singular")
        return
    assert pooled.rounds == apart.rounds
    np.testing.assert_allclose(apart.coef, pooled.coef, rtol=1e-12)
    np.testing.assert_allclose(apart.se, pooled.se, rtol=1e-12)


@settings(max_examples=40 if EVERYTHING else 6)
@given(SEEDS, st.sampled_from(["efron", "breslow"]), st.sampled_from([1.0, 1e2, 1e4]), st.booleans())
def test_cox_regression_equals_the_pooled_fit(seed: int, ties: str, condition: float, binned: bool) -> None:
    table, names, random = data(seed, 300, 3, condition)
    design = f.make_design(names, intercept=False)
    parts, bin_ = split(table, random, 3), 5.0 if binned else 0.0

    def fit(tables: list[pa.Table]) -> f.CoxFit:
        center = f.center_of([f.center_at(each, "time", "event", design, bin_) for each in tables])
        grid = f.grid_of([f.event_times_at(each, "time", "event", design, bin_) for each in tables])

        def ask(coef: np.ndarray) -> list[list[f.CoxPart]]:
            return [[f.cox_at(each, "time", "event", design, coef, center, grid, bin_) for each in tables]]

        return f.fit_cox(ask, design, ties)  # type: ignore[arg-type]  # one of both

    pooled, apart = or_refused(fit, [table]), or_refused(fit, parts)
    if isinstance(pooled, str) or isinstance(apart, str):
        assert pooled == apart and pooled in ("federated.diverges", "federated.singular")
        return
    np.testing.assert_allclose(apart.coef, pooled.coef, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(apart.se, pooled.se, rtol=1e-12)


@given(SEEDS)
def test_sums_of_twice_the_digits_and_what_is_solved_from_them(seed: int) -> None:
    random = np.random.default_rng(seed)
    x, w = random.normal(size=(20, 3)) * 10.0 ** random.integers(-6, 6, 3), random.random(20)
    hi, lo = gram(x, w)
    for a in range(3):
        for b in range(3):
            terms = [Fraction(float(x[i, a])) * Fraction(float(w[i])) * Fraction(float(x[i, b])) for i in range(20)]
            ours = Fraction(float(hi[a, b])) + Fraction(float(lo[a, b]))
            assert abs(sum(terms) - ours) <= sum(map(abs, terms)) * Fraction(1, 10**28)
    wanted = random.normal(size=3)
    right = hi @ wanted
    np.testing.assert_allclose(hi @ solve((hi, lo), (right, np.zeros(3))), right, rtol=1e-9)


@given(st.lists(st.floats(-1e6, 1e6) | st.integers(-5, 5).map(float), min_size=1, max_size=40), SEEDS)
def test_quantiles_end_at_the_very_value(values: list[float], seed: int) -> None:
    random = np.random.default_rng(seed)
    table = pa.table({"x": values})
    parts = [each for each in split(table, random, 3) if each.num_rows]
    ranges = [f.range_at(each, "x", 2) for each in parts]

    def below(points: list[float]) -> list[tuple[int, int]]:
        every = [f.below_at(each, "x", points) for each in parts]
        return [(sum(p[k][0] for p in every), sum(p[k][1] for p in every)) for k in range(len(points))]

    shares = [0.0, 0.1, 0.25, 0.5, 0.9, 1.0]
    found = f.quantiles_of(len(values), (min(r[1] for r in ranges), max(r[2] for r in ranges)), shares, below)
    np.testing.assert_allclose(found, np.quantile(values, shares), rtol=1e-12, atol=1e-12)


def test_kaplan_meier_of_sites_is_that_of_all() -> None:
    table, _names, random = data(5, 200, 2, 1.0)
    grid = f.grid_of([f.event_times_at(table, "time", "event")])
    pooled = f.kaplan_meier([f.survival_at(table, "time", "event", grid)], grid)[""]
    apart = f.kaplan_meier([f.survival_at(each, "time", "event", grid) for each in split(table, random, 4)], grid)[""]
    assert np.array_equal(pooled["survival"], apart["survival"]) and f.median_of(pooled) == f.median_of(apart)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"terms": ["x0", "x0"]}, "federated.term"),
        ({"terms": ["x0; drop"]}, "federated.term"),
        ({"terms": ["nothing"]}, "federated.column"),
        ({"terms": ["x0", "twice"]}, "federated.singular"),
        ({"outcome": "time", "family": "binomial"}, "federated.outcome"),
        ({"family": "weibull"}, "federated.family"),
        ({"outcome": "apart"}, "federated.diverges"),
    ],
)
def test_what_cannot_be_fitted_is_one_sentence(change: dict[str, object], code: str) -> None:
    table, _names, _random = data(1, 60, 2, 1.0)
    twice = 2 * table["x0"].to_numpy()
    table = table.append_column("twice", pa.array(twice)).append_column("apart", pa.array((twice > 0).astype(float)))
    given_: dict[str, Any] = {"terms": ["x0"], "outcome": "binomial", "family": "binomial"} | change
    with pytest.raises(MadangError) as refused:
        design = f.make_design(given_["terms"])  # type: ignore[arg-type]  # a list
        f.fit_glm(
            lambda coef: [f.glm_at(table, given_["outcome"], design, given_["family"], coef)], design, given_["family"]
        )  # type: ignore[arg-type]  # texts
    assert refused.value.code == code
