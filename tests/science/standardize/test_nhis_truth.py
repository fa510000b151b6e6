"""The synthetic insurer's CDM, person by person, against the truth that was written from the simulated lives."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from madang.lake.engine import Engine, quote_text
from madang.science.omop.starter import starter_path
from madang.science.standardize import Standardized, standardize
from madang.science.synthesis import synthesize

EVENTS = {
    "condition_occurrence": "condition_start_date, condition_source_value, NULL, NULL, NULL, NULL, NULL, "
    "condition_status_concept_id",
    "drug_exposure": "drug_exposure_start_date, drug_source_value, quantity, days_supply, NULL, NULL, NULL, NULL",
    "procedure_occurrence": "procedure_date, procedure_source_value, NULL, NULL, NULL, NULL, NULL, NULL",
    "device_exposure": "device_exposure_start_date, device_source_value, NULL, NULL, NULL, NULL, NULL, NULL",
    "measurement": "measurement_date, measurement_source_value, NULL, NULL, value_as_number, value_as_concept_id, "
    "unit_concept_id, NULL",
    "observation": "observation_date, observation_source_value, NULL, NULL, value_as_number, value_as_concept_id, "
    "NULL, NULL",
}
TRUTH = "start_date, source_value, quantity, days_supply, value_as_number, value_as_concept_id, unit_concept_id, "
TRUTH += "status_concept_id"


class Compared:
    """The CDM and the truth of one synthetic insurer, side by side in an engine."""

    def __init__(self, engine: Engine, done: Standardized, folder: Path) -> None:
        self.engine, self.done = engine, done
        done.attach(engine, "cdm")
        done.version.attach(engine, "companion", restricted=True)
        engine.execute("CREATE SCHEMA truth")
        for path in (folder / "truth").glob("*.parquet"):
            engine.execute(f"CREATE VIEW truth.{path.stem} AS FROM read_parquet({quote_text(str(path))})")

    def difference(self, ours: str, theirs: str) -> list[tuple[object, ...]]:
        """Rows of one SELECT that the other has not as often; empty when they are equal as multisets."""
        return self.engine.rows(
            f"(SELECT 'cdm' AS side, * FROM ({ours}) EXCEPT ALL SELECT 'cdm', * FROM ({theirs})) UNION ALL "
            f"(SELECT 'truth', * FROM ({theirs}) EXCEPT ALL SELECT 'truth', * FROM ({ours})) LIMIT 5"
        )


@contextmanager
def compared(folder: Path, *, persons: int, seed: int, dirt: int) -> Iterator[Compared]:
    source = folder / "nhis"
    synthesize("nhis", source, persons=persons, seed=seed, start_year=2006, end_year=2009, dirt=dirt, workers=1)
    done = standardize("nhis-nsc", source, starter_path())
    with Engine() as engine:
        yield Compared(engine, done, source)


@pytest.mark.sampled
@pytest.mark.parametrize("dirt", [0, 1, 2])
def test_the_cdm_is_the_truth(tmp_path: Path, dirt: int) -> None:
    with compared(tmp_path, persons=150, seed=11 + dirt, dirt=dirt) as both:
        person = "p.person_source_value::BIGINT AS person"
        assert not both.difference(
            "SELECT file, line, fate FROM (SELECT f.name AS file, x.line, x.fate FROM companion.fates x JOIN "
            f"({_files(both.done)}) f ON f.number = x.file)",
            "SELECT file, line, fate FROM truth.fates WHERE fate <> 'used'",
        )
        assert not both.difference(
            f"SELECT {person}, gender_concept_id, race_concept_id FROM cdm.person p",
            "SELECT person_source_value, gender_concept_id, race_concept_id FROM truth.person",
        )
        outside = both.engine.value(
            "SELECT count(*) FROM cdm.person p JOIN truth.person t USING (person_source_value) "
            "WHERE p.year_of_birth NOT BETWEEN t.year_of_birth_low AND t.year_of_birth_high"
        )
        assert outside == 0
        assert not both.difference(
            f"SELECT {person}, death_date, cause_concept_id, cause_source_value "
            "FROM cdm.death JOIN cdm.person p USING (person_id)",
            "SELECT person_source_value, death_date, cause_concept_id, cause_source_value FROM truth.death",
        )
        assert not both.difference(
            f"SELECT {person}, observation_period_start_date, observation_period_end_date "
            "FROM cdm.observation_period JOIN cdm.person p USING (person_id)",
            "SELECT person_source_value, start_date, end_date FROM truth.observation_period",
        )
        assert not both.difference(
            f"SELECT visit_source_value::BIGINT, {person}, visit_concept_id, visit_start_date, visit_end_date "
            "FROM cdm.visit_occurrence JOIN cdm.person p USING (person_id)",
            "SELECT visit_key, person_source_value, visit_concept_id, start_date, end_date FROM truth.visit_occurrence",
        )
        assert not both.difference(
            f"SELECT visit_detail_source_value::BIGINT, v.visit_source_value::BIGINT, {person}, "
            "visit_detail_start_date, visit_detail_end_date FROM cdm.visit_detail JOIN cdm.person p USING (person_id) "
            "JOIN cdm.visit_occurrence v USING (visit_occurrence_id)",
            "SELECT key_seq, visit_key, person_source_value, start_date, end_date FROM truth.visit_detail",
        )
        for table, columns in EVENTS.items():
            concept = f"{table.split('_')[0]}_concept_id"
            wanted = [
                "NULL" if ours.strip() == "NULL" else theirs
                for ours, theirs in zip(columns.split(","), TRUTH.split(","), strict=True)
            ]
            assert not both.difference(
                f"SELECT {person}, {concept}, v.visit_source_value::BIGINT, {columns} FROM cdm.{table} e "
                "JOIN cdm.person p USING (person_id) LEFT JOIN cdm.visit_occurrence v USING (visit_occurrence_id)",
                f"SELECT person_source_value, concept_id, visit_key, {', '.join(wanted)} FROM truth.{table}",
            ), table


def _files(done: Standardized) -> str:
    rows = ", ".join(f"({file['number']}, {quote_text(file['name'])})" for file in done.version.info["files"])
    return f"SELECT * FROM (VALUES {rows}) AS v(number, name)"
