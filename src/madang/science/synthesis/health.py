"""Chronic diseases, their treatment, and death, year by year.

Onset hazards are solved from the prevalences in `catalog/chronic.csv`; everything that raises or lowers a hazard
stands in `catalog/effects.csv` and nowhere else.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from madang.science.synthesis.calendar import NEVER, first_of
from madang.science.synthesis.catalog import floats, keys, position, rows
from madang.science.synthesis.chance import stream
from madang.science.synthesis.people import FEMALE, MALE, MORTALITY, People

BURN_IN = 45
"""Years before the start in which diseases may have begun."""

TREATED_SHARE = 0.75
"""Share of those with a disease who take its drugs. Drawn by chance alone, so that a plain comparison of treated and
untreated people finds the effects of treatment again."""

AGES = 121
PREVALENT = {"smoking": 0.25, "exercise": 0.38, "low_income": 0.3, "drinking": 0.5}


@dataclass(frozen=True)
class Health:
    """Days per person (rows) and chronic condition (columns, as in `chronic`); `NEVER` where it never comes."""

    onset: NDArray[np.int32]
    treated: NDArray[np.int32]
    """Since when drugs are taken."""
    death: NDArray[np.int32]
    """Day of death per person."""
    cause: NDArray[np.int16]
    """Condition (position in the table `conditions`) that the death is put down to; -1 for the living."""


@cache
def _base_hazards() -> NDArray[np.float64]:
    """Conditions x ages x sexes: yearly onset hazard without any cause present."""
    answer = np.zeros((len(keys("chronic")), AGES, 2))
    ages = np.arange(AGES)
    for n, row in enumerate(rows("chronic")):
        slope, least, at = float(row["slope"]), int(row["min_age"]), int(row["prevalence_age"])
        shape = np.where(ages >= least, np.exp(slope * (np.minimum(ages, 85) - 60)), 0)
        wanted = -np.log(1 - float(row["prevalence"])) / shape[:at].sum()
        female = float(row["female_ratio"])
        answer[n, :, 0] = shape * wanted * 2 / (1 + female) if row["sex"] == "a" else shape * wanted
        answer[n, :, 1] = answer[n, :, 0] * female if row["sex"] == "a" else shape * wanted
        if row["sex"] == "m":
            answer[n, :, 1] = 0
        if row["sex"] == "f":
            answer[n, :, 0] = 0
    return answer / _expected_multipliers()[:, None, None]


@cache
def _expected_multipliers() -> NDArray[np.float64]:
    """What the causes multiply an onset hazard with on average, so that prevalences come out as wanted."""
    prevalence = dict(zip(keys("chronic"), floats("chronic", "prevalence"), strict=True))
    answer = np.ones(len(keys("chronic")))
    for row in rows("effects"):
        if row["kind"] != "hazard" or row["target"] not in prevalence:
            continue
        cause = row["cause"].removeprefix("treated_")
        share = {**prevalence, **PREVALENT}.get(cause, 0.0)
        if cause != row["cause"]:
            share *= TREATED_SHARE
        answer[position("chronic", row["target"])] *= 1 + share * (float(row["value"]) - 1)
    return answer


@cache
def _hazard_effects() -> tuple[NDArray[np.float64], NDArray[np.float64], dict[str, NDArray[np.float64]]]:
    """Logarithms of hazard ratios: conditions on conditions, treatments on conditions, habits on conditions."""
    count = len(keys("chronic"))
    present, treated = np.zeros((count, count)), np.zeros((count, count))
    habits = {name: np.zeros(count) for name in ("smoking", "exercise", "low_income", "drinking", "body_mass_index")}
    for row in rows("effects"):
        if row["kind"] != "hazard" or row["target"] not in keys("chronic"):
            continue
        target, value = position("chronic", row["target"]), np.log(float(row["value"]))
        cause = row["cause"].removeprefix("treated_")
        if cause in habits:
            habits[cause][target] = value
        else:
            (treated if cause != row["cause"] else present)[position("chronic", cause), target] = value
    return present, treated, habits


def effect(cause: str, target: str) -> float:
    """The size of one effect in the table `effects`."""
    return next(float(row["value"]) for row in rows("effects") if (row["cause"], row["target"]) == (cause, target))


def draw_health(seed: int, chunk: int, people: People, end_year: int) -> Health:
    """Simulate onset, treatment and death of one chunk of people until the end of `end_year`."""
    rng = stream(seed, chunk, "health")
    size, count = len(people), len(keys("chronic"))
    onset = np.full((size, count), NEVER, dtype=np.int32)
    will_treat = rng.random((size, count)) < TREATED_SHARE
    delay = rng.integers(0, 150, (size, count), dtype=np.int32)
    death = np.full(size, NEVER, dtype=np.int32)
    cause = np.full(size, -1, dtype=np.int16)
    present_on, treated_on, habits = _hazard_effects()
    hazards = _base_hazards()
    sex = people.sex.astype(int) - 1
    for year in range(people.first_year - BURN_IN, end_year + 1):
        begin, end = first_of(year), first_of(year + 1)
        alive = (people.birth < begin) & (death == NEVER)
        age = np.clip((begin - people.birth) // 365, 0, AGES - 1)
        present = onset < begin
        treated = present & will_treat & (onset + delay < begin)
        column = max(year - people.first_year, 0)
        log_ratio = present.astype(np.float64) @ present_on + treated.astype(np.float64) @ treated_on
        log_ratio += np.outer(people.smokes(age), habits["smoking"]) + np.outer(people.exercise, habits["exercise"])
        log_ratio += np.outer(people.income_by_year[:, column] <= 3, habits["low_income"])
        log_ratio += np.outer(people.drinking & (age >= 19), habits["drinking"])
        log_ratio += np.outer((people.mass_index - 23.5) / 5, habits["body_mass_index"])
        hazard = hazards[:, age, sex].T * np.exp(log_ratio)
        falls_ill = (rng.random((size, count)) < 1 - np.exp(-hazard)) & ~present & alive[:, None]
        when = begin + (rng.random((size, count)) * (end - begin)).astype(np.int32)
        onset[falls_ill] = when[falls_ill]
        if year >= people.first_year:
            dies = alive & (rng.random(size) < 1 - np.exp(-_death_hazard(people, onset, begin, age, sex, column)))
            day = begin + (rng.random(size) * (end - begin)).astype(np.int32)
            death[dies] = day[dies]
            cause[dies] = _causes(rng, onset[dies], day[dies], age[dies])
    onset[onset > death[:, None]] = NEVER
    treated_from = np.where(will_treat & (onset < NEVER), onset + delay, NEVER).astype(np.int32)
    return Health(onset=onset, treated=treated_from, death=death, cause=cause)


def _death_hazard(
    people: People,
    onset: NDArray[np.int32],
    begin: int,
    age: NDArray[np.int32],
    sex: NDArray[np.int64],
    column: int,
) -> NDArray[np.float64]:
    constants = np.array(MORTALITY)
    base = 0.46 * np.exp(constants[sex, 0] + constants[sex, 1] * age) + np.where(age < 1, 0.003, 0.0001)
    years_since = (begin - onset) / 365.25
    fades = np.where(years_since > 5, 0.35, 1.0)
    ratio = np.where(onset < begin, np.log(floats("chronic", "mortality_ratio")) * fades, 0).sum(axis=1)
    base *= np.exp(np.minimum(ratio, 3.4))
    base *= np.where(people.smokes(age), effect("smoking", "death"), 1)
    base *= np.where(people.income_by_year[:, column] <= 3, effect("low_income", "death"), 1)
    return np.minimum(base, 0.9)


def _causes(
    rng: np.random.Generator, onset: NDArray[np.int32], day: NDArray[np.int32], age: NDArray[np.int32]
) -> NDArray[np.int16]:
    """A cause for each death: a disease present, weighted by how much it kills, or something else."""
    chronic = np.array([position("conditions", key) for key in keys("chronic")])
    others = ("road_injury", "suicide", "pneumonia", "myocardial_infarction", "old_age", "unknown_death")
    weights = np.where(onset < day[:, None], floats("chronic", "mortality_ratio") - 1, 0)
    old = age >= 70
    rest = np.stack(
        [
            np.where(old, 0.1, 0.8),
            np.where(old, 0.05, 0.7),
            np.where(old, 0.5, 0.1),
            np.where(age >= 40, 0.3, 0.02),
            np.where(age >= 80, 1.2, 0.0),
            np.full(len(age), 0.15),
        ],
        axis=1,
    )
    cumulative = np.cumsum(np.hstack([weights, rest]), axis=1)
    u = rng.random(len(age)) * cumulative[:, -1]
    picked = (cumulative <= u[:, None]).sum(axis=1)
    positions = np.concatenate([chronic, [position("conditions", key) for key in others]])
    return positions[np.minimum(picked, len(positions) - 1)].astype(np.int16)


def present(health: Health, person: NDArray[np.integer], day: NDArray[np.integer], key: str) -> NDArray[np.bool_]:
    """Who has the chronic condition on that day."""
    return health.onset[person, position("chronic", key)] <= day


def on_treatment(health: Health, person: NDArray[np.integer], day: NDArray[np.integer], key: str) -> NDArray[np.bool_]:
    """Who takes drugs for the chronic condition on that day."""
    return health.treated[person, position("chronic", key)] <= day


def ages_on(people: People, person: NDArray[np.integer], day: NDArray[np.integer]) -> NDArray[np.int32]:
    """Age in whole years (of 365.25 days) on that day."""
    return ((day - people.birth[person]) / 365.25).astype(np.int32)


__all__ = ["FEMALE", "MALE", "Health", "ages_on", "draw_health", "effect", "on_treatment", "present"]
