"""Pictures of answers: a forest of sites beside the pooled estimate, survival curves. Plain SVG."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from markupsafe import Markup

from madang.base.translate import _

WIDTH, LEFT, ROW = 640, 180, 26


def forest(item: Mapping[str, Any]) -> Markup:
    """Estimates with 95% intervals of each site, of a meta-analysis, and of the fit of all rows."""
    rows = [(str(s["site"]), s["beta"], *s["ci"], "site") for s in item["sites"]]
    rows.append((_("meta-analysis"), item["beta"], *item["ci"], "meta"))
    if "pooled" in item:
        rows.append((_("all rows"), item["pooled"]["beta"], *item["pooled"]["ci"], "pooled"))
    return _intervals(rows, _("Estimates of {name} by site and together").format(name=item["name"]))


def _intervals(rows: Sequence[tuple[str, float, float, float, str]], title: str) -> Markup:
    low, high = min(0.0, *(r[2] for r in rows)), max(0.0, *(r[3] for r in rows))
    span = (high - low) or 1.0

    def x(value: float) -> float:
        return round(LEFT + (value - low) / span * (WIDTH - LEFT - 90), 1)

    height = ROW * len(rows) + 34
    found = [_svg(title, height), f'<path d="M{x(0)} 4V{height - 26}" stroke="var(--edge)" stroke-dasharray="4 3"/>']
    for place, (name, value, a, b, kind) in enumerate(rows):
        y = ROW * place + 18
        weight = "normal" if kind == "site" else "bold"
        color = {"site": "var(--d1)", "meta": "var(--d2)", "pooled": "var(--ink)"}[kind]
        found.append(f'<text x="0" y="{y + 4}" fill="currentColor" font-weight="{weight}">{escape(name[:24])}</text>')
        found.append(f'<path d="M{x(a)} {y}H{x(b)}" stroke="{color}" stroke-width="1.8"/>')
        if kind == "site":
            found.append(f'<rect x="{x(value) - 4}" y="{y - 4}" width="8" height="8" fill="{color}"/>')
        else:
            points = f"{x(value) - 7},{y} {x(value)},{y - 7} {x(value) + 7},{y} {x(value)},{y + 7}"
            found.append(f'<polygon points="{points}" fill="{color}"/>')
        found.append(f'<text x="{WIDTH}" y="{y + 4}" text-anchor="end" fill="currentColor">{value:.3g}</text>')
    ticks = [0.0, *(each for each in (low, high) if abs(x(each) - x(0)) > 40)]
    for value in ticks:
        found.append(
            f'<text x="{x(value)}" y="{height - 8}" text-anchor="middle" fill="currentColor">{value:.3g}</text>'
        )
    return Markup("".join([*found, "</svg>"]))


def _svg(title: str, height: int, width: int = WIDTH) -> str:
    return (
        f'<svg role="img" aria-label="{escape(title, quote=True)}" viewBox="0 0 {width} {height}" width="{width}" '
        'font-size="13">'
    )


def bars(counts: Mapping[str, float]) -> Markup:
    """A bar for each site, with its number."""
    most = max([*counts.values(), 1.0])
    found = [_svg(_("Numbers by site"), ROW * len(counts) + 6)]
    for place, (name, value) in enumerate(counts.items()):
        y, width = ROW * place + 4, value / most * (WIDTH - LEFT - 80)
        found.append(f'<text x="0" y="{y + 14}" fill="currentColor">{escape(str(name)[:24])}</text>')
        found.append(f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="18" fill="var(--d1)"/>')
        found.append(f'<text x="{LEFT + width + 8:.1f}" y="{y + 14}" fill="currentColor">{value:,.0f}</text>')
    return Markup("".join([*found, "</svg>"]))


def roc(points: Sequence[Sequence[float]]) -> Markup:
    """Hits against false alarms, at tenths of risk."""
    return _square(_("Receiver operating characteristic"), [(0.0, 0.0), *((a, b) for a, b in points)], line=True)


def calibrated(tenths: Sequence[Mapping[str, Any]]) -> Markup:
    """Observed against predicted shares, at tenths of risk."""
    shown = [
        (t["predicted"], t["observed"]) for t in tenths if t["predicted"] is not None and t["observed"] is not None
    ]
    return _square(_("Observed against predicted risk"), shown, line=False)


def _square(title: str, points: Sequence[tuple[float, float]], *, line: bool) -> Markup:
    size = 280

    def at(a: float, b: float) -> str:
        return f"{40 + a * (size - 60):.1f} {10 + (1 - b) * (size - 60):.1f}"

    found = [_svg(title, size, size), f'<path d="M{at(0, 1)}L{at(0, 0)}L{at(1, 0)}" fill="none" stroke="var(--edge)"/>']
    found.append(f'<path d="M{at(0, 0)}L{at(1, 1)}" stroke="var(--edge)" stroke-dasharray="4 3"/>')
    if line:
        path = "L".join(at(*point) for point in points)
        found.append(f'<path d="M{path}" fill="none" stroke="var(--d1)" stroke-width="2"/>')
    for a, b in points:
        x, y = at(a, b).split()
        found.append(f'<circle cx="{x}" cy="{y}" r="3.5" fill="var(--d1)"/>')
    for value in (0, 1):
        x, y = at(value, 0).split()
        found.append(f'<text x="{x}" y="{float(y) + 18}" text-anchor="middle" fill="currentColor">{value}</text>')
        x, y = at(0, value).split()
        found.append(
            f'<text x="{float(x) - 8}" y="{float(y) + 4}" text-anchor="end" fill="currentColor">{value}</text>'
        )
    return Markup("".join([*found, "</svg>"]))


def survival(curves: Sequence[Mapping[str, Any]], height: int = 300) -> Markup:
    """Kaplan-Meier curves of the groups."""
    last = max((each["curve"]["time"][-1] for each in curves if each["curve"]["time"]), default=1.0) or 1.0
    found = [
        _svg(_("Survival"), height),
        f'<path d="M40 10V{height - 30}H{WIDTH - 10}" fill="none" stroke="var(--edge)"/>',
    ]
    for place, each in enumerate(curves):
        path, level = [f"M40 {10.0}"], 1.0
        for time, value in zip(each["curve"]["time"], each["curve"]["survival"], strict=True):
            x = 40 + time / last * (WIDTH - 60)
            path.append(f"L{x:.1f} {10 + (1 - level) * (height - 40):.1f}")
            level = level if value is None else value
            path.append(f"L{x:.1f} {10 + (1 - level) * (height - 40):.1f}")
        dash, color = ["none", "6 4", "2 3", "8 3 2 3"][place % 4], f"var(--d{place % 6 + 1})"
        drawn = f'fill="none" stroke="{color}" stroke-width="2" stroke-dasharray="{dash}"'
        found.append(f'<path d="{"".join(path)}" {drawn}/>')
        y = 24 + 18 * place
        found.append(f'<path d="M{WIDTH - 190} {y - 4}h30" {drawn}/>')
        label = str(each["group"])[:20] or _("all")
        found.append(f'<text x="{WIDTH - 152}" y="{y}" fill="currentColor">{escape(label)}</text>')
    found.append(f'<text x="{WIDTH - 10}" y="{height - 10}" text-anchor="end" fill="currentColor">{last:g}</text>')
    found.append('<text x="34" y="18" text-anchor="end" fill="currentColor">1</text>')
    found.append(f'<text x="34" y="{height - 28}" text-anchor="end" fill="currentColor">0</text>')
    return Markup("".join([*found, "</svg>"]))
