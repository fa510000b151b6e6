"""How many people two cohorts share."""

from collections.abc import Sequence

from madang.base.progress import Progress, Silent
from madang.lake import Version
from madang.science.cohorts.definition import Definition
from madang.science.cohorts.hide import enough
from madang.science.cohorts.members import counted
from madang.science.cohorts.opened import opened
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
    progress = progress or Silent()
    with opened(version, vocabulary, threads=threads, progress=progress) as found:
        for each in counted(found, definitions, progress):
            if each.error is not None:
                raise each.error
        rows = found.engine.rows(
            f"""WITH who AS (SELECT DISTINCT cohort_definition_id AS c, subject_id FROM {RESULTS}.cohort)
            SELECT a.c, b.c, count(*) FROM who a JOIN who b USING (subject_id) GROUP BY ALL"""
        )
    both = {(one - 1, two - 1): number for one, two, number in rows}
    places = range(len(definitions))
    sizes = [both.get((place, place), 0) for place in places]

    def shown(one: int, two: int) -> int | None:
        number = both.get((one, two), 0)
        apart = (number, sizes[one] - number, sizes[two] - number)
        return number if all(enough(part, minimum) for part in apart) else None

    return [[shown(one, two) for two in places] for one in places]
