"""Boxes for answers: each is used by one answer, some are started ahead, and one line at a time goes in and out."""

import contextlib
import json
import os
import selectors
import shutil
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node import closed
from madang.science.grading import typed

HERE = Path(__file__).parent
SHELF = HERE / "shelf"
Program = Literal["learner", "sql", "r", "pipeline", "teacher"]
MEMORY = 512 << 20
_SHOWN = 4_000  # bytes of what an answer prints that are kept


class Over(Exception):
    """The box is of no use any more: `why` is time, memory, output, ended or early."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Session:
    """A box that nobody has used before, with a program that answers lines. Close it after one answer."""

    def __init__(self, program: Program = "learner", data: Mapping[str, Path] | None = None) -> None:
        check_there(program)
        # The shelf has what is expected, and no box sees it; courses of the institution are not shown at all.
        box = _box(program, dict(data or {}))
        name = "teacher.py" if program == "teacher" else "learner.py"
        command = [box.python, "-P", "-s", f"{box.package}/services/training/inside/{name}"]
        self._box = box.start([*command, *([program] if program in ("sql", "r", "pipeline") else [])])
        self._buffer = bytearray()
        self.printed = bytearray()
        self._ready = False
        for pipe in (self._box.stdin, self._box.stdout, self._box.stderr):
            os.set_blocking(pipe.fileno(), False)

    def ask(self, what: Mapping[str, Any], end: float) -> dict[str, Any]:
        """Send one line, and the one line that comes back, until `end` (as of `time.monotonic`). Errors: `Over`."""
        begun = time.monotonic()
        self.wait_ready()
        end += time.monotonic() - begun  # a box that is just starting takes nothing from the answer's time
        if self._buffer or self._drain():
            raise Over("early")
        return self._exchange(json.dumps(what, ensure_ascii=True).encode() + b"\n", end)

    def wait_ready(self) -> None:
        """Wait until the program in the box, which has seen no answer yet, says that it is there.

        Errors: `training.box` where it does not come up.
        """
        if self._ready:
            return
        with contextlib.suppress(Over):
            self._ready = self._exchange(b"", time.monotonic() + 60).get("ready") is True
        if not self._ready:
            raise MadangError(
                "training.box",
                _("The box for answers does not start."),
                _readable(self.printed) or _("Look at `madang doctor`."),
            )
        self.printed.clear()

    def printed_so_far(self) -> bytes:
        """What the answer printed until now, cut."""
        try:
            while len(self.printed) < _SHOWN and (data := os.read(self._box.stderr.fileno(), _SHOWN)):
                self.printed += data
        except (BlockingIOError, ValueError):
            pass
        return bytes(self.printed[:_SHOWN])

    def _drain(self) -> bool:
        """Whether something came that nobody asked for."""
        try:
            data = os.read(self._box.stdout.fileno(), 1)
        except BlockingIOError:
            return False
        return bool(data)

    def _exchange(self, left: bytes, end: float) -> dict[str, Any]:
        out, errors, into = (pipe.fileno() for pipe in (self._box.stdout, self._box.stderr, self._box.stdin))
        with selectors.DefaultSelector() as selector:
            selector.register(out, selectors.EVENT_READ)
            selector.register(errors, selectors.EVENT_READ)
            if left:
                selector.register(into, selectors.EVENT_WRITE)
            while True:
                remaining = end - time.monotonic()
                if remaining <= 0:
                    raise Over("time")
                for key, _event in selector.select(min(remaining, 0.2)):
                    if key.fd == into:
                        left = self._write(into, left)
                        if not left:
                            selector.unregister(into)
                        continue
                    data = os.read(key.fd, 1 << 16)
                    if not data and key.fd == out:
                        raise self._ended()
                    if key.fd == errors:
                        self.printed += data[: max(0, _SHOWN - len(self.printed))]
                        if not data:
                            selector.unregister(errors)
                        continue
                    self._buffer += data
                    if len(self._buffer) > typed.LONGEST:
                        raise Over("output")
                    if b"\n" in data:
                        return self._line()
                if self._box.error is not None:
                    raise self._ended()

    def _write(self, into: int, left: bytes) -> bytes:
        try:
            return left[os.write(into, left) :]
        except BrokenPipeError:
            raise self._ended() from None

    def _ended(self) -> Over:
        self._box.wait(0.3)  # who watches it says why
        error = self._box.error
        return Over("memory" if error is not None and error.code == "closed.memory" else "ended")

    def _line(self) -> dict[str, Any]:
        line, _end, rest = bytes(self._buffer).partition(b"\n")
        self._buffer = bytearray(rest)
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise Over("garbage")
        return found

    def close(self) -> None:
        """End the box with all that is in it."""
        self._box.stop()
        for pipe in (self._box.stdin, self._box.stdout, self._box.stderr):
            pipe.close()


def check_there(program: str) -> None:
    """Errors: `training.no_r`, `training.no_workflows` where what runs such answers is not installed."""
    if program == "r" and shutil.which("R") is None:
        raise MadangError(
            "training.no_r", _("R is not installed on this machine."), _("Install the package r-base-core.")
        )
    if program == "pipeline":
        _engines()


def _engines() -> Path:
    """The environment in which Snakemake is. Errors: `training.no_workflows`."""
    from madang.services.compute import engines

    found = engines()
    if found is None:
        raise MadangError(
            "training.no_workflows",
            _("Workflows cannot be run on this machine: Snakemake is not installed."),
            _("Run script/environment tools."),
        )
    return found


def _box(program: Program, read: Mapping[str, Path]) -> closed.Box:
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    variables = {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", **threads}
    limits = closed.Limits(seconds=None, memory=MEMORY, processes=24, open_files=64, scratch=16 << 20)
    if program == "r":  # it does not start with fewer files
        return closed.Box(replace(limits, open_files=256), read=read, variables=variables, programs=True)
    if program == "pipeline":  # tools of a workflow run beside each other, and Snakemake asks who it is
        limits = replace(limits, open_files=256, processes=64)
        variables |= {"LOGNAME": "learner", "USER": "learner"}
        return closed.Box(limits, read=read, variables=variables, programs=True, environment_folder=_engines())
    return closed.Box(limits, read=read, variables=variables)


def _readable(data: bytes | bytearray) -> str:
    return " ".join(bytes(data).decode("utf-8", errors="replace").split())[:300]


class Pool:
    """Boxes started ahead, each for one answer only."""

    def __init__(self, program: Program, ahead: int) -> None:
        self.program, self.ahead = program, ahead
        self._ready: deque[Session] = deque()
        self._lock = threading.Lock()
        self._starting = 0

    def take(self) -> Session:
        """A box that nobody has used; another is started for whoever comes next."""
        with self._lock:
            found = self._ready.popleft() if self._ready else None
        self.make_ready()
        if found is not None and found._box.is_alive:
            return found
        return Session(self.program)

    def make_ready(self) -> None:
        """Start a box ahead, if one is missing; comes back at once."""
        with self._lock:
            missing = self.ahead - len(self._ready) - self._starting
            self._starting += 1 if missing > 0 else 0
        if missing > 0:
            threading.Thread(target=self._start, daemon=True).start()

    def _start(self) -> None:
        made: Session | None = None
        try:
            made = Session(self.program)
        finally:
            with self._lock:
                self._starting -= 1
                if made is not None:
                    self._ready.append(made)

    def close(self) -> None:
        """End those that wait."""
        with self._lock:
            waiting = list(self._ready)
            self._ready.clear()
        for each in waiting:
            each.close()


@cache
def pool(program: Program) -> Pool:
    """The boxes that wait in this process."""
    return Pool(program, 3 if program == "learner" else 1)
