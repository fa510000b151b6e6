"""Risk of each record of a survey sample, from how often its key occurs and how many the sample stands for.

`Fk` estimates a key's frequency in the population by the sum of sampling weights; the risk is the expected value of
1/F given the frequency in the sample (Benedetti and Franconi 1998; Franconi and Polettini 2004).
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from madang.base.errors import MadangError
from madang.science.privacy.table import Coded, distinct, order, pack, starts

MOST_MISSING_PATTERNS = 4096


@dataclass(frozen=True)
class Frequencies:
    """Per row: rows with its key (`fk`) and the sum of their weights (`Fk`)."""

    fk: np.ndarray
    Fk: np.ndarray


def frequencies(columns: list[Coded], weights: np.ndarray | None = None, missing_matches: bool = False) -> Frequencies:
    """Count keys. With `missing_matches`, an empty value matches every value (as survey tools do), else only empty."""
    rows = len(columns[0].codes)
    weight = np.ones(rows) if weights is None else weights.astype(float)
    empty = [column.values.index("") if "" in column.values else -1 for column in columns]
    found = distinct([column.codes for column in columns], [len(column.values) for column in columns])
    counts = found.weights.astype(float)
    sums = np.bincount(found.of_row, weights=weight, minlength=len(counts))
    if not missing_matches or all(place < 0 for place in empty):
        return Frequencies(found.weights[found.of_row], sums[found.of_row])
    gone = found.tuples == np.array(empty)
    pattern = gone @ (1 << np.arange(len(columns), dtype=np.int64))
    patterns = np.unique(pattern)
    if len(patterns) > MOST_MISSING_PATTERNS:
        raise MadangError(
            "privacy.missing",
            f"Values are missing in {len(patterns)} different combinations of columns.",
            "Name fewer quasi-identifiers, or let a missing value be a value of its own.",
        )
    sizes = [len(column.values) for column in columns]
    fk, Fk = np.zeros(len(counts)), np.zeros(len(counts))
    for mine in patterns:
        for other in patterns:
            both = [c for c in range(len(columns)) if not (mine | other) >> c & 1]
            a, b = np.flatnonzero(pattern == mine), np.flatnonzero(pattern == other)
            if not both:  # all match all
                fk[a] += counts[b].sum()
                Fk[a] += sums[b].sum()
                continue
            places = np.concatenate((a, b))
            key, span = pack([found.tuples[places, c] for c in both], [sizes[c] for c in both])
            sorted_ = order(key, span)
            begin = starts(key[sorted_])
            group = np.empty(len(key), dtype=np.int64)
            group[sorted_] = np.repeat(np.arange(len(begin)), np.diff(np.append(begin, len(key))))
            theirs = group[len(a) :]
            fk[a] += np.bincount(theirs, weights=counts[b], minlength=len(begin))[group[: len(a)]]
            Fk[a] += np.bincount(theirs, weights=sums[b], minlength=len(begin))[group[: len(a)]]
    return Frequencies(fk[found.of_row].astype(np.int64), Fk[found.of_row])


def individual_risk(found: Frequencies, method: str = "exact", survey: bool = True) -> np.ndarray:
    """Per row: the probability to be re-identified by its key.

    `survey` false: the rows are the population, 1/fk. `approx` replaces the exact value for keys seen three times or
    more by p / (fk - (1 - p)), with p = fk / Fk.
    """
    if not survey:
        return 1 / found.fk.astype(float)
    pairs, of_row = np.unique(np.stack([found.fk.astype(float), found.Fk]), axis=1, return_inverse=True)
    risks = np.array([_risk(int(fk), float(Fk), method) for fk, Fk in pairs.T])
    return risks[of_row.reshape(-1)]


@cache
def _risk(fk: int, Fk: float, method: str) -> float:
    p = fk / Fk if Fk > 0 else 1.0
    if p >= 1:  # weights below 1, or no sampling
        return 1 / fk
    q = 1 - p
    if fk >= 3 and method == "approx":
        return p / (fk - q)
    if q < 0.05:  # the closed forms cancel digits here; the series converges at once
        return _series(fk, p)
    if fk == 1:
        return p / q * math.log(1 / p)
    if fk == 2:
        return p / q**2 * (p * math.log(p) + q)
    return _series(fk, p)


def _series(f: int, p: float) -> float:
    """p^f / f 2F1(f, f; f + 1; 1 - p) = p / f 2F1(1, 1; f + 1; 1 - p), all terms positive."""
    q, term, total, n = 1 - p, 1.0, 1.0, 0
    while term > 1e-17 * total and n < 10_000_000:
        term *= (n + 1) * q / (f + 1 + n)
        total += term
        n += 1
    return p / f * total
