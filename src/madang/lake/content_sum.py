"""What a content hash is: two sums that add up. How it is computed from rows is in `madang.lake.content`.

Apart from that, because whoever reads a manifest needs the sums and not what computes them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

MASK = (1 << 64) - 1


@dataclass(frozen=True)
class Content:
    """Two sums modulo 2^64; contents add up as tables do by `UNION ALL`."""

    first: int = 0
    second: int = 0

    def __add__(self, other: "Content") -> "Content":
        return Content((self.first + other.first) & MASK, (self.second + other.second) & MASK)

    def __str__(self) -> str:
        return f"{self.first:016x}{self.second:016x}"

    @classmethod
    def of_text(cls, text: str) -> Self:
        """The content written as 32 hexadecimal digits."""
        if len(text) != 32:
            raise ValueError(f"not a content hash: {text!r}")
        return cls(int(text[:16], 16), int(text[16:], 16))

    @classmethod
    def total(cls, contents: Iterable["Content"]) -> "Content":
        """The content of several files or tables together."""
        return sum(contents, Content())
