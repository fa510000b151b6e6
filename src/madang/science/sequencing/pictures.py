"""The pictures of a report: qualities by cycle, coverage along the genome, variants along it, shares of reads."""

import json
from pathlib import Path
from typing import Any

from madang.base.translate import _
from madang.science.charts import BLUE, MAUVE, ORANGE, svg

_WIDTH = 640


def pictures(folder: Path) -> list[str]:
    """The pictures of a run as SVG, with titles in the reader's language."""
    told = json.loads((folder / "fastp.json").read_text())
    found = [_qualities(told)]
    found.append(_coverage(folder / "coverage.parquet"))
    found.append(_fractions(folder / "variants.parquet"))
    if sum(told.get("insert_size", {}).get("histogram") or ()) >= 50:  # from pairs that overlap
        found.append(_inserts(told["insert_size"]["histogram"]))
    return [each for each in found if each]


def _qualities(told: dict[str, Any]) -> str:
    import altair

    rows = []
    names = {"read1_before_filtering": _("before trimming"), "read1_after_filtering": _("after trimming")}
    for key, name in names.items():
        curve = told.get(key, {}).get("quality_curves", {}).get("mean", [])
        rows += [{"cycle": place + 1, "quality": value, "when": name} for place, value in enumerate(curve)]
    if not rows:
        return ""
    chart = (
        altair.Chart(altair.Data(values=rows))
        .mark_line()
        .encode(
            x=altair.X("cycle:Q", title=_("cycle of the sequencer")),
            y=altair.Y("quality:Q", title=_("mean quality"), scale=altair.Scale(zero=True)),
            color=altair.Color("when:N", title=None, scale=altair.Scale(range=[ORANGE, BLUE])),
        )
        .properties(width=_WIDTH, height=180)
    )
    return svg(chart.to_dict(validate=False), _("Quality of the first reads by cycle"))


def _coverage(path: Path) -> str:
    import altair
    import pyarrow.parquet as pq

    rows, offset, last = [], 0, None
    for each in pq.read_table(path).to_pylist():
        if last is not None and each["sequence"] != last["sequence"]:
            offset += last["end"]
        rows.append({"place": offset + (each["begin"] + each["end"]) // 2, "depth": each["depth"]})
        last = each
    chart = (
        altair.Chart(altair.Data(values=rows))
        .mark_area(color=BLUE, opacity=0.75)
        .encode(
            x=altair.X("place:Q", title=_("place in the genome (bases)")),
            y=altair.Y("depth:Q", title=_("mean depth")),
        )
        .properties(width=_WIDTH, height=180)
    )
    return svg(chart.to_dict(validate=False), _("Depth along the genome"))


def _fractions(path: Path) -> str:
    import altair
    import pyarrow.parquet as pq

    table = pq.read_table(path, columns=["alt_fraction", "qual", "kind", "depth"]).slice(0, 5_000)
    kinds = {"substitution": _("substitution"), "insertion": _("insertion"), "deletion": _("deletion")}
    rows = [
        {"fraction": each["alt_fraction"], "depth": each["depth"], "kind": kinds.get(each["kind"], each["kind"])}
        for each in table.to_pylist()
        if each["alt_fraction"] is not None
    ]
    if not rows:
        return ""
    chart = (
        altair.Chart(altair.Data(values=rows))
        .mark_circle(opacity=0.7, size=50)
        .encode(
            x=altair.X("depth:Q", title=_("depth")),
            y=altair.Y("fraction:Q", title=_("part of reads with the variant"), scale=altair.Scale(domain=[0, 1])),
            color=altair.Color("kind:N", title=None, scale=altair.Scale(range=[BLUE, ORANGE, MAUVE])),
        )
        .properties(width=_WIDTH, height=200)
    )
    return svg(chart.to_dict(validate=False), _("Each variant by depth and part of reads"))


def _inserts(histogram: list[int]) -> str:
    import altair

    rows = [{"size": place, "pairs": count} for place, count in enumerate(histogram) if count]
    chart = (
        altair.Chart(altair.Data(values=rows))
        .mark_bar(color=BLUE)
        .encode(
            x=altair.X("size:Q", title=_("length between the ends (bases)")),
            y=altair.Y("pairs:Q", title=_("pairs whose reads overlap")),
        )
        .properties(width=_WIDTH, height=160)
    )
    return svg(chart.to_dict(validate=False), _("Length of the fragments"))
