"""Tables of one population as linear constraints on the cells of their joint domain, as few cells as are exact.

The attributes of each table are joined in a graph, which is made chordal; its cliques form a junction tree. Tables over
the cliques that agree on what neighbors share can be glued to one table over all attributes, in whole numbers as well
(Vorob'ev 1962; Lauritzen, Graphical Models, 1996, chapter 4), so cliques hold exactly what the joint table holds.
"""

import itertools
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from madang.science.privacy.outputs.tables import CountTable, Key, Range

REST = "\0rest"  # the values of an attribute that no table lists
MOST_PLACES = 20_000_000  # of one clique before cells that are known to be empty are left out
MOST_VARIABLES = 150_000

Names = frozenset[str]


class TooLargeError(Exception):
    """The joint domain of these tables is too large to be built."""


@dataclass(frozen=True)
class Cell:
    """A cell of the table number `table` (in the order given) that a reader was not told exactly."""

    table: int
    key: Key


@dataclass(frozen=True)
class System:
    """Whole numbers x >= 0 with `lower <= A x <= upper`, A in compressed rows; `cells` are sums of x as well.

    `cells[i]` is the sum of the columns `columns[i]`; `told` gives the row of each cell that the reader was told.
    """

    width: int
    starts: npt.NDArray[np.int64]
    indices: npt.NDArray[np.int32]
    values: npt.NDArray[np.float64]
    lower: npt.NDArray[np.float64]
    upper: npt.NDArray[np.float64]
    cells: tuple[Cell, ...]
    columns: tuple[npt.NDArray[np.int32], ...]
    told: Mapping[Cell, int]


class _Domain:
    """The values of every attribute that is not a grouping of another one."""

    def __init__(self, tables: Sequence[CountTable], partial: Collection[str]) -> None:
        self.levels = {name: level for table in tables for name, level in table.levels.items()}
        values: dict[str, set[str]] = {}
        listed = set()
        for table in tables:
            for attribute in table.attributes:
                named = table.values(attribute)
                values.setdefault(self.base(attribute), set()).update(self._finest(attribute, named))
                listed.add(self.base(attribute))
            for attribute, some in table.where.items():
                values.setdefault(self.base(attribute), set()).update(self._finest(attribute, some))
        for attribute in (values.keys() - listed) | (values.keys() & {self.base(name) for name in partial}):
            values[attribute].add(REST)
        self.values = {attribute: tuple(sorted(named)) for attribute, named in values.items()}
        self._places = {
            attribute: {value: place for place, value in enumerate(named)} for attribute, named in self.values.items()
        }

    def base(self, attribute: str) -> str:
        """The finest attribute that this one groups, or itself."""
        for _step in range(len(self.levels) + 1):
            if attribute not in self.levels:
                return attribute
            attribute = self.levels[attribute].base
        return attribute

    def _finest(self, attribute: str, values: Iterable[str]) -> set[str]:
        found = set(values)
        for _step in range(len(self.levels) + 1):
            if attribute not in self.levels:
                break
            level = self.levels[attribute]
            found = {member for value in found for member in level.groups.get(value, frozenset([value]))}
            attribute = level.base
        return found

    def places(self, attribute: str, values: Iterable[str]) -> frozenset[int]:
        """Where the values stand in the domain of the finest attribute."""
        own = self._places[self.base(attribute)]
        return frozenset(own[value] for value in self._finest(attribute, values))

    def size(self, attributes: Iterable[str]) -> int:
        """How many combinations of values there are."""
        return math.prod(len(self.values[attribute]) for attribute in attributes)


Box = Mapping[str, frozenset[int]]


class _Boxes:
    """The cells of one table, each a box in the joint domain, the empty combinations of its values included."""

    def __init__(self, table: CountTable, number: int, domain: _Domain, threshold: int) -> None:
        self.table = table
        self.number = number
        self.domain = domain
        self.names: Names = frozenset(domain.base(name) for name in (*table.attributes, *table.where))
        self.condition = {domain.base(name): domain.places(name, values) for name, values in table.where.items()}
        self._cache: dict[tuple[int, str], frozenset[int]] = {}
        self.threshold = threshold

    def box(self, key: Key) -> Box:
        """The part of the domain that the cell counts."""
        found = dict(self.condition)
        for place, (attribute, value) in enumerate(zip(self.table.attributes, key, strict=True)):
            if self.table.totals.get(attribute) == value:
                continue
            places = self._cache.get((place, value))
            if places is None:
                places = self._cache[place, value] = self.domain.places(attribute, [value])
            base = self.domain.base(attribute)
            found[base] = found[base] & places if base in found else places
        return found

    def rows(self) -> Iterable[tuple[Key, Range]]:
        """The cells with what is known of them; combinations that are not listed are empty."""
        yield from self.table.cells.items()
        named = [sorted(self.table.values(attribute)) for attribute in self.table.attributes]
        if math.prod(map(len, named)) > len(self.table.cells):
            for key in itertools.product(*named):
                if key not in self.table.cells:
                    yield key, (0, 0)

    def protected(self) -> Iterable[Key]:
        """Cells whose count the reader was not told and may be one that has to stay unknown."""
        for key, (low, high) in self.table.cells.items():
            if low < self.threshold and low != high and (high is None or high >= 1):
                yield key

    def fixed_margin(self, names: Names) -> bool:
        """Whether the table tells the margin over `names` exactly."""
        if self.table.where or not names <= self.names:
            return False
        if any(name in self.table.levels for name in self.table.attributes) or self.table.totals:
            return False
        if any(len(self.table.values(name)) < len(self.domain.values[name]) for name in self.table.attributes):
            return False
        return all(low == high for low, high in self.table.cells.values())

    def margin(self, names: Names) -> dict[tuple[int, ...], int]:
        """The margin over `names`, by places of values, of a table of which `fixed_margin` is true."""
        found: dict[tuple[int, ...], int] = {}
        for key, (count, _high) in self.table.cells.items():
            box = self.box(key)
            place = tuple(min(box[name]) for name in sorted(names))
            found[place] = found.get(place, 0) + count
        return found


def cliques(groups: Iterable[Names], domain: _Domain) -> list[Names]:
    """Cliques of a chordal graph in which each group is joined, by removing what costs least first."""
    around: dict[str, set[str]] = {}
    for group in groups:
        for name in group:
            around.setdefault(name, set()).update(group - {name})
    found: list[Names] = []
    while around:

        def cost(name: str) -> tuple[int, int, str]:
            near = around[name]
            missing = sum(1 for a, b in itertools.combinations(sorted(near), 2) if b not in around[a])
            return (0 if missing == 0 else 1, domain.size(near | {name}), name)

        name = min(around, key=cost)
        near = around.pop(name)
        clique = frozenset(near | {name})
        if not any(clique <= other for other in found):
            found.append(clique)
        for other in near:
            around[other].discard(name)
            around[other].update(near - {other})
    return found or [frozenset()]


def tree(found: Sequence[Names]) -> list[tuple[int, int]]:
    """The edges of a junction tree: a spanning tree whose neighbors share as much as possible."""
    edges = sorted(
        ((len(found[a] & found[b]), a, b) for a, b in itertools.combinations(range(len(found)), 2)),
        key=lambda edge: (-edge[0], edge[1], edge[2]),
    )
    leader = list(range(len(found)))

    def top(node: int) -> int:
        while leader[node] != node:
            leader[node] = leader[leader[node]]
            node = leader[node]
        return node

    chosen = []
    for _shared, a, b in edges:
        if top(a) != top(b):
            leader[top(a)] = top(b)
            chosen.append((a, b))
    return chosen


class _Builder:
    """Gathers the rows of a system."""

    def __init__(self) -> None:
        self.starts = [0]
        self.indices: list[npt.NDArray[np.int32]] = []
        self.values: list[npt.NDArray[np.float64]] = []
        self.lower: list[float] = []
        self.upper: list[float] = []
        self.filled = 0

    def row(self, columns: npt.NDArray[Any], values: npt.NDArray[Any], low: float, high: float) -> None:
        self.indices.append(columns.astype(np.int32))
        self.values.append(values.astype(np.float64))
        self.filled += len(columns)
        self.starts.append(self.filled)
        self.lower.append(low)
        self.upper.append(high)

    def system(
        self, width: int, cells: list[Cell], columns: list[npt.NDArray[np.int32]], told: Mapping[Cell, int]
    ) -> System:
        return System(
            width,
            np.array(self.starts, np.int64),
            np.concatenate(self.indices) if self.indices else np.zeros(0, np.int32),
            np.concatenate(self.values) if self.values else np.zeros(0),
            np.array(self.lower, float),
            np.array(self.upper, float),
            tuple(cells),
            tuple(columns),
            told,
        )


class _Clique:
    """The cells over the attributes of one clique that may hold anybody, numbered from `start`."""

    def __init__(self, names: Names, domain: _Domain, start: int) -> None:
        self.names = tuple(sorted(names))
        self.shape = tuple(len(domain.values[name]) for name in self.names)
        if math.prod(self.shape) > MOST_PLACES:
            raise TooLargeError
        self.open = np.ones(self.shape, bool)
        self.start = start
        self.numbers: npt.NDArray[np.int32] = np.zeros(0, np.int32)

    def slice(self, box: Box) -> Any:
        return np.ix_(
            *(
                np.array(sorted(box[name]) if name in box else range(size), np.intp)
                for name, size in zip(self.names, self.shape, strict=True)
            )
        )

    def close(self, box: Box) -> None:
        self.open[self.slice(box) if self.names else ()] = False

    def number(self) -> int:
        """Number the open cells; returns the first number after them."""
        self.numbers = np.where(self.open.ravel(), np.cumsum(self.open.ravel()) - 1 + self.start, -1)
        self.numbers = self.numbers.astype(np.int32).reshape(self.shape)
        return self.start + int(self.open.sum())

    def columns(self, box: Box) -> npt.NDArray[np.int32]:
        found = self.numbers[self.slice(box) if self.names else ()].ravel()
        return found[found >= 0]


def build(
    tables: Sequence[CountTable], threshold: int, new: int | None = None, partial: Collection[str] = ()
) -> System:
    """The constraints that the tables put on whole numbers, with every cell that must stay unknown.

    With `new`, the number of the table that is new, only the part that it can touch is built: what stands behind a
    margin that the other tables tell exactly does not depend on it. Attributes that are `partial` may have values that
    no table lists. Raises `TooLargeError` where the domain is.
    """
    domain = _Domain(tables, partial)
    boxes = [_Boxes(table, number, domain, threshold) for number, table in enumerate(tables)]
    found = cliques({each.names for each in boxes}, domain)
    homes = [
        min((i for i, clique in enumerate(found) if each.names <= clique), key=lambda i: domain.size(found[i]))
        for each in boxes
    ]
    edges, cut = tree(found), dict[tuple[int, int], _Boxes]()
    kept = set(range(len(found)))
    if new is not None:
        for edge in edges:
            shared = found[edge[0]] & found[edge[1]]
            teller = next((each for each in boxes if each.number != new and each.fixed_margin(shared)), None)
            if teller is not None:
                cut[edge] = teller
        kept = _reachable(homes[new], [edge for edge in edges if edge not in cut])
    return _assemble(domain, boxes, found, homes, edges, cut, kept)


def _reachable(start: int, edges: Sequence[tuple[int, int]]) -> set[int]:
    found, waiting = {start}, [start]
    while waiting:
        node = waiting.pop()
        for a, b in edges:
            for one, other in ((a, b), (b, a)):
                if one == node and other not in found:
                    found.add(other)
                    waiting.append(other)
    return found


def _assemble(
    domain: _Domain,
    boxes: Sequence[_Boxes],
    found: Sequence[Names],
    homes: Sequence[int],
    edges: Sequence[tuple[int, int]],
    cut: Mapping[tuple[int, int], _Boxes],
    kept: set[int],
) -> System:
    parts: dict[int, _Clique] = {}
    width = 0
    for number in sorted(kept):
        part = parts[number] = _Clique(found[number], domain, width)
        for each in boxes:
            if each.names <= found[number]:
                for key, (_low, high) in each.rows():
                    if high == 0:
                        part.close(each.box(key))
        width = part.number()
        if width > MOST_VARIABLES:
            raise TooLargeError
    rows = _Builder()
    told: dict[Cell, int] = {}
    cells: list[Cell] = []
    columns: list[npt.NDArray[np.int32]] = []
    for each in boxes:
        if homes[each.number] in kept:
            part = parts[homes[each.number]]
            secret = set(each.protected())
            for key, (low, high) in each.table.cells.items():
                if high == 0:
                    continue
                here = part.columns(each.box(key))
                if key not in each.table.hidden:
                    told[Cell(each.number, key)] = len(rows.lower)
                rows.row(here, np.ones(len(here)), low, math.inf if high is None else high)
                if key in secret:
                    cells.append(Cell(each.number, key))
                    columns.append(here)
    for a, b in edges:
        shared = found[a] & found[b]
        if (a, b) not in cut and a in kept:
            for values in _combinations(shared, domain):
                one, other = parts[a].columns(values), parts[b].columns(values)
                signs = np.concatenate([np.ones(len(one)), -np.ones(len(other))])
                rows.row(np.concatenate([one, other]), signs, 0.0, 0.0)
        for number in {a, b} & kept if (a, b) in cut else ():
            known = cut[a, b].margin(shared)
            for values in _combinations(shared, domain):
                here = parts[number].columns(values)
                count = known.get(tuple(min(values[name]) for name in sorted(shared)), 0)
                rows.row(here, np.ones(len(here)), count, count)
    return rows.system(width, cells, columns, told)


def _combinations(names: Names, domain: _Domain) -> Iterable[Box]:
    ordered = sorted(names)
    for values in itertools.product(*(range(len(domain.values[name])) for name in ordered)):
        yield {name: frozenset([value]) for name, value in zip(ordered, values, strict=True)}
