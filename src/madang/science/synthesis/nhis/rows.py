"""The rows of the insurer's files: claims, people and institutions as columns of text and numbers.

Every function gives the columns of one table of version 1 for one chunk of people, all years together, and where each
year's rows begin; a file is a slice of it.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from madang.science.synthesis.calendar import NEVER, first_of, numbers_of
from madang.science.synthesis.care import drug_codes, service_codes
from madang.science.synthesis.catalog import position, rows
from madang.science.synthesis.chance import scatter
from madang.science.synthesis.lives import Lives, Population
from madang.science.synthesis.nhis.claims import (
    FORMS,
    INSTITUTION_BASE,
    PERSON_BASE,
    ROUTES,
    Book,
    Claims,
    Lines,
    condition_codes,
)
from madang.science.synthesis.places import Institutions

INSTITUTION_CODES = ("10", "20", "21", "28", "29", "31", "51", "93", "70", "81")
"""Kinds of institutions, as `places.KINDS`."""


@dataclass(frozen=True)
class Rows:
    """One table of one chunk of people, ordered by file. `at[file]` is the slice of each file, by the file's stem."""

    table: str
    columns: dict[str, pa.Array]
    at: dict[str, slice]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))


def _take(words: NDArray[np.object_] | tuple[str, ...], index: NDArray[np.integer]) -> pa.Array:
    """Words by position; null where the position is negative."""
    words = pa.array(list(words), pa.string())
    return pc.take(words, pa.array(index, mask=index < 0))


def _maybe(values: NDArray[np.integer], known: NDArray[np.bool_]) -> pa.Array:
    return pa.array(values, mask=~known)


def _slices(names: list[str], group: NDArray[np.integer]) -> dict[str, slice]:
    """Slices of rows ordered by `group` (a position in `names`)."""
    edge = np.searchsorted(group, np.arange(len(names) + 1))
    return {name: slice(int(edge[n]), int(edge[n + 1])) for n, name in enumerate(names)}


def claim_group(claims: Claims, population: Population) -> NDArray[np.int32]:
    """A number per claim that grows by year and type: (year - first) * 3 + type - 1."""
    return ((claims.year - population.start_year) * 3 + claims.type - 1).astype(np.int32)


def _files(prefix: str, population: Population) -> list[str]:
    return [f"{prefix}_T{type_}_{year}" for year in population.years for type_ in (1, 2, 3)]


def header_rows(lives: Lives, book: Book) -> Rows:
    """GY20: claim headers."""
    claims = book.claims
    person = lives.people.number[claims.person] + PERSON_BASE
    stay = claims.first_day < NEVER
    injury = np.array([row["code"][0] in "ST" for row in rows("condition_codes")])
    payer = claims.total - claims.by_patient
    columns = {
        "PERSON_ID": pa.array(person),
        "KEY_SEQ": pa.array(claims.key),
        "YKIHO_ID": pa.array(claims.institution + INSTITUTION_BASE),
        "RECU_FR_DT": pa.array(numbers_of(claims.start)),
        "FORM_CD": _take(FORMS, claims.form),
        "IN_PAT_CORS_TYPE": _take(ROUTES, claims.route),
        "OFFC_INJ_TYPE": _take(("1",), np.where((claims.main >= 0) & injury[claims.main], 0, -1)),
        "MAIN_SICK": _take(condition_codes().codes, claims.main),
        "SUB_SICK": _take(condition_codes().codes, claims.second),
        "RECN": pa.array(claims.days),
        "VSCN": pa.array(claims.days),
        "FST_IN_PAT_DT": _maybe(numbers_of(np.where(stay, claims.first_day, 0)), stay),
        "DMD_TRAMT": pa.array(claims.total),
        "DMD_SBRDN_AMT": pa.array(claims.by_patient),
        "DMD_JBRDN_AMT": pa.array(payer),
        "DMD_CT_TOT_AMT": pa.array(claims.tomography),
        "DMD_MRI_TOT_AMT": pa.array(claims.resonance),
        "EDEC_TRAMT": pa.array(claims.total),
        "EDEC_SBRDN_AMT": pa.array(claims.by_patient),
        "EDEC_JBRDN_AMT": pa.array(payer),
        "DMD_DRG_NO": pa.nulls(len(claims), pa.string()),
    }
    at = _slices(_files("NHID_GY20", lives.population), claim_group(claims, lives.population))
    return Rows("GY20", columns, at)


def _child(lives: Lives, book: Book, lines: Lines, prefix: str, columns: dict[str, pa.Array]) -> Rows:
    claims = book.claims
    shared = {
        "KEY_SEQ": pa.array(claims.key[lines.claim]),
        "SEQ_NO": pa.array(lines.sequence),
        "RECU_FR_DT": pa.array(numbers_of(claims.start)[lines.claim]),
    }
    group = claim_group(claims, lives.population)[lines.claim]
    at = _slices(_files(f"NHID_{prefix}", lives.population), group)
    return Rows(prefix, shared | columns, at)


def line_codes(lines: Lines) -> pa.Array:
    """The fee or drug code of each line."""
    codes = np.concatenate([service_codes().codes, drug_codes().codes])
    return _take(codes, np.where(lines.drug, lines.code + len(service_codes().codes), lines.code))


def fee_rows(lives: Lives, book: Book) -> Rows:
    """GY30: services, drugs and devices."""
    lines = book.fees
    injection = np.array([row["form"] == "injection" for row in rows("drugs")])
    of_code = np.array([position("drugs", row["drug"]) for row in rows("drug_codes")])
    injected = lines.drug & injection[of_code[np.where(lines.drug, lines.code, 0)]]
    clause = np.where(injected, 2, np.where(lines.drug, 1, np.where(lines.device, 3, 0)))
    columns = {
        "CLAUSE_CD": _take(("01", "03", "04", "08"), clause),
        "ITEM_CD": _take(("01", "02"), np.where(injected, 1, 0)),
        "DIV_TYPE_CD": _take(("1", "3", "8"), np.where(lines.drug, 1, np.where(lines.device, 2, 0))),
        "DIV_CD": line_codes(lines),
        "DD_MQTY_EXEC_FREQ": pa.array(lines.times),
        "MDCN_EXEC_FREQ": pa.array(lines.days),
        "DD_MQTY_FREQ": pa.array(lines.per_time),
        "UN_COST": pa.array(lines.price),
        "AMT": pa.array(lines.amount),
    }
    return _child(lives, book, lines, "GY30", columns)


def diagnosis_rows(lives: Lives, book: Book) -> Rows:
    """GY40: diagnoses; pharmacy claims have none."""
    columns = {"SICK_SYM": _take(condition_codes().codes, book.diagnoses.code)}
    return _child(lives, book, book.diagnoses, "GY40", columns)


def prescription_rows(lives: Lives, book: Book) -> Rows:
    """GY60: prescriptions; pharmacy claims have none."""
    lines = book.prescriptions
    columns = {
        "DIV_TYPE_CD": _take(("3",), np.zeros(len(lines), dtype=int)),
        "DIV_CD": line_codes(lines),
        "DD_MQTY_FREQ": pa.array(lines.per_time),
        "DD_EXEC_FREQ": pa.array(lines.times),
        "MDCN_EXEC_FREQ": pa.array(lines.days),
        "UN_COST": pa.array(lines.price),
        "AMT": pa.array(lines.amount),
    }
    return _child(lives, book, lines, "GY60", columns)


def age_groups(ages: NDArray[np.integer]) -> NDArray[np.int8]:
    """Groups of the file: 0 for the year of birth, 1 for 1 to 4, 2 for 5 to 9, ..., 18 from 85 on."""
    groups = np.where(ages < 1, 0, np.where(ages < 5, 1, np.minimum(ages // 5 + 1, 18)))
    return groups.astype(np.int8)


def member_people(lives: Lives) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Person (position) and year of each row of JK, ordered by year and person."""
    people, health = lives.people, lives.health
    found = []
    for number in lives.population.years:
        here = (people.birth < first_of(number + 1)) & (health.death >= first_of(number))
        found.append((np.flatnonzero(here), number))
    person = np.concatenate([item[0] for item in found])
    year = np.repeat([item[1] for item in found], [len(item[0]) for item in found])
    return person, year.astype(np.int32)


DISABILITY = 25
"""One person in so many has a disability grade."""


def member_rows(lives: Lives) -> Rows:
    """JK: one row per person and year of eligibility."""
    people, health = lives.people, lives.health
    person, year = member_people(lives)
    column = year - people.first_year
    ages = year - (numbers_of(people.birth) // 10000)[person]
    dies = (health.death[person] >= _firsts(year)) & (health.death[person] < _firsts(year + 1))
    cause = np.where(dies, health.cause[person], -1)
    code = np.full(len(person), -1, dtype=np.int32)
    code[dies] = condition_codes().at(cause[dies], health.death[person[dies]])
    kind = people.insurance_by_year[person, column]
    dependent = (scatter(people.number[person], 9) % np.uint64(2) == 0) | (ages < 20)
    months = numbers_of(np.where(dies, health.death[person], 0)) // 100
    habit = scatter(people.number[person], 10) % np.uint64(DISABILITY)
    columns = {
        "STND_Y": pa.array(year),
        "PERSON_ID": pa.array(people.number[person] + PERSON_BASE),
        "SEX": pa.array(people.sex[person]),
        "AGE_GROUP": pa.array(age_groups(ages)),
        "DTH_YM": _maybe(months, dies),
        "DTH_CODE1": _take(condition_codes().codes, code),
        "DTH_CODE2": _take(("V899",), np.where(cause == position("conditions", "road_injury"), 0, -1)),
        "SIDO": pa.array(people.district_by_year[person, column] // 1000),
        "SGG": pa.array(people.district_by_year[person, column]),
        "IPSN_TYPE_CD": pa.array(np.array([5, 1, 7])[kind] + dependent),
        "CTRB_PT_TYPE_CD": pa.array(people.income_by_year[person, column]),
        "DFAB_GRD_CD": pa.array(np.where(habit == 0, 1 + (people.number[person] % 2), 0)),
    }
    names = [f"NHID_JK_{number}" for number in lives.population.years]
    return Rows("JK", columns, _slices(names, column))


def _firsts(years: NDArray[np.integer]) -> NDArray[np.int64]:
    return (years - 1970).astype("datetime64[Y]").astype("datetime64[D]").astype(np.int64)


CHECKUP_VALUES = {
    "BP_HIGH": ("systolic", 0),
    "BP_LWST": ("diastolic", 0),
    "BLDS": ("glucose", 0),
    "TOT_CHOLE": ("total_cholesterol", 0),
    "TRIGLYCERIDE": ("triglyceride", 0),
    "HDL_CHOLE": ("hdl_cholesterol", 0),
    "LDL_CHOLE": ("ldl_cholesterol", 0),
    "HMG": ("hemoglobin", 1),
    "CREATININE": ("creatinine", 1),
    "SGOT_AST": ("ast", 0),
    "SGPT_ALT": ("alt", 0),
    "GAMMA_GTP": ("ggt", 0),
}
"""Columns of GJ: laboratory value and decimals."""


def checkup_values(lives: Lives) -> dict[str, NDArray[np.float64]]:
    """The measured columns of GJ as numbers at the precision of the file, NaN where empty."""
    checkups = lives.checkups
    body = {"HEIGHT": checkups.height, "WEIGHT": checkups.weight, "WAIST": checkups.waist}
    answer = {name: values.astype(np.float64) for name, values in body.items()}
    for column, (lab, decimals) in CHECKUP_VALUES.items():
        answer[column] = np.asarray(np.round(checkups.values[lab], decimals), dtype=np.float64).round(decimals)
    return answer


def checkup_rows(lives: Lives) -> Rows:
    """GJ: check-ups; they come ordered by year and person."""
    checkups = lives.checkups
    year = numbers_of(checkups.day) // 10000
    decimals = {column: places for column, (_, places) in CHECKUP_VALUES.items()}
    columns = {
        "PERSON_ID": pa.array(lives.people.number[checkups.person] + PERSON_BASE),
        "HCHK_YEAR": pa.array(year),
        "YKIHO_GUBUN_CD": _take(("21",), np.zeros(len(year), dtype=int)),
    }
    for name, values in checkup_values(lives).items():
        if decimals.get(name):
            columns[name] = pa.array(values, mask=np.isnan(values))
        else:
            columns[name] = pa.array(np.nan_to_num(values).astype(np.int32), mask=np.isnan(values))
    columns["OLIG_PROTE_CD"] = pa.array(checkups.urine_protein)
    columns["SMK_STAT_TYPE_RSPS_CD"] = pa.array(checkups.smoking)
    names = [f"NHID_GJ_{number}" for number in lives.population.years]
    return Rows("GJ", columns, _slices(names, year - lives.population.start_year))


def institution_rows(population: Population, places: Institutions) -> Rows:
    """YK: every institution in every year."""
    count, years = len(places.kind), len(population.years)
    number = np.tile(np.arange(count), years)
    year = np.repeat(np.array(population.years), count)
    columns = {
        "STND_Y": pa.array(year),
        "YKIHO_ID": pa.array(number + INSTITUTION_BASE),
        "YKIHO_GUBUN_CD": _take(INSTITUTION_CODES, places.kind[number]),
        "ORG_TYPE": pa.array(1 + number % 7),
        "YKIHO_SIDO": pa.array(places.district[number] // 1000),
        "SICKBED_CNT": pa.array(places.beds[number]),
        "DR_CNT": pa.array(places.doctors[number]),
    }
    names = [f"NHID_YK_{number}" for number in population.years]
    return Rows("YK", columns, _slices(names, year - population.start_year))
