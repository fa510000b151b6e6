"""What a person can do here: ask for a task, see how it goes, stop it, ask again; bring files; see what was used."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import func, select, union_all
from sqlalchemy.orm import Session, selectinload

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.acts import doing, doing_in, label
from madang.node.database import after_commit, now
from madang.node.home import Home
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.people.projects import find_project
from madang.node.permissions import check, may, visible
from madang.services.compute import permitted, quotas, staging
from madang.services.compute.acts import CANCEL, READ, REMOVE, RUN, SEE
from madang.services.compute.definition import Definition, Needs, as_text, needs_of, read_definition
from madang.services.compute.models import Task, TaskTag
from madang.services.compute.together import Together
from madang.web.cards import Card, Part, Row

MOST_AT_ONCE = 1_000
_together: dict[Home, Together] = {}  # of each installation that this process has open
ENDED = ("complete", "executor-error", "system-error", "canceled")


def submit(node: Node, actor: Actor, given: Any, *, project: str = "", kind: str = "task", again: int = 0) -> Task:
    """Ask for a task. Errors: those of descriptions, `task.quota`, `project.none`."""
    return submit_all(node, actor, [given], project=project, kind=kind, again=again)[0]


def submit_all(
    node: Node, actor: Actor, given: Sequence[Any], *, project: str = "", kind: str = "task", again: int = 0
) -> list[Task]:
    """Ask for several tasks at once: all or none, each with its event."""
    if not actor.is_signed_in:
        raise MadangError("permission.sign_in", _("This needs an account."), _("Sign in first."))
    if len(given) > MOST_AT_ONCE:
        message = _("{count} tasks are too many at once; {most} is the most.")
        raise MadangError("task.definition", message.format(count=len(given), most=MOST_AT_ONCE))
    read = [read_definition(each) for each in given]
    needed = [needs_of(each) for each in read]
    number = None
    if project:
        with node.read() as session:
            number = find_project(session, project).id
    found = [staging.locate(node, actor, each, number) for each in read]
    asking = _Asking(actor, project, kind, again, list(zip(read, needed, found, strict=True)))
    together = _together.setdefault(node.home, Together())
    return together.write(node, partial(_asked_for, node, asking))


@dataclass(frozen=True)
class _Asking:
    """Who asks for which tasks: their descriptions, needs and inputs."""

    actor: Actor
    project: str
    kind: str
    again: int
    tasks: list[tuple[Definition, Needs, list[dict[str, Any]]]]


def _asked_for(node: Node, asking: _Asking, session: Session) -> list[Task]:
    actor, made = asking.actor, []
    of = find_project(session, asking.project) if asking.project else None
    share = share_of(actor, of.id if of else None)
    quotas.check_room(session, share, [needs for _definition, needs, _inputs in asking.tasks])
    for definition, needs, inputs in asking.tasks:
        task = Task(
            owner_id=actor.person_id,
            project_id=of.id if of else None,
            share=share,
            kind=asking.kind,
            name=definition.name or "",
            definition=as_text(definition),
            inputs=json.dumps(inputs, ensure_ascii=False),
            cores=needs.cores,
            memory=needs.memory,
            disk=needs.disk,
            seconds=needs.seconds,
            gpus=needs.gpus,
            again_id=asking.again or None,
        )
        with doing_in(session, node, actor, RUN, partial(_given, task)) as done:
            session.add(task)
            session.flush()
            tags = (definition.tags or {}).items()
            session.add_all(TaskTag(task_id=task.id, key=key, value=value) for key, value in tags)
            asked = {"cores": needs.cores, "memory": needs.memory, "seconds": needs.seconds}
            done.tell(share=share, kind=asking.kind, **asked)
        made.append(task)
    after_commit(session, lambda: _wake(node))
    return made


def _given(task: Task, _session: Session) -> Task:
    return task


def share_of(actor: Actor, project: int | None) -> str:
    """Who uses the machine: a project, otherwise a person, otherwise the owner of the home."""
    return f"project:{project}" if project else actor.reference


def _wake(node: Node) -> None:
    from madang.services.compute.runner import wake

    wake(node)


def see(node: Node, actor: Actor, number: int) -> Task:
    """A task. Errors: `task.none`, also where one may not know of it."""
    with node.read() as session:
        return _seen(session, actor, number)


def see_inside(node: Node, actor: Actor, number: int, *, leaving: bool = False) -> Task:
    """A task of which one may read what was asked; noted as read. `leaving`: and what it printed and left.

    Errors: `task.none`, `task.closed`.
    """
    with node.read() as session:
        found = _seen(session, actor, number)
        check(actor, READ, found)
    if leaving:
        permitted.check_leaves(actor, found)
    node.audit.read(actor, READ.name, f"task:{found.id}")
    return found


def _seen(session: Session, actor: Actor, number: int) -> Task:
    found = session.get(Task, number, options=[selectinload(Task.project), selectinload(Task.owner)])
    if found is None or not may(actor, SEE, found):
        raise MadangError("task.none", _("There is no such task."), _("Look at yours."))
    return found


@dataclass(frozen=True)
class Asked:
    """Which tasks a list is to hold: state, start of the name, tags (an empty value fits any), kind, below a number."""

    states: tuple[str, ...] = ()
    prefix: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    kind: str = ""
    below: int | None = None
    most: int = 50
    project: int | None = None


def list_tasks(node: Node, actor: Actor, asked: Asked) -> Sequence[Task]:
    """The tasks that one may see, the newest first; what is added meanwhile moves no later page."""
    if not actor.is_signed_in:
        raise MadangError("permission.sign_in", _("This needs an account."), _("Sign in first."))
    wanted = [visible(actor, SEE, Task)]
    if asked.states:
        wanted.append(Task.state.in_(asked.states))
    if asked.prefix:
        wanted.append(Task.name.startswith(asked.prefix, autoescape=True))
    if asked.kind:
        wanted.append(Task.kind == asked.kind)
    if asked.project is not None:
        wanted.append(Task.project_id == asked.project)
    if asked.below is not None:
        wanted.append(Task.id < asked.below)
    for key, value in asked.tags:
        fits = select(TaskTag.task_id).where(TaskTag.task_id == Task.id, TaskTag.key == key)
        wanted.append((fits.where(TaskTag.value == value) if value else fits).exists())
    query = select(Task).where(*wanted).order_by(Task.id.desc()).limit(asked.most)
    if actor.person_id is not None and not (actor.holds("administrator") or actor.holds("auditor")):
        # The newest of each share are found by an index; an `or` over owner and projects would sort all there are.
        shares = [actor.reference, *(f"project:{number}" for number in actor.projects)]
        newest = [select(Task.id).where(*wanted, Task.share == share) for share in shares]
        parts = [select(each.order_by(Task.id.desc()).limit(asked.most).subquery().c.id) for each in newest]
        query = select(Task).where(Task.id.in_(union_all(*parts))).order_by(Task.id.desc()).limit(asked.most)
    with node.read() as session:
        return session.scalars(query.options(selectinload(Task.project), selectinload(Task.owner))).all()


def cancel(node: Node, actor: Actor, number: int) -> Task:
    """Stop a task: one that waits is over at once, one that runs in a moment. Errors: `act.state` once it is over."""

    def find(session: Session) -> Task:
        return _seen(session, actor, number)

    with doing(node, actor, CANCEL, find) as done:
        done.thing.cancel = now()
        if done.thing.state == "queued":
            done.thing.ended = now()
            done.become("canceled")
        else:
            done.become("canceling")
    return done.thing


def again(node: Node, actor: Actor, number: int, changes: dict[str, Any] | None = None) -> Task:
    """Ask for a task once more, with parts of its description exchanged."""
    before = see_inside(node, actor, number)
    given = json.loads(before.definition) | (changes or {})
    project = before.project.name if before.project is not None else ""
    return submit(node, actor, given, project=project, kind=before.kind, again=before.id)


def clear(node: Node, actor: Actor, number: int) -> int:
    """Remove the files that a task left; how many bytes. What they were, and their hashes, stays known.

    Errors: `task.open` before its end.
    """

    def find(session: Session) -> Task:
        task = _seen(session, actor, number)
        if task.state not in ENDED:
            raise MadangError("task.open", _("The task is not over."), _("Stop it first."))
        return task

    with doing(node, actor, REMOVE, find) as done:
        size, done.thing.kept = done.thing.kept, 0
        done.tell(files=len(result_of(done.thing)["outputs"]), size=size)
    staging.remove_outputs(node, number)
    return size


def title_of(task: Task) -> str:
    """What people call a task."""
    return task.name or _("Task {number}").format(number=task.id)


def definition_of(task: Task) -> Definition:
    """The description that a task was asked for with."""
    return Definition.model_validate_json(task.definition)


def result_of(task: Task) -> dict[str, Any]:
    """What came of a task: `logs` of each command, `outputs` (name, path, size, sha256), `use` over time, `system`."""
    found: dict[str, Any] = {"logs": [], "outputs": [], "use": [], "system": [], "inputs": []}
    return found | dict(json.loads(task.result))


def printed(node: Node, actor: Actor, number: int, most: int = 200_000) -> list[tuple[str, str]]:
    """What the commands of a task printed so far, (stdout, stderr) of each, the end of it where it is long."""
    found = see_inside(node, actor, number, leaving=True)
    count = len(definition_of(found).executors)
    return [staging.printed(node, found.id, place, most) for place in range(count)]


def why_waiting(node: Node, task: Task) -> str:
    """Why a task waits, and about how long, in the reader's language; empty where it does not."""
    if task.state in (*ENDED, "running", "canceling"):
        return ""
    from madang.services.compute.cluster import cluster_of, told_of

    said = told_of(node.home).said if cluster_of(node.home) is not None else ""
    if said or task.state != "queued":
        return said
    with node.read() as session:
        ahead = session.execute(
            select(func.count(), func.sum(Task.cores)).where(Task.state == "queued", Task.id < task.id)
        ).one()
        running = session.scalar(select(func.sum(Task.cores)).where(Task.state.in_(("initializing", "running")))) or 0
        past = select(Task.started, Task.ended).where(
            Task.share == task.share, Task.kind == task.kind, Task.state == "complete"
        )
        times = [
            (e - s).total_seconds() for s, e in session.execute(past.order_by(Task.id.desc()).limit(20)) if s and e
        ]
        limit = quotas.limit_of(session, task.share)
    from madang.services.compute.definition import machine

    if limit is not None and limit.cores is not None:
        text = _("Waits: {cores} of {has} cores are in use, {ahead} tasks are before it; {most} cores is its quota.")
    else:
        text = _("Waits: {cores} of {has} cores are in use, {ahead} tasks are before it.")
    most = limit.cores if limit is not None else None
    told = text.format(cores=running, has=machine().cores, ahead=ahead[0], most=most)
    if times:
        guess = (sum(times) / len(times)) * (1 + (ahead[1] or 0) / machine().cores)
        told += " " + _("It may begin in about {minutes} minutes.").format(minutes=max(1, round(guess / 60)))
    return told


def waiting(node: Node, actor: Actor) -> list[Card]:
    """Tasks of one's own that failed within a day, for the start page."""
    if actor.person_id is None:
        return []
    query = select(Task).where(
        Task.owner_id == actor.person_id,
        Task.state.in_(("executor-error", "system-error")),
        Task.ended >= now() - timedelta(days=1),
    )
    with node.read() as session:
        found = session.scalars(query.order_by(Task.id.desc()).limit(5)).all()
    return [
        Card(
            _("A task failed"),
            each.name or _("Task {number}").format(number=each.id),
            f"/compute/{each.id}",
            each.ended,
        )
        for each in found
    ]


def of_project(node: Node, actor: Actor, project: int) -> list[Part]:
    """The newest tasks of a project, and what it used and has left, for its page."""
    found = list_tasks(node, actor, Asked(project=project, most=10))
    rows = [
        Row(
            each.name or _("Task {number}").format(number=each.id),
            f"/compute/{each.id}",
            label("task", each.state),
            each.created,
        )
        for each in found
    ]
    from madang.services.compute.usage import left_lines, usage

    mine = [each for each in usage(node, actor) if each.share == f"project:{project}"]
    use = [Row(text, "/compute") for each in mine for text in left_lines(each)]
    return [Part(_("Tasks"), rows), *([Part(_("Computing within 30 days"), use)] if use else [])]
