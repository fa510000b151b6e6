"""NDJSON: one JSON object per physical line, columns by path."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from madang.base.errors import MadangError
from madang.science.standardize.intake import references
from madang.science.standardize.intake.delimited import Rows
from madang.science.standardize.intake.fields import EMPTY_LINE, NO_OBJECT, Field

_STEP = re.compile(r"\.?([^.\[\]]+)|\[([0-9]+)\]|\[(\*)\]")

Getter = Callable[[Any], Any]


def getter(path: str) -> Getter:
    """The function from an object to what lies at `path`: names, [n] and [*] (a list of what each element gives).

    Nothing there, and null, give None. Raises `MadangError` for what is no path.
    """
    steps: list[str | int | None] = []
    at = 0
    while at < len(path):
        match = _STEP.match(path, at)
        if not match:
            raise MadangError("source.path", f"{path} is no path.", "Write it as name.list[0].value or list[*].value.")
        name, index, _every = match.groups()
        steps.append(name if name is not None else int(index) if index is not None else None)
        at = match.end()
    return _walker(tuple(steps))


def _walker(steps: tuple[str | int | None, ...]) -> Getter:
    if None in steps:
        split = steps.index(None)
        before, after = _walker(steps[:split]), _walker(steps[split + 1 :])

        def every(value: Any) -> Any:
            found = before(value)
            if not isinstance(found, list):
                return None
            return [one for item in found if (one := after(item)) is not None] or None

        return every

    def walk(value: Any) -> Any:
        for step in steps:
            if isinstance(value, str):  # whose [0] would be a letter
                return None
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    return walk


def as_text(value: Any) -> str | None:
    """Text of a JSON value: strings as they are, other scalars and whole objects as JSON."""
    if value is None or isinstance(value, str):
        return value
    return orjson.dumps(value).decode()


def parse(data: bytes, fields: Sequence[Field], encoding: str) -> Rows:
    """The rows of a block of whole lines, as bytes of UTF-8."""
    # Several fields may read one reference: it is looked up once.
    wanted = list(dict.fromkeys((field.path or field.header, bool(field.reference)) for field in fields))
    getters = [(getter(path), is_reference) for path, is_reference in wanted]
    columns: list[list[str | None]] = [[] for _ in wanted]
    refused: list[tuple[int, str]] = []
    lines = data.split(b"\n")
    if not lines[-1]:
        lines.pop()
    for number, line in enumerate(lines):
        if not line or line == b"\r":
            refused.append((number, EMPTY_LINE))
            continue
        try:
            value = orjson.loads(line if encoding == "utf-8" else line.decode(encoding))
        except ValueError:
            value = None
        if not isinstance(value, dict):
            refused.append((number, NO_OBJECT))
            continue
        for column, (get, is_reference) in zip(columns, getters, strict=True):
            found = get(value)
            if found is None or type(found) is str:
                column.append(found)
            else:
                column.append(references.as_text(found) if is_reference else as_text(found))
    read = {key: _bytes_or_null(column) for key, column in zip(wanted, columns, strict=True)}
    arrays = [read[field.path or field.header, bool(field.reference)] for field in fields]
    kept = np.delete(np.arange(len(lines)), [number for number, _ in refused]) if refused else None
    return Rows(arrays, kept, refused, len(lines))


def _bytes_or_null(column: list[str | None]) -> pa.Array:
    return pa.array([value or None for value in column], pa.string()).cast(pa.binary())
