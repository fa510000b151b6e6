"""Declared queries answered over an extract: the values, and the evidence by which rules judge them.

The same code answers inside a workspace and in the closed process of the airlock, so a result that was changed on its
way is not the one that is computed again.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake.engine import Engine, quote_name, quote_text
from madang.science.privacy.outputs.queries import Kind, Query
from madang.science.privacy.outputs.rules import Rules

MOST_GROUPS = 200_000
Row = dict[str, Any]


@dataclass(frozen=True)
class Group:
    """The evidence of one cell: who is behind it, and what the largest of them bring to its sum."""

    key: tuple[str, ...]
    people: int
    contributors: int = 0  # with a value that is not 0
    total: float = 0.0
    largest: float = 0.0
    two_largest: float = 0.0
    n_largest: float = 0.0
    negative: int = 0
    one_value: bool = False  # several people, all with the same value


@dataclass(frozen=True)
class Answer:
    """What a query gives: `rows` as they may be written, `groups` as evidence for the rules, never written.

    `facts` are the numbers behind a model or a curve: people, parameters, degrees of freedom, steps.
    """

    query: Query
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    groups: tuple[Group, ...]
    facts: Mapping[str, float] = field(default_factory=dict)

    def counts(self, rules: Rules) -> dict[str, Any]:
        """The counts behind the answer as a table for `check`: small ones hidden; a model has one count of all."""
        cells = [
            [list(group.key), None if 0 < group.people < rules.minimum_count else rounded(group.people, self.query)]
            for group in self.groups
        ]
        document: dict[str, Any] = {"attributes": list(self.query.by), "cells": cells}
        if self.query.rounding:
            document["rounding"] = self.query.rounding
        if self.query.where:
            document["where"] = {name: list(values) for name, values in self.query.where.items()}
        return document


def rounded(count: int, query: Query) -> int:
    """A count as a query gives it: the nearest multiple of its rounding, the larger one where it lies between two."""
    base = query.rounding
    return (count + base // 2) // base * base if base else count


def compute(engine: Engine, query: Query, rules: Rules) -> Answer:
    """Answer a query over the tables and views of `engine`.

    Raises `MadangError` where the query does not fit the extract.
    """
    if query.kind in (Kind.LINEAR, Kind.LOGISTIC):
        from madang.science.privacy.outputs.models import fit

        return fit(engine, query)
    if query.kind is Kind.SURVIVAL:
        from madang.science.privacy.outputs.curves import survival

        return survival(engine, query, rules)
    return _table(engine, query, rules)


def source(engine: Engine, query: Query) -> str:
    """The SQL of the rows that a query is about: of one table, or of one SELECT."""
    text = query.source.strip()
    inner = f"({engine.one_select(text)})" if any(letter.isspace() for letter in text) else quote_name(text)
    conditions = [
        f"CAST({quote_name(name)} AS VARCHAR) IN ({', '.join(map(quote_text, values))})"
        for name, values in query.where.items()
    ]
    return f"(SELECT * FROM {inner}" + (f" WHERE {' AND '.join(conditions)}" if conditions else "") + ")"


def _table(engine: Engine, query: Query, rules: Rules) -> Answer:
    by = [f"COALESCE(CAST({quote_name(name)} AS VARCHAR), '')" for name in query.by]
    keys = [f"k{i}" for i in range(len(by))]
    value = f"CAST({quote_name(query.variable)} AS DOUBLE)" if query.variable else "1.0"
    person = quote_name(query.person) if query.person else "row_number() OVER ()"
    rows = f"""SELECT {"".join(f"{sql} AS {key}, " for sql, key in zip(by, keys, strict=True))}
        {person} AS p, {value} AS v FROM {source(engine, query)}"""
    grouping = f"GROUP BY {', '.join(keys)}" if keys else ""
    selected = "".join(f"{key}, " for key in keys)
    each = f"SELECT {selected}p, sum(v) AS v, count(v) AS known FROM rows GROUP BY {selected}p"
    largest = max(2, rules.dominance_n)
    facts = engine.rows(
        f"""WITH rows AS ({rows}), each AS ({each})
        SELECT {selected} count(DISTINCT p) FILTER (known > 0), count(*) FILTER (v <> 0), sum(v), max(v),
            list_sum(max(v, 2)), list_sum(max(v, {largest})), count(*) FILTER (v < 0), min(v), count(v)
        FROM each {grouping} ORDER BY ALL LIMIT {MOST_GROUPS + 1}"""
    )
    if len(facts) > MOST_GROUPS:
        raise MadangError("outputs.query", _("The query makes too many groups."), _("Group by fewer columns."))
    count = len(keys)
    measured = bool(query.variable)
    groups = tuple(
        Group(
            tuple(row[:count]),
            int(row[count]),
            int(row[count + 1]) if measured else 0,
            float(row[count + 2] or 0),
            float(row[count + 3] or 0),
            float(row[count + 4] or 0),
            float(row[count + 5] or 0),
            int(row[count + 6]),
            measured and row[count + 8] > 1 and row[count + 3] == row[count + 7],
        )
        for row in facts
    )
    groups = _completed(groups, query)
    columns, found = _values(engine, query, rows, keys, groups)
    return Answer(query, columns, found, groups)


def _completed(groups: Sequence[Group], query: Query) -> tuple[Group, ...]:
    """With the empty combinations of values, which a table shows as well."""
    import itertools

    if len(query.by) < 2:
        return tuple(groups)
    known = {group.key: group for group in groups}
    values = [sorted({group.key[i] for group in groups}) for i in range(len(query.by))]
    if math.prod(map(len, values)) > MOST_GROUPS:
        raise MadangError("outputs.query", _("The query makes too many groups."), _("Group by fewer columns."))
    return tuple(known.get(key) or Group(key, 0) for key in itertools.product(*values))


def _values(
    engine: Engine, query: Query, rows: str, keys: Sequence[str], groups: Sequence[Group]
) -> tuple[tuple[str, ...], tuple[Row, ...]]:
    asked = {
        Kind.COUNT: [("count", "count(DISTINCT p)")],
        Kind.SUM: [("count", "count(DISTINCT p) FILTER (v IS NOT NULL)"), ("sum", "sum(v)")],
        Kind.MEAN: [("count", "count(DISTINCT p) FILTER (v IS NOT NULL)"), ("mean", "avg(v)")],
        Kind.DEVIATION: [
            ("count", "count(DISTINCT p) FILTER (v IS NOT NULL)"),
            ("standard_deviation", "stddev_samp(v)"),
        ],
        Kind.QUANTILES: [
            ("count", "count(DISTINCT p) FILTER (v IS NOT NULL)"),
            *((f"q{level:g}", f"quantile_cont(v, {level})") for level in query.quantiles),
        ],
    }[query.kind]
    grouping = f"GROUP BY {', '.join(keys)}" if keys else ""
    selected = "".join(f"{key}, " for key in keys)
    answers = {
        tuple(row[: len(keys)]): row[len(keys) :]
        for row in engine.rows(
            f"WITH rows AS ({rows}) SELECT {selected}{', '.join(sql for _name, sql in asked)} FROM rows {grouping}"
        )
    }
    names = [name for name, _sql in asked]
    found = []
    for group in groups:
        values = answers.get(group.key, (0, *[None] * (len(names) - 1)))
        row: Row = dict(zip(query.by, group.key, strict=True))
        row.update({name: _finite(value) for name, value in zip(names, values, strict=True)})
        row["count"] = rounded(int(row["count"] or 0), query)
        found.append(row)
    return (*query.by, *names), tuple(found)


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
