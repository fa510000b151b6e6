"""Figures of results as Vega-Lite specifications: they hold the same numbers as the table, and nothing else."""

from collections.abc import Mapping, Sequence
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.privacy.outputs.queries import Kind, Query

SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"
Specification = dict[str, Any]


def figure(query: Query, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> Specification | None:
    """The figure of a result: bars, points with quantiles, or steps of a curve; None for a model."""
    if query.kind in (Kind.LINEAR, Kind.LOGISTIC):
        return None
    by = list(query.by)
    values = [{name: row.get(name) for name in columns} for row in rows if _complete(row, columns, by)]
    color = {"color": {"field": by[-1], "type": "nominal"}} if len(by) > 1 or (by and query.time) else {}
    if query.kind is Kind.SURVIVAL:
        encoding = {
            "x": {"field": "time", "type": "quantitative"},
            "y": {"field": "survival", "type": "quantitative", "scale": {"domain": [0, 1]}},
            **color,
        }
        mark: Any = {"type": "line", "interpolate": "step-after"}
    else:
        value = next(name for name in reversed(columns) if name not in by)
        category = by[0] if by else None
        encoding = {"x": {"field": value, "type": "quantitative"}, **color}
        if category:
            encoding["y"] = {"field": category, "type": "nominal", "sort": None}
        if len(by) > 1:
            encoding["yOffset"] = {"field": by[-1], "type": "nominal"}
        mark = "point" if query.kind is Kind.QUANTILES else "bar"
    return {"$schema": SCHEMA, "data": {"values": values}, "mark": mark, "encoding": encoding, "width": 480}


def needed_figure(query: Query, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> Specification:
    """The same, where there has to be one. Errors: `outputs.figure` for a model."""
    found = figure(query, columns, rows)
    if found is None:
        raise MadangError("outputs.figure", _("There is no figure of a model."))
    return found


def _complete(row: Mapping[str, Any], columns: Sequence[str], by: Sequence[str]) -> bool:
    return all(row.get(name) is not None for name in columns if name not in by)
