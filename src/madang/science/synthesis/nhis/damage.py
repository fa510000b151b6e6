"""What goes wrong between the insurer's system and the file: decided per row, then done to the bytes.

`plan` decides, by chance alone, what happens to which row of a table; `Damage` answers what that does to the record
(rejected and why, a field lost, another code); `spoil` does it to the text of a file. The truth is written from the
decisions and never reads the text.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from madang.science.synthesis.chance import stream
from madang.science.synthesis.damage import EXTRA, LEVELS, REJECTING, WHOLE_LINE, spoil_line

AFTER_DEATH = {1: 0.2, 2: 0.6}
"""Share of the dead with a claim after death, by dirt level."""

USED, UNUSED, REJECTED = "used", "unused", "rejected"

FATES = (
    (USED, ""),
    (REJECTED, "few fields"),
    (REJECTED, "many fields"),
    (REJECTED, "open quote"),
    (REJECTED, "empty line"),
    (REJECTED, "missing person"),
    (REJECTED, "unknown person"),
    (REJECTED, "bad required field"),
    (REJECTED, "no claim header"),
    (REJECTED, "exact duplicate"),
    (REJECTED, "duplicate key"),
    (UNUSED, "pharmacy claim is no visit"),
    (UNUSED, "prescription, its dispensing is taken"),
)
"""Fates and classes of reasons; the files of truth name them by their position here."""


def fate(reason: str) -> int:
    """The position of a reason in `FATES`; empty for used."""
    return next(n for n, (_, text) in enumerate(FATES) if text == reason)


KINDS = (
    "none",
    "cut off",
    "extra field",
    "open quote",
    "blank line after",
    "missing person",
    "unknown person",
    "impossible date",
    "no header",
    "exact duplicate",
    "duplicate key",
    "undecodable",
    "broken optional",
    "number with comma",
    "unknown code",
    "line end",
)
"""What can happen to a row."""

_ANY = (*WHOLE_LINE[:5], "duplicate key", "line end")
POSSIBLE = {
    "JK": (*_ANY, "missing person"),
    "GY20": (*_ANY, "missing person", "unknown person", "impossible date", "broken optional", "number with comma"),
    "GY30": (*_ANY, "no header", "undecodable", "broken optional", "number with comma", "unknown code"),
    "GY40": (*_ANY, "no header", "undecodable", "unknown code"),
    "GY60": (*_ANY, "no header", "undecodable", "broken optional", "number with comma", "unknown code"),
    "GJ": (*_ANY, "missing person", "unknown person", "broken optional"),
    "YK": (*_ANY, "broken optional"),
}
"""What can happen to rows of each table."""

OPTIONAL = {"GY20": "DMD_TRAMT", "GY30": "MDCN_EXEC_FREQ", "GY60": "MDCN_EXEC_FREQ", "GJ": "BLDS", "YK": "SICKBED_CNT"}
"""The field that `broken optional` breaks."""

AMOUNT = {"GY20": "DMD_TRAMT", "GY30": "AMT", "GY60": "AMT"}
"""The field that `number with comma` writes with a comma."""

CODE = {"GY30": "DIV_CD", "GY40": "SICK_SYM", "GY60": "DIV_CD"}
OTHER_CONTENT = {
    "JK": "SGG",
    "GY20": "EDEC_TRAMT",
    "GY30": "AMT",
    "GY40": "SICK_SYM",
    "GY60": "AMT",
    "GJ": "WEIGHT",
    "YK": "DR_CNT",
}
"""The field in which a row with the same key differs."""

UNKNOWN_CODES = {"GY30": "ZZ999", "GY40": "ZZZ99", "GY60": "999999999"}


@dataclass(frozen=True)
class Damage:
    """What happens to each row of one table of one chunk: positions in `KINDS`."""

    table: str
    kind: NDArray[np.int8]

    def happens(self, *names: str) -> NDArray[np.bool_]:
        """The rows to which one of these things happens."""
        return np.isin(self.kind, [KINDS.index(name) for name in names])

    def fates(self) -> NDArray[np.int8]:
        """The fate of each row for its own sake (position in `FATES`); 0 where it stays a record."""
        answer = np.zeros(len(self.kind), dtype=np.int8)
        for name, reason in REJECTING.items():
            answer[self.happens(name)] = fate(reason)
        return answer


def plan(seed: int, chunk: int, table: str, rows: int, dirt: int) -> Damage:
    """Decide what happens to each row of a table."""
    kind = np.zeros(rows, dtype=np.int8)
    if dirt:
        rng = stream(seed, chunk, f"damage {table}")
        hit = np.flatnonzero(rng.random(rows) < LEVELS[dirt])
        possible = np.array([KINDS.index(name) for name in POSSIBLE[table]], dtype=np.int8)
        kind[hit] = possible[rng.integers(0, len(possible), len(hit))]
    return Damage(table, kind)


def lines_of(fates: NDArray[np.int8], damage: NDArray[np.int8]) -> NDArray[np.int8]:
    """The fate of each physical line: rows, and after them the lines that the damage added."""
    positions, values = [], []
    for name, reason in EXTRA.items():
        where = np.flatnonzero(damage == KINDS.index(name))
        positions.append(where + 1)
        values.append(np.full(len(where), fate(reason), dtype=np.int8))
    return np.insert(fates, np.concatenate(positions), np.concatenate(values))


def spoil(text: bytes, table: str, columns: list[str], damage: NDArray[np.int8], line_end: bytes) -> bytes:
    """The text of a file (rows only, `line_end` after each) with the damage done to it."""
    hit = np.flatnonzero(damage)
    if not len(hit):
        return text
    ends = np.flatnonzero(np.frombuffer(text, dtype=np.uint8) == 10) + 1
    begins = np.concatenate([[0], ends[:-1]])
    pieces, at = [], 0
    for row in hit.tolist():
        pieces.append(text[at : begins[row]])
        at = int(ends[row])
        line = text[begins[row] : at].removesuffix(line_end)
        pieces.append(_spoiled(line, table, columns, KINDS[damage[row]], line_end))
    pieces.append(text[at:])
    return b"".join(pieces)


def _spoiled(line: bytes, table: str, columns: list[str], kind: str, line_end: bytes) -> bytes:
    """One line with one thing done to it, with its line end and any lines that come after it."""
    cells = line.split(b",")

    def put(column: str, value: bytes) -> bytes:
        changed = list(cells)
        changed[columns.index(column)] = value
        return b",".join(changed) + line_end

    match kind:
        case "missing person":
            return put("PERSON_ID", b"")
        case "unknown person":
            return put("PERSON_ID", b"9" + cells[columns.index("PERSON_ID")][1:])
        case "impossible date":
            return put("RECU_FR_DT", cells[columns.index("RECU_FR_DT")][:4] + b"0231")
        case "no header":
            return put("KEY_SEQ", b"1999" + cells[columns.index("KEY_SEQ")][4:])
        case "duplicate key":
            return line + line_end + put(OTHER_CONTENT[table], _other(cells[columns.index(OTHER_CONTENT[table])]))
        case "undecodable":
            return put(CODE[table], cells[columns.index(CODE[table])][:2] + b"\xff\xfe")
        case "broken optional":
            return put(OPTIONAL[table], b"#VALUE!")
        case "number with comma":
            return put(AMOUNT[table], _with_comma(cells[columns.index(AMOUNT[table])]))
        case "unknown code":
            return put(CODE[table], UNKNOWN_CODES[table].encode())
        case _:
            return spoil_line(cells, kind, line_end)


def _other(cell: bytes) -> bytes:
    """Another value of the same type."""
    return b"R69" if not cell.isdigit() and cell != b"" else str(int(cell or b"0") + 1).encode()


def _with_comma(cell: bytes) -> bytes:
    """A whole number with thousands separators, quoted."""
    return b'"' + f"{int(cell):,}".encode() + b'"'
