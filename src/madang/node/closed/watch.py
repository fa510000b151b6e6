"""Who watches a box where no control group does: memory of all its processes, and always its disk.

Memory is what its processes hold for themselves (anonymous and shared pages; not files that they only read). What lies
in /tmp and /dev/shm is bounded by the size of these. What the kernel holds for sockets and pipes is not counted.
"""

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.closed import cgroup
from madang.node.closed.inside import everything_inside

if TYPE_CHECKING:
    from madang.node.closed.box import Limits

_SLOWLY = 20  # a look at the disk may take this part of the time between two looks
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Use:
    """What a box uses: bytes of memory and disk, processes, seconds of processor time."""

    memory: int
    disk: int
    processes: int
    cpu: float


class Watch:
    """Looks at one box; `check` raises once it uses more than its limits."""

    def __init__(self, pid: int, limits: "Limits", folders: Sequence[Path], group: Path | None) -> None:
        self.pid, self.limits, self.folders, self.group = pid, limits, folders, group
        self.use = Use(0, 0, 0, 0.0)
        self._next_disk = 0.0

    def check(self, *, ended: bool = False) -> None:
        """Errors: `closed.memory`, `closed.disk`. `ended`: the program is over; only what remains is looked at."""
        if not ended:
            memory, processes, cpu = _used(self.pid)
            if self.group is not None:
                memory = cgroup.memory_of(self.group)
            self.use = replace(self.use, memory=memory, processes=processes, cpu=cpu)
        starved = self.group is not None and cgroup.was_starved(self.group)
        if starved or (self.group is None and self.use.memory > self.limits.memory):
            raise MadangError(
                "closed.memory",
                _("It needed more than {amount} MB of memory.").format(amount=self.limits.memory >> 20),
                _("Work on less at a time."),
            )
        if self.folders and (ended or time.monotonic() >= self._next_disk):
            self._check_disk()

    def _check_disk(self) -> None:
        start = time.monotonic()
        disk = files = 0
        for folder in self.folders:
            for size in _sizes(str(folder)):
                disk, files = disk + size, files + 1
                if files > self.limits.files:
                    break
        self._next_disk = time.monotonic() + max(0.5, _SLOWLY * (time.monotonic() - start))
        self.use = replace(self.use, disk=disk)
        if disk > self.limits.disk or files > self.limits.files:
            raise MadangError(
                "closed.disk",
                _("It wrote more than {amount} MB or {files} files.").format(
                    amount=self.limits.disk >> 20, files=self.limits.files
                ),
                _("Delete what is no longer needed."),
            )


def _sizes(folder: str) -> Iterator[int]:
    """Bytes on disk of everything in a folder. Errors: `closed.disk` where something is hidden."""
    with contextlib.suppress(OSError):  # the folder itself is gone
        for _here, _name, status in everything_inside(folder):
            yield status.st_blocks * 512


def _used(pid: int) -> tuple[int, int, float]:
    """Memory, number and processor time of the processes below one."""
    memory = processes = 0
    cpu = 0.0
    waiting = [pid]
    while waiting:
        current = waiting.pop()
        with contextlib.suppress(OSError, ValueError):
            for task in os.listdir(f"/proc/{current}/task"):
                waiting += map(int, _text(f"/proc/{current}/task/{task}/children").split())
        with contextlib.suppress(OSError, ValueError, IndexError):
            words = _text(f"/proc/{current}/stat").rpartition(")")[2].split()
            cpu += (int(words[11]) + int(words[12])) / _TICKS
            status = _text(f"/proc/{current}/status")
            memory += sum(_kilobytes(status, name) for name in ("RssAnon:", "RssShmem:")) * 1024
            processes += 1
    return memory, max(0, processes - 2), cpu  # the two of bubblewrap itself are no part of the program


def _text(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def _kilobytes(status: str, name: str) -> int:
    place = status.find(name)
    return int(status[place + len(name) :].split(maxsplit=1)[0]) if place >= 0 else 0
