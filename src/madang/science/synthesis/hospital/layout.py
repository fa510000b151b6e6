"""The columns of the hospital's files, as data: `layout.csv`, one row per table and column."""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

SNAPSHOTS = ("DEPT", "DOCTOR", "LABCODE")
"""Tables that come once, whole; all others come every month and tell what changed."""


@dataclass(frozen=True)
class Column:
    """One column: `kind` is `text`, `number`, `day` (YYYYMMDD) or `minute` (HHMM)."""

    name: str
    header: str
    kind: str
    required: bool


@cache
def layout() -> dict[str, tuple[Column, ...]]:
    """The columns of each table in the order of the file; tables in the order of `layout.csv`."""
    answer: dict[str, list[Column]] = {}
    for row in table("layout"):
        column = Column(row["column"], row["header"], row["kind"], row["required"] == "yes")
        answer.setdefault(row["table"], []).append(column)
    return {name: tuple(columns) for name, columns in answer.items()}


@cache
def table(name: str) -> tuple[dict[str, str], ...]:
    """All rows of the file `name`.csv of this room, every cell as text."""
    text = files(__package__).joinpath(f"{name}.csv").read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))
