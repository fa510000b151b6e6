"""What a class of indistinguishable rows must satisfy: k-anonymity, l-diversity, t-closeness.

Sources: Sweeney 2002 (k-anonymity), Machanavajjhala et al. 2007 (distinct, entropy and recursive l-diversity), Li, Li
and Venkatasubramanian 2007 (t-closeness with equal, ordered and hierarchical distance).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from madang.science.privacy.hierarchy import Hierarchy
from madang.science.privacy.table import order, starts

ROUNDING = 1e-12  # a class that misses a bound by less was summed in another order
CHUNK_CELLS = 1 << 22


@dataclass(frozen=True)
class Histogram:
    """How often each sensitive value occurs in each class: entries sorted by class, then by value.

    `sizes` has the rows of every class, `overall` the rows of every value in the whole table.
    """

    group: np.ndarray
    value: np.ndarray
    count: np.ndarray
    sizes: np.ndarray
    overall: np.ndarray

    @property
    def first(self) -> np.ndarray:
        """Where the entries of each class begin."""
        return starts(self.group)


def histogram(group: np.ndarray, value: np.ndarray, weights: np.ndarray, groups: int, values: int) -> Histogram:
    """Count rows by class and value; all inputs have one entry per distinct tuple."""
    overall = np.bincount(value, weights=weights, minlength=values)
    sizes = np.bincount(group, weights=weights, minlength=groups)
    span = groups * values
    key = group.astype(np.int64) * values + value
    if span <= max(1 << 16, 4 * len(key)):
        dense = np.bincount(key, weights=weights, minlength=span)
        found = np.flatnonzero(dense)
        return Histogram(found // values, found % values, dense[found], sizes, overall)
    places = order(key, span)
    ordered = key[places]
    begin = starts(ordered)
    found = ordered[begin]
    return Histogram(found // values, found % values, np.add.reduceat(weights[places], begin), sizes, overall)


def distinct_values(table: Histogram) -> np.ndarray:
    """Per class: how many sensitive values occur."""
    return np.bincount(table.group, minlength=len(table.sizes))


def entropies(table: Histogram) -> np.ndarray:
    """Per class: entropy of its sensitive values, in bits."""
    parts = np.bincount(table.group, weights=table.count * np.log2(table.count), minlength=len(table.sizes))
    return np.maximum(0.0, np.log2(table.sizes) - parts / table.sizes)


def recursive_ratios(table: Histogram, l: int) -> np.ndarray:  # noqa: E741 - the name in the literature
    """Per class: most frequent count over the sum of the l-th and rarer counts; infinite with fewer than l values."""
    places = np.lexsort((-table.count, table.group))
    count = table.count[places]
    first = table.first
    values = distinct_values(table)
    rank = np.arange(len(count)) - np.repeat(first, values)
    tail = np.bincount(table.group, weights=np.where(rank >= l - 1, count, 0.0), minlength=len(table.sizes))
    with np.errstate(divide="ignore"):
        return count[first] / tail


def equal_distances(table: Histogram) -> np.ndarray:
    """Per class: half the sum of absolute differences between its distribution and that of the table."""
    share = table.count / table.sizes[table.group]
    whole = table.overall / table.overall.sum()
    return np.bincount(table.group, weights=np.maximum(0.0, share - whole[table.value]), minlength=len(table.sizes))


def _chunks(table: Histogram) -> list[tuple[int, int, np.ndarray]]:
    """Classes in pieces, with the difference of their distribution from that of the table, dense."""
    values = len(table.overall)
    whole = table.overall / table.overall.sum()
    step = max(1, CHUNK_CELLS // values)
    first = np.append(table.first, len(table.group))
    pieces = []
    for begin in range(0, len(table.sizes), step):
        end = min(begin + step, len(table.sizes))
        entries = slice(first[begin], first[end])
        dense = np.zeros((end - begin, values))
        group = table.group[entries]
        dense[group - begin, table.value[entries]] = table.count[entries] / table.sizes[group]
        pieces.append((begin, end, dense - whole))
    return pieces


def ordered_distances(table: Histogram) -> np.ndarray:
    """Per class: earth mover's distance where neighboring values (in the order of their codes) are one step apart.

    The distance between first and last value is 1.
    """
    found = np.zeros(len(table.sizes))
    steps = max(1, len(table.overall) - 1)
    for begin, end, difference in _chunks(table):
        found[begin:end] = np.abs(np.cumsum(difference, axis=1)[:, :-1]).sum(axis=1) / steps
    return found


def hierarchical_distances(table: Histogram, tree: Hierarchy) -> np.ndarray:
    """Per class: earth mover's distance where moving between two values costs the height of their common label.

    The codes of the values are the leaves of `tree`; the height of its top is 1.
    """
    found = np.zeros(len(table.sizes))
    height = max(1, tree.levels - 1)
    for begin, end, difference in _chunks(table):
        extra = difference
        for level in range(1, tree.levels):
            child = tree.codes[level - 1]
            parent = np.zeros(len(tree.labels[level - 1]), dtype=np.int64)
            parent[child] = tree.codes[level]
            up = np.zeros((len(parent), len(tree.labels[level])))
            up[np.arange(len(parent)), parent] = 1.0
            positive, negative = np.maximum(extra, 0.0) @ up, np.maximum(-extra, 0.0) @ up
            found[begin:end] += np.minimum(positive, negative).sum(axis=1) * level / height
            extra = positive - negative
    return found


@dataclass(frozen=True)
class KAnonymity:
    """At least `k` rows."""

    k: int
    nested = True  # rows that violate it still do when classes are split


@dataclass(frozen=True)
class DistinctLDiversity:
    """At least `l` sensitive values."""

    l: int  # noqa: E741 - the name in the literature
    nested = True

    def violated(self, table: Histogram) -> np.ndarray:
        """Which classes violate it."""
        return distinct_values(table) < self.l


@dataclass(frozen=True)
class EntropyLDiversity:
    """Entropy of the sensitive values at least log(l)."""

    l: float  # noqa: E741 - the name in the literature
    nested = False

    def violated(self, table: Histogram) -> np.ndarray:
        """Which classes violate it."""
        return entropies(table) < np.log2(self.l) - ROUNDING


@dataclass(frozen=True)
class RecursiveCLDiversity:
    """The most frequent value is rarer than `c` times all from the l-th on together."""

    c: float
    l: int  # noqa: E741 - the name in the literature
    nested = False

    def violated(self, table: Histogram) -> np.ndarray:
        """Which classes violate it."""
        return recursive_ratios(table, self.l) >= self.c


@dataclass(frozen=True)
class TCloseness:
    """Distance between a class and the table at most `t`; `distance` is equal, ordered or a hierarchy of the values."""

    t: float
    distance: str | Hierarchy = "equal"
    nested = False

    def violated(self, table: Histogram) -> np.ndarray:
        """Which classes violate it."""
        return distances(table, self.distance) > self.t + ROUNDING


Criterion = KAnonymity | DistinctLDiversity | EntropyLDiversity | RecursiveCLDiversity | TCloseness


def distances(table: Histogram, distance: str | Hierarchy) -> np.ndarray:
    """Per class: its distance from the table, of the named kind."""
    if isinstance(distance, Hierarchy):
        return hierarchical_distances(table, distance)
    return ordered_distances(table) if distance == "ordered" else equal_distances(table)


def violations(
    criteria: Sequence[Criterion], sizes: np.ndarray, table: Histogram | None
) -> tuple[np.ndarray, np.ndarray]:
    """Per class: whether a nested criterion is violated; and whether any is."""
    nested = np.zeros(len(sizes), dtype=bool)
    other = nested.copy()
    for criterion in criteria:
        if isinstance(criterion, KAnonymity):
            nested |= sizes < criterion.k
        else:
            assert table is not None
            wrong = criterion.violated(table)
            if criterion.nested:
                nested |= wrong
            else:
                other |= wrong
    return nested, nested | other
