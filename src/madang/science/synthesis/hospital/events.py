"""The hospital's records in terms of the CDM, by the rules of `docs/synthesis.md`."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

import pyarrow as pa

from madang.science.synthesis.hospital.codes import (
    EPOCH,
    ROUTE_CONCEPTS,
    SPECIALTIES,
    condition_concepts,
    domains,
    drug_concept,
    service_concepts,
)
from madang.science.synthesis.hospital.records import Facts, Line
from madang.science.synthesis.hospital.results import NO_RESULT
from madang.science.synthesis.nhis.events import TABLE_OF_DOMAIN

EVENT_TABLES = tuple(TABLE_OF_DOMAIN.values())
EHR, LAB, EXAMINATION = 32817, 32856, 32836
DRUG_TYPES = {"원외": 32838, "불출": 32825, "투약": 32818}
PRIMARY, SECONDARY = 32902, 32908
VITALS = {
    "SBP": (3004249, 8876),
    "DBP": (3012888, 8876),
    "PULSE": (3027018, 8541),
    "TEMP": (3020891, 586323),
    "HEIGHT": (3036277, 8582),
    "WEIGHT": (3025315, 9529),
}
"""Columns of VITAL: concept and unit."""

_PLACE = [("file", pa.string()), ("line", pa.int64())]
_EVENT = pa.schema(
    [
        ("person_source_value", pa.string()),
        ("concept_id", pa.int64()),
        ("start_date", pa.date32()),
        ("start_datetime", pa.timestamp("us")),
        ("end_date", pa.date32()),
        ("source_value", pa.string()),
        ("visit_key", pa.string()),
        ("detail_key", pa.string()),
        ("type_concept_id", pa.int64()),
        ("quantity", pa.float64()),
        ("days_supply", pa.int64()),
        ("route_concept_id", pa.int64()),
        ("operator_concept_id", pa.int64()),
        ("value_as_number", pa.float64()),
        ("value_as_concept_id", pa.int64()),
        ("unit_concept_id", pa.int64()),
        ("range_low", pa.float64()),
        ("range_high", pa.float64()),
        ("value_source_value", pa.string()),
        ("status_concept_id", pa.int64()),
        *_PLACE,
    ]
)
SCHEMAS = {
    **dict.fromkeys(EVENT_TABLES, _EVENT),
    "person": pa.schema(
        [
            ("person_source_value", pa.string()),
            ("gender_concept_id", pa.int64()),
            ("birth", pa.date32()),
            ("name", pa.string()),
            *_PLACE,
        ]
    ),
    "visit_occurrence": pa.schema(
        [
            ("visit_key", pa.string()),
            ("person_source_value", pa.string()),
            ("visit_concept_id", pa.int64()),
            ("start_datetime", pa.timestamp("us")),
            ("end_date", pa.date32()),
            *_PLACE,
        ]
    ),
    "visit_detail": pa.schema(
        [
            ("detail_key", pa.string()),
            ("visit_key", pa.string()),
            ("person_source_value", pa.string()),
            ("visit_detail_concept_id", pa.int64()),
            ("start_datetime", pa.timestamp("us")),
            ("end_date", pa.date32()),
            ("department", pa.string()),
            ("doctor", pa.string()),
            *_PLACE,
        ]
    ),
    "death": pa.schema(
        [
            ("person_source_value", pa.string()),
            ("death_date", pa.date32()),
            ("cause_concept_id", pa.int64()),
            ("cause_source_value", pa.string()),
            *_PLACE,
        ]
    ),
    "observation_period": pa.schema(
        [("person_source_value", pa.string()), ("start_date", pa.date32()), ("end_date", pa.date32())]
    ),
    "provider": pa.schema([("doctor", pa.string()), ("specialty_concept_id", pa.int64()), ("department", pa.string())]),
    "care_site": pa.schema([("department", pa.string()), ("care_site_name", pa.string())]),
}
"""The columns of each file of truth; `file` and `line` are where the row now used was delivered."""


def _day(day: int) -> date:
    return EPOCH + timedelta(days=day)


def _moment(day: int, minute: int | None) -> datetime | None:
    on = _day(day)
    return None if minute is None else datetime(on.year, on.month, on.day) + timedelta(minutes=minute)


class Clinic:
    """What the records that can be read and are not withdrawn come to. Sets the fate of their lines."""

    def __init__(self, extract: date) -> None:
        self.extract = extract
        self.rows: dict[str, list[dict[str, Any]]] = {name: [] for name in SCHEMAS}
        self.patients: dict[str, Facts] = {}
        self.visit_of: dict[str, str] = {}
        """Number of an accepted visit -> key of the stitched visit."""

    def read(self, now: dict[str, list[tuple[Line, Facts]]]) -> None:
        """Take in all records by table."""
        self.now = now
        self._code_tables()
        self._people()
        self._visits()
        self._deaths()
        self._diagnoses()
        self._drugs()
        self._results()
        self._vitals()
        self._procedures()
        self._periods()

    def known(self, table: str) -> Iterable[tuple[Line, Facts]]:
        """The records of people who are known; the lines of the others are rejected."""
        for line, facts in self.now.get(table, ()):
            if facts["PT_NO"] in self.patients:
                yield line, facts
            else:
                line.fate = "unknown person"

    def _code_tables(self) -> None:
        self.departments = {facts["DEPT_CD"]: facts for _, facts in self.now.get("DEPT", ())}
        self.doctors = {facts["DR_NO"]: facts for _, facts in self.now.get("DOCTOR", ())}
        self.tests = {facts["LAB_CD"]: facts for _, facts in self.now.get("LABCODE", ())}
        self.drugs = {facts["DRUG_CD"]: facts for _, facts in self.now.get("DRUGCODE", ())}
        for code, facts in self.departments.items():
            self.rows["care_site"].append({"department": code, "care_site_name": facts["DEPT_NM"]})
        for number, facts in self.doctors.items():
            code = facts["DEPT_CD"]
            row = {"doctor": number, "specialty_concept_id": SPECIALTIES[code], "department": code}
            self.rows["provider"].append(row)

    def _people(self) -> None:
        for line, facts in self.now.get("PATIENT", ()):
            self.patients[facts["PT_NO"]] = facts
            row = {"person_source_value": facts["PT_NO"], "birth": _day(facts["BIRTH_DT"]), "name": facts["PT_NM"]}
            gender = 8532 if facts["SEX"] == "여" else 8507
            self.rows["person"].append(row | {"gender_concept_id": gender} | _place(line))

    def _visits(self) -> None:
        """An emergency visit whose patient is admitted the same or the next day belongs to the stay."""
        accepted = []
        for line, facts in self.known("VISIT"):
            if facts["STATUS"] == "취소":
                line.fate = "canceled visit"
            else:
                accepted.append((line, facts))
        admitted = {(f["PT_NO"], f["IN_DT"]) for _, f in accepted if f["KIND"] == "입원"}
        groups: dict[tuple[object, ...], list[tuple[Line, Facts]]] = {}
        for line, facts in accepted:
            who, day = facts["PT_NO"], facts["IN_DT"]
            stays = [d for d in (day, day + 1) if facts["KIND"] == "응급" and (who, d) in admitted]
            stay = (who, day) if facts["KIND"] == "입원" else (who, stays[0]) if stays else (facts["VISIT_NO"],)
            groups.setdefault(stay, []).append((line, facts))
        for members in groups.values():
            key = min(facts["VISIT_NO"] for _, facts in members)
            kinds = {facts["KIND"] for _, facts in members}
            urgent = "응급" in kinds or any(f["KIND"] == "입원" and f["ROUTE"] == "응급" for _, f in members)
            concept = (262 if urgent else 9201) if "입원" in kinds else 9203 if urgent else 9202
            row = {"visit_key": key, "person_source_value": members[0][1]["PT_NO"], "visit_concept_id": concept}
            row["start_datetime"] = min(_begin(facts) for _, facts in members)
            row["end_date"] = max(self._end(facts) for _, facts in members)
            self.rows["visit_occurrence"].append(row | _place(members[0][0]))
            for line, facts in members:
                self.visit_of[facts["VISIT_NO"]] = key
                concept = {"입원": 9201, "응급": 9203, "외래": 9202}[facts["KIND"]]
                detail = {"detail_key": facts["VISIT_NO"], "visit_key": key, "visit_detail_concept_id": concept}
                detail |= {"person_source_value": facts["PT_NO"], "start_datetime": _begin(facts)}
                detail["end_date"] = self._end(facts)
                detail["department"] = facts["DEPT_CD"] if facts["DEPT_CD"] in self.departments else None
                detail["doctor"] = facts["DR_NO"] if facts["DR_NO"] in self.doctors else None
                self.rows["visit_detail"].append(detail | _place(line))

    def _end(self, facts: Facts) -> date:
        """The day of discharge; a stay without one goes on at the extract, anything else ends on its day."""
        if facts["OUT_DT"] is not None:
            return _day(facts["OUT_DT"])
        return self.extract if facts["KIND"] == "입원" else _day(facts["IN_DT"])

    def _deaths(self) -> None:
        for line, facts in self.known("DEATH"):
            row = {"person_source_value": facts["PT_NO"], "death_date": _day(facts["DTH_DT"])}
            cause = {"cause_concept_id": condition_concepts()[facts["_code"]], "cause_source_value": facts["KCD"]}
            self.rows["death"].append(row | cause | _place(line))

    def _add(self, line: Line, facts: Facts, concept: int, fallback: str, **columns: Any) -> None:
        """An event into the table of its concept's domain, or of the domain it is declared for."""
        visit = facts.get("VISIT_NO")
        row = {"person_source_value": facts["PT_NO"], "concept_id": concept} | _place(line)
        if visit in self.visit_of:
            row |= {"visit_key": self.visit_of[visit], "detail_key": visit}
        domain = domains()[concept] if concept else fallback
        self.rows[TABLE_OF_DOMAIN.get(domain, "observation")].append(row | columns)

    def _diagnoses(self) -> None:
        for line, facts in self.known("DIAG"):
            if facts["RO"] == "R/O":
                line.fate = "ruled out"
                continue
            concept = condition_concepts()[facts["_code"]] if facts["_code"] is not None else 0
            self._add(
                line,
                facts,
                concept,
                "Condition",
                start_date=_day(facts["DX_DT"]),
                source_value=facts["KCD"],
                type_concept_id=EHR,
                status_concept_id=PRIMARY if facts["DX_KIND"] == "주" else SECONDARY,
            )

    def _drugs(self) -> None:
        """Executions of orders that are not canceled, less what was returned."""
        orders = {}
        for line, facts in self.now.get("ORDER", ()):
            orders[facts["ORD_NO"]] = facts  # the execution knows its patient itself
            line.fate = "canceled order" if facts["STATUS"] == "취소" else "order, its execution is taken"
            if facts["PT_NO"] not in self.patients:
                line.fate = "unknown person"
        returned: dict[int, float] = {}
        for _, facts in self.now.get("EXEC", ()):
            if facts["KIND"] == "반납":
                returned[facts["FROM_NO"]] = returned.get(facts["FROM_NO"], 0.0) + (facts["QTY"] or 0.0)
        for line, facts in self.known("EXEC"):
            order = orders.get(facts["ORD_NO"])
            if order is None:
                line.fate = "no order"
                continue
            back = returned.get(facts["EXEC_NO"], 0.0)
            if facts["KIND"] == "반납" or order["STATUS"] == "취소":
                line.fate = "return" if facts["KIND"] == "반납" else "canceled order"
                continue
            quantity = None if facts["QTY"] is None else facts["QTY"] - back
            if quantity is not None and quantity <= 0:
                line.fate = "returned in full"
                continue
            self._exposure(line, facts, order, quantity, back > 0)

    def _exposure(self, line: Line, facts: Facts, order: Facts, quantity: float | None, partly: bool) -> None:
        days = order["DAYS"]
        if partly:
            daily = order["DOSE"] * order["FREQ"]
            days = None if quantity is None else max(round(quantity / daily), 1)
        listed = self.drugs.get(order["DRUG_CD"])
        concept = 0
        if order["_drug"] is not None:
            concept = drug_concept(order["_drug"], listed is not None and listed["KDC_CD"] is not None)
        day = _day(facts["EXEC_DT"])
        self._add(
            line,
            facts | {"VISIT_NO": order["VISIT_NO"]},
            concept,
            "Drug",
            start_date=day,
            start_datetime=_moment(facts["EXEC_DT"], facts["EXEC_TM"]),
            end_date=day + timedelta(days=(days or 1) - 1),
            source_value=order["DRUG_CD"],
            type_concept_id=DRUG_TYPES[facts["KIND"]],
            quantity=quantity,
            days_supply=days,
            route_concept_id=None if listed is None else ROUTE_CONCEPTS.get(listed["ROUTE"], 0),
        )

    def _results(self) -> None:
        for line, facts in self.known("LAB"):
            if facts["RESULT"] is None or facts["RESULT"] in NO_RESULT:
                line.fate = "no result"
                continue
            test = facts["_test"]
            self._add(
                line,
                facts,
                test.concept if test else 0,
                "Measurement",
                start_date=_day(facts["SPC_DT"]),
                start_datetime=_moment(facts["SPC_DT"], facts["SPC_TM"]),
                source_value=facts["LAB_CD"],
                type_concept_id=LAB,
                operator_concept_id=facts["_operator"],
                value_as_number=facts["_number"],
                value_as_concept_id=facts["_value"],
                unit_concept_id=facts["_unit"],
                range_low=facts["_low"],
                range_high=facts["_high"],
                value_source_value=facts["RESULT"],
            )

    def _vitals(self) -> None:
        for line, facts in self.known("VITAL"):
            for column, (concept, unit) in VITALS.items():
                if facts[column] is not None:
                    self._add(
                        line,
                        facts,
                        concept,
                        "Measurement",
                        start_date=_day(facts["VS_DT"]),
                        start_datetime=_moment(facts["VS_DT"], facts["VS_TM"]),
                        source_value=column,
                        type_concept_id=EXAMINATION,
                        value_as_number=float(facts[column]),
                        unit_concept_id=unit,
                    )

    def _procedures(self) -> None:
        for line, facts in self.known("PROC"):
            if facts["STATUS"] != "실시":
                line.fate = "not performed"
                continue
            key = facts["_service"]
            for concept in service_concepts().get(key, [0]) if key else [0]:
                self._add(
                    line,
                    facts,
                    concept,
                    "Procedure",
                    start_date=_day(facts["DONE_DT"]),
                    start_datetime=_moment(facts["DONE_DT"], facts["DONE_TM"]),
                    source_value=facts["EDI_CD"],
                    type_concept_id=EHR,
                    quantity=None if facts["QTY"] is None else float(facts["QTY"]),
                )

    def _periods(self) -> None:
        """From the first record to death in the hospital, or else to the extract."""
        first: dict[str, date] = {}
        for name in (*EVENT_TABLES, "visit_occurrence"):
            for row in self.rows[name]:
                day = row["start_datetime"].date() if name == "visit_occurrence" else row["start_date"]
                who = row["person_source_value"]
                first[who] = min(first.get(who, day), day)
        died = {row["person_source_value"]: row["death_date"] for row in self.rows["death"]}
        for who, day in first.items():
            end = max(day, died.get(who, self.extract))
            self.rows["observation_period"].append({"person_source_value": who, "start_date": day, "end_date": end})


def _begin(facts: Facts) -> datetime:
    moment = _moment(facts["IN_DT"], facts["IN_TM"])
    assert moment is not None, "every visit has a time"
    return moment


def _place(line: Line) -> dict[str, Any]:
    return {"file": line.file, "line": line.number}
