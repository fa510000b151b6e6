"""The hospital's own codes: departments, doctors, laboratory tests, drugs, and what they stand for."""

from datetime import date, timedelta
from functools import cache

import numpy as np

from madang.science.synthesis.calendar import first_of_months
from madang.science.synthesis.care import drug_codes
from madang.science.synthesis.catalog import rows
from madang.science.synthesis.chance import stream
from madang.science.synthesis.hospital.identity import name_of
from madang.science.synthesis.hospital.layout import table
from madang.science.synthesis.hospital.records import Record
from madang.science.synthesis.lives import Population

EPOCH = date(1970, 1, 1)

DEPARTMENTS = {
    "IM": "내과",
    "GS": "외과",
    "OS": "정형외과",
    "PED": "소아청소년과",
    "OBG": "산부인과",
    "NR": "신경과",
    "PSY": "정신건강의학과",
    "DER": "피부과",
    "ENT": "이비인후과",
    "EYE": "안과",
    "URO": "비뇨의학과",
    "EM": "응급의학과",
}
SPECIALTIES = {
    "IM": 38004456,
    "GS": 38004447,
    "OS": 38004465,
    "PED": 38004477,
    "OBG": 38004461,
    "NR": 38004458,
    "PSY": 38004469,
    "DER": 38004452,
    "ENT": 38004449,
    "EYE": 38004463,
    "URO": 38004474,
    "EM": 38004510,
}
_BY_CHAPTER = {"F": "PSY", "G": "NR", "H": "EYE", "L": "DER", "M": "OS", "S": "OS", "T": "OS", "N": "URO", "O": "OBG"}
DOCTORS_EACH = 3

ROUTES = {"oral": "경구", "injection": "주사", "inhaled": "흡입", "topical": "외용", "eye": "점안"}
ROUTE_CONCEPTS = {"경구": 4128794}
"""What the pack's map makes of routes; the others stay without a concept."""

UNLISTED = 7
"""One drug in so many has no code of the drug list in the code table; the pack maps the even ones of them."""


def department(code: str, age: int, emergency: bool) -> str:
    """The department that sees a patient with a diagnosis code."""
    if emergency:
        return "EM"
    if age < 15:
        return "PED"
    if code[:1] == "H" and code[1:3] >= "60":
        return "ENT"
    return _BY_CHAPTER.get(code[:1], "IM")


def doctor_number(department_code: str, nth: int) -> str:
    """The number of one of a department's doctors."""
    return f"DR{list(DEPARTMENTS).index(department_code) + 10}{nth + 1:03d}"


def drug_code(drug: int) -> str:
    """The hospital's code of a drug (position in `drugs`)."""
    row = rows("drugs")[drug]
    return f"{row['form'][:1].upper()}-{row['ingredient'][:4].upper() or 'ETC'}{drug:03d}".replace(" ", "")


def listed(drug: int) -> bool:
    """Whether the code table has the drug's code of the drug list."""
    return drug % UNLISTED != 3


def mapped(drug: int) -> bool:
    """Whether the pack maps the hospital's own code of a drug that is not listed."""
    return not listed(drug) and drug % 2 == 0 and rows("drugs")[drug]["concept_id"] != "0"


@cache
def drug_concept(drug: int, by_list: bool) -> int:
    """The standard concept of a drug that is looked up by the drug list, or else by the hospital's own code."""
    exact = any(row["drug"] == rows("drugs")[drug]["key"] and row["level"] != "none" for row in rows("drug_codes"))
    found = exact if by_list else mapped(drug)
    return int(rows("drugs")[drug]["concept_id"]) if found else 0


def code_tables(population: Population, first_month: int) -> list[Record]:
    """Departments, doctors, tests and drugs: the rows of the code tables."""
    rng = stream(population.seed, 0, "hospital doctors")
    made = []
    for code, name in DEPARTMENTS.items():
        made.append(Record("DEPT").add(first_month, {"DEPT_CD": code, "DEPT_NM": name}))
        for nth in range(DOCTORS_EACH):
            doctor = {"DR_NO": doctor_number(code, nth), "DR_NM": name_of(rng, nth == 1), "DEPT_CD": code}
            made.append(Record("DOCTOR").add(first_month, doctor))
    edi = {row["service"]: row["code"] for row in rows("service_codes")}
    for row in table("lab_codes"):
        facts = {"LAB_CD": row["code"], "LAB_NM": row["name_ko"], "UNIT": row["units"].split("|")[0] or None}
        made.append(Record("LABCODE").add(first_month, facts | {"EDI_CD": edi.get(row["edi"]), "USE_YN": "Y"}))
    return made + _drug_table(population, first_month)


def _drug_table(population: Population, first_month: int) -> list[Record]:
    """The drug table: a drug comes with the month in which it is listed, and again when its listed code changes."""
    last_month = (population.end_year - 1970) * 12 + 11
    months = np.arange(first_month, last_month + 1)
    made = []
    for n, row in enumerate(rows("drugs")):
        listed_rows = drug_codes().at(np.full(len(months), n), first_of_months(months + 1) - 1)
        facts = {"DRUG_CD": drug_code(n), "DRUG_NM": row["name_ko"], "KDC_CD": None, "_drug": n}
        facts |= {"UNIT": row["unit"], "ROUTE": ROUTES.get(row["form"], "기타")}
        record = Record("DRUGCODE")
        previous = -1
        for month, found in zip(months.tolist(), listed_rows.tolist(), strict=True):
            if found < 0 or found == previous:
                continue
            code = drug_codes().codes[found] if listed(n) else None
            if not record.lines:
                record.add(month, facts | {"KDC_CD": code})
            elif code is not None:
                record.correct(month, KDC_CD=code)
            previous = found
        if record.lines:
            made.append(record)
    return made


@cache
def month_of(day: int) -> int:
    """Months from 1970-01 of a day."""
    on = EPOCH + timedelta(days=day)
    return (on.year - 1970) * 12 + on.month - 1


@cache
def domains() -> dict[int, str]:
    """The domain of each standard concept."""
    return {int(row["concept_id"]): row["domain"] for row in rows("concepts")}


@cache
def service_concepts() -> dict[str, list[int]]:
    """What each service leads to."""
    answer: dict[str, list[int]] = {}
    for row in rows("service_targets"):
        if row["relationship"] == "Maps to":
            answer.setdefault(row["service"], []).append(int(row["concept_id"]))
    return answer


@cache
def condition_concepts() -> tuple[int, ...]:
    """The concept of each row of `condition_codes`, 0 where it leads nowhere."""
    concepts = {row["key"]: int(row["concept_id"]) for row in rows("conditions")}
    return tuple(0 if row["level"] == "none" else concepts[row["condition"]] for row in rows("condition_codes"))
