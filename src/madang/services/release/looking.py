"""What is in a file that somebody wants to take away, so that whoever judges it reads all of it on a page."""

from base64 import b64encode
from typing import Any

from madang.science.privacy.outputs.rules import Rules
from madang.science.privacy.outputs.scan import scan

CELLS = 100_000  # of tables that a page shows
LETTERS = 400_000  # of text
_TABLES = ("table", "workbook", "counts", "figure")
_ENDING = {"table": "csv", "workbook": "xlsx", "counts": "json", "figure": "vl.json"}


def looked_at(kind: str, leaves: bytes, came: bytes) -> dict[str, Any]:
    """Tables, text and picture of a file of this kind; `leaves` is what leaves in the place of what `came`.

    Tables are read as the rules read them. Of a figure the picture is what leaves, and its specification is the text.
    What does not fit on a page is counted in `left_out`.
    """
    tables = _cells(kind, came if kind == "figure" else leaves)
    shown, left_out = _within(tables)
    drawn = kind in ("figure", "picture") and leaves.lstrip().startswith(b"<svg")
    picture = f"data:image/svg+xml;base64,{b64encode(leaves).decode()}" if drawn else ""
    text = "" if shown and kind != "figure" else (came if kind == "figure" else leaves).decode("utf-8", "replace")
    left_out += max(0, len(text) - LETTERS)
    return {"tables": shown, "text": text[:LETTERS], "picture": picture, "left_out": left_out}


def _cells(kind: str, content: bytes) -> list[list[list[str]]]:
    if kind not in _TABLES:
        return []
    return [[list(map(str, row)) for row in table] for table in scan(f"it.{_ENDING[kind]}", content, Rules()).tables]


def _within(tables: list[list[list[str]]]) -> tuple[list[list[list[str]]], int]:
    """As many rows as fit, and how many cells do not."""
    found, room, left_out = [], CELLS, 0
    for table in tables:
        rows = []
        for row in table:
            room -= len(row)
            if room >= 0:
                rows.append(row)
            else:
                left_out += len(row)
        found.append(rows)
    return found, left_out
