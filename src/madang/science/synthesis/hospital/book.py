"""Lives in the hospital's terms: records of patients, visits, diagnoses, orders, results, and how they are delivered.

Most records come once, in the month in which they were made. A few come a month late, are corrected or withdrawn
later: an address changes, a stay ends, a suspected diagnosis is confirmed, an order is canceled, a result is amended.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np

from madang.science.synthesis.calendar import first_of, numbers_of
from madang.science.synthesis.care import IN_HOUSE, INJECTED, drug_codes, service_codes
from madang.science.synthesis.catalog import keys, position, rows
from madang.science.synthesis.chance import stream
from madang.science.synthesis.encounters import EMERGENCY, INPATIENT, OUTPATIENT
from madang.science.synthesis.health import ages_on
from madang.science.synthesis.hospital.codes import (
    DOCTORS_EACH,
    department,
    doctor_number,
    drug_code,
    month_of,
)
from madang.science.synthesis.hospital.identity import address, name_of, patient_number, phone_number, resident_number
from madang.science.synthesis.hospital.records import Facts, Record
from madang.science.synthesis.hospital.results import NO_RESULT, Test, draw_values, nothing, tests, written
from madang.science.synthesis.hospital.visits import Visit, visits_of
from madang.science.synthesis.lives import Lives
from madang.science.synthesis.measures import lab_values
from madang.science.synthesis.nhis.claims import condition_codes
from madang.science.synthesis.people import FEMALE

KIND_NAMES = {OUTPATIENT: "외래", EMERGENCY: "응급", INPATIENT: "입원"}
LATE = 0.03
"""Share of records that come a month late."""

PANEL = tuple("L2001 L2006 L1001 L1002 L2008 L2009 L1003 L2011 L2012 L2014 L2007 L3004 L3001".split())
"""Tests of the usual panel, the most usual first."""

EXECUTED = {IN_HOUSE: "불출", INJECTED: "투약"}
"""How a drug given in the hospital is executed; one for a pharmacy outside is `원외`, the prescription handed out."""


@dataclass
class Numbers:
    """The numbers of records: each kind counts on over all chunks of people."""

    next: dict[str, int] = field(default_factory=dict)

    def take(self, kind: str) -> int:
        """The next number of a kind."""
        self.next[kind] = self.next.get(kind, 0) + 1
        return self.next[kind]


def records_of(lives: Lives, numbers: Numbers) -> list[Record]:
    """All records of one chunk of lives; code tables aside."""
    return list(_Book(lives, numbers).records())


class _Book:
    """The records of one chunk while they are written."""

    def __init__(self, lives: Lives, numbers: Numbers) -> None:
        self.lives, self.numbers = lives, numbers
        self.rng = stream(lives.population.seed, lives.chunk, "hospital records")
        self.last = first_of(lives.population.end_year + 1) - 1
        self.wanted: list[tuple[Visit, Test, int, int]] = []

    def happens(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def record(self, table: str, day: int, facts: Facts) -> Record:
        """A record delivered in the month of the day, or a month late."""
        return Record(table).add(month_of(day) + self.happens(LATE), facts)

    def records(self) -> Iterator[Record]:
        scripts, services = self.lives.prescriptions, self.lives.services
        first_script = np.searchsorted(scripts.encounter, np.arange(len(self.lives.encounters) + 1))
        first_service = np.searchsorted(services.encounter, np.arange(len(self.lives.encounters) + 1))
        for person, group in groupby(visits_of(self.lives), key=lambda visit: visit.person):
            visits = list(group)
            yield from self.patient(person, [visit.start for visit in visits])
            for visit in visits:
                yield self.visit(visit)
                if visit.canceled:
                    continue
                yield from self.diagnoses(visit)
                yield from self.vitals(visit)
                self.want_panel(visit)
                if visit.encounter >= 0:
                    for n in range(first_script[visit.encounter], first_script[visit.encounter + 1]):
                        if scripts.day[n] <= self.last:
                            yield from self.drug(visit, n)
                    for n in range(first_service[visit.encounter], first_service[visit.encounter + 1]):
                        if services.day[n] <= self.last:
                            yield from self.service(visit, n)
                if visit.dies and visit.end <= self.last:
                    yield self.death(visit)
        yield from self.results()

    # People

    def patient(self, person: int, days: list[int]) -> Iterator[Record]:
        """A patient with a file; one in seven moves later, one in eighty was first registered by mistake as another."""
        people = self.lives.people
        female = people.sex[person] == FEMALE
        birth = str(numbers_of(people.birth[person : person + 1])[0])
        facts: Facts = {
            "PT_NO": patient_number(int(people.number[person])),
            "PT_NM": name_of(self.rng, female),
            "RRN": resident_number(self.rng, birth, female),
            "SEX": "여" if female else "남",
            "BIRTH_DT": int(people.birth[person]),
            "REG_DT": days[0],
        }
        facts |= self.contact(person)
        if self.happens(0.0125):
            mistaken = facts | {"PT_NO": patient_number(9_000_000 + self.numbers.take("mistaken"))}
            yield Record("PATIENT").add(month_of(days[0]), mistaken).withdraw()
        record = Record("PATIENT").add(month_of(days[0]), facts)
        if self.happens(0.15):
            record.correct(month_of(days[self.rng.integers(0, len(days))]), **self.contact(person))
        yield record

    def contact(self, person: int) -> Facts:
        province = int(self.lives.people.province_by_year[person, 0])
        return {"TEL": phone_number(self.rng), "ADDR": address(self.rng, province)}

    def of(self, visit: Visit) -> Facts:
        """The columns that every record of a visit has."""
        return {"VISIT_NO": visit.number, "PT_NO": patient_number(int(self.lives.people.number[visit.person]))}

    # Visits and diagnoses

    def visit(self, visit: Visit) -> Record:
        """A visit; a stay is open until the delivery of the month in which it ended."""
        visit.number = f"V{self.numbers.take('visit'):09d}"
        code = self.code(visit.diagnoses[0], visit.start) if visit.diagnoses else ""
        age = int(ages_on(self.lives.people, np.array([visit.person]), np.array([visit.start]))[0])
        of = department(code or "", age, visit.kind == EMERGENCY)
        facts = self.of(visit) | {
            "KIND": KIND_NAMES[visit.kind],
            "DEPT_CD": of,
            "DR_NO": doctor_number(of, int(self.rng.integers(0, DOCTORS_EACH))),
            "IN_DT": visit.start,
            "IN_TM": visit.begins,
            "OUT_DT": None,
            "OUT_TM": None,
            "ROUTE": "응급" if visit.through_emergency else "외래" if visit.kind == INPATIENT else None,
            "STATUS": "완료",
        }
        left = {"OUT_DT": visit.end, "OUT_TM": visit.ends}
        if visit.kind == OUTPATIENT:
            visit.canceled = self.happens(0.02)
            record = self.record("VISIT", visit.start, facts | ({"STATUS": "취소"} if visit.canceled else {}))
            return record.correct(0, DR_NO=doctor_number(of, 0)) if self.happens(0.01) else record
        if month_of(visit.end) == month_of(visit.start):
            return self.record("VISIT", visit.start, facts | left)
        record = self.record("VISIT", visit.start, facts)
        return record.correct(month_of(visit.end), **left) if visit.end <= self.last else record

    def code(self, condition: int, day: int) -> str | None:
        """The diagnosis code of a condition on a day, undotted."""
        row = int(condition_codes().at(np.array([condition]), np.array([day]))[0])
        return str(condition_codes().codes[row]) if row >= 0 else None

    def diagnoses(self, visit: Visit) -> Iterator[Record]:
        """Diagnoses in their order; suspected ones (R/O) at the end, some of which are confirmed later."""
        found = [(condition, False) for condition in visit.diagnoses]
        if self.happens(0.3 if visit.kind != OUTPATIENT else 0.08):
            acute = rows("acute")[int(self.rng.integers(0, 30))]["condition"]
            found.append((position("conditions", acute), True))
        for n, (condition, suspected) in enumerate(found):
            row = int(condition_codes().at(np.array([condition]), np.array([visit.start]))[0])
            if row < 0:
                continue
            code = str(condition_codes().codes[row])
            facts = self.of(visit) | {
                "SEQ": n + 1,
                "DX_DT": visit.start,
                "DX_KIND": "주" if n == 0 else "부",
                "RO": "R/O" if suspected else "확정",
                "KCD": code if len(code) < 4 else f"{code[:3]}.{code[3:]}",
                "KCD_NM": rows("conditions")[condition]["name_ko"],
                "_code": row,
            }
            record = self.record("DIAG", visit.start, facts)
            if suspected and self.happens(0.2):
                record.correct(month_of(visit.start) + 1, RO="확정")
            elif n and self.happens(0.01):
                record.withdraw()
            yield record

    def death(self, visit: Visit) -> Record:
        """A death in the hospital."""
        cause = int(self.lives.health.cause[visit.person])
        row = int(condition_codes().at(np.array([cause]), np.array([visit.end]))[0])
        code = str(condition_codes().codes[row])
        facts = {"PT_NO": self.of(visit)["PT_NO"], "DTH_DT": visit.end, "DTH_TM": visit.ends, "_code": row}
        return self.record("DEATH", visit.end, facts | {"KCD": code if len(code) < 4 else f"{code[:3]}.{code[3:]}"})

    # Drugs

    def drug(self, visit: Visit, n: int) -> Iterator[Record]:
        """A drug order and what was done about it."""
        scripts = self.lives.prescriptions
        drug, day, given = int(scripts.drug[n]), int(scripts.day[n]), int(scripts.given[n])
        if int(drug_codes().at(scripts.drug[n : n + 1], scripts.day[n : n + 1])[0]) < 0:
            return
        number, minute = self.numbers.take("order"), min(visit.begins + 7, 1439)
        dose, times, days = round(float(scripts.per_time[n]), 4), int(scripts.times_per_day[n]), int(scripts.days[n])
        times = 1 if given == INJECTED else times
        facts: Facts = self.of(visit) | {
            "ORD_NO": number,
            "ORD_DT": day,
            "ORD_TM": minute,
            "DRUG_CD": drug_code(drug),
            "DOSE": dose,
            "FREQ": times,
            "DAYS": days,
            "INOUT": "원내" if given in EXECUTED else "원외",
            "STATUS": "처방",
            "_drug": drug,
        }
        record = self.record("ORDER", day, facts)
        yield record
        if self.happens(0.03):
            if self.happens(0.5):
                record.lines[0].facts["STATUS"] = "취소"
            else:
                record.correct(month_of(day) + 1, STATUS="취소")
            return
        if self.happens(0.03):  # never fetched, never given
            return
        quantity = round(dose * times * days, 4)
        done: Facts = {
            "EXEC_NO": self.numbers.take("execution"),
            "ORD_NO": number,
            "PT_NO": facts["PT_NO"],
            "KIND": EXECUTED.get(given, "원외"),
            "FROM_NO": None,
            "EXEC_DT": day,
            "EXEC_TM": min(minute + int(self.rng.integers(5, 90)), 1439),
            "QTY": quantity,
        }
        yield self.record("EXEC", day, done)
        if given == IN_HOUSE and self.happens(0.25):
            back = days if self.happens(0.25) else int(self.rng.integers(1, days + 1))
            returned: Facts = {"EXEC_NO": self.numbers.take("execution"), "FROM_NO": done["EXEC_NO"], "KIND": "반납"}
            later = min(day + int(self.rng.integers(0, 20)), self.last)
            yield self.record("EXEC", later, done | returned | {"EXEC_DT": later, "QTY": round(dose * times * back, 4)})

    # Tests and procedures

    def service(self, visit: Visit, n: int) -> Iterator[Record]:
        """A procedure or device; laboratory tests are put aside, since their values are drawn all at once."""
        services = self.lives.services
        key, day = keys("services")[services.service[n]], int(services.day[n])
        minute = min(visit.begins + 15, 1439)
        mine = [test for test in tests() if test.service == key]
        self.wanted += [(visit, test, day, minute) for test in mine]
        row = int(service_codes().at(services.service[n : n + 1], services.day[n : n + 1])[0])
        kind = rows("services")[int(services.service[n])]["kind"]
        if mine or kind not in ("procedure", "device") or row < 0:
            return
        u = self.rng.random()
        status = "취소" if u < 0.02 else "미실시" if u < 0.04 else "실시"
        done = status == "실시"
        facts = self.of(visit) | {
            "PROC_NO": self.numbers.take("procedure"),
            "EDI_CD": str(service_codes().codes[row]),
            "PROC_NM": rows("services")[int(services.service[n])]["name_ko"],
            "ORD_DT": day,
            "DONE_DT": day if done else None,
            "DONE_TM": minute if done else None,
            "QTY": int(services.quantity[n]),
            "STATUS": status,
            "_service": key,
        }
        record = self.record("PROC", day, facts)
        yield record.withdraw() if self.happens(0.005) else record

    def want_panel(self, visit: Visit) -> None:
        """The tests that the hospital does of habit: of all emergencies and stays, and of one in four outpatients."""
        if visit.kind != OUTPATIENT or self.happens(0.25):
            minute = min(visit.begins + 10, 1439)
            codes = PANEL if visit.kind != OUTPATIENT else PANEL[: int(self.rng.integers(2, 8))]
            self.wanted += [(visit, test, visit.start, minute) for test in tests() if test.code in codes]

    def results(self) -> Iterator[Record]:
        """Laboratory results; some come first without a value, some are amended, a few withdrawn."""
        by_test: dict[str, list[tuple[Visit, Test, int, int]]] = {}
        for item in self.wanted:
            by_test.setdefault(item[1].code, []).append(item)
        for items in by_test.values():
            test = items[0][1]
            person, day = (np.array([pick(item) for item in items]) for pick in (lambda i: i[0].person, lambda i: i[2]))
            for (visit, _, when, minute), value in zip(
                items, draw_values(self.rng, self.lives, test, person, day).tolist(), strict=True
            ):
                yield self.result(visit, test, when, minute, value)

    def result(self, visit: Visit, test: Test, day: int, minute: int, value: float) -> Record:
        facts = self.of(visit) | {"RES_NO": self.numbers.take("result"), "LAB_CD": test.code, "SPC_DT": day}
        facts |= {"SPC_TM": minute, "RPT_DT": day + int(self.rng.integers(0, 3)), "_test": test}
        final = written(self.rng, test, value)
        u = self.rng.random()
        if u < 0.02:
            return self.record("LAB", day, facts | nothing(NO_RESULT[int(self.rng.integers(0, len(NO_RESULT)))]))
        if u < 0.05:
            return self.record("LAB", day, facts | nothing(None)).correct(0, **final)
        if u < 0.07:
            wrong = written(self.rng, test, value * 1.5 if test.units else 0.0)
            return self.record("LAB", day, facts | wrong).correct(0, **final)
        record = self.record("LAB", day, facts | final)
        return record.withdraw() if u < 0.075 else record

    def vitals(self, visit: Visit) -> Iterator[Record]:
        """Vital signs: of all emergencies and stays, and of one in three outpatients."""
        if visit.kind == OUTPATIENT and not self.happens(0.33):
            return
        rng, people = self.rng, self.lives.people
        person, day = np.array([visit.person]), np.array([visit.start])
        facts = self.of(visit) | {"VS_NO": self.numbers.take("vital"), "VS_DT": visit.start, "VS_TM": visit.begins}
        for column, lab in (("SBP", "systolic"), ("DBP", "diastolic")):
            facts[column] = round(float(lab_values(rng, people, self.lives.health, person, day, lab)[0]))
        facts["PULSE"] = round(float(rng.normal(76, 9)))
        facts["TEMP"] = round(float(rng.normal(36.6, 0.3)), 1)
        adult = int(ages_on(people, person, day)[0]) >= 20 and self.happens(0.7)
        facts["HEIGHT"] = round(float(people.height[visit.person]), 1) if adult else None
        mass = float(people.mass_index[visit.person]) * (float(people.height[visit.person]) / 100) ** 2
        facts["WEIGHT"] = round(mass, 1) if adult else None
        record = self.record("VITAL", visit.start, facts)
        yield record.correct(0, SBP=facts["SBP"] + 10) if self.happens(0.01) else record
