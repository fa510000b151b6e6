"""The smallest change that would let a refused table leave: more cells suppressed, or counts rounded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from madang.science.privacy.outputs.check import Verdict, check
from madang.science.privacy.outputs.joint import Cell, System, TooLargeError, build
from madang.science.privacy.outputs.linear import new_model, solver
from madang.science.privacy.outputs.rules import Rules
from madang.science.privacy.outputs.tables import CountTable, Key, Range

ANYTHING: Range = (0, None)  # what a null says once cells are also hidden to protect others
ROUNDS = 30
MOST_CELLS = 3000
REPAIRABLE = frozenset({"minimum_count", "derivable", "not_proved", "difference"})


@dataclass(frozen=True)
class Proposal:
    """A form of the table that may leave: `kind` is `suppressed` or `rounded`; `hidden` are the cells newly hidden."""

    kind: str
    table: CountTable
    hidden: tuple[Key, ...]

    def document(self) -> dict[str, Any]:
        """As JSON, the table in the form that `check` reads."""
        return {"kind": self.kind, "hidden": [list(key) for key in self.hidden], "table": table_document(self.table)}


def table_document(table: CountTable) -> dict[str, Any]:
    """A table as the JSON document that it is read from."""
    found: dict[str, Any] = {
        "attributes": list(table.attributes),
        "cells": [
            [list(key), None if key in table.hidden else _shown(cell, table.rounding)]
            for key, cell in table.cells.items()
        ],
    }
    ranges = {table.cells[key] for key in table.hidden}
    if ranges:
        widest = max(ranges, key=lambda cell: float("inf") if cell[1] is None else cell[1])
        found["suppressed"] = [widest[0], widest[1]]
    if table.rounding > 1:
        found["rounding"] = table.rounding
    if table.where:
        found["where"] = {name: sorted(values) for name, values in table.where.items()}
    if table.population:
        found["population"] = table.population
    if table.totals:
        found["total"] = dict(table.totals)
    if table.levels:
        found["hierarchies"] = {
            name: {"base": level.base, "groups": {value: sorted(members) for value, members in level.groups.items()}}
            for name, level in table.levels.items()
        }
    return found


def _shown(cell: Range, rounding: int) -> int:
    low, high = cell
    if rounding == 1 or high is None:
        return low
    return high - rounding // 2


def propose(new: CountTable, released: Sequence[CountTable], rules: Rules, interval: str = "protect") -> list[Proposal]:
    """Forms of a refused table that may leave, the one that keeps counts exact first; empty where there is none."""
    if any(low != high for key, (low, high) in new.cells.items() if key not in new.hidden):
        return []  # rounded already
    found = [suppress(new, released, rules, interval), _rounded(new, released, rules, interval)]
    return [proposal for proposal in found if proposal is not None]


def _rounded(new: CountTable, released: Sequence[CountTable], rules: Rules, interval: str) -> Proposal | None:
    base = rules.rounding
    cells: dict[Key, Range] = {}
    for key, (low, high) in new.cells.items():
        if key in new.hidden:
            cells[key] = (low, high)
        else:
            near = base * ((low + base // 2) // base)
            cells[key] = (max(0, near - base // 2), near + base // 2)
    table = replace(new, cells=cells, rounding=base)
    return Proposal("rounded", table, ()) if check(table, released, rules, interval).released else None


def suppress(
    new: CountTable, released: Sequence[CountTable], rules: Rules, interval: str = "protect"
) -> Proposal | None:
    """The table with small counts hidden, and more cells where they could be worked out; None where that fails.

    Cells are added by the attacker's program with prices, until `check` passes, and those not needed are shown again.
    """
    hidden = set(new.hidden) | {key for key, (low, _high) in new.cells.items() if 0 < low < rules.minimum_count}
    primary = frozenset(hidden)
    table, verdict = _with_hidden(new, hidden, primary), None
    for _round in range(ROUNDS):
        verdict = check(table, released, rules, interval)
        if verdict.released:
            break
        more = _to_hide(table, released, verdict, rules, interval) - hidden
        if not more:
            return None
        hidden |= more
        table = _with_hidden(new, hidden, primary)
    if verdict is None or not verdict.released:
        return None
    for key in sorted(hidden - primary, key=lambda key: -new.cells[key][0]):
        trial = _with_hidden(new, hidden - {key}, primary)
        if check(trial, released, rules, interval).released:
            hidden.remove(key)
            table = trial
    return Proposal("suppressed", table, tuple(sorted(hidden - new.hidden)))


def _with_hidden(new: CountTable, hidden: set[Key], primary: frozenset[Key]) -> CountTable:
    """The table with cells hidden. Once more than small counts are, a null no longer says that a count is small."""
    small: Range = (1, 9)
    known = [new.cells[key] for key in new.hidden]
    means = known[0] if known else small
    cells = dict(new.cells)
    for key in hidden:
        cells[key] = ANYTHING if hidden - primary else means
    return replace(new, cells=cells, hidden=frozenset(hidden))


def _to_hide(
    table: CountTable, released: Sequence[CountTable], verdict: Verdict, rules: Rules, interval: str
) -> set[Key]:
    """Published cells of the table whose hiding would let the opened cells vary."""
    same = [other for other in released if other.population == table.population]
    numbers = [i for i, other in enumerate(released) if other.population == table.population]
    try:
        system = build([*same, table], rules.minimum_count, new=len(same))
    except TooLargeError:
        return set()
    place = {number: i for i, number in enumerate([*numbers, len(released)])}
    elastic = _Elastic(system, table, len(same))
    found: set[Key] = set()
    for opened in verdict.opens:
        cell = Cell(place.get(opened.table, -1), opened.cell)
        if cell in system.cells and opened.upper is not None:
            wanted = 1 if interval == "exact" else rules.protection_values - 1
            found |= elastic.moving(system.cells.index(cell), opened.lower, opened.upper, wanted)
    return found


class _Elastic:
    """The constraints, with published cells of one table that may deviate at a price."""

    def __init__(self, system: System, table: CountTable, number: int) -> None:
        self.system = system
        self.own: Mapping[Key, int] = {
            cell.key: row
            for cell, row in system.told.items()
            if cell.table == number and table.cells[cell.key][0] == table.cells[cell.key][1]
        }
        self.keys = list(self.own)
        highspy = solver()
        count, extra = system.width, len(self.keys)
        model = highspy.HighsLp()
        model.num_col_, model.num_row_ = count + 2 * extra, len(system.lower)
        most = max([1, *(table.cells[key][0] for key in self.keys)])
        price = np.array([1.0 + table.cells[key][0] / most for key in self.keys])
        model.col_cost_ = np.concatenate([np.zeros(count), price, price])
        model.col_lower_ = np.zeros(count + 2 * extra)
        model.col_upper_ = np.full(count + 2 * extra, highspy.kHighsInf)
        model.row_lower_ = system.lower
        model.row_upper_ = np.where(np.isinf(system.upper), highspy.kHighsInf, system.upper)
        starts, indices, values = [0], list[np.ndarray[Any, Any]](), list[np.ndarray[Any, Any]]()
        of_row = {row: i for i, row in enumerate(self.own.values())}
        for row in range(len(system.lower)):
            here = slice(system.starts[row], system.starts[row + 1])
            indices.append(system.indices[here])
            values.append(system.values[here])
            if row in of_row:
                i = of_row[row]
                indices.append(np.array([count + i, count + extra + i], np.int32))
                values.append(np.array([-1.0, 1.0]))
            starts.append(starts[-1] + sum(len(part) for part in indices[-2 if row in of_row else -1 :]))
        model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        model.a_matrix_.start_ = np.array(starts, np.int32)
        model.a_matrix_.index_ = np.concatenate(indices) if indices else np.zeros(0, np.int32)
        model.a_matrix_.value_ = np.concatenate(values) if values else np.zeros(0)
        self.model = new_model()
        self.model.passModel(model)

    def moving(self, cell: int, lower: int, upper: int, width: int) -> set[Key]:
        """The published cells that deviate in a cheapest solution in which the cell leaves `lower..upper`."""
        highspy = solver()
        columns = self.system.columns[cell]
        rows = self.model.getNumRow()
        best: tuple[float, set[Key]] | None = None
        for low, high in ((lower + width, highspy.kHighsInf), (-highspy.kHighsInf, upper - width)):
            self.model.addRow(low, high, len(columns), columns, np.ones(len(columns)))
            self.model.run()
            if self.model.getModelStatus() == highspy.HighsModelStatus.kOptimal:
                x = np.array(self.model.getSolution().col_value)[self.system.width :]
                moved = (x[: len(self.keys)] + x[len(self.keys) :]) > 1e-7
                cost = self.model.getInfo().objective_function_value
                if best is None or cost < best[0]:
                    best = cost, {self.keys[i] for i in np.flatnonzero(moved)}
            self.model.deleteRows(1, np.array([rows], np.int32))
        return set() if best is None else best[1]
