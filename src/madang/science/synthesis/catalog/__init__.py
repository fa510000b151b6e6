"""What the synthetic people can get and be given, as tables: the CSV files beside this module.

The names are in our own words; codes, dates and concept identifiers are facts. README.md says which are known, which
are recalled and which are made up. `rows(name)` reads one table as text, `codes_at` answers which code a thing had
on a day.
"""

import csv
from datetime import date
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray


@cache
def rows(name: str) -> tuple[dict[str, str], ...]:
    """All rows of the table `name` (the file's name without `.csv`), every cell as text."""
    text = files(__package__).joinpath(f"{name}.csv").read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))


@cache
def keys(name: str) -> tuple[str, ...]:
    """The first column of the table `name`: what positions in arrays of the simulation mean."""
    return tuple(next(iter(row.values())) for row in rows(name))


def position(name: str, key: str) -> int:
    """Where `key` stands in the table `name`."""
    return keys(name).index(key)


def floats(name: str, column: str) -> NDArray[np.float64]:
    """One column of numbers; empty cells are 0."""
    return np.array([float(row[column] or 0) for row in rows(name)])


def to_day(text: str) -> int:
    """Days from 1970-01-01 to an ISO date."""
    return (date.fromisoformat(text) - date(1970, 1, 1)).days


class DatedCodes:
    """Codes of the things of one table, each valid from a day to a day, both included.

    `table` has the columns `owner`, code, valid_from, valid_to; `things` is the table the owner stands in.
    """

    def __init__(self, table: str, owner: str, things: str) -> None:
        self.rows = rows(table)
        self.codes = np.array([row["code"] for row in self.rows], dtype=object)
        by_owner: list[list[int]] = [[] for _ in keys(things)]
        for n, row in enumerate(self.rows):
            by_owner[position(things, row[owner])].append(n)
        width = max(map(len, by_owner))
        self._row = np.full((len(by_owner), width), -1, dtype=np.int32)
        self._from = np.full((len(by_owner), width), np.iinfo(np.int32).max, dtype=np.int32)
        self._to = np.full((len(by_owner), width), -1, dtype=np.int32)
        for n, mine in enumerate(by_owner):
            for k, row_number in enumerate(mine):
                row = self.rows[row_number]
                self._row[n, k] = row_number
                self._from[n, k], self._to[n, k] = to_day(row["valid_from"]), to_day(row["valid_to"])

    def at(self, things: NDArray[np.integer], days: NDArray[np.integer]) -> NDArray[np.int32]:
        """The row of `table` valid for each thing on each day; -1 where the thing had no code then."""
        answer = np.full(len(things), -1, dtype=np.int32)
        for k in range(self._row.shape[1]):
            fits = (days >= self._from[things, k]) & (days <= self._to[things, k])
            answer[fits] = self._row[things[fits], k]
        return answer
