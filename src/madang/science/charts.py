"""Pictures: Vega-Lite specifications made by Altair, drawn to SVG without a browser, a network or a script.

Altair and vl-convert are imported when a picture is first asked for; they take longer to load than to draw.
"""

import json
import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

# The order in which parts of a picture take their colors; four or fewer are told apart with any color vision, and
# more need direct labels. Each is the light tone of a variable of the pages, which have a dark one too.
BLUE, ORANGE, MAUVE, TEAL, OLIVE, GRAY = SERIES = ("#134a78", "#c8641b", "#b8569f", "#2b8f79", "#6b5200", "#5a625e")
FONT = "system-ui, 'Noto Sans KR', 'Apple SD Gothic Neo', 'Malgun Gothic', sans-serif"
_CONFIG = {
    "background": "transparent",
    "font": FONT,
    "axis": {"labelFontSize": 12, "titleFontSize": 12, "grid": True, "labelLimit": 260},
    "legend": {"labelFontSize": 12, "titleFontSize": 12, "orient": "top", "columnPadding": 28},
    "view": {"stroke": None},
}
_INK = re.compile(r'(fill|stroke)="(#000|#000000|black|#888|#ddd)"')
_PALE = {"#888": "var(--soft)", "#ddd": "var(--line)"}
_TONES = {tone: f"var(--d{place}, {tone})" for place, tone in enumerate(SERIES, 1)}
_TONE = re.compile("|".join(SERIES))


def bars(
    rows: Sequence[Mapping[str, Any]],
    *,
    category: str,
    value: str,
    part: str,
    colors: Mapping[str, str],
    width: int = 560,
) -> dict[str, Any]:
    """The specification of one horizontal bar per `category`, stacked by `part` in the order of `colors`.

    `rows` has a mapping per bar and part; `colors` gives the parts their colors.
    """
    import altair

    order = {name: place for place, name in enumerate(colors)}
    data = [{**row, "_order": order[row[part]]} for row in rows]
    sums: dict[Any, float] = {}
    for row in rows:
        sums[row[category]] = sums.get(row[category], 0) + (row[value] or 0)
    most = max(sums.values(), default=0)
    ticks = max(1, int(most)) if most < 5 else altair.Undefined  # or 1 would stand there twice, once for a half
    chart = (
        altair.Chart(altair.Data(values=data))
        .mark_bar(height={"band": 0.75})
        .encode(
            y=altair.Y(f"{category}:N", sort=None, title=None),
            x=altair.X(f"sum({value}):Q", title=value, axis=altair.Axis(format=",d", tickCount=ticks)),
            color=altair.Color(
                f"{part}:N",
                title=None,
                scale=altair.Scale(domain=list(colors), range=list(colors.values())),
                sort=list(colors),
            ),
            order=altair.Order("_order:Q"),
        )
        .properties(width=width, height=altair.Step(22))
    )
    # The names are measured in another typeface than a reader may have: room for what is wider.
    longest = max((len(str(row[category])) for row in rows), default=0)
    return specification(chart) | {"padding": {"left": 5 + min(longest, 40), "right": 5, "top": 5, "bottom": 5}}


def columns(
    rows: Sequence[Mapping[str, Any]],
    *,
    place: str,
    value: str,
    part: str = "",
    colors: Mapping[str, str] | None = None,
    width: int = 640,
    height: int = 200,
) -> dict[str, Any]:
    """The specification of one column per `place`, in the order of the rows; with `part`, columns side by side.

    `rows` has a mapping per column; `colors` gives the parts their colors, without parts its one color.
    """
    import altair

    chosen = dict(colors or {"": BLUE})
    chart = altair.Chart(altair.Data(values=[dict(row) for row in rows]))
    many = len({row[place] for row in rows}) > 12
    most = max((row[value] or 0 for row in rows), default=0)
    ticks = max(1, most) if most < 5 else altair.Undefined  # or 1 would stand there twice, once for a half
    axis = altair.Axis(labelAngle=-60 if many else 0, labelOverlap="greedy", title=None)
    encoding: dict[str, Any] = {
        "x": altair.X(f"{place}:N", sort=None, axis=axis),
        "y": altair.Y(f"{value}:Q", title=value, axis=altair.Axis(format=",d", tickCount=ticks)),
    }
    if part:
        scale = altair.Scale(domain=list(chosen), range=list(chosen.values()))
        encoding |= {
            "xOffset": altair.XOffset(f"{part}:N", sort=list(chosen)),
            "color": altair.Color(f"{part}:N", title=None, scale=scale, sort=list(chosen)),
        }
        drawn = chart.mark_bar()
    else:
        drawn = chart.mark_bar(color=next(iter(chosen.values())))
    return specification(drawn.encode(**encoding).properties(width=width, height=height))


def specification(chart: Any) -> dict[str, Any]:
    """A chart as Vega-Lite has it; not held against its schema, which takes as long as drawing does."""
    found: dict[str, Any] = chart.to_dict(validate=False)
    return {**found, "config": _CONFIG}


def svg(specification: Mapping[str, Any], title: str, *, in_page: bool = True) -> str:
    """The picture of a specification, as an SVG that stands in a page, takes its colors and fits its width.

    `title` is what a screen reader says of it. A picture that is a file of its own (`in_page` false) keeps the colors
    of its specification, since the variables of a page are not there.
    """
    import vl_convert

    drawn = str(vl_convert.vegalite_to_svg(json.dumps(specification), allowed_base_urls=[]))
    if in_page:
        drawn = _INK.sub(lambda found: f'{found[1]}="{_PALE.get(found[2], "currentColor")}"', drawn)
        drawn = _TONE.sub(lambda found: _TONES[found[0]], drawn)
    head = f'<svg role="img" aria-label="{escape(title)}" '
    return drawn.replace("<svg ", head, 1)
