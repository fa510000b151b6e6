"""How many distinct source values of a field are not mapped."""

from collections.abc import Iterable

from madang.base.errors import MadangError
from madang.lake.engine import quote_name
from madang.science.quality.model import Check, Count
from madang.science.quality.plan.given import Given


def answer(given: Given, checks: Iterable[Check]) -> dict[str, Count]:
    """One grouping of each field, whatever is asked of it."""
    counts: dict[str, Count] = {}
    for check in checks:
        if check.name == "sourceValueCompleteness":
            field, standard = quote_name(check.field), quote_name(check.parameters["standard"])
            facts, place = given.facts(check.table, check.field), given.place(check.table)
            if facts is not None and facts.nulls == facts.rows > 0:
                # One value, the missing one: it is not mapped as soon as one row is not.
                sql = f"SELECT (count(*) > 0)::BIGINT, 1 FROM {place} WHERE {standard} = 0"
            else:
                each = f"SELECT {field}, bool_or({standard} = 0) AS zero FROM {place} GROUP BY {field}"
                sql = f"SELECT count(*) FILTER (zero), count(*) FROM ({each})"
            try:
                ((violated, denominator),) = given.engine.rows(sql)
            except MadangError:
                continue  # the plain question tells what is wrong
            counts[check.id] = Count(violated, denominator)
    return counts
