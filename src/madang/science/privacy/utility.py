"""What an extract still answers: ten standard questions, asked before and after, and how far the answers move."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import later
from madang.lake.engine import Engine

# Each gives rows of (key, number). Keys that only one side has count as 0 on the other.
QUESTIONS: dict[str, tuple[tuple[str, ...], str]] = {
    later("persons by sex"): (("person",), "SELECT gender_concept_id::VARCHAR, count(*) FROM {s}.person GROUP BY 1"),
    later("persons by ten years of birth"): (
        ("person",),
        "SELECT (year_of_birth // 10 * 10)::VARCHAR, count(*) FROM {s}.person GROUP BY 1",
    ),
    later("persons per diagnosis (50 most frequent)"): (
        ("condition_occurrence",),
        "SELECT condition_concept_id::VARCHAR, count(DISTINCT person_id) AS n FROM {s}.condition_occurrence "
        "WHERE condition_concept_id <> 0 GROUP BY 1 ORDER BY n DESC, 1 LIMIT 50",
    ),
    later("persons per drug (50 most frequent)"): (
        ("drug_exposure",),
        "SELECT drug_concept_id::VARCHAR, count(DISTINCT person_id) AS n FROM {s}.drug_exposure "
        "WHERE drug_concept_id <> 0 GROUP BY 1 ORDER BY n DESC, 1 LIMIT 50",
    ),
    later("visits per year"): (
        ("visit_occurrence",),
        "SELECT year(visit_start_date)::VARCHAR, count(*) FROM {s}.visit_occurrence GROUP BY 1",
    ),
    later("visits per month of the year"): (
        ("visit_occurrence",),
        "SELECT month(visit_start_date)::VARCHAR, count(*) FROM {s}.visit_occurrence GROUP BY 1",
    ),
    later("mean days of a stay"): (
        ("visit_occurrence",),
        "SELECT visit_concept_id::VARCHAR, avg(visit_end_date - visit_start_date) FROM {s}.visit_occurrence "
        "WHERE visit_end_date IS NOT NULL GROUP BY 1",
    ),
    later("mean days from first diagnosis to first drug"): (
        ("condition_occurrence", "drug_exposure"),
        "WITH c AS (SELECT person_id, min(condition_start_date) AS d FROM {s}.condition_occurrence GROUP BY 1), "
        "g AS (SELECT person_id, min(drug_exposure_start_date) AS d FROM {s}.drug_exposure GROUP BY 1) "
        "SELECT 'all', avg(abs(g.d - c.d)) FROM c JOIN g USING (person_id)",
    ),
    later("mean of measurements (20 most frequent)"): (
        ("measurement",),
        "SELECT measurement_concept_id::VARCHAR, avg(value_as_number) FROM {s}.measurement "
        "WHERE measurement_concept_id IN (SELECT measurement_concept_id FROM {s}.measurement "
        "WHERE measurement_concept_id <> 0 AND value_as_number IS NOT NULL GROUP BY 1 "
        "ORDER BY count(*) DESC, 1 LIMIT 20) "
        "GROUP BY 1",
    ),
    later("deaths per year"): (("death",), "SELECT year(death_date)::VARCHAR, count(*) FROM {s}.death GROUP BY 1"),
}


@dataclass(frozen=True)
class Moved:
    """How far the answers of one question move: sum of differences over sum of the answers before; None: not asked."""

    question: str
    share: float | None
    answers: int


def movement(engine: Engine, before: str, after: str, tables: Sequence[str]) -> tuple[Moved, ...]:
    """Ask the questions in both schemas of `engine`; those whose tables or columns are not permitted are not asked."""
    found = []
    for name, (needed, sql) in QUESTIONS.items():
        if not set(needed) <= set(tables):
            found.append(Moved(name, None, 0))
            continue
        try:
            new = _answers(engine, sql, after)
            old = _answers(engine, sql, before)
        except MadangError as error:
            if error.code not in ("engine.columns", "engine.unknown"):
                raise
            found.append(Moved(name, None, 0))
            continue
        keys = set(old) | set(new)
        base = sum(abs(value) for value in old.values())
        moved = sum(abs(old.get(key, 0.0) - new.get(key, 0.0)) for key in keys)
        found.append(Moved(name, moved / base if base else (0.0 if not moved else 1.0), len(keys)))
    return tuple(found)


def _answers(engine: Engine, sql: str, schema: str) -> dict[str, float]:
    return {str(row[0]): float(row[1]) for row in engine.rows(sql.format(s=schema)) if row[1] is not None}


def as_json(moved: Sequence[Moved]) -> list[dict[str, Any]]:
    """The movements as JSON."""
    return [
        {
            "question": each.question,
            "moved": None if each.share is None else round(each.share, 6),
            "answers": each.answers,
        }
        for each in moved
    ]
