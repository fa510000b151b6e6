"""A bell between the processes of a node: whoever changed what others wait for rings it, so that nobody has to ask the
database again and again. It is the time of a file; a ring that is missed costs a second, nothing else."""

import os
import time

from madang.node.node import Node

LOOK_EVERY, AT_LEAST_EVERY = 0.004, 1.0  # seconds


def ring(node: Node) -> None:
    """Say that something has changed; after the commit."""
    path = node.home.folder("run") / "alliance-bell"
    path.touch(0o600)
    now = time.time_ns()
    os.utime(path, ns=(now, now))


class Listener:
    """Hears the bell; made before one looks at the database."""

    def __init__(self, node: Node) -> None:
        self.path = node.home.folder("run") / "alliance-bell"
        self.heard = self._time()

    def _time(self) -> int:
        try:
            return self.path.stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def wait(self, seconds: float) -> None:
        """Until the bell rings, or so long, or a second at most."""
        end = time.monotonic() + min(seconds, AT_LEAST_EVERY)
        while (found := self._time()) == self.heard and time.monotonic() < end:
            time.sleep(LOOK_EVERY)
        self.heard = found
