"""The best full-domain generalization: one level per column for all rows, small classes suppressed within a limit.

Exact on lattices of up to `LATTICE_NODES` generalizations. What makes it fast, and why nothing is lost by it:

* equal tuples are looked at once, and a generalization is counted from the classes of a finer one where there is one;
* a floor per generalization (see `metrics`): nothing is counted whose floor is not below the best score so far;
* rows suppressed by a nested criterion (k-anonymity, distinct l-diversity) stay suppressed in every finer
  generalization: so one that suppresses too many rules out all finer ones, and any other raises their floors;
* without suppression, all criteria are nested in that sense.

The search walks up from the generalization with the lowest floor and counts a coarse one first: it rules out most.
"""

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from madang.base.errors import MadangError
from madang.base.progress import Progress, Silent
from madang.science.privacy.criteria import Criterion, histogram, violations
from madang.science.privacy.metrics import Discernability, Metric, Rows
from madang.science.privacy.table import order, pack, starts

LATTICE_NODES = 4_000_000
WALK = 0.9  # how far up its way the search counts first; by trial on Adult
KEPT_GROUPINGS = 24
TIE = 1e-12  # scores closer than this, relatively, are equal: sums in another order


@dataclass(frozen=True)
class Grouping:
    """Classes of one generalization: the class of each distinct tuple, one tuple of each class, rows per class."""

    levels: tuple[int, ...]
    of_tuple: np.ndarray
    representative: np.ndarray
    sizes: np.ndarray


@dataclass(frozen=True)
class Found:
    """The best generalization: its score, which tuples it suppresses, and whether it is proved the best."""

    levels: tuple[int, ...]
    score: tuple[float, ...]
    suppressed: np.ndarray  # places of distinct tuples
    suppressed_rows: int
    optimal: bool
    counted: int  # generalizations that were counted


@dataclass
class Sensitive:
    """The sensitive value of each distinct tuple, as codes below `values`."""

    codes: np.ndarray
    values: int


@dataclass
class _Search:
    rows: Rows
    criteria: Sequence[Criterion]
    limit: int  # rows that may be suppressed
    metric: Metric
    sensitive: Sensitive | None
    progress: Progress
    deadline: float
    counted: int = 0
    best: Found | None = None
    groupings: list[Grouping] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.codes = []  # per column and level: the label of each distinct tuple, numbered by those that occur
        self.sizes = []
        for tree, leaves in zip(self.rows.hierarchies, self.rows.leaves, strict=True):
            codes, sizes = [], []
            for code, labels in zip(tree.codes, tree.labels, strict=True):
                occurs = np.bincount(code[leaves], minlength=len(labels)) > 0
                number = np.cumsum(occurs, dtype=np.int32) - 1
                codes.append(number[code][leaves].astype(np.int32))
                sizes.append(int(occurs.sum()))
            self.codes.append(codes)
            self.sizes.append(sizes)

    def late(self) -> bool:
        return time.monotonic() > self.deadline

    def group(self, levels: tuple[int, ...]) -> Grouping:
        """Count the classes of a generalization, from those of a finer one if there are few of them."""
        finer = [each for each in self.groupings if all(a <= b for a, b in zip(each.levels, levels, strict=True))]
        finest = min(finer, key=lambda each: len(each.representative), default=None)
        columns, sizes = [], []
        for column, level in enumerate(levels):
            if self.sizes[column][level] > 1:
                code = self.codes[column][level]
                columns.append(code if finest is None else code[finest.representative])
                sizes.append(self.sizes[column][level])
        weights = self.rows.weights if finest is None else finest.sizes
        if not columns:
            columns, sizes = [np.zeros(len(weights), dtype=np.int32)], [1]
        group, first, counts = _count(columns, sizes, weights)
        made = Grouping(
            levels,
            group if finest is None else group[finest.of_tuple],
            first if finest is None else finest.representative[first],
            counts,
        )
        if len(first) * 2 < len(weights):
            self.groupings.append(made)
            if len(self.groupings) > KEPT_GROUPINGS:
                self.groupings.pop(0)
        return made

    def count(self, levels: tuple[int, ...]) -> tuple[Grouping, np.ndarray, np.ndarray]:
        """The classes, which of them a nested criterion rules out, and which any does."""
        self.progress.check()
        self.counted += 1
        made = self.group(levels)
        table = None
        if self.sensitive is not None:
            table = histogram(
                made.of_tuple, self.sensitive.codes, self.rows.weights, len(made.sizes), self.sensitive.values
            )
        nested, wrong = violations(self.criteria, made.sizes, table)
        if self.limit == 0:
            nested = wrong
        return made, nested, wrong

    def take(self, made: Grouping, wrong: np.ndarray) -> bool:
        """Score a generalization that suppresses few enough; True if it is the best so far."""
        gone = int(made.sizes[wrong].sum())
        if gone > self.limit:
            return False
        tuples = np.flatnonzero(wrong[made.of_tuple]) if gone else np.zeros(0, dtype=np.int64)
        score = self.metric.score(self.rows, made.levels, tuples, made.sizes, wrong)
        if self.best is not None and not less(score, self.best.score):
            return False
        self.best = Found(made.levels, score, tuples, gone, False, self.counted)
        return True


def less(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether a score is lower than another by more than rounding."""
    for a, b in zip(one, other, strict=True):
        if abs(a - b) > TIE * max(1.0, abs(a), abs(b)):
            return a < b
    return False


def _less(many: np.ndarray, other: Sequence[float]) -> np.ndarray:
    """`less` for an array of scores."""
    lower = np.zeros(many.shape[:-1], dtype=bool)
    tied = np.ones(many.shape[:-1], dtype=bool)
    for part, value in enumerate(other):
        difference = many[..., part] - value
        tolerance = TIE * np.maximum(1.0, np.abs(many[..., part]))
        lower |= tied & (difference < -tolerance)
        tied &= np.abs(difference) <= tolerance
    return lower


def _count(
    columns: list[np.ndarray], sizes: list[int], weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Class of each entry, one entry of each class, and the weight of each class."""
    key, span = pack(columns, sizes)
    if span <= max(1 << 14, 2 * len(key)):
        weight = np.bincount(key, weights=weights, minlength=span)
        found = np.flatnonzero(weight)
        number = np.empty(span, dtype=np.int32)
        number[found] = np.arange(len(found), dtype=np.int32)
        group = number[key]
        first = np.empty(len(found), dtype=np.int64)
        first[group] = np.arange(len(key))
        return group, first, weight[found].astype(np.int64)
    places = order(key, span)
    begin = starts(key[places])
    group = np.empty(len(key), dtype=np.int32)
    group[places] = np.repeat(np.arange(len(begin), dtype=np.int32), np.diff(np.append(begin, len(key))))
    return group, places[begin], np.add.reduceat(weights[places], begin).astype(np.int64)


def search(
    rows: Rows,
    criteria: Sequence[Criterion],
    limit: int,
    metric: Metric,
    sensitive: Sensitive | None = None,
    seconds: float = 60.0,
    progress: Progress | None = None,
) -> Found:
    """The generalization with the lowest score that meets all criteria with at most `limit` rows suppressed.

    Raises `privacy.no_solution` where none does. After `seconds` the best one so far is returned, as not proved the
    best; also where the lattice is too large to be searched through.
    """
    work = _Search(rows, criteria, limit, metric, sensitive, progress or Silent(), time.monotonic() + max(0.0, seconds))
    shape = tuple(tree.levels for tree in rows.hierarchies)
    nodes = int(np.prod([float(size) for size in shape]))
    finished = _exhaust(work, shape) if nodes <= LATTICE_NODES else _climb(work, shape)
    if work.best is None:
        proved = finished or not all(getattr(each, "nested", False) for each in criteria)
        raise MadangError(
            "privacy.no_solution",
            "No generalization meets the criteria within the suppression limit."
            if proved
            else "No generalization that meets the criteria was found.",
            "Allow more suppression, ask for less, or give coarser hierarchies.",
        )
    best = work.best
    return Found(best.levels, best.score, best.suppressed, best.suppressed_rows, finished, work.counted)


def _below(levels: Sequence[int]) -> tuple[slice, ...]:
    return tuple(slice(0, level + 1) for level in levels)


def _above(levels: Sequence[int]) -> tuple[slice, ...]:
    return tuple(slice(level, None) for level in levels)


def _exhaust(work: _Search, shape: tuple[int, ...]) -> bool:
    """Count what the floors do not rule out; False if time ran out."""
    floor = np.array(work.metric.floor(work.rows), dtype=float)
    lifts = not isinstance(work.metric, Discernability) and type(work.metric).lift is not Metric.lift
    order_of = floor.mean(axis=-1)  # by which the next one is chosen; infinite once ruled out

    def rule_out(where: tuple[slice, ...]) -> None:
        if work.best is not None:
            part = order_of[where]
            part[~_less(floor[where], work.best.score)] = np.inf

    def count(levels: tuple[int, ...]) -> None:
        made, nested, wrong = work.count(levels)
        order_of[levels] = np.inf
        must = int(made.sizes[nested].sum())
        if must > work.limit:
            order_of[_below(levels)] = np.inf
        elif lifts and must:
            lifted = work.metric.lift(work.rows, levels, np.flatnonzero(nested[made.of_tuple]))
            assert lifted is not None
            part = floor[_below(levels)]
            better = _more(lifted, part)
            part[better] = lifted[better]
            worth = order_of[_below(levels)]
            np.maximum(worth, np.where(np.isinf(worth), worth, part.mean(axis=-1)), out=worth)
            rule_out(_below(levels))
        if isinstance(work.metric, Discernability):
            part = floor[_above(levels)]
            np.maximum(part, work.metric.at_least(made.sizes), out=part)
            worth = order_of[_above(levels)]
            np.maximum(worth, part[..., 0], out=worth)
            rule_out(_above(levels))
        if work.take(made, wrong):
            rule_out((slice(None),) * len(shape))

    flat = order_of.reshape(-1)
    count(tuple(size - 1 for size in shape))
    while True:
        lowest = int(flat.argmin())
        if np.isinf(flat[lowest]):
            return True
        if work.late():
            return False
        way = _way_up(order_of, tuple(int(level) for level in np.unravel_index(lowest, shape)))
        high = len(way) - 1
        while high >= 0 and not np.isinf(flat[lowest]) and not work.late():
            place = int(high * WALK)
            if not np.isinf(order_of[way[place]]):
                count(way[place])
            high = place - 1


def _more(lifted: np.ndarray, floor: np.ndarray) -> np.ndarray:
    """Where a floor is higher than the one so far, comparing part by part."""
    if floor.shape[-1] == 1:
        return np.asarray(lifted[..., 0] > floor[..., 0])
    higher = np.zeros(floor.shape[:-1], dtype=bool)
    tied = np.ones(floor.shape[:-1], dtype=bool)
    for part in range(floor.shape[-1]):
        higher |= tied & (lifted[..., part] > floor[..., part])
        tied &= lifted[..., part] == floor[..., part]
    return higher


def _way_up(order_of: np.ndarray, levels: tuple[int, ...]) -> list[tuple[int, ...]]:
    """From a generalization upward through those not ruled out, by the lowest floor each time."""
    way = [levels]
    while True:
        ups = [
            (*levels[:column], level + 1, *levels[column + 1 :])
            for column, level in enumerate(levels)
            if level + 1 < order_of.shape[column]
        ]
        ups = [up for up in ups if not np.isinf(order_of[up])]
        if not ups:
            return way
        levels = min(ups, key=lambda up: float(order_of[up]))
        way.append(levels)


def _climb(work: _Search, shape: tuple[int, ...]) -> bool:
    """For lattices too large to hold: go down from the top by the best step, then try exchanges, until time is up.

    Proves nothing, so always False; the same input gives the same answer if time suffices.
    """
    top = tuple(size - 1 for size in shape)
    seen = {top}
    made, _nested, wrong = work.count(top)
    work.take(made, wrong)
    here = top
    columns = range(len(shape))
    while not work.late():
        moved = False
        downs = [(c, -1) for c in columns]
        steps = [[down] for down in downs] + [[down, (c, 1)] for down in downs for c in columns if c != down[0]]
        for width, group in itertools.groupby(steps, key=len):
            for step in group:
                levels = list(here)
                for column, by in step:
                    levels[column] += by
                if any(not 0 <= level < size for level, size in zip(levels, shape, strict=True)):
                    continue
                if tuple(levels) in seen:
                    continue
                seen.add(tuple(levels))
                if work.late():
                    return False
                made, _nested, wrong = work.count(tuple(levels))
                moved |= work.take(made, wrong)
            if moved and width == 1:
                break
        if work.best is None or work.best.levels == here:
            return False
        here = work.best.levels
    return False
