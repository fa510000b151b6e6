import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from madang.base.errors import MadangError
from madang.science.bioprocess.toml import Section
from madang.science.bioprocess.twin.attributes import Limit
from madang.science.bioprocess.twin.fit import fit, read_run
from madang.science.bioprocess.twin.kinetics import STATES, kinetics
from madang.science.bioprocess.twin.penicillin import batch
from madang.science.bioprocess.twin.plain import solve_plainly
from madang.science.bioprocess.twin.recipe import Change, Recipe, read_recipe
from madang.science.bioprocess.twin.scale import Vessel, carry_over
from madang.science.bioprocess.twin.solve import solve
from madang.science.bioprocess.twin.space import design_space, sensitivities, what_if
from support import shared_data

CHO = kinetics("cho")
FED = Recipe(CHO, 336.0, changes=(Change(48.0, 0.0008, 300.0, 20.0), Change(140.0, temperature=34.0)))


@settings(deadline=None, max_examples=6)
@given(
    name=st.sampled_from(["cho", "penicillin"]),
    hours=st.integers(5, 300),
    changes=st.lists(st.tuples(st.integers(0, 250), st.floats(0.0002, 0.002), st.floats(-2, 1)), max_size=4),
    scale=st.floats(0.7, 1.4),
)
def test_the_twin_agrees_with_lsoda(
    name: str, hours: int, changes: list[tuple[int, float, float]], scale: float
) -> None:
    model = kinetics(name)
    litres = model.start["volume"]
    made = Recipe(
        model,
        hours,
        every=hours / 7,
        parameters={model.names[0]: model.parameters[model.names[0]][0] * scale},
        changes=tuple(
            Change(at, rate * litres, 300.0, 20.0, (37.0 if name == "cho" else 25.0) + warmer)
            for at, rate, warmer in [(0.0, 0.0005, 0.0), *changes]
        ),
    )
    fast = solve(made.batches(), made.times())
    slow = solve_plainly(made.batches(), made.times(), 1e-7)
    size = np.maximum(np.abs(slow).max((0, 1)), 0.1)
    assert (np.abs(fast - slow).max((0, 1)) / size).max() <= 1e-4


def test_penicillin_cases_come_out_as_published() -> None:
    cases = json.loads((shared_data("penicillin") / "liang_lai_penicillin.json").read_text())["cases"]
    for case in cases:
        outcome = batch(case["x"], trace=True)
        assert outcome.aims == pytest.approx(case["minus_penicillin_co2_time"], rel=1e-9)
        for row in case["trace_t_P_V_X_S_CO2"]:
            assert outcome.trace[int(row[0]) - 1] == pytest.approx(row, rel=1e-9)


def test_mass_is_neither_made_nor_lost() -> None:
    """What was fed, less what is left, is what cells took up: without cells nothing changes but the volume."""
    recipe = replace(FED, start={"biomass": 0.0, "glutamine": 0.0})
    recipe = replace(recipe, changes=(Change(10.0, 0.01, 300.0, 0.0),))
    end = dict(zip(STATES, solve(recipe.batches(), recipe.times())[0, -1], strict=True))
    assert end["volume"] == pytest.approx(1.0 + 0.01 * 326)
    assert end["volume"] * end["substrate"] == pytest.approx(35.0 + 0.01 * 326 * 300)


def test_a_fit_finds_what_made_the_runs(tmp_path: Path) -> None:
    truth = {"mu_max": 0.045, "q_p": 0.0011}
    random = np.random.default_rng(1)
    paths = []
    for number in range(3):
        recipe = replace(FED, parameters=truth, start={"biomass": 0.3 + 0.1 * number}, every=24.0)
        states = solve(recipe.batches(), recipe.times())[0] * np.exp(0.02 * random.standard_normal((15, 10)))
        states[0] = recipe.state()
        lines = ["hours,volume,biomass,substrate,glutamine,lactate,ammonia,product,feed,feed_substrate,feed_glutamine"]
        for hour, row in zip(recipe.times(), states, strict=True):
            told = [row[STATES.index(n)] for n in lines[0].split(",")[1:8]]
            control = {0.0: "0,300,20", 48.0: "0.0008,300,20"}.get(hour, ",,")
            lines.append(",".join([str(hour), *map(str, told), control]))
        paths.append(tmp_path / f"run{number}.csv")
        paths[-1].write_text("\n".join(lines))
    # These runs were made with a shift of the temperature that the files do not tell: only the first part is right.
    runs = [read_run(path, CHO) for path in paths]
    runs = [
        replace(r, recipe=replace(r.recipe, changes=(*r.recipe.changes, Change(140.0, temperature=34.0)))) for r in runs
    ]
    found = fit(runs, CHO, ("mu_max", "q_p", "kd"))
    for each in found.estimates:
        assert each.told
        assert each.low < {**truth, "kd": 0.0015}[each.name] < each.high or each.value == pytest.approx(
            {**truth, "kd": 0.0015}[each.name], rel=0.05
        )


def test_what_the_runs_do_not_tell_is_said(tmp_path: Path) -> None:
    path = tmp_path / "run.csv"
    states = solve(FED.batches(), np.arange(0, 48, 6.0))[0]
    rows = [f"{hour},{row[1]}" for hour, row in zip(np.arange(0, 48, 6.0), states, strict=True)]
    path.write_text("hours,biomass\n" + "\n".join(rows))
    told = {each.name: each.told for each in fit([read_run(path, CHO)], CHO, ("mu_max", "q_p")).estimates}
    assert told == {"mu_max": True, "q_p": False}


def test_probabilities_are_those_of_the_batches_that_hold() -> None:
    told = what_if(FED, {"q_p": 0.2}, [Limit("product", least=4.0)], count=2000)
    one = solve(FED.batches(), FED.times())[0, -1, STATES.index("product")]
    # The product is in proportion to q_p, which is lognormal with median 1.
    from scipy.stats import norm

    expected = norm.sf(np.log(4.0 / one) / np.sqrt(np.log1p(0.04)))
    assert told.probability == pytest.approx(expected, abs=4 * told.error + 1e-3)
    lines, sure = design_space(FED, {"feed": (0.5, 1.5)}, 3, {"q_p": 0.2}, [Limit("product", least=4.0)], draws=400)
    assert sure.shape == (3,) and sure[1] == pytest.approx(expected, abs=0.1)
    assert lines[0][0] == 0.5


def test_sensitivity_of_a_product_of_one_factor_is_all_its_own() -> None:
    shares = {s.factor: s for s in sensitivities(FED, {"q_p": 0.2, "kLa": 0.2}, ["product"], size=256)}
    assert shares["q_p"].total == pytest.approx(1.0, abs=0.05)
    assert shares["kLa"].total < 0.02


def test_a_vessel_of_another_size_keeps_what_the_rule_names() -> None:
    small = Vessel(5, 0.17, 0.07, 5.0, 0.05)
    for rule, name in (("power per volume", "power_per_volume"), ("tip speed", "tip_speed")):
        large = carry_over(small, 500, rule)
        assert getattr(large, name) == pytest.approx(getattr(small, name))
    assert carry_over(small, 500, "oxygen transfer").oxygen_transfer == pytest.approx(small.oxygen_transfer)
    with pytest.raises(MadangError):
        carry_over(small, 500, "by eye")


@pytest.mark.parametrize(
    ("given_", "code"),
    [
        ({"kinetics": "yeast"}, "twin.kinetics"),
        ({"parameters": {"mu": 1}}, "twin.parameter"),
        ({"parameters": {"mu_max": -1}}, "toml.value"),
        ({"start": {"cells": 1}}, "twin.start"),
        ({"hours": "long"}, "toml.value"),
        ({"hours": True}, "toml.value"),
        ({"hours": float("nan")}, "toml.value"),
        ({"feed": [{"from": 1, "rate": -1}]}, "toml.value"),
        ({"feed": {"from": 1}}, "toml.value"),
    ],
)
def test_recipes_that_cannot_be_are_refused(given_: dict[str, object], code: str) -> None:
    with pytest.raises(MadangError) as error:
        read_recipe(Section(given_, "recipe.toml"))
    assert error.value.code == code


def test_the_feed_that_is_chosen_by_prediction_beats_the_recipes_on_a_plant_that_differs() -> None:
    from madang.science.bioprocess.twin.attributes import Limit
    from madang.science.bioprocess.twin.control import Controller, control
    from madang.science.bioprocess.twin.kinetics import kinetics
    from madang.science.bioprocess.twin.recipe import Change, Recipe

    changes = (Change(48.0, 0.0009, 300.0, 20.0), Change(140.0, temperature=34.0))
    recipe = Recipe(kinetics("cho"), 336.0, 16.0, start={"volume": 1.0, "biomass": 0.4}, changes=changes)
    limits = [Limit("viability", least=0.5), Limit("volume", most=1.5)]
    for plant in ({}, {"mu_max": 0.036}):
        done = control(recipe, Controller(every=48.0), limits, plant)
        assert done.reached > done.fixed
        assert done.states[-1, 0] <= 1.5 * 1.05 and done.feed[0] == 0  # begins when the recipe's feed does
    again = control(recipe, Controller(every=48.0), limits, {})
    assert again.feed == control(recipe, Controller(every=48.0), limits, {}).feed
