"""What can go wrong with a line of any file: the kinds, how often, and what is done to the bytes.

What the fields of a line may suffer is said by each output (`nhis/damage.py`, `hospital/damage.py`).
"""

from collections.abc import Sequence

LEVELS = {0: 0.0, 1: 0.004, 2: 0.04}
"""Share of rows to which something happens, by dirt level: none, usual, heavy."""

WHOLE_LINE = ("cut off", "extra field", "open quote", "blank line after", "exact duplicate", "line end")
"""What can happen to every line, whatever it holds."""

REJECTING = {
    "cut off": "few fields",
    "extra field": "many fields",
    "open quote": "open quote",
    "missing person": "missing person",
    "unknown person": "unknown person",
    "impossible date": "bad required field",
    "no header": "no claim header",
    "undecodable": "bad required field",
}
"""Kinds that make a line no record, and the class of reasons."""

EXTRA = {"blank line after": "empty line", "exact duplicate": "exact duplicate", "duplicate key": "duplicate key"}
"""Kinds that add a line, and the class of reasons for which it is rejected."""


def spoil_line(cells: Sequence[bytes], kind: str, line_end: bytes) -> bytes:
    """A line of `cells` with one of `WHOLE_LINE` done to it, with its line end and any line that comes after it."""
    line = b",".join(cells)
    match kind:
        case "cut off":
            return b",".join(cells[: max(1, len(cells) // 2)]) + line_end
        case "extra field":
            return line + b",0" + line_end
        case "open quote":
            return b",".join([*cells[:-1], b'"' + cells[-1].strip(b'"')]) + line_end
        case "blank line after":
            return line + line_end + line_end
        case "exact duplicate":
            return (line + line_end) * 2
        case _:
            return line + (b"\n" if line_end != b"\n" else b"\r\n")
