"""The small model of risk: against slow twins and known answers; a killed training ends as one that was not."""

import math
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from madang.base.errors import MadangError
from madang.lake.engine import Engine
from madang.science.risk import Settings, fit, read_cohort, train, write_card
from madang.science.risk.table import Cohort

PERSONS = 600


def model_of(folder: Path, seed: int = 3, persons: int = PERSONS) -> Path:
    """Tables in which older people with condition 111 go to hospital the year after 2020-01-01 far more often."""
    draw = random.Random(seed)
    person, visits, conditions, deaths = [], [], [], []
    for number in range(1, persons + 1):
        age, sick = draw.randint(20, 90), draw.random() < 0.4
        person.append((number, draw.choice((8507, 8532)), 2020 - age))
        for _each in range(draw.randint(1, 3)):
            visits.append((len(visits) + 1, number, 9202, f"2019-{draw.randint(1, 12):02}-10"))
        if sick:
            conditions.append((len(conditions) + 1, number, 111, "2019-05-05"))
        if draw.random() < 0.5:
            conditions.append((len(conditions) + 1, number, draw.randint(200, 260), "2019-06-05"))
        if draw.random() < 1 / (1 + math.exp(4.5 - 0.05 * age - 1.5 * sick)):
            visits.append((len(visits) + 1, number, 9201, f"2020-0{draw.randint(2, 9)}-10"))
            conditions.append((len(conditions) + 1, number, 999, "2020-10-10"))  # later: nobody may look at it
        if draw.random() < 0.02:
            deaths.append((number, "2019-12-20"))
    visits.append((len(visits) + 1, 1, 9202, "2020-12-31"))  # so that the day is 2020-01-01
    tables = {
        "person": (person, "person_id BIGINT, gender_concept_id BIGINT, year_of_birth INTEGER"),
        "visit_occurrence": (
            visits,
            "visit_occurrence_id BIGINT, person_id BIGINT, visit_concept_id BIGINT, visit_start_date DATE",
        ),
        "condition_occurrence": (
            conditions,
            "condition_occurrence_id BIGINT, person_id BIGINT, condition_concept_id BIGINT, condition_start_date DATE",
        ),
        "death": (deaths, "person_id BIGINT, death_date DATE"),
    }
    with Engine() as engine:
        for name, (rows, columns) in tables.items():
            engine.execute(f"CREATE OR REPLACE TABLE t ({columns})")
            if rows:
                engine.execute(f"INSERT INTO t VALUES {', '.join(map(repr, rows))}")
            (folder / name).mkdir(parents=True)
            engine.copy_to_parquet("FROM t", folder / name / "0.parquet")
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model_of(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def cohort(data: Path) -> Cohort:
    return read_cohort(data, "inpatient")


def test_people_and_features_are_those_of_the_day(cohort: Cohort, data: Path) -> None:
    """Against a slow twin that goes through the rows one by one."""
    with Engine() as engine:
        tables = {
            name: engine.rows(f"FROM read_parquet('{data}/{name}/0.parquet')")
            for name in ("person", "visit_occurrence", "condition_occurrence", "death")
        }
    dead = {number for number, at in tables["death"] if at <= cohort.day}
    seen = {row[1] for row in tables["visit_occurrence"] if row[3] < cohort.day} - dead
    people = [row for row in tables["person"] if row[0] in seen]
    assert cohort.people.tolist() == [row[0] for row in people] and cohort.day.isoformat() == "2020-01-01"
    assert "condition 111" in cohort.features and "condition 999" not in cohort.features
    for place, (number, sex, born) in enumerate(people):
        visits = [row for row in tables["visit_occurrence"] if row[1] == number]
        before = {r[2] for r in tables["condition_occurrence"] if r[1] == number and r[3] < cohort.day}
        wanted = {
            "age": 2020 - born,
            "is female": sex == 8532,
            "visits in a year": sum(r[3] < cohort.day and (cohort.day - r[3]).days <= 365 for r in visits),
            "stays in a year": 0,
            "conditions": len(before),
        }
        wanted |= {f: int(f.split()[1]) in before for f in cohort.features if f.startswith("condition ")}
        assert dict(zip(cohort.features, cohort.x[place], strict=True)) == {k: float(v) for k, v in wanted.items()}
        assert cohort.y[place] == any(r[2] == 9201 and 0 < (r[3] - cohort.day).days <= 365 for r in visits)


def test_gradients_are_those_of_small_differences() -> None:
    draw = np.random.default_rng(1)
    x, y = draw.normal(size=(9, 4)), (draw.random(9) < 0.5).astype(float)
    weights: Any = {
        "w1": draw.normal(size=(4, 3)),
        "b1": draw.normal(size=3),
        "w2": draw.normal(size=3),
        "b2": np.asarray(0.3),
    }
    penalty = 0.1

    def loss(given: Any) -> float:
        squares = sum(float((given[name] ** 2).sum()) for name in ("w1", "w2"))
        return fit._loss(given, x, y) + penalty / 2 * squares

    slopes = fit.gradients(weights, x, y, penalty)
    for name, value in weights.items():
        for at in np.ndindex(value.shape):
            moved = {key: each.copy() for key, each in weights.items()}
            moved[name][at] += 1e-6
            up = loss(moved)
            moved[name][at] -= 2e-6
            assert slopes[name][at] == pytest.approx((up - loss(moved)) / 2e-6, abs=1e-6)


def test_the_area_under_the_curve_is_the_chance_of_the_right_order() -> None:
    draw = random.Random(2)
    for _each in range(20):
        score = np.asarray([draw.randint(0, 5) / 5 for _n in range(30)])
        y = np.asarray([float(draw.random() < 0.4) for _n in range(30)])
        if 0 < y.sum() < 30:
            pairs = [(a > b) + (a == b) / 2 for a in score[y == 1] for b in score[y == 0]]
            assert fit._auc(score, y) == pytest.approx(sum(pairs) / len(pairs))


def test_it_learns_what_there_is_and_no_more(tmp_path: Path) -> None:
    """Planted risk is found; where the outcome is drawn by chance alone, it is foreseen no better than by chance."""
    cohort = read_cohort(model_of(tmp_path / "many", persons=4_000), "inpatient")
    trained = train(cohort, Settings(epochs=40))
    assert trained.measures["auc"] > trained.measures["auc_of_age_alone"] + 0.02
    assert trained.measures["brier"] < trained.measures["brier_of_the_mean"]
    told = write_card(tmp_path, cohort, Settings(epochs=40), trained)
    assert told["data"]["files"].keys() == {
        f"{name}/0.parquet" for name in ("person", "visit_occurrence", "condition_occurrence", "death")
    }
    for name, words in (("card.md", "No medical device"), ("card.ko.md", "의료기기가 아니며")):
        card = (tmp_path / name).read_text("utf-8")
        assert words in card and told["model"]["sha256"] in card and cohort.data in card
    draw = np.random.default_rng(5)
    areas = []
    for _each in range(5):
        y = draw.permutation(cohort.y)
        chance = Cohort(cohort.people, cohort.x, y, cohort.features, cohort.day, "inpatient", cohort.data, {})
        areas.append(train(chance, Settings(epochs=15)).measures["auc"])
    assert abs(sum(areas) / 5 - 0.5) < 0.06


def test_a_training_that_is_killed_ends_as_one_that_is_not(data: Path, tmp_path: Path) -> None:
    """Killed at random moments, also within the writing of a checkpoint; the model is the same, byte for byte."""
    words = [sys.executable, "-m", "madang.science.risk", "--data", str(data), "--epochs", "150"]
    whole = [*words, "--out", str(tmp_path / "whole"), "--checkpoints", str(tmp_path / "c1")]
    (tmp_path / "c1").mkdir()
    subprocess.run(whole, check=True, capture_output=True)
    draw, kills, said = random.Random(7), 0, ""
    (tmp_path / "c2").mkdir()
    broken = [*words, "--out", str(tmp_path / "broken"), "--checkpoints", str(tmp_path / "c2")]
    while True:
        child = subprocess.Popen(broken, stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        for line in child.stdout:
            said += line
            if kills < 4 and line.startswith("epoch") and draw.random() < 0.02:
                time.sleep(draw.random() * 0.005)
                child.kill()
                kills += 1
                break
        if child.wait() == 0:
            break
        child.stdout.close()
    assert kills >= 2 and said.count("goes on after epoch") == kills
    assert (tmp_path / "whole" / "model.json").read_bytes() == (tmp_path / "broken" / "model.json").read_bytes()


def test_checkpoints_of_other_data_or_that_are_broken_are_left(cohort: Cohort, tmp_path: Path) -> None:
    train(cohort, Settings(epochs=3), tmp_path)
    assert train(cohort, Settings(epochs=5), tmp_path).began_at == 3
    assert train(cohort, Settings(epochs=5, seed=2), tmp_path).began_at == 0
    other = Cohort(cohort.people, cohort.x, cohort.y, cohort.features, cohort.day, "inpatient", "other", {})
    assert train(other, Settings(epochs=5), tmp_path).began_at == 0
    (tmp_path / "checkpoint.npz").write_bytes((tmp_path / "checkpoint.npz").read_bytes()[:-500])
    assert train(other, Settings(epochs=5), tmp_path).began_at == 0
    (tmp_path / "checkpoint.npz").write_bytes(b"nonsense")
    assert train(other, Settings(epochs=5), tmp_path).began_at == 0


def test_what_cannot_be_learned_from_is_refused_with_a_sentence(data: Path, tmp_path: Path) -> None:
    for folder, outcome, words in (
        (tmp_path, "inpatient", "no table person"),
        (data, "emergency", "have the outcome"),
        (data, "wealth", "no outcome"),
        (model_of(tmp_path / "few", persons=10), "inpatient", "have the outcome"),
    ):
        with pytest.raises(MadangError) as error:
            read_cohort(folder, outcome)
        assert error.value.code == "risk.data" and words in error.value.message and error.value.hint
    ran = subprocess.run(
        [sys.executable, "-m", "madang.science.risk", "--data", str(tmp_path), "--out", str(tmp_path / "o")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 2 and ran.stderr.count("\n") == 1
