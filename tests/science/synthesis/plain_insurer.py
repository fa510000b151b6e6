"""Reads an insurer's files the slow, obvious way, line by line, by the rules of docs/synthesis.md.

Knows nothing of the simulation: codes are looked up in the starter vocabulary's files.
"""

import csv
from collections import Counter, defaultdict
from datetime import date, timedelta
from pathlib import Path

from madang.science.omop.starter import starter_path

INPATIENT = ("02", "04", "06", "07", "10", "12")
URGENT = ("11", "21", "31")
KEYS = {
    "JK": ("STND_Y", "PERSON_ID"),
    "GY20": ("KEY_SEQ",),
    "GY30": ("KEY_SEQ", "SEQ_NO"),
    "GY40": ("KEY_SEQ", "SEQ_NO"),
    "GY60": ("KEY_SEQ", "SEQ_NO"),
    "GJ": ("PERSON_ID", "HCHK_YEAR"),
    "YK": ("STND_Y", "YKIHO_ID"),
}
TABLES = {
    "Condition": "condition_occurrence",
    "Drug": "drug_exposure",
    "Procedure": "procedure_occurrence",
    "Measurement": "measurement",
    "Observation": "observation",
    "Device": "device_exposure",
}
CHECKUP = {
    "HEIGHT": 3036277,
    "WEIGHT": 3025315,
    "WAIST": 3016258,
    "BP_HIGH": 3004249,
    "BP_LWST": 3012888,
    "BLDS": 3037110,
    "TOT_CHOLE": 3027114,
    "TRIGLYCERIDE": 3022192,
    "HDL_CHOLE": 3007070,
    "LDL_CHOLE": 3028437,
    "HMG": 3000963,
    "CREATININE": 3016723,
    "SGOT_AST": 3013721,
    "SGPT_ALT": 3006923,
    "GAMMA_GTP": 3026910,
}
PROTEIN = {"1": 9189, "2": 4127785, "3": 4123508, "4": 4126673, "5": 4125547, "6": 4126674}
SMOKING = {"1": 4222303, "2": 4310250, "3": 4276526}


def vocabulary(name: str) -> list[dict[str, str]]:
    with (starter_path() / f"{name}.csv").open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


class Codes:
    """Codes looked up by vocabulary, code and date in the starter vocabulary."""

    def __init__(self) -> None:
        self.concepts: dict[tuple[str, str], list[dict[str, str]]] = defaultdict(list)
        self.domain: dict[int, str] = {}
        for row in vocabulary("CONCEPT"):
            self.concepts[row["vocabulary_id"], row["concept_code"]].append(row)
            self.domain[int(row["concept_id"])] = row["domain_id"]
        self.targets: dict[tuple[str, str], list[int]] = defaultdict(list)
        for row in vocabulary("CONCEPT_RELATIONSHIP"):
            self.targets[row["concept_id_1"], row["relationship_id"]].append(int(row["concept_id_2"]))

    def targets_of(self, vocabulary_id: str, code: str, day: date) -> list[tuple[int, int | None]]:
        """(concept, value concept) of every target; none where the code is unmapped."""
        for step in self._steps(vocabulary_id, code):
            found = self.concepts.get(step, [])
            when = day.strftime("%Y%m%d")
            valid = [row for row in found if row["valid_start_date"] <= when <= row["valid_end_date"]]
            for row in valid or sorted(found, key=lambda row: row["valid_end_date"])[:1]:
                concept = row["concept_id"]
                values = self.targets[concept, "Maps to value"]
                if self.targets[concept, "Maps to"]:
                    return [(target, self._value(target, values)) for target in self.targets[concept, "Maps to"]]
        return []

    def _value(self, target: int, values: list[int]) -> int | None:
        return values[0] if values and self.domain[target] in ("Measurement", "Observation") else None

    @staticmethod
    def _steps(vocabulary_id: str, code: str) -> list[tuple[str, str]]:
        if vocabulary_id != "KCD":
            return [(vocabulary_id, code)]
        dotted = code if len(code) < 4 else f"{code[:3]}.{code[3:]}"
        parents = [("KCD7", code[:n]) for n in range(len(code) - 1, 2, -1)]
        return [("KCD7", code), ("ICD10", dotted), *parents]


def to_date(text: str) -> date | None:
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        return None


def to_number(text: str) -> float | None:
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return None


class PlainInsurer:
    """All rows and their fates, then the events."""

    def __init__(self, folder: Path) -> None:
        self.fates: dict[tuple[str, int], tuple[str, str]] = {}
        self.rows: dict[str, list[tuple[str, int, dict[str, str]]]] = {table: [] for table in KEYS}
        self.events: Counter[tuple[object, ...]] = Counter()
        self.codes = Codes()
        for path in sorted(folder.glob("*.CSV")):
            self._read(path)
        self._accept()

    def _read(self, path: Path) -> None:
        table = path.name.split("_")[1].removesuffix(".CSV")
        lines = path.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n")
        assert lines.pop() == b""
        header = lines[0].rstrip(b"\r").decode("cp949").split(",")
        seen: dict[tuple[str, ...], set[tuple[str | None, ...]]] = {}
        for number, line in enumerate(lines[1:], start=2):
            line = line.rstrip(b"\r")
            fields, reason = self._fields(line, len(header))
            row = dict(zip(header, fields, strict=False))
            reason = reason or self._bad(table, row)
            if not reason:
                key = tuple(row[name] for name in KEYS[table])
                content = tuple(fields)
                if key in seen:
                    reason = "exact duplicate" if content in seen[key] else "duplicate key"
                seen.setdefault(key, set()).add(content)
            if reason:
                self.fates[path.name, number] = ("rejected", reason)
            else:
                self.rows[table].append((path.name, number, row))

    @staticmethod
    def _fields(line: bytes, count: int) -> tuple[list[str], str]:
        if not line:
            return [], "empty line"
        text = line.decode("cp949", errors="replace")
        if text.count('"') % 2:
            return [], "open quote"
        fields = next(csv.reader([text]))
        if len(fields) < count:
            return [], "few fields"
        return (fields, "") if len(fields) == count else ([], "many fields")

    @staticmethod
    def _bad(table: str, row: dict[str, str]) -> str:
        if "PERSON_ID" in row and not row["PERSON_ID"]:
            return "missing person"
        if table == "GY20" and to_date(row["RECU_FR_DT"]) is None:
            return "bad required field"
        code = {"GY30": "DIV_CD", "GY40": "SICK_SYM", "GY60": "DIV_CD"}.get(table)
        return "bad required field" if code and "\ufffd" in row[code] else ""

    def _accept(self) -> None:
        people = {row["PERSON_ID"] for _, _, row in self.rows["JK"]}
        headers = {}
        for file, line, row in self.rows["GY20"]:
            if row["PERSON_ID"] not in people:
                self.fates[file, line] = ("rejected", "unknown person")
                continue
            headers[row["KEY_SEQ"]] = row
            pharmacy = "_T3_" in file
            self.fates[file, line] = ("unused", "pharmacy claim is no visit") if pharmacy else ("used", "")
        self.visit_of, self.visits = self._visits(headers)
        for table in ("GY30", "GY40", "GY60"):
            for file, line, row in self.rows[table]:
                header = headers.get(row["KEY_SEQ"])
                if header is None:
                    self.fates[file, line] = ("rejected", "no claim header")
                elif table == "GY60" and header["FORM_CD"] not in INPATIENT:
                    self.fates[file, line] = ("unused", "prescription, its dispensing is taken")
                else:
                    self.fates[file, line] = ("used", "")
                    self._line(table, file, row, header)
        for file, line, row in self.rows["GJ"]:
            if row["PERSON_ID"] not in people:
                self.fates[file, line] = ("rejected", "unknown person")
            else:
                self.fates[file, line] = ("used", "")
                self._checkup(row)
        for table in ("JK", "YK"):
            for file, line, _ in self.rows[table]:
                self.fates[file, line] = ("used", "")

    def _visits(self, headers: dict[str, dict[str, str]]) -> tuple[dict[str, int], Counter[tuple[object, ...]]]:
        claims = [row for row in headers.values() if row["FORM_CD"] != "20"]
        groups: dict[tuple[str, ...], list[dict[str, str]]] = defaultdict(list)
        stays = {
            (row["PERSON_ID"], row["YKIHO_ID"], row["FST_IN_PAT_DT"]) for row in claims if row["FORM_CD"] in INPATIENT
        }
        for row in claims:
            place = (row["PERSON_ID"], row["YKIHO_ID"])
            group = (*place, row["KEY_SEQ"])
            if row["FORM_CD"] in INPATIENT:
                group = (*place, row["FST_IN_PAT_DT"])
            elif row["IN_PAT_CORS_TYPE"] in URGENT:
                day = to_date(row["RECU_FR_DT"])
                assert day
                for start in (day, day + timedelta(1)):
                    if (*place, f"{start:%Y%m%d}") in stays:
                        group = (*place, f"{start:%Y%m%d}")
                        break
            groups[group].append(row)
        visit_of: dict[str, int] = {}
        visits: Counter[tuple[object, ...]] = Counter()
        for group, members in groups.items():
            key = min(int(row["KEY_SEQ"]) for row in members)
            visit_of |= {row["KEY_SEQ"]: key for row in members}
            stay = any(row["FORM_CD"] in INPATIENT for row in members)
            urgent = any(row["IN_PAT_CORS_TYPE"] in URGENT for row in members)
            concept = (262 if urgent else 9201) if stay else (9203 if urgent else 9202)
            starts = [to_date(row["RECU_FR_DT"]) or date.min for row in members]
            ends = [start + timedelta(int(row["VSCN"]) - 1) for start, row in zip(starts, members, strict=True)]
            told = [day for row in members if (day := to_date(row["FST_IN_PAT_DT"]))]
            visits[key, int(group[0]), concept, min(starts + told), max(ends), int(group[1])] += 1
        return visit_of, visits

    def _line(self, table: str, file: str, row: dict[str, str], header: dict[str, str]) -> None:
        start = to_date(header["RECU_FR_DT"])
        assert start
        drug = table == "GY60" or row.get("DIV_TYPE_CD") == "3"
        code = row["SICK_SYM"] if table == "GY40" else row["DIV_CD"]
        vocabulary_id = "KCD" if table == "GY40" else "KDC" if drug else "EDI"
        declared = "Condition" if table == "GY40" else "Drug" if drug else "Procedure"
        if row.get("DIV_TYPE_CD") == "8":
            declared = "Device"
        times = "DD_EXEC_FREQ" if table == "GY60" else "DD_MQTY_EXEC_FREQ"
        quantity, days, end = None, None, None
        if table != "GY40":
            parts = [to_number(row[name]) for name in (times, "MDCN_EXEC_FREQ", "DD_MQTY_FREQ")]
            quantity = None if None in parts else parts[0] * parts[1] * parts[2]  # type: ignore[operator] # checked
            if drug:
                days = None if parts[1] is None else int(parts[1])
                end = start + timedelta((days or 1) - 1)
        status = None if table != "GY40" else 32902 if row["SEQ_NO"] == "1" else 32908
        visit = self.visit_of.get(row["KEY_SEQ"])
        source = "_".join(file.split("_")[1:3])
        for concept, value in self.codes.targets_of(vocabulary_id, code, start) or [(0, None)]:
            domain = self.codes.domain[concept] if concept else declared
            self.events[
                TABLES[domain],
                int(header["PERSON_ID"]),
                concept,
                start,
                end,
                code,
                source,
                int(row["KEY_SEQ"]),
                int(row["SEQ_NO"]),
                visit,
                quantity,
                days,
                None,
                value,
                status,
            ] += 1

    def _checkup(self, row: dict[str, str]) -> None:
        start = date(int(row["HCHK_YEAR"]), 1, 1)
        rest: list[tuple[str, str, int, float | None, int | None]] = []
        for name, concept in CHECKUP.items():
            if (number := to_number(row[name])) is not None:
                rest.append(("measurement", name, concept, number, None))
        rest.append(("measurement", "OLIG_PROTE_CD", 3014051, None, PROTEIN[row["OLIG_PROTE_CD"]]))
        name = "SMK_STAT_TYPE_RSPS_CD"
        rest.append(("observation", name, SMOKING[row[name]], None, None))
        for table, name, concept, number, value in rest:
            person = int(row["PERSON_ID"])
            nothing = (None, None, None, None, None)
            self.events[(table, person, concept, start, None, name, "GJ", *nothing, number, value, None)] += 1
