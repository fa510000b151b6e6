"""The few compiled loops of similarity search; `search.brute_force` is their slow twin.

A block holds up to `BLOCK` molecules. Of each molecule the bits in every 32-bit piece of its fingerprint are counted;
two counts of 0 to 15 share a byte, and within a block the bytes of one pair of pieces lie side by side, so that many
molecules are bounded by one machine instruction. The sum over pieces of the smaller count bounds the common bits from
above, exactly: only molecules whose bound reaches the score in question are compared bit by bit.
"""

import numpy as np

from madang.science.chemistry.needs import needed

with needed("numba"):
    from numba import njit, types

BLOCK = 1024
WORDS = 32  # 64-bit words of a fingerprint: 2,048 bits
PAIRS = 32  # pairs of 32-bit pieces

_u8, _u64, _i64, _f64 = types.uint8, types.uint64, types.int64, types.float64


@njit(types.int64(types.uint64), inline="always", cache=True)
def _ones(word):  # type: ignore[no-untyped-def]  # numba knows the types
    """Bits set in a 64-bit word (the usual sideways addition, which LLVM turns into one instruction)."""
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


@njit(types.void(_u8[::1], _u8[::1], _u8, _u8), cache=True, nogil=True, inline="always")
def _add_pair(bound, counts, low, high):  # type: ignore[no-untyped-def]  # numba knows the types
    for m in range(BLOCK):
        first = np.uint8(counts[m] & np.uint8(15))
        second = np.uint8(counts[m] >> np.uint8(4))
        first = first if first < low else low
        second = second if second < high else high
        bound[m] = np.uint8(bound[m] + np.uint8(first + second))


@njit(
    types.void(types.Array(_u64, 2, "C", readonly=True), types.Array(_u64, 2, "C", readonly=True), types.int32[:, ::1]),
    cache=True,
    nogil=True,
)
def common(queries, words, shared):  # type: ignore[no-untyped-def]  # numba knows the types
    """Fill `shared` (q, n) with how many bits each of `queries` (q, WORDS) and `words` (n, WORDS) have in common."""
    for q in range(len(queries)):
        for m in range(len(words)):
            count = 0
            for w in range(WORDS):
                count += _ones(words[m, w] & queries[q, w])
            shared[q, m] = count


@njit(types.boolean(_f64, _i64, _f64, _i64), inline="always", cache=True)
def _worse(score, row, than_score, than_row):  # type: ignore[no-untyped-def]  # numba knows the types
    return score < than_score or (score == than_score and row > than_row)


@njit(types.void(_f64[::1], _i64[::1], _i64, _f64, _i64), cache=True, nogil=True)
def _push(scores, rows, size, score, row):  # type: ignore[no-untyped-def]  # numba knows the types
    """Add to the heap whose root is the worst of the kept; a full heap loses its root."""
    if size < len(scores):
        place = size
        while place > 0:
            up = (place - 1) // 2
            if not _worse(score, row, scores[up], rows[up]):
                break
            scores[place] = scores[up]
            rows[place] = rows[up]
            place = up
        scores[place] = score
        rows[place] = row
        return
    place = 0
    while True:
        down = 2 * place + 1
        if down >= size:
            break
        if down + 1 < size and _worse(scores[down + 1], rows[down + 1], scores[down], rows[down]):
            down += 1
        if not _worse(scores[down], rows[down], score, row):
            break
        scores[place] = scores[down]
        rows[place] = rows[down]
        place = down
    scores[place] = score
    rows[place] = row


@njit(
    types.int64(
        types.Array(_u8, 3, "C", readonly=True),
        types.Array(types.uint16, 1, "C", readonly=True),
        types.Array(types.int32, 1, "C", readonly=True),
        types.Array(_u64, 2, "C", readonly=True),
        types.Array(_u8, 1, "C", readonly=True),
        _u64[:, ::1],
        _u8[:, :, ::1],
        _i64[::1],
        _i64[::1],
        _f64,
        _i64,
        _f64[:, ::1],
        _i64[:, ::1],
        _i64[::1],
    ),
    cache=True,
    nogil=True,
)
def scan(counts, ones, rows, words, whole, queries, pieces, totals, order, threshold, base, best, found, sizes):  # type: ignore[no-untyped-def]  # numba knows the types
    """Put the best of some blocks into the heaps `best`, `found`, `sizes` of each query; returns molecules compared.

    counts (blocks, PAIRS, BLOCK), ones (n), rows (n) and words (n, WORDS) are a segment, `whole` (blocks) marks blocks
    whose counts do not fit, which are compared in full. queries (q, WORDS), pieces (q, PAIRS, 2), totals (q).
    """
    compared = 0
    bound = np.empty(BLOCK, np.uint8)
    molecules = len(ones)
    keep = best.shape[1]
    for block in order:
        first = block * BLOCK
        last = min(first + BLOCK, molecules)
        fewest, most = np.int64(ones[first]), np.int64(ones[last - 1])
        for q in range(len(totals)):
            total = totals[q]
            least = threshold
            if sizes[q] == keep and best[q, 0] > least:
                least = best[q, 0]
            if total < fewest and total < least * fewest * (1 - 1e-12):
                continue
            if total > most and most < least * total * (1 - 1e-12):
                continue
            full = whole[block] != 0 or total > 255
            if not full:
                bound[:] = 0
                for pair in range(PAIRS):
                    low, high = pieces[q, pair, 0], pieces[q, pair, 1]
                    if low or high:
                        _add_pair(bound, counts[block, pair], low, high)
                top = np.uint8(0)
                for m in range(BLOCK):
                    top = max(top, bound[m])
                if top < least * (total + fewest) / (1 + least) - 1e-6:
                    continue
            enough = least * (total + fewest) / (1 + least) - 1e-6
            for m in range(last - first):
                if not full and bound[m] < enough:
                    continue
                place = first + m
                either = total + np.int64(ones[place])
                if not full and bound[m] < least * either / (1 + least) - 1e-6:
                    continue
                compared += 1
                common = 0
                for w in range(WORDS):
                    common += _ones(words[place, w] & queries[q, w])
                either -= common
                score = common / either if either else 0.0
                if score < threshold:
                    continue
                row = base + rows[place]
                if sizes[q] < keep:
                    _push(best[q], found[q], sizes[q], score, row)
                    sizes[q] += 1
                elif _worse(best[q, 0], found[q, 0], score, row):
                    _push(best[q], found[q], sizes[q], score, row)
                else:
                    continue
                if sizes[q] == keep and best[q, 0] > least:
                    least = best[q, 0]
                    enough = least * (total + fewest) / (1 + least) - 1e-6
    return compared
