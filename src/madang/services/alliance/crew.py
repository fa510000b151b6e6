"""Processes in which many simulated sites come for work, some sites in each, kept from one study to the next.

A child opens its sites once, works between the words `go` and `rest`, and ends when its input ends or when nobody asked
for anything for long.
"""

import contextlib
import math
import os
import select
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from madang.node.node import Node

FEW = 6  # sites that are threads of the process that asks
SITES, IDLE, WAIT = 8, 600.0, 1.0  # sites of a process at least; seconds until it ends, and that a site waits for work


class Crew:
    """The processes of some simulated sites."""

    def __init__(self, node: Node, sites: Sequence[int]) -> None:
        self.sites = list(sites)
        self.studies = 0  # that run
        count = max(1, min(len(os.sched_getaffinity(0)), math.ceil(len(sites) / SITES)))
        self._children = [
            subprocess.Popen(
                [sys.executable, "-m", __name__, str(node.home.path), *map(str, self.sites[place::count])],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                text=True,
            )
            for place in range(count)
        ]

    @property
    def pids(self) -> list[int]:
        """Of its processes."""
        return [each.pid for each in self._children]

    def is_there(self) -> bool:
        """Whether all its processes still run."""
        return all(each.poll() is None for each in self._children)

    def say(self, word: str) -> None:
        """Tell every process."""
        for child in self._children:
            assert child.stdin is not None  # it was asked for
            with contextlib.suppress(BrokenPipeError):
                child.stdin.write(word + "\n")
                child.stdin.flush()

    def close(self) -> None:
        """End its processes."""
        for child in self._children:
            child.kill()
            child.communicate()


_crews: dict[Path, Crew] = {}
_lock = threading.Lock()


@contextlib.contextmanager
def working(node: Node, sites: Sequence[int]) -> Iterator[Crew]:
    """While a study runs: these sites come for work, in processes that stay for the next one."""
    with _lock:
        found = _crews.get(node.home.path)
        if found is None or found.sites != list(sites) or not found.is_there():
            if found is not None:
                found.close()
            found = _crews[node.home.path] = Crew(node, sites)
        found.studies += 1
        found.say("go")
    try:
        yield found
    finally:
        with _lock:
            found.studies -= 1
            if not found.studies:
                found.say("rest")


def end(node: Node) -> None:
    """End the processes of this node's simulated sites, if there are any."""
    with _lock:
        found = _crews.pop(node.home.path, None)
    if found is not None:
        found.close()


def main(home: str, sites: Sequence[int]) -> None:
    """The child: work for these sites whenever it is told to."""
    from madang.node.home import Home
    from madang.services.alliance.simulated import keep, opened

    working_now, over = threading.Event(), threading.Event()
    with contextlib.closing(Node.open(Home(Path(home)))) as node, contextlib.ExitStack() as open_now:
        for each in sites:
            site = open_now.enter_context(contextlib.closing(opened(node, each)))
            threading.Thread(target=keep, args=(node, site, over, WAIT, working_now), daemon=True).start()
        with contextlib.suppress(KeyboardInterrupt):
            while select.select([sys.stdin], [], [], IDLE)[0] and (word := sys.stdin.readline()):
                working_now.set() if word.strip() == "go" else working_now.clear()
        over.set()
        os._exit(0)  # what a thread was at comes again: every message may


if __name__ == "__main__":
    main(sys.argv[1], list(map(int, sys.argv[2:])))
