"""The simulated people are like the published figures, and the effects that were put in can be found again."""

import numpy as np
import pytest
from numpy.typing import NDArray

from madang.base.errors import MadangError
from madang.science.synthesis import Lives, Population, simulate, simulate_chunk
from madang.science.synthesis.calendar import NEVER, first_of, months_of, years_of
from madang.science.synthesis.catalog import floats, keys, position, rows
from madang.science.synthesis.chance import stream
from madang.science.synthesis.encounters import EMERGENCY, INPATIENT
from madang.science.synthesis.health import effect
from madang.science.synthesis.measures import lab_values

YEARS = range(2002, 2014)


@pytest.fixture(scope="module")
def lives() -> Lives:
    return simulate_chunk(Population(5000, seed=11), 0)


def alive_on(lives: Lives, day: int) -> NDArray[np.bool_]:
    return (lives.people.birth <= day) & (lives.health.death > day)


def person_years(lives: Lives) -> float:
    first, last = first_of(YEARS[0]), first_of(YEARS[-1] + 1)
    days = np.minimum(lives.health.death, last) - np.maximum(lives.people.birth, first)
    return float(np.maximum(days, 0).sum() / 365.25)


def test_ages_follow_the_census(lives: Lives) -> None:
    day = first_of(2005, 11)
    ages = (day - lives.people.birth[alive_on(lives, day)]) // 365.25
    share = np.histogram(ages, [0, 20, 40, 60, 80, 120])[0] / len(ages)
    census = floats("age_structure", "persons")
    wanted = np.add.reduceat(census, [0, 4, 8, 12, 16]) / census.sum()
    assert np.abs(share - wanted).max() < 0.025


@pytest.mark.parametrize(
    ("condition", "least", "most"),
    [("hypertension", 0.22, 0.33), ("diabetes", 0.07, 0.14), ("dyslipidemia", 0.08, 0.16)],
)
def test_prevalence_from_30_on(lives: Lives, condition: str, least: float, most: float) -> None:
    day = first_of(2007)
    who = alive_on(lives, day) & (day - lives.people.birth > 30 * 365)
    assert least < (lives.health.onset[who, position("chronic", condition)] <= day).mean() < most


def test_density_of_care(lives: Lives) -> None:
    encounters, years = lives.encounters, person_years(lives)
    assert 15.5 < (encounters.kind != INPATIENT).sum() / years < 18.5
    assert 0.08 < (encounters.kind == INPATIENT).sum() / years < 0.25
    assert 4 < 1000 * (lives.health.cause >= 0).sum() / years < 7
    per_person = np.bincount(encounters.person, minlength=5000)
    assert per_person.std() > 0.6 * per_person.mean(), "people differ"


def test_each_course_is_consistent(lives: Lives) -> None:
    encounters, health, people = lives.encounters, lives.health, lives.people
    assert (encounters.start >= people.birth[encounters.person]).all()
    assert (encounters.end <= health.death[encounters.person]).all()
    assert (np.lexsort((encounters.start, encounters.person)) == np.arange(len(encounters))).all()
    stays = np.flatnonzero(encounters.kind == INPATIENT)
    same = np.diff(encounters.person[stays]) == 0
    assert (encounters.start[stays][1:][same] > encounters.end[stays][:-1][same]).all()
    months = months_of(encounters.end[stays]) - months_of(encounters.start[stays])
    assert (months > 0).any()
    assert (years_of(encounters.end[stays]) > years_of(encounters.start[stays])).any()
    arrivals = np.flatnonzero(encounters.leads_to >= 0)
    led = encounters.leads_to[arrivals]
    assert len(arrivals) > 50
    assert (encounters.kind[arrivals] == EMERGENCY).all()
    assert (encounters.kind[led] == INPATIENT).all()
    assert (encounters.person[arrivals] == encounters.person[led]).all()
    assert np.isin(encounters.start[led] - encounters.start[arrivals], (0, 1)).all()
    assert (encounters.institution[arrivals] == encounters.institution[led]).all()
    scripts = lives.prescriptions
    fetched = scripts.dispensed < NEVER
    assert (scripts.dispensed[fetched] >= scripts.day[fetched]).all()
    assert 0.85 < fetched.sum() / (scripts.given == 1).sum() < 0.99


@pytest.mark.parametrize(
    ("disease", "value"), [("hypertension", "systolic"), ("dyslipidemia", "total_cholesterol"), ("diabetes", "glucose")]
)
def test_drugs_move_values_by_what_the_table_says(lives: Lives, disease: str, value: str) -> None:
    column, day = position("chronic", disease), first_of(2010)
    ill = np.flatnonzero(alive_on(lives, day) & (lives.health.onset[:, column] < day - 365))
    days = np.full(len(ill), day)
    measured = lab_values(stream(1, 0, "test"), lives.people, lives.health, ill, days, value)
    treated = lives.health.treated[ill, column] < day
    noise = measured.std() * np.sqrt(1 / treated.sum() + 1 / (~treated).sum())
    difference = measured[treated].mean() - measured[~treated].mean()
    assert abs(difference - effect(f"treated_{disease}", value)) < 4 * noise


def rate_ratio(lives: Lives, disease: str, outcome: str) -> tuple[float, float]:
    """Rate ratio of the outcome, treated against untreated, from the onset on; and its standard error (log)."""
    health = lives.health
    onset, after = health.onset[:, position("chronic", disease)], health.onset[:, position("chronic", outcome)]
    end = np.minimum(np.minimum(health.death, first_of(2014)), after)
    at_risk = onset < end
    treated = health.treated[:, position("chronic", disease)] < NEVER
    events = [((after < first_of(2014)) & (at_risk & (treated == group))).sum() for group in (True, False)]
    time = [(end - onset)[at_risk & (treated == group)].sum() for group in (True, False)]
    return events[0] / time[0] / (events[1] / time[1]), float(np.sqrt(1 / events[0] + 1 / events[1]))


@pytest.mark.parametrize(
    ("disease", "outcome"), [("hypertension", "stroke"), ("dyslipidemia", "ischemic_heart_disease")]
)
def test_drugs_lower_hazards_by_what_the_table_says(lives: Lives, disease: str, outcome: str) -> None:
    ratio, error = rate_ratio(lives, disease, outcome)
    assert abs(np.log(ratio / effect(f"treated_{disease}", outcome))) < 3.5 * error
    assert ratio < 1.05


def test_incomes_last(lives: Lives) -> None:
    income = lives.people.income_by_year
    assert np.corrcoef(income[:, 0], income[:, 1])[0, 1] > 0.9
    assert 0.4 < np.corrcoef(income[:, 0], income[:, -1])[0, 1] < 0.9


def test_chunks_do_not_depend_on_one_another() -> None:
    population = Population(5040, seed=3, start_year=2010, end_year=2011)
    alone = simulate_chunk(population, 1)
    *_, last = simulate(5040, seed=3, start_year=2010, end_year=2011)
    assert last.people.number.tolist() == list(range(5001, 5041))
    assert (alone.encounters.start == last.encounters.start).all()
    assert (alone.prescriptions.drug == last.prescriptions.drug).all()


@pytest.mark.parametrize(("persons", "start", "end"), [(0, 2002, 2003), (10, 2003, 2002), (10, 1700, 1701)])
def test_impossible_populations_are_refused_in_a_sentence(persons: int, start: int, end: int) -> None:
    with pytest.raises(MadangError):
        next(simulate(persons, 1, start, end))


def test_one_person_has_a_life() -> None:
    assert len(next(simulate(1, 1, 2005, 2005)).people) == 1


def test_every_effect_in_the_table_is_one_that_the_simulation_applies() -> None:
    habits = {"smoking", "drinking", "exercise", "low_income", "body_mass_index"}
    chronic = set(keys("chronic"))
    causes = chronic | {f"treated_{key}" for key in chronic}
    applied = {
        "shift": (causes | habits - {"low_income"}, set(keys("labs"))),
        "hazard": (causes | habits, chronic),
    }
    for row in rows("effects"):
        pair = (row["cause"], row["target"])
        if row["target"] == "death":
            assert row["cause"] in ("smoking", "low_income"), pair
        elif row["target"] in keys("acute"):
            assert row["cause"] in causes, pair
        else:
            of, on = applied[row["kind"]]
            assert row["cause"] in of, pair
            assert row["target"] in on, pair


def test_osteoporosis_drugs_prevent_hip_fractures(lives: Lives) -> None:
    encounters, column = lives.encounters, position("chronic", "osteoporosis")
    fracture = encounters.diagnoses[:, 0] == position("conditions", "hip_fracture")
    onset = lives.health.onset[:, column]
    ill = onset[encounters.person] <= encounters.start
    treated = lives.health.treated[:, column] < NEVER
    end = np.minimum(lives.health.death, first_of(2014))
    time = np.maximum(end - np.maximum(onset, first_of(2002)), 0)
    counts = [(fracture & ill & (treated[encounters.person] == group)).sum() for group in (True, False)]
    ratio = counts[0] / time[treated].sum() / (counts[1] / time[~treated].sum())
    assert abs(np.log(ratio / effect("treated_osteoporosis", "hip_fracture"))) < 3 * np.sqrt(
        (1 / np.array(counts)).sum()
    )
