"""How many people two cohorts share."""

from collections.abc import Sequence

from madang.base.progress import Progress, Silent
from madang.lake import Version
from madang.science.cohorts.definition import Definition
from madang.science.cohorts.hide import enough
from madang.science.cohorts.members import counted
from madang.science.cohorts.opened import Laid, opened
from madang.science.cohorts.seam import RESULTS


def overlap(
    version: Version,
    definitions: Sequence[Definition],
    vocabulary: Version | None = None,
    *,
    minimum: int = 1,
    threads: int | None = None,
    progress: Progress | None = None,
) -> list[list[int | None]]:
    """Persons in cohort i and in cohort j, in the order of the definitions; on the diagonal those of one.

    None where those in both, or those in one of them only, are fewer than `minimum`. Errors: those of `members`, of
    the first definition that cannot be run.
    """
    with opened(version, vocabulary, threads=threads, progress=progress or Silent()) as found:
        return overlap_laid(found, definitions, minimum=minimum, progress=progress)


def overlap_laid(
    found: Laid, definitions: Sequence[Definition], *, minimum: int = 1, progress: Progress | None = None
) -> list[list[int | None]]:
    """As `overlap`, on what is laid open already, on either engine."""
    asking, sizes = found.asking, []
    asking.execute("CREATE TEMP TABLE who (c INTEGER, subject_id BIGINT)")
    for number, each in enumerate(counted(found, definitions, progress or Silent()), 1):
        if each.error is not None:
            raise each.error
        sizes.append(each.persons)
        asking.execute(  # before the engine lets the members go
            f"INSERT INTO who (c, subject_id) SELECT DISTINCT {number}, subject_id FROM {RESULTS}.cohort "
            f"WHERE cohort_definition_id = {number}"
        )
        asking.rows(f"SELECT count(*) FROM who WHERE c = {number}")  # an engine that puts work off does it now
    rows = asking.rows(
        "SELECT a.c, b.c, count(*) FROM who AS a JOIN who AS b ON a.subject_id = b.subject_id GROUP BY a.c, b.c"
    )
    asking.execute("DROP TABLE who")
    both = {(one - 1, two - 1): number for one, two, number in rows}
    places = range(len(definitions))

    def shown(one: int, two: int) -> int | None:
        number = both.get((one, two), 0)
        apart = (number, sizes[one] - number, sizes[two] - number)
        return number if all(enough(part, minimum) for part in apart) else None

    return [[shown(one, two) for two in places] for one in places]
