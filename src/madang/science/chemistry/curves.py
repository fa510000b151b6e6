"""Dose-response curves: four-parameter logistic fits of many curves at once, with limits, flags and pictures.

effect(x) = bottom + (top - bottom) / (1 + (ic50 / x) ** hill). For a given ic50 and hill the rest is linear, so a grid
of both finds the valley and Gauss-Newton steps with damping (Levenberg, 1944; Marquardt, 1963) its lowest point. The
slow twin is `scipy.optimize.curve_fit` from many starts (in the tests).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt

from madang.science.chemistry.needs import needed
from madang.science.chemistry.plates import MOLAR, Plate, Well

with needed("scipy"):
    from scipy.stats import f as f_distribution
    from scipy.stats import t as t_distribution

Floats = npt.NDArray[np.float64]
LEAST_POINTS = 5
_HILLS = np.log([0.4, 0.7, 1.0, 1.5, 2.5, 4.0])
_HILL_LIMITS = (np.log(0.2), np.log(10.0))
_STEPS = 60
_LEVEL = 0.95
_FLAT = 0.01  # chance of such a slope in a flat curve


@dataclass(frozen=True)
class Curve:
    """A fitted curve. `ic50` is in `unit`, with `operator` `>` or `<` where the curve only bounds it; `low` and `high`
    are its 95% limits. `top` and `bottom` are in percent of the controls (`percent`) or as read. `points` are
    (concentration, effect); `excluded` are wells that could not be used, with the reason."""

    plate: str
    compound: str
    ic50: float | None
    operator: str
    low: float | None
    high: float | None
    unit: str
    pic50: float | None
    hill: float | None
    top: float | None
    bottom: float | None
    r2: float | None
    percent: bool
    flags: tuple[str, ...]
    points: tuple[tuple[float, float], ...]
    excluded: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Control:
    """What the controls of a plate say: their means and standard deviations, Z' (Zhang, Chung, Oldenburg, 1999) and
    the signal over background; None where there are too few."""

    plate: str
    wells: int
    negative: tuple[float, float, int] | None
    positive: tuple[float, float, int] | None
    z_prime: float | None
    signal_to_background: float | None
    flags: tuple[str, ...]


@dataclass(frozen=True)
class Fit:
    """Parameters of many curves: arrays of one number per curve; `error` is the standard error of log10 ic50."""

    bottom: Floats
    top: Floats
    log_ic50: Floats
    hill: Floats
    error: Floats
    residual: Floats
    total: Floats


def controls(plate: Plate) -> Control:
    """The controls of a plate."""
    negative, positive = _group(plate, "negative"), _group(plate, "positive") or _group(plate, "blank")
    flags = []
    z_prime = ratio = None
    if negative and positive and min(negative[2], positive[2]) >= 2 and negative[0] != positive[0]:
        z_prime = 1 - 3 * (negative[1] + positive[1]) / abs(negative[0] - positive[0])
        low, high = sorted((abs(negative[0]), abs(positive[0])))
        ratio = high / low if low else None
        if z_prime < 0.5:
            flags.append("Z' below 0.5")
    else:
        flags.append("no two controls")
    return Control(plate.name, plate.size, negative, positive, z_prime, ratio, tuple(flags))


def curves_of(plate: Plate) -> list[Curve]:
    """A curve per compound of a plate, in the order of names."""
    control = controls(plate)
    percent = control.negative is not None and control.positive is not None
    percent = percent and control.negative[0] != control.positive[0]  # type: ignore[index]  # percent says that both are there
    groups: dict[str, list[Well]] = {}
    for well in plate.wells:
        if well.role == "sample":
            groups.setdefault(well.compound, []).append(well)
    prepared = []
    for compound in sorted(groups):
        used = [well for well in groups[compound] if not well.problem]
        points = [(well.concentration or 0.0, _effect(well.reading or 0.0, control, percent)) for well in used]
        excluded = tuple((well.well, well.problem) for well in groups[compound] if well.problem)
        prepared.append((compound, sorted(points), excluded))
    fitted = fit_many([points for _c, points, _e in prepared if _enough(points)])
    made, place = [], 0
    for compound, points, excluded in prepared:
        if _enough(points):
            made.append(_curve(plate, compound, points, excluded, percent, fitted, place))
            place += 1
        else:
            made.append(_unfitted(plate, compound, points, excluded, percent))
    return made


def fit_many(curves: Sequence[Sequence[tuple[float, float]]]) -> Fit:
    """Fit each curve of (concentration > 0, effect); all at once."""
    count = len(curves)
    longest = max((len(points) for points in curves), default=0)
    x, y, w = np.zeros((count, longest)), np.zeros((count, longest)), np.zeros((count, longest))
    for row, points in enumerate(curves):
        x[row, : len(points)] = np.log10([point[0] for point in points])
        y[row, : len(points)] = [point[1] for point in points]
        w[row, : len(points)] = 1
    first = np.where(w > 0, x, np.inf).min(axis=1, initial=np.inf)
    last = np.where(w > 0, x, -np.inf).max(axis=1, initial=-np.inf)
    place, slope, cost = _deepest(x, y, w, *_valley(x, y, w, first, last), first, last)
    bottom, rise = _linear(x, y, w, place, slope)
    mean = (y * w).sum(axis=1) / np.maximum(w.sum(axis=1), 1)
    total = (w * (y - mean[:, None]) ** 2).sum(axis=1)
    error = _standard_error(x, w, bottom, rise, place, slope, cost)
    return Fit(bottom, bottom + rise, place, np.exp(slope), error, cost, total)


def _shape(x: Floats, place: Floats, slope: Floats) -> Floats:
    """The logistic between 0 and 1 at log concentrations (n, points)."""
    z = np.exp(slope)[:, None] * (x - place[:, None]) * np.log(10)
    return np.asarray(0.5 * (1 + np.tanh(z / 2)))


def _linear(x: Floats, y: Floats, w: Floats, place: Floats, slope: Floats) -> tuple[Floats, Floats]:
    """The best bottom and rise for given places and slopes."""
    s = _shape(x, place, slope)
    n = np.maximum(w.sum(axis=1), 1)
    ms, my = (w * s).sum(axis=1) / n, (w * y).sum(axis=1) / n
    variance = (w * (s - ms[:, None]) ** 2).sum(axis=1)
    together = (w * (s - ms[:, None]) * (y - my[:, None])).sum(axis=1)
    rise = np.where(variance > 1e-12, together / np.maximum(variance, 1e-12), 0)
    return my - rise * ms, rise


def _cost(x: Floats, y: Floats, w: Floats, place: Floats, slope: Floats) -> Floats:
    bottom, rise = _linear(x, y, w, place, slope)
    return np.asarray((w * (y - bottom[:, None] - rise[:, None] * _shape(x, place, slope)) ** 2).sum(axis=1))


def _valley(x: Floats, y: Floats, w: Floats, first: Floats, last: Floats) -> tuple[Floats, Floats]:
    """The best place of a grid for each slope of `_HILLS`: (slopes, n) places and slopes from which to descend, since
    there may be several valleys."""
    places, slopes = [], []
    for hill in _HILLS:
        best, place, steep = np.full(len(x), np.inf), (first + last) / 2, np.full(len(x), hill)
        for share in np.linspace(-0.15, 1.15, 27):
            at = first + share * (last - first)
            cost = _cost(x, y, w, at, steep)
            place, best = np.where(cost < best, at, place), np.minimum(cost, best)
        places.append(place)
        slopes.append(steep)
    return np.array(places), np.array(slopes)


def _deepest(
    x: Floats, y: Floats, w: Floats, places: Floats, slopes: Floats, first: Floats, last: Floats
) -> tuple[Floats, Floats, Floats]:
    """Place, slope and cost of the best of all descents."""
    found = [_descend(x, y, w, place, slope, first, last) for place, slope in zip(places, slopes, strict=True)]
    best = np.argmin([cost for _place, _slope, cost in found], axis=0)
    place, slope, cost = (np.choose(best, [each[part] for each in found]) for part in range(3))
    return place, slope, cost


def _descend(
    x: Floats, y: Floats, w: Floats, place: Floats, slope: Floats, first: Floats, last: Floats
) -> tuple[Floats, Floats, Floats]:
    """Damped Gauss-Newton steps on place and slope; bottom and rise follow (variable projection)."""
    damping = np.full(len(x), 1e-3)
    cost = _cost(x, y, w, place, slope)
    step = 1e-6
    for _round in range(_STEPS):
        base = _residual(x, y, w, place, slope)
        one = (_residual(x, y, w, place + step, slope) - base) / step
        two = (_residual(x, y, w, place, slope + step) - base) / step
        a, b, c = (one * one).sum(axis=1), (one * two).sum(axis=1), (two * two).sum(axis=1)
        g, h = (one * base).sum(axis=1), (two * base).sum(axis=1)
        a, c = a * (1 + damping) + 1e-12, c * (1 + damping) + 1e-12
        determinant = np.maximum(a * c - b * b, 1e-30)
        wanted_place, wanted_slope = place - (c * g - b * h) / determinant, slope - (a * h - b * g) / determinant
        new_place, new_slope = np.clip(wanted_place, first - 2, last + 2), np.clip(wanted_slope, *_HILL_LIMITS)
        # One that ends at a limit does not carry the other along: that takes the step that it would take alone.
        alone_place = np.clip(place - g / a, first - 2, last + 2)
        alone_slope = np.clip(slope - h / c, *_HILL_LIMITS)
        new_slope = np.where((new_place != wanted_place) & (new_place == place), alone_slope, new_slope)
        new_place = np.where((new_slope != wanted_slope) & (new_slope == slope), alone_place, new_place)
        new_cost = _cost(x, y, w, new_place, new_slope)
        better = new_cost <= cost
        gain = np.where(better, cost - new_cost, 0)
        place, slope = np.where(better, new_place, place), np.where(better, new_slope, slope)
        cost = np.where(better, new_cost, cost)
        damping = np.clip(np.where(better, damping / 5, damping * 10), 1e-9, 1e9)
        if np.all((gain <= 1e-14 * (cost + 1e-30)) & (damping > 1e6) | (cost <= 1e-24)):
            break
    return place, slope, cost


def _residual(x: Floats, y: Floats, w: Floats, place: Floats, slope: Floats) -> Floats:
    bottom, rise = _linear(x, y, w, place, slope)
    return np.asarray(w * (bottom[:, None] + rise[:, None] * _shape(x, place, slope) - y))


def _standard_error(
    x: Floats, w: Floats, bottom: Floats, rise: Floats, place: Floats, slope: Floats, cost: Floats
) -> Floats:
    s = _shape(x, place, slope)
    inner = s * (1 - s) * np.log(10) * np.exp(slope)[:, None]
    columns = [np.ones_like(s), s, -rise[:, None] * inner, rise[:, None] * inner * (x - place[:, None])]
    jacobian = np.stack(columns, axis=2) * w[:, :, None]
    information = np.einsum("npi,npj->nij", jacobian, jacobian)
    freedom = np.maximum(w.sum(axis=1) - 4, 1)
    error = np.full(len(x), np.inf)
    for row in range(len(x)):
        if np.linalg.cond(information[row]) < 1e14:
            error[row] = np.sqrt(max(np.linalg.inv(information[row])[2, 2], 0) * cost[row] / freedom[row])
    return error


def _group(plate: Plate, role: str) -> tuple[float, float, int] | None:
    values = [well.reading for well in plate.wells if well.role == role and well.reading is not None]
    if not values:
        return None
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return float(np.mean(values)), spread, len(values)


def _effect(reading: float, control: Control, percent: bool) -> float:
    """Percent effect: 0 is the negative control, 100 the positive one; or the reading as it is."""
    if not percent or control.negative is None or control.positive is None:
        return reading
    return 100 * (control.negative[0] - reading) / (control.negative[0] - control.positive[0])


def _enough(points: Sequence[tuple[float, float]]) -> bool:
    return len(points) >= LEAST_POINTS and len({x for x, _y in points}) >= 4


def _unfitted(plate: Plate, compound: str, points: list[tuple[float, float]], excluded: Any, percent: bool) -> Curve:
    return Curve(
        plate.name, compound, None, "", None, None, plate.unit, None, None, None, None, None, percent,
        ("too few points",), tuple(points), tuple(excluded),
    )  # fmt: skip


def _curve(
    plate: Plate, compound: str, points: list[tuple[float, float]], excluded: Any, percent: bool, fit: Fit, row: int
) -> Curve:
    x = np.log10([point[0] for point in points])
    low, high = float(x.min()), float(x.max())
    residual, total = float(fit.residual[row]), float(fit.total[row])
    freedom = len(points) - 4
    r2 = 1 - residual / total if total else None
    top, bottom, place = float(fit.top[row]), float(fit.bottom[row]), float(fit.log_ic50[row])
    hill = float(fit.hill[row])
    flags = [f"{len(excluded)} wells left out"] if excluded else []
    span = abs(float(np.ptp([y for _x, y in points])))
    chance = 1.0
    if total > 1e-18 * max(1.0, max(y * y for _x, y in points)):
        ratio = ((total - residual) / 3) / max(residual / max(freedom, 1), 1e-300)
        chance = float(f_distribution.sf(ratio, 3, max(freedom, 1)))
    flat = chance > _FLAT or (percent and span < 20)
    operator, ic50 = "=", place
    limits: tuple[float | None, float | None] = (None, None)
    if flat:
        flags.append("flat")
        operator, ic50 = ">", high
    elif place > high:
        operator, ic50 = ">", high
        flags.append("beyond the highest concentration")
    elif place < low:
        operator, ic50 = "<", low
        flags.append("below the lowest concentration")
    else:
        half = float(t_distribution.ppf((1 + _LEVEL) / 2, max(freedom, 1))) * float(fit.error[row])
        if half < 6:
            limits = (10 ** (place - half), 10 ** (place + half))
        if half > 0.5:
            flags.append("wide limits")
        ends = np.array([(bottom + (top - bottom) / (1 + 10 ** (hill * (place - end)))) for end in (low, high)])
        reached = (ends - bottom) / (top - bottom) if top != bottom else ends * 0
        if reached[1] < 0.8:
            flags.append("upper plateau not reached")
        if reached[0] > 0.2:
            flags.append("lower plateau not reached")
    if not flat and r2 is not None and r2 < 0.8:
        flags.append("poor fit")
    if not flat and (hill > 4 or hill < 0.4):
        flags.append("unusual slope")
    if percent and not flat and (top > 130 or bottom < -30):
        flags.append("plateau out of range")
    value = 10**ic50
    molar = MOLAR.get(plate.unit.lower())
    pic50 = -float(np.log10(value * molar)) if molar else None
    return Curve(
        plate.name, compound, value, operator, limits[0], limits[1], plate.unit, pic50, None if flat else hill,
        None if flat else top, None if flat else bottom, r2, percent, tuple(flags), tuple(points), tuple(excluded),
    )  # fmt: skip


def picture(curve: Curve, width: int = 320, height: int = 220) -> str:
    """A curve as SVG: points, the fitted line, and the ic50 where it is inside."""
    if not curve.points:
        return f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"></svg>'
    x = np.log10([point[0] for point in curve.points])
    y = np.array([point[1] for point in curve.points])
    left, right = float(x.min()) - 0.2, float(x.max()) + 0.2
    margin = 0.1 * (float(np.ptp(y)) or 1.0)
    floor, roof = float(y.min()) - margin, float(y.max()) + margin

    def at(px: Any, py: Any) -> tuple[float, float]:
        return 45 + (px - left) / (right - left) * (width - 55), 20 + (roof - py) / (roof - floor) * (height - 55)

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" role="img">']
    label = f"{curve.compound}: {curve.operator} {curve.ic50:.4g} {curve.unit}"
    parts.append(f"<title>{escape(label)}</title>")
    parts.append(f'<text x="45" y="14" font-size="12" font-family="sans-serif">{escape(label)}</text>')
    corner, end = at(left, floor), at(right, roof)
    parts.append(f'<path d="M{corner[0]:.1f} {end[1]:.1f}V{corner[1]:.1f}H{end[0]:.1f}" fill="none" stroke="#666"/>')
    if curve.hill and curve.top is not None and curve.bottom is not None and curve.ic50 and curve.operator == "=":
        grid = np.linspace(left, right, 80)
        line = curve.bottom + (curve.top - curve.bottom) / (1 + 10 ** (curve.hill * (np.log10(curve.ic50) - grid)))
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py in map(at, grid, line))
        parts.append(f'<polyline points="{path}" fill="none" stroke="var(--d1, #134a78)" stroke-width="2"/>')
    parts += [f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3" fill="#222"/>' for px, py in map(at, x, y)]
    for tick in range(int(np.ceil(left)), int(np.floor(right)) + 1):
        px, py = at(tick, floor)
        parts.append(f'<text x="{px:.1f}" y="{py + 14:.1f}" font-size="10" text-anchor="middle">{10.0**tick:g}</text>')
    for value in (floor + margin, roof - margin):
        px, py = at(left, value)
        parts.append(f'<text x="{px - 4:.1f}" y="{py + 3:.1f}" font-size="10" text-anchor="end">{value:.4g}</text>')
    parts.append(
        f'<text x="{width / 2}" y="{height - 4}" font-size="10" text-anchor="middle">{escape(curve.unit)}</text>'
    )
    return "".join(parts) + "</svg>"
