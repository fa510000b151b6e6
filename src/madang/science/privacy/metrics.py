"""What generalization loses, as numbers that a search can bound.

`Cells` is the mean over all cells of (leaves that the label covers - 1) / (leaves - 1), 1 for a suppressed cell.
`Entropy` is the non-uniform entropy (Gionis and Tassa 2009), `Discernability` that of Bayardo and Agrawal 2005, `Loss`
that of Iyengar 2002 per column, put together as the anonymizer ARX does, so that answers can be compared with its.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from madang.science.privacy.hierarchy import Hierarchy

DIGITS = 10  # to which column losses are compared, so that sums in another order are equal
Bound = np.ndarray  # lattice x parts: no generalization at or below can score less


@dataclass(frozen=True)
class Rows:
    """The table of a search: leaves per distinct tuple, one array a column, and how many rows have the tuple."""

    hierarchies: tuple[Hierarchy, ...]
    leaves: tuple[np.ndarray, ...]
    weights: np.ndarray

    @cached_property
    def rows(self) -> int:
        """How many rows."""
        return int(self.weights.sum())

    def counts(self, tuples: np.ndarray | None = None) -> list[np.ndarray]:
        """Per column: rows per leaf, of all tuples or of the named ones."""
        weights = self._weights if tuples is None else self._weights[tuples]
        return [
            np.bincount(leaves if tuples is None else leaves[tuples], weights=weights, minlength=len(tree.leaves))
            for tree, leaves in zip(self.hierarchies, self.leaves, strict=True)
        ]

    @cached_property
    def _weights(self) -> np.ndarray:
        return self.weights.astype(float)


def outer_sum(parts: Sequence[np.ndarray]) -> np.ndarray:
    """The array whose entry at (i, j, ...) is parts[0][i] + parts[1][j] + ..."""
    total = np.zeros((1,) * len(parts))
    for axis, part in enumerate(parts):
        total = total + part.reshape([-1 if place == axis else 1 for place in range(len(parts))])
    return total


class Metric(ABC):
    """A loss. Scores are short vectors that are compared from their first part on."""

    grows = False  # whether generalizing further never lowers what `floor` says of an evaluated node

    @abstractmethod
    def floor(self, rows: Rows) -> Bound:
        """For every generalization, a score that it cannot go below."""

    def lift(self, rows: Rows, levels: Sequence[int], tuples: np.ndarray) -> Bound | None:
        """A better floor for all generalizations at or below `levels`, where these tuples are suppressed at least."""
        return None

    @abstractmethod
    def score(
        self, rows: Rows, levels: Sequence[int], tuples: np.ndarray, sizes: np.ndarray, suppressed: np.ndarray
    ) -> tuple[float, ...]:
        """The score: suppressed `tuples`, the `sizes` of all classes and which classes are `suppressed`."""


class _Separable(Metric):
    """A loss that is a sum per column over cells, kept or suppressed."""

    @abstractmethod
    def _tables(self, rows: Rows) -> tuple[list[list[np.ndarray]], list[list[np.ndarray]]]:
        """Per column and level, by leaf: the loss of a kept cell; and how much more a suppressed one loses (>= 0)."""

    def _prepare(self, rows: Rows) -> None:
        if getattr(self, "_rows", None) is not rows:
            self._rows = rows
            self._kept, self._extra = self._tables(rows)
            self._last: tuple[np.ndarray, list[np.ndarray]] | None = None
            self._base = [
                np.array([counts @ kept for kept in levels])
                for counts, levels in zip(rows.counts(), self._kept, strict=True)
            ]

    @abstractmethod
    def _together(self, columns: list[np.ndarray]) -> Bound:
        """Put the sums per column and level together."""

    def floor(self, rows: Rows) -> Bound:
        """As `Metric.floor`: nothing is suppressed."""
        self._prepare(rows)
        return self._together(self._base)

    def _sums(self, rows: Rows, levels: Sequence[int], tuples: np.ndarray) -> list[np.ndarray]:
        self._prepare(rows)
        if self._last is None or not np.array_equal(self._last[0], tuples):
            self._last = (tuples, rows.counts(tuples))  # a score often follows a lift for the same tuples
        found = []
        for column, (top, counts) in enumerate(zip(levels, self._last[1], strict=True)):
            more = np.array([counts @ extra for extra in self._extra[column][: top + 1]])
            found.append(self._base[column][: top + 1] + more)
        return found

    def lift(self, rows: Rows, levels: Sequence[int], tuples: np.ndarray) -> Bound | None:
        """As `Metric.lift`."""
        return self._together(self._sums(rows, levels, tuples))

    def score(
        self, rows: Rows, levels: Sequence[int], tuples: np.ndarray, sizes: np.ndarray, suppressed: np.ndarray
    ) -> tuple[float, ...]:
        """As `Metric.score`."""
        sums = self._sums(rows, levels, tuples)
        return tuple(self._together([part[-1:] for part in sums]).reshape(-1).tolist())


class Cells(_Separable):
    """Mean over cells."""

    def _tables(self, rows: Rows) -> tuple[list[list[np.ndarray]], list[list[np.ndarray]]]:
        cells = rows.rows * len(rows.hierarchies)
        kept = [[loss / cells for loss in tree.losses] for tree in rows.hierarchies]
        return kept, [[1 / cells - loss for loss in levels] for levels in kept]

    def _together(self, columns: list[np.ndarray]) -> Bound:
        return outer_sum(columns)[..., None]


Aggregate = Callable[[np.ndarray], np.ndarray]


def _rank(losses: np.ndarray) -> np.ndarray:
    return -np.sort(-losses, axis=-1)


def _geometric(losses: np.ndarray) -> np.ndarray:
    return np.exp(np.log1p(losses).mean(axis=-1, keepdims=True)) - 1


def _mean(losses: np.ndarray) -> np.ndarray:
    return losses.mean(axis=-1, keepdims=True)


AGGREGATES: dict[str, Aggregate] = {"rank": _rank, "geometric": _geometric, "mean": _mean}


class Loss(_Separable):
    """ARX's loss: per column, then all columns by `aggregate`.

    `rank` compares the worst columns first. A `weight` below 0.5 favors suppression, above 0.5 generalization.
    `importance`, one number a column, multiplies the column's loss, the largest of them being 1.
    """

    def __init__(self, aggregate: str = "rank", weight: float = 0.5, importance: Sequence[float] | None = None) -> None:
        self.aggregate = AGGREGATES[aggregate]
        self.importance = None if importance is None else [each / max(importance) for each in importance]
        self.suppression = min(1.0, 2 * weight)
        self.generalization = min(1.0, 2 - 2 * weight)

    def _tables(self, rows: Rows) -> tuple[list[list[np.ndarray]], list[list[np.ndarray]]]:
        kept, extra = [], []
        for tree in rows.hierarchies:
            shares = [np.bincount(code)[code] / len(tree.leaves) for code in tree.codes]
            kept.append([share * self.generalization for share in shares])
            if self.suppression == 1.0:
                extra.append([1 - share * self.generalization for share in shares])
            else:
                extra.append([self.suppression * (1 - share) for share in shares])
        return kept, extra

    def _together(self, columns: list[np.ndarray]) -> Bound:
        total = self._rows.rows
        most = total * max(self.generalization, self.suppression)
        parts = []
        importance = self.importance or [1.0] * len(columns)
        for tree, sums, factor in zip(self._rows.hierarchies, columns, importance, strict=True):
            least = self.generalization * total / len(tree.leaves)
            span = most - least
            loss = np.maximum(0.0, np.round((sums - least) / span if span else sums * 0.0, DIGITS))
            parts.append(loss * factor)
        shape = tuple(len(part) for part in parts)
        spread = [
            np.broadcast_to(part.reshape([-1 if at == axis else 1 for at in range(len(parts))]), shape)
            for axis, part in enumerate(parts)
        ]
        return self.aggregate(np.stack(spread, axis=-1))


class Entropy(Metric):
    """Non-uniform entropy: bits that the label leaves open about the value, over all cells.

    With `suppressed`, those of the suppressed rows among each other are added; without, the loss only grows with
    generalization and suppression costs nothing.
    """

    def __init__(self, suppressed: bool = False) -> None:
        self.suppressed = suppressed

    def _bits(self, rows: Rows) -> list[np.ndarray]:
        found = []
        for counts, tree in zip(rows.counts(), rows.hierarchies, strict=True):
            levels = []
            for code in tree.codes:
                of_label = np.bincount(code, weights=counts)[code]
                with np.errstate(divide="ignore", invalid="ignore"):
                    levels.append(np.nansum(np.where(counts > 0, counts * np.log2(of_label / counts), 0.0)))
            found.append(np.array(levels))
        return found

    def floor(self, rows: Rows) -> Bound:
        """As `Metric.floor`."""
        self._parts = self._bits(rows)
        return outer_sum(self._parts)[..., None]

    def score(
        self, rows: Rows, levels: Sequence[int], tuples: np.ndarray, sizes: np.ndarray, suppressed: np.ndarray
    ) -> tuple[float, ...]:
        """As `Metric.score`."""
        bits = sum(float(part[level]) for part, level in zip(self._parts, levels, strict=True))
        if self.suppressed and len(tuples):
            gone = float(rows.weights[tuples].sum())
            for of_leaf, tree, level in zip(rows.counts(tuples), rows.hierarchies, levels, strict=True):
                counts = np.bincount(tree.codes[level], weights=of_leaf)
                counts = counts[counts > 0]
                bits += float((counts * np.log2(gone / counts)).sum())
        return (bits,)


class Discernability(Metric):
    """Sum of squared class sizes; with `suppressed`, a suppressed row counts as many as there are rows."""

    grows = True

    def __init__(self, suppressed: bool = False) -> None:
        self.suppressed = suppressed

    def floor(self, rows: Rows) -> Bound:
        """As `Metric.floor`: nothing is known before classes are counted."""
        return np.zeros((*(tree.levels for tree in rows.hierarchies), 1))

    def at_least(self, sizes: np.ndarray) -> float:
        """What every generalization at or above the one with classes of these sizes loses."""
        return float((sizes.astype(float) ** 2).sum())

    def score(
        self, rows: Rows, levels: Sequence[int], tuples: np.ndarray, sizes: np.ndarray, suppressed: np.ndarray
    ) -> tuple[float, ...]:
        """As `Metric.score`."""
        if not self.suppressed:
            return (self.at_least(sizes),)
        gone = float(sizes[suppressed].sum())
        return (self.at_least(sizes[~suppressed]) + gone * rows.rows,)
