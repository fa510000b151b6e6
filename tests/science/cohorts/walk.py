"""The slow twin: a form walked person by person, record by record, with no SQL and no circe."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from madang.science.cohorts.form import FEMALE, MALE, Event, Form, Requirement, all_codes

Row = Mapping[str, Any]
BELOW = {1: {1, 2}, 2: {2}, 3: {3}, 4: {4}}
"""Each concept with its descendants."""

_SHAPES = {
    "condition": ("condition_occurrence", "condition", "condition_start_date", "condition_end_date"),
    "drug": ("drug_exposure", "drug", "drug_exposure_start_date", "drug_exposure_end_date"),
    "measurement": ("measurement", "measurement", "measurement_date", None),
    "visit": ("visit_occurrence", "visit", "visit_start_date", "visit_end_date"),
}


def members(form: Form, tables: Mapping[str, Sequence[Row]]) -> list[tuple[int, date, date]]:
    """Subject, start and end of everybody in the cohort of a form."""
    found = []
    for person in tables["person"]:
        rows = [_span(form, person, event, tables) for event in _chosen(form, person, tables)]
        spans = sorted((start, end) for start, end in rows if end is not None and end >= start)
        found += [(person["person_id"], start, end) for start, end in _join(spans, form.join)]
    return sorted(found)


def _chosen(form: Form, person: Row, tables: Mapping[str, Sequence[Row]]) -> list[dict[str, Any]]:
    events = []
    for each in form.entry:
        for record in _records(form, each, person, tables):
            for period in tables["observation_period"]:
                if period["person_id"] != person["person_id"]:
                    continue
                first, last = period["observation_period_start_date"], period["observation_period_end_date"]
                before, after = (timedelta(days) for days in form.observed)
                if first <= record["start"] <= last and first + before <= record["start"] <= last - after:
                    events.append({**record, "first": first, "last": last})
    events.sort(key=lambda e: (e["start"], e["id"], e["end"] is None, e["end"] or date.min))
    events = [e for e in events if all(_holds(form, rule, person, e, tables) for rule in form.require)]
    if form.take == "all" or not events:
        return events
    day = (max if form.take == "last" else min)(event["start"] for event in events)
    return [next(event for event in events if event["start"] == day)]


def _concepts(form: Form, name: str) -> set[int]:
    codes = all_codes(form, name)

    def meant(excluded: bool) -> set[int]:
        chosen = [code for code in codes if code.excluded == excluded]
        return {n for code in chosen for n in (BELOW[int(code.code)] if code.descendants else {int(code.code)})}

    return meant(False) - meant(True)


def _records(form: Form, event: Event, person: Row, tables: Mapping[str, Sequence[Row]]) -> list[dict[str, Any]]:
    table, prefix, start, end = _SHAPES[event.kind]
    wanted = _concepts(form, event.concepts) if event.concepts else None
    found = [
        {
            "id": row[f"{table}_id"],
            "start": row[start],
            "end": _end(row, event.kind, row[start], end),
            "value": row.get("value_as_number"),
        }
        for row in tables[table]
        if row["person_id"] == person["person_id"] and (wanted is None or row[f"{prefix}_concept_id"] in wanted)
    ]
    if event.first and found:
        found = [min(found, key=lambda record: (record["start"], record["id"]))]
    return [record for record in found if _fits(event, person, record)]


def _end(row: Row, kind: str, start: date, column: str | None) -> date | None:
    if kind == "visit":
        return row[column or ""]
    if column and row[column]:
        return row[column]
    if kind == "drug" and row.get("days_supply") is not None:
        return start + timedelta(row["days_supply"])
    return start + timedelta(1)


def _fits(event: Event, person: Row, record: Mapping[str, Any]) -> bool:
    if event.age is not None and not event.age.holds(_age(person, record["start"])):
        return False
    if event.sex and person["gender_concept_id"] != (MALE if event.sex == "male" else FEMALE):
        return False
    if event.days is not None and not (event.days.first or date.min) <= record["start"] <= (
        event.days.last or date.max
    ):
        return False
    return event.value is None or event.value.holds(record["value"])


def _age(person: Row, day: date) -> int | None:
    return None if person["year_of_birth"] is None else day.year - person["year_of_birth"]


def _holds(form: Form, rule: Requirement, person: Row, event: Mapping[str, Any], tables: Mapping[str, Any]) -> bool:
    if rule.age is not None and not rule.age.holds(_age(person, event["start"])):
        return False
    if rule.sex and person["gender_concept_id"] != (MALE if rule.sex == "male" else FEMALE):
        return False
    counts = []
    for each in rule.events:
        near = 0
        for record in _records(form, each, person, tables):
            low, high = rule.window
            starts = event["first"] if low is None else event["start"] + timedelta(low)
            ends = event["last"] if high is None else event["start"] + timedelta(high)
            near += starts <= record["start"] <= ends and event["first"] <= record["start"] <= event["last"]
        counts.append(near)
    return not counts or any(rule.count.holds(near) for near in counts)


def _span(form: Form, person: Row, event: Mapping[str, Any], tables: Mapping[str, Any]) -> tuple[date, date | None]:
    start, last = event["start"], event["last"]
    if form.exit.days is not None:
        base = event["end"] if form.exit.after == "end" else start
        return start, None if base is None else min(base + timedelta(form.exit.days), last)
    if form.exit.drug:
        records = _records(form, Event("drug", form.exit.drug), person, tables)
        spans = sorted((record["start"], record["end"]) for record in records)
        ends = [end for first, end in _join(spans, form.exit.gap) if first <= start <= end]
        return start, min([*(end for end in ends if end >= start), last])
    return start, last


def _join(spans: Sequence[tuple[date, date]], gap: int) -> list[tuple[date, date]]:
    joined: list[tuple[date, date]] = []
    for start, end in spans:
        if joined and start <= joined[-1][1] + timedelta(gap):
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined
