"""Sums that do not depend on how rows are split over sites: double-double arithmetic and exact fixed-point addition.

A sum of doubles depends on its order by some units of 1e-16, and a fit through normal equations multiplies that by the
square of the design's condition number. Here every product and sum keeps twice the digits (Dekker 1971, Knuth's
two-sum), so that sites' sums added up are the pooled sums to some 1e-28; the solution is then refined until it is right
to the last digits of a double.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
T = TypeVar("T")


def two_sum(a: Any, b: Any) -> tuple[Any, Any]:
    """The rounded sum of two doubles, and what rounding lost (Knuth); of arrays, too."""
    s = a + b
    z = s - a
    return s, (a - (s - z)) + (b - z)


def renormalized(s: Any, d: Any) -> tuple[Any, Any]:
    """s + d as hi + lo, for a d that is small beside s."""
    hi = s + d
    return hi, d - (hi - s)


def two_product(u: Any, v: Any) -> tuple[Any, Any]:
    """The rounded product of two doubles, and what rounding lost (Dekker); of arrays, too."""
    splitter = 134217729.0  # 2^27 + 1
    t = splitter * u
    uh = t - (t - u)
    ul = u - uh
    t = splitter * v
    vh = t - (t - v)
    vl = v - vh
    q = u * v
    return q, ((uh * vh - q) + uh * vl + ul * vh) + ul * vl


def gram(x: Array, w: Array) -> tuple[Array, Array]:
    """x' diag(w) x as two symmetric matrices whose sum it is, to some 1e-28; x: (n, p), w: (n,)."""
    return gram_of_columns(np.ascontiguousarray(np.asarray(x, float).T), np.ascontiguousarray(w, float))


def gram_of_columns(x: Array, w: Array) -> tuple[Array, Array]:
    """As `gram`, for x that has its columns in one piece each: shape (p, n)."""
    hi, lo = gram_part(x, w, 0, x.shape[1])
    return symmetric(hi), symmetric(lo)


def gram_part(x: Array, w: Array, begin: int, end: int) -> tuple[Array, Array]:
    """The upper triangle of `gram_of_columns` over the rows begin..end, whose weights w are, as hi + lo."""
    p = x.shape[0]
    hi, lo = np.zeros((p, p)), np.zeros((p, p))
    _kernels().gram(x, w, begin, end, hi, lo)
    return hi, lo


def summed(values: Array) -> tuple[float, float]:
    """The sum of a vector as hi + lo."""
    hi, lo = _kernels().summed(np.ascontiguousarray(values, float))
    return float(hi), float(lo)


def event_sums(x: Array, ends: NDArray[np.int64]) -> tuple[Array, Array]:
    """At each time of a grid the sums of x over rows with their event then, as hi + lo of shape (grid, q); x: (q, n) in
    the order of `risk_order`."""
    hi, lo = (np.zeros((ends.shape[0], x.shape[0])) for _k in range(2))
    _kernels().event_sums(x, ends, hi, lo)
    return hi, lo


def in_threads(work: Callable[[int], T], places: Sequence[int]) -> list[T]:
    """What `work` makes at each of these places, in order; by two threads where this process has four cores or more.

    What they do most, NumPy and the kernels do without Python's lock.
    """
    if len(places) < 8 or len(os.sched_getaffinity(0)) < 4:
        return [work(each) for each in places]
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(work, places))


def _kernels() -> Any:
    """The compiled sums; imported where they are needed, so that who computes nothing does not wait for numba."""
    from madang.science.federated import kernels

    return kernels


def risk_order(times: Array, events: NDArray[np.bool_], grid: Array) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The order of rows and the `ends` that `risk_sums` needs: by descending time of the (ascending) grid.

    Rows whose time lies before the grid are at risk at none of its times and come in no segment.
    """
    place = np.searchsorted(grid, times, "right") - 1  # the last time of the grid at which the row is at risk
    tied = np.zeros(times.size, bool)
    inside = place >= 0
    tied[inside] = events[inside] & (times[inside] == grid[place[inside]])
    code = np.where(tied, 2 * place + 1, 2 * place)
    if grid.size < 16_000:
        code = code.astype(np.int16)  # which NumPy sorts by digits
    order = np.argsort(code, kind="stable")[::-1]
    counts = np.bincount(2 * place[inside] + tied[inside], minlength=2 * grid.size).reshape(-1, 2)
    descending = counts[::-1, ::-1].ravel()  # of each time from the last: events, then the others
    ends = np.cumsum(descending).reshape(-1, 2)[::-1]
    return order, np.ascontiguousarray(ends)


def risk_sums(x: Array, risk: Array, ends: NDArray[np.int64]) -> tuple[Array, Array]:
    """What Cox regression needs of a site at each time of a grid: shape (2, len(grid), q, q) as two arrays.

    [0] sums risk * x x' over rows whose time is at least the grid's, [1] over those with their event then; x: (q, n)
    in the order of `risk_order`, with a row of ones first.
    """
    q, times = x.shape[0], ends.shape[0]
    hi, lo = np.zeros((2, times, q, q)), np.zeros((2, times, q, q))
    _kernels().risk_sums(np.ascontiguousarray(x), np.ascontiguousarray(risk), ends, hi, lo)
    return symmetric(hi), symmetric(lo)


def tie_sums(every: tuple[Array, Array], tied: tuple[Array, Array], deaths: Array) -> tuple[Array, Array]:
    """Efron's sums over the deaths d of each time; a and b are the risks of all and of those who die (hi + lo).

    With f = 0, 1/d .. (d - 1)/d and s = 1 / (a - f b): the sums of s, f s, s^2, f s^2, f^2 s^2, and of -log s; shape
    (times, 6) as two arrays.
    """
    hi, lo = np.zeros((deaths.size, 6)), np.zeros((deaths.size, 6))
    given = (np.ascontiguousarray(each, float) for each in (*every, *tied, deaths))
    _kernels().tie_sums(*given, hi, lo)
    d = np.maximum(deaths, 1.0)[:, None]
    power = np.concatenate([d, np.ones_like(d), d**2, d, np.ones_like(d), np.ones_like(d)], axis=1)
    scaled = two_product(hi, power)
    return add([scaled, (lo * power, np.zeros_like(lo))])


def symmetric(upper: Array) -> Array:
    """Matrices of their upper triangles."""
    lower = np.swapaxes(np.triu(upper, 1), -1, -2)
    return np.triu(upper) + lower


def add(parts: Sequence[tuple[Any, Any]]) -> tuple[Array, Array]:
    """The sum of numbers given as hi + lo, of equal shapes; in whatever order."""
    hi, lo = (np.array(each, dtype=float) for each in parts[0])
    for more_hi, more_lo in parts[1:]:
        s, d = two_sum(hi, more_hi)
        hi, lo = renormalized(s, d + (lo + more_lo))
    return hi, lo


def total(values: Array, axis: int = 0) -> tuple[Array, Array]:
    """The sum along an axis as hi + lo, by pairs."""
    parts = np.moveaxis(np.asarray(values, float), axis, 0)
    hi, lo = parts, np.zeros_like(parts)
    if hi.shape[0] == 0:
        return np.zeros(parts.shape[1:]), np.zeros(parts.shape[1:])
    while hi.shape[0] > 1:
        if hi.shape[0] % 2:
            pad = np.zeros((1, *hi.shape[1:]))
            hi, lo = np.concatenate([hi, pad]), np.concatenate([lo, pad])
        hi, lo = add([(hi[0::2], lo[0::2]), (hi[1::2], lo[1::2])])
    return hi[0], lo[0]


def solve(matrix: tuple[Array, Array], right: tuple[Array, Array]) -> Array:
    """Solve a symmetric positive definite system given as hi + lo, right to the last digits of a double.

    The residual is computed with twice the digits, so each round of refinement gains as many digits as the matrix'
    condition leaves (Wilkinson). Raises `numpy.linalg.LinAlgError` where the matrix is singular.
    """
    a_hi, a_lo = matrix
    b_hi, b_lo = right
    scale = 1.0 / np.sqrt(np.diag(a_hi))
    if not np.all(np.isfinite(scale)):
        raise np.linalg.LinAlgError("singular")
    scale = np.array(2.0 ** np.round(np.log2(scale)), dtype=np.float64)  # powers of two lose nothing
    s_hi, s_lo = a_hi * np.outer(scale, scale), a_lo * np.outer(scale, scale)
    r_hi, r_lo = b_hi * scale, b_lo * scale
    lower = np.linalg.cholesky(s_hi)
    if np.min(np.diag(lower)) < 1e-8 * np.max(np.diag(lower)):
        raise np.linalg.LinAlgError("singular")

    def near(of: Array) -> Array:
        return np.linalg.solve(lower.T, np.linalg.solve(lower, of))

    x_hi, x_lo = near(r_hi), np.zeros_like(r_hi)
    for _round in range(8):
        products = [two_product(s_hi, x_hi[None, :]), (s_lo * x_hi[None, :], np.zeros_like(s_hi))]
        products.append((s_hi * x_lo[None, :], np.zeros_like(s_hi)))
        sums = [total(np.concatenate([hi, lo], axis=1), axis=1) for hi, lo in products]
        minus = [(-hi, -lo) for hi, lo in sums]
        left = add([(r_hi, r_lo), *minus])
        step = near(left[0] + left[1])
        x_hi, x_lo = add([(x_hi, x_lo), (step, np.zeros_like(step))])
        if np.max(np.abs(step)) <= 1e-20 * np.max(np.abs(x_hi)):
            break
    solved: Array = (x_hi + x_lo) * scale
    return solved
