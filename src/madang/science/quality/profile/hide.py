"""No count about fewer people than the minimum, and none that can be worked out from the others.

Counts over an ordered scale (ages, years, months) are never left out: small ones are joined with their neighbors, so
totals stay right and nothing is hidden that a subtraction could bring back. Of lists (concepts, values) small entries
are left out; then what is left out altogether is about enough people, too, because an entry of enough people is left
out with them.
"""

from collections.abc import Callable, Sequence
from operator import add
from typing import Protocol, TypeVar


class Entry(Protocol):
    """Something in a list that is counted."""

    @property
    def records(self) -> int:
        """Of how many records."""

    @property
    def persons(self) -> int:
        """Of how many persons."""


_Entry = TypeVar("_Entry", bound=Entry)


def enough(persons: int, minimum: int) -> bool:
    """Whether a count about so many people may be shown; one about nobody may."""
    return persons == 0 or persons >= minimum


def listed(entries: Sequence[_Entry], minimum: int, most: int) -> list[_Entry]:
    """At most `most` entries, the most frequent first, of those that may be shown."""
    kept = sorted((e for e in entries if e.persons >= minimum), key=lambda e: -e.records)[:most]
    shown = set(map(id, kept))
    rest = [entry for entry in entries if id(entry) not in shown]
    if rest and kept and all(entry.persons < minimum for entry in rest):
        kept.pop()  # together with this one, what is left out is of enough people
    return kept


def joined(
    counts: Sequence[Sequence[int]], minimum: int, together: Callable[[int, int], int] = add
) -> list[tuple[int, int]]:
    """Neighboring places of a scale to be joined, as (first, last) of each group.

    `counts` has at each place several counts of persons (of each sex). In a group each of them is 0 or enough, if that
    is possible at all; otherwise everything is one group. `together` says how many persons two places have: the sum,
    or, where a person may be counted at several places, surely the larger number (`max`).
    """
    groups: list[tuple[int, int, list[int]]] = []
    for place, here in enumerate(counts):
        if groups and not _fine(groups[-1][2], minimum):
            first, _last, held = groups.pop()
            groups.append((first, place, [together(*both) for both in zip(held, here, strict=True)]))
        else:
            groups.append((place, place, list(here)))
    while len(groups) > 1 and not _fine(groups[-1][2], minimum):
        _first, last, held = groups.pop()
        first, _last, earlier = groups.pop()
        groups.append((first, last, [together(*both) for both in zip(earlier, held, strict=True)]))
    return [(first, last) for first, last, _held in groups]


def _fine(held: Sequence[int], minimum: int) -> bool:
    return all(enough(persons, minimum) for persons in held)
