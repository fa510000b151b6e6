"""Plates: wells and their names, worklists for liquid handlers, readings from plate readers, plates turned by half."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.bioprocess.tables import _cells

SIZES = {96: (8, 12), 384: (16, 24)}
ROWS = "ABCDEFGHIJKLMNOP"
_WELL = re.compile(r"^([A-P])0*([1-9]\d?)$")


@dataclass(frozen=True)
class Transfer:
    """One line of a worklist: microliters from a well of a source plate to a well of the assay plate."""

    source_plate: str
    source_well: str
    target_plate: str
    target_well: str
    volume: float
    content: str


def wells(size: int) -> list[str]:
    """Names of the wells of a plate, row by row. Raises `plate.size` for other sizes than 96 and 384."""
    if size not in SIZES:
        raise MadangError("plate.size", _("A plate has 96 or 384 wells."))
    rows, columns = SIZES[size]
    return [f"{ROWS[row]}{column}" for row in range(rows) for column in range(1, columns + 1)]


def turned(well: str, size: int) -> str:
    """The well that is where `well` should be when the plate is turned by half."""
    rows, columns = SIZES[size]
    return f"{ROWS[rows - 1 - ROWS.index(well[0])]}{columns + 1 - int(well[1:])}"


def write_worklist(transfers: Sequence[Transfer]) -> str:
    """The worklist as CSV with the columns that liquid handlers take."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["source_plate", "source_well", "target_plate", "target_well", "volume_ul", "content"])
    for each in transfers:
        writer.writerow(
            [each.source_plate, each.source_well, each.target_plate, each.target_well, f"{each.volume:g}", each.content]
        )
    return out.getvalue()


def read_readings(path: Path, size: int) -> dict[str, float]:
    """Readings by well from a reader's export: a list of wells and values, or a grid of rows A.. and columns 1..

    Other lines around it (the reader's settings) are passed over. A well without a number is left out. Raises
    `plate.readings` where neither form is found, or a well stands there twice with different values.
    """
    table = [[str(cell).strip() if cell is not None else "" for cell in row] for row in _cells(path)]
    names = set(wells(size))
    found: dict[str, float] = {}
    for row in table:
        told = [cell for cell in row if cell]
        if len(told) >= 2 and (match := _WELL.match(told[0].upper())):
            _put(found, f"{match[1]}{int(match[2])}", told[-1], names, path)
    if not found:
        _rows, columns = SIZES[size]
        header = [str(number) for number in range(1, columns + 1)]
        for place, row in enumerate(table):
            begin = next((at for at in range(len(row)) if [_plain(c) for c in row[at : at + columns]] == header), None)
            if begin is None:
                continue
            for line in table[place + 1 : place + 1 + SIZES[size][0]]:
                letter = next((cell.upper() for cell in line[:begin] if cell.upper() in ROWS and cell), "")
                for column, cell in enumerate(line[begin : begin + columns], 1):
                    if letter:
                        _put(found, f"{letter}{column}", cell, names, path)
            break
    if not found:
        text = _("{file} has no readings by well.").format(file=path)
        raise MadangError("plate.readings", text, _("A list (well, value) or a grid (A, B, ... by 1, 2, ...) is read."))
    return found


def _plain(cell: str) -> str:
    return cell[:-2] if cell.endswith(".0") else cell


def _put(found: dict[str, float], well: str, cell: str, names: set[str], path: Path) -> None:
    try:
        value = float(cell)
    except ValueError:
        return
    if well not in names or not np.isfinite(value):
        return
    if found.get(well, value) != value:
        raise MadangError("plate.readings", _("{file} has well {well} twice.").format(file=path, well=well))
    found[well] = value


def is_turned(readings: Mapping[str, float], high: Sequence[str], blank: Sequence[str], size: int) -> bool | None:
    """Whether the plate was turned by half: the controls stand where the blanks should, and the other way round.

    None where the controls tell neither: then the plate cannot be trusted.
    """

    def middle(places: Sequence[str]) -> float:
        told = [readings[place] for place in places if place in readings]
        return float(np.median(told)) if told else float("nan")

    right = middle(high) - middle(blank)
    other = middle([turned(place, size) for place in high]) - middle([turned(place, size) for place in blank])
    if np.isfinite(right) and right > 0 and not (np.isfinite(other) and other > right):
        return False
    if np.isfinite(other) and other > 0:
        return True
    return None
