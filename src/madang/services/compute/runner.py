"""The runner: one process that takes tasks in turn, has them run, and writes down how they ended.

It is started by whoever asks for a task and goes when there is nothing to do. A lock of the kernel is its lease: only
one runs, and when it dies the next one finds what it had begun. Boxes die with it, outputs are moved only at the end,
so a task that is begun again leaves nothing twice. Shares take turns: the one that uses the fewest cores comes first.
"""

import contextlib
import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake.files import locked
from madang.node.acts import doing_in
from madang.node.database import now
from madang.node.home import Home
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.services.compute import messages, quotas, staging
from madang.services.compute.acts import END
from madang.services.compute.definition import MAIL
from madang.services.compute.executing import Executor, Held, Outcome
from madang.services.compute.models import Task
from madang.services.compute.permitted import check_in_force

ATTEMPTS = 3
IDLE = 60.0  # seconds without work after which it goes
_ATTEMPTS_READY = 20  # of a task that was ready to begin and did not run when its runner died
_ENDED = ("complete", "executor-error", "system-error", "canceled")
_TICK = 0.05  # seconds: so long it waits for an end,
_LOOK = 0.1  # so often at most it looks for what is new,
_TOGETHER = 0.1  # and so long it gathers ends before it writes them down
_MOST_TAKEN = 100  # tasks at once
_children: dict[Home, "subprocess.Popen[bytes]"] = {}
_spawning = threading.Lock()
_log = logging.getLogger(__name__)


def wake(node: Node) -> None:
    """See that a runner works, if there is something to do."""
    with _spawning:
        child = _children.get(node.home)
        if child is not None and child.poll() is None:
            return
        if not _is_something_due(node) or not _is_free(node):
            return
        _children[node.home] = _spawn(node)


def _lock(node: Node, patience: float) -> contextlib.AbstractContextManager[None]:
    busy = MadangError("task.runner", "The runner works.")
    return locked(node.home.folder("run") / "compute-runner.lock", exclusive=True, patience=patience, busy=busy)


def _is_free(node: Node) -> bool:
    try:
        with _lock(node, 0):
            return True
    except MadangError as error:
        if error.code != "task.runner":
            raise
        return False


def _is_something_due(node: Node) -> bool:
    with node.read() as session:
        query = select(Task.id).where(Task.state.in_(("queued", "initializing", "running", "canceling"))).limit(1)
        return session.scalar(query) is not None


def _spawn(node: Node) -> "subprocess.Popen[bytes]":
    with (node.home.folder("logs") / "compute-runner.log").open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "madang.services.compute.runner"],
            env=os.environ | {"MADANG_HOME": str(node.home.path)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # it outlives us, and Ctrl-C on us
        )


def main() -> None:
    """Work until there has been nothing to do for a while."""
    from madang.node import rooms

    rooms.load_models()
    node = Node.open()
    try:
        # Somebody may ask between our last look and our going: look again once the lock is free.
        while _is_something_due(node):
            with _lock(node, 1):
                Runner(node).run(IDLE)
    except MadangError as error:
        if error.code != "task.runner":
            print(error, file=sys.stderr)
    finally:
        node.close()


class Runner:
    """Takes tasks in turn while there are some; whoever makes one holds the lock."""

    def __init__(self, node: Node, executor: Executor | None = None) -> None:
        self._node = node
        self._executor = executor or executor_of(node)
        self._held: dict[int, Held] = {}
        self._over: list[Outcome] = []  # that are not written down yet
        self._looked = self._written = 0.0

    def run(self, idle: float = 0.0) -> None:
        """Work until nothing has been waiting or running for `idle` seconds."""
        self.recover()
        quiet = time.monotonic()
        while True:
            try:
                if self.round():
                    quiet = time.monotonic()
            except MadangError as error:  # the database is busy or away: there is a next time
                _log.warning("%s", error)
                time.sleep(1)
            if self._held:
                quiet = time.monotonic()
            elif time.monotonic() - quiet >= idle:
                self._executor.finish()
                return

    @property
    def is_busy(self) -> bool:
        """Whether it holds tasks."""
        return bool(self._held)

    def recover(self) -> None:
        """Put what a dead runner had begun, and what does not go on, back into the queue, or give it up."""
        with self._node.write() as session:
            begun = select(Task).where(Task.state.in_(("initializing", "running", "canceling")))
            for task in session.scalars(begun):
                held = self._executor.adopt(task)
                if held is not None:
                    self._held[task.id] = held
                elif task.state == "canceling":
                    _end(session, self._node, task, "canceled", "", {}, 0)
                else:
                    self._back(session, task)

    def _back(self, session: Session, task: Task) -> None:
        """Into the queue again; what was only ready to begin did not take its runner with it."""
        begun = task.state == "running"
        if task.attempts >= (ATTEMPTS if begun else _ATTEMPTS_READY):
            reason = _("Its runner died {count} times.").format(count=task.attempts)
            _end(session, self._node, task, "system-error", reason, {}, 0)
        else:
            task.state = "queued"

    def round(self) -> bool:
        """Write down what began and ended, take what is wanted; whether there was anything.

        Each commit waits for the disk, so what happens within a moment is written down together.
        """
        self._over += self._executor.ended(_TICK)
        moment = time.monotonic()
        began = [each for each in self._held.values() if each.began is not None and not each.noted]
        if moment - self._looked < _LOOK and not (self._over and moment - self._written >= _TOGETHER):
            return bool(self._over or began)
        self._looked = moment
        with self._node.read() as session:
            stopping = set(session.scalars(select(Task.id).where(Task.state == "canceling")))
            due = session.scalar(select(Task.id).where(Task.state == "queued").limit(1)) is not None
            forbidden = {held.number for held in self._held.values() if _permit_is_over(session, held)}
        for number in (stopping | forbidden) & set(self._held):
            if not self._held[number].stop.is_set():
                self._held[number].stop.set()
                self._executor.stop(self._held[number])
        wants = due and self._executor.wants(None, ())
        if not (self._over or began or wants):
            return due
        self._written = moment
        over, taken = list(self._over), []
        with self._node.write() as session:
            self._note(session, began, over)
            taken = self._take(session, {each.held.number for each in over}) if wants or over else []
        del self._over[: len(over)]
        for each in over:
            self._held.pop(each.held.number, None)
        for held in began:
            held.noted = True
        for held in taken:
            self._held[held.number] = held
            self._executor.begin(held)
        return True

    def _note(self, session: Session, began: list[Held], over: list[Outcome]) -> None:
        numbers = {each.number for each in began} | {each.held.number for each in over}
        found = {each.id: each for each in session.scalars(select(Task).where(Task.id.in_(numbers)))}
        for held in began:
            task = found.get(held.number)
            if task is not None and task.state == "initializing" and task.attempts == held.attempt:
                task.state, task.started = "running", held.began
        for each in over:
            task = found.get(each.held.number)
            if task is not None and task.attempts == each.held.attempt and task.state not in ("queued", *_ENDED):
                self._finish(session, task, each)

    def _take(self, session: Session, over: set[int]) -> list[Held]:
        """Those whose turn it is and that are wanted: the share with the fewest cores in use first, in its order."""
        used: dict[str, int] = {}
        for each in self._held.values():
            if each.number not in over:
                used[each.share] = used.get(each.share, 0) + each.needs.cores
        shares = session.scalars(select(Task.share).where(Task.state == "queued").distinct()).all()
        waiting = {share: _in_order(session, share) for share in shares}
        first = {share: next(tasks, None) for share, tasks in waiting.items()}
        in_use = quotas.InUse(session)
        for each in self._held.values():
            if each.number not in over:
                in_use.add(each.share, each.needs.cores, each.needs.memory)
        taken: list[Held] = []
        while True:
            turn = [(used.get(share, 0), task.id, share, task) for share, task in first.items() if task is not None]
            if not turn or len(taken) >= _MOST_TAKEN:
                return taken
            _cores, _number, share, task = min(turn, key=lambda each: each[:2])
            if not in_use.fits(share, task.cores, task.memory):
                first[share] = None
                continue
            if not self._executor.wants(task, taken):
                return taken  # it waits until it fits, and nobody overtakes it
            first[share] = next(waiting[share], None)
            held = Held.of(task)
            if _permit_is_over(session, held):
                _end(session, self._node, task, "system-error", held.why, {}, 0)
                continue
            task.state, task.attempts, task.started = "initializing", task.attempts + 1, None
            held.attempt, held.again = task.attempts, _goes_on_from(session, task)
            taken.append(held)
            used[share] = used.get(share, 0) + task.cores
            in_use.add(share, task.cores, task.memory)

    def _finish(self, session: Session, task: Task, each: Outcome) -> None:
        ran = each.ran
        if ran.lost and task.state != "canceling":
            self._back(session, task)
            return
        task.code, task.cpu, task.peak = ran.code, ran.cpu, ran.peak
        task.started = each.held.began or task.started
        task.kept = sum(int(output["size"]) for output in each.outputs)
        if each.state == "complete":
            staging.remove_checkpoints(self._node, task.id)
        result = {"logs": ran.logs, "outputs": each.outputs, "use": ran.use, "inputs": each.inputs}
        stopped = ran.canceled or each.state == "canceled" or (ran.lost and task.state == "canceling")
        state = ("system-error" if each.held.why else "canceled") if stopped else each.state
        _end(session, self._node, task, state, each.held.why or each.reason, result, len(each.outputs))


def _goes_on_from(session: Session, task: Task) -> int | None:
    """The task that this one repeats, where both read the very same: its checkpoints know no more than this one may."""
    before = session.get(Task, task.again_id) if task.again_id is not None else None
    return before.id if before is not None and before.inputs == task.inputs else None


def _permit_is_over(session: Session, held: Held) -> bool:
    """Whether a permit under which a task reads is no longer in force; the reason is then with the task."""
    if held.permits and not held.why:
        try:
            check_in_force(session, held.permits)
        except MadangError as error:
            held.why = error.message
    return bool(held.why)


def executor_of(node: Node) -> Executor:
    """Where this installation's tasks run."""
    from madang.services.compute.cluster import cluster_of

    if cluster_of(node.home) is not None:
        from madang.services.compute.slurm import Slurm

        return Slurm(node)
    from madang.services.compute.local import Local

    return Local(node)


def _in_order(session: Session, share: str) -> Iterator[Task]:
    """What waits of a share, the first first."""
    below = 0
    while True:
        query = select(Task).where(Task.state == "queued", Task.share == share, Task.id > below)
        found = session.scalars(query.order_by(Task.id).limit(20)).all()
        if not found:
            return
        yield from found
        below = found[-1].id


def _end(
    session: Session, node: Node, task: Task, state: str, reason: str, result: dict[str, Any], outputs: int
) -> None:
    task.ended, task.reason = now(), reason
    if result:
        task.result = json.dumps(result | {"system": [reason] if reason else []}, ensure_ascii=False)
    spent = task.cores * (task.ended - task.started).total_seconds() if task.started else 0.0
    with doing_in(session, node, Actor.node(), END, lambda _session: task) as done:
        done.become(state)
        done.tell(code=task.code, outputs=outputs, core_seconds=round(spent, 3), attempts=task.attempts)
    if MAIL in task.definition:
        messages.tell_end(session, node, task)


def work_off(node: Node) -> None:
    """Do all tasks that wait, in this process."""
    with _lock(node, 5):
        Runner(node).run(0.0)


if __name__ == "__main__":
    main()
