"""Records of the hospital and the lines in which they are delivered."""

from dataclasses import dataclass, field
from typing import Any

Facts = dict[str, Any]
"""One row: values by column (days and minutes as whole numbers); names that begin with `_` are what was meant, which
the file does not tell."""

ADD, CORRECT, WITHDRAW = "I", "U", "D"


@dataclass(slots=True)
class Line:
    """One line of one delivery. `damage` is what the dirt layer does to it; `file` and `number` are where it stands."""

    month: int
    operation: str
    facts: Facts
    damage: str = ""
    file: str = ""
    number: int = 0
    fate: str = ""


@dataclass(slots=True)
class Record:
    """One record of one table: what was delivered about it, in the order of delivery."""

    table: str
    lines: list[Line] = field(default_factory=list)

    def add(self, month: int, facts: Facts) -> "Record":
        """Deliver it for the first time."""
        self.lines.append(Line(month, ADD, facts))
        return self

    def correct(self, month: int, **changes: Any) -> "Record":
        """Deliver it again with changes, in a later month than before."""
        last = self.lines[-1]
        self.lines.append(Line(max(month, last.month + 1), CORRECT, last.facts | changes))
        return self

    def withdraw(self) -> "Record":
        """Withdraw it a month after the last delivery; the line repeats the row, as the system does."""
        last = self.lines[-1]
        self.lines.append(Line(last.month + 1, WITHDRAW, dict(last.facts)))
        return self
