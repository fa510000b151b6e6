"""The commands as written: names, options, JSON, exit codes; bad input is one sentence and status 2."""

import json
from pathlib import Path

import numpy as np
import pytest

from madang.app.cli import run as madang
from support import shared_data

RECIPE = 'kinetics = "cho"\nhours = 96\n[[feed]]\nfrom = 48\nrate = 0.0008\nsubstrate = 300\nglutamine = 20\n'


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MADANG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MADANG_LANG", "en")
    return tmp_path


def manufacturing(*arguments: object) -> int:
    return madang(["manufacturing", *map(str, arguments)])


def answer(path: Path):  # type: ignore[no-untyped-def]  # plain arrays
    return json.loads(path.read_text())


def test_monitor_answers_one_alarm_per_sample(home: Path) -> None:
    folder = shared_data("tep")
    assert manufacturing("monitor", "train", folder / "d00.dat.xz", "--out", home / "model") == 0
    test = ("monitor", "test", home / "model", folder / "d05_te.dat.xz", "--json", home / "a.json")
    assert manufacturing(*test) == 0
    told = answer(home / "a.json")
    assert len(told["alarm"]) == 960 and set(map(type, told["alarm"])) == {bool}
    assert told["first_alarm"] == 160 and all(told["alarm"][160:])


def test_monitor_takes_plain_files_and_known_disturbances(home: Path) -> None:
    random = np.random.default_rng(1)
    paths = []
    for number, shift in enumerate((0.0, 2.0)):
        values = random.standard_normal((400, 4)) + shift
        paths.append(home / f"d{number}.dat")
        table = values.T if number == 0 else values  # the first one lies on its side
        paths[-1].write_text("\n".join(" ".join(f"{v:.5f}" for v in row) for row in table))
    assert manufacturing("monitor", "train", *paths, "--out", home / "model", "--product", "mab") == 0
    assert manufacturing("monitor", "test", home / "model", paths[1], "--json", home / "a.json") == 0
    assert sum(answer(home / "a.json")["alarm"]) > 390
    assert manufacturing("monitor", "test", home / "model", paths[1], "--product", "other") == 2
    assert manufacturing("monitor", "test", paths[0], paths[1]) == 2


def test_campaign_from_nothing_to_a_suggestion(home: Path) -> None:
    file = home / "feed.toml"
    assert manufacturing("campaign", "new", file) == 0
    assert manufacturing("campaign", "suggest", file, "--count", 8, "--json", home / "s.json") == 0
    told = answer(home / "s.json")
    assert told["use"] == "development use" and len(told["suggestions"]) == 8
    for each in told["suggestions"]:
        each["results"] = {"titer": each["factors"]["feed_rate"], "lactate": 20}
    (home / "r.json").write_text(json.dumps(told))
    assert manufacturing("campaign", "add", file, home / "r.json") == 0
    assert manufacturing("campaign", "suggest", file, "--json", home / "s.json") == 0
    following = answer(home / "s.json")
    assert following["done"] == 8 and following["suggestions"][0]["expected"]["titer"]["low"] is not None
    (home / "half.csv").write_text("feed_rate,shift_day,medium,titer,lactate\n1,4,A,2,20\n900,4,A,2,20\n")
    assert manufacturing("campaign", "add", file, home / "half.csv") == 3
    assert manufacturing("campaign", "suggest", home / "nothing.toml") == 2
    assert manufacturing("campaign", "add", file, home / "nothing.csv") == 2


def test_twin_runs_a_recipe_and_the_published_benchmark(home: Path) -> None:
    (home / "r.toml").write_text(
        RECIPE + "[what_if]\nbatches = 200\n[what_if.spread]\nq_p = 0.1\n[limits.product]\nleast = 0.1\n"
    )
    assert manufacturing("twin", "run", home / "r.toml", "--json", home / "a.json") == 0
    told = answer(home / "a.json")
    assert len(told["hours"]) == len(told["states"]["biomass"]) == 49
    assert 0 <= told["what_if"]["probability"] <= 1 and told["sensitivities"]
    case = json.loads((shared_data("penicillin") / "liang_lai_penicillin.json").read_text())["cases"][3]
    names = ("volume", "biomass", "temperature", "glucose", "feed", "feed_glucose", "pH")
    lines = "\n".join(f"{name} = {value}" for name, value in zip(names, case["x"], strict=True))
    (home / "p.toml").write_text(f'kinetics = "liang-lai"\n[choice]\n{lines}\n')
    assert manufacturing("twin", "run", home / "p.toml", "--json", home / "p.json") == 0
    assert answer(home / "p.json")["aims"] == pytest.approx(case["minus_penicillin_co2_time"])
    (home / "bad.toml").write_text(RECIPE + "hour = 3\n")
    assert manufacturing("twin", "run", home / "bad.toml") == 2
    assert manufacturing("twin", "fit", home / "bad.toml") == 2


def test_foundry_runs_and_tells_a_wells_history(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = home / "f.toml"
    part = '[[part]]\nname = "p"\nchoices = ["a", "b"]\n'
    file.write_text(f'rounds = 2\nexperiments = 4\n{part}[[factor]]\nname = "x"\nlow = 0\nhigh = 1\n')
    assert manufacturing("foundry", "run", file, "--json", home / "a.json") == 0
    assert answer(home / "a.json")["rounds"] == 2
    well = answer(home / "f-rounds" / "round-01" / "result.json")["wells"][0]["well"]
    capsys.readouterr()
    assert manufacturing("foundry", "history", file, "--well", well) == 0
    assert well in capsys.readouterr().out


def test_runs_that_are_not_there_and_names_that_cannot_be(home: Path) -> None:
    for arguments in (
        ("runs", "show", "nothing"),
        ("runs", "sql", "nothing", "SELECT 1"),
        ("runs", "finish", "nothing"),
        ("runs", "show", "../etc"),
        ("runs", "record", "http://127.0.0.1/", "r1", "--seconds", "0.1"),
        ("simulate", "--fault", "nonsense@3"),
    ):
        assert manufacturing(*arguments) == 2
    assert manufacturing("simulate", "--fault", "list") == 0
    assert manufacturing("runs", "list") == 0
