import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from madang.base.errors import MadangError
from madang.science.bioprocess.design import Constraint, Factor, Space, design
from madang.science.bioprocess.design.designs import _terms


def space(count: int) -> Space:
    return Space(tuple(Factor(f"f{k}", -1.0, 1.0) for k in range(count)))


def table(points, count: int) -> np.ndarray:  # type: ignore[no-untyped-def]  # plain arrays
    return np.array([[point[f"f{k}"] for k in range(count)] for point in points])


@pytest.mark.parametrize(("factors", "runs"), [(3, 4), (7, 8), (11, 12), (13, 16), (19, 20), (23, 24)])
def test_plackett_burman_tells_every_factor_apart(factors: int, runs: int) -> None:
    rows = table(design(space(factors), "plackett-burman"), factors)
    assert len(rows) == runs
    assert (rows.T @ rows == runs * np.eye(factors)).all()
    assert (rows.sum(0) == 0).all()


def test_central_composite_and_box_behnken_have_their_points() -> None:
    assert len(design(space(3), "central-composite")) == 8 + 6 + 1
    rows = table(design(space(4), "box-behnken", center=2), 4)
    assert len(rows) == 4 * 6 + 1 + 2
    assert ((rows != 0).sum(1) <= 2).all()


def test_full_factorial_has_every_combination() -> None:
    mixed = Space((Factor("a", levels=(1.0, 2.0, 5.0), low=1, high=5), Factor("b", choices=("x", "y"))))
    points = {(point["a"], point["b"]) for point in design(mixed, "full-factorial")}
    assert points == {(a, b) for a in (1.0, 2.0, 5.0) for b in "xy"}


def test_d_optimal_is_not_worse_than_chance_and_keeps_constraints() -> None:
    narrow = Space(space(3).factors, (Constraint({"f0": 1, "f1": 1}, most=0.5),))
    points = design(narrow, "d-optimal", 12, seed=3)
    assert len(points) == 12 and all(narrow.allowed(point) for point in points)
    best = np.linalg.slogdet((m := _terms(narrow, narrow.encode(points))).T @ m)[1]
    for seed in range(20):
        m = _terms(narrow, narrow.sample(12, seed))
        assert best > np.linalg.slogdet(m.T @ m + 1e-12 * np.eye(m.shape[1]))[1]


def test_blocks_are_alike() -> None:
    points = design(space(3), "central-composite", blocks=3)
    assert sorted({point["block"] for point in points}) == [1, 2, 3]
    means = [table([p for p in points if p["block"] == block], 3).mean(0) for block in (1, 2, 3)]
    assert np.abs(means).max() < 0.5


@settings(deadline=None, max_examples=30)
@given(st.data())
def test_what_is_decoded_is_encoded_again(data: st.DataObject) -> None:
    factors = (
        Factor("n", data.draw(st.floats(-5, 0)), data.draw(st.floats(0.5, 9))),
        Factor("w", 1, data.draw(st.integers(3, 9)), whole=True),
        Factor("l", 0.01, 100.0, log=True),
        Factor("c", choices=("a", "b", "c")),
    )
    room = Space(factors)
    row = np.array(data.draw(st.lists(st.floats(0, 1), min_size=6, max_size=6)))
    point = room.decode(row)
    again = room.decode(room.encode([point])[0])
    assert again["c"] == point["c"] and again["w"] == point["w"]
    assert again["n"] == pytest.approx(point["n"]) and again["l"] == pytest.approx(point["l"], rel=1e-6)


def test_contradictions_and_designs_that_cannot_be_built_are_refused() -> None:
    with pytest.raises(MadangError) as error:
        Space(space(2).factors, (Constraint({"f0": 1, "f1": 1}, least=3),)).checked()
    assert error.value.code == "design.contradiction"
    both = (Constraint({"f0": 1}, most=-0.5), Constraint({"f0": 1}, least=0.5))
    with pytest.raises(MadangError):
        Space(space(2).factors, both).checked()
    half = Factor("w", 1, 3, whole=True)
    with pytest.raises(MadangError):
        Space((half,), (Constraint({"w": 2}, least=3.2, most=3.8),)).checked()
    cornered = Space(space(3).factors, (Constraint({"f0": 1, "f1": 1}, most=0.5),))
    for kind in ("central-composite", "plackett-burman", "full-factorial"):
        with pytest.raises(MadangError) as error:
            design(cornered, kind)
        assert error.value.code == "design.constraints"
    for factors, kind in ((2, "box-behnken"), (12, "central-composite"), (30, "full-factorial"), (2, "by-feeling")):
        with pytest.raises(MadangError) as error:
            design(space(factors), kind)
        assert error.value.code == "design.kind"
    for wrong in (Factor("a", 1, 1), Factor("a", 0, 1, log=True), Factor("a", choices=("x", "x")), Factor("", 0, 1)):
        with pytest.raises(MadangError):
            wrong.checked()


def test_narrow_constraints_are_sampled_inside() -> None:
    narrow = Space(space(3).factors, (Constraint({"f0": 1, "f1": 1, "f2": 1}, 0.999, 1.001),)).checked()
    points = [narrow.decode(row) for row in narrow.sample(30, 1)]
    assert len(points) >= 20 and all(narrow.allowed(point) for point in points)
