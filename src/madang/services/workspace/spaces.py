"""The workspaces that are awake: a box each, with a kernel, and who listens to it."""

import contextlib
import json
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node import closed
from madang.node.node import Node
from madang.services.workspace import lessons, notebooks, outputs
from madang.services.workspace.environment import find_environment
from madang.services.workspace.models import Workspace
from madang.services.workspace.service import folder_of

_STAND_INS = 2_100_100_000  # who workspace 0 is outside, on a node that runs as root
_WAITING = 50  # cells that may wait for their turn
_LISTENERS = 100  # pages that may listen
Listener = Callable[[dict[str, Any]], None]


def box_of(node: Node, workspace: Workspace) -> closed.Box:
    """The box of a workspace: its version's open tables read-only, its own files, its Python, no network."""
    settings, folder = node.settings.workspace, folder_of(node, workspace.id)
    read = {"/opt/kernel": Path(__file__).parent / "inside", "/brought": folder / "brought"}
    read["/notebooks"] = folder / "notebooks"
    read |= lessons.data_of(node, workspace.course) if workspace.course else _tables(node, workspace)
    for name in ("wheels", "r-packages"):  # what the operator approved
        if (node.home.path / name).is_dir():
            read[f"/{name}"] = node.home.path / name
    return closed.Box(
        closed.Limits(
            seconds=None,
            memory=settings.memory_mb << 20,
            disk=settings.disk_mb << 20,
            scratch=256 << 20,
            processes=128,
            open_files=1024,
        ),
        read=read,
        write={"/workspace": folder / "files"},
        environment_folder=find_environment(node),
        variables={
            "MPLBACKEND": "module://matplotlib_inline.backend_inline",
            "MPLCONFIGDIR": "/workspace/.matplotlib",
            "IPYTHONDIR": "/workspace/.ipython",
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "2",
            "MADANG_SQL_MEMORY": f"{max(128, settings.memory_mb // 2)}MB",
        },
        programs=True,
        folder="/workspace",
        name="workspace",
        user=_STAND_INS + workspace.id,
    )


def _tables(node: Node, workspace: Workspace) -> dict[str, Path]:
    """The open tables of a workspace's version, as files below /data. Errors: `workspace.changed`."""
    version = node.home.lake().dataset(workspace.dataset).version(workspace.version)
    if version.digest != workspace.digest:
        raise MadangError("workspace.changed", _("The data of this workspace are not what they were."))
    shown = {}
    for name, table in version.tables.items():
        for number, path in enumerate(table.paths):
            shown[f"/data/{name}.parquet" if len(table.paths) == 1 else f"/data/{name}/{number}.parquet"] = path
    return shown


@dataclass
class Cell:
    """A cell that runs or waits, for whom, and what it has shown."""

    notebook: str
    cell: str
    person: int
    shown: list[dict[str, Any]] = field(default_factory=list)
    count: int = 0
    has_begun: bool = False
    budget: outputs.Budget = field(default_factory=outputs.Budget)


class Space:
    """One workspace; everything in it is said to all who listen, as messages of the page."""

    def __init__(self, node: Node, workspace: Workspace, spend: Callable[[int, int, int], bool]) -> None:
        self.node, self.workspace = node, workspace
        self.spend = spend  # (person, bytes, pictures): whether a person may be shown so much more
        self.lock = threading.RLock()
        self.books = threading.Lock()  # of the notebooks' files, whose writing waits for the disk
        self.listeners: dict[int, Listener] = {}
        self.running: closed.Running | None = None
        self.waiting: list[Cell] = []
        self.last = time.monotonic()
        self.ready = threading.Event()
        self.patience = threading.BoundedSemaphore(3)  # of those who wait until it is ready
        self.asks: deque[int] = deque(maxlen=20)  # who asked which names may stand at a place and waits for them

    def listen(self, number: int, listener: Listener) -> None:
        """Have a page hear what is said, until it is taken out of `listeners`. Errors: `workspace.busy`."""
        with self.lock:
            if len(self.listeners) >= _LISTENERS:
                raise MadangError("workspace.busy", _("Too many pages listen to this workspace."), _("Close some."))
            self.listeners[number] = listener

    def say(self, **message: Any) -> None:
        """Tell all who listen."""
        for listener in list(self.listeners.values()):
            listener(message)

    @property
    def is_awake(self) -> bool:
        """Whether its kernel runs."""
        return self.running is not None and self.running.is_alive

    def wake(self) -> None:
        """Have a kernel. Errors: those of a box, `workspace.changed`."""
        with self.lock:
            self.last = time.monotonic()
            if self.is_awake:
                return
            box = box_of(self.node, self.workspace)
            self.ready.clear()
            self.asks.clear()
            self.running = box.start([box.python, "-s", "/opt/kernel/kernel.py"])
            for target in (self._read, self._drain):
                threading.Thread(target=target, args=(self.running,), daemon=True).start()
        self.say(say="waking")

    def sleep(self, reason: str = "") -> None:
        """End the kernel; what is in files and notebooks stays."""
        with self.lock:
            running, self.running = self.running, None
            waiting, self.waiting = self.waiting, []
        if running is not None:
            running.stop()
            for each in waiting:
                self._keep(each)
            self.say(say="asleep", reason=reason)

    def run(self, notebook: str, cell: str, code: str, person: int) -> None:
        """Run a cell after those that wait. Errors: `workspace.busy`, those of `wake`."""
        self.wake()
        with self.lock:
            if len(self.waiting) >= _WAITING:
                raise MadangError("workspace.busy", _("Too many cells wait."), _("Stop the cell that runs."))
            self.waiting.append(Cell(notebook, cell, person))
            self._tell({"do": "run", "id": cell, "code": code})
        self.say(say="waits", notebook=notebook, cell=cell)

    def complete(self, code: str, at: int, person: int) -> None:
        """Ask which names may stand at a place; the one answer is said to all, who know whether they asked."""
        if self.is_awake and not self.waiting:
            self.asks.append(person)
            self._tell({"do": "complete", "id": "names", "code": code, "at": at})

    def stop_cell(self) -> None:
        """Interrupt the cell that runs."""
        if self.is_awake:
            self._tell({"do": "stop"})

    def _tell(self, message: dict[str, Any]) -> None:
        running = self.running
        if running is None:
            return
        # A kernel that does not read would hold us up: what is asked of it fits into a pipe, or it is ended.
        data = json.dumps(message).encode() + b"\n"
        done = threading.Event()

        def write() -> None:
            with contextlib.suppress(OSError, ValueError):
                view = memoryview(data)
                while view:
                    view = view[running.stdin.write(view) or 0 :]
            done.set()

        threading.Thread(target=write, daemon=True).start()
        if not done.wait(5):
            running.stop()

    def _drain(self, running: closed.Running) -> None:
        with contextlib.suppress(OSError, ValueError):
            while running.stderr.read(1 << 16):
                continue

    def _read(self, running: closed.Running) -> None:
        """In a thread: what the kernel says, a line at a time, each of bounded length."""
        held = bytearray()
        with contextlib.suppress(OSError, ValueError):
            while data := running.stdout.read(1 << 16):
                held += data
                *lines, rest = held.split(b"\n")
                held = bytearray(rest)
                if len(held) > outputs.LINE:
                    running.stop()
                    break
                for line in lines:
                    self._heard(line)
        running.wait(10)
        with self.lock:
            if self.running is not running:
                return  # it was put to sleep, which has been said
            self.running = None
            waiting, self.waiting = self.waiting, []
        for each in waiting:
            self._keep(each)
        error = running.error
        self.say(say="asleep", reason=f"{error.message} {error.hint}" if error else "")

    def _heard(self, line: bytearray) -> None:
        try:
            message = json.loads(line) if len(line) <= outputs.LINE else None
        except (ValueError, RecursionError):
            message = None
        with self.lock:
            current = self.waiting[0] if self.waiting else None
        budget = current.budget if current else outputs.Budget()
        clean = outputs.allowed(message, budget)
        if clean is None:
            return
        size = len(json.dumps(clean))
        if clean["say"] == "ready":
            if (
                not self.ready.is_set()
            ):  # once: whatever could be said without end would be a way out that nobody counts
                self.ready.set()
                self.say(**clean)
            return
        if clean["say"] == "names":
            if self.asks and self.spend(self.asks.popleft(), size, 0):
                self.say(**clean)
            return
        if clean["say"] == "ended" or current is None or (clean["say"] == "begun" and current.has_begun):
            return  # that it ended is seen, and nobody asked for anything else
        if clean["say"] in ("text", "show", "error"):
            if not self.spend(current.person, size, int("picture" in clean)):
                clean = {"say": "text", "text": _("[You were shown as much as is allowed within an hour.]") + "\n"}
                if current.shown and current.shown[-1] == clean:
                    return
            budget.size += size
            _append(current.shown, clean)
        elif clean["say"] == "begun":
            current.count, current.has_begun = clean["count"], True
        if clean["say"] == "done":  # over before it is said: who hears it may ask for the next thing at once
            with self.lock:
                self.last = time.monotonic()
                if self.waiting and self.waiting[0] is current:
                    self.waiting.pop(0)
        self.say(notebook=current.notebook, cell=current.cell, **clean)
        if clean["say"] == "done":
            self._keep(current)

    def _keep(self, cell: Cell) -> None:
        with self.books, contextlib.suppress(MadangError, OSError):
            folder = folder_of(self.node, self.workspace.id) / "notebooks"
            notebooks.keep_outputs(folder, cell.notebook, cell.cell, cell.shown, cell.count)


def _append(shown: list[dict[str, Any]], message: dict[str, Any]) -> None:
    """Text that follows text becomes one piece."""
    if message["say"] == "text" and shown and shown[-1]["say"] == "text":
        shown[-1] = {"say": "text", "text": shown[-1]["text"] + message["text"]}
    elif len(shown) < 200:
        shown.append(message)
