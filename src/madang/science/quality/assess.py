"""An assessment of a dataset version: the tables are laid open, every check is counted, and each count is judged."""

import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from madang.base.errors import MadangError
from madang.base.progress import Progress, Silent
from madang.base.translate import _
from madang.lake import Version
from madang.lake.engine import Engine
from madang.science.omop import cdm
from madang.science.omop.release import fingerprint as release_fingerprint
from madang.science.omop.release import mapped_with
from madang.science.quality import plan, questions
from madang.science.quality.checks import default_checks, fingerprint
from madang.science.quality.columns import Columns, read_columns
from madang.science.quality.model import Assessment, Check
from madang.science.quality.status import completeness_id, judge

MEMORY = "3GB"


@dataclass(frozen=True)
class Opened:
    """A version and its vocabulary as views of one engine, and the files behind each view."""

    engine: Engine
    files: plan.Files
    vocabulary: Version | None


@contextmanager
def opened(version: Version, vocabulary: Version | None = None, *, threads: int | None = None) -> Iterator[Opened]:
    """The tables of a version, with those of the vocabulary that it was mapped with unless another one is given."""
    vocabulary = vocabulary or mapped_with(version.dataset.lake, version)
    with (
        tempfile.TemporaryDirectory(prefix="madang-spill-") as spill,
        Engine(MEMORY, threads, spill=Path(spill)) as engine,
    ):
        files: dict[str, list[Path]] = {}
        if vocabulary is not None:
            vocabulary.attach(engine)
            files |= {name: list(table.paths) for name, table in vocabulary.tables.items()}
        version.attach(engine)  # later, so that a table that both have is the version's own
        files |= {name: list(table.paths) for name, table in version.tables.items()}
        yield Opened(engine, {name.lower(): paths for name, paths in files.items()}, vocabulary)


def assess(
    version: Version,
    vocabulary: Version | None = None,
    *,
    checks: Iterable[Check] | None = None,
    cohort: int | None = None,
    compatible: bool = False,
    today: date | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Assessment:
    """Ask a version all `checks` (the default ones if not given).

    `vocabulary` is the release to look concepts up in, by default the one that the version was mapped with; without
    one, checks that need it are errors that say so. `cohort` narrows the checks to the persons of one definition in
    the table COHORT. `compatible` answers as DataQualityDashboard does where it is at fault. `today` is the day that
    dates must not lie after. Raises `quality.cohort` if there is no such cohort.
    """
    progress = progress or Silent()
    started = datetime.now(UTC)
    day = today or started.date()
    begun = time.monotonic()
    wanted = tuple(default_checks(compatible=compatible) if checks is None else checks)
    with opened(version, vocabulary, threads=threads) as tables, progress.interruptible(tables.engine.cancel):
        columns = read_columns(tables.engine)
        persons = _persons(tables.engine, columns, cohort)
        plain = _with_completeness(wanted)
        with progress.step(_("assess {version}").format(version=version.name), len(plain), _("checks")):
            if cohort is None:
                workers = threads or os.cpu_count() or 1
                counts = plan.count(
                    tables.engine,
                    tables.files,
                    plain,
                    today=day,
                    compatible=compatible,
                    threads=workers,
                    progress=progress,
                )
            else:
                counts = questions.count(tables.engine, plain, today=day, cohort=cohort, compatible=compatible)
            progress.advance(len(plain))
        about = _about(tables.engine, columns)
        _note_release(about, version, tables.vocabulary)
        release = str(tables.vocabulary.info.get("release", "")) if tables.vocabulary else ""
    return Assessment(
        dataset=version.dataset.name,
        version=version.number,
        manifest=version.digest,
        vocabulary=release,
        checks=fingerprint(wanted),
        started=started.strftime("%Y-%m-%dT%H:%M:%SZ"),
        seconds=time.monotonic() - begun,
        results=judge(wanted, counts, columns),
        about=about,
        cohort=cohort,
        persons=persons,
    )


def _with_completeness(checks: tuple[Check, ...]) -> list[Check]:
    """The checks, and those of completeness of the same fields: they tell what is empty and so not applicable."""
    asked = {check.id for check in checks}
    tables = {check.table for check in checks} | {"condition_occurrence"}
    more = [
        check
        for check in default_checks(vocabulary=True)
        if check.id not in asked and check.table in tables and check.id == completeness_id(check.table, check.field)
    ]
    return [*checks, *more]


def _persons(engine: Engine, columns: Columns, cohort: int | None) -> int | None:
    """How many persons are assessed; None where there is no table of them."""
    if cohort is None:
        return int(engine.value("SELECT count(*) FROM person")) if "person" in columns else None
    if "cohort" not in columns:
        raise MadangError("quality.cohort", _("The dataset has no table COHORT."), _("Assess it without a cohort."))
    sql = "SELECT count(DISTINCT subject_id) FROM cohort WHERE cohort_definition_id = ?"
    persons = int(engine.value(sql, [cohort]))
    if not persons:
        known = [str(row[0]) for row in engine.rows("SELECT DISTINCT cohort_definition_id FROM cohort ORDER BY 1")]
        hint = _("There are: {cohorts}.").format(cohorts=", ".join(known[:20])) if known else ""
        raise MadangError("quality.cohort", _("No person is in cohort {cohort}.").format(cohort=cohort), hint)
    return persons


def cohorts(version: Version) -> list[int]:
    """The definitions that the table COHORT has persons of."""
    with opened(version) as tables:
        if "cohort" not in read_columns(tables.engine):
            return []
        rows = tables.engine.rows("SELECT DISTINCT cohort_definition_id FROM cohort ORDER BY 1")
    return [int(row[0]) for row in rows if row[0] is not None]


def _about(engine: Engine, columns: Columns) -> dict[str, Any]:
    """What the one row of CDM_SOURCE says, empty fields left out."""
    if "cdm_source" not in columns:
        return {}
    rows = engine.query("FROM cdm_source LIMIT 1").to_pylist()
    known = {field.name for field in cdm.TABLES["cdm_source"].fields}
    return {name: value for name, value in rows[0].items() if name in known and value is not None} if rows else {}


def _note_release(about: dict[str, Any], version: Version, vocabulary: Version | None) -> None:
    """Say in `about` where concepts were looked up in another release than the one that the data were mapped with."""
    mapped = version.info.get("vocabulary", {})
    if vocabulary is None or not mapped.get("sha256") or release_fingerprint(vocabulary) == mapped["sha256"]:
        return
    about["other_vocabulary"] = _(
        "The data were mapped with vocabulary release {mapped}, and the checks looked concepts up in {used}."
    ).format(mapped=mapped.get("release") or "?", used=vocabulary.info.get("release") or "?")
