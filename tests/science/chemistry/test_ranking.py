"""Ranking, fronts, picks, R groups and matched pairs, against what the words say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("rdkit")

from madang.base.errors import MadangError
from madang.science.chemistry.ranking import Goal, desirability, diverse, pareto_fronts, picked, rank, read_goals
from madang.science.chemistry.series import matched_pairs, r_groups

HIGH = Goal("a", "higher", 0, 10)
LOW = Goal("b", "lower", 0, 10, weight=3)


@pytest.mark.parametrize(
    ("goal", "value", "wish"),
    [
        (HIGH, 5, 0.5),
        (HIGH, -1, 0),
        (HIGH, 11, 1),
        (LOW, 2, 0.8),
        (Goal("a", "target", 0, 10, 4), 4, 1),
        (Goal("a", "target", 0, 10, 4), 2, 0.5),
        (Goal("a", "target", 0, 10, 4), 7, 0.5),
        (Goal("a", "range", 0, 10), 10.5, 0.5),
        (HIGH, None, 0),
        (HIGH, float("nan"), 0),
    ],
)
def test_desirabilities(goal, value, wish):
    assert desirability(goal, value) == pytest.approx(wish)


def test_a_place_is_explained_by_its_parts():
    rows = [{"id": "x", "a": 5, "b": 5}, {"id": "y", "a": "9", "b": 1}, {"id": "z", "a": 10, "b": None}]
    first, second, last = rank(rows, [HIGH, LOW])
    assert (first.id, second.id, last.id) == ("y", "x", "z") and last.score == 0
    assert first.score == pytest.approx((0.9 * 0.9**3) ** 0.25) and first.front == 1 and second.front == 2
    assert [(part.value, part.desirability) for part in second.parts] == [(5, 0.5), (5, 0.5)]
    with pytest.raises(MadangError, match="no property"):
        rank(rows, [Goal("c", "higher", 0, 1)])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 3)] * 3), max_size=25))
def test_fronts(rows):
    front = pareto_fronts(np.array(rows, float).reshape(len(rows), 3))

    def beats(one, two):
        return all(a >= b for a, b in zip(one, two, strict=True)) and one != two

    for place, row in enumerate(rows):
        better = [front[other] for other, them in enumerate(rows) if beats(them, row)]
        assert front[place] == 1 + max(better, default=0)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
def test_picks_are_far_apart_and_cost_no_more_than_the_budget(seed, count):
    chance = np.random.default_rng(seed)
    bits = chance.random((10, 2048)) < 0.01
    words = np.packbits(bits, axis=1, bitorder="little").view(np.uint64)
    alike = np.array([[(a & b).sum() / max((a | b).sum(), 1) for b in bits] for a in bits])
    costs = np.where(chance.random(10) < 0.2, np.inf, chance.integers(0, 9, 10).astype(float))
    for price, budget in ((np.zeros(10), np.inf), (costs, 15.0)):
        chosen = []
        while len(chosen) < min(count, 10):
            left = [k for k in range(10) if k not in chosen and price[chosen].sum() + price[k] <= budget]
            if not left:
                break
            near = [0.0] * 10 if not chosen else [max(alike[k, one] for one in chosen) for k in range(10)]
            chosen.append(min(left, key=lambda place, near=near: (near[place], place)))
        assert diverse(words, count, 0, None if budget == np.inf else price, budget) == chosen


def test_a_pick_is_of_the_best_and_within_its_budget():
    smiles = ["CCO", "CCCO", "c1ccccc1", "CC(=O)N", "CCCCO", "CCN"] * 5
    ranked = rank([{"id": f"m{k}", "smiles": s, "a": 10 - k} for k, s in enumerate(smiles)], [HIGH])
    assert len(picked(ranked, 3)) == 3 and picked(ranked, 3)[0] == 1
    costs = {"m0": 5.0, "m1": 1.0, "m2": 100.0, "m3": 2.0}
    chosen = picked(ranked, 4, costs, 8)
    assert chosen[0] == 1 and sorted(chosen) == [1, 2, 4] and picked(ranked, 4, costs, 4)[0] == 2
    assert picked(ranked, 0) == [] and picked(rank([{"id": "x", "smiles": "C", "a": 0}], [HIGH]), 3) == []
    for wrong in ((-1, costs, None), (2, costs, -1.0), (2, None, 5.0)):
        with pytest.raises(MadangError) as error:
            picked(ranked, *wrong)
        assert error.value.code == "chemistry.pick"


@pytest.mark.parametrize("row", ["a,higher,5,1", "a,sideways,0,1", "a,higher,x,1", "a,target,0,1"])
def test_goals_that_are_none(tmp_path, row):
    path = tmp_path / "goals.csv"
    path.write_text(f"property,shape,low,high\n{row}\n")
    with pytest.raises(MadangError, match="Line 2"):
        read_goals(path)


def test_r_groups():
    names, rows = r_groups(["c1ccc(F)cc1C(=O)N", "c1ccccc1C(=O)NC", "CCO"], "c1ccccc1C(=O)N")
    assert rows[2] is None and set(names) == set(rows[0]) - {"Core"}
    assert any("F" in text for text in rows[0].values()) and any(text.startswith("C[") for text in rows[1].values())
    assert r_groups(["CCO"], "c1ccccc1") == ([], [None])


def test_matched_pairs_say_what_was_exchanged():
    smiles = ["Fc1ccc(C2CCNCC2)cc1", "Clc1ccc(C2CCNCC2)cc1", "CCO"]
    (pair,) = [one for one in matched_pairs(smiles, [1.0, 3.0, 0.0]) if "F[*:1]" in one.change]
    assert (pair.first, pair.second, pair.change, pair.difference) == (0, 1, "F[*:1]>>Cl[*:1]", 2.0)
