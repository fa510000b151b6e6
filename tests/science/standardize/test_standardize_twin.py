"""Random dirty files of the small clinic against a conversion in plain Python, month by month and all at once."""

import datetime
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from small_clinic import HEADERS, run

from madang.lake.engine import Engine
from madang.science.omop.cdm import TABLES
from madang.science.standardize import Standardized
from madang.science.standardize.entities import table_sql
from madang.science.standardize.trace import Tracer

MONTHS = ("201301", "201302", "201303")
Files = dict[str, list[str]]
Fates = dict[tuple[str, int], str]

GOOD = ["p1,1980-02-03,M", "p2,1990-12-31,F"]  # at the end of the patients, or hardly any line would be used
PEOPLE = ["p1", "p1", "p1", "p2", "p2", "p2", "p3", "p4", "p9", ""]
VISITS = [*"123456123456", "x", "", "7.5"]
NUMBERS = ["1", "2", "3", ""]
DAYS = [f"{month}{day}" for month in MONTHS for day in ("01", "15", "28")]
VALUES: dict[str, list[Sequence[str]]] = {  # of each column
    "patients": [PEOPLE, ["1980-02-03", "1990-12-31", "1990-02-30", ""], "MF?"],
    "visits": [VISITS, PEOPLE, [*DAYS, "20130230", ""], ["", "", "s1", "s2"]],
    "dx": [VISITS, NUMBERS, ["I109", "E119", "NOSUCH", ""]],
    "sv": [
        VISITS,
        NUMBERS,
        ["C3750", "650000100", "XX1", "M6561", "NOSUCH", ""],
        ["", "30", "many"],
        ["", "10", "1.5"],
    ],
}


def lines_of(kind: str, chance: Random) -> list[str]:
    """Lines with now and then a field too few or too many."""
    lines = []
    for _line in range(chance.randrange(10)):
        row = [chance.choice(values) for values in VALUES[kind]]
        how = chance.randrange(10)
        lines.append(",".join(row[:-1] if how == 0 else [*row, "x"] if how == 1 else row))
    return lines


@st.composite
def clinics(draw: st.DrawFn) -> Files:
    # Evenly spread: what Hypothesis likes to choose is the same again and again, which is a duplicate and not used.
    chance = draw(st.randoms(use_true_random=True))
    files = {"patients": [*lines_of("patients", chance), *GOOD]}
    return files | {f"{kind}_{month}": lines_of(kind, chance) for month in MONTHS for kind in ("visits", "dx", "sv")}


class Twin:
    """The conversion of the small clinic's pack, one row after the other."""

    def __init__(self, files: Mapping[str, Sequence[str]]) -> None:
        self.files, self.fates = files, Fates()
        self.people: dict[str, str] = {}
        self.details: dict[tuple[str, int], tuple[str, datetime.date]] = {}
        self.stays: dict[tuple[str, ...], list[datetime.date]] = {}
        self.conditions, self.services = Counter[Any](), Counter[Any]()
        for place, row in self._rows(["patients"], {"PT": str, "BORN": datetime.date.fromisoformat}, ["PT"]):
            if row["SEX"] == "?":
                self.fates[place] = "rejected"
            else:
                self.people[row["PT"]] = row["SEX"]
        wanted = {"VISIT": int, "PT": str, "DAY": lambda text: datetime.datetime.strptime(text, "%Y%m%d").date()}
        for place, row in self._rows([f"visits_{month}" for month in MONTHS], wanted, ["VISIT"]):
            if row["PT"] not in self.people:
                self.fates[place] = "rejected"
                continue
            self.details[place[0][-10:-4], row["VISIT"]] = (row["PT"], row["DAY"])
            stay = (row["PT"], row["STAY"]) if row["STAY"] else (row["PT"], "", str(row["VISIT"]))
            self.stays.setdefault(stay, []).append(row["DAY"])
        for place, row in self._rows([f"dx_{m}" for m in MONTHS], {"VISIT": int, "NO": int}, ["VISIT", "NO"]):
            if found := self._detail(place[0][-10:-4], place, row):
                self.conditions[(*found, row["CODE"] or None)] += 1
        wanted = {"VISIT": int, "NO": int, "CODE": str}
        for place, row in self._rows([f"sv_{m}" for m in MONTHS], wanted, ["VISIT", "NO"]):
            if found := self._detail(place[0][-10:-4], place, row):
                if row["CODE"].startswith("XX"):
                    self.fates[place] = "unused"
                else:
                    self.services[(*found, row["CODE"])] += 2 if row["CODE"] == "M6561" else 1

    def _detail(self, month: str, place: tuple[str, int], row: dict[str, Any]) -> tuple[str, datetime.date] | None:
        found = self.details.get((month, row["VISIT"]))
        if found is None:
            self.fates[place] = "rejected"
        return found

    def _rows(
        self, names: Sequence[str], wanted: Mapping[str, Any], key: Sequence[str]
    ) -> Iterator[tuple[tuple[str, int], dict[str, Any]]]:
        """Rows whose required fields can be read and whose key did not come before in these files."""
        seen = set()
        for name in names:
            columns = HEADERS[name.split("_")[0]].split(",")
            for number, line in enumerate(self.files[name], start=2):
                place, fields = (f"{name}.csv", number), line.split(",")
                self.fates[place] = "rejected"
                if len(fields) != len(columns):
                    continue
                row: dict[str, Any] = dict(zip(columns, fields, strict=True))
                try:
                    row |= {column: read(row[column]) for column, read in wanted.items()}
                except ValueError:
                    continue
                known = tuple(row[column] for column in key)
                if "" in (row[column] for column in wanted) or known in seen:
                    continue
                seen.add(known)
                self.fates[place] = "used"
                yield place, row


def fates(done: Standardized) -> Fates:
    """The fate of every line that the run was given."""
    names = {file["number"]: file["name"] for file in done.version.info["files"]}
    found = {(f["name"], n): "used" for f in done.version.info["files"] for n in range(2, f["lines"] + 1)}
    with Engine() as engine:
        done.version.attach(engine, restricted=True)
        for file, line, fate in engine.rows("SELECT file, line, fate FROM fates"):
            assert found[names[file], line] == "used"
            found[names[file], line] = fate
    return found


def asked(done: Standardized, sql: str) -> Counter[Any]:
    """Rows of a SELECT; a table that nothing was written to is not there and has none."""
    with Engine() as engine:
        done.attach(engine)
        for table in set(TABLES) - set(done.version.tables):
            engine.execute(f"CREATE VIEW {table} AS {table_sql(table, {}, '(SELECT 1)')} WHERE FALSE")
        return Counter(engine.rows(sql))


def check_rows(done: Standardized, twin: Twin) -> None:
    person = "(select person_source_value from person p where p.person_id = e.person_id)"
    assert asked(done, "select person_source_value, gender_source_value from person") == Counter(twin.people.items())
    assert asked(
        done, f"select {person}, visit_start_date, visit_end_date, visit_concept_id from visit_occurrence e"
    ) == Counter((k[0], min(d), max(d), 9201 if k[1] else 9202) for k, d in twin.stays.items())
    assert (
        asked(done, f"select {person}, condition_start_date, condition_source_value from condition_occurrence e")
        == twin.conditions
    )
    services = " union all ".join(
        f"select {person}, {date}, {table.split('_')[0]}_source_value from {table} e"
        for table, date in (
            ("procedure_occurrence", "procedure_date"), ("drug_exposure", "drug_exposure_start_date"),
            ("measurement", "measurement_date"), ("device_exposure", "device_exposure_start_date"),
            ("observation", "observation_date"),
        )
    )  # fmt: skip
    assert asked(done, services) == twin.services


def check_trace(done: Standardized, known: Fates) -> int:
    """Every row of the CDM comes from lines that are used, and each of those lines leads to it again."""
    traced = 0
    with Engine() as engine:
        tracer = Tracer(done.version, engine)
        for table in ("person", "visit_occurrence", "visit_detail", "condition_occurrence", "measurement", "cost"):
            for (identifier,) in asked(done, f"select {table}_id from {table}"):
                lines = tracer.row(table, identifier).lines
                assert lines
                for line in lines:
                    assert known[line.file.name, line.line] == "used"
                    assert (table, identifier) in {
                        (r.table, r.identifier) for r in tracer.made_by(line.file.number, line.line)
                    }
                    traced += 1
    return traced


def contents(done: Standardized) -> dict[str, str]:
    return {name: table.content for name, table in done.version.tables.items()}


def check_all(files: Files, counts: Counter[str], traced: bool) -> None:
    twin = Twin(files)
    with tempfile.TemporaryDirectory() as name:
        at_once = run(Path(name) / "once", files)
        known = fates(at_once)
        assert known == twin.fates
        check_rows(at_once, twin)
        for month in range(1, len(MONTHS) + 1):
            some = {n: lines for n, lines in files.items() if n == "patients" or n[-6:] in MONTHS[:month]}
            grown = run(Path(name) / "grown", some)
        assert contents(grown) == contents(at_once)
        assert grown.report.sources == at_once.report.sources
        counts.update(known.values())
        counts.update(stays=len(twin.stays), conditions=twin.conditions.total(), services=twin.services.total())
        if traced:
            counts["traced"] += check_trace(at_once, known)


def test_random_files_become_what_a_loop_makes_of_them() -> None:
    counts = Counter[str]()

    @settings(max_examples=2, derandomize=True, phases=[Phase.generate])
    @given(clinics())
    def check(files: Files) -> None:
        check_all(files, counts, traced=True)

    check()
    check_all(RICH, counts, traced=True)
    assert all(counts[kind] for kind in KINDS), counts


@pytest.mark.big
def test_many_random_files_become_what_a_loop_makes_of_them() -> None:
    counts = Counter[str]()

    @settings(max_examples=60)
    @given(clinics())
    def check(files: Files) -> None:
        check_all(files, counts, traced=counts["used"] % 5 == 0)

    check()
    assert all(counts[kind] for kind in KINDS), counts


KINDS = ("used", "rejected", "unused", "stays", "conditions", "services", "traced")
RICH: Files = {
    "patients": ["p1,1980-02-03,M", "p2,1990-12-31,F", "p3,1990-12-31,?", "p1,1980-02-03,M", "p4,1990-02-30,M"],
    "visits_201301": ["1,p1,20130115,", "2,p2,20130128,s1", "3,p3,20130115,", "1,p2,20130115,"],
    "dx_201301": ["1,1,I109", "1,1,I109", "2,1,NOSUCH", "3,1,I109", "4,1,I109", "2,1"],
    "sv_201301": ["1,1,M6561,30,10", "1,2,XX1,,", "2,1,650000100,many,1.5", "2,2,,,"],
    "visits_201302": ["4,p2,20130201,s1", "5,p1,20130215,", "2,p2,20130228,s1"],
    "dx_201302": ["4,1,E119", "1,1,I109", "5,1,"],
    "sv_201302": ["4,1,C3750,,10", "4,1,C3750,,11"],
    "visits_201303": ["6,p1,20130301,"],
    "dx_201303": [],
    "sv_201303": ["6,1,NOSUCH,30,10", "6,x,NOSUCH,30,10"],
}
