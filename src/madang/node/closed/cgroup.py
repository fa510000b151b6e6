"""Control groups, where one is delegated: memory of all processes of a box together, held by the kernel.

Version 2 wants a delegated group that has no processes of its own (systemd: Delegate=yes with DelegateSubgroup=), and
version 1 a folder of the memory controller that this user may write. Elsewhere `watch` does it.
"""

import contextlib
import functools
import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

_MOUNT = Path("/sys/fs/cgroup")


@functools.cache
def delegated() -> Path | None:
    """The group below which groups of boxes can be made, or None; found out by putting a process into one."""
    for parent in _candidates():
        if os.access(parent, os.W_OK):
            group = _create(parent, 64 << 20, 16)
            if group is not None:
                entered = subprocess.run(["/bin/sh", "-c", _ENTER, "try", group / "cgroup.procs"], check=False)
                remove(group)
                if entered.returncode == 0:
                    return parent
    return None


_ENTER = 'echo $$ 2>/dev/null >"$1"'


def _candidates() -> Iterator[Path]:
    """Where a group could be made: beside this process's own, which is a leaf, or below it."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _number, controllers, own = line.split(":", 2)
        if controllers == "":
            place = _MOUNT / own.lstrip("/")
            yield from (group for group in (place.parent, place) if group != _MOUNT.parent and _has_memory(group))
        elif "memory" in controllers.split(","):
            place = _MOUNT / "memory" / own.lstrip("/")
            if (place / "memory.limit_in_bytes").exists():
                yield place


def _has_memory(group: Path) -> bool:
    try:
        return "memory" in (group / "cgroup.subtree_control").read_text().split()
    except OSError:
        return False


def create(memory: int, processes: int) -> Path | None:
    """A new group with these limits, or None where none is delegated or it cannot be made."""
    parent = delegated()
    return None if parent is None else _create(parent, memory, processes)


def _create(parent: Path, memory: int, processes: int) -> Path | None:
    group = parent / f"madang-{uuid.uuid4().hex[:12]}"
    try:
        group.mkdir()
        if (group / "memory.limit_in_bytes").exists():
            _set(group / "memory.limit_in_bytes", memory)
            with contextlib.suppress(OSError):  # only there where swap is counted
                _set(group / "memory.memsw.limit_in_bytes", memory)
        else:
            _set(group / "memory.max", memory)
            for name, value in (("memory.swap.max", 0), ("memory.oom.group", 1), ("pids.max", processes + 8)):
                with contextlib.suppress(OSError):
                    _set(group / name, value)
    except OSError:
        remove(group)
        return None
    return group


def memory_of(group: Path) -> int:
    """Bytes of memory in use."""
    for name in ("memory.current", "memory.usage_in_bytes"):
        with contextlib.suppress(OSError, ValueError):
            return int((group / name).read_text())
    return 0


def was_starved(group: Path) -> bool:
    """Whether the kernel ended a process of the group for lack of memory."""
    for name in ("memory.events", "memory.oom_control"):
        with contextlib.suppress(OSError, ValueError):
            words = dict(line.split() for line in (group / name).read_text().splitlines())
            return int(words.get("oom_kill", 0)) > 0
    return False


def remove(group: Path) -> None:
    """Remove a group whose processes have ended; one that is still busy stays, and counts for nothing."""
    with contextlib.suppress(OSError):
        group.rmdir()


def _set(path: Path, value: int) -> None:
    path.write_text(str(value))
