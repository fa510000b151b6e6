"""Small tables, hierarchies and slow twins that are obviously right."""

import itertools
import math
from collections import Counter, defaultdict

import pyarrow as pa
from hypothesis import strategies as st

from madang.science.privacy.hierarchy import Hierarchy, hierarchy

COLUMNS = ("a", "b", "c")


@st.composite
def hierarchies(draw, name: str) -> Hierarchy:
    """A tree of one to three levels over up to five values."""
    values = [f"{name}{n}" for n in range(draw(st.integers(1, 5)))]
    groups = draw(st.lists(st.integers(0, 2), min_size=len(values), max_size=len(values)))
    middle = draw(st.booleans())
    top = draw(st.booleans())
    lines = []
    for value, group in zip(values, groups, strict=True):
        line = [value]
        if middle:
            line.append(f"{name}-group{group}")
        if top:
            line.append("*")
        lines.append(line)
    return hierarchy(name, lines)


@st.composite
def problems(draw, columns: int = 3) -> tuple[pa.Table, list[Hierarchy]]:
    """A table with a sensitive column `s` and the hierarchies of its other columns."""
    trees = [draw(hierarchies(name)) for name in COLUMNS[:columns]]
    rows = draw(st.integers(1, 25))
    table = {tree.name: draw(st.lists(st.sampled_from(tree.leaves), min_size=rows, max_size=rows)) for tree in trees}
    table["s"] = draw(st.lists(st.sampled_from("012"), min_size=rows, max_size=rows))
    return pa.table(table), trees


def generalize(table: pa.Table, trees: list[Hierarchy], levels: tuple[int, ...]) -> list[tuple[str, ...]]:
    """The labels of every row, read from the lines of the hierarchies."""
    ways = [{line[0]: line for line in tree.lines()} for tree in trees]
    columns = [table.column(tree.name).to_pylist() for tree in trees]
    return [
        tuple(way[value][level] for way, value, level in zip(ways, row, levels, strict=True))
        for row in zip(*columns, strict=True)
    ]


def classes(rows: list[tuple[str, ...]]) -> dict[tuple[str, ...], list[int]]:
    found = defaultdict(list)
    for place, row in enumerate(rows):
        found[row].append(place)
    return found


def cell_loss(tree: Hierarchy, value: str, level: int) -> float:
    lines = tree.lines()
    label = next(line[level] for line in lines if line[0] == value)
    return (sum(line[level] == label for line in lines) - 1) / max(1, len(lines) - 1)


def equal_distance(values: list[str], whole: list[str]) -> float:
    mine, all_ = Counter(values), Counter(whole)
    return sum(abs(mine[value] / len(values) - all_[value] / len(whole)) for value in all_) / 2


def ordered_distance(values: list[str], whole: list[str]) -> float:
    order = sorted(set(whole))
    mine, all_ = Counter(values), Counter(whole)
    moved = list(itertools.accumulate(mine[value] / len(values) - all_[value] / len(whole) for value in order))
    return sum(map(abs, moved[:-1])) / max(1, len(order) - 1)


def entropy_l(values: list[str]) -> float:
    counts = Counter(values)
    return 2 ** -sum(n / len(values) * math.log2(n / len(values)) for n in counts.values())


def exhaustive(table: pa.Table, trees: list[Hierarchy], wrong, limit: int, loss: str) -> float | None:
    """The lowest loss over all generalizations; `wrong` says whether a class (its sensitive values) breaks one."""
    secret = table.column("s").to_pylist()
    rows = table.num_rows
    best = None
    for levels in itertools.product(*(range(tree.levels) for tree in trees)):
        found = classes(generalize(table, trees, levels))
        gone = {place for places in found.values() if wrong([secret[p] for p in places]) for place in places}
        if len(gone) > limit:
            continue
        if loss == "cells":
            value = sum(
                1.0 if place in gone else cell_loss(tree, table.column(tree.name)[place].as_py(), level)
                for tree, level in zip(trees, levels, strict=True)
                for place in range(rows)
            ) / (rows * len(trees))
        else:
            value = float(sum(len(places) ** 2 for places in found.values()))
        best = value if best is None else min(best, value)
    return best
