"""An assessment in the result format of DataQualityDashboard, so that its viewers read it."""

from datetime import datetime, timedelta
from typing import Any

from madang import __version__
from madang.science.quality.model import Assessment, Result, Status
from madang.science.quality.wording import rule

CATEGORIES = ("Plausibility", "Conformance", "Completeness")
_METADATA = {  # field of CDM_SOURCE to the name that the viewer knows it by
    "cdm_source_name": "cdmSourceName",
    "cdm_source_abbreviation": "cdmSourceAbbreviation",
    "cdm_holder": "cdmHolder",
    "source_description": "sourceDescription",
    "source_documentation_reference": "sourceDocumentationReference",
    "cdm_etl_reference": "cdmEtlReference",
    "source_release_date": "sourceReleaseDate",
    "cdm_release_date": "cdmReleaseDate",
    "cdm_version": "cdmVersion",
    "vocabulary_version": "vocabularyVersion",
}


def peer_document(assessment: Assessment) -> dict[str, Any]:
    """The results as plain JSON values, with the member names of the dashboard (writeJsonResultsTo.R reads them)."""
    started = datetime.fromisoformat(assessment.started)
    ended = started + timedelta(seconds=assessment.seconds)
    metadata = {theirs: str(assessment.about.get(ours, "")) for ours, theirs in _METADATA.items()}
    return {
        "startTimestamp": [f"{started:%Y-%m-%d %H:%M:%S}"],
        "endTimestamp": [f"{ended:%Y-%m-%d %H:%M:%S}"],
        "executionTime": [f"{assessment.seconds:.0f} secs"],
        "executionTimeSeconds": [round(assessment.seconds, 3)],
        "CheckResults": [_result(result) for result in assessment.results],
        "Metadata": [{**metadata, "dqdVersion": f"Madang {__version__}"}],
        "Overview": {name: [value] for name, value in _overview(assessment).items()},
    }


def _result(result: Result) -> dict[str, Any]:
    check = result.check
    made: dict[str, Any] = {
        "numViolatedRows": result.violated,
        "pctViolatedRows": None if result.violated is None else result.share,
        "numDenominatorRows": result.denominator,
        "executionTime": "0 secs",  # no check is run by itself
        "queryText": "",
        "checkName": check.name,
        "checkLevel": check.level.value,
        "checkDescription": rule(check),
        "cdmTableName": check.table.upper(),
        "cdmFieldName": check.field.upper() or None,
        "conceptId": ",".join(map(str, check.concepts)) or None,
        "unitConceptId": check.unit,
        "sqlFile": "",
        "category": check.category,
        "subcategory": check.subcategory,
        "context": check.context,
        "severity": check.severity.value,
        "checkId": check.id,
        "failed": int(result.status is Status.FAILED),
        "passed": int(result.status is Status.PASSED),
        "isError": int(result.status is Status.ERROR),
        "notApplicable": int(result.status is Status.NOT_APPLICABLE),
        "thresholdValue": check.threshold,
        "notesValue": check.notes or None,
    }
    if result.status is Status.ERROR:
        made["error"] = result.reason
    if result.status is Status.NOT_APPLICABLE:
        made["notApplicableReason"] = result.reason
    return {name: value for name, value in made.items() if value is not None}


def _overview(assessment: Assessment) -> dict[str, float]:
    """The totals that the viewer shows; passed is all that did not fail, as the dashboard counts."""
    total = len(assessment.results)
    failed = assessment.count(Status.FAILED)
    found: dict[str, float] = {
        "countTotal": total,
        "countPassed": total - failed,
        "countErrorFailed": assessment.count(Status.ERROR),
        "countThresholdFailed": failed,
        "countOverallFailed": failed,
        "percentPassed": round((total - failed) / total * 100, 2) if total else 0,
        "percentFailed": round(failed / total * 100, 2) if total else 0,
    }
    for what in ("Total", "Failed", "Passed"):
        for category in CATEGORIES:
            of = [result for result in assessment.results if result.check.category == category]
            status = {"Failed": Status.FAILED, "Passed": Status.PASSED}.get(what)
            found[f"count{what}{category}"] = sum(status is None or result.status is status for result in of)
    return found
