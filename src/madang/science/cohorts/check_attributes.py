"""Attributes of criteria that are empty, incomplete or the wrong way round."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from madang.base.translate import _
from madang.science.cohorts.definition import Definition
from madang.science.cohorts.findings import Finding, at, error
from madang.science.cohorts.parts import Group, criteria, groups, listed
from madang.science.cohorts.words import attribute_name


def attributes(definition: Definition) -> Iterator[Finding]:
    """Attributes of criteria that are empty, incomplete or the wrong way round."""
    for part in criteria(definition):
        yield from _attributes(part.body, at(part), part.path)
    for group in groups(definition):
        yield from _demographics(group)
    window = definition.document.get("CensorWindow")
    if isinstance(window, Mapping):
        yield from _period(window, _("the calendar window"), "CensorWindow")


def _demographics(group: Group) -> Iterator[Finding]:
    for number, body in enumerate(listed(group.body.get("DemographicCriteriaList"))):
        path = f"{group.path}.DemographicCriteriaList[{number}]"
        name = _("{criterion} at {place}").format(criterion=_("demographic criterion"), place=group.place)
        if not any(value is not None for value in body.values()):
            yield error("no-attributes", _("A criterion has no attributes: {criterion}.").format(criterion=name), path)
        yield from _attributes(body, name, path)


_NO_RANGES = {"CorrelatedCriteria", "DateAdjustment"}
_TEXTS = {"StopReason", "UniqueDeviceId", "LotNumber", "ValueAsString", "SourceId"}


def _attributes(body: Mapping[str, Any], name: str, path: str) -> Iterator[Finding]:
    for key, value in body.items():
        place, what = f"{path}.{key}", f"{name}, {attribute_name(key)}"
        if isinstance(value, list):
            if not value and key != "CriteriaList":
                yield error("empty-attribute", _("{attribute} is empty.").format(attribute=what), place)
        elif not isinstance(value, Mapping) or key in _NO_RANGES:
            continue
        elif key.endswith("CS"):
            if value.get("CodesetId") is None:
                yield error("empty-attribute", _("{attribute} is empty.").format(attribute=what), place)
        elif key in _TEXTS:
            if not value.get("Text"):
                yield error("empty-attribute", _("{attribute} is empty.").format(attribute=what), place)
        elif key == "UserDefinedPeriod":
            yield from _period(value, what, place)
        else:
            yield from _range(value, what, place, dated="Date" in key)


def _range(value: Mapping[str, Any], what: str, path: str, *, dated: bool) -> Iterator[Finding]:
    start, end = value.get("Value"), value.get("Extent")
    between = str(value.get("Op") or "").endswith("bt")
    for each in (start, end if between else None):
        if dated and each is not None and not _is_day(each):
            yield error("date", _("{attribute} has no valid date: {value}.").format(attribute=what, value=each), path)
            return
    if start is None:
        yield error("empty-range", _("{attribute} has no start value.").format(attribute=what), path)
    elif between and end is None:
        yield error("empty-range", _("{attribute} has no end value.").format(attribute=what), path)
    elif between and _in_wrong_order(start, end):
        message = _("{attribute} starts after it ends: {start} and {end}.")
        yield error("range-order", message.format(attribute=what, start=start, end=end), path)
    elif isinstance(start, int | float) and start < 0 and ("Age" in path.rpartition(".")[2] or "Length" in path):
        yield error("negative", _("{attribute} is negative.").format(attribute=what), path)


def _in_wrong_order(start: Any, end: Any) -> bool:
    numbers = isinstance(start, int | float) and isinstance(end, int | float)
    return bool(start > end) if numbers or (isinstance(start, str) and isinstance(end, str)) else False


def _period(value: Mapping[str, Any], what: str, path: str) -> Iterator[Finding]:
    start, end = value.get("StartDate"), value.get("EndDate")
    for each in (start, end):
        if each is not None and not _is_day(each):
            yield error("date", _("{attribute} has no valid date: {value}.").format(attribute=what, value=each), path)
            return
    if start and end and start > end:
        message = _("{attribute} starts after it ends: {start} and {end}.")
        yield error("range-order", message.format(attribute=what, start=start, end=end), path)


def _is_day(text: Any) -> bool:
    try:
        return bool(date.fromisoformat(str(text))) and len(str(text)) == 10
    except ValueError:
        return False
