"""The columns of the insurer's files, as data: `layout.csv`, one row per version, table and column.

`field` is what this room calls the value (the column of version 1, with the table before a dot where it comes from
another one); `checked` says whether the name was seen in public code (`seen`) or is `unverified`.
"""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class Column:
    """One column of one table."""

    name: str
    table: str
    field: str
    required: bool
    checked: str


@cache
def layout(version: int) -> dict[str, tuple[Column, ...]]:
    """The columns of each table of that version, in the order of the file."""
    answer: dict[str, list[Column]] = {}
    text = files(__package__).joinpath("layout.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines()):
        if int(row["version"]) == version:
            table, _, field = row["field"].rpartition(".")
            column = Column(row["column"], table or row["table"], field, row["required"] == "yes", row["checked"])
            answer.setdefault(row["table"], []).append(column)
    return {table: tuple(columns) for table, columns in answer.items()}
