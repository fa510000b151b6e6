"""NDJSON: one JSON object per physical line, columns by path."""

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from madang.base.errors import MadangError
from madang.science.standardize.intake import references
from madang.science.standardize.intake.delimited import Rows
from madang.science.standardize.intake.fields import EMPTY_LINE, NO_OBJECT, OTHER_TYPE, Field

_STEP = re.compile(r"\.?([^.\[\]]+)|\[([0-9]+)\]|\[(\*)\]")

Getter = Callable[[Any], Any]


def getter(path: str) -> Getter:
    """The function from an object to what lies at `path`: names, [n] and [*] (a list of what each element gives); of
    `one|other` what is there first.

    Nothing there, and null, give None. Raises `MadangError` for what is no path.
    """
    first, *others = (_walker(_steps(one)) for one in path.split("|"))
    if not others:
        return first

    def any_of(value: Any) -> Any:
        found = first(value)
        for other in others:
            if found is not None:
                break
            found = other(value)
        return found

    return any_of


def _steps(path: str) -> tuple[str | int | None, ...]:
    steps: list[str | int | None] = []
    at = 0
    while at < len(path) or not path:
        match = _STEP.match(path, at)
        if not match:
            raise MadangError("source.path", f"{path} is no path.", "Write it as name.list[0].value or list[*].value.")
        name, index, _every = match.groups()
        steps.append(name if name is not None else int(index) if index is not None else None)
        at = match.end()
    return tuple(steps)


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
            if type(value) is dict and type(step) is str:
                value = value.get(step)
            elif type(value) is list and type(step) is int and step < len(value):
                value = value[step]
            else:
                return None
        return value

    return walk


def as_text(value: Any) -> str | None:
    """Text of a JSON value: strings as they are, other scalars and whole objects as JSON."""
    if value is None or isinstance(value, str):
        return value
    return orjson.dumps(value).decode()


@cache
def walker(wanted: tuple[tuple[str, bool], ...]) -> Callable[..., None]:
    """A function of an object and one `append` for each path (and whether it leads to a reference): gives each the text
    at its path, as `getter` and `as_text` do.

    It is written once per source, so that what paths have in common is walked once for each object.
    """
    tree: _Tree = {}
    rest: dict[str, Getter] = {}
    for number, (path, is_reference) in enumerate(wanted):
        whole = getter(path)  # raises where it is no path
        if "|" in path:
            rest[f"g{number}"] = whole
            tree.setdefault(_LEAVES, []).append((number, is_reference, True))
            continue
        steps = _steps(path)
        every = steps.index(None) if None in steps else len(steps)
        node = tree
        for step in steps[:every]:
            node = node.setdefault(step, {})
        if every < len(steps):
            rest[f"g{number}"] = _walker((None, *steps[every + 1 :]))
        node.setdefault(_LEAVES, []).append((number, is_reference, every < len(steps)))
    lines = [
        f"def walk(v0, {', '.join(f'a{number}' for number in range(len(wanted)))}):",
        "    pass",
        *_lines(tree, 0, 1),
    ]
    names: dict[str, Any] = {"text": as_text, "reference": references.as_text, **rest}
    exec("\n".join(lines), names)  # of numbers and literals only
    found: Callable[..., None] = names["walk"]
    return found


_Tree = dict[Any, Any]
_LEAVES = ("leaves",)  # no step is a tuple


def _lines(node: _Tree, at: int, depth: int) -> list[str]:
    """The lines that give out what lies at a node, and below it; the value there is called `v{at}` and is not None."""
    pad, value = "    " * depth, f"v{at}"
    lines = []
    for number, is_reference, every in node.get(_LEAVES, ()):
        name, found = ("reference" if is_reference else "text"), value
        if every:
            lines.append(f"{pad}e = g{number}({value})")
            found = "e"
        lines.append(f"{pad}a{number}({found} if {found} is None or type({found}) is str else {name}({found}))")
    for step, below in node.items():
        if step is _LEAVES:
            continue
        child = f"v{at + 1}"
        if isinstance(step, int):
            lines.append(f"{pad}{child} = {value}[{step}] if type({value}) is list and len({value}) > {step} else None")
        else:
            lines.append(f"{pad}{child} = {value}.get({step!r}) if type({value}) is dict else None")
        lines += [f"{pad}if {child} is None:", *(f"{pad}    a{number}(None)" for number in _numbers(below))]
        lines += [f"{pad}else:", *_lines(below, at + 1, depth + 1)]
    return lines


def _numbers(node: _Tree) -> list[int]:
    """The paths that lead through a node."""
    found = [number for number, _, _ in node.get(_LEAVES, ())]
    return found + [number for step, below in node.items() if step is not _LEAVES for number in _numbers(below)]


def parse(data: bytes, fields: Sequence[Field], encoding: str, resource: str = "") -> Rows:
    """The rows of a block of whole lines, as bytes of UTF-8; of FHIR those of the type `resource`."""
    # Several fields may read one reference: it is looked up once.
    wanted = list(dict.fromkeys((field.path or field.header, bool(field.reference)) for field in fields))
    walk = walker(tuple(wanted))
    columns: list[list[str | None]] = [[] for _ in wanted]
    appends = [column.append for column in columns]
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
        if resource and (value.get("resourceType") or resource) != resource:
            refused.append((number, OTHER_TYPE))
            continue
        walk(value, *appends)
    read = {key: _bytes_or_null(column) for key, column in zip(wanted, columns, strict=True)}
    arrays = [read[field.path or field.header, bool(field.reference)] for field in fields]
    kept = np.delete(np.arange(len(lines)), [number for number, _ in refused]) if refused else None
    return Rows(arrays, kept, refused, len(lines))


def _bytes_or_null(column: list[str | None]) -> pa.Array:
    if not any(column):
        return pa.nulls(len(column), pa.binary())
    return pa.array([value or None for value in column], pa.string()).cast(pa.binary())
