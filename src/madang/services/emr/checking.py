"""Validation of a file that somebody put into a page: judged, shown, and kept nowhere."""

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _, in_language, language
from madang.science.fhir.report import coverage_document, summary_document
from madang.science.fhir.run import Outcome, Setup, validate_files
from madang.science.fhir.wording import sentence

LARGEST = 8_000_000  # bytes
SHOWN = 200  # findings on the page
_NUMBER = re.compile(rb"(?<!\d)(\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(-?)([1-8]\d{6})(?!\d)")
_WEIGHTS = (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)


def real_number(data: bytes) -> bool:
    """Whether a text has what looks like a resident registration number: with its hyphen, or a right check digit."""
    for found in _NUMBER.finditer(data):
        if found.group(4):
            return True
        digits = [int(each) for each in found.group(0).decode()]
        total = sum(weight * digit for weight, digit in zip(_WEIGHTS, digits[:12], strict=True))
        if (11 - total % 11) % 10 == digits[12]:
            return True
    return False


@dataclass(frozen=True)
class Checked:
    """What the page shows of one file."""

    summary: dict[str, Any]
    classes: list[dict[str, Any]]
    findings: list[dict[str, Any]]
    more: int


def check_file(data: bytes, xml: bool = False) -> Checked:
    """Judge the resources of a file against KR Core. Errors: `conformance.empty`, `conformance.real_number`."""
    if not data.strip():
        raise MadangError(
            "conformance.empty", _("There is nothing to validate."), _("Choose a file, or paste resources.")
        )
    if real_number(data):
        raise MadangError(
            "conformance.real_number",
            _("The file has what looks like a resident registration number, so it was not read any further."),
            _("Put in synthetic records only; validate real ones on your own machine by `madang fhir validate`."),
        )
    setup = Setup("kr-core")
    lines = [line for line in data.split(b"\n") if line.strip()]
    many = len(lines) > 1 and lines[0].lstrip().startswith(b"{") and lines[0].rstrip().endswith(b"}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("resources.ndjson" if many else "resource.json")
        path.write_bytes(data)
        outcome = validate_files([path], setup, workers=1)
    definitions = setup.definitions()
    return Checked(
        summary=summary_document(outcome, definitions),
        classes=_classes(outcome, coverage_document(outcome, definitions)),
        findings=[_finding(each) for each in sorted(outcome.findings, key=lambda x: x.severity != "error")[:SHOWN]],
        more=max(0, len(outcome.findings) - SHOWN) + outcome.more,
    )


def _finding(each: Any) -> dict[str, Any]:
    return {
        "line": each.line,
        "resource": each.resource,
        "place": each.place or each.path,
        "rule": each.rule,
        "severity": each.severity,
        "message": sentence(each.kind, each.about, language()),
    }


def _classes(outcome: Outcome, coverage: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rows = []
    for each in coverage:
        profiles = each["profiles"]
        used = [one for one in profiles if one["resources"]]
        rows.append(
            {
                "name": in_language(each["korean"], each["english"]),
                "resources": sum(one["resources"] for one in profiles),
                "with_errors": sum(one["with_errors"] for one in profiles),
                "shown": sum(len(one["shown"]) for one in used),
                "wanted": sum(len(one["shown"]) + len(one["not_shown"]) for one in used),
                "not_shown": [name for one in used for name in one["not_shown"]],
            }
        )
    return rows
