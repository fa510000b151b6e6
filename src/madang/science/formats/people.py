"""Numbers that tell who a person is, wherever they stand."""

import re

_RRN = re.compile(r"(?<!\d)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])-?[1-8]\d{6}(?!\d)")


def is_person_number(text: str) -> bool:
    """Whether a text holds something in the shape of a resident registration number (a day, a sex, six more)."""
    return _RRN.search(text) is not None
