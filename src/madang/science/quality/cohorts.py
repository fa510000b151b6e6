"""All cohorts of a dataset in one pass: the rows of their persons are put aside once, then asked by the plan."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake.engine import Engine, quote_name, quote_paths, quote_text
from madang.science.quality.columns import Columns, family


@dataclass(frozen=True)
class Narrowed:
    """The tables of one cohort: their Parquet files, as views of a schema of its own."""

    number: int
    schema: str
    files: Mapping[str, Sequence[Path]]


def members(engine: Engine, columns: Columns, cohort: int) -> int:
    """How many persons a cohort has. Errors: `quality.cohort` where it has none."""
    if "cohort" not in columns:
        raise MadangError("quality.cohort", _("The dataset has no table COHORT."), _("Assess it without a cohort."))
    sql = "SELECT count(DISTINCT subject_id) FROM cohort WHERE cohort_definition_id = ?"
    persons = int(engine.value(sql, [cohort]))
    if not persons:
        known = [str(number) for number in numbers(engine, columns)]
        hint = _("There are: {cohorts}.").format(cohorts=", ".join(known[:20])) if known else ""
        raise MadangError("quality.cohort", _("No person is in cohort {cohort}.").format(cohort=cohort), hint)
    return persons


def numbers(engine: Engine, columns: Columns) -> list[int]:
    """The definitions that the table COHORT has persons of."""
    if "cohort" not in columns:
        return []
    rows = engine.rows(
        "SELECT DISTINCT cohort_definition_id FROM cohort WHERE cohort_definition_id IS NOT NULL "
        "AND subject_id IS NOT NULL ORDER BY 1"
    )
    return [int(number) for (number,) in rows]


def narrow(engine: Engine, columns: Columns, wanted: Sequence[int], folder: Path) -> list[Narrowed]:
    """Put the rows of the persons of each cohort aside, each table read once for all of them."""
    listed = ", ".join(map(str, wanted))
    found: dict[int, dict[str, list[Path]]] = {number: {} for number in wanted}
    folder.mkdir(exist_ok=True)
    for table, fields in columns.items():
        if family(fields.get("person_id", "")) != "integer":
            continue  # the plain questions tell what is wrong
        target = folder / table
        engine.execute(
            "COPY (SELECT t.*, m.cohort_definition_id AS _cohort "
            f"FROM {quote_name(table)} t JOIN (SELECT DISTINCT cohort_definition_id, subject_id FROM cohort "
            f"WHERE cohort_definition_id IN ({listed})) m ON t.person_id = m.subject_id) "
            f"TO {quote_text(str(target))} (FORMAT parquet, PARTITION_BY (_cohort), COMPRESSION snappy)"
        )
        nobody = folder / f"{table}.parquet"
        engine.execute(f"COPY (FROM {quote_name(table)} LIMIT 0) TO {quote_text(str(nobody))} (FORMAT parquet)")
        for number in wanted:
            found[number][table] = sorted((target / f"_cohort={number}").glob("*.parquet")) or [nobody]
    made = []
    for number, files in found.items():
        schema = f"cohort_{number}" if number >= 0 else f"cohort_minus_{-number}"
        engine.execute(f"CREATE SCHEMA {quote_name(schema)}")
        for table, paths in files.items():
            view = f"{quote_name(schema)}.{quote_name(table)}"
            relation = f"read_parquet({quote_paths(paths)}, hive_partitioning = false)"
            engine.execute(f"CREATE VIEW {view} AS FROM {relation}")
        made.append(Narrowed(number, schema, files))
    return made
