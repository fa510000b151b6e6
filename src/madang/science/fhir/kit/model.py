"""Tests and their results."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from madang.science.fhir.kit.session import Session

PASS, FAIL, WARN = "pass", "fail", "warning"
NOT_SHOWN, NOT_APPLICABLE = "not shown", "not applicable"
OUTCOMES = (PASS, FAIL, WARN, NOT_SHOWN, NOT_APPLICABLE)
GUIDE = "https://www.hl7korea.or.kr/fhir/krcore/STU2.0.0/"
CAPABILITY = GUIDE + "CapabilityStatement-krcore-capabilitystatement-server.html"
SMART = "https://hl7.org/fhir/smart-app-launch/STU2/backend-services.html"
BULK = "https://hl7.org/fhir/uv/bulkdata/STU2/export.html"
REST, SEARCH = "http://hl7.org/fhir/R4/http.html", "http://hl7.org/fhir/R4/search.html"


@dataclass(frozen=True)
class Test:
    """One demand on an endpoint: which, how strongly, by which clause, and the function that looks."""

    id: str
    group: str
    subject: str  # what it is about: a resource type, a parameter, a profile
    kind: str  # which sentence is its title
    expectation: str  # SHALL, SHOULD or MAY
    clause: str
    run: "Callable[[Session], Finding]"


@dataclass
class Finding:
    """What came out of one test, in words that name no value of a patient."""

    outcome: str
    kind: str = ""  # which sentence says what was got and how to mend it
    about: tuple[Any, ...] = ()
    details: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Result:
    """One test that was run: its finding, and the requests that it made."""

    test: Test
    finding: Finding
    requests: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def outcome(self) -> str:
        """The outcome; what only should or may be is a warning where it fails."""
        if self.finding.outcome == FAIL and self.test.expectation != "SHALL":
            return WARN
        return self.finding.outcome
