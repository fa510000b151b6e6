"""Seeded chance: the same seed, chunk and purpose give the same draws, whatever else was drawn before."""

import hashlib

import numpy as np
from numpy.typing import NDArray


def stream(seed: int, chunk: int, purpose: str) -> np.random.Generator:
    """An independent generator (Philox, counter-based) for one purpose in one chunk of people."""
    digest = hashlib.blake2b(f"{seed}/{chunk}/{purpose}".encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))


def scatter(numbers: NDArray[np.integer], salt: int) -> NDArray[np.uint64]:
    """A fixed pseudo-random 64-bit number for each number (splitmix64): habits that a person keeps for life."""
    with np.errstate(over="ignore"):
        z = numbers.astype(np.uint64) + np.uint64((salt * 0x9E3779B97F4A7C15) & (2**64 - 1))
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def choose(rng: np.random.Generator, cumulative: NDArray[np.float64], group: NDArray[np.integer]) -> NDArray[np.int16]:
    """For each element a column of `cumulative` (rows: groups, increasing to 1) by the weights of its group."""
    answer = np.empty(len(group), dtype=np.int16)
    u = rng.random(len(group))
    for row in np.unique(group):
        mine = group == row
        answer[mine] = np.searchsorted(cumulative[row], u[mine], side="right")
    return np.minimum(answer, cumulative.shape[1] - 1).astype(np.int16)
