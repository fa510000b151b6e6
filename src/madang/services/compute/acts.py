"""What can be done with tasks, by whom, from which state to which."""

from sqlalchemy import and_

from madang.base.translate import later
from madang.node.acts import States
from madang.node.permissions import (
    Details,
    Rule,
    administrator,
    allow,
    auditor,
    in_project,
    nobody_else,
    role_anywhere,
    theirs,
)


class Asked(Details):
    """What was asked for."""

    share: str
    cores: int
    memory: int
    seconds: int
    kind: str


class Ended(Details):
    """How a task ended, and what it used."""

    code: int | None
    outputs: int
    core_seconds: float
    attempts: int


class Limited(Details):
    """What a share may use."""

    share: str
    core_hours: float | None
    cores: int | None
    gpu_hours: float | None = None
    memory: int | None = None
    disk: int | None = None


class Priced(Details):
    """What use costs from a day on."""

    begins: str
    currency: str
    core_hour: float
    gpu_hour: float
    gigabyte: float


class Removed(Details):
    """What is no longer kept of a task."""

    files: int
    size: int


class Brought(Details):
    """A file that was brought."""

    name: str
    hash: str
    size: int


class Placed(Details):
    """Where what a task left was put."""

    workspace: int
    permits: list[str]


class Kept(Details):
    """A reference that is kept."""

    name: str
    sha256: str


# Who asked for a project's task and left the project is out of it.
alone = Rule(
    "whose it is, where it is no project's",
    lambda actor, thing: thing.project_id is None and theirs.holds(actor, thing),
    lambda actor, model: and_(model.project_id.is_(None), theirs.clause(actor, model)),
)
works = alone | in_project("principal-investigator", "project-member")
people = alone | in_project()
OPEN = ("queued", "initializing", "running")
RUN = allow("task.run", works, title=later("ask for a task"), to="queued", details=Asked)
SEE = allow("task.see", people | administrator | auditor, reads=True, title=later("see a task and what it uses"))
READ = allow("task.read", people, reads=True, title=later("read what a task printed and left"))
CANCEL = allow("task.cancel", works | administrator, title=later("stop a task"), frm=OPEN, to=("canceled", "canceling"))
END = allow(
    "task.end",
    nobody_else,
    title=later("end a task"),
    frm=(*OPEN, "canceling"),
    to=("complete", "executor-error", "system-error", "canceled"),
    details=Ended,
)
PLACE = allow("task.place", works, title=later("put what a task left into a workspace"), details=Placed)
BRING = allow("taskfile.bring", works, title=later("bring a file for tasks"), details=Brought)
USE_FILE = allow("taskfile.read", people, reads=True, title=later("use a file that was brought"))
LIMIT = allow("quota.set", administrator, title=later("set what others may compute"), details=Limited)
PRICE = allow("price.set", administrator, title=later("set what computing costs"), details=Priced)
OVERSEE = allow("compute.oversee", administrator | auditor, reads=True, title=later("see the machine and its queue"))
REMOVE = allow("task.clear", works, title=later("remove what a task left"), details=Removed)
ADD_REFERENCE = allow(
    "sequence.add", administrator | role_anywhere("steward"), title=later("keep a reference genome"), details=Kept
)

TASK = States(
    "task",
    "queued",
    {
        "queued": later("waiting"),
        "initializing": later("being prepared"),
        "running": later("running"),
        "canceling": later("being stopped"),
        "complete": later("done"),
        "executor-error": later("failed"),
        "system-error": later("unable to run"),
        "canceled": later("stopped"),
    },
    model=".models:Task",
    by_work=("initializing", "running"),
)
