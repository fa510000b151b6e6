"""From a CDM row to its source line, and forward again."""

from pathlib import Path

import pytest
from small_clinic import run
from test_standardize_run import FEBRUARY, JANUARY, PATIENTS

from madang.base.errors import MadangError
from madang.lake.engine import Engine
from madang.science.omop.cdm import TABLES
from madang.science.standardize import Standardized
from madang.science.standardize.compiler.outputs import identifier_of
from madang.science.standardize.trace import Row, Tracer


def lines_of(tracer: Tracer, table: str, identifier: int, folder: Path) -> list[tuple[str, str]]:
    """(role, original text) of each line behind a row."""
    assert tracer.folder == folder / "in"
    lines = tracer.row(table, identifier).lines
    originals = tracer.originals()
    return [(line.role, originals.read(line.file, line.line).text or "") for line in lines]


def only(done: Standardized, sql: str) -> int:
    (row,) = done.sql(sql).to_pylist()
    return int(next(iter(row.values())))


def test_every_row_leads_to_the_line_that_made_it_and_back(tmp_path: Path) -> None:
    done = run(tmp_path, JANUARY | FEBRUARY)
    with Engine() as engine:
        tracer = Tracer(done.version, engine)
        checked = 0
        for table in done.version.tables:
            key = identifier_of(table) if table in TABLES else None
            if key is None or table.endswith("_era") or table == "observation_period":
                continue
            for (identifier,) in engine.rows(f"SELECT {key} FROM {tracer._table(table)}"):
                lines = tracer.row(table, identifier).lines
                assert lines, (table, identifier)
                for line in lines:
                    assert Row(table, identifier) in set(tracer.made_by(line.file.number, line.line))
                checked += 1
        assert checked > 15
        drug = only(done, "select min(drug_exposure_id) from drug_exposure")
        assert lines_of(tracer, "drug_exposure", drug, tmp_path) == [("source", "1,1,650000100,30,10")]
        stay = only(done, "select visit_occurrence_id from visit_occurrence where visit_concept_id = 9201")
        assert lines_of(tracer, "visit_occurrence", stay, tmp_path) == [
            ("source", "2,p2,20130128,s1"),
            ("member", "3,p2,20130202,s1"),
        ]


def test_a_corrected_row_shows_its_first_line_and_its_correction(tmp_path: Path) -> None:
    done = run(tmp_path, {"patients": PATIENTS, "results": ["1,I,p1,2013-01-04,101,", "1,U,p1,2013-01-04,111,"]})
    with Engine() as engine:
        identifier = only(done, "select measurement_id from measurement")
        assert lines_of(Tracer(done.version, engine), "measurement", identifier, tmp_path) == [
            ("source", "1,I,p1,2013-01-04,101,"),
            ("correction", "1,U,p1,2013-01-04,111,"),
        ]


def test_an_era_names_the_rows_it_was_computed_from(tmp_path: Path) -> None:
    done = run(tmp_path, JANUARY | FEBRUARY)
    with Engine() as engine:
        era = only(done, "select condition_era_id from condition_era where condition_concept_id = 201826")
        found = Tracer(done.version, engine).row("condition_era", era)
        expected = done.sql(
            "select condition_occurrence_id i from condition_occurrence where condition_concept_id = 201826"
        )
        assert {row.identifier for row in found.computed_from} == set(expected["i"].to_pylist())


@pytest.mark.parametrize(("table", "identifier"), [("person", 999), ("nothing", 1)])
def test_what_is_not_there_is_one_sentence(tmp_path: Path, table: str, identifier: int) -> None:
    done = run(tmp_path, JANUARY)
    with Engine() as engine, pytest.raises(MadangError, match=r"has no (row 999|table 'nothing')"):
        Tracer(done.version, engine).row(table, identifier)
