"""How counts are told to people who may not read the rows."""

ROUND_TO = 10
"""Numbers are told to the nearest ten below, to whoever has no permit yet."""


def told(persons: int | None, minimum: int) -> int | None:
    """A count for somebody who may not read the rows: rounded down to tens, None where it is about too few.

    Always the same for the same count, so asking again tells nothing more.
    """
    if persons is None or 0 < persons < max(minimum, ROUND_TO):
        return None
    return persons // ROUND_TO * ROUND_TO
