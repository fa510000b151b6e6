"""Charts of this room, as Vega-Lite."""

from collections.abc import Sequence
from typing import Any

from madang.science.charts import BLUE, ORANGE, TEAL, specification


def progress(history: Sequence[float | None], name: str, maximize: bool) -> dict[str, Any]:
    """Every result of a campaign in order, and the best so far."""
    import altair

    rows, best = [], None
    for number, value in enumerate(history, 1):
        if value is not None:
            best = value if best is None else max(best, value) if maximize else min(best, value)
        rows.append({"experiment": number, name: value, "best": best})
    base = altair.Chart(altair.Data(values=rows)).encode(x=altair.X("experiment:Q", axis=altair.Axis(tickMinStep=1)))
    points = base.mark_point(filled=True, size=50, color=TEAL).encode(y=altair.Y(f"{name}:Q", scale=_loose()))
    line = base.mark_line(interpolate="step-after", color=ORANGE).encode(y=altair.Y("best:Q", title=name))
    return specification((points + line).properties(width=640, height=220))


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
    area = altair.Chart(altair.Data(values=band)).mark_area(color=TEAL, opacity=0.2)
    area = area.encode(x=altair.X("x:Q", title=None), y=altair.Y("low:Q", title=name, scale=_loose()), y2="high:Q")
    drawn = altair.Chart(altair.Data(values=lines)).mark_line(strokeWidth=1.5)
    drawn = drawn.encode(x="x:Q", y=altair.Y("value:Q", title=name), color=altair.Color("run:N", title=None))
    return specification((area + drawn).properties(width=640, height=220))


def _loose() -> Any:
    import altair

    return altair.Scale(zero=False)


def course(hours: Sequence[float], values: Sequence[float], name: str) -> dict[str, Any]:
    """A signal over hours, small."""
    import altair

    rows = [{"h": hour, name: value} for hour, value in zip(hours, values, strict=True)]
    chart = altair.Chart(altair.Data(values=rows)).mark_line(color=BLUE, strokeWidth=1.5)
    chart = chart.encode(x=altair.X("h:Q", title="h"), y=altair.Y(f"{_safe(name)}:Q", title=name, scale=_loose()))
    return specification(chart.properties(width=300, height=150))


def against(
    axis: Sequence[float], low: Sequence[float], high: Sequence[float], hours: Sequence[float], values: Sequence[float],
    name: str,
) -> dict[str, Any]:  # fmt: skip
    """A signal of a run over the envelope of good runs."""
    import altair

    band = [{"h": x, "low": a, "high": b} for x, a, b in zip(axis, low, high, strict=True) if a == a and b == b]
    rows = [{"h": hour, "value": value} for hour, value in zip(hours, values, strict=True)]
    area = altair.Chart(altair.Data(values=band)).mark_area(color=TEAL, opacity=0.25)
    area = area.encode(x=altair.X("h:Q", title="h"), y=altair.Y("low:Q", title=name, scale=_loose()), y2="high:Q")
    line = altair.Chart(altair.Data(values=rows)).mark_line(color=ORANGE, strokeWidth=1.5)
    line = line.encode(x="h:Q", y=altair.Y("value:Q", title=name))
    return specification((area + line).properties(width=300, height=150))


def ratio(hours: Sequence[float], values: Sequence[float], title: str) -> dict[str, Any]:
    """The distance of a run from good ones over its limit, which is at 1."""
    import altair

    rows = [{"h": hour, "ratio": min(value, 1e6)} for hour, value in zip(hours, values, strict=True)]
    y = altair.Y("ratio:Q", title=title, scale=altair.Scale(type="symlog"))
    line = altair.Chart(altair.Data(values=rows)).mark_line(color=BLUE).encode(x=altair.X("h:Q", title="h"), y=y)
    limit = altair.Chart(altair.Data(values=[{"ratio": 1}])).mark_rule(color=ORANGE, strokeDash=[5, 3]).encode(y=y)
    return specification((line + limit).properties(width=640, height=160))


def space(answer: dict[str, Any], names: dict[str, str], title: str) -> dict[str, Any]:
    """The probability that all limits hold over two axes of a design space (or one)."""
    import altair

    (first, one), *others = answer["axes"].items()
    shade = altair.Color("sure:Q", title=title, scale=altair.Scale(scheme="viridis", domain=[0, 1]))
    if not others:
        rows = [{"x": x, "sure": sure} for x, sure in zip(one, answer["probability"], strict=True)]
        line = altair.Chart(altair.Data(values=rows)).mark_line(point=True, color=BLUE)
        line = line.encode(x=altair.X("x:Q", title=names[first], scale=_loose()), y=altair.Y("sure:Q", title=title))
        return specification(line.properties(width=480, height=260))
    second, two = others[0]
    table = answer["probability"]
    while len(others) > 1:  # further axes in their middle
        others.pop()
        table = [[cell[len(cell) // 2] for cell in row] for row in table]
    rows = [
        {"x": f"{x:.4g}", "y": f"{y:.4g}", "sure": table[i][j]} for i, x in enumerate(one) for j, y in enumerate(two)
    ]
    rect = altair.Chart(altair.Data(values=rows)).mark_rect()
    rect = rect.encode(
        x=altair.X("x:O", title=names[first], sort=None, axis=altair.Axis(labelAngle=0, labelOverlap=True, grid=False)),
        y=altair.Y("y:O", title=names[second], sort="descending", axis=altair.Axis(labelOverlap=True, grid=False)),
        color=shade,
    )
    return specification(rect.properties(width=480, height=320))


def _safe(name: str) -> str:
    """A field's name as Vega-Lite takes it: dots and brackets would be paths."""
    return name.replace("\\", "\\\\").replace(".", "\\.").replace("[", "\\[").replace("]", "\\]").replace(":", "\\:")
