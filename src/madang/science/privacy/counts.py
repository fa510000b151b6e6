"""Counts that may be shown before a permit: perturbed by cell keys, so that asking again or subtracting tells nothing.

Each person has a key, an HMAC under a secret of the node. The key of a set of persons is the sum of theirs, and what is
added to the count follows from it: the same persons always give the same answer, whatever the question was (Fraser and
Wooton 2005; Leaver 2009). Small results are not shown, and results are rounded.

That alone would tell too much: two sets that differ by one person give different answers, two that are one set give one
answer, so asking with and without somebody says whether they were in it. Hence a set that differs by few persons from
one that was told of gets the answer of that one.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from madang.lake.engine import Engine
from madang.science.privacy.population import Population
from madang.science.privacy.pseudonyms import install

if TYPE_CHECKING:
    import numpy as np

SPREAD = 8  # the most that is added or taken away
STEP = 5  # results are multiples of it
LEAST = 10  # a result below is shown as "fewer than"
WORDS = 1 << 64


@dataclass(frozen=True)
class Perturbed:
    """What is told: `count` is None where it is fewer than `least`."""

    count: int | None
    least: int = LEAST


def noise(secret: bytes, cell: int, count: int) -> int:
    """What is added: uniform over -SPREAD..SPREAD, by the key of the cell and the count."""
    digest = hmac.digest(secret, f"cell:{cell % WORDS}:{count}".encode(), "sha256")
    return int.from_bytes(digest[:8], "big") % (2 * SPREAD + 1) - SPREAD


def perturb(secret: bytes, cell: int, count: int) -> Perturbed:
    """The answer for a set of persons with this sum of keys and this size."""
    told = max(0, count + noise(secret, cell, count)) if count else 0
    told = (told + STEP // 2) // STEP * STEP
    return Perturbed(told if told >= LEAST else None)


@dataclass(frozen=True)
class Told:
    """A set that was told of, and the answer: a bit per person of the data, and how many of it are not in the data."""

    members: bytes
    answer: Perturbed
    gone: int = 0


def translated(told: Told, before: "np.ndarray", people: "np.ndarray") -> Told:
    """A set of persons of one version of data as a set of those of another; both lists of persons ascend."""
    import numpy as np

    held = before[np.unpackbits(np.frombuffer(told.members, dtype=np.uint8))[: len(before)].astype(bool)]
    bits = np.isin(people, held, assume_unique=True)
    return Told(np.packbits(bits).tobytes(), told.answer, len(held) - int(bits.sum()))


def tell(earlier: Sequence[Told], members: bytes, fresh: Perturbed) -> Perturbed:
    """The answer for a set, given all that was told of the same people before, the oldest first; else the fresh one."""
    import numpy as np

    mine = np.frombuffer(members, dtype=np.uint8)
    near: Told | None = None
    for each in earlier:
        if each.members == members and not each.gone:
            return each.answer
        apart = int(np.bitwise_count(mine ^ np.frombuffer(each.members, dtype=np.uint8)).sum()) + each.gone
        if near is None and apart < LEAST:
            near = each
    return near.answer if near is not None else fresh


def ask(engine: Engine, population: Population, secret: bytes, earlier: Sequence[Told]) -> Told:
    """How many persons of the tables that `engine` has attached are in the population; what is told, to be kept."""
    return ask_persons(engine, population.persons_sql(), secret, earlier)


def ask_persons(engine: Engine, sql: str, secret: bytes, earlier: Sequence[Told]) -> Told:
    """The same for the persons that a SELECT of person_id gives."""
    import numpy as np

    install(engine, secret)
    persons = int(engine.value("SELECT count(*) FROM person"))
    found = engine.query(
        "SELECT n.place, pseudonym('cell', n.person_id) AS key FROM "
        "(SELECT person_id, row_number() OVER (ORDER BY person_id) - 1 AS place FROM person) AS n "
        f"SEMI JOIN ({sql}) AS s ON s.person_id = n.person_id"
    )
    bits = np.zeros(persons, dtype=bool)
    bits[found.column("place").to_numpy()] = True
    members = np.packbits(bits).tobytes()
    cell = sum(found.column("key").to_pylist())
    return Told(members, tell(earlier, members, perturb(secret, cell, found.num_rows)))
