"""What is made of a version before it is published: the verdict, the profile, and their pages, as documents."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from madang.base.canonical import canonical_json
from madang.base.progress import Progress
from madang.base.translate import LANGUAGES, _, speaking
from madang.lake import Version
from madang.node import files
from madang.node.home import Home
from madang.services.catalog import failing
from madang.services.catalog.contents import named_concepts, table_title


@dataclass(frozen=True)
class Prepared:
    """What was found, and the documents by kind.

    These are quality, profile, their pages quality-ko, profile-en and so on, checks-ko, pictures-en, outline, and
    the columns of each table, see `contents_kind`.
    """

    verdict: str
    passed: int
    failed: int
    fatal: int
    minimum: int
    documents: Mapping[str, str]


def prepare(home: Home, version: Version, *, minimum: int, progress: Progress) -> Prepared:
    """Assess and profile a version, and keep the documents; what was deposited is no common data model, only listed."""
    if "deposit" in version.info:
        listed = {"outline": files.keep(home, orjson.dumps(outline(version)))}
        return Prepared(verdict="unknown", passed=0, failed=0, fatal=0, minimum=minimum, documents=listed)
    from madang.science.quality import Severity, Status, assess
    from madang.science.quality import profile as profiling
    from madang.science.quality.document import report_document
    from madang.science.quality.report import page as quality_page

    done = assess(version, progress=progress)
    found = profiling.profile(version, minimum=minimum, progress=progress)
    documents = {
        "quality": files.keep(home, canonical_json(report_document(done))),
        "profile": files.keep(home, orjson.dumps(profiling.document(found))),
        "outline": files.keep(home, orjson.dumps(outline(version))),
        "words": files.keep(home, orjson.dumps(named_concepts(home.lake(), version, minimum))),
    }
    for language in LANGUAGES:
        with speaking(language):
            documents[f"checks-{language}"] = files.keep(home, orjson.dumps(failing.summary(done)))
            documents[f"quality-{language}"] = files.keep(home, quality_page(done).encode())
            documents[f"profile-{language}"] = files.keep(home, profiling.page(found).encode())
            documents[f"pictures-{language}"] = files.keep(home, orjson.dumps(_pictures(found)))
    for table, columns in profiling.contents(version, minimum=minimum, progress=progress).items():
        documents[contents_kind(table)] = files.keep(home, orjson.dumps(profiling.contents_document(columns)))
    fatal = done.count(Status.FAILED, Severity.FATAL)
    return Prepared(
        verdict=verdict_of(done.count(Status.ERROR), fatal, done.count(Status.FAILED)),
        passed=done.count(Status.PASSED),
        failed=done.count(Status.FAILED),
        fatal=fatal,
        minimum=minimum,
        documents=documents,
    )


def outline(version: Version) -> dict[str, Any]:
    """What pages tell of a version: tables with their columns, and where it comes from.

    Kept as a document because reading the manifest takes longer the more files there are.
    """
    pack, vocabulary = version.info.get("pack"), version.info.get("vocabulary", {})
    report = version.info.get("report", {})
    sources = report.get("sources", {}) if isinstance(report, dict) else {}
    return {
        "tables": [
            {"name": name, "rows": table.rows, "columns": [list(column) for column in table.schema]}
            for name, table in sorted(version.tables.items())
        ],
        "provenance": {
            "made_by": version.kind,
            "created": version.created,
            "pack": f"{pack.get('name', '')} {pack.get('version', '')}".strip() if isinstance(pack, dict) else "",
            "vocabulary": str(vocabulary.get("release", "")),
            "sources": len(sources),
            "manifest": version.digest,
        },
    }


def contents_kind(table: str) -> str:
    """The kind of the document that has the columns of a table."""
    return f"contents/{table}"


def _pictures(found: Any) -> list[tuple[str, str]]:
    """A few pictures for the record's own page: titles and SVG, drawn once."""
    from madang.science import charts
    from madang.science.quality.profile import pictures

    drawn = []
    if found.people:
        title = _("Persons by age and sex")
        drawn.append((title, charts.svg(pictures.people(found), title)))
    timed = [records for records in found.tables if records.periods]
    for records in sorted(timed, key=lambda records: -(records.rows or 0))[:2]:
        title = _("Records over time: {things}").format(things=table_title(records.table))
        drawn.append((title, charts.svg(pictures.over_time(records), title)))
    return drawn


def verdict_of(errors: int, fatal: int, failed: int) -> str:
    """One word for an assessment: good, flawed (something failed), unusable (fatally), unknown (not all was asked)."""
    if errors:
        return "unknown"
    return "unusable" if fatal else "flawed" if failed else "good"


def last_year(profile: Mapping[str, Any]) -> int | None:
    """The last year, not after this one, that the document of a profile has records of."""
    ends = [table["periods"][-1]["end"][:4] for table in profile["tables"] if table["periods"]]
    this_year = datetime.date.today().year
    return max((int(end) for end in ends if int(end) <= this_year), default=None)
