"""Small factories for tests of certification: a version on disk, an assessment of it that nobody had to run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from madang.lake import Version
from madang.node import Home, signing
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.science.quality.document import report_document
from madang.science.quality.model import Assessment, Check, Level, Result, Severity, Status
from madang.services.certification import Entry, Scheme, current_status_list, issue, load_scheme, status_list
from postgres import Postgres
from templates import templates

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
    """An installation with one certified version."""

    node: Node
    version: Version
    entry: Entry

    @property
    def home(self) -> Home:
        return self.node.home

    @property
    def number(self) -> str:
        return self.entry.certificate.number

    def again(self, name: str, scheme: Scheme | None = None, **changes: Any) -> Entry:
        """A certificate of another dataset."""
        return certified(self.node, make_version(self.home, name), scheme, **changes)


def nobody(node: Node) -> None:
    """An installation as it is made."""


def fresh(folder: Path, server: Postgres | None = None, monkeypatch: pytest.MonkeyPatch | None = None) -> Node:
    """An installation in `folder` that never signed anything."""
    return templates().copied(nobody, folder, server, monkeypatch or pytest.MonkeyPatch())


def certified(node: Node, version: Version, scheme: Scheme | None = None, **changes: Any) -> Entry:
    """A certificate of a version, by an assessment that nobody had to run."""
    return issue(node, Actor.owner(), version, scheme or load_scheme("omop-ready"), assess(version, **changes)).entry


def issue_one(node: Node) -> Entry:
    """A certificate of a new dataset `synthetic` in an installation that exists."""
    return certified(node, make_version(node.home))


def certify(folder: Path, scheme: Scheme | None = None) -> Issuance:
    """A new installation in `folder` whose dataset `synthetic` is certified."""
    return certify_in(fresh(folder), scheme)


def certify_in(node: Node, scheme: Scheme | None = None) -> Issuance:
    """The same in one that exists."""
    version = make_version(node.home)
    return Issuance(node, version, certified(node, version, scheme))


def bits(node: Node) -> set[int]:
    """The bits that are set in the status list as it is handed out now."""
    payload = signing.read_signed(current_status_list(node), signing.public_keys(node.home), "vc+jwt")
    return status_list.set_in(status_list.decode(payload["credentialSubject"]["encodedList"]))
