"""Holding a report against a scheme: one outcome per criterion, each with a sentence."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from madang.base.translate import _
from madang.lake import Version
from madang.services.certification.measures import MEASURES, Kind, Measured, Report
from madang.services.certification.scheme import Automatic, Criterion, Decision, Document, Scheme, Slot

FORMAT = 1


class Verdict(StrEnum):
    """What became of one criterion. A certificate needs `MET` for every one."""

    MET = "met"
    NOT_MET = "not met"
    UNKNOWN = "unknown"  # nobody could count it
    OPEN = "open"  # people have to show it


@dataclass(frozen=True)
class Outcome:
    """What became of one criterion; `observed` is what was measured, None where nothing was."""

    criterion: Criterion
    verdict: Verdict
    observed: Measured = None

    @property
    def sentence(self) -> str:
        """The outcome in one sentence in the reader's language."""
        criterion, rule = self.criterion, str(self.criterion.text)
        if isinstance(criterion, Automatic):
            if self.verdict is Verdict.UNKNOWN:
                return _("{rule} This could not be measured.").format(rule=rule)
            return _("{rule} Measured: {observed}.").format(rule=rule, observed=self.shown)
        if isinstance(criterion, Slot):
            return _("{rule} Its text is not public; the body fills it in.").format(rule=rule)
        if isinstance(criterion, Document):
            documents = ", ".join(str(document) for document in criterion.documents)
            return _("{rule} To be shown by documents: {documents}.").format(rule=rule, documents=documents)
        if isinstance(criterion, Decision):
            return _("{rule} To be decided by {votes} of: {role}.").format(
                rule=rule, votes=criterion.votes, role=criterion.role
            )
        return _("{rule} To be seen on site, {sample} times: {what}.").format(
            rule=rule, sample=criterion.sample, what=criterion.look_at
        )

    @property
    def shown(self) -> str:
        """What was measured, as a person reads it; a share is never rounded up to a bound that it does not reach."""
        if self.observed is None or isinstance(self.observed, str):
            return self.observed or "-"
        if isinstance(self.criterion, Automatic) and MEASURES[self.criterion.measure].kind is Kind.PERCENT:
            return f"{int(self.observed * 100) / 100:g}%"
        return f"{self.observed:,}"


def make_report(scheme: Scheme, version: Version, quality: Mapping[str, Any]) -> dict[str, Any]:
    """The report that a certificate binds to: the scheme, the account of the source, all checks, all outcomes.

    `quality` is the document of the version's assessment (`madang.science.quality.document.report_document`). Canonical
    JSON of what is returned is what is kept and hashed.
    """
    report: dict[str, Any] = {
        "format": FORMAT,
        "scheme": {"name": scheme.name, "version": scheme.version, "sha256": scheme.digest},
        "sources": _sources(version),
        "quality": quality,
    }
    report["outcomes"] = [
        {"criterion": outcome.criterion.id, "verdict": outcome.verdict.value, "observed": outcome.observed}
        for outcome in outcomes_of(scheme, report)
    ]
    return report


def outcomes_of(scheme: Scheme, report: Report) -> list[Outcome]:
    """The outcome of every criterion of `scheme`, in its order, from a report's account and checks alone."""
    return [_outcome(criterion, report) for criterion in scheme.criteria]


def _outcome(criterion: Criterion, report: Report) -> Outcome:
    if not isinstance(criterion, Automatic):
        return Outcome(criterion, Verdict.OPEN)
    measure = MEASURES[criterion.measure]
    observed = measure.compute(report, criterion.severity or "", criterion.category or "")
    if observed is None:
        return Outcome(criterion, Verdict.UNKNOWN)
    if isinstance(observed, str):
        return Outcome(criterion, Verdict.MET, observed)
    low = criterion.at_least is not None and observed < criterion.at_least
    high = criterion.at_most is not None and observed > criterion.at_most
    return Outcome(criterion, Verdict.NOT_MET if low or high else Verdict.MET, observed)


def _sources(version: Version) -> dict[str, dict[str, int]] | None:
    """Rows in and what became of them, by source, as the version's own account in its manifest says."""
    account = version.info.get("report")
    sources = account.get("sources") if isinstance(account, Mapping) else None
    if not sources:
        return None
    names = ("files", "rows", "used", "rejected", "unused")
    return {source: dict(zip(names, counts, strict=True)) for source, counts in sources.items()}
