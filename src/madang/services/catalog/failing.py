"""What failed of an assessment, in sentences: kept when a version is prepared, shown by `checks`."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from madang.science.quality import Assessment

MOST = 200  # failures that are kept for the page; the report has all


def summary(assessment: "Assessment") -> dict[str, Any]:
    """What the page tells of an assessment, in the language that is spoken now; kept when a version is prepared."""
    from madang.science.quality import Severity, Status, wording

    counted: dict[str, dict[str, int]] = {}
    for result in assessment.results:
        status = {Status.PASSED: "passed", Status.FAILED: "failed"}.get(result.status, "other")
        counted.setdefault(result.check.category, dict.fromkeys(("passed", "failed", "other"), 0))[status] += 1
    failed = [result for result in assessment.results if result.status is Status.FAILED]
    failed.sort(key=lambda result: (result.check.severity is not Severity.FATAL, -result.share, result.check.id))
    return {
        "categories": [{"name": name, **count} for name, count in sorted(counted.items())],
        "failures": [
            {
                "check": result.check.id,
                "severity": wording.severity_name(result.check.severity),
                "fatal": result.check.severity is Severity.FATAL,
                "sentence": wording.sentence(result),
                "hint": wording.hint(result.check),
            }
            for result in failed[:MOST]
        ],
        "more": max(0, len(failed) - MOST),
    }
