"""What a check is and what an assessment of a dataset version says; plain values that everything else hangs from."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Level(StrEnum):
    """What a check looks at."""

    TABLE = "TABLE"
    FIELD = "FIELD"
    CONCEPT = "CONCEPT"
    CUSTOM = "CUSTOM"


class Severity(StrEnum):
    """How bad a failure is: the data cannot be used, break a convention, or are worth knowing."""

    FATAL = "fatal"
    CONVENTION = "convention"
    CHARACTERIZATION = "characterization"


class Status(StrEnum):
    """What came out of a check. Only `PASSED` is good news; `ERROR` means that nobody knows."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_APPLICABLE = "not applicable"
    ERROR = "error"


@dataclass(frozen=True)
class Check:
    """One question to a dataset.

    `id` is the identifier that DataQualityDashboard gives it, as `field_isrequired_person_person_id`; `name` the kind
    of check, as `isRequired`; `table` and `field` are in lower case. `concepts` and `unit` narrow a CONCEPT check.
    `threshold` is the share of violating rows, in percent, above which the check fails; None and 0 allow none.
    `parameters` holds what else the kind needs, as `{"low": "0"}`. `context` and `category` are those of Kahn's
    framework (doi:10.13063/2327-9214.1244).
    """

    id: str
    name: str
    level: Level
    table: str
    field: str = ""
    concepts: tuple[int, ...] = ()
    unit: int | None = None
    threshold: float | None = None
    severity: Severity = Severity.CHARACTERIZATION
    context: str = "Verification"  # or "Validation"
    category: str = "Conformance"  # or "Completeness", "Plausibility"
    subcategory: str = ""
    notes: str = ""
    parameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True)
class Count:
    """What was counted for one check, before anybody judges it; `error` says in one sentence why nothing could be."""

    violated: int | None
    denominator: int | None
    error: str = ""


@dataclass(frozen=True)
class Result:
    """The answer to one check: `violated` of `denominator` rows (persons, values), None where nobody could count.

    `reason` says in one sentence why a check is not applicable or what the error was; it is empty otherwise.
    """

    check: Check
    status: Status
    violated: int | None
    denominator: int | None
    reason: str = ""

    @property
    def share(self) -> float:
        """Violating rows by all rows, 0.0 to 1.0; 0.0 where there is nothing to divide by."""
        return self.violated / self.denominator if self.violated and self.denominator else 0.0


@dataclass(frozen=True)
class Assessment:
    """All results of one dataset version, or of one cohort of it.

    `dataset`, `version` and `manifest` name the version (the manifest is its SHA-256); `vocabulary` is the release
    that the checks looked concepts up in, empty where there was none. `checks` is a fingerprint of the checks and
    thresholds, so that two assessments can be compared. Times are UTC, ISO 8601.
    """

    dataset: str
    version: int
    manifest: str
    vocabulary: str
    checks: str
    started: str
    seconds: float
    results: tuple[Result, ...]
    about: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # of CDM_SOURCE: name, holder, dates
    cohort: int | None = None
    persons: int | None = None

    def count(self, status: Status, severity: Severity | None = None, category: str = "") -> int:
        """How many results have this status, of this severity and category if given."""
        return sum(
            result.status is status
            and (severity is None or result.check.severity is severity)
            and (not category or result.check.category == category)
            for result in self.results
        )
