"""What pages show of a report's tests: outcomes by group and by class of KR CDI, and what is open."""

from collections.abc import Sequence
from typing import Any

from madang.base.translate import in_language
from madang.science.fhir.kr_cdi import CLASSES
from madang.services.emr.testing import group_names, outcome_names
from madang.web import View

Tests = Sequence[dict[str, Any]]
OPEN = ("fail", "warning", "not shown")
MOST_DETAILS = 5


class Group(View):
    """The outcomes of a group of tests."""

    name: str
    counts: list[int]


def by_group(tests: Tests) -> list[Group]:
    """The outcomes by group, in the order of the tests."""
    groups: dict[str, dict[str, int]] = {}
    names, words = outcome_names(), group_names()
    for each in tests:
        counts = groups.setdefault(str(each["group"]), dict.fromkeys(names, 0))
        if each["outcome"] in counts:
            counts[each["outcome"]] += 1
    return [Group(name=words.get(name, name), counts=list(counts.values())) for name, counts in groups.items()]


def by_class(tests: Tests) -> list[Group]:
    """The outcomes by class of KR CDI, of those classes that a test is about."""
    names = outcome_names()
    found = {each.id: (each.name, dict.fromkeys(names, 0)) for each in CLASSES}
    for each in tests:
        held = found.get(str(each.get("class", "")))
        if held is not None and each["outcome"] in held[1]:
            held[1][each["outcome"]] += 1
    return [Group(name=name, counts=list(counts.values())) for name, counts in found.values() if any(counts.values())]


def open_tests(tests: Tests) -> list[dict[str, Any]]:
    """The tests that failed or were not shown, in the reader's language: by class of KR CDI, then those of a group of
    tests; failures first.
    """
    order = {name: place for place, name in enumerate([*(each.name for each in CLASSES), *group_names().values()])}
    found = [_open(each, place_of(each)) for each in tests if each["outcome"] in OPEN]
    return sorted(found, key=lambda each: (order.get(each["place"], len(order)), OPEN.index(each["outcome"])))


def place_of(each: dict[str, Any]) -> str:
    """The class of KR CDI that a test is about, or the group of tests that it belongs to, in words."""
    named = {one.id: one.name for one in CLASSES}.get(str(each.get("class", "")))
    return named or group_names().get(str(each["group"]), str(each["group"]))


def _open(each: dict[str, Any], place: str) -> dict[str, Any]:
    def said(name: str) -> str:
        return in_language(str(each.get(f"{name}_ko", "")), str(each.get(f"{name}_en", "")))

    return {
        "id": str(each["id"]),
        "place": place,
        "title": said("expected"),
        "got": said("got"),
        "repair": said("repair"),
        "clause": str(each["clause"]),
        "expectation": str(each["expectation"]),
        "outcome": each["outcome"],
        "outcome_name": outcome_names()[each["outcome"]],
        "details": [
            {
                "resource": str(one.get("resource", "")),
                "path": str(one.get("path", "")),
                "message": in_language(str(one.get("message_ko", "")), str(one.get("message_en", ""))),
            }
            for one in (each.get("details") or [])[:MOST_DETAILS]
            if isinstance(one, dict)
        ],
    }
