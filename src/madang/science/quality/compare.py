"""Results in the order of how bad they are, and two assessments side by side."""

from collections.abc import Iterable
from dataclasses import dataclass

from madang.science.quality.model import Assessment, Check, Result, Severity, Status

_ORDER = {severity: place for place, severity in enumerate(Severity)}


@dataclass(frozen=True)
class Change:
    """A check that two assessments answer differently."""

    check: Check
    before: Result
    after: Result


def worst_first(assessment: Assessment) -> list[Result]:
    """Errors, since nobody knows, then failures: the severest first, then those of the largest share."""
    bad = [result for result in assessment.results if result.status in (Status.FAILED, Status.ERROR)]
    return sorted(bad, key=_badness)


def _badness(result: Result) -> tuple[bool, int, float, int]:
    return (
        result.status is not Status.ERROR,
        _ORDER[result.check.severity],
        -result.share,
        -(result.violated or 0),
    )


def differences(before: Assessment, after: Assessment) -> Iterable[Change]:
    """The checks asked of both whose status or share differs: changed verdicts first, then the largest differences."""
    theirs = {result.check.id: result for result in after.results}
    found = [
        Change(result.check, result, theirs[result.check.id])
        for result in before.results
        if result.check.id in theirs
        and (result.status, result.share) != (theirs[result.check.id].status, theirs[result.check.id].share)
    ]
    return sorted(
        found,
        key=lambda change: (
            change.before.status is change.after.status,
            _ORDER[change.check.severity],
            -abs(change.before.share - change.after.share),
        ),
    )
