"""The runner: one process that takes tasks in turn, has them run, and writes down how they ended.

It is started by whoever asks for a task and goes when there is nothing to do. A lock of the kernel is its lease: only
one runs, and when it dies the next one finds what it had begun. Boxes die with it, outputs are moved only at the end,
so a task that is begun again leaves nothing twice. Shares take turns: the one that uses the fewest cores comes first.
"""

import contextlib
import json
import logging
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake.files import locked, make_folder
from madang.node.acts import doing_in
from madang.node.database import now
from madang.node.home import Home
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.services.compute import local, quotas, staging
from madang.services.compute.acts import END
from madang.services.compute.definition import Definition, folders, machine, roots
from madang.services.compute.models import Task

ATTEMPTS = 3
IDLE = 60.0  # seconds without work after which it goes
_TICK = 0.15
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


@dataclass
class Held:
    """A task that runs here."""

    number: int
    attempt: int
    share: str
    cores: int
    memory: int
    stop: threading.Event = field(default_factory=threading.Event)
    places: tuple[int, ...] = ()  # the cores that it has


@dataclass
class Outcome:
    """How a task ended."""

    held: Held
    state: str
    reason: str
    ran: local.Ran
    outputs: list[dict[str, Any]]
    inputs: list[dict[str, Any]]


class Runner:
    """Takes tasks in turn while there are some; whoever makes one holds the lock."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._held: dict[int, Held] = {}
        self._over: queue.Queue[Outcome] = queue.Queue()
        self._places = sorted(os.sched_getaffinity(0))

    def run(self, idle: float = 0.0) -> None:
        """Work until nothing has been waiting or running for `idle` seconds."""
        self._recover()
        quiet = time.monotonic()
        while True:
            try:
                if self._round():
                    quiet = time.monotonic()
            except MadangError as error:  # the database is busy or away: there is a next time
                _log.warning("%s", error)
                time.sleep(1)
            if self._held:
                quiet = time.monotonic()
            elif time.monotonic() - quiet >= idle:
                return

    def _recover(self) -> None:
        """Put what a dead runner had begun back into the queue, or give it up."""
        with self._node.write() as session:
            begun = select(Task).where(Task.state.in_(("initializing", "running", "canceling")))
            for task in session.scalars(begun):
                if task.state == "canceling":
                    _end(session, self._node, task, "canceled", "", {}, 0)
                elif task.attempts >= ATTEMPTS:
                    reason = _("Its runner died {count} times.").format(count=task.attempts)
                    _end(session, self._node, task, "system-error", reason, {}, 0)
                else:
                    task.state = "queued"
        shutil.rmtree(self._node.home.folder("compute") / "attempts", ignore_errors=True)

    def _round(self) -> bool:
        """Write down what ended, begin what fits; whether there was anything."""
        over = self._ended()
        with self._node.read() as session:
            stopping = set(session.scalars(select(Task.id).where(Task.state == "canceling")))
            due = session.scalar(select(Task.id).where(Task.state == "queued").limit(1)) is not None
        for number in stopping & set(self._held):
            self._held[number].stop.set()
        for each in over:
            self._held.pop(each.held.number, None)
        room = machine().cores - sum(each.cores for each in self._held.values())
        if not over and not (due and room):
            return due
        begun: list[Held] = []
        try:
            with self._node.write() as session:
                for each in over:
                    self._finish(session, each)
                begun = self._claim(session)
        except BaseException:
            for each in over:  # nothing was written: again next time
                self._held[each.held.number] = each.held
                self._over.put(each)
            raise
        for each in over:
            shutil.rmtree(staging.work_folder(self._node, each.held.number, each.held.attempt), ignore_errors=True)
        for held in begun:
            self._held[held.number] = held
            threading.Thread(target=self._work, args=(held,), name=f"task-{held.number}", daemon=True).start()
        return True

    def _ended(self) -> list[Outcome]:
        over = []
        with contextlib.suppress(queue.Empty):
            over.append(self._over.get(timeout=_TICK))
            while True:
                over.append(self._over.get_nowait())
        return over

    def _claim(self, session: Session) -> list[Held]:
        """Those whose turn it is and that fit: the share with the fewest cores in use first, each in its order."""
        begun: list[Held] = []
        blocked: set[str] = set()
        while True:
            used: dict[str, int] = {}
            held = [*self._held.values(), *begun]
            for each in held:
                used[each.share] = used.get(each.share, 0) + each.cores
            cores = machine().cores - sum(each.cores for each in held)
            memory = machine().memory - sum(each.memory for each in held)
            if cores <= 0:
                return begun
            first = select(Task.share, func.min(Task.id)).where(Task.state == "queued").group_by(Task.share)
            waiting = [(used.get(share, 0), number, share) for share, number in session.execute(first)]
            waiting = [each for each in waiting if each[2] not in blocked]
            if not waiting:
                return begun
            _used, number, share = min(waiting)
            task = session.get(Task, number)
            assert task is not None
            limit = quotas.limit_of(session, share)
            if limit is not None and limit.cores is not None and used.get(share, 0) + task.cores > limit.cores:
                blocked.add(share)
                continue
            if task.cores > cores or task.memory > memory:
                return begun  # it waits until it fits, and nobody overtakes it
            state = "running" if task.inputs == "[]" else "initializing"
            task.state, task.started, task.attempts = state, now(), task.attempts + 1
            session.flush()
            taken = {place for each in held for place in each.places}
            places = tuple([place for place in self._places if place not in taken][: task.cores])
            begun.append(Held(task.id, task.attempts, share, task.cores, task.memory, places=places))

    def _work(self, held: Held) -> None:
        """Prepare, run and keep one task; in a thread of its own, whose cores its boxes inherit."""
        ran = local.Ran()
        outputs: list[dict[str, Any]] = []
        inputs: list[dict[str, Any]] = []
        state, reason = "system-error", ""
        try:
            if held.places:
                os.sched_setaffinity(0, held.places)
            with self._node.read() as session:
                task = session.get(Task, held.number)
                assert task is not None
                definition = Definition.model_validate_json(task.definition)
                inputs = json.loads(task.inputs)
                limits = local.Limits(task.cores, task.memory, task.disk, task.seconds)
            folder = staging.folder_of(self._node, held.number)
            make_folder(folder, 0o700)
            work = staging.work_folder(self._node, held.number, held.attempt)
            read, write = staging.prepare(work, inputs, roots(definition), folders(definition))
            if inputs:
                self._mark_running(held)
            ran = local.run(definition, limits, read, write, folder, held.stop)
            state, reason = _state_of(ran), ran.reason
            partial = folder / f"outputs-{held.attempt}"
            shutil.rmtree(partial, ignore_errors=True)
            if state == "complete":
                outputs = staging.keep_outputs(definition, write, partial, limits.disk)
                shutil.rmtree(folder / "outputs", ignore_errors=True)
                partial.rename(folder / "outputs")
        except MadangError as error:
            state, reason = ("canceled", "") if held.stop.is_set() else ("system-error", error.message)
        except OSError as error:
            state, reason = "system-error", error.strerror or type(error).__name__
        except BaseException as error:
            _log.exception("task %s", held.number)
            state, reason = "system-error", f"{type(error).__name__}: {error}"
        told = [
            {key: value for key, value in each.items() if key not in ("content", "stamp", "source")} for each in inputs
        ]
        self._over.put(Outcome(held, state, reason, ran, outputs, told))

    def _mark_running(self, held: Held) -> None:
        with self._node.write() as session:
            task = session.get(Task, held.number)
            if task is not None and task.state == "initializing":
                task.state = "running"

    def _finish(self, session: Session, each: Outcome) -> None:
        task = session.get(Task, each.held.number)
        if task is None or task.attempts != each.held.attempt or task.state in ("queued", "complete", "canceled"):
            return
        ran = each.ran
        task.code, task.cpu, task.peak = ran.code, ran.cpu, ran.peak
        result = {"logs": ran.logs, "outputs": each.outputs, "use": ran.use, "inputs": each.inputs}
        state = "canceled" if ran.canceled else each.state
        _end(session, self._node, task, state, each.reason, result, len(each.outputs))


def _state_of(ran: local.Ran) -> str:
    if ran.canceled:
        return "canceled"
    if ran.reason:
        return "executor-error"
    return "complete" if ran.code == 0 else "executor-error"


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


def work_off(node: Node) -> None:
    """Do all tasks that wait, in this process."""
    with _lock(node, 5):
        Runner(node).run(0.0)


if __name__ == "__main__":
    main()
