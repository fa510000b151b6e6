"""Days as whole numbers from 1970-01-01, in arrays."""

import numpy as np
from numpy.typing import NDArray

NEVER = np.int32(2**31 - 2)
"""A day that does not come."""


def first_of(year: int, month: int = 1) -> int:
    """The first day of a month."""
    return int((np.datetime64(f"{year:04d}-{month:02d}-01") - np.datetime64("1970-01-01")).astype(int))


def months_of(days: NDArray[np.integer]) -> NDArray[np.int32]:
    """Months from 1970-01."""
    return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int32)


def first_of_months(months: NDArray[np.integer]) -> NDArray[np.int32]:
    """The first day of each month (months from 1970-01)."""
    return months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int32)


def years_of(days: NDArray[np.integer]) -> NDArray[np.int32]:
    """Calendar years."""
    return days.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int32) + 1970


def numbers_of(days: NDArray[np.integer]) -> NDArray[np.int32]:
    """Dates as numbers YYYYMMDD."""
    years = years_of(days)
    months = months_of(days)
    month = months - (years - 1970) * 12 + 1
    return years * 10000 + month * 100 + (days - first_of_months(months) + 1)
