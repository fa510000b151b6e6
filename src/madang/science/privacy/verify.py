"""The independent count: reads the finished table as text and says what holds of it.

It shares no code with the search: classes are counted by Arrow on labels, losses from the lines of the hierarchies.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from madang.base.errors import MadangError
from madang.science.privacy.criteria import (
    Criterion,
    DistinctLDiversity,
    EntropyLDiversity,
    KAnonymity,
    RecursiveCLDiversity,
    TCloseness,
)
from madang.science.privacy.hierarchy import ALL, Hierarchy

if TYPE_CHECKING:
    import pyarrow as pa

SLACK = 1e-9


@dataclass(frozen=True)
class Verified:
    """What was counted in the finished table: smallest class, classes, rows suppressed, and the loss per column."""

    k: int | None  # None where every row is suppressed
    classes: int
    suppressed: int
    loss: float
    loss_by_column: tuple[float, ...]
    l: int | None  # noqa: E741 - the name in the literature
    t: float | None


def verify(
    original: "pa.Table",
    result: "pa.Table",
    trees: Sequence[Hierarchy],
    criteria: Sequence[Criterion],
    sensitive: str | None = None,
    sensitive_tree: Hierarchy | None = None,
    limit: int | None = None,
    levels: Sequence[int] | None = None,
) -> Verified:
    """Count the result, and raise `privacy.unverified` if a criterion, the limit or a label does not hold.

    Without `levels`, a label that stands at several levels of a value's way counts as the finest of them.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    names = [tree.name for tree in trees]
    if result.num_rows != original.num_rows:
        raise _wrong("it has not the rows of the original")
    stars = None
    for name in result.column_names:
        star = pc.equal(result.column(name).cast(pa.string()), ALL)
        stars = star if stars is None else pc.and_(stars, star)
    # A row that is * everywhere is suppressed, unless every class is: then nothing distinguishes the two.
    suppressed = int(pc.sum(stars).as_py() or 0)
    losses = [
        _loss(
            tree,
            _pairs(original.column(tree.name), result.column(tree.name), stars),
            original.num_rows,
            None if levels is None else levels[place],
        )
        for place, tree in enumerate(trees)
    ]
    kept = result if not suppressed else result.filter(pc.invert(stars))
    least: int | None = None
    classes = 0
    if kept.num_rows:
        counts = (
            pa.table({name: kept.column(name) for name in names})
            .group_by(names, use_threads=True)
            .aggregate([([], "count_all")])
        )
        least, classes = pc.min(counts.column("count_all")).as_py(), counts.num_rows
    fewest, farthest = None, None
    if sensitive is not None and kept.num_rows:
        fewest, farthest = _values(original, kept, names, sensitive, sensitive_tree, criteria)
    asked = max((each.k for each in criteria if isinstance(each, KAnonymity)), default=1)
    # what is * throughout without being suppressed is a class of its own and may be large: both readings are fine
    if least is not None and least < asked:
        raise _wrong(f"a class has {least} rows where {asked} are asked for")
    if limit is not None and suppressed > limit and suppressed < asked:
        raise _wrong(f"{suppressed} rows are suppressed where {limit} are allowed")
    return Verified(least, classes, suppressed, sum(losses) / max(1, len(losses)), tuple(losses), fewest, farthest)


def _wrong(what: str) -> MadangError:
    return MadangError("privacy.unverified", f"The result did not stand the independent count: {what}.", "Report this.")


def _pairs(
    before: "pa.ChunkedArray", after: "pa.ChunkedArray", stars: "pa.ChunkedArray"
) -> list[tuple[str, str, bool, int]]:
    """Each value, what it became, whether its row is suppressed, and how often."""
    import pyarrow as pa

    table = pa.table({"before": before, "after": after, "gone": stars})
    counted = table.group_by(["before", "after", "gone"]).aggregate([([], "count_all")])
    return list(
        zip(
            counted.column("before").cast(pa.string()).to_pylist(),
            counted.column("after").cast(pa.string()).to_pylist(),
            counted.column("gone").to_pylist(),
            counted.column("count_all").to_pylist(),
            strict=True,
        )
    )


def _loss(tree: Hierarchy, pairs: list[tuple[str, str, bool, int]], rows: int, only: int | None) -> float:
    """Mean loss of a column, from the lines of its hierarchy; every label must be one of its value."""
    covered: dict[str, list[set[str]]] = defaultdict(list)
    lines = {line[0]: line for line in tree.lines()}
    for level in range(tree.levels) if only is None else (only,):
        at: dict[str, set[str]] = defaultdict(set)
        for leaf, line in lines.items():
            at[line[level]].add(leaf)
        for label, leaves in at.items():
            covered[label].append(leaves)
    span = max(1, len(lines) - 1)
    total = 0.0
    for value, label, gone, count in pairs:
        if gone:
            total += count
            continue
        fitting = [len(leaves) for leaves in covered.get(label, ()) if value in leaves]
        if not fitting:
            raise _wrong(f"{label!r} does not stand for {value!r} in the hierarchy of {tree.name!r}")
        total += count * (min(fitting) - 1) / span
    return total / rows


def _values(
    original: "pa.Table",
    kept: "pa.Table",
    names: list[str],
    sensitive: str,
    tree: Hierarchy | None,
    criteria: Sequence[Criterion],
) -> tuple[int, float]:
    """Check diversity and closeness class by class, in plain arithmetic; fewest values and largest equal distance."""
    import pyarrow as pa

    counted = kept.group_by([*names, sensitive]).aggregate([([], "count_all")])
    keys = zip(*(counted.column(name).cast(pa.string()).to_pylist() for name in names), strict=True)
    of_class: dict[tuple[str, ...], dict[str, int]] = defaultdict(dict)
    for key, value, count in zip(
        keys,
        counted.column(sensitive).cast(pa.string()).to_pylist(),
        counted.column("count_all").to_pylist(),
        strict=True,
    ):
        of_class[key][value] = count
    whole = Counter(original.column(sensitive).cast(pa.string()).to_pylist())
    rows = sum(whole.values())
    shares = {value: count / rows for value, count in whole.items()}
    fewest, farthest = len(shares), 0.0
    for counts in of_class.values():
        size = sum(counts.values())
        mine = {value: counts.get(value, 0) / size for value in shares}
        equal = sum(abs(mine[value] - shares[value]) for value in shares) / 2
        fewest, farthest = min(fewest, len(counts)), max(farthest, equal)
        for each in criteria:
            if not _holds(each, counts, mine, shares, equal, tree):
                raise _wrong(f"a class of {size} rows breaks {each}")
    return fewest, farthest


def _holds(
    criterion: Criterion,
    counts: dict[str, int],
    mine: dict[str, float],
    shares: dict[str, float],
    equal: float,
    tree: Hierarchy | None,
) -> bool:
    size = sum(counts.values())
    if isinstance(criterion, DistinctLDiversity):
        return len(counts) >= criterion.l
    if isinstance(criterion, EntropyLDiversity):
        return -sum(n / size * math.log(n / size) for n in counts.values()) >= math.log(criterion.l) - SLACK
    if isinstance(criterion, RecursiveCLDiversity):
        ranked = sorted(counts.values(), reverse=True)
        return ranked[0] < criterion.c * sum(ranked[criterion.l - 1 :])
    if isinstance(criterion, TCloseness):
        if criterion.distance == "equal":
            return equal <= criterion.t + SLACK
        if criterion.distance == "ordered":
            return _ordered(mine, shares) <= criterion.t + SLACK
        assert isinstance(criterion.distance, Hierarchy)
        return _along(criterion.distance, mine, shares) <= criterion.t + SLACK
    return True


def _ordered(mine: dict[str, float], shares: dict[str, float]) -> float:
    try:
        values = sorted(shares, key=lambda value: (not value, float(value or 0)))
    except ValueError:
        values = sorted(shares)
    moved, total = 0.0, 0.0
    for value in values[:-1]:
        moved += mine[value] - shares[value]
        total += abs(moved)
    return total / max(1, len(values) - 1)


def _along(tree: Hierarchy, mine: dict[str, float], shares: dict[str, float]) -> float:
    """Earth mover's distance along a hierarchy, node by node from the leaves up."""
    lines = tree.lines()
    extra = {line[0]: mine.get(line[0], 0.0) - shares.get(line[0], 0.0) for line in lines}
    height, total = max(1, tree.levels - 1), 0.0
    for level in range(1, tree.levels):
        parent = {line[level - 1]: line[level] for line in lines}
        gain: dict[str, float] = defaultdict(float)
        want: dict[str, float] = defaultdict(float)
        for label, value in extra.items():
            (gain if value > 0 else want)[parent[label]] += abs(value)
        labels = set(parent.values())
        total += sum(min(gain[label], want[label]) for label in labels) * level / height
        extra = {label: gain[label] - want[label] for label in labels}
    return total
