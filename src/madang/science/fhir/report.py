"""The outcome of a run as documents: JSON, CSV and JUnit, and the numbers that a person looks at first."""

import csv
import io
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from madang import __version__
from madang.base.translate import language
from madang.science.fhir.definitions import Definitions
from madang.science.fhir.kr_cdi import CLASSES, class_of
from madang.science.fhir.run import Finding, Outcome
from madang.science.fhir.wording import sentence


def finding_document(each: Finding) -> dict[str, Any]:
    """One finding: where, which rule, and its sentence in the reader's language and in both."""
    english, korean = sentence(each.kind, each.about, "en"), sentence(each.kind, each.about, "ko")
    return {
        "file": each.file,
        "line": each.line,
        "resource": each.resource,
        "path": each.path,
        "rule": each.rule,
        "severity": each.severity,
        "message": korean if language() == "ko" else english,
        "message_en": english,
        "message_ko": korean,
        "place": each.place,
        "profile": each.profile,
    }


def summary_document(outcome: Outcome, definitions: Definitions) -> dict[str, Any]:
    """The numbers of a run."""
    severities = {name: 0 for name in ("error", "warning", "information")}
    for (_profile, _rule, severity), count in outcome.rules.items():
        severities[severity] = severities.get(severity, 0) + count
    lost = outcome.shown.lost()
    return {
        "resources": sum(outcome.files.values()),
        "files": len(outcome.files),
        "by_type": dict(sorted(outcome.resources.items())),
        "findings": severities,
        "listed": len(outcome.findings),
        "unreadable": outcome.unreadable,
        "left_out": outcome.left_out,
        "profiles": [
            {"profile": url, "resources": count, "with_errors": outcome.invalid.get(url, 0)}
            for url, count in sorted(outcome.profiles.items())
        ],
        "rules": [
            {"profile": profile, "rule": rule, "severity": severity, "count": count}
            for (profile, rule, severity), count in sorted(outcome.rules.items())
        ],
        "cannot_tell": [{"of": name, "count": count} for name, count in outcome.unsure.most_common()],
        "advice": dict(sorted(outcome.counted.items())),
        "unresolved_references": {name: lost.count(name) for name in sorted(set(lost))},
        "term_lists": definitions.terminology.lists,
        "packages": definitions.packages,
    }


def coverage_document(outcome: Outcome, definitions: Definitions) -> list[dict[str, Any]]:
    """By class of KR CDI: resources, those with errors, and the supported elements that were shown or not."""
    from madang.science.fhir.compiler import Compiler
    from madang.science.fhir.shown import supported

    compiler = Compiler(definitions)
    document = []
    for each in CLASSES:
        profiles = []
        for url in [found for found in definitions.urls() if class_of(found) is each]:
            wanted = supported(compiler, url)
            shown = outcome.shown.elements.get(url, set())
            tree = compiler.tree(url)
            items = {name: tree[1][name].row.item for name in wanted} if tree else {}
            profiles.append(
                {
                    "profile": url,
                    "resources": outcome.profiles.get(url, 0),
                    "with_errors": outcome.invalid.get(url, 0),
                    "shown": sorted(set(wanted) & shown),
                    "not_shown": sorted(set(wanted) - shown),
                    "items": {name: item for name, item in sorted(items.items()) if item},
                }
            )
        document.append({"class": each.id, "korean": each.korean, "english": each.english, "profiles": profiles})
    return document


def document(outcome: Outcome, definitions: Definitions, guide: str) -> dict[str, Any]:
    """The whole report of a validation."""
    made: dict[str, Any] = {
        "format": "madang.fhir.validation/1",
        "made_by": f"madang {__version__}",
        "guide": guide,
        "summary": summary_document(outcome, definitions),
    }
    if guide == "kr-core":
        made["kr_cdi"] = coverage_document(outcome, definitions)
    return made | {"findings": [finding_document(each) for each in outcome.findings]}


COLUMNS = ("file", "line", "resource", "path", "rule", "severity", "message", "place", "profile")


def csv_text(outcome: Outcome) -> str:
    """The findings as CSV. A cell that a spreadsheet would take for a formula begins with an apostrophe."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    for each in outcome.findings:
        said = finding_document(each)
        writer.writerow([_cell(said[name]) for name in COLUMNS])
    return buffer.getvalue()


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def junit_text(outcome: Outcome) -> str:
    """The findings as JUnit XML: one case per file, failed by its errors."""
    by_file: dict[str, list[Finding]] = {name: [] for name in outcome.files}
    for each in outcome.findings:
        by_file.setdefault(each.file, []).append(each)
    failed = sum(any(each.severity == "error" for each in found) for found in by_file.values())
    lines = ['<?xml version="1.0" encoding="UTF-8"?>']
    lines.append(f'<testsuite name="madang fhir validate" tests="{len(by_file)}" failures="{failed}">')
    for name, found in by_file.items():
        lines.append(f'  <testcase classname="fhir" name={quoteattr(name)}>')
        errors = [each for each in found if each.severity == "error"]
        if errors:
            text = "\n".join(
                f"{each.line}: {each.place} [{each.rule}] {sentence(each.kind, each.about, language())}"
                for each in errors
            )
            lines.append(f'    <failure message="{len(errors)} errors">{escape(text)}</failure>')
        lines.append("  </testcase>")
    return "\n".join([*lines, "</testsuite>", ""])
