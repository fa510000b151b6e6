"""Small factories for tests of certification: a version on disk, an assessment of it that nobody had to run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from madang.lake import Version
from madang.node import Home
from madang.science.quality.document import report_document
from madang.science.quality.model import Assessment, Check, Level, Result, Severity, Status
from madang.services.certification import Entry, Scheme, load_scheme
from madang.services.certification.issuing import issue

SOURCES = {"sources": {"claims": [2, 10, 7, 2, 1], "persons": [1, 3, 3, 0, 0]}}


def make_version(home: Home, name: str = "synthetic", people: int = 3, info: dict[str, Any] | None = None) -> Version:
    """A committed version of two small tables, made from sources that are all accounted for unless `info` says else."""
    with home.lake().dataset(name).write() as writer:
        tables = {
            "person": pa.table({"person_id": range(people)}),
            "visit_occurrence": pa.table({"visit_occurrence_id": range(2 * people)}),
        }
        for table, data in tables.items():
            pq.write_table(data, path := writer.new_file(table))
            writer.add(table, path)
        return writer.commit("standardize", {"report": SOURCES} if info is None else info)


def result(
    name: str,
    status: Status = Status.PASSED,
    severity: Severity = Severity.CHARACTERIZATION,
    category: str = "Conformance",
    violated: int | None = 0,
    denominator: int | None = 100,
) -> Result:
    check = Check(name, name.split("_")[0], Level.FIELD, "person", severity=severity, category=category)
    return Result(check, status, violated, denominator)


def good_results() -> list[Result]:
    """Forty checks of each category, all passed, and enough mapped records."""
    mapped = "field_standardconceptrecordcompleteness_condition_occurrence_condition_concept_id"
    return [
        *(result(f"c{n}", category=category) for category in ("Conformance", "Plausibility") for n in range(40)),
        *(result(f"m{n}", category="Completeness") for n in range(39)),
        result(mapped, category="Completeness", violated=10),
    ]


def assess(of: Version, results: list[Result] | None = None, **changes: Any) -> dict[str, Any]:
    """The document of an assessment of `of` with these results; every check passed if none are given."""
    values: dict[str, Any] = {
        "dataset": of.dataset.name,
        "version": of.number,
        "manifest": of.digest,
        "vocabulary": "starter 1",
        "checks": "f" * 64,
        "started": "2026-11-27T00:00:00Z",
        "seconds": 1.5,
        "results": tuple(good_results() if results is None else results),
        "about": {"cdm_source_name": "Synthetic 합성"},
        "persons": 3,
    }
    return report_document(Assessment(**values | changes))


@dataclass(frozen=True)
class Issuance:
    """A home with one certified version."""

    home: Home
    version: Version
    entry: Entry


def issue_one(home: Home) -> Entry:
    """A certificate of a new dataset `synthetic` in a home that exists."""
    version = make_version(home)
    return issue(home, version, load_scheme("omop-ready"), assess(version)).entry


def certify(folder: Path, scheme: Scheme | None = None) -> Issuance:
    """A new home in `folder` whose dataset `synthetic` is certified."""
    home = Home(folder)
    version = make_version(home)
    return Issuance(home, version, issue(home, version, scheme or load_scheme("omop-ready"), assess(version)).entry)
