"""The compiled sums of `exact`: pairs of doubles that keep twice the digits, in lanes that the processor adds at once.

Compiled when this module is first imported on a machine, and kept beside it by numba; functions of a module are kept,
such that are made within functions are compiled anew in every process.
"""

from typing import Any

import numpy as np
from llvmlite import binding
from numba import njit
from numba.core import types
from numba.extending import intrinsic

from madang.science.federated import exact

LANES = 64  # sums side by side
STRIP = 4 * LANES  # rows that go into them before they are written back


@intrinsic
def _typed_fma(_typing, a, b, c):  # type: ignore[no-untyped-def]  # numba knows the types
    signature = types.float64(types.float64, types.float64, types.float64)
    return signature, lambda _context, builder, _signature, given: builder.fma(*given)


_fma: Any = _typed_fma  # which is called without the first argument


@njit(cache=True, nogil=True)
def _fused(u, v):  # type: ignore[no-untyped-def]  # numba knows the types
    """The rounded product, and what rounding lost, by a fused multiply-add."""
    q = u * v
    return q, _fma(u, v, -q)


_compiled = njit(cache=True, nogil=True)
_two_sum, _renormalized = _compiled(exact.two_sum), _compiled(exact.renormalized)
# the same bits, either way
_two_product = _fused if binding.get_host_cpu_features().get("fma") else _compiled(exact.two_product)


@njit(cache=True, nogil=True)
def _added(hi, lo, more_hi, more_lo):  # type: ignore[no-untyped-def]  # numba knows the types
    s, d = _two_sum(hi, more_hi)
    return _renormalized(s, d + (lo + more_lo))


@njit(cache=True, nogil=True)
def _into(x, w, shift, begin, end, q, e, r, f):  # type: ignore[no-untyped-def]  # numba knows the types
    """Adds columns begin..end of x diag(w) x' into the lanes r + f, upper triangle; x: (p, n), w[0] belongs to column
    `shift`, r, f: (p, p, LANES), q, e: (STRIP,) for scratch. A row's products are made in the same order wherever the
    row is."""
    p = x.shape[0]
    whole = begin + (end - begin) // STRIP * STRIP
    for start in range(begin, whole, STRIP):
        weight = w[start - shift : start - shift + STRIP]
        for a in range(p):
            left = x[a, start : start + STRIP]
            for k in range(STRIP):
                q[k], e[k] = _two_product(left[k], weight[k])
            for b in range(a, p):
                right, r_ab, f_ab = x[b, start : start + STRIP], r[a, b], f[a, b]
                for k in range(LANES):  # four rows of each lane, so that its sum stays in the processor meanwhile
                    s, g, m = r_ab[k], f_ab[k], k
                    y = right[m]
                    product, lost = _two_product(q[m], y)
                    s, d = _two_sum(s, product)
                    g, m = g + (d + (lost + e[m] * y)), m + LANES
                    y = right[m]
                    product, lost = _two_product(q[m], y)
                    s, d = _two_sum(s, product)
                    g, m = g + (d + (lost + e[m] * y)), m + LANES
                    y = right[m]
                    product, lost = _two_product(q[m], y)
                    s, d = _two_sum(s, product)
                    g, m = g + (d + (lost + e[m] * y)), m + LANES
                    y = right[m]
                    product, lost = _two_product(q[m], y)
                    s, d = _two_sum(s, product)
                    r_ab[k], f_ab[k] = s, g + (d + (lost + e[m] * y))
    for start in range(whole, end, LANES):
        count = min(LANES, end - start)
        weight = w[start - shift : start - shift + count]
        for a in range(p):
            left = x[a, start : start + count]
            for k in range(count):
                q[k], e[k] = _two_product(left[k], weight[k])
            for b in range(a, p):
                right, r_ab, f_ab = x[b, start : start + count], r[a, b], f[a, b]
                for k in range(count):
                    y = right[k]
                    product, lost = _two_product(q[k], y)
                    r_ab[k], d = _two_sum(r_ab[k], product)
                    f_ab[k] += d + (lost + e[k] * y)


@njit(cache=True, nogil=True)
def _collected(r, f, lanes, hi, lo):  # type: ignore[no-untyped-def]  # numba knows the types
    """Adds the lanes to hi + lo, upper triangle, and empties them."""
    p = r.shape[0]
    for a in range(p):
        for b in range(a, p):
            for k in range(lanes):
                hi[a, b], lo[a, b] = _added(hi[a, b], lo[a, b], r[a, b, k], f[a, b, k])
                r[a, b, k] = 0.0
                f[a, b, k] = 0.0


@njit("void(f8[:,::1], f8[::1], i8, i8, f8[:,::1], f8[:,::1])", cache=True, nogil=True)
def gram(x, w, begin, end, hi, lo):  # type: ignore[no-untyped-def]  # numba knows the types
    """Adds columns begin..end of x diag(w) x' to hi + lo for x of shape (p, n), w of these columns; upper triangle."""
    p = x.shape[0]
    r, f = np.zeros((p, p, LANES)), np.zeros((p, p, LANES))
    _into(x, w, begin, begin, end, np.empty(STRIP), np.empty(STRIP), r, f)
    _collected(r, f, LANES, hi, lo)


@njit("void(f8[:,::1], f8[::1], i8[:,::1], f8[:,:,:,::1], f8[:,:,:,::1])", cache=True, nogil=True)
def risk_sums(x, risk, ends, hi, lo):  # type: ignore[no-untyped-def]  # numba knows the types
    """At each time of a grid, over rows at risk ([0]) and over rows with their event then ([1]), of the products
    x diag(risk) x'; x: (q, n) by descending time, events first. ends[k] has the places where at time k the
    events and the rows end. hi, lo: (2, grid, q, q), upper triangles."""
    size, times = x.shape[0], ends.shape[0]
    q, e = np.empty(STRIP), np.empty(STRIP)
    r, f = np.zeros((size, size, LANES)), np.zeros((size, size, LANES))
    begin = 0
    for k in range(times - 1, -1, -1):
        _into(x, risk, 0, begin, ends[k, 0], q, e, r, f)
        _collected(r, f, min(LANES, ends[k, 0] - begin), hi[1, k], lo[1, k])
        if k + 1 < times:
            for a in range(size):
                for b in range(a, size):
                    hi[0, k, a, b], lo[0, k, a, b] = hi[0, k + 1, a, b], lo[0, k + 1, a, b]
        for a in range(size):
            for b in range(a, size):
                hi[0, k, a, b], lo[0, k, a, b] = _added(hi[0, k, a, b], lo[0, k, a, b], hi[1, k, a, b], lo[1, k, a, b])
        _into(x, risk, 0, ends[k, 0], ends[k, 1], q, e, r, f)
        _collected(r, f, min(LANES, ends[k, 1] - ends[k, 0]), hi[0, k], lo[0, k])
        begin = ends[k, 1]


@njit("void(f8[:,::1], i8[:,::1], f8[:,::1], f8[:,::1])", cache=True, nogil=True)
def event_sums(x, ends, hi, lo):  # type: ignore[no-untyped-def]  # numba knows the types
    """At each time of a grid the sums of x over the rows with their event then; x and ends as in `risk_sums`; hi, lo:
    (grid, q)."""
    begin = 0
    for k in range(ends.shape[0] - 1, -1, -1):
        for a in range(x.shape[0]):
            s, lost = 0.0, 0.0
            for place in range(begin, ends[k, 0]):
                s, d = _two_sum(s, x[a, place])
                lost += d
            hi[k, a], lo[k, a] = _renormalized(s, lost)
        begin = ends[k, 1]


@njit(types.UniTuple(types.f8, 2)(types.Array(types.f8, 1, "C", readonly=True)), cache=True, nogil=True)
def summed(values):  # type: ignore[no-untyped-def]  # numba knows the types
    """The sum as hi + lo."""
    r, f = np.zeros(LANES), np.zeros(LANES)
    whole = values.size // LANES * LANES
    for start in range(0, whole, LANES):
        for k in range(LANES):
            r[k], d = _two_sum(r[k], values[start + k])
            f[k] += d
    hi, lo = 0.0, 0.0
    for k in range(LANES):
        hi, lo = _added(hi, lo, r[k], f[k])
    for place in range(whole, values.size):
        hi, lo = _added(hi, lo, values[place], 0.0)
    return hi, lo


@njit(
    "void(f8[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[:,::1], f8[:,::1])",
    cache=True,
    nogil=True,
    error_model="numpy",
)
def tie_sums(a_hi, a_lo, b_hi, b_lo, deaths, hi, lo):  # type: ignore[no-untyped-def]  # numba knows the types
    """At each time, with d deaths and u = 1 / (a d - l b): the sums over l = 0 .. d - 1 of u, l u, u^2, l u^2 and
    l^2 u^2, and (in doubles) of log(a - l b / d). hi, lo: (times, 6)."""
    r, f, ratios = np.zeros(5 * LANES), np.zeros(5 * LANES), np.ones(LANES)  # one after the other, so that none overlap
    for t in range(deaths.size):
        d = deaths[t]
        if d < 1.0:
            continue
        tied_hi, tied_lo = b_hi[t], b_lo[t]
        whole_hi, whole_lo = _two_product(a_hi[t], d)
        whole_hi, whole_lo = _renormalized(whole_hi, whole_lo + a_lo[t] * d)
        logs, kept, scale = 0.0, 0, 1.0 / whole_hi
        for start in range(0, int(d), LANES):
            for k in range(LANES):  # all lanes, so that it is one instruction of several; those past the end count as 0
                counts = 1.0 if start + k < d else 0.0
                back = float(start + k) * counts
                m_hi, m_lo = _two_product(tied_hi, -back)
                m_hi, m_lo = _added(whole_hi, whole_lo, m_hi, m_lo - tied_lo * back)
                u = 1.0 / m_hi
                p_hi, p_lo = _two_product(u, m_hi)
                u_hi, u_lo = _renormalized(u, u * ((1.0 - p_hi) - p_lo - u * m_lo))
                u_hi, u_lo = u_hi * counts, u_lo * counts
                v_hi, v_lo = _two_product(u_hi, u_hi)
                v_hi, v_lo = _renormalized(v_hi, v_lo + 2.0 * u_hi * u_lo)
                r[k], lost = _two_sum(r[k], u_hi)
                f[k] += lost + u_lo
                s_hi, s_lo = _two_product(u_hi, back)
                r[LANES + k], lost = _two_sum(r[LANES + k], s_hi)
                f[LANES + k] += lost + (s_lo + u_lo * back)
                r[2 * LANES + k], lost = _two_sum(r[2 * LANES + k], v_hi)
                f[2 * LANES + k] += lost + v_lo
                s_hi, s_lo = _two_product(v_hi, back)
                r[3 * LANES + k], lost = _two_sum(r[3 * LANES + k], s_hi)
                f[3 * LANES + k] += lost + (s_lo + v_lo * back)
                s_hi, s_lo = _two_product(v_hi, back * back)
                r[4 * LANES + k], lost = _two_sum(r[4 * LANES + k], s_hi)
                f[4 * LANES + k] += lost + (s_lo + v_lo * (back * back))
                ratios[k] *= m_hi * scale * counts + (1.0 - counts)
            kept += 1
            if kept == 8 or start + LANES >= int(d):  # a logarithm of a product is that many fewer logarithms
                for k in range(LANES):
                    logs += np.log(ratios[k])
                    ratios[k] = 1.0
                kept = 0
        for place in range(5):
            for k in range(LANES):
                hi[t, place], lo[t, place] = _added(
                    hi[t, place], lo[t, place], r[place * LANES + k], f[place * LANES + k]
                )
        r[:] = 0.0
        f[:] = 0.0
        hi[t, 5] = logs + d * np.log(a_hi[t])
