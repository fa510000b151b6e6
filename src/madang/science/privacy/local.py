"""Local recoding: every class of rows has its own levels, so that rows with many like them keep their detail.

The generalizations are taken from the finest on, by what they lose on average. Those rows of the rest that have k of
their kind under one are finished with it. What is left at last, fewer than k rows, joins the class where that costs
least. All on distinct tuples.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from madang.base.progress import Progress, Silent
from madang.science.privacy.criteria import KAnonymity
from madang.science.privacy.metrics import Cells, Rows
from madang.science.privacy.search import LATTICE_NODES, search
from madang.science.privacy.table import order, pack, starts


@dataclass(frozen=True)
class Recoded:
    """Per column the level and leaf of each distinct tuple; which tuples are suppressed; the mean loss over cells."""

    labels: tuple[tuple[np.ndarray, np.ndarray], ...]
    suppressed: np.ndarray
    suppressed_rows: int
    loss: float


def recode(rows: Rows, k: int, limit: int = 0, progress: Progress | None = None) -> Recoded:
    """Give each row the finest generalization by the order above; `limit` rows may be suppressed if that costs less.

    Raises `privacy.no_solution` where there is none.
    """
    progress = progress or Silent()
    columns = range(len(rows.hierarchies))
    codes = [
        [code[leaves].astype(np.int64) for code in tree.codes]
        for tree, leaves in zip(rows.hierarchies, rows.leaves, strict=True)
    ]
    sizes = [[len(labels) for labels in tree.labels] for tree in rows.hierarchies]
    levels = np.full((len(columns), len(rows.weights)), -1, dtype=np.int8)
    rest, weights = np.arange(len(rows.weights)), rows.weights
    for node in _from_fine_to_coarse(rows):
        progress.check()
        taken = [
            (codes[c][level] if len(rest) == len(rows.weights) else codes[c][level][rest], sizes[c][level])
            for c, level in zip(columns, node, strict=True)
            if sizes[c][level] > 1
        ]
        if taken:
            key, span = pack([code for code, _ in taken], [size for _, size in taken])
            enough = _enough(key, span, weights, k)
        else:
            enough = np.full(len(rest), weights.sum() >= k)
        if enough.any():
            levels[:, rest[enough]] = np.array(node, dtype=np.int8)[:, None]
            rest, weights = rest[~enough], weights[~enough]
            if not len(rest):
                break
    gone = np.zeros(len(rows.weights), dtype=bool)
    if len(rest) and not _place(rows, codes, levels, rest, limit, gone):
        # the coarsest levels still tell rows apart, and the rest fits nowhere: one level for all may yet do
        found = search(rows, [KAnonymity(k)], limit, Cells(), progress=progress)
        levels[:] = np.array(found.levels, dtype=np.int8)[:, None]
        gone[found.suppressed] = True
    loss = _loss(rows, levels, gone)
    labels = tuple((np.maximum(levels[c], 0), rows.leaves[c]) for c in columns)
    return Recoded(labels, gone, int(rows.weights[gone].sum()), loss)


def _enough(key: np.ndarray, span: int, weights: np.ndarray, k: int) -> np.ndarray:
    """Which entries have at least k rows of their key."""
    if span <= max(1 << 14, 2 * len(key)):
        return (np.bincount(key, weights=weights, minlength=span) >= k)[key]
    places = order(key, span)
    begin = starts(key[places])
    enough = np.empty(len(key), dtype=bool)
    enough[places] = np.repeat(np.add.reduceat(weights[places], begin) >= k, np.diff(np.append(begin, len(key))))
    return enough


def _from_fine_to_coarse(rows: Rows) -> Iterator[tuple[int, ...]]:
    shape = tuple(tree.levels for tree in rows.hierarchies)
    if np.prod([float(size) for size in shape]) <= LATTICE_NODES:
        floor = Cells().floor(rows)[..., 0]
        for place in np.argsort(floor, axis=None, kind="stable"):
            yield tuple(int(level) for level in np.unravel_index(place, shape))
        return
    # too many to sort: one way up, by the column that loses least at each step
    losses = [
        [float(counts @ loss) for loss in tree.losses]
        for counts, tree in zip(rows.counts(), rows.hierarchies, strict=True)
    ]
    node = [0] * len(shape)
    yield tuple(node)
    while True:
        ups = [(losses[c][node[c] + 1] - losses[c][node[c]], c) for c in range(len(shape)) if node[c] + 1 < shape[c]]
        if not ups:
            return
        node[min(ups)[1]] += 1
        yield tuple(node)


def _place(
    rows: Rows,
    codes: list[list[np.ndarray]],
    levels: np.ndarray,
    rest: np.ndarray,
    limit: int,
    gone: np.ndarray,
) -> bool:
    """Let the last rows join the class where it costs least, or suppress them if that is allowed and costs less.

    False where neither can be done.
    """
    done = np.flatnonzero(levels[0] >= 0)
    left = int(rows.weights[rest].sum())
    price = np.full(len(done), np.inf)
    if len(done):
        price = np.zeros(len(done))
        target = np.zeros((len(codes), len(done)), dtype=np.int8)
        for c, of_level in enumerate(codes):
            tree, leaves = rows.hierarchies[c], rows.leaves[c]
            level = np.full(len(done), -1)
            for at in range(len(of_level) - 1, -1, -1):
                shared = of_level[at][rest]
                if (shared == shared[0]).all():
                    level = np.where((of_level[at][done] == shared[0]) & (at >= levels[c][done]), at, level)
            target[c] = level
            fits = level >= 0
            table = np.stack(tree.losses)
            grown = table[np.maximum(level, 0), leaves[done]] - table[levels[c][done], leaves[done]]
            # a class pays for all its rows; all of a class have the same levels, so one member speaks for it
            price = np.where(fits, price + grown, np.inf)
        node = (
            np.ravel_multi_index(tuple(np.maximum(levels, 0)), tuple(tree.levels for tree in rows.hierarchies))
            if np.prod([float(tree.levels) for tree in rows.hierarchies]) < 1 << 62
            else None
        )
        best, where = np.inf, None
        member: np.ndarray = np.zeros(0, dtype=np.int64)
        for candidate in np.argsort(price, kind="stable")[:64]:
            if np.isinf(price[candidate]):
                break
            tuple_ = done[candidate]
            same = levels[:, done] == levels[:, tuple_][:, None]
            members = same.all(axis=0) if node is None else node[done] == node[tuple_]
            for c, of_level in enumerate(codes):
                at = int(levels[c][tuple_])
                members = members & (of_level[at][done] == of_level[at][tuple_])
            cost = price[candidate] * rows.weights[done[members]].sum() + sum(
                float(
                    (rows.hierarchies[c].losses[target[c][candidate]][rows.leaves[c][rest]] * rows.weights[rest]).sum()
                )
                for c in range(len(codes))
            )
            if cost < best:
                best, where, member = cost, candidate, done[members]
        if where is not None and (left > limit or best <= left * len(codes)):
            for c in range(len(codes)):
                levels[c][member] = target[c][where]
                levels[c][rest] = target[c][where]
            return True
    if left > limit:
        return False
    gone[rest] = True
    return True


def _loss(rows: Rows, levels: np.ndarray, gone: np.ndarray) -> float:
    total = 0.0
    for c, (tree, leaves) in enumerate(zip(rows.hierarchies, rows.leaves, strict=True)):
        table = np.stack(tree.losses)
        total += float((np.where(gone, 1.0, table[np.maximum(levels[c], 0), leaves]) * rows.weights).sum())
    return total / (rows.rows * len(rows.hierarchies))
