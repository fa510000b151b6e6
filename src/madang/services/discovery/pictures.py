"""Charts of this room, as SVG made of Vega-Lite."""

import itertools
from typing import Any

from madang.base.translate import _
from madang.science.charts import BLUE, GRAY, ORANGE, specification, svg


def of_model(card: dict[str, Any]) -> list[tuple[str, str]]:
    """Titles and pictures of a model's card: predicted against measured, calibration, error by distance."""
    charts = [_coverage(card)]
    if card.get("unseen") and card["kind"] != "classes":
        charts = [_against(card), *charts, _domain(card)]
    return charts


def _coverage(card: dict[str, Any]) -> tuple[str, str]:
    """Share of the truth within intervals of each level, as promised and as found."""
    import altair

    named = {"random": _("scattered molecules"), "cluster": _("whole clusters")}
    rows = [
        {"level": float(level), "found": found, "split": named[name]}
        for name, split in card["splits"].items()
        for level, found in split.get("coverage", {}).items()
        if name in named
    ]
    ends = [{"level": 0.45, "found": 0.45}, {"level": 1.0, "found": 1.0}]
    x = altair.X("level:Q", title=_("promised"), axis=altair.Axis(format=".0%"), scale=altair.Scale(domain=[0.45, 1]))
    y = altair.Y("found:Q", title=_("found"), axis=altair.Axis(format=".0%"), scale=altair.Scale(domain=[0.45, 1]))
    line = altair.Chart(altair.Data(values=ends)).mark_line(color=GRAY, strokeDash=[4, 4]).encode(x=x, y=y)
    color = altair.Color("split:N", title=None, scale=altair.Scale(range=[BLUE, ORANGE]))
    points = altair.Chart(altair.Data(values=rows)).mark_point(filled=True, size=60).encode(x=x, y=y, color=color)
    title = _("Share of molecules whose measured value lies within the interval, by what the interval promises")
    return title, svg(specification((line + points).properties(width=420, height=260)), title)


def _against(card: dict[str, Any]) -> tuple[str, str]:
    """Predicted against measured, for molecules of clusters that the model did not see."""
    import altair

    limit, words = card["domain"]["similarity"], (_("in the domain"), _("out of the domain"))
    rows = [
        {"measured": truth, "predicted": value, "domain": words[0] if near >= limit else words[1]}
        for truth, value, near in card["unseen"]
    ]
    scale = altair.Scale(zero=False)
    shown = _(" (logarithm)") if card["logarithm"] else ""
    chart = altair.Chart(altair.Data(values=rows)).mark_point(size=24, opacity=0.7)
    chart = chart.encode(
        x=altair.X("measured:Q", title=_("measured") + shown, scale=scale),
        y=altair.Y("predicted:Q", title=_("predicted") + shown, scale=scale),
        color=altair.Color("domain:N", title=None, sort=list(words), scale=altair.Scale(range=[BLUE, ORANGE])),
        shape=altair.Shape("domain:N", legend=None, sort=list(words)),
    )
    title = _("Predicted against measured, of clusters that the model did not see")
    return title, svg(specification(chart.properties(width=420, height=300)), title)


def _domain(card: dict[str, Any]) -> tuple[str, str]:
    """The error by how near the nearest training molecule is: the reason for the flag."""
    import altair

    limit = card["domain"]["similarity"]
    edges = [0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 1.01]
    rows = []
    for low, high in itertools.pairwise(edges):
        errors = [abs(truth - value) for truth, value, near in card["unseen"] if low <= near < high]
        if len(errors) >= 5:
            rows.append(
                {"near": f"{low:.1f}–{min(high, 1):.1f}", "error": sum(errors) / len(errors), "count": len(errors)}
            )
    bars = altair.Chart(altair.Data(values=rows)).mark_bar(color=BLUE)
    x = altair.X(
        "near:N", title=_("similarity to the nearest training molecule"), sort=None, axis=altair.Axis(labelAngle=0)
    )
    bars = bars.encode(x=x, y=altair.Y("error:Q", title=_("mean error")))
    counts = altair.Chart(altair.Data(values=rows)).mark_text(dy=-6, fontSize=12)
    counts = counts.encode(x=x, y="error:Q", text="count:Q")
    title = _("Mean error by similarity, with the number of molecules; below {limit:.2f} is out of the domain")
    title = title.format(limit=limit)
    return title, svg(specification((bars + counts).properties(width=420, height=240)), title)
