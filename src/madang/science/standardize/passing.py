"""Files that pass: which of them are read together, and with which SELECTs.

Each pass over some rows costs a hundred statements and a file for each table that it writes to, so small files of a
source go together. What comes out is the same as file by file.
"""

from collections.abc import Collection, Iterator, Sequence

from madang.science.standardize.compiler.program import Program, Select
from madang.science.standardize.identify import Registered
from madang.science.standardize.intake.files import is_compressed
from madang.science.standardize.intake.tables import kind_of
from madang.science.standardize.pack import Source
from madang.science.standardize.sources import Incoming

GROUP_BYTES = 64 << 20
_UNPACKED = 8
"""Bytes of text that a byte of a compressed file, or of a table that is no text, may be."""


def groups(files: Sequence[Incoming], *, by_period: bool) -> Iterator[list[Incoming]]:
    """Files of one source in their order, as many at once as have `GROUP_BYTES` of text, one at least."""
    group: list[Incoming] = []
    size = 0
    for incoming in files:
        packed = is_compressed(incoming.path) or kind_of(incoming.path) is not None
        text = incoming.file.size * (_UNPACKED if packed else 1)
        other = by_period and group and group[-1].registered.period != incoming.registered.period
        if group and (other or size + text > GROUP_BYTES):
            yield group
            group, size = [], 0
        group.append(incoming)
        size += text
    if group:
        yield group


def narrowed(program: Program, source: Source, built: Collection[str], whole: Collection[str]) -> frozenset[str]:
    """The relations of which rows of `source` see those of their own period only.

    `built` are the entities there are; `whole` are staged sources that are always seen whole.
    """
    if not source.within:
        return frozenset()
    inside = {name for name, other in program.pack.sources.items() if other.within}
    entities = {
        f"{select.name}_members" if select.grouped else select.name
        for select in program.entities
        if select.source in inside and select.name in built
    }
    return frozenset(entities | {name for name in inside & program.staged if name not in whole})


def in_periods(selects: Sequence[Select], relations: Collection[str]) -> list[Select] | None:
    """The SELECTs for rows of several periods at once, each of which sees its own; None where one cannot say that."""
    if not relations:
        return list(selects)
    made = []
    for select in selects:
        one = select.in_periods(relations) if select.in_periods else None
        if one is None:
            return None
        made.append(one)
    return made


def periods_of(files: Sequence[Registered]) -> list[int]:
    """For each file, in the order of numbers from 1, a number for its period."""
    numbers = {period: place for place, period in enumerate(sorted({file.period for file in files}))}
    found = [-1] * max((file.number for file in files), default=0)
    for file in files:
        found[file.number - 1] = numbers[file.period]
    return found
