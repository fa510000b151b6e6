"""Bells between the processes of a node: whoever changed what others wait for rings, so that nobody has to ask the
database again and again. One is for partners that wait for something to do, one for who waits for their answers. Each
is the time of a file; a ring that is missed costs a second, nothing else."""

import os
import threading
import time
from pathlib import Path

from madang.node.node import Node

PARTNERS, ASKER = "partners", "asker"  # whom a bell is for
LOOK_EVERY, AT_LEAST_EVERY = 0.002, 1.0  # seconds


class _Bell:
    """The bell of a file. However many threads of this process wait, one of them looks at the file for all."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.changed = threading.Condition()
        self.time = self.look()
        self.looked_at = False

    def look(self) -> int:
        try:
            return self.path.stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def heard(self, time_: int) -> None:
        with self.changed:
            if time_ != self.time:
                self.time = time_
                self.changed.notify_all()

    def wait(self, since: int, end: float) -> int:
        """Until it rang after `since`, or `end`; when it rang last."""
        with self.changed:
            while self.time == since and (left := end - time.monotonic()) > 0:
                if self.looked_at:
                    self.changed.wait(left)
                    continue
                self.looked_at = True
                self.changed.release()
                try:
                    time.sleep(min(LOOK_EVERY, left))
                    found = self.look()
                finally:
                    self.changed.acquire()
                    self.looked_at = False
                if found != self.time:
                    self.time = found
                    self.changed.notify_all()
            self.changed.notify()  # another one looks from here on
            return self.time


_bells: dict[Path, _Bell] = {}
_lock = threading.Lock()


def _bell(node: Node, whom: str) -> _Bell:
    path = node.home.folder("run") / f"alliance-bell-{whom}"
    with _lock:
        return _bells.setdefault(path, _Bell(path))


def ring(node: Node, whom: str) -> None:
    """Say that something has changed for them; after the commit."""
    bell, now = _bell(node, whom), time.time_ns()
    bell.path.touch(0o600)
    os.utime(bell.path, ns=(now, now))
    bell.heard(bell.look())


class Listener:
    """Hears a bell; made before one looks at the database."""

    def __init__(self, node: Node, whom: str) -> None:
        self._bell = _bell(node, whom)
        self._since = self._bell.look()
        self._bell.heard(self._since)

    def wait(self, seconds: float) -> None:
        """Until the bell rings, or so long, or a second at most."""
        self._since = self._bell.wait(self._since, time.monotonic() + min(seconds, AT_LEAST_EVERY))
