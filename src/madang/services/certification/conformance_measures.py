"""What an automatic criterion of a product can measure: numbers and texts of a conformance report of the kit.

Everything follows from the report's tests, so whoever holds the report can do it again. `basis` is what the reader of
the report adds to it: how it came about, which a report cannot say of itself.
"""

from collections.abc import Mapping
from typing import Any

EVIDENCE = ("assessment", "challenge")  # how a report comes about that shows a criterion


def _tests(report: Mapping[str, Any], *groups: str) -> list[Mapping[str, Any]]:
    return [each for each in report["tests"] if not groups or each["group"] in groups]


def failed(report: Mapping[str, Any], *groups: str) -> int | None:
    """What SHALL be and failed; None where nothing of these groups was tested."""
    found = [each for each in _tests(report, *groups) if each["outcome"] != "not applicable"]
    return sum(each["outcome"] == "fail" for each in found) if found else None


def share(report: Mapping[str, Any], *groups: str) -> float | None:
    """Tests that passed, in percent of those of what SHALL be that apply; what was not shown did not pass."""
    found = [
        each
        for each in _tests(report, *groups)
        if each["expectation"] == "SHALL" and each["outcome"] != "not applicable"
    ]
    return 100 * sum(each["outcome"] == "pass" for each in found) / len(found) if found else None


def supported_not_shown(report: Mapping[str, Any]) -> int | None:
    """Profiles of which an element that must be supported was shown by no resource."""
    found = _tests(report, "must-support")
    return sum(each["outcome"] not in ("pass", "not applicable") for each in found) if found else None


def classes_shown(report: Mapping[str, Any]) -> int:
    """Classes of KR CDI of which conforming resources were seen."""
    return len(
        {each["class"] for each in _tests(report, "profiles") if each.get("class") and each["outcome"] == "pass"}
    )


def evidence(report: Mapping[str, Any]) -> str | None:
    """How the report came about, if that is evidence."""
    basis = str(report.get("basis", ""))
    return basis if basis in EVIDENCE else None


def term_lists(report: Mapping[str, Any]) -> str | None:
    """The term lists that codes were looked up in, with their dates."""
    lists = report.get("term_lists")
    named = [f"{x.get('name', '?')} {x.get('date', '')}".strip() for x in lists or () if isinstance(x, Mapping)]
    return ", ".join(named) or None
