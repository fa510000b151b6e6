"""Common data models for the tests of quality: the real one beside the repository, and generated ones."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from madang.lake.engine import Engine, quote_name, quote_text
from madang.science.omop import cdm
from madang.science.quality.model import Check, Level


def load_csv_folder(engine: Engine, folder: Path) -> None:
    """Make every TABLE.csv of a folder a table of the model's types."""
    for file in sorted(folder.glob("*.csv")):
        table = cdm.TABLES[file.stem.lower()]
        source = f"read_csv({quote_text(str(file))}, all_varchar = true, header = true)"
        have = {name.lower() for name, _ in engine.describe(f"FROM {source}")}
        fields = ", ".join(
            f"CAST({quote_name(field.name)} AS {cdm.duckdb_type(field)}) AS {quote_name(field.name)}"
            for field in table.fields
            if field.name in have
        )
        engine.execute(f"CREATE TABLE {table.name} AS SELECT {fields} FROM {source}")


_DOMAINS = ("Gender", "Visit", "Condition", "Drug", "Unit", "Type Concept", "Race", "Metadata")
_MOST = 40  # rows of a table; CONCEPT has no more than there are concepts


def write_wild_model(folder: Path, chance: Random, checks: Iterable[Check]) -> dict[str, list[Path]]:
    """A common data model of few rows in which much is wrong, as Parquet files; the files of each table.

    Tables and columns are missing, columns are empty or of another type, keys are there twice, dates lie before birth
    and after death: whatever a check looks for is both there and not there. The concepts are those of the `checks`.
    """
    odd = [concept for check in checks if check.level is Level.CONCEPT for concept in check.concepts]
    units = [unit for check in checks for unit in check.parameters.get("units", ())]
    concepts = [*dict.fromkeys([*odd, *units[:2], *(0, 8507, 8532, 9201, 77, 78)])]
    usual = chance.random() < 0.5  # a model that has all tables and columns, and keys once each
    files: dict[str, list[Path]] = {}
    for table in cdm.TABLES.values():
        if not usual and chance.random() < 0.08:
            continue
        most = len(concepts) if table.name == "concept" else _MOST
        rows = 0 if chance.random() < 0.08 else chance.randint(1, chance.choice([4, most, most]))
        columns = {
            field.name: _column(table, field, rows, chance, concepts, usual)
            for field in table.fields
            if usual or field.primary_key or chance.random() > 0.03
        }
        whole = pa.table(columns)
        parts = [whole] if chance.random() < 0.7 else [whole.slice(0, rows // 2), whole.slice(rows // 2)]
        files[table.name] = []
        for number, part in enumerate(parts):
            files[table.name].append(folder / f"{table.name}-{number}.parquet")
            pq.write_table(part, files[table.name][-1], row_group_size=chance.choice([2, 5, 100]))
    return files


def open_files(engine: Engine, files: dict[str, list[Path]]) -> None:
    """A view per table over its files."""
    for table, paths in files.items():
        listed = ", ".join(quote_text(str(path)) for path in paths)
        engine.execute(f"CREATE VIEW {quote_name(table)} AS FROM read_parquet([{listed}])")


def _column(
    table: cdm.Table, field: cdm.Field, rows: int, chance: Random, concepts: Sequence[int], usual: bool
) -> pa.Array:
    kind = {"integer": pa.int64(), "float": pa.float64(), "date": pa.date32(), "datetime": pa.timestamp("us")}.get(
        field.type, pa.string()
    )
    if field.primary_key or (table.name, field.name) == ("concept", "concept_id"):
        values: list[Any] = _keys(field, rows, chance, concepts if table.name == "concept" else None, usual)
    elif chance.random() < 0.08:
        values = [None] * rows
    else:
        empty = chance.choice([0.0, 0.0, 0.3])
        one = chance.random() < 0.15  # a column that is always the same
        values = [None if chance.random() < empty else _value(table, field, chance, concepts) for _ in range(rows)]
        values = values[:1] * rows if one else values
    if not usual and not field.primary_key and chance.random() < 0.03:
        return pa.array([None if value is None else str(value) for value in values], pa.string())
    if not usual and kind == pa.int64() and chance.random() < 0.1:
        return pa.array([value if value is None else float(value) + chance.choice([0, 0, 0.5]) for value in values])
    return pa.array(values, kind)


def _keys(field: cdm.Field, rows: int, chance: Random, concepts: Sequence[int] | None, usual: bool) -> list[Any]:
    if field.type != "integer":
        return [chance.choice("abcdefgh") for _ in range(rows)]
    apart = chance.choice([1, 1, 1, 1, 7, 10**11])  # keys stand close together, or too far apart for a table of all
    keys = chance.sample(list(concepts or range(1, rows + 3)), rows)
    keys = keys if concepts else [key * apart if usual else key for key in keys]
    return keys if usual or chance.random() < 0.6 else [chance.choice(keys) for _ in keys]


def _value(table: cdm.Table, field: cdm.Field, chance: Random, concepts: Sequence[int]) -> Any:
    if field.name in ("domain_id", "concept_class_id"):
        return chance.choice([*_DOMAINS, "Ingredient"])
    if field.name == "standard_concept":
        return chance.choice(["S", "S", "C", None])
    if field.name == "invalid_reason":
        return chance.choice([None, None, "D", ""])
    if field.name.endswith("_concept_id") or (field.foreign_key and field.foreign_key[0] == "concept"):
        return chance.choice([*concepts, 0, 999, 2**40])
    if field.name.startswith(("year_", "month_", "day_")):
        low, high = {"year": (1840, 2040), "month": (0, 13), "day": (0, 32)}[field.name.split("_")[0]]
        return chance.randint(low, high)
    if field.type == "integer":
        return chance.choice([-1, 0, *range(1, 8), 2**33])
    if field.type == "float":
        return chance.choice([-2.5, 0.0, 1.0, 3.7, 1e6])
    if field.type in ("date", "datetime"):
        day = date(1900, 1, 1) + timedelta(
            days=chance.choice([chance.randint(0, 60_000), chance.randint(40_000, 40_100)])
        )
        return day if field.type == "date" else datetime(day.year, day.month, day.day, chance.randint(0, 23))
    return chance.choice(["a", "b", "c", "", "가"])
