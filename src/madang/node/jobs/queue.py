"""Starting, watching, stopping and repeating jobs: what people and rooms do with them."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from madang.base.canonical import canonical_json
from madang.base.errors import MadangError
from madang.base.translate import _, language
from madang.node import rooms
from madang.node.database import after_commit, now
from madang.node.jobs.keeper import wake
from madang.node.jobs.models import Job, JobEvent, error_kept, text_kept, titled
from madang.node.node import Node
from madang.node.people.actor import Actor, actor_as_json
from madang.node.permissions import check, visible

ENDED = ("done", "failed", "cancelled")
_Function = TypeVar("_Function", bound=Callable[..., Any])


def job(function: _Function) -> _Function:
    """Mark a function of a module as one that may be run as a job: `function(work, **arguments) -> JSON`."""
    function.is_job = True  # type: ignore[attr-defined]  # the mark that the worker looks for
    return function


def start(
    session: Session,
    node: Node,
    actor: Actor,
    function: Callable[..., Any],
    arguments: Mapping[str, Any],
    title: str,
    /,
    **values: str,
) -> int:
    """Start a job together with the other changes of `session`; its number.

    The title is marked with `later`; `values` are put into it in whichever language its reader has.

    The caller has checked that the actor may do what the job does.
    """
    if not getattr(function, "is_job", False):
        raise TypeError(f"{function.__qualname__} is not marked as a job")
    kind = rooms.job_of(function)
    added = Job(
        function=kind.name if kind is not None else f"{function.__module__}:{function.__name__}",
        lane=kind.lane if kind is not None else "short",
        arguments=canonical_json(dict(arguments)).decode(),
        title=titled(title, values),
        owner_id=actor.person_id,
        actor=actor_as_json(actor, language()),
    )
    session.add(added)
    session.flush()
    node.audit.record(session, actor, "job.start", f"job:{added.id}", {"function": added.function})
    after_commit(session, lambda: wake(node))
    return added.id


def find(node: Node, actor: Actor, job_id: int) -> Job:
    """A job as it is now."""
    with node.read() as session:
        found = _found(session, job_id)
        check(actor, "job.see", found)
        return found


def list_jobs(node: Node, actor: Actor, limit: int = 100) -> Sequence[Job]:
    """The jobs that this actor may see, the newest first."""
    with node.read() as session:
        query = select(Job).where(visible(actor, "job.see", Job)).order_by(Job.id.desc()).limit(limit)
        return session.scalars(query).all()


def events_after(node: Node, actor: Actor, job_id: int, last: int = 0) -> Sequence[JobEvent]:
    """What a job said after its event `last`, oldest first; a page that shows progress asks again and again."""
    with node.read() as session:
        check(actor, "job.see", _found(session, job_id))
        query = select(JobEvent).where(JobEvent.job_id == job_id, JobEvent.id > last).order_by(JobEvent.id).limit(1_000)
        return session.scalars(query).all()


def cancel(node: Node, actor: Actor, job_id: int) -> None:
    """Ask a job to stop; one that has not begun is cancelled at once, one that has ended stays as it is."""
    with node.write() as session:
        found = _found(session, job_id, lock=True)
        check(actor, "job.cancel", found)
        if found.state in ENDED:
            return
        found.cancel = True
        if found.state == "waiting":
            end(session, found, "cancelled")
            came_to_nothing(session, node, found)
        node.audit.record(session, actor, "job.cancel", f"job:{job_id}")


def retry(node: Node, actor: Actor, job_id: int) -> None:
    """Begin a job anew that failed or was cancelled."""
    with node.write() as session:
        found = _found(session, job_id, lock=True)
        check(actor, "job.cancel", found)
        if found.state not in ("failed", "cancelled"):
            raise MadangError("work.not_over", _("Only a job that failed or was cancelled can be repeated."))
        found.state, found.cancel, found.attempts, found.error, found.ended = "waiting", False, 0, None, None
        found.not_before = now()
        session.add(JobEvent(job_id=job_id, kind="waiting"))
        node.audit.record(session, actor, "job.retry", f"job:{job_id}")
        after_commit(session, lambda: wake(node))


def end(session: Session, found: Job, state: str, error: MadangError | None = None) -> None:
    """Put down how a job ended."""
    found.state, found.ended, found.worker, found.lease = state, now(), None, None
    if error is not None:
        found.error = error_kept(error)
    session.add(JobEvent(job_id=found.id, kind=state, text=text_kept(error.message) if error is not None else ""))


def came_to_nothing(session: Session, node: Node, job: Job) -> None:
    """Have the room of a job know that it failed or was cancelled, in the same transaction."""
    known = rooms.job_kind(job.function)
    if known is not None and known[1].failed:
        known[0].load(known[1].failed)(session, node, job.state, **json.loads(job.arguments))


def _found(session: Session, job_id: int, *, lock: bool = False) -> Job:
    found = session.get(Job, job_id, with_for_update=lock or None)
    if found is None:
        raise MadangError("work.none", _("There is no job {number}.").format(number=job_id))
    return found
