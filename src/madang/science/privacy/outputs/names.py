"""Attributes under another name: a column that was renamed, transposed or recoded still tells the same counts."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from madang.base.translate import later
from madang.science.privacy.outputs.said import said
from madang.science.privacy.outputs.tables import CountTable, margin

BY_CHANCE = 0.05  # the most that may be likely of a match between recoded values


@dataclass(frozen=True)
class Alias:
    """The new table as it reads if some of its attributes are released ones under another name."""

    table: CountTable
    names: Mapping[str, str]

    @property
    def sentence(self) -> str:
        """What is suspected, for a person."""
        pairs = ", ".join(f"{new} = {old}" for new, old in sorted(self.names.items()))
        return said(later("Attributes look like released ones under another name: {pairs}."), pairs=pairs)


def aliases(new: CountTable, released: Sequence[CountTable]) -> list[Alias]:
    """Readings of `new` in which an attribute that nobody released is one that was.

    An attribute is taken for a released one when both can have the same counts, in every value: value by value where
    the values are the same words, or from the least to the most frequent one where they were recoded.
    """
    known: dict[str, Counts] = {}
    for table in released:
        for attribute in table.attributes:
            if table.population == new.population and table.where == new.where:
                counts = known.setdefault(attribute, {})
                for value, cell in _counts(table, attribute).items():
                    before = counts.get(value, cell)
                    counts[value] = (max(before[0], cell[0]), min(before[1], cell[1]))
    names: dict[str, str] = {}
    values: dict[str, Mapping[str, str]] = {}
    for attribute in new.attributes:
        counts = _counts(new, attribute)
        if attribute in known and not _differ(counts, known[attribute]):
            continue
        for other in sorted(known.keys() - {attribute} - set(names.values())):
            mapping = _mapping(counts, known[other])
            if mapping is not None:
                names[attribute], values[attribute] = other, mapping
                break
    clash = [name for name in new.attributes if name not in names and name in names.values()]
    if not names or clash:
        return []
    return [Alias(new.renamed(names, values), names)]


Counts = dict[str, tuple[float, float]]


def _counts(table: CountTable, attribute: str) -> Counts:
    """What the table tells of the count of each value of an attribute."""
    return {key[0]: cell for key, cell in margin(table, [attribute]).items()}


def _meet(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]


def _differ(new: Counts, known: Counts) -> bool:
    common = new.keys() & known.keys()
    return not common or not all(_meet(new[value], known[value]) for value in common)


def _mapping(new: Counts, known: Counts) -> dict[str, str] | None:
    """How the values of one are called in the other, if their counts say that they may be the same attribute."""
    folded = {value.casefold(): value for value in known}
    same = {value: folded[value.casefold()] for value in new if value.casefold() in folded}
    if 2 <= len(same) == len(new) and all(_meet(new[value], known[other]) for value, other in same.items()):
        return same if any(new[value][0] for value in same) else None
    ours = sorted((cell, value) for value, cell in new.items() if cell[1])
    theirs = sorted((cell, value) for value, cell in known.items() if cell[1])
    if len(ours) != len(theirs) or len(ours) < 2 or _overlap(ours) or _overlap(theirs):
        return None
    pairs = list(zip(ours, theirs, strict=True))
    if not all(_meet(one[0], other[0]) for one, other in pairs):
        return None
    by_chance = 1.0  # how likely counts of other attributes would meet like this; the last one follows from the total
    for (low, high), (least, most) in [(one[0], other[0]) for one, other in pairs[1:]]:
        by_chance *= min(1.0, (high - low + most - least + 1) / max(1.0, low))
    return {one[1]: other[1] for one, other in pairs} if by_chance <= BY_CHANCE else None


def _overlap(ordered: Sequence[tuple[tuple[float, float], str]]) -> bool:
    return any(_meet(one[0], other[0]) for one, other in itertools.pairwise(ordered))
