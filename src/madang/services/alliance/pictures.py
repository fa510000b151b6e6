"""Pictures of answers: a forest of sites beside the pooled estimate, survival curves. Plain SVG."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from markupsafe import Markup

from madang.base.translate import _

WIDTH, LEFT, ROW = 640, 180, 26


def forest(item: Mapping[str, Any]) -> Markup:
    """Estimates with 95% intervals of each site and pooled, of one coefficient of a meta-analysis."""
    rows = [(str(s["site"]), s["beta"], *s["ci"], False) for s in item["sites"]]
    rows.append((_("together"), item["beta"], *item["ci"], True))
    return _intervals(rows, str(item["name"]))


def _intervals(rows: Sequence[tuple[str, float, float, float, bool]], title: str) -> Markup:
    low, high = min(0.0, *(r[2] for r in rows)), max(0.0, *(r[3] for r in rows))
    span = (high - low) or 1.0

    def x(value: float) -> float:
        return round(LEFT + (value - low) / span * (WIDTH - LEFT - 20), 1)

    height = ROW * len(rows) + 34
    found = [
        f'<svg role="img" aria-label="{escape(title)}" viewBox="0 0 {WIDTH} {height}" width="100%" font-size="13">',
        f'<line x1="{x(0)}" x2="{x(0)}" y1="4" y2="{height - 26}" stroke="var(--line)" stroke-dasharray="4 3"/>',
    ]
    for place, (name, value, a, b, is_pooled) in enumerate(rows):
        y = ROW * place + 18
        weight = "bold" if is_pooled else "normal"
        found.append(f'<text x="0" y="{y + 4}" fill="currentColor" font-weight="{weight}">{escape(name)}</text>')
        found.append(f'<line x1="{x(a)}" x2="{x(b)}" y1="{y}" y2="{y}" stroke="currentColor" stroke-width="1.5"/>')
        if is_pooled:
            points = f"{x(a)},{y} {x(value)},{y - 7} {x(b)},{y} {x(value)},{y + 7}"
            found.append(f'<polygon points="{points}" fill="currentColor"/>')
        else:
            found.append(f'<rect x="{x(value) - 4}" y="{y - 4}" width="8" height="8" fill="currentColor"/>')
    for value in (low, 0.0, high):
        found.append(
            f'<text x="{x(value)}" y="{height - 8}" text-anchor="middle" fill="currentColor">{value:.3g}</text>'
        )
    return Markup("".join([*found, "</svg>"]))


def survival(curves: Sequence[Mapping[str, Any]]) -> Markup:
    """Kaplan-Meier curves of the groups."""
    last = max((each["curve"]["time"][-1] for each in curves if each["curve"]["time"]), default=1.0) or 1.0
    height = 300
    title = escape(_("Survival"))
    found = [
        f'<svg role="img" aria-label="{title}" viewBox="0 0 {WIDTH} {height}" width="100%" font-size="13">',
        f'<path d="M40 10V{height - 30}H{WIDTH - 10}" fill="none" stroke="var(--line)"/>',
    ]
    for place, each in enumerate(curves):
        path, level = [f"M40 {10.0}"], 1.0
        for time, value in zip(each["curve"]["time"], each["curve"]["survival"], strict=True):
            x = 40 + time / last * (WIDTH - 60)
            path.append(f"L{x:.1f} {10 + (1 - level) * (height - 40):.1f}")
            level = level if value is None else value
            path.append(f"L{x:.1f} {10 + (1 - level) * (height - 40):.1f}")
        dash = ["none", "6 4", "2 3", "8 3 2 3"][place % 4]
        found.append(
            f'<path d="{"".join(path)}" fill="none" stroke="currentColor" stroke-width="2" stroke-dasharray="{dash}"/>'
        )
        label = str(each["group"]) or _("all")
        y = 24 + 18 * place
        found.append(f'<path d="M{WIDTH - 190} {y - 4}h30" stroke="currentColor" stroke-dasharray="{dash}"/>')
        found.append(f'<text x="{WIDTH - 152}" y="{y}" fill="currentColor">{escape(label)}</text>')
    found.append(f'<text x="{WIDTH - 10}" y="{height - 10}" text-anchor="end" fill="currentColor">{last:g}</text>')
    found.append('<text x="34" y="18" text-anchor="end" fill="currentColor">1</text>')
    return Markup("".join([*found, "</svg>"]))
