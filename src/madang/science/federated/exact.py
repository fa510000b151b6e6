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
LANES = 64  # sums side by side


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


def _products() -> tuple[Any, Any]:
    """`_two_product` compiled: by a fused multiply-add where the processor has one, else Dekker's; the same bits."""
    import numba
    from llvmlite import binding
    from numba.core import types
    from numba.extending import intrinsic

    compiled = numba.njit(cache=True, fastmath=False)
    if not binding.get_host_cpu_features().get("fma"):
        return compiled, compiled(_two_product)

    def typed(_typing: Any, a: Any, b: Any, c: Any) -> Any:
        signature = types.float64(types.float64, types.float64, types.float64)
        return signature, lambda _context, builder, _signature, given: builder.fma(*given)

    fused: Any = intrinsic(typed)

    @compiled
    def two_product(u: float, v: float) -> tuple[float, float]:
        q = u * v
        return q, fused(u, v, -q)

    return compiled, two_product


@cache
def _kernels() -> Any:
    compiled, two_product = _products()
    two_sum, renormalized = compiled(_two_sum), compiled(_renormalized)

    @compiled
    def added(hi: float, lo: float, more_hi: float, more_lo: float) -> tuple[float, float]:
        s, d = two_sum(hi, more_hi)
        return renormalized(s, d + (lo + more_lo))

    @compiled
    def one_gram(
        x: Array, w: Array, begin: int, end: int, hi: Array, lo: Array, q: Array, e: Array, r: Array, f: Array
    ) -> None:
        """Adds columns begin..end of x diag(w) x' to hi + lo, upper triangle; x: (p, n). Rows go into LANES sums side
        by side, which the compiler makes one instruction of; q, e: (LANES,), r, f: (p, p, LANES), for scratch."""
        p = x.shape[0]
        lanes = min(LANES, end - begin)
        for a in range(p):
            for b in range(a, p):
                for k in range(lanes):
                    r[a, b, k] = 0.0
                    f[a, b, k] = 0.0
        for start in range(begin, end, LANES):
            count = min(LANES, end - start)
            for a in range(p):
                left = x[a, start : start + count]
                weight = w[start : start + count]
                for k in range(count):
                    q[k], e[k] = two_product(left[k], weight[k])
                for b in range(a, p):
                    right, r_ab, f_ab = x[b, start : start + count], r[a, b], f[a, b]
                    for k in range(count):
                        y = right[k]
                        product, lost = two_product(q[k], y)
                        s, d = two_sum(r_ab[k], product)
                        r_ab[k], f_ab[k] = renormalized(s, d + (f_ab[k] + (lost + e[k] * y)))
        for a in range(p):
            for b in range(a, p):
                for k in range(lanes):
                    hi[a, b], lo[a, b] = added(hi[a, b], lo[a, b], r[a, b, k], f[a, b, k])

    @compiled
    def gram(x: Array, w: Array, hi: Array, lo: Array) -> None:
        """hi + lo of x diag(w) x' for x of shape (p, n); the upper triangle."""
        p, n = x.shape
        q, e = np.empty(LANES), np.empty(LANES)
        r, f = np.empty((p, p, LANES)), np.empty((p, p, LANES))
        one_gram(x, w, 0, n, hi, lo, q, e, r, f)

    @compiled
    def risk_sums(x: Array, risk: Array, ends: NDArray[np.int64], hi: Array, lo: Array) -> None:
        """At each time of a grid, over rows at risk ([0]) and over rows with their event then ([1]), of the products
        x diag(risk) x'; x: (q, n) by descending time, events first. ends[k] has the places where at time k the
        events and the rows end. hi, lo: (2, grid, q, q), upper triangles."""
        q_, times = x.shape[0], ends.shape[0]
        q, e = np.empty(LANES), np.empty(LANES)
        r, f = np.empty((q_, q_, LANES)), np.empty((q_, q_, LANES))
        begin = 0
        for k in range(times - 1, -1, -1):
            one_gram(x, risk, begin, ends[k, 0], hi[1, k], lo[1, k], q, e, r, f)
            if k + 1 < times:
                for a in range(q_):
                    for b in range(a, q_):
                        hi[0, k, a, b], lo[0, k, a, b] = hi[0, k + 1, a, b], lo[0, k + 1, a, b]
            for a in range(q_):
                for b in range(a, q_):
                    hi[0, k, a, b], lo[0, k, a, b] = added(
                        hi[0, k, a, b], lo[0, k, a, b], hi[1, k, a, b], lo[1, k, a, b]
                    )
            one_gram(x, risk, ends[k, 0], ends[k, 1], hi[0, k], lo[0, k], q, e, r, f)
            begin = ends[k, 1]

    @compiled
    def tie_sums(a_hi: Array, a_lo: Array, b_hi: Array, b_lo: Array, deaths: Array, hi: Array, lo: Array) -> None:
        """At each time, with d deaths and u = 1 / (a d - l b): the sums over l = 0 .. d - 1 of u, l u, u^2, l u^2 and
        l^2 u^2, and (in doubles) of log(a - l b / d). hi, lo: (times, 6)."""
        for t in range(deaths.size):
            d = deaths[t]
            whole_hi, whole_lo = two_product(a_hi[t], d)
            whole_hi, whole_lo = renormalized(whole_hi, whole_lo + a_lo[t] * d)
            for step in range(int(d)):
                back = float(step)
                m_hi, m_lo = two_product(b_hi[t], -back)
                m_hi, m_lo = added(whole_hi, whole_lo, m_hi, m_lo - b_lo[t] * back)
                u = 1.0 / m_hi
                p_hi, p_lo = two_product(u, m_hi)
                u_hi, u_lo = renormalized(u, u * ((1.0 - p_hi) - p_lo - u * m_lo))
                v_hi, v_lo = two_product(u_hi, u_hi)
                v_hi, v_lo = renormalized(v_hi, v_lo + 2.0 * u_hi * u_lo)
                for place in range(5):
                    w_hi, w_lo = (u_hi, u_lo) if place < 2 else (v_hi, v_lo)
                    times = 1.0 if place == 0 or place == 2 else (back * back if place == 4 else back)
                    s_hi, s_lo = two_product(w_hi, times)
                    hi[t, place], lo[t, place] = added(hi[t, place], lo[t, place], s_hi, s_lo + w_lo * times)
                hi[t, 5] += np.log(m_hi / d)

    return gram, risk_sums, tie_sums


def gram(x: Array, w: Array) -> tuple[Array, Array]:
    """x' diag(w) x as two symmetric matrices whose sum it is, to some 1e-30; x: (n, p), w: (n,)."""
    return gram_of_columns(np.ascontiguousarray(np.asarray(x, float).T), np.ascontiguousarray(w, float))


def gram_of_columns(x: Array, w: Array) -> tuple[Array, Array]:
    """As `gram`, for x that has its columns in one piece each: shape (p, n)."""
    p = x.shape[0]
    hi, lo = np.zeros((p, p)), np.zeros((p, p))
    _kernels()[0](x, w, hi, lo)
    return _symmetric(hi), _symmetric(lo)


def risk_order(times: Array, events: NDArray[np.bool_], grid: Array) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The order of rows and the `ends` that `risk_sums` needs: by descending time of the (ascending) grid.

    Rows whose time lies before the grid are at risk at none of its times and come in no segment.
    """
    place = np.searchsorted(grid, times, "right") - 1  # the last time of the grid at which the row is at risk
    tied = np.zeros(times.size, bool)
    inside = place >= 0
    tied[inside] = events[inside] & (times[inside] == grid[place[inside]])
    order = np.argsort(np.where(tied, 2 * place + 1, 2 * place), kind="stable")[::-1]
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
    _kernels()[1](np.ascontiguousarray(x), np.ascontiguousarray(risk), ends, hi, lo)
    return _symmetric(hi), _symmetric(lo)


def tie_sums(every: tuple[Array, Array], tied: tuple[Array, Array], deaths: Array) -> tuple[Array, Array]:
    """Efron's sums over the deaths d of each time; a and b are the risks of all and of those who die (hi + lo).

    With f = 0, 1/d .. (d - 1)/d and s = 1 / (a - f b): the sums of s, f s, s^2, f s^2, f^2 s^2, and of -log s; shape
    (times, 6) as two arrays.
    """
    hi, lo = np.zeros((deaths.size, 6)), np.zeros((deaths.size, 6))
    given = (np.ascontiguousarray(each, float) for each in (*every, *tied, deaths))
    _kernels()[2](*given, hi, lo)
    d = np.maximum(deaths, 1.0)[:, None]
    power = np.concatenate([d, np.ones_like(d), d**2, d, np.ones_like(d), np.ones_like(d)], axis=1)
    scaled = _two_product(hi, power)
    return add([scaled, (lo * power, np.zeros_like(lo))])


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
