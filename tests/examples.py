"""How a specification test shows what goes in and what comes out, and proves it; a fixture of tests/spec."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


class Example:
    """One example of the specification. `script/docs` prints its texts, so they are written out where they are used."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def given(self, name: str, text: str) -> Path:
        """Write a file of the example (name with slashes allowed, in UTF-8) and return its path."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_clean(text) + "\n", encoding="utf-8")
        return path

    def expected(self, name: str, text: str, actual: Any) -> None:
        """Assert that `actual` is what the text says.

        `actual` is a text, or rows (a pyarrow.Table or dicts). For rows the text is a table, columns separated by `|`
        and the first line the names; only these columns are compared, in this order of rows, and NULL is `-`.
        """
        if isinstance(actual, str):
            assert _clean(actual) == _clean(text), name
            return
        rows = actual if isinstance(actual, Sequence) else actual.to_pylist()
        names, *lines = [[cell.strip() for cell in line.split("|")] for line in _clean(text).splitlines()]
        assert [_cells(row, names) for row in rows] == lines, name


def _cells(row: Mapping[str, Any], names: list[str]) -> list[str]:
    return ["-" if row[name] is None else str(row[name]) for name in names]


def _clean(text: str) -> str:
    return textwrap.dedent(text).strip("\n")
