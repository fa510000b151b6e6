"""The institutions of the country: one table for all people, the same in every chunk."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from madang.science.synthesis.catalog import floats, rows
from madang.science.synthesis.chance import scatter, stream

KINDS = (
    "tertiary",
    "general",
    "hospital",
    "nursing_hospital",
    "psychiatric_hospital",
    "clinic",
    "dental_clinic",
    "korean_clinic",
    "health_center",
    "pharmacy",
)
"""Kinds of institutions, in the order of `Institutions.kind`."""

PER_THOUSAND = (0.02, 0.08, 0.15, 0.04, 0.03, 1.6, 0.8, 0.6, 0.1, 1.2)
"""Institutions of each kind per 1,000 people; at least one per kind and province."""

BEDS = (900, 350, 90, 150, 200, 4, 0, 0, 0, 0)
DOCTORS = (300, 60, 8, 5, 5, 2, 1, 1, 2, 2)


@dataclass(frozen=True)
class Institutions:
    """One row per institution: kind (position in `KINDS`), province (position), district code, beds and doctors."""

    kind: NDArray[np.int8]
    province: NDArray[np.int8]
    district: NDArray[np.int32]
    beds: NDArray[np.int32]
    doctors: NDArray[np.int32]
    first: NDArray[np.int32]
    """Kinds x provinces: the first institution of that kind there; they are consecutive."""
    count: NDArray[np.int32]
    """Kinds x provinces: how many there are."""

    def near(
        self, kinds: NDArray[np.integer], provinces: NDArray[np.integer], people: NDArray[np.integer], salt: int
    ) -> NDArray[np.int32]:
        """For each person the institution of that kind in that province that they keep going to."""
        count = self.count[kinds, provinces]
        habit = (scatter(people, salt) >> np.uint64(11)).astype(np.int64)
        return (self.first[kinds, provinces] + habit % count).astype(np.int32)


def districts() -> list[NDArray[np.int32]]:
    """The district codes of each province."""
    return [np.array([int(code) for code in row["districts"].split()], dtype=np.int32) for row in rows("provinces")]


def institutions(persons: int, seed: int) -> Institutions:
    """The institutions for a population of `persons`."""
    rng = stream(seed, 0, "institutions")
    share = floats("provinces", "thousands") / floats("provinces", "thousands").sum()
    count = np.maximum(1, np.round(np.outer(PER_THOUSAND, share) * persons / 1000)).astype(np.int32)
    first = (np.cumsum(count) - count.ravel()).reshape(count.shape).astype(np.int32)
    kind = np.repeat(np.repeat(np.arange(len(KINDS)), count.shape[1]), count.ravel())
    province = np.repeat(np.tile(np.arange(count.shape[1]), len(KINDS)), count.ravel())
    codes = districts()
    district = np.array(
        [codes[p][int(u * len(codes[p]))] for p, u in zip(province, rng.random(len(kind)), strict=True)]
    )
    size = rng.lognormal(0, 0.3, len(kind))
    return Institutions(
        kind=kind.astype(np.int8),
        province=province.astype(np.int8),
        district=district.astype(np.int32),
        beds=np.round(np.array(BEDS)[kind] * size).astype(np.int32),
        doctors=np.maximum(1, np.round(np.array(DOCTORS)[kind] * size)).astype(np.int32),
        first=first,
        count=count,
    )
