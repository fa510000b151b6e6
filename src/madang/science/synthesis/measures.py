"""What would be measured in whom on which day: laboratory values and the national check-up."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from madang.science.synthesis.calendar import first_of
from madang.science.synthesis.catalog import keys, rows
from madang.science.synthesis.chance import stream
from madang.science.synthesis.health import Health, ages_on, on_treatment, present
from madang.science.synthesis.people import FEMALE, People

AGE_SLOPES = {
    "systolic": 0.45,
    "diastolic": 0.10,
    "glucose": 0.22,
    "total_cholesterol": 0.35,
    "creatinine": 0.002,
    "hemoglobin": -0.012,
    "triglyceride": 0.5,
    "psa": 0.03,
}
"""Drift per year of age from 45, in the unit of the value."""


@dataclass(frozen=True)
class Checkups:
    """One row per check-up: when, and each value (NaN where it was not measured)."""

    person: NDArray[np.int32]
    day: NDArray[np.int32]
    height: NDArray[np.float32]
    weight: NDArray[np.float32]
    waist: NDArray[np.float32]
    values: dict[str, NDArray[np.float32]]
    """By key of the table `labs`."""
    urine_protein: NDArray[np.int8]
    """1 negative, 2 trace, 3 to 6 one to four plus."""
    smoking: NDArray[np.int8]
    """1 never, 2 former, 3 now."""

    def __len__(self) -> int:
        return len(self.person)


@cache
def _shifts(lab: str) -> tuple[tuple[str, float], ...]:
    return tuple(
        (row["cause"], float(row["value"]))
        for row in rows("effects")
        if row["kind"] == "shift" and row["target"] == lab
    )


def lab_values(
    rng: np.random.Generator,
    people: People,
    health: Health,
    person: NDArray[np.integer],
    day: NDArray[np.integer],
    lab: str,
) -> NDArray[np.float32]:
    """Values of one laboratory test (key of the table `labs`, in its unit): baseline, drift, diseases, drugs, noise."""
    n = keys("labs").index(lab)
    row = rows("labs")[n]
    mean = np.where(people.sex[person] == FEMALE, float(row["female_mean"]), float(row["male_mean"]))
    value = mean + float(row["spread"]) * people.traits[person, n] + float(row["noise"]) * rng.standard_normal(len(day))
    age = ages_on(people, person, day)
    value += AGE_SLOPES.get(lab, 0.0) * (np.clip(age, 20, 85) - 45)
    for cause, size in _shifts(lab):
        if cause.startswith("treated_"):
            applies = on_treatment(health, person, day, cause.removeprefix("treated_")).astype(float)
        elif cause == "body_mass_index":
            applies = (people.mass_index[person] - 23.5) / 5
        elif cause == "smoking":
            applies = ((age >= people.smoking_from[person]) & (age < people.smoking_to[person])).astype(float)
        elif cause in ("drinking", "exercise"):
            applies = getattr(people, cause)[person].astype(float)
        else:
            applies = present(health, person, day, cause).astype(float)
        value += size * applies
    return np.maximum(value, mean * 0.25).astype(np.float32)


CHECKED = (
    "systolic",
    "diastolic",
    "glucose",
    "total_cholesterol",
    "triglyceride",
    "hdl_cholesterol",
    "ldl_cholesterol",
    "hemoglobin",
    "creatinine",
    "ast",
    "alt",
    "ggt",
)
"""What the national check-up measures beside the body and the urine."""

SINCE_2009 = ("triglyceride", "hdl_cholesterol", "ldl_cholesterol", "creatinine")
"""Values that the check-up has only since 2009."""


def draw_checkups(seed: int, chunk: int, people: People, health: Health, end_year: int) -> Checkups:
    """National check-ups: from 40 on, employees from 20 on; every other year, employees in manual work every year."""
    rng = stream(seed, chunk, "checkups")
    persons, days = [], []
    manual = rng.random(len(people)) < 0.25
    goes = rng.random(len(people)) < 0.75
    for year in range(people.first_year, end_year + 1):
        age = year - (1970 + people.birth // 365.25).astype(int)
        employee = people.insurance_by_year[:, year - people.first_year] == 0
        due = ((age >= 40) | (employee & (age >= 20))) & (age < 95)
        due &= ((age % 2 == 0) | (employee & manual)) & goes & (rng.random(len(people)) < 0.85)
        day = first_of(year, 2) + (rng.random(len(people)) * 330).astype(np.int32)
        due &= day < health.death
        persons.append(np.flatnonzero(due).astype(np.int32))
        days.append(day[due].astype(np.int32))
    person, day = np.concatenate(persons), np.concatenate(days)
    height = people.height[person] - np.maximum(ages_on(people, person, day) - 50, 0) * 0.05
    weight = people.mass_index[person] * (height / 100) ** 2 + rng.normal(0, 1.5, len(person))
    waist = 82 + (people.mass_index[person] - 23.5) * 2.4 + rng.normal(0, 3, len(person))
    values = {lab: lab_values(rng, people, health, person, day, lab) for lab in CHECKED}
    for lab in SINCE_2009:
        values[lab][day < first_of(2009)] = np.nan
    kidney = present(health, person, day, "kidney_disease")
    odds = np.where(kidney[:, None], [0.45, 0.65, 0.82, 0.94, 0.99], [0.955, 0.98, 0.993, 0.998, 0.9995])
    age = ages_on(people, person, day)
    return Checkups(
        person=person,
        day=day,
        height=np.round(height).astype(np.float32),
        weight=np.round(np.maximum(weight, 32)).astype(np.float32),
        waist=np.round(np.maximum(waist, 52)).astype(np.float32),
        values=values,
        urine_protein=(1 + (rng.random(len(person))[:, None] > odds).sum(axis=1)).astype(np.int8),
        smoking=np.where(age < people.smoking_from[person], 1, np.where(age >= people.smoking_to[person], 2, 3)).astype(
            np.int8
        ),
    )
