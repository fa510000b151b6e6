"""A second pass over small exports of other people, each with its right outcome, through the commands as they are."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from postgres import Postgres
from support import ROOT, shared_data

Rows = list[dict[str, Any]]


class Desk:
    """A home of its own, and the commands in it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.trials = shared_data("trials")

    def madang(self, *arguments: object, status: int = 0) -> str:
        command = [Path(sys.executable).with_name("madang"), *map(str, arguments)]
        environment = os.environ | {"MADANG_HOME": str(self.home), "MADANG_LANGUAGE": "en", "LANG": "C.UTF-8"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=self.home)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def standardize(self, case: str, pack: str | Path = "fhir-r4", *more: object, status: int = 0) -> str:
        source = self.trials / case / "in"
        return self.madang("standardize", "--pack", pack, "--source", source, "--into", case, *more, status=status)

    def kit(self, case: str, pack: str, status: int = 0) -> str:
        return self.standardize(case, self.trials / "kit" / pack, status=status)

    def own(self, case: str, status: int = 0) -> str:
        return self.standardize(case, self.trials / case / "pack", status=status)

    def sql(self, case: str, query: str) -> Rows:
        rows: Rows = json.loads(self.madang("sql", case, query, "--format", "json"))
        return rows

    def draft(self, case: str) -> str:
        """A fresh draft, its own check, and a run."""
        source = self.trials / case / "in"
        self.madang("pack", "new", case, "--from", source, "--to", self.home)
        self.madang("pack", "check", self.home / case, "--source", source)
        return self.standardize(case, self.home / case)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def count(desk: Desk, case: str, table: str) -> int:
    return int(desk.sql(case, f"SELECT count(*) AS n FROM {table}")[0]["n"])


@pytest.mark.big
def test_fhir_exports(desk: Desk) -> None:
    desk.standardize("fhir-idmrn")
    assert count(desk, "fhir-idmrn", "observation WHERE value_as_number = 999") == 0
    assert "Mapped: 50.0% (2/4)" in desk.standardize("fhir-contained2")
    desk.standardize("fhir-key-two-files")
    assert count(desk, "fhir-key-two-files", "condition_occurrence") == 1
    desk.standardize("fhir-late")
    outside = (
        "condition_occurrence JOIN observation_period USING (person_id) "
        "WHERE condition_start_date > observation_period_end_date"
    )
    assert count(desk, "fhir-late", outside) == 0
    told = desk.standardize("fhir-misspelt")
    assert all(name in told for name in ("1.Condition.ndjson", "Conditions.ndjson", "sub/Condition.ndjson"))
    assert "1.Patient.ndjson" in desk.standardize("fhir-names", status=2)
    assert "not of R4" in desk.standardize("fhir-r5")
    told = desk.standardize("fhir-statement")
    assert "MedicationStatement.ndjson: none of its 1 rows is used" in told  # read, and left out by a rule
    assert "FamilyMemberHistory.ndjson" in told
    desk.standardize("fhir-supply")
    days = desk.sql("fhir-supply", "SELECT days_supply AS d FROM drug_exposure ORDER BY 1")
    assert [row["d"] for row in days] == [28, 28, 30, 90]
    desk.standardize("fhir-tz")
    days = desk.sql("fhir-tz", "SELECT DISTINCT visit_start_date AS d FROM visit_occurrence ORDER BY 1 LIMIT 1")
    assert days == [{"d": "2021-02-03"}]
    desk.standardize("fhir-values")
    silent = "measurement WHERE value_source_value IS NULL"
    assert count(desk, "fhir-values", silent) == 0


@pytest.mark.big
def test_csv_exports_with_a_pack(desk: Desk) -> None:
    desk.kit("csv-key", "kpack")
    assert count(desk, "csv-key", "condition_occurrence") == 3
    assert "byte for byte" in desk.kit("csv-copy", "kpack")
    assert count(desk, "csv-copy", "condition_occurrence") == 2
    assert "are cut" in desk.kit("csv-cut", "kpack")
    assert "dx: all" in desk.kit("csv-trailing", "kpack")
    assert "first_year" in desk.kit("date-yy", "kyy", status=2)
    desk.kit("date-nopad", "knopad")
    assert [row["y"] for row in desk.sql("date-nopad", "SELECT year_of_birth AS y FROM person ORDER BY 1")] == [
        1965,
        1965,
        1999,
    ]
    assert "second death" in desk.own("death-twice", status=2)
    desk.own("end-9999")
    assert count(desk, "end-9999", "observation_period WHERE observation_period_end_date >= '9000-01-01'") == 0
    assert desk.sql("end-9999", "SELECT max(condition_era_end_date) AS d FROM condition_era")
    told = desk.own("joined-used")
    assert "joined by no row that made something" in told
    assert "acts.csv:1502" in desk.own("run-error", status=2)
    assert "layout of Synthea 2" in desk.standardize("syn-old", "synthea-csv", status=2)


DRAFTS = (
    "censored", "csv-dates-formats", "csv-decimal", "csv-decimal2", "csv-excelq", "csv-null", "dollar", "end-filler",
    "nhis", "scan-link", "ssn-date", "time-24", "usubjid", "visit-date",
)  # fmt: skip


@pytest.mark.big
@pytest.mark.parametrize("case", DRAFTS)
def test_drafts_pass_their_own_check_and_lose_nothing(desk: Desk, case: str) -> None:
    told = desk.draft(case)
    assert "rejected   " not in told.partition("Rows not used")[2]
    assert count(desk, case, "person") > 0


@pytest.mark.big
def test_values_of_drafts(desk: Desk) -> None:
    desk.draft("csv-decimal2")
    assert count(desk, "csv-decimal2", "measurement WHERE value_as_number NOT BETWEEN 0.1 AND 10") == 0
    desk.draft("censored")
    values = "value_as_number AS n, operator_concept_id AS o, value_source_value AS v"
    low = desk.sql("censored", f"SELECT {values} FROM measurement WHERE value_source_value LIKE '<%'")
    assert [tuple(row.values()) for row in low] == [(0.02, 4171756, "<0.02")] * 2
    desk.draft("end-filler")
    assert count(desk, "end-filler", "drug_exposure WHERE drug_exposure_end_date > drug_exposure_start_date") > 200
    desk.draft("visit-date")
    assert count(desk, "visit-date", "condition_occurrence WHERE visit_occurrence_id IS NULL") == 0
    desk.draft("time-24")
    assert count(desk, "time-24", "measurement") == 400


@pytest.mark.big
def test_scans_and_other_commands(desk: Desk) -> None:
    for case, said in (
        ("csv-duphead", "CODE twice"), ("csv-sepline", "sep=;"), ("enc-1252", "cp1252"), ("otherfiles", "SAS"),
        ("sqlite-zip", "SQLite"), ("dollar", "$"),
    ):  # fmt: skip
        assert said in desk.madang("scan", desk.trials / case / "in")
    assert "S1-103" not in desk.madang("scan", desk.trials / "usubjid" / "in")
    assert "CPT4 is not merged" in desk.madang("vocabulary", "load", desk.trials / "voc-cpt4" / "in", "--name", "a")
    assert "are joined" in desk.madang("vocabulary", "load", desk.trials / "voc-newline" / "in", "--name", "b")
    assert "is SQLite" in desk.madang("import", desk.trials / "sqlite-zip/in/cdm.sqlite", "--into", "c", status=2)
    assert "view" in desk.madang("import", desk.trials / "imp-duck/in/dbt.duckdb", "--into", "d")
    desk.madang("import", desk.trials / "imp-tz" / "in", "--into", "e")
    apart = "visit_occurrence WHERE visit_start_datetime::DATE <> visit_start_date"
    assert count(desk, "e", apart) == 0


@pytest.mark.big
def test_a_cdm_in_postgresql_with_identifiers_beyond_a_double(desk: Desk, postgres: Postgres) -> None:
    database = postgres.fresh()
    postgres.psql("-v", "ON_ERROR_STOP=1", "-f", str(desk.trials / "pg-numeric/in/make.sql"), database=database)
    told = desk.madang("import", postgres.url(database), "--schema", "num", "--into", "pg-numeric")
    assert "materialized view" in told or "observation_period" in told
    people = desk.sql("pg-numeric", "SELECT person_id AS p FROM person ORDER BY 1")
    assert [row["p"] for row in people] == [9007199254740992, 9007199254740993, 3589912774911670296]
    assert desk.sql("pg-numeric", "SELECT person_id AS p FROM death") == [{"p": 9007199254740993}]


@pytest.mark.big
def test_maps_and_reviews_of_others(desk: Desk, tmp_path: Path) -> None:
    vocabulary = shared_data("vocabulary")
    desk.own("map-long")
    code = "respiratory|support and oxygen|ventilation by machine|invasive"
    known = ("--vocabulary", vocabulary)
    desk.madang("mappings", "set", "map-long", "own acts", code, "--to", 4112343, *known)
    pack = shutil.copytree(desk.trials / "map-long/pack", tmp_path / "pack")
    subprocess.run(["chmod", "-R", "u+w", pack], check=True)
    (pack / "maps").mkdir()
    desk.madang("mappings", "export", "map-long", "--source-to-concept-map", pack / "maps/own.csv", *known)
    desk.madang("pack", "check", pack, *known)
    source = desk.trials / "map-long/in"
    told = desk.madang("standardize", "--pack", pack, "--source", source, "--into", "map-long", *known)
    assert "Mapped: 50.0% (1/2)" in told
    desk.own("suggest-code")
    assert "Colonoscopy" in desk.madang("mappings", "suggest", "suggest-code", *known)
    taken = {"plain": 1, "rwritten": 1, "excel": 1, "v11": 1, "value": 3}
    for name, decisions in taken.items():
        usagi = ("--usagi", desk.trials / f"usagi/in/{name}.csv", "--source-vocabulary", "X", "--by", "me")
        told = desk.madang("mappings", "import", tmp_path / f"{name}.csv", *usagi, *known)
        assert f"{decisions} decisions read" in told
    for name, lines in (("retired", (2, 4, 5)), ("semi", (3,))):
        usagi = ("--usagi", desk.trials / f"usagi/in/{name}.csv", "--source-vocabulary", "X", "--by", "me")
        told = desk.madang("mappings", "import", tmp_path / f"{name}.csv", *usagi, *known, status=2)
        assert all(f"line {line}:" in told for line in lines)


@pytest.mark.big
def test_the_example_of_the_docs_for_notebooks_runs(desk: Desk, tmp_path: Path) -> None:
    text = (ROOT / "docs/standardize.md").read_text(encoding="utf-8")
    example = text.partition("```python\n")[2].partition("```")[0].replace("done.attach(engine)", "# ")
    example = example.replace('"exports/synthea"', repr(str(shared_data("synthea-csv"))))
    example = example.replace('"athena/"', repr(str(shared_data("vocabulary"))))
    misspelt = "\ntry:\n    done.table('mesurement')\nexcept Exception as error:\n    print(error)\n"
    (tmp_path / "example.py").write_text(example + misspelt, encoding="utf-8")
    done = subprocess.run([sys.executable, tmp_path / "example.py"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert 'Did you mean "measurement"?' in done.stdout
