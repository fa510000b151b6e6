"""What a command shows: tables, notes and progress, in color on a terminal and plain elsewhere.

Results go to standard output, progress and notes about the work to standard error.
"""

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from types import FrameType, TracebackType
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from madang.base.progress import Progress

PLAIN_WIDTH = 10_000  # off a terminal nothing is wrapped or cut
WORTH_A_LINE = 1.0  # seconds that a step takes to leave a line behind


def console(stderr: bool = False) -> Console:
    """Where to print: standard output, or standard error. Plain text without any codes where that is no terminal."""
    stream = sys.stderr if stderr else sys.stdout
    if stream.isatty():
        return Console(stderr=stderr, highlight=False)
    return Console(stderr=stderr, highlight=False, width=PLAIN_WIDTH, no_color=True, force_terminal=False)


def show_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], to: Console | None = None) -> None:
    """Print rows under a title. Numbers are set to the right with thousands separators, None is left empty."""
    kept = [list(row) for row in rows]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for place, name in enumerate(columns):
        numeric = any(_is_number(row[place]) for row in kept)
        table.add_column(Text(name), justify="right" if numeric else "left", overflow="fold")
    for row in kept:
        table.add_row(*(Text(_shown(value)) for value in row))
    out = to or console()
    out.print(Text(title, style="bold"))
    out.print(table)
    out.print()


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.4g}" if isinstance(value, float) and abs(value) < 1000 else str(value)


@dataclass
class _Step:
    name: str
    total: int | None
    unit: str
    done: int = 0
    started: float = field(default_factory=time.monotonic)
    bar: TaskID | None = None

    def seconds(self) -> float:
        return time.monotonic() - self.started

    def summary(self) -> str:
        amount = f"{self.done:,} {self.unit}".strip() + ", " if self.done else ""
        return f"{amount}{self.seconds():.1f} s"


class ProgressBars(Progress):
    """Progress for a person: bars on a terminal, and a line for each longer step; used as a context manager.

    The first Ctrl-C asks the work to stop at its next check, so that it leaves nothing half done;
    the second one interrupts at once.
    """

    def __init__(self) -> None:
        super().__init__()
        self._console = console(stderr=True)
        self._lock = threading.RLock()
        self._steps: list[_Step] = []
        self._bars: Bars | None = None
        if self._console.is_terminal:
            self._bars = Bars(
                TextColumn("{task.description}"),
                BarColumn(bar_width=28),
                MofNCompleteColumn(),
                TextColumn("{task.fields[unit]}"),
                TimeElapsedColumn(),
                console=self._console,
                transient=True,
            )
        self._handler: Callable[[int, FrameType | None], Any] | int | None = None  # before us

    def __enter__(self) -> "ProgressBars":
        if threading.current_thread() is threading.main_thread():
            self._handler = signal.signal(signal.SIGINT, self._interrupted)
        if self._bars:
            self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bars:
            self._bars.stop()
        if self._handler is not None:
            signal.signal(signal.SIGINT, self._handler)

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self.cancel()

    def begin(self, name: str, total: int | None, unit: str) -> None:
        """Show a new step under those that are open."""
        step = _Step(name, total, unit)
        with self._lock:
            if self._bars:
                step.bar = self._bars.add_task("  " * len(self._steps) + escape(name), total=total, unit=escape(unit))
            self._steps.append(step)

    def moved(self, amount: int) -> None:
        """Move the innermost open step."""
        with self._lock:
            if not self._steps:
                return
            step = self._steps[-1]
            step.done += amount
            if self._bars and step.bar is not None:
                self._bars.advance(step.bar, amount)

    def end(self, name: str) -> None:
        """Remove the step's bar; a step that took a while leaves a line."""
        with self._lock:
            place = max((i for i, step in enumerate(self._steps) if step.name == name), default=-1)
            if place < 0:
                return
            step = self._steps.pop(place)
            if self._bars and step.bar is not None:
                self._bars.remove_task(step.bar)
            if step.seconds() >= WORTH_A_LINE:
                line = Text("  " * place + f"{step.name}: ")
                self._console.print(line.append(step.summary(), style="dim"))
