"""The executor `local`: tasks in boxes on this machine's cores, each in a thread whose cores its boxes inherit.

Short tasks are taken ahead of their time, so that no core waits for the database between two of them. When this
process dies its boxes die with it.
"""

import contextlib
import os
import queue
import shutil
import threading
from collections import deque
from collections.abc import Sequence

from madang.lake.files import make_folder
from madang.node.database import now
from madang.node.node import Node
from madang.services.compute import boxes, staging
from madang.services.compute.definition import checkpoints_of, environment_of, folders, graphics, machine, roots
from madang.services.compute.executing import Held, Outcome, keep, outcome_of, state_of
from madang.services.compute.models import Task

_AHEAD = 64  # tasks at most that are taken before there is room for them
_BUFFER = 1.0  # seconds of work that are taken ahead, by what the last tasks took


class Local:
    """Runs tasks here, in the order in which they come; nobody overtakes one that waits until it fits."""

    name = "local"

    def __init__(self, node: Node) -> None:
        self._node = node
        self._over: queue.Queue[Outcome] = queue.Queue()
        self._ready: deque[Held] = deque()
        self._running: dict[int, tuple[Held, tuple[int, ...], tuple[str, ...]]] = {}
        self._lock = threading.Lock()
        self._places = sorted(os.sched_getaffinity(0))
        self._taken = 3.0  # seconds that a task takes, of the last ones
        shutil.rmtree(node.home.folder("compute") / "attempts", ignore_errors=True)

    def wants(self, task: Task | None, taken: Sequence[Held]) -> bool:
        """As many as fit, and some more where they are short."""
        with self._lock:
            ahead = min(_AHEAD, int(_BUFFER * machine().cores / max(0.01, self._taken))) if self._taken < 1 else 0
            if ahead:
                return len(self._ready) + len(taken) < ahead
            held = [*taken, *self._ready, *(each for each, _places, _gpus in self._running.values())]
        cores = machine().cores - sum(each.needs.cores for each in held)
        memory = machine().memory - sum(each.needs.memory for each in held)
        return (task.cores if task else 1) <= cores and (task.memory if task else 1) <= memory

    def begin(self, held: Held) -> None:
        """Begin it now, or once it fits."""
        with self._lock:
            self._ready.append(held)
            self._start()

    def _start(self) -> None:
        """Begin what fits; the lock is held."""
        while self._ready:
            held, running = self._ready[0], list(self._running.values())
            if held.stop.is_set():
                self._over.put(Outcome(self._ready.popleft(), "canceled"))
                continue
            taken = {place for _held, places, _gpus in running for place in places}
            places = tuple([place for place in self._places if place not in taken][: held.needs.cores])
            in_use = {gpu for _held, _places, gpus in running for gpu in gpus}
            gpus = tuple([gpu for gpu in graphics() if gpu not in in_use][: held.needs.gpus])
            memory = machine().memory - sum(each.needs.memory for each, _places, _gpus in running)
            if len(places) < held.needs.cores or len(gpus) < held.needs.gpus or held.needs.memory > memory:
                return
            self._ready.popleft()
            self._running[held.number] = (held, places, gpus)
            threading.Thread(
                target=self._work, args=(held, places, gpus), name=f"task-{held.number}", daemon=True
            ).start()

    def _work(self, held: Held, places: tuple[int, ...], gpus: tuple[str, ...]) -> None:
        """Prepare, run and keep one task."""
        began = now()

        def work(outcome: Outcome) -> None:
            os.sched_setaffinity(0, places)
            needs, definition = held.needs, held.definition
            folder = staging.folder_of(self._node, held.number)
            make_folder(folder, 0o700)
            attempt = staging.work_folder(self._node, held.number, held.attempt)
            try:
                read, write = staging.prepare(attempt, held.inputs, roots(definition), folders(definition))
                mounted = write
                if where := checkpoints_of(definition):
                    mounted = write | {where: staging.checkpoints(self._node, held.number, held.again)}
                held.began = began
                limits = boxes.Limits(needs.cores, needs.memory, needs.disk, needs.seconds, gpus)
                environments = [environment_of(each.image) for each in definition.executors]
                outcome.ran = boxes.run(definition, limits, environments, read, mounted, folder, held.stop)
                self._freed(held)
                outcome.state, outcome.reason = state_of(outcome.ran), outcome.ran.reason
                keep(self._node, outcome, write)
            finally:
                shutil.rmtree(attempt, ignore_errors=True)

        outcome = outcome_of(held, work)
        held.began = held.began or began
        self._freed(held)
        with self._lock:
            self._taken += 0.3 * ((now() - began).total_seconds() - self._taken)
        self._over.put(outcome)

    def _freed(self, held: Held) -> None:
        """Its cores are for the next one."""
        with self._lock:
            if self._running.pop(held.number, None) is not None:
                self._start()

    def stop(self, held: Held) -> None:
        """End it, whether it runs or waits for room."""
        held.stop.set()
        with self._lock:
            self._start()

    def ended(self, seconds: float) -> list[Outcome]:
        """What ended; waits so long for the first."""
        over = []
        with contextlib.suppress(queue.Empty):
            over.append(self._over.get(timeout=seconds))
            while True:
                over.append(self._over.get_nowait())
        return over

    def adopt(self, task: Task) -> Held | None:
        """None: boxes die with their runner."""
        return None

    def finish(self) -> None:
        """Nothing to do: it goes only when nothing is held."""
