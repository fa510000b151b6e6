"""The exact search equals exhaustive enumeration; every answer stands the independent count."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from privacy_tables import classes, entropy_l, equal_distance, exhaustive, ordered_distance, problems

from madang.base.errors import MadangError
from madang.science.privacy.anonymize import anonymize, rows_allowed
from madang.science.privacy.criteria import (
    DistinctLDiversity,
    EntropyLDiversity,
    KAnonymity,
    RecursiveCLDiversity,
    TCloseness,
)
from madang.science.privacy.hierarchy import hierarchy, plain
from madang.science.privacy.metrics import Cells, Discernability, Metric


def _compare(table, trees, criteria, wrong, share, metric: Metric, loss: str) -> None:
    limit = rows_allowed(table.num_rows, share)
    expected = exhaustive(table, trees, wrong, limit, loss)
    if expected is None:
        with pytest.raises(MadangError) as refused:
            anonymize(table, trees, criteria, share, metric, sensitive="s")
        assert refused.value.code == "privacy.no_solution"
        return
    done = anonymize(table, trees, criteria, share, metric, sensitive="s")
    assert done.optimal
    assert done.score[0] == pytest.approx(expected, abs=1e-9)
    if loss == "cells":
        assert done.loss == pytest.approx(expected, abs=1e-9)


@given(problems(), st.integers(1, 6), st.sampled_from(["0", "0.1", "0.3", "1"]))
@settings(max_examples=150, deadline=None)
def test_k_anonymity_with_cells(problem, k, share):
    table, trees = problem
    _compare(table, trees, [KAnonymity(k)], lambda values: len(values) < k, share, Cells(), "cells")


@given(problems(), st.integers(1, 6), st.sampled_from(["0", "0.2", "1"]))
@settings(max_examples=60, deadline=None)
def test_k_anonymity_with_discernability(problem, k, share):
    table, trees = problem
    _compare(table, trees, [KAnonymity(k)], lambda values: len(values) < k, share, Discernability(), "discernability")


@given(problems(2), st.integers(1, 3), st.sampled_from(["0", "0.2", "1"]), st.sampled_from("delot"))
@settings(max_examples=150, deadline=None)
def test_diversity_and_closeness(problem, k, share, kind):
    table, trees = problem
    whole = table.column("s").to_pylist()
    criterion, breaks = {
        "d": (DistinctLDiversity(2), lambda values: len(set(values)) < 2),
        "e": (EntropyLDiversity(1.7), lambda values: entropy_l(values) < 1.7 - 1e-12),
        "l": (
            RecursiveCLDiversity(2.0, 2),
            lambda values: (
                sorted((values.count(v) for v in set(values)), reverse=True)[0]
                >= 2.0 * sum(sorted((values.count(v) for v in set(values)), reverse=True)[1:])
            ),
        ),
        "o": (TCloseness(0.3, "ordered"), lambda values: ordered_distance(values, whole) > 0.3 + 1e-12),
        "t": (TCloseness(0.3), lambda values: equal_distance(values, whole) > 0.3 + 1e-12),
    }[kind]
    _compare(
        table,
        trees,
        [KAnonymity(k), criterion],
        lambda values: len(values) < k or breaks(values),
        share,
        Cells(),
        "cells",
    )


@given(problems(), st.integers(1, 6), st.sampled_from(["0", "0.2", "1"]))
@settings(max_examples=100, deadline=None)
def test_local_recoding_is_anonymous_wherever_one_level_for_all_is(problem, k, share):
    table, trees = problem
    try:
        whole = anonymize(table, trees, k, share)
    except MadangError:
        return
    done = anonymize(table, trees, k, share, local=True)  # raises unless the independent count agrees
    kept = [
        row for row in zip(*(done.table.column(t.name).to_pylist() for t in trees), strict=True) if set(row) != {"*"}
    ]
    assert all(len(places) >= k for places in classes(kept).values())
    assert done.suppressed <= whole.limit
    assert done.loss == pytest.approx(done.score[0])


def test_all_rows_equal_and_all_rows_distinct():
    tree = plain("a", [str(n) for n in range(10)])
    equal = anonymize(pa.table({"a": ["1"] * 10}), [tree], 5)
    assert (equal.levels, equal.loss) == ((0,), 0)
    distinct = anonymize(pa.table({"a": [str(n) for n in range(10)]}), [tree], 5)
    assert (distinct.levels, distinct.loss) == ((1,), 1)


def test_k_above_the_row_count_has_no_solution_unless_all_may_go():
    tree, table = plain("a", "12"), pa.table({"a": ["1", "2"]})
    with pytest.raises(MadangError) as refused:
        anonymize(table, [tree], 3)
    assert refused.value.code == "privacy.no_solution"
    done = anonymize(table, [tree], 3, "1")
    assert (done.suppressed, done.loss, done.verified.k) == (2, 1.0, None)


def test_a_suppressed_row_is_stars_in_every_column():
    table = pa.table({"a": ["1", "1", "2"], "note": ["x", "y", "z"]})
    done = anonymize(table, [hierarchy("a", [["1"], ["2"]])], 2, "0.4")
    assert done.table.to_pylist()[2] == {"a": "*", "note": "*"}
    assert done.table.to_pylist()[0] == {"a": "1", "note": "x"}


def test_twenty_quasi_identifiers_answer_in_time_and_claim_no_proof():
    names = [f"q{n}" for n in range(20)]
    table = pa.table({name: [str((row * (n + 3)) % 7) for row in range(200)] for n, name in enumerate(names)})
    trees = [hierarchy(name, [[str(v), "low" if v < 3 else "high", "*"] for v in range(7)]) for name in names]
    done = anonymize(table, trees, 5, "0.05", seconds=2)
    assert not done.optimal
    assert done.verified.k is None or done.verified.k >= 5


def test_the_limit_is_counted_without_rounding():
    assert rows_allowed(100, "0.29") == 29
    assert rows_allowed(100, 0.07) == 7
    for wrong in ("1.5", "-0.1", "much", "nan", "1/0"):
        with pytest.raises(MadangError):
            rows_allowed(100, wrong)
