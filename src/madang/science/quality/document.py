"""An assessment as a JSON document with one hash: what reports keep and certificates bind to.

It holds counts and statuses only: no rows, no values of the data, and not the reasons, in which an error may quote a
value. The same assessment always gives the same document, so its SHA-256 (`madang.base.canonical.sha256_of`) names it.
"""

import datetime
from typing import Any

from madang.science.quality.model import Assessment, Result, Status

FORMAT = 1  # raised when a reader of older documents could misread a newer one


def report_document(assessment: Assessment) -> dict[str, Any]:
    """`assessment` as plain JSON values, results ordered by the identifier of their check.

    `totals` counts the results by status; every result has its check's identifier, severity, context, category and
    threshold (in percent) beside status, violated and denominator, so that nothing else is needed to read it.
    """
    return {
        "format": FORMAT,
        "dataset": assessment.dataset,
        "version": assessment.version,
        "manifest": assessment.manifest,
        "vocabulary": assessment.vocabulary,
        "checks": assessment.checks,
        "started": assessment.started,
        "seconds": round(assessment.seconds, 3),
        "about": {name: _plain(value) for name, value in assessment.about.items()},
        "cohort": assessment.cohort,
        "persons": assessment.persons,
        "totals": {status.value: assessment.count(status) for status in Status},
        "results": [_result(result) for result in sorted(assessment.results, key=lambda result: result.check.id)],
    }


def _result(result: Result) -> dict[str, Any]:
    check = result.check
    return {
        "check": check.id,
        "severity": check.severity.value,
        "context": check.context,
        "category": check.category,
        "threshold": check.threshold,
        "status": result.status.value,
        "violated": result.violated,
        "denominator": result.denominator,
    }


def _plain(value: Any) -> Any:
    """A value of CDM_SOURCE as JSON has it: dates as ISO 8601, what has no JSON form as text."""
    if isinstance(value, datetime.date | datetime.datetime):
        return value.isoformat()
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
