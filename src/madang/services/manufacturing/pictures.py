"""Charts of this room, as Vega-Lite."""

from collections.abc import Sequence
from typing import Any

from madang.science.charts import _specification


def progress(history: Sequence[float | None], name: str, maximize: bool) -> dict[str, Any]:
    """Every result of a campaign in order, and the best so far."""
    import altair

    rows, best = [], None
    for number, value in enumerate(history, 1):
        if value is not None:
            best = value if best is None else max(best, value) if maximize else min(best, value)
        rows.append({"experiment": number, name: value, "best": best})
    base = altair.Chart(altair.Data(values=rows)).encode(x=altair.X("experiment:Q", axis=altair.Axis(tickMinStep=1)))
    points = base.mark_point(filled=True, size=50, color="#2f8070").encode(y=altair.Y(f"{name}:Q", scale=_loose()))
    line = base.mark_line(interpolate="step-after", color="#c2603a").encode(y=altair.Y("best:Q", title=name))
    return _specification((points + line).properties(width=640, height=220))


def envelope(
    axis: Sequence[float], low: Sequence[float], high: Sequence[float], runs: dict[str, Sequence[float]], name: str
) -> dict[str, Any]:
    """The envelope of good runs and the course of some runs."""
    import altair

    band = [{"x": x, "low": a, "high": b} for x, a, b in zip(axis, low, high, strict=True) if a == a and b == b]
    lines = [
        {"x": x, "value": v, "run": run}
        for run, values in runs.items()
        for x, v in zip(axis, values, strict=True)
        if v == v
    ]
    area = altair.Chart(altair.Data(values=band)).mark_area(color="#2f8070", opacity=0.2)
    area = area.encode(x=altair.X("x:Q", title=None), y=altair.Y("low:Q", title=name, scale=_loose()), y2="high:Q")
    drawn = altair.Chart(altair.Data(values=lines)).mark_line(strokeWidth=1.5)
    drawn = drawn.encode(x="x:Q", y=altair.Y("value:Q", title=name), color=altair.Color("run:N", title=None))
    return _specification((area + drawn).properties(width=640, height=220))


def _loose() -> Any:
    import altair

    return altair.Scale(zero=False)
