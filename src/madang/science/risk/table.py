"""From tables to numbers: who is in, what was known of them before a day, what happened in the year after it."""

import hashlib
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake.engine import Engine, quote_paths
from madang.science.risk.outcomes import OUTCOMES

YEAR = 365  # days
CONDITIONS = 30  # the most frequent ones become columns
LEAST = 20  # people with, and without, the outcome
_VISITS = {"inpatient": (9201, 262, 8717), "emergency": (9203, 262)}  # concepts of OMOP's domain Visit
_NEEDED = ("person", "visit_occurrence", "condition_occurrence")


@dataclass(frozen=True)
class Cohort:
    """People as rows: `x` (people x features) as they were on the day, `y` (0 or 1) of the year after it.

    `data` is the SHA-256 over the hashes of the files that were read, by which a model names its data.
    """

    people: NDArray[np.int64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    features: tuple[str, ...]
    day: date
    outcome: str
    data: str
    files: dict[str, str]


def read_cohort(folder: Path, outcome: str) -> Cohort:
    """Read the tables in `folder` (a folder of Parquet files for each).

    The day is a year before the last visit; in are those who had a visit before it and had not died by then. Features:
    age in years, sex, visits and stays within the year before, how many conditions and drugs were ever noted, and the
    most frequent conditions.

    Errors: `risk.data` where a table is missing, or too few people have, or lack, the outcome.
    """
    tables = _tables(folder, outcome)
    files = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for paths in tables.values()
        for path in paths
    }
    told = "".join(f"{name} {digest}\n" for name, digest in sorted(files.items()))
    with Engine() as engine:
        for name, paths in tables.items():
            engine.execute(f"CREATE VIEW {name} AS FROM read_parquet({quote_paths(paths)})")
        last = engine.value("SELECT max(visit_start_date)::DATE FROM visit_occurrence")
        if last is None:
            raise MadangError("risk.data", _("The data have no visit with a date."))
        engine.execute(f"CREATE TABLE the_day AS SELECT DATE '{last}' - {YEAR} AS day")
        died = "SELECT person_id, death_date::DATE AS died FROM death" if "death" in tables else _NOBODY
        engine.execute(f"""CREATE TABLE people AS
            SELECT person_id, 1.0 * (date_part('year', day) - year_of_birth) AS age,
                (gender_concept_id = 8532)::DOUBLE AS is_female
            FROM person, the_day
            WHERE person_id IN (SELECT person_id FROM visit_occurrence WHERE visit_start_date::DATE < day)
                AND person_id NOT IN (SELECT person_id FROM ({died}) WHERE died <= day)""")
        names = ["age", "is female", *(each for each, _sql in _COUNTS), *_frequent(engine)]
        columns = [sql for _name, sql in _COUNTS] + [
            f"EXISTS (FROM before_conditions AS b WHERE b.person_id = p.person_id AND b.concept = {number})::DOUBLE"
            for number in (name.removeprefix("condition ") for name in names[2 + len(_COUNTS) :])
        ]
        wanted = f"EXISTS (FROM ({_happened(outcome, died)}) AS h WHERE h.person_id = p.person_id)::DOUBLE"
        rows = engine.query(f"""SELECT person_id, age, is_female, {", ".join(columns)}, {wanted}
            FROM people AS p ORDER BY person_id""")
        day = engine.value("SELECT day FROM the_day")
    values = np.column_stack([np.asarray(each.to_numpy(), dtype=np.float64) for each in rows.columns[1:]])
    x, y = np.nan_to_num(values[:, :-1]), values[:, -1]
    if not LEAST <= y.sum() <= len(y) - LEAST:
        raise MadangError(
            "risk.data",
            _(
                "Of {people} people {having} have the outcome; at least {least} have to have it, and as many not."
            ).format(people=len(y), having=int(y.sum()), least=LEAST),
            _("Choose another outcome: {names}.").format(names=", ".join(OUTCOMES)),
        )
    digest = hashlib.sha256(told.encode()).hexdigest()
    people = np.asarray(rows.columns[0].to_numpy(), dtype=np.int64)
    return Cohort(people, x, y, tuple(names), day, outcome, digest, files)


_NOBODY = "SELECT NULL::BIGINT AS person_id, NULL::DATE AS died WHERE false"
_DAY = "(SELECT day FROM the_day)"
_WITHIN = f"visit_start_date::DATE < {_DAY} AND visit_start_date::DATE >= {_DAY} - {YEAR}"
_COUNTS = (
    ("visits in a year", f"(SELECT count(*) FROM visit_occurrence AS v WHERE v.person_id = p.person_id AND {_WITHIN})"),
    (
        "stays in a year",
        "(SELECT count(*) FROM visit_occurrence AS v WHERE v.person_id = p.person_id"
        f" AND visit_concept_id IN (9201, 262, 8717) AND {_WITHIN})",
    ),
    ("conditions", "(SELECT count(DISTINCT concept) FROM before_conditions AS b WHERE b.person_id = p.person_id)"),
)


def _tables(folder: Path, outcome: str) -> dict[str, list[Path]]:
    needed = (*_NEEDED, "death") if outcome == "death" else _NEEDED
    if outcome not in OUTCOMES:
        message = _("{name} is no outcome here.").format(name=repr(outcome)[:100])
        raise MadangError("risk.data", message, ", ".join(OUTCOMES))
    found = {}
    for name in dict.fromkeys((*needed, "death")):
        paths = sorted((folder / name).glob("*.parquet"))
        if paths:
            found[name] = paths
        elif name in needed:
            raise MadangError(
                "risk.data",
                _("The data have no table {name}.").format(name=name),
                _("Name data of OMOP's common data model."),
            )
    return found


def _frequent(engine: Engine) -> list[str]:
    """The most frequent conditions before the day, as names of features; ties by number."""
    engine.execute("""CREATE TABLE before_conditions AS
        SELECT DISTINCT person_id, condition_concept_id AS concept FROM condition_occurrence, the_day
        WHERE condition_start_date::DATE < day AND condition_concept_id <> 0""")
    rows = engine.rows(f"""SELECT concept FROM before_conditions SEMI JOIN people USING (person_id)
        GROUP BY ALL ORDER BY count(*) DESC, concept LIMIT {CONDITIONS}""")
    return [f"condition {concept}" for (concept,) in rows]


def _happened(outcome: str, died: str) -> str:
    if outcome == "death":
        return f"SELECT person_id FROM ({died}) WHERE died > {_DAY} AND died <= {_DAY} + {YEAR}"
    kinds = ", ".join(map(str, _VISITS[outcome]))
    return f"""SELECT person_id FROM visit_occurrence WHERE visit_concept_id IN ({kinds})
        AND visit_start_date::DATE > {_DAY} AND visit_start_date::DATE <= {_DAY} + {YEAR}"""
