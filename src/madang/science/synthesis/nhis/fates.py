"""What becomes of every row of the insurer's files, by the rules of `docs/synthesis.md`."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from madang.science.synthesis.care import IN_HOUSE
from madang.science.synthesis.lives import Lives
from madang.science.synthesis.nhis.claims import Book
from madang.science.synthesis.nhis.damage import Damage, fate
from madang.science.synthesis.nhis.rows import member_people


@dataclass(frozen=True)
class Damages:
    """What happens to the rows of each table of one chunk."""

    members: Damage
    headers: Damage
    fees: Damage
    diagnoses: Damage
    prescriptions: Damage
    checkups: Damage


@dataclass(frozen=True)
class Fates:
    """The fate of every row of each table (positions in `damage.FATES`)."""

    members: NDArray[np.int8]
    headers: NDArray[np.int8]
    fees: NDArray[np.int8]
    diagnoses: NDArray[np.int8]
    prescriptions: NDArray[np.int8]
    checkups: NDArray[np.int8]


def fates_of(lives: Lives, book: Book, damages: Damages) -> Fates:
    """What becomes of every row, by the rules."""
    claims = book.claims
    members = damages.members.fates()
    known = np.zeros(len(lives.people), dtype=bool)
    known[member_people(lives)[0][members == 0]] = True
    headers = damages.headers.fates()
    headers[(headers == 0) & ~known[claims.person]] = fate("unknown person")
    accepted = headers == 0
    headers[accepted & (claims.type == 3)] = fate("pharmacy claim is no visit")
    below = []
    for lines, damage in (
        (book.fees, damages.fees),
        (book.diagnoses, damages.diagnoses),
        (book.prescriptions, damages.prescriptions),
    ):
        own = damage.fates()
        own[(own == 0) & ~accepted[lines.claim]] = fate("no claim header")
        below.append(own)
    outside = (below[2] == 0) & (book.prescriptions.given != IN_HOUSE)
    below[2][outside] = fate("prescription, its dispensing is taken")
    checkups = damages.checkups.fates()
    checkups[(checkups == 0) & ~known[lives.checkups.person]] = fate("unknown person")
    return Fates(members, headers, below[0], below[1], below[2], checkups)
