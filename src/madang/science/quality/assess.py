"""An assessment of a dataset version: the tables are laid open, every check is counted, and each count is judged."""

import os
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from madang.base.progress import Progress, Silent
from madang.base.translate import _
from madang.lake import Version
from madang.lake.engine import Engine
from madang.science.omop import cdm
from madang.science.omop.release import fingerprint as release_fingerprint
from madang.science.omop.release import mapped_with
from madang.science.quality import cohorts as cohorting
from madang.science.quality import custom, questions
from madang.science.quality.checks import default_checks, fingerprint
from madang.science.quality.cohorts import Narrowed
from madang.science.quality.columns import Columns, read_columns
from madang.science.quality.model import Assessment, Check, Count, Level
from madang.science.quality.status import completeness_id, judge

if TYPE_CHECKING:
    from madang.science.quality import plan

MEMORY = 3_000_000_000  # bytes: half for the engine, which spills, half for arrays


@dataclass(frozen=True)
class Opened:
    """A version and its vocabulary as views of one engine, and the files behind each view."""

    engine: Engine
    files: "plan.Files"
    vocabulary: Version | None


@contextmanager
def opened(
    version: Version, vocabulary: Version | None = None, *, threads: int | None = None, memory: int = MEMORY
) -> Iterator[Opened]:
    """The tables of a version, with those of the vocabulary that it was mapped with unless another one is given."""
    vocabulary = vocabulary or mapped_with(version.dataset.lake, version)
    with (
        tempfile.TemporaryDirectory(prefix="madang-spill-") as spill,
        Engine(memory // 2, threads, spill=Path(spill)) as engine,
    ):
        files: dict[str, list[Path]] = {}
        if vocabulary is not None:
            vocabulary.attach(engine)
            files |= {name: list(table.paths) for name, table in vocabulary.tables.items()}
        version.attach(engine)  # later, so that a table that both have is the version's own
        files |= {name: list(table.paths) for name, table in version.tables.items()}
        yield Opened(engine, {name.lower(): paths for name, paths in files.items()}, vocabulary)


@contextmanager
def confined(version: Version, vocabulary: Version | None, *, threads: int | None = None) -> Iterator[Engine]:
    """The same tables for SQL that somebody else wrote: no other file is read, none written, no setting changed."""
    with Engine(MEMORY // 2, threads) as engine:
        paths: list[Path] = []
        for each in (vocabulary, version):
            if each is not None:
                each.attach(engine)
                paths += [path for table in each.tables.values() for path in table.paths]
        engine.confine(paths)
        yield engine


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
    memory: int = MEMORY,
) -> Assessment:
    """Ask a version all `checks` (the default ones if not given).

    `vocabulary` is the release to look concepts up in, by default the one that the version was mapped with; without
    one, checks that need it are errors that say so. `cohort` narrows the checks to the persons of one definition in
    the table COHORT. `compatible` answers as DataQualityDashboard does where it is at fault. `today` is the day that
    dates must not lie after. `memory` is how many bytes may be held of the rows at once: what does not fit is
    put into files for the time being. Raises `quality.cohort` if there is no such cohort.
    """
    return assess_all(
        version,
        vocabulary,
        cohorts=[] if cohort is None else [cohort],
        checks=checks,
        compatible=compatible,
        today=today,
        threads=threads,
        progress=progress,
        memory=memory,
    )[-1]


def assess_all(
    version: Version,
    vocabulary: Version | None = None,
    *,
    cohorts: Sequence[int] | None = None,
    checks: Iterable[Check] | None = None,
    compatible: bool = False,
    today: date | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
    second: questions.Counting | None = None,
    memory: int = MEMORY,
) -> list[Assessment]:
    """The assessment of a version, and after it that of each of its cohorts: all there are, if none are given.

    Cheaper than one after the other: the rows of cohorts are put aside in one reading, and what is not about persons
    is answered once. Arguments and errors as of `assess`; `second` is another engine that sees the same tables and
    counts instead of ours, for the whole version and without checks of one's own.
    """
    progress = progress or Silent()
    started = datetime.now(UTC)
    wanted = tuple(default_checks(compatible=compatible) if checks is None else checks)
    with (
        tempfile.TemporaryDirectory(prefix="madang-cohorts-") as folder,
        opened(version, vocabulary, threads=threads, memory=memory) as tables,
        progress.interruptible(tables.engine.cancel),
    ):
        columns = read_columns(tables.engine)
        chosen = list(dict.fromkeys(cohorting.numbers(tables.engine, columns) if cohorts is None else cohorts))
        persons = {number: cohorting.members(tables.engine, columns, number) for number in chosen}
        run = _Run(
            version,
            tables,
            columns,
            wanted,
            compatible,
            today or started.date(),
            threads or 0,
            progress,
            second,
            memory,
        )
        done = [run.assess(started, None, run.persons())]
        if chosen and compatible:  # which counts whoever is in a cohort twice twice, as only plain questions do
            done += [run.assess(datetime.now(UTC), number, persons[number]) for number in chosen]
        elif chosen:
            for narrowed in cohorting.narrow(tables.engine, columns, chosen, Path(folder)):
                done.append(run.assess(datetime.now(UTC), narrowed.number, persons[narrowed.number], narrowed))
    return done


@dataclass
class _Run:
    """One opened version that is asked as a whole and by cohorts."""

    version: Version
    tables: Opened
    columns: Columns
    checks: tuple[Check, ...]
    compatible: bool
    today: date
    threads: int
    progress: Progress
    second: questions.Counting | None = None
    memory: int = MEMORY

    def __post_init__(self) -> None:
        self.whole: dict[str, Count] = {}
        self.own = [check for check in self.checks if check.level is Level.CUSTOM]
        self.plain = _with_completeness(tuple(check for check in self.checks if check.level is not Level.CUSTOM))
        self.about = about_source(self.tables.engine, self.columns)
        _note_release(self.about, self.version, self.tables.vocabulary)

    def persons(self) -> int | None:
        """How many persons there are; None where there is no table of them."""
        return int(self.tables.engine.value("SELECT count(*) FROM person")) if "person" in self.columns else None

    def assess(
        self, started: datetime, cohort: int | None, persons: int | None, narrowed: Narrowed | None = None
    ) -> Assessment:
        """Ask all checks of all rows, or of a cohort's."""
        begun = time.monotonic()
        name = self.version.name if cohort is None else f"{self.version.name} {_('cohort')} {cohort}"
        total = len(self.own) + len(self.plain)
        with self.progress.step(_("assess {version}").format(version=name), total, _("checks")):
            counts = self._count(cohort, narrowed)
        if cohort is None:
            self.whole = counts
        vocabulary = self.tables.vocabulary
        return Assessment(
            dataset=self.version.dataset.name,
            version=self.version.number,
            manifest=self.version.digest,
            vocabulary=str(vocabulary.info.get("release", "")) if vocabulary else "",
            checks=fingerprint(self.checks),
            started=started.strftime("%Y-%m-%dT%H:%M:%SZ"),
            seconds=time.monotonic() - begun,
            results=judge(self.checks, counts, self.columns),
            about=self.about,
            cohort=cohort,
            persons=persons,
        )

    def _count(self, cohort: int | None, narrowed: Narrowed | None) -> dict[str, Count]:
        from madang.science.quality import plan  # with NumPy and Arrow, which who reads a report does without

        engine, today, compatible = self.tables.engine, self.today, self.compatible
        counts: dict[str, Count] = {}
        if self.second is not None:
            with self.progress.interruptible(self.second.cancel):
                return questions.count_by(self.second, self.columns, self.plain, today=today, progress=self.progress)
        if self.own:  # somebody else's SQL: in an engine of its own, which sees these tables and no more
            with confined(self.version, self.tables.vocabulary, threads=self.threads or None) as closed:
                counts = custom.count(closed, self.own, cohort=cohort)
            self.progress.advance(len(self.own))
        if cohort is not None and narrowed is None:
            return counts | questions.count(engine, self.plain, today=today, cohort=cohort, compatible=compatible)
        return counts | plan.count(
            engine,
            self.tables.files,
            self.plain,
            today=today,
            compatible=compatible,
            threads=self.threads or os.cpu_count() or 1,
            memory=self.memory // 2,
            progress=self.progress,
            cohort=narrowed,
            whole=self.whole,
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


def about_source(engine: Engine, columns: Columns) -> dict[str, Any]:
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
