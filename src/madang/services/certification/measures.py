"""What an automatic criterion can measure: numbers and texts that the report holds or that follow from it alone.

Everything is computed from the report document, never from the data, so whoever holds the report can do it again. Of a
dataset version the report is that of its assessment, of a product the conformance report of the kit.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from madang.services.certification import conformance_measures as kit

Report = Mapping[str, Any]
Measured = int | float | str | None  # None: nobody could count it, which no bound is met by

# Concepts of clinical events, by check; their records are what `mapped records` is about.
_EVENTS = tuple(
    f"field_standardconceptrecordcompleteness_{field}"
    for field in (
        "condition_occurrence_condition_concept_id",
        "drug_exposure_drug_concept_id",
        "procedure_occurrence_procedure_concept_id",
        "device_exposure_device_concept_id",
        "measurement_measurement_concept_id",
        "observation_observation_concept_id",
    )
)
_PERSONS = "field_isrequired_person_person_id"


class Kind(Enum):
    """How a measure is read: a count, a share in percent, or a text that has to be there."""

    COUNT = "count"
    PERCENT = "percent"
    TEXT = "text"


@dataclass(frozen=True)
class Measure:
    """How something is computed; `narrows`: takes a severity and a category (empty: all); `about`: of what it is."""

    kind: Kind
    compute: Callable[[Report, str, str], Measured]
    narrows: bool = False
    about: str = "dataset version"


def _unaccounted(report: Report, severity: str, category: str) -> Measured:
    """Source rows that are neither used nor rejected nor unused; None if the version was not made from sources."""
    sources = report["sources"]
    if sources is None:
        return None
    return sum(abs(each["rows"] - each["used"] - each["rejected"] - each["unused"]) for each in sources.values())


def _vocabulary(report: Report, severity: str, category: str) -> Measured:
    """The release of the vocabulary that the checks looked concepts up in."""
    return str(report["quality"]["vocabulary"]) or None


def _persons(report: Report, severity: str, category: str) -> Measured:
    """Rows of PERSON."""
    persons: int | None = report["quality"]["persons"]
    if persons is None:
        persons = next((r["denominator"] for r in report["quality"]["results"] if r["check"] == _PERSONS), None)
    return persons


def _count(report: Report, severity: str, category: str, *statuses: str) -> int:
    return sum(
        result["status"] in statuses
        and (not severity or result["severity"] == severity)
        and (not category or result["category"] == category)
        for result in report["quality"]["results"]
    )


def _failed(report: Report, severity: str, category: str) -> Measured:
    """Checks that failed."""
    return _count(report, severity, category, "failed")


def _unanswered(report: Report, severity: str, category: str) -> Measured:
    """Checks that apply and that nobody could answer."""
    return _count(report, severity, category, "error")


def _passed_share(report: Report, severity: str, category: str) -> Measured:
    """Checks that passed, in percent of those that apply; one without an answer did not pass."""
    applicable = _count(report, severity, category, "passed", "failed", "error")
    return 100 * _count(report, severity, category, "passed") / applicable if applicable else None


def _mapped(report: Report, severity: str, category: str) -> Measured:
    """Records of clinical events with a standard concept, in percent."""
    counted = [
        (result["violated"], result["denominator"])
        for result in report["quality"]["results"]
        if result["check"] in _EVENTS and result["denominator"]
    ]
    rows = sum(denominator for _, denominator in counted)
    return 100 * (rows - sum(violated for violated, _ in counted)) / rows if rows else None


def _product(kind: Kind, compute: Callable[..., Measured], *groups: str) -> Measure:
    """A measure of a conformance report, of some groups of its tests."""
    return Measure(kind, lambda report, severity, category: compute(report, *groups), about="product")


MEASURES: Mapping[str, Measure] = {
    "unaccounted rows": Measure(Kind.COUNT, _unaccounted),
    "vocabulary": Measure(Kind.TEXT, _vocabulary),
    "persons": Measure(Kind.COUNT, _persons),
    "failed checks": Measure(Kind.COUNT, _failed, narrows=True),
    "checks without an answer": Measure(Kind.COUNT, _unanswered, narrows=True),
    "passed share": Measure(Kind.PERCENT, _passed_share, narrows=True),
    "mapped records": Measure(Kind.PERCENT, _mapped),
    "failed demands": _product(Kind.COUNT, kit.failed),
    "failed demands on security": _product(Kind.COUNT, kit.failed, "security"),
    "failed demands on search": _product(Kind.COUNT, kit.failed, "search", "paging"),
    "failed demands on records": _product(Kind.COUNT, kit.failed, "read", "profiles", "references"),
    "passed demands": _product(Kind.PERCENT, kit.share),
    "drawn records that came back": _product(Kind.PERCENT, kit.share, "challenge"),
    "profiles with elements not shown": _product(Kind.COUNT, kit.supported_not_shown),
    "classes shown": _product(Kind.COUNT, kit.classes_shown),
    "evidence": _product(Kind.TEXT, kit.evidence),
    "term lists": _product(Kind.TEXT, kit.term_lists),
}
