"""What a profile asks of an engine, and what it works out itself where engines differ."""

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from madang.lake import Version
from madang.lake.engine import Engine

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


def spread(engine: Asking, ours: Engine, key: str, known: str, number: str, where: str) -> list[Sequence[Any]]:
    """Of measurements by the three columns of `key`: records, persons, and the `SHARES` of the numbers that are known.

    Equal numbers are counted together, which needs less memory than an aggregate that holds each of them, and is
    the same on every engine.
    """

    def between(low: float, high: float, part: float) -> float:
        """Worked out by our engine: whether it rounds once or twice here is a matter of the machine."""
        return float(
            ours.value(
                f"SELECT quantile_cont(x, {part!r}::DOUBLE) FROM (VALUES ({low!r}::DOUBLE), ({high!r}::DOUBLE)) t(x)"
            )
        )

    whole = engine.rows(
        f"SELECT {key}, count(*) AS records, count(DISTINCT person_id) AS persons "
        f"FROM measurement WHERE {where} GROUP BY ALL ORDER BY measurement_concept_id, numeric, unit"
    )
    # Of each group the few numbers that its shares fall on, with the places of their first and last record.
    over = "OVER (PARTITION BY measurement_concept_id, unit"
    places = [f"floor((known - 1) * {share}::DOUBLE) + {more}" for share in SHARES for more in (0, 1)]
    fitting = " OR ".join(f"({place} >= upto - n AND {place} < upto)" for place in places)
    numbers = engine.rows(
        f"""SELECT measurement_concept_id, unit, x, upto, known FROM (
            SELECT measurement_concept_id, unit, x, n, sum(n) {over} ORDER BY x ROWS BETWEEN UNBOUNDED PRECEDING
            AND CURRENT ROW) AS upto, sum(n) {over}) AS known FROM (
            SELECT {key}, {number} AS x, count(*) AS n FROM measurement WHERE {where} AND {known} GROUP BY ALL))
        WHERE {fitting}"""
    )
    kept: dict[tuple[Any, Any], list[tuple[int, float]]] = {}
    known_of: dict[tuple[Any, Any], int] = {}
    for concept, unit, x, upto, known_ in numbers:
        kept.setdefault((concept, unit), []).append((int(upto), x))
        known_of[concept, unit] = int(known_)
    return [
        (*row, quantiles(sorted(kept[row[0], row[2]]), known_of[row[0], row[2]], between) if row[1] else None)
        for row in whole
    ]
