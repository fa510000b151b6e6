"""Who the people are: birth, sex, habits, and year by year residence, insurance and income."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from madang.science.synthesis.calendar import first_of
from madang.science.synthesis.catalog import floats
from madang.science.synthesis.chance import choose, stream
from madang.science.synthesis.places import districts

MALE, FEMALE = 1, 2
INSURANCES = ("employee", "self_employed", "medical_aid")
CENSUS = 2005
OLDEST = 100
BIRTHS = 440_000
"""Births per year after the census, rounded."""

MORTALITY = ((-9.77, 0.0914), (-10.88, 0.0993))
"""Logarithm of the yearly death hazard at age 0 and its growth per year of age (Gompertz), men and women; a fit by eye
to Korea's life tables of the 2000s from age 30 on."""


@dataclass(frozen=True)
class People:
    """One chunk of people. Arrays have one element per person, `*_by_year` one row per person and column per year."""

    number: NDArray[np.int64]
    """1.. over all chunks."""
    birth: NDArray[np.int32]
    """Day of birth (days from 1970-01-01, as all days)."""
    sex: NDArray[np.int8]
    smoking_from: NDArray[np.int16]
    """Age at which smoking began; 999 never."""
    smoking_to: NDArray[np.int16]
    """Age at which it ended; 999 never."""
    drinking: NDArray[np.bool_]
    exercise: NDArray[np.bool_]
    mass_index: NDArray[np.float32]
    """Adult body mass index, kg/m2."""
    height: NDArray[np.float32]
    """Adult height, cm."""
    frailty: NDArray[np.float32]
    """How much more often than others of the same age a person sees a doctor; mean 1."""
    traits: NDArray[np.float32]
    """Person x laboratory value: lifelong position, standard normal."""
    first_year: int
    province_by_year: NDArray[np.int8]
    district_by_year: NDArray[np.int32]
    insurance_by_year: NDArray[np.int8]
    """Position in `INSURANCES`."""
    income_by_year: NDArray[np.int8]
    """Decile 1..10; 0 for medical aid."""

    def __len__(self) -> int:
        return len(self.number)

    def smokes(self, ages: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Who smokes at the given age."""
        return (ages >= self.smoking_from) & (ages < self.smoking_to)


def survival(ages: NDArray[np.integer]) -> NDArray[np.float64]:
    """Share of newborns alive at an age, both sexes together, by `MORTALITY`."""
    answer = np.zeros(len(ages))
    for intercept, slope in MORTALITY:
        answer += np.exp(-np.exp(intercept) / slope * (np.exp(slope * ages) - 1)) / 2
    return answer


def birth_years(start_year: int, end_year: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Years of birth of everybody who lives in the period at some time, and their shares.

    From the census of 2005 moved by survival to the start, then one cohort of newborns each year.
    """
    years = np.arange(start_year - OLDEST, end_year + 1)
    census = np.repeat(floats("age_structure", "persons")[:-1], 5) / 5
    oldest = np.exp(-0.25 * np.arange(15))
    census = np.concatenate([census, floats("age_structure", "persons")[-1] * oldest / oldest.sum()])
    age = CENSUS - years
    counted = (age >= 0) & (age < len(census))
    weight = np.full(len(years), float(BIRTHS))
    weight[counted] = census[age[counted]] / survival(age[counted])
    weight[age >= len(census)] = 0
    weight *= survival(np.maximum(start_year - years, 0))
    return years, weight / weight.sum()


def draw_people(seed: int, chunk: int, first_number: int, size: int, start_year: int, end_year: int) -> People:
    """Draw one chunk of people."""
    rng = stream(seed, chunk, "people")
    years, share = birth_years(start_year, end_year)
    year = rng.choice(years, size=size, p=share)
    birth = np.array([first_of(int(y)) for y in years], dtype=np.int32)[year - years[0]] + rng.integers(0, 365, size)
    age = np.clip(CENSUS - year, 0, OLDEST - 1)
    male = rng.random(size) < floats("age_structure", "male_share")[np.minimum(age // 5, 17)]
    ever = rng.random(size) < np.where(male, 0.62, 0.07)
    quits = rng.random(size) < 0.35
    begins = rng.integers(17, 26, size)
    labs = len(floats("labs", "spread"))
    residence = _residence(seed, chunk, size, end_year - start_year + 1)
    insurance, income = _insurance(seed, chunk, size, end_year - start_year + 1)
    return People(
        number=np.arange(first_number, first_number + size, dtype=np.int64),
        birth=birth.astype(np.int32),
        sex=np.where(male, MALE, FEMALE).astype(np.int8),
        smoking_from=np.where(ever, begins, 999).astype(np.int16),
        smoking_to=np.where(quits, rng.integers(30, 66, size), 999).astype(np.int16),
        drinking=rng.random(size) < np.where(male, 0.70, 0.35),
        exercise=rng.random(size) < 0.38,
        mass_index=np.clip(rng.normal(np.where(male, 23.9, 23.2), 3.1), 15.5, 42).astype(np.float32),
        height=rng.normal(np.where(male, 171, 158), 5.8).astype(np.float32),
        frailty=rng.gamma(1.8, 1 / 1.8, size).astype(np.float32),
        traits=rng.standard_normal((size, labs), dtype=np.float32),
        first_year=start_year,
        province_by_year=residence[0],
        district_by_year=residence[1],
        insurance_by_year=insurance,
        income_by_year=income,
    )


def _residence(seed: int, chunk: int, size: int, years: int) -> tuple[NDArray[np.int8], NDArray[np.int32]]:
    """Province and district by year; 3 % move within the country each year, 4 % more within the province."""
    rng = stream(seed, chunk, "residence")
    cumulative = np.cumsum(floats("provinces", "thousands"))[None, :] / floats("provinces", "thousands").sum()
    codes = districts()
    table = np.zeros((len(codes), max(map(len, codes))), dtype=np.int32)
    for n, mine in enumerate(codes):
        table[n, : len(mine)] = mine
    counts = np.array([len(mine) for mine in codes])
    province = np.empty((size, years), dtype=np.int8)
    district = np.empty((size, years), dtype=np.int32)
    for column in range(years):
        drawn = choose(rng, cumulative, np.zeros(size, dtype=np.int8))
        u, where = rng.random(size), rng.random(size)
        moves = (u < 0.03) if column else np.ones(size, dtype=bool)
        now = np.where(moves, drawn, province[:, max(column - 1, 0)])
        changes = moves | (u < 0.07)
        fresh = table[now, (where * counts[now]).astype(int)]
        province[:, column] = now
        district[:, column] = np.where(changes, fresh, district[:, max(column - 1, 0)])
    return province, district


def _insurance(seed: int, chunk: int, size: int, years: int) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """Insurance type and income decile by year: a position in society that drifts slowly."""
    rng = stream(seed, chunk, "insurance")
    standing = rng.standard_normal(size)
    kind = np.where(rng.random(size) < 0.62, 0, 1)
    insurance = np.empty((size, years), dtype=np.int8)
    income = np.empty((size, years), dtype=np.int8)
    edges = np.array([-1.2816, -0.8416, -0.5244, -0.2533, 0.0, 0.2533, 0.5244, 0.8416, 1.2816])
    for column in range(years):
        standing = 0.97 * standing + np.sqrt(1 - 0.97**2) * rng.standard_normal(size)
        kind = np.where(rng.random(size) < 0.04, 1 - kind, kind)
        aid = standing < -1.88
        insurance[:, column] = np.where(aid, 2, kind)
        income[:, column] = np.where(aid, 0, np.searchsorted(edges, standing) + 1)
    return insurance, income
