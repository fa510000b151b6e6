from pathlib import Path

import numpy as np
import pytest

from madang.base.errors import MadangError
from madang.science.bioprocess.runs.align import by_indicator, warp
from madang.science.bioprocess.runs.compare import Cultivation, compare, read_runs
from madang.science.bioprocess.runs.derive import growth, slope, specific
from madang.science.bioprocess.runs.soft import learn


def runs(count: int, wrong: int = -1) -> list[Cultivation]:
    random = np.random.default_rng(1)
    out = []
    for number in range(count):
        hours = np.linspace(0, 100, 51)
        rise = 5 / (1 + np.exp(-(hours - 40) / 8)) * (1 + 0.01 * random.standard_normal(51))
        if number == wrong:
            rise[30:] *= 0.6
        out.append(Cultivation(f"r{number}", hours, {"cells": rise, "ph": 7 + 0.01 * random.standard_normal(51)}))
    return out


def test_the_run_that_went_wrong_comes_first() -> None:
    done = compare(runs(10, wrong=4))
    assert (done.exceptions[0].run, done.exceptions[0].signal) == ("r4", "cells")
    assert done.exceptions[0].begin == pytest.approx(60, abs=6)
    assert not [each for each in done.exceptions if each.run != "r4" and each.signal == "cells" and each.share > 0.15]
    assert done.as_json()["table"][0]["run"] == "r4"


def test_runs_of_other_speed_are_alike_once_aligned() -> None:
    fast = [Cultivation(r.name, r.hours / (1 + 0.1 * k), r.signals) for k, r in enumerate(runs(6))]
    by_time, aligned = compare(fast), compare(fast, indicator="cells")
    spread = [np.nanmean(np.nanstd(done.values[:, :, 0], axis=0)) for done in (by_time, aligned)]
    assert spread[1] < spread[0] / 4


def test_a_laboratory_sheet_joins_by_run_and_hour(tmp_path: Path) -> None:
    for number in range(3):
        rows = "".join(f"{h},{h * 2 + number}\n" for h in range(0, 50, 5))
        (tmp_path / f"b{number}.csv").write_text("hours,cells\n" + rows)
    sheet = tmp_path / "lab.csv"
    sheet.write_text("run,hours,titer,cells\n" + "".join(f"b{n},{h},{h},{h}\n" for n in range(3) for h in (0, 12, 45)))
    found = read_runs([tmp_path / f"b{n}.csv" for n in range(3)], sheet)
    assert set(found[0].signals) == {"cells", "titer", "cells (lab)"}
    assert list(found[0].signals["titer"][np.isfinite(found[0].signals["titer"])]) == [0.0, 12.0, 45.0]
    assert np.isfinite(compare(found).values).any()
    sheet.write_text("run,hours,titer\nstranger,1,2\n")
    with pytest.raises(MadangError) as error:
        read_runs([tmp_path / "b0.csv"], sheet)
    assert error.value.code == "compare.sheet"


def test_warping_finds_the_stretch() -> None:
    x = np.linspace(0, 1, 60)
    reference, other = np.sin(6 * x)[:, None], np.sin(6 * x**1.3)[:, None]
    path = warp(reference, other, band=0.3)
    assert (np.diff(path) >= 0).all() and path[0] == 0 and path[-1] == 59
    assert np.abs(other[path] - reference).mean() < 0.25 * np.abs(other - reference).mean()


def test_rates_have_the_right_value_and_an_honest_error() -> None:
    hours = np.arange(0, 96, 4.0)
    inside = 0
    for seed in range(60):
        random = np.random.default_rng(seed)
        biomass = np.exp(0.03 * hours) * (1 + 0.03 * random.standard_normal(len(hours)))
        rate = growth(hours, biomass, np.ones(len(hours)))
        inside += abs(rate.value[12] - 0.03) < 1.96 * rate.error[12]
    assert inside >= 48  # of 60; 95 percent would be 57, fewer for local lines of few points
    line = slope(hours, 2 + 0.5 * hours, 24)
    assert line.value == pytest.approx(np.full(len(hours), 0.5))
    made = specific(hours, 0.01 * hours, np.full(len(hours), 2.0), np.ones(len(hours)))
    assert made.value == pytest.approx(np.full(len(hours), 0.005))
    with pytest.raises(MadangError):
        slope(hours[:4], hours[:4], 24)


def test_a_soft_sensor_predicts_within_its_interval_and_knows_its_limits() -> None:
    random = np.random.default_rng(1)
    hidden = random.standard_normal((120, 2))
    inputs = hidden @ random.standard_normal((2, 8)) + 0.1 * random.standard_normal((120, 8))
    wanted = hidden @ np.array([1.0, -2.0]) + 0.2 * random.standard_normal(120)
    sensor = learn(tuple("abcdefgh"), inputs[:80], wanted[:80])
    told, width, known = sensor.predict(inputs[80:])
    assert sensor.components <= 6 and known.mean() > 0.9
    assert (np.abs(told - wanted[80:]) <= width).mean() >= 0.85
    assert not sensor.predict(inputs[80:] + 50)[2].any()
    assert sensor.use == "development use"


def test_signals_of_other_units_are_never_mixed(tmp_path: Path) -> None:
    for number, unit in enumerate(("g/L", "g/L", "mM")):
        rows = "".join(f"{hour},{hour + number}\n" for hour in range(12))
        (tmp_path / f"r{number}.csv").write_text(f"hours,glucose ({unit})\n{rows}")
    held = read_runs(sorted(tmp_path.glob("*.csv")))
    assert [list(run.signals) for run in held] == [["glucose (g/L)"], ["glucose (g/L)"], ["glucose (mM)"]]


def test_what_cannot_be_compared_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MadangError):
        compare(runs(2))
    with pytest.raises(MadangError):
        compare(runs(4), indicator="nothing")
    with pytest.raises(MadangError):
        by_indicator(np.arange(5.0), np.ones((5, 1)), np.ones(5), 10)
    for text in ("a,b\n1,2\n", "hours,a\n1,2\n1,3\n", "hours,a\nx,2\n"):
        (tmp_path / "r.csv").write_text(text)
        with pytest.raises(MadangError) as error:
            read_runs([tmp_path / "r.csv"])
        assert error.value.code == "compare.hours"
