"""Answers all checks of a dataset version in few passes over its Parquet files.

A check is answered by the cheapest of these that can, and each has a module of its own:

| module | reads | answers |
|---|---|---|
| `footers` | the statistics in the files, no rows | what is null; numbers and dates within bounds; constant columns |
| `partners` | keys and dates, once | foreign keys, dates beside birth, death, visit and other dates |
| `keys` | keys | primary keys |
| `histograms` | how often each concept occurs in a column | everything that depends on a concept alone |
| `texts` | how often each source value occurs | mapping of source values |

What they leave open, because a table is not as they need it (a key that is there twice, text instead of numbers, rare
kinds of check), is asked one by one as `questions` does: slower, and obviously right.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from types import MappingProxyType

from madang.base.progress import Progress, Silent
from madang.lake.engine import Engine
from madang.science.quality import questions
from madang.science.quality.cohorts import Narrowed
from madang.science.quality.columns import read_columns, runnable
from madang.science.quality.model import Check, Count
from madang.science.quality.plan import footers, histograms, keys, partners, texts
from madang.science.quality.plan.given import MEMORY, Given

Files = Mapping[str, Sequence[Path]]

_STEPS = (footers.answer, partners.answer, keys.answer, histograms.answer, texts.answer)


def count(
    engine: Engine,
    files: Files,
    checks: Iterable[Check],
    *,
    today: date,
    compatible: bool = False,
    threads: int = 2,
    memory: int = MEMORY,
    progress: Progress | None = None,
    cohort: Narrowed | None = None,
    whole: Mapping[str, Count] = MappingProxyType({}),
) -> dict[str, Count]:
    """What each check counts, by identifier: the same as `questions.count`, sooner.

    `engine` has every table as a view in its schema `main`; `files` names the Parquet files behind a view. A table
    that is not among them is asked through the engine alone. Checks that cannot be asked are left out. With `cohort`
    only the rows of its persons are asked; `whole` is then what was counted of all rows. `memory` is how many bytes of
    arrays may be held besides what `engine` is allowed: what does not fit is asked through the engine, which spills.
    """
    progress = progress or Silent()
    columns = read_columns(engine)
    wanted = tuple(checks)
    counts: dict[str, Count] = {}
    if cohort is not None:
        files = cohort.files
        counts = {check.id: whole[check.id] for check in wanted if not check.parameters["cohort"] and check.id in whole}
    for check in wanted:
        if check.name in ("cdmTable", "cdmField"):
            there = check.table in columns and (not check.field or check.field in columns[check.table])
            counts[check.id] = Count(0 if there else 1, 1)
    able = runnable((check for check in wanted if check.id not in counts), columns)
    given = Given(engine, files, columns, today, compatible, threads, progress, memory, cohort.schema if cohort else "")
    if cohort is not None:  # a key that is nowhere twice is not twice among some of the rows
        for check in able:
            rows = given.rows(check.table)
            if check.name == "isPrimaryKey" and rows is not None and whole.get(check.id, Count(1, 1)).violated == 0:
                counts[check.id] = Count(0, rows)
    for step in _STEPS:
        progress.check()
        # Of a cohort a table that could not be narrowed is left to the plain questions.
        mine = [check for check in able if cohort is None or check.table in cohort.files]
        found = step(given, [check for check in mine if check.id not in counts])
        counts |= found
        progress.advance(len(found))
    left = [check for check in able if check.id not in counts]
    progress.advance(len(wanted) - len(able))
    number = cohort.number if cohort else None
    return counts | questions.count(engine, left, today=today, cohort=number, compatible=compatible)
