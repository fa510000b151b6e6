"""What a profile asks of an engine, and what it works out itself where engines differ."""

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from madang.lake import Version

Between = Callable[[float, float, float], float]
SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)  # of the numbers that were measured


class Asking(Protocol):
    """An engine that is asked for rows; the SQL of a profile is of the subset that both know."""

    def rows(self, sql: str) -> Sequence[Sequence[Any]]:
        """All rows of a SELECT."""

    def value(self, sql: str) -> Any:
        """The one value of a SELECT."""


class Second(Asking, Protocol):
    """Another engine than ours, which reads the files of versions itself."""

    def attach(self, *versions: Version) -> None:
        """Have the tables of these versions, a later one's before an earlier one's."""

    def cancel(self) -> None:
        """Stop what runs; called from another thread."""


def quantiles(numbers: Sequence[tuple[int, float]], known: int, between: Between) -> list[float]:
    """The `SHARES` of `known` numbers, given as (how many are up to it, number) in their order.

    A share that falls between two numbers is between them (Hyndman and Fan 1996, definition 7), by `between` of these
    and the part of the way. Only the numbers at the places that are needed have to be there.
    """

    def at(place: int) -> float:
        return next(x for upto, x in numbers if place < upto)

    found = []
    for share in SHARES:
        place = (known - 1) * share
        low, high = at(math.floor(place)), at(math.ceil(place))
        found.append(low if low == high else between(low, high, place - math.floor(place)))
    return found
