"""Sums that do not depend on how rows are split over sites: double-double arithmetic and exact fixed-point addition.

A sum of doubles depends on its order by some units of 1e-16, and a fit through normal equations multiplies that by the
square of the design's condition number. Here every product and sum keeps twice the digits (Dekker 1971, Knuth's
two-sum), so that sites' sums added up are the pooled sums to some 1e-30; the solution is then refined until it is right
to the last digits of a double.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def _two_sum(a: Any, b: Any) -> tuple[Any, Any]:
    """The rounded sum of two doubles, and what rounding lost (Knuth); of arrays, too."""
    s = a + b
    z = s - a
    return s, (a - (s - z)) + (b - z)


def _renormalized(s: Any, d: Any) -> tuple[Any, Any]:
    """s + d as hi + lo, for a d that is small beside s."""
    hi = s + d
    return hi, d - (hi - s)


def _two_product(u: Any, v: Any) -> tuple[Any, Any]:
    """The rounded product of two doubles, and what rounding lost (Dekker)."""
    splitter = 134217729.0  # 2^27 + 1
    t = splitter * u
    uh = t - (t - u)
    ul = u - uh
    t = splitter * v
    vh = t - (t - v)
    vl = v - vh
    q = u * v
    return q, ((uh * vh - q) + uh * vl + ul * vh) + ul * vl


@cache
def _kernels() -> Any:
    import numba

    compiled = numba.njit(cache=True, fastmath=False)
    two_sum, renormalized, two_product = compiled(_two_sum), compiled(_renormalized), compiled(_two_product)

    @compiled
    def gram(x: Array, w: Array, hi: Array, lo: Array) -> None:
        """hi + lo of x' diag(w) x for x of shape (n, p); the upper triangle."""
        n, p = x.shape
        for i in range(n):
            for a in range(p):
                q, e = two_product(x[i, a], w[i])
                for b in range(a, p):
                    y = x[i, b]
                    r, f = two_product(q, y)
                    s, d = two_sum(hi[a, b], r)
                    hi[a, b], lo[a, b] = renormalized(s, d + (lo[a, b] + (f + e * y)))

    @compiled
    def risk_sums(
        times: Array, events: NDArray[np.bool_], x: Array, risk: Array, grid: Array, hi: Array, lo: Array
    ) -> None:
        """At each time of `grid` (ascending), over rows at risk and over rows that end there, of the products
        risk * (1, x)(1, x)'; rows come by descending time. hi, lo: (2, grid, q, q), upper triangles."""
        n, p = x.shape
        q = p + 1
        total_hi = np.zeros((q, q))
        total_lo = np.zeros((q, q))
        row = np.empty(q)
        k = grid.size - 1
        i = 0
        while k >= 0:
            while i < n and times[i] >= grid[k]:
                row[0] = 1.0
                for a in range(p):
                    row[a + 1] = x[i, a]
                tied = events[i] and times[i] == grid[k]
                for a in range(q):
                    g, e = two_product(row[a], risk[i])
                    for b in range(a, q):
                        r, f = two_product(g, row[b])
                        f += e * row[b]
                        s, d = two_sum(total_hi[a, b], r)
                        total_hi[a, b], total_lo[a, b] = renormalized(s, d + total_lo[a, b] + f)
                        if tied:
                            s, d = two_sum(hi[1, k, a, b], r)
                            hi[1, k, a, b], lo[1, k, a, b] = renormalized(s, d + lo[1, k, a, b] + f)
                i += 1
            for a in range(q):
                for b in range(a, q):
                    hi[0, k, a, b] = total_hi[a, b]
                    lo[0, k, a, b] = total_lo[a, b]
            k -= 1

    return gram, risk_sums


def gram(x: Array, w: Array) -> tuple[Array, Array]:
    """x' diag(w) x as two symmetric matrices whose sum it is, to some 1e-30; x: (n, p), w: (n,)."""
    p = x.shape[1]
    hi, lo = np.zeros((p, p)), np.zeros((p, p))
    _kernels()[0](np.ascontiguousarray(x, float), np.ascontiguousarray(w, float), hi, lo)
    return _symmetric(hi), _symmetric(lo)


def risk_sums(times: Array, events: NDArray[np.bool_], x: Array, risk: Array, grid: Array) -> tuple[Array, Array]:
    """What Cox regression needs of a site at each time of `grid`: shape (2, len(grid), p + 1, p + 1) as two arrays.

    [0] sums risk * (1, x)(1, x)' over rows whose time is at least the grid's, [1] over those with their event then.
    """
    order = np.argsort(-times, kind="stable")
    q = x.shape[1] + 1
    hi, lo = np.zeros((2, grid.size, q, q)), np.zeros((2, grid.size, q, q))
    given = (np.ascontiguousarray(each[order]) for each in (times, events, x, risk))
    _kernels()[1](*given, np.ascontiguousarray(grid, float), hi, lo)
    return _symmetric(hi), _symmetric(lo)


def _symmetric(upper: Array) -> Array:
    lower = np.swapaxes(np.triu(upper, 1), -1, -2)
    return np.triu(upper) + lower


def add(parts: Sequence[tuple[Any, Any]]) -> tuple[Array, Array]:
    """The sum of numbers given as hi + lo, of equal shapes; in whatever order."""
    hi, lo = (np.array(each, dtype=float) for each in parts[0])
    for more_hi, more_lo in parts[1:]:
        s, d = _two_sum(hi, more_hi)
        hi, lo = _renormalized(s, d + (lo + more_lo))
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
        products = [_product(s_hi, x_hi[None, :]), (s_lo * x_hi[None, :], np.zeros_like(s_hi))]
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


def _product(a: Array, b: Array) -> tuple[Array, Array]:
    """a * b as hi + lo, elementwise (Dekker)."""
    splitter = 134217729.0
    a, b = (np.array(each, dtype=np.float64) for each in np.broadcast_arrays(a, b))
    t = splitter * a
    ah = t - (t - a)
    al = a - ah
    t = splitter * b
    bh = t - (t - b)
    bl = b - bh
    p = a * b
    return p, ((ah * bh - p) + ah * bl + al * bh) + al * bl
