"""What the runner and its executors tell each other: a task that is held, how it ended, and what an executor does.

Each executor is one file: `local` runs tasks in boxes on this machine's cores, `slurm` has a cluster run them.
"""

import json
import logging
import shutil
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake.files import make_folder, sync_folder
from madang.node.node import Node
from madang.services.compute import boxes, staging
from madang.services.compute.definition import Definition, Needs, needs_of
from madang.services.compute.models import Task
from madang.services.compute.permitted import permits_in

_log = logging.getLogger(__name__)


@dataclass
class Held:
    """A task that was taken: what it is, when it began, whether it is to stop."""

    number: int
    attempt: int
    share: str
    needs: Needs
    definition: Definition
    inputs: list[dict[str, Any]]
    began: datetime | None = None
    noted: bool = False  # that it began is written down
    permits: tuple[str, ...] = ()  # under which it reads
    again: int | None = None  # the task from whose checkpoints it goes on
    why: str = ""  # it was stopped, where nobody asked for that
    stop: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def of(cls, task: Task) -> "Held":
        """A task of the database."""
        definition = Definition.model_validate_json(task.definition)
        gpus = needs_of(definition, checked=False).gpus
        needs = Needs(task.cores, task.memory, task.disk, task.seconds, gpus)
        inputs, permits = json.loads(task.inputs), permits_in(task.inputs)
        return cls(task.id, task.attempts, task.share, needs, definition, inputs, permits=permits)


@dataclass
class Outcome:
    """How a task ended: its state, a reason in a sentence, what its commands did, what it left and read."""

    held: Held
    state: str
    reason: str = ""
    ran: boxes.Ran = field(default_factory=boxes.Ran)
    outputs: list[dict[str, Any]] = field(default_factory=list)

    @property
    def inputs(self) -> list[dict[str, Any]]:
        """What it read, as it is told: without contents and places of this machine."""
        hidden = ("content", "stamp", "source")
        return [{key: value for key, value in each.items() if key not in hidden} for each in self.held.inputs]


class Executor(Protocol):
    """Where tasks run. All of it is called from one thread."""

    name: str

    def wants(self, task: Task | None, taken: Sequence[Held]) -> bool:
        """Whether it would begin this task (None: any), or keep it ready, after those that were taken for it."""

    def begin(self, held: Held) -> None:
        """Have a task run as soon as there is room for it."""

    def stop(self, held: Held) -> None:
        """Have a task end."""

    def ended(self, seconds: float) -> list[Outcome]:
        """What ended since it was last asked; waits so long for the first."""

    def adopt(self, task: Task) -> Held | None:
        """The task, if what a dead runner had begun goes on without it."""

    def finish(self) -> None:
        """Leave nothing behind that the next runner would not find."""


def state_of(ran: boxes.Ran) -> str:
    """The state in which the commands of a task left it."""
    if ran.canceled:
        return "canceled"
    return "complete" if ran.code == 0 and not ran.reason else "executor-error"


def outcome_of(held: Held, function: Any) -> Outcome:
    """What `function` of a fresh outcome makes of it; whatever goes wrong is how the task ended."""
    outcome = Outcome(held, "system-error")
    try:
        function(outcome)
    except MadangError as error:
        outcome.state, outcome.reason = ("canceled", "") if held.stop.is_set() else ("system-error", error.message)
    except OSError as error:
        outcome.state, outcome.reason = "system-error", error.strerror or type(error).__name__
    except BaseException as error:
        _log.exception("task %s", held.number)
        outcome.state, outcome.reason = "system-error", f"{type(error).__name__}: {error}"
    return outcome


def keep(node: Node, outcome: Outcome, write: dict[str, Path]) -> None:
    """Move what a task left to where it is kept, all or nothing, in place of what an earlier attempt had left."""
    held = outcome.held
    if outcome.state != "complete" or not held.definition.outputs:
        return
    folder = staging.folder_of(node, held.number)
    make_folder(folder, 0o700)
    partial = folder / f"outputs-{held.attempt}"
    shutil.rmtree(partial, ignore_errors=True)
    outcome.outputs = staging.keep_outputs(held.definition, write, partial, held.needs.disk)
    shutil.rmtree(folder / "outputs", ignore_errors=True)
    partial.rename(folder / "outputs")
    sync_folder(folder)


def lost(held: Held) -> Outcome:
    """The outcome of a task whose runner or node is gone."""
    return Outcome(held, "system-error", _("What ran it is gone."), boxes.Ran(lost=True))
