"""Who is in a cohort: the rows of subject, start and end that a definition gives on a dataset version."""

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from madang.base.errors import MadangError
from madang.base.progress import Progress, Silent
from madang.base.translate import _
from madang.lake import Version
from madang.science.cohorts.definition import Definition
from madang.science.cohorts.opened import Laid, opened
from madang.science.cohorts.seam import RESULTS, compile_definition

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = ("subject_id", "cohort_start_date", "cohort_end_date")
ENDED = frozenset({"cancelled", "spark.lost", "spark.stopped", "spark.file"})  # nothing more can be asked after these


@dataclass(frozen=True)
class Counted:
    """How many a definition found: persons and entries, seconds it took, or why it could not be run.

    `masks` counts persons by the inclusion rules that their best event fulfills (bit k for rule k), where asked for.
    """

    definition: Definition
    persons: int
    entries: int
    seconds: float
    error: MadangError | None = None
    masks: Mapping[int, int] = field(default_factory=dict)


def generate(found: Laid, definition: Definition, cohort: int = 1, *, statistics: bool = False) -> Counted:
    """Put the members of a definition into `results.cohort` under the number `cohort`, and count them.

    Errors: `cohort.definition`, `cohort.table`, `cohort.vocabulary`, and those of the engine.
    """
    begun = time.monotonic()
    compiled = compile_definition(definition, cohort, statistics=statistics)
    found.need(compiled.tables)
    try:
        found.asking.execute(compiled.sql)
    except BaseException as error:
        found.tidy()
        if isinstance(error, MadangError) and error.code == "engine.columns":
            raise _column_error(error) from None
        raise
    [(persons, entries)] = found.asking.rows(
        f"SELECT count(DISTINCT subject_id), count(*) FROM {RESULTS}.cohort WHERE cohort_definition_id = {int(cohort)}"
    )
    masks = {}
    if statistics and definition.rules:
        sql = (
            f"SELECT inclusion_rule_mask, person_count FROM {RESULTS}.cohort_inclusion_result "
            f"WHERE cohort_definition_id = {int(cohort)} AND mode_id = 1"
        )
        masks = dict(found.asking.rows(sql))
    return Counted(definition, persons, entries, time.monotonic() - begun, masks=masks)


def _column_error(error: MadangError) -> MadangError:
    """What is said of a column that circe knows from an older or newer model."""
    named = re.search(r'column named "(\w+)"', error.message)
    if named is None:
        return error
    message = _("The definition asks for the column {column}, which CDM 5.4 does not have.")
    return MadangError("cohort.table", message.format(column=named[1]), _("`madang cohort check` says where."))


def rows(found: Laid, cohort: int = 1) -> "pa.Table":
    """The members that `generate` found: subject_id, cohort_start_date, cohort_end_date, in this order."""
    named = ", ".join(COLUMNS)
    return found.asking.query(
        f"SELECT {named} FROM {RESULTS}.cohort WHERE cohort_definition_id = {int(cohort)} ORDER BY {named}"
    )


def members(
    version: Version,
    definition: Definition,
    vocabulary: Version | None = None,
    *,
    threads: int | None = None,
    progress: Progress | None = None,
) -> "pa.Table":
    """The members of a definition on a version: a table of subject_id, cohort_start_date, cohort_end_date."""
    with opened(version, vocabulary, threads=threads, progress=progress or Silent()) as found:
        return members_laid(found, definition)


def members_laid(found: Laid, definition: Definition) -> "pa.Table":
    """As `members`, on what is laid open already, on either engine."""
    generate(found, definition)
    return rows(found)


def count(
    version: Version,
    definitions: Sequence[Definition],
    vocabulary: Version | None = None,
    *,
    threads: int | None = None,
    progress: Progress | None = None,
) -> list[Counted]:
    """Persons and entries of each definition, in one opening; one that cannot be run carries its error instead."""
    progress = progress or Silent()
    with opened(version, vocabulary, threads=threads, progress=progress) as found:
        return list(counted(found, definitions, progress))


def counted(found: Laid, definitions: Iterable[Definition], progress: Progress) -> Iterable[Counted]:
    """As `count`, on what is open already; members are put in under the numbers 1, 2, ...

    Raises what ends an engine for good, since no definition can be run after it.
    """
    kept = list(definitions)
    with progress.step(_("count cohorts"), len(kept), _("definitions")):
        for number, definition in enumerate(kept, 1):
            progress.check()
            begun = time.monotonic()
            try:
                yield generate(found, definition, number)
            except MadangError as error:
                if error.code in ENDED:
                    raise
                yield Counted(definition, 0, 0, time.monotonic() - begun, error)
            found.tidy(members=True)
            progress.advance()
