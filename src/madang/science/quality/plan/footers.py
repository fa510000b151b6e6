"""Answers from the statistics of the files: no row is read."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

from madang.science.quality.model import Check, Count
from madang.science.quality.plan.given import Facts, Given


def answer(given: Given, checks: Iterable[Check]) -> dict[str, Count]:
    """Nulls, types, and bounds that all values keep."""
    counts: dict[str, Count] = {}
    for check in checks:
        facts = given.facts(check.table, check.field) if check.field else None
        if facts is not None:
            count = _answer(given, check, facts)
            if count is not None:
                counts[check.id] = count
    return counts


def _answer(given: Given, check: Check, facts: Facts) -> Count | None:
    match check.name:
        case "isRequired" | "measureValueCompleteness":
            return Count(facts.nulls, facts.rows)
        case "cdmDatatype" if given.whole(check.table, check.field):
            none_below = not given.compatible or facts.nulls == facts.rows or (facts.low is not None and facts.low >= 0)
            return Count(0, facts.rows) if none_below else None
        case "plausibleValueLow" | "plausibleValueHigh":
            if facts.nulls == facts.rows:
                return Count(0, 0)
            value = facts.low if check.name == "plausibleValueLow" else facts.high
            bound = _bound(given, check)
            if value is None or isinstance(bound, date) is not isinstance(value, date):
                return None
            value = value.date() if isinstance(value, datetime) else value
            kept = value >= bound if check.name == "plausibleValueLow" else value <= bound
            return Count(0, facts.rows - facts.nulls) if kept else None
    return None


def _bound(given: Given, check: Check) -> Any:
    more = check.parameters
    if "days_from_today" in more:
        return given.today + timedelta(days=more["days_from_today"])
    if "year_from_today" in more:
        return given.today.year + more["year_from_today"]
    return date.fromisoformat(more["date"]) if "date" in more else more["value"]
