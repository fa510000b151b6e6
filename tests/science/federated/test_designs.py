"""Designs that are awkward over sites, against R 4.2's answers: a column that is collinear or constant at one site, a
level that only one site has, one person at a site, nobody at a site, factors without an intercept, separation.
"""

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from test_studies import asker, close, study

from madang.base.errors import MadangError
from madang.science.federated.pooling import pooled


def row(i: int) -> dict[str, Any]:
    site, x = "a" if i < 30 else "b" if i < 59 else "c", ((i * 37) % 23) / 4
    return {
        "i": i,
        "site": site,
        "x": x,
        "z": 2 * x + 1 if site == "b" else ((i * 53) % 17) / 2,
        "g": "pqr"[i % 3] if site == "a" else "pq"[i % 2],
        "k": 1 if site == "b" else i % 4,
        "y": int((i * 29) % 31 + 2 * x - i % 4 > 18),
        "n": (i * 31) % 7 + i % 3,
        "t": 1 + (i * 41) % 13,
        "d": int((i * 7) % 5 > 0),
    }


def sites(change: Callable[[dict[str, Any]], dict[str, Any]] = dict) -> dict[str, pa.Table]:
    """Site a, site b, site c with one person, and site e with nobody."""
    rows = [change(row(i)) for i in range(60)]
    found = {name: pa.Table.from_pylist([each for each in rows if each["site"] == name]) for name in "abc"}
    return found | {"e": found["a"].slice(0, 0)}


R: list[tuple[str, dict[str, Any], list[float], list[float]]] = [
    (
        "glm",
        {"family": "binomial", "outcome": "y", "terms": ["x", "z", "g", "k"]},
        [-0.3485712840317, 0.3545753695921, -0.008903247126595, 0.3536732964407, 0.3371411089006, -0.5640000304206],
        [0.7627917611111, 0.2054944554047, 0.1087407343796, 0.604261277496, 0.8227458291043, 0.3539521343144],
    ),
    (  # glm(n ~ g + x:g - 1): a mean and a slope of each level
        "glm",
        {"family": "poisson", "outcome": "n", "terms": ["g", "x:g"], "intercept": False},
        [1.315374140571, 1.212195176582, 1.793957742009, -0.01264894974682, 0.05372726202295, -0.06879210078991],
        [0.2024198994572, 0.2051188235911, 0.231047379543, 0.06387164681312, 0.06074663659182, 0.08028072340689],
    ),
    (
        "cox",
        {"time": "t", "event": "d", "terms": ["x", "z", "g", "k"]},
        [0.2815365889658, -0.05020733725661, 0.2251070836394, 0.6496082111819, -0.1354772943316],
        [0.1159771271849, 0.05871687834296, 0.3263895015475, 0.4462251725848, 0.2035659819939],
    ),
    (  # coxph(~ g + x:g): a slope of each level, and no column for the reference, which the baseline stands for
        "cox",
        {"time": "t", "event": "d", "terms": ["g", "x:g"]},
        [-0.1716973048808, 0.04259390489336, 0.1421029334263, 0.2491219651914, 0.348203050556],
        [],
    ),
]


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("kind", "told", "coef", "se"), R)
def test_models_equal_those_of_r(
    kind: str, told: dict[str, Any], coef: list[float], se: list[float], masked: bool
) -> None:
    made = study(kind, **told)
    found = pooled(made, asker(made, sites(), masked=masked))
    close(list(found["coef"].values()), coef, 1e-8)
    if se:
        close(list(found["se"].values()), se, 1e-8)


def test_of_two_factors_without_an_intercept_the_first_has_no_reference() -> None:
    made = study("glm", family="poisson", outcome="n", terms=["x", "g", "k"], intercept=False)
    found = pooled(made, asker(made, sites(lambda each: each | {"k": f"k{each['k']}"})))
    assert list(found["coef"]) == ["x", "gp", "gq", "gr", "kk1", "kk2", "kk3"]
    wanted = [-0.0003293211495852, 1.107706814854, 1.192884119645, 1.509596749506]
    wanted += [0.2217090267683, 0.1016478321635, 0.101890400431]
    close(list(found["coef"].values()), wanted, 1e-7)


def test_tables_and_curves_over_the_same_sites() -> None:
    ranks = study("log-rank", time="t", event="d", by="g", by_site=True)
    close(pooled(ranks, asker(ranks, sites()))["chisq"], 0.7358563315805, 1e-10)
    odds = study("mantel-haenszel", exposure="g", outcome="y", strata=["k"])
    two = sites(lambda each: each | {"g": "q" if each["g"] == "r" else each["g"]})
    close(pooled(odds, asker(odds, two))["beta"], 0.2608026226914, 1e-10)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(
    ("kind", "told", "change"),
    [
        ("glm", {"family": "binomial", "outcome": "y"}, {"y": 0}),
        ("glm", {"family": "binomial", "outcome": "y"}, {"y": 1}),
        ("glm", {"family": "poisson", "outcome": "n"}, {"n": 0}),
        ("cox", {"time": "t", "event": "d"}, {"d": 0}),
    ],
)
def test_a_level_in_which_nobody_has_the_outcome_is_refused_and_named(
    kind: str, told: dict[str, Any], change: dict[str, int], masked: bool
) -> None:
    """The likelihood stops, the coefficient does not: R says -31 with an error of 733,336 for such a level."""
    made = study(kind, terms=["x", "g"], **told)
    apart = sites(lambda each: each | (change if each["g"] == "r" else {}))
    with pytest.raises(MadangError) as refused:
        pooled(made, asker(made, apart, masked=masked))
    assert refused.value.code == "federated.diverges" and "gr" in refused.value.message

    (name, value), *_others = change.items()
    but_one = sites(
        lambda each: each | (change if each["g"] == "r" else {}) | ({name: 1 - value} if each["i"] == 2 else {})
    )
    assert abs(pooled(made, asker(made, but_one, masked=masked))["coef"]["gr"]) < 5
