"""The columns of NDJSON: paths to the values that the first objects hold."""

from typing import Any

import orjson

MOST_PATHS = 200


def leaf_paths(lines: list[bytes]) -> list[str]:
    """Paths to scalars, in order of appearance; of a list, its first element."""
    found: dict[str, None] = {}
    for line in lines:
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        if isinstance(value, dict):
            _collect(value, "", found)
    return list(found)[:MOST_PATHS]


def _collect(value: Any, path: str, found: dict[str, None]) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key and not set(key) & set(".[]"):
                _collect(inner, f"{path}.{key}" if path else key, found)
    elif isinstance(value, list):
        if value:
            _collect(value[0], f"{path}[0]", found)
    elif value is not None:
        found.setdefault(path)
