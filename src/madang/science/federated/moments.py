"""Counts, means, variances, quantiles and tables: what a site computes, and what the coordinator adds up; all exact."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from madang.science.federated.design import complete_rows, numbers
from madang.science.federated.exact import add, total, two_product


@dataclass(frozen=True)
class Moments:
    """Of one column: n, sum as hi + lo, and the sum of squares about a center that all sites were given."""

    n: int
    sum: tuple[float, float]
    squares: tuple[float, float]


def moments_at(table: pa.Table, column: str, center: float = 0.0) -> Moments:
    """For a site: of the values that are there, n, the sum of x - center and of its square."""
    x = numbers(complete_rows(table, [column]), column) - center
    s = total(x) if x.size else (np.float64(0), np.float64(0))
    high, low = two_product(x, x)
    q = add([total(high), total(low)]) if x.size else (np.float64(0), np.float64(0))
    return Moments(int(x.size), (float(s[0]), float(s[1])), (float(q[0]), float(q[1])))


def moments_of(parts: Sequence[Moments], center: float = 0.0) -> dict[str, float]:
    """For the coordinator: n, mean and variance (n - 1) of all."""
    n = sum(part.n for part in parts)
    if n == 0:
        return {"n": 0, "mean": math.nan, "variance": math.nan}
    s = add([(np.float64(p.sum[0]), np.float64(p.sum[1])) for p in parts])
    q = add([(np.float64(p.squares[0]), np.float64(p.squares[1])) for p in parts])
    about = float(s[0] + s[1])
    spread = float((q[0] - about * about / n) + q[1])
    return {"n": n, "mean": center + about / n, "variance": spread / (n - 1) if n > 1 else math.nan}


def below_at(table: pa.Table, column: str, points: Sequence[float]) -> list[tuple[int, int]]:
    """For a site: of each point, how many values lie below it, and how many at or below it."""
    x = np.sort(numbers(complete_rows(table, [column]), column))
    left, right = np.searchsorted(x, points, "left"), np.searchsorted(x, points, "right")
    return [(int(a), int(b)) for a, b in zip(left, right, strict=True)]


def range_at(table: pa.Table, column: str, digits: int) -> tuple[int, float, float]:
    """For a site: n, and bounds of its values rounded outward to `digits` digits, so that no value is told."""
    x = numbers(complete_rows(table, [column]), column)
    if not x.size:
        return 0, math.inf, -math.inf
    step = 10.0 ** (math.ceil(math.log10(max(abs(float(x.min())), abs(float(x.max())), 1e-300))) - digits)
    return int(x.size), math.floor(float(x.min()) / step) * step, math.ceil(float(x.max()) / step) * step


Counts = Callable[[list[float]], list[tuple[int, int]]]


def quantiles_of(
    n: int, bounds: tuple[float, float], shares: Sequence[float], below: Counts, step: float = 0.0
) -> list[float]:
    """For the coordinator: quantiles of type 7 (R's and NumPy's default), by halving over the doubles themselves three
    times in each round, or over the multiples of `step` where all values are such.

    `below(points)` asks all sites and gives the sums of `below_at`. Exact: it ends at the very value of a row; some 22
    rounds, with a step as many as its multiples between the bounds need.
    """
    wanted: dict[int, None] = {}
    for share in shares:
        place = (n - 1) * share
        wanted[math.floor(place)] = None
        wanted[math.ceil(place)] = None
    ranks = list(wanted)
    first, last = (math.floor(bounds[0] / step), math.ceil(bounds[1] / step)) if step else map(_order, bounds)

    def value(order: int) -> float:
        return order * step if step else _value(order)

    low, high = dict.fromkeys(ranks, first), dict.fromkeys(ranks, last)
    while open_ := [rank for rank in ranks if low[rank] < high[rank]]:
        places = {rank: sorted({low[rank] + (high[rank] - low[rank]) * k // 8 for k in range(1, 8)}) for rank in open_}
        points = sorted({value(each) for middles in places.values() for each in middles})
        told = dict(zip(points, below(points), strict=True))
        for rank, middles in places.items():
            for middle in middles:
                _less, at_most = told[value(middle)]
                if at_most > rank:
                    high[rank] = middle
                    break
                low[rank] = middle + 1
    values = {rank: value(low[rank]) for rank in ranks}
    found = []
    for share in shares:
        place = (n - 1) * share
        a, b = values[math.floor(place)], values[math.ceil(place)]
        found.append(a + (b - a) * (place - math.floor(place)))
    return found


def _order(value: float) -> int:
    """A double as an integer that is ordered as doubles are."""
    bits = int(np.float64(value).view(np.int64))
    return bits if bits >= 0 else -(bits & 0x7FFF_FFFF_FFFF_FFFF)


def _value(order: int) -> float:
    bits = order if order >= 0 else (-order) | (1 << 63)
    return float(np.uint64(bits & 0xFFFF_FFFF_FFFF_FFFF).view(np.float64))


def table_at(table: pa.Table, columns: Sequence[str]) -> dict[tuple[str, ...], int]:
    """For a site: how many rows have each combination of values."""
    found: dict[tuple[str, ...], int] = {}
    rows = zip(*(table.column(name).to_pylist() for name in columns), strict=True)
    for row in rows:
        key = tuple("" if each is None else str(each) for each in row)
        found[key] = found.get(key, 0) + 1
    return found


def table_of(parts: Sequence[Mapping[tuple[str, ...], int]]) -> dict[tuple[str, ...], int]:
    """For the coordinator: the table of all."""
    found: dict[tuple[str, ...], int] = {}
    for part in parts:
        for key, count in part.items():
            found[key] = found.get(key, 0) + count
    return dict(sorted(found.items()))


def chi_square(cells: Mapping[tuple[str, ...], int]) -> dict[str, float]:
    """Pearson's chi-square of a table of two variables, without a correction."""
    from scipy.stats import chi2

    rows, columns = sorted({key[0] for key in cells}), sorted({key[1] for key in cells})
    seen = np.array([[cells.get((a, b), 0) for b in columns] for a in rows], dtype=float)
    expected = np.outer(seen.sum(1), seen.sum(0)) / seen.sum()
    statistic = float((((seen - expected) ** 2) / expected).sum())
    free = (len(rows) - 1) * (len(columns) - 1)
    return {"statistic": statistic, "df": free, "p": float(chi2.sf(statistic, free))}


def mantel_haenszel(tables: Sequence[tuple[float, float, float, float]]) -> dict[str, float]:
    """The common odds ratio of 2x2 tables (a, b, c, d), one for each stratum or site.

    Variance of its logarithm: Robins, Breslow and Greenland (1986).
    """
    a, b, c, d = (np.array([each[k] for each in tables], dtype=float) for k in range(4))
    n = a + b + c + d
    r, s = a * d / n, b * c / n
    p, q = (a + d) / n, (b + c) / n
    big_r, big_s = r.sum(), s.sum()
    variance = (
        (p * r).sum() / (2 * big_r**2) + (p * s + q * r).sum() / (2 * big_r * big_s) + (q * s).sum() / (2 * big_s**2)
    )
    return {"log_or": float(np.log(big_r / big_s)), "se": float(np.sqrt(variance))}


def correlation_of(n: int, sums: Mapping[str, Any]) -> float:
    """Pearson's correlation from centered sums: xx, yy, xy, x, y."""
    xx = sums["xx"] - sums["x"] ** 2 / n
    yy = sums["yy"] - sums["y"] ** 2 / n
    return float((sums["xy"] - sums["x"] * sums["y"] / n) / math.sqrt(xx * yy))
