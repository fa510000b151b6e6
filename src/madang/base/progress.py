"""How long work says how far it is, and how it is told to stop.

Work takes a `Progress` as an argument and knows nothing of terminals. The default is silent.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from madang.base.errors import Cancelled


class Progress:
    """Receives the progress of one piece of work; subclasses show it. Safe to use from several threads."""

    def __init__(self) -> None:
        self._cancelled = threading.Event()
        self._to_stop: list[Callable[[], None]] = []

    @contextmanager
    def step(self, name: str, total: int | None = None, unit: str = "") -> Iterator["Progress"]:
        """Open a named piece of work of `total` units (None where it is not known)."""
        self.check()
        self.begin(name, total, unit)
        try:
            yield self
        finally:
            self.end(name)

    def advance(self, amount: int = 1) -> None:
        """Count `amount` units of the innermost open step; raises `Cancelled` after `cancel()`."""
        self.check()
        self.moved(amount)

    def check(self) -> None:
        """Raise `Cancelled` if somebody asked to stop."""
        if self._cancelled.is_set():
            raise Cancelled()

    def cancel(self) -> None:
        """Ask the work to stop at its next step, and interrupt what `interruptible` names. Safe in a signal handler."""
        self._cancelled.set()
        for interrupt in tuple(self._to_stop):
            interrupt()

    @contextmanager
    def interruptible(self, interrupt: Callable[[], None]) -> Iterator[None]:
        """Have `cancel()` call `interrupt` while this is open, for work that cannot check: `engine.cancel`."""
        self._to_stop.append(interrupt)
        try:
            self.check()
            yield
        finally:
            self._to_stop.remove(interrupt)

    # What a subclass shows.
    def begin(self, name: str, total: int | None, unit: str) -> None:
        """A step was opened."""

    def moved(self, amount: int) -> None:
        """The innermost open step went on by `amount` units."""

    def end(self, name: str) -> None:
        """A step was closed."""


class Silent(Progress):
    """Shows nothing."""
