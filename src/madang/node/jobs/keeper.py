"""Child processes on demand: whoever adds a job wakes one, and a keeper looks after those that died."""

import contextlib
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Sequence

from sqlalchemy import exists, or_, select

from madang.base.errors import MadangError
from madang.lake.files import locked
from madang.node.database import now
from madang.node.home import Home
from madang.node.jobs.models import Job
from madang.node.node import Node
from madang.node.rooms import open_plans

PACKAGES = ("madang",)  # of which jobs may be functions
LANES = ("short", "long")
_TICK = 2.0
_children: dict[tuple[Home, int], "subprocess.Popen[bytes]"] = {}  # those that we started, by home and slot
_spawning = threading.Lock()
_log = logging.getLogger(__name__)


def wake(node: Node) -> None:
    """See that a child process works on what is due, unless as many as may run already do."""
    with _spawning:
        for place, child in list(_children.items()):
            if child.poll() is not None:  # takes the exit of those that went
                del _children[place]
        workers = node.settings.jobs.workers
        for slot in range(workers + 1 if workers else 0):
            if (node.home, slot) in _children or not _is_something_due(node, lanes_of(node, slot)):
                continue
            if _is_free(node, slot):
                _children[node.home, slot] = _spawn(node, slot)
                return


def lanes_of(node: Node, slot: int) -> tuple[str, ...]:
    """Which jobs the child process of a slot does: the last slot is kept for short ones, so that they never wait for
    long ones."""
    return ("short",) if slot == node.settings.jobs.workers else LANES


class Keeper:
    """A thread of the web process that has due jobs worked on, those of processes that died too, mails sent,
    listeners told who did not hear, what dead processes had begun on files settled, and what rooms keep in order."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)

    def __enter__(self) -> "Keeper":
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def _run(self) -> None:
        from madang.node.acts import retell, settle
        from madang.node.mail import deliver

        rooms = [plan.load(plan.keeps) for plan in open_plans() if plan.keeps]
        while not self._stop.is_set():
            for work in (wake, deliver, retell, settle, *rooms):
                try:
                    work(self._node)
                except MadangError as error:  # the database is busy or away: there is a next time
                    _log.warning("%s", error)
            self._stop.wait(_TICK)


def slot_lock(node: Node, slot: int, patience: float) -> contextlib.AbstractContextManager[None]:
    """Hold the slot of a child process; `work.slot` if another has it. The kernel frees it when the process dies."""
    path = node.home.folder("run") / f"worker-{slot}.lock"
    return locked(path, exclusive=True, patience=patience, busy=MadangError("work.slot", "The slot is taken."))


def _is_free(node: Node, slot: int) -> bool:
    try:
        with slot_lock(node, slot, 0):
            return True
    except MadangError as error:
        if error.code != "work.slot":
            raise
        return False


def _is_something_due(node: Node, lanes: Sequence[str]) -> bool:
    at = now()
    with node.read() as session:
        waiting = (Job.state == "waiting") & (Job.not_before <= at) & Job.lane.in_(lanes)
        abandoned = (Job.state == "running") & (Job.lease < at)
        return bool(session.scalar(select(exists().where(or_(waiting, abandoned)))))


def _spawn(node: Node, slot: int) -> "subprocess.Popen[bytes]":
    log = node.home.folder("logs") / f"worker-{slot}.log"
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "madang.node.jobs.worker", str(slot), *PACKAGES],
            env=os.environ | {"MADANG_HOME": str(node.home.path)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # it outlives us, and Ctrl-C on us
        )
