"""What a table may be described by without telling of a person, and made-up people of such a description.

A description has of each column its type, and where a site allows it levels that enough people have or a coarse range;
a twin draws each column on its own, so it has the shape of the data and none of its dependences. It is for trying.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.federated.design import numbers
from madang.science.federated.disclosure import Limits
from madang.science.federated.moments import range_at
from madang.science.federated.rounds import label

MOST_PEOPLE, MOST_COLUMNS = 100_000, 500


def described(table: pa.Table, limits: Limits) -> dict[str, Any]:
    """A table's columns with types, and levels or coarse ranges where many people share them; its rows in tens."""
    columns = []
    for name in table.column_names[:MOST_COLUMNS]:
        counted = table.column(name).drop_null().value_counts()
        levels = {label(each["values"]): int(each["counts"]) for each in counted[: limits.levels_max + 1].to_pylist()}
        kind = table.schema.field(name).type
        is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
        told: dict[str, Any] = {"name": name, "type": "text" if is_text else "number"}
        few = len(levels) <= (limits.levels_max if is_text else 10)
        common = all(n >= max(limits.minimum, limits.tab) and len(each) <= limits.string_short
                     for each, n in levels.items())  # fmt: skip
        if levels and few and common:
            told["levels"] = sorted(levels)
        elif not is_text and table.num_rows >= limits.minimum:
            n, low, high = range_at(table, name, 1)
            if n >= limits.minimum:
                values = numbers(table, name)
                values = values[np.isfinite(values)]
                told |= {"low": low, "high": high, "whole": bool(np.all(np.floor(values) == values))}
        columns.append(told)
    return {"people": table.num_rows // 10 * 10, "columns": columns}


def checked(told: Any) -> dict[str, Any]:
    """A description that somebody else wrote, with nothing in it that is none. Errors: `federated.description`."""
    columns = told.get("columns") if isinstance(told, Mapping) else None
    people: Any = told.get("people", 0) if isinstance(told, Mapping) else None
    if not isinstance(columns, list) or len(columns) > MOST_COLUMNS or not _number(people) or people < 0:
        raise _bad()
    found = []
    for each in columns:
        if not isinstance(each, Mapping) or each.get("type") not in ("text", "number"):
            raise _bad()
        name, levels, unit = each.get("name"), each.get("levels", []), each.get("unit", "")
        texts = [name, unit, *(levels if isinstance(levels, list) else [None])]
        if not all(isinstance(text, str) and len(text) <= 80 and text.isprintable() for text in texts):
            raise _bad()
        made: dict[str, Any] = {"name": name, "type": each["type"]}
        made |= {"levels": list(levels)} if levels else {}
        made |= {"unit": unit} if unit else {}
        if "low" in each:
            if not (_number(each["low"]) and _number(each.get("high"))):
                raise _bad()
            made |= {"low": float(each["low"]), "high": float(each["high"]), "whole": each.get("whole") is True}
        found.append(made)
    return {"people": int(people), "columns": found}


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _bad() -> MadangError:
    return MadangError("federated.description", _("This is no description of a table."))


def twin(told: Mapping[str, Any], seed: int = 0, people: int | None = None) -> pa.Table:
    """Made-up people of a description: each column drawn on its own. Errors: `federated.description`."""
    found = checked(told)
    count = min(people or found["people"] or 200, MOST_PEOPLE)
    chance = np.random.default_rng(seed)
    columns: dict[str, Any] = {}
    for each in found["columns"]:
        columns[each["name"]] = _drawn(each, count, chance)
    if not columns:
        raise MadangError("federated.description", _("The description has no columns."))
    return pa.table(columns)


def _drawn(each: Mapping[str, Any], count: int, chance: "np.random.Generator") -> Sequence[Any]:
    if each.get("levels"):
        values = [each["levels"][k] for k in chance.integers(0, len(each["levels"]), count)]
        return values if each["type"] == "text" else [float(value) if "." in value else int(value) for value in values]
    if each["type"] == "text":
        return [f"level {k}" for k in chance.integers(1, 4, count)]
    low, high = each.get("low", 0.0), each.get("high", 100.0)
    if each.get("whole"):
        return chance.integers(int(low), int(max(high, low)) + 1, count).tolist()
    return chance.uniform(low, max(high, low), count).tolist()
