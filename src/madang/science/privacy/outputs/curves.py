"""Survival curves that may leave: steps only where enough people went, so that no step is a person."""

import itertools
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake.engine import Engine, quote_name
from madang.science.privacy.outputs.compute import Answer, Group, Row, source
from madang.science.privacy.outputs.queries import Query
from madang.science.privacy.outputs.rules import Rules


def survival(engine: Engine, query: Query, rules: Rules) -> Answer:
    """Kaplan-Meier estimates for each group, at times between which at least `survival_step` events happened.

    A row has `time`, `events` since the last row, the exact `survival` at that time, and the people `at_risk` since the
    last row, rounded down so that no row tells how few were censored. The curve ends while at least `survival_step`
    people are left.
    """
    by = ", ".join(f"COALESCE(CAST({quote_name(name)} AS VARCHAR), '')" for name in query.by)
    time, event = f"CAST({quote_name(query.time)} AS DOUBLE)", f"CAST({quote_name(query.event)} AS INTEGER)"
    person = "count(DISTINCT " + quote_name(query.person) + ")" if query.person else "count(*)"
    lead = f"{by}, " if by else ""
    steps = engine.rows(
        f"SELECT {lead}{time} AS t, count(*) FILTER ({event} = 1), count(*), {person} FROM {source(engine, query)} "
        f"WHERE {quote_name(query.time)} IS NOT NULL AND {quote_name(query.event)} IS NOT NULL "
        "GROUP BY ALL ORDER BY ALL"
    )
    if query.person and any(row[-1] != row[-2] for row in steps):
        raise MadangError("outputs.query", _("A person stands in several rows."), _("Survival wants one row each."))
    count = len(query.by)
    rows: list[Row] = []
    groups = []
    for key, part in itertools.groupby(steps, key=lambda row: tuple(row[:count])):
        found, people = _curve([row[count:] for row in part], rules)
        rows += [Row(zip(query.by, key, strict=True)) | row for row in found]
        groups.append(Group(key, people))
    fewest = min((group.people for group in groups), default=0)
    columns = (*query.by, "time", "at_risk", "events", "survival")
    return Answer(query, columns, tuple(rows), tuple(groups), {"people": float(fewest)})


def _curve(steps: list[tuple[Any, ...]], rules: Rules) -> tuple[list[Row], int]:
    people = sum(step[2] for step in steps)
    least, base = rules.survival_step, max(1, rules.rounding)
    left, share = people, 1.0
    found = [Row(time=0.0, at_risk=people - people % base, events=0, survival=1.0)] if people >= least else []
    events, at_risk = 0, people
    for time, died, gone, _persons in steps:
        share *= 1 - died / left
        left -= gone
        events += died
        if events >= least and left >= least:
            found.append(Row(time=time, at_risk=at_risk - at_risk % base, events=events, survival=share))
            events, at_risk = 0, left
    return found, people
