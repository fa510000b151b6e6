"""What a job's function gets: the node, as whom it acts, and ways to say how far it is and that it is done."""

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

from sqlalchemy.orm import Session

from madang.base.canonical import canonical_json
from madang.base.errors import Cancelled
from madang.base.progress import Progress
from madang.node.database import now
from madang.node.jobs.models import Job, JobEvent, text_kept
from madang.node.node import Node
from madang.node.people.actor import Actor

_MOVED_EVERY = 0.5  # seconds between two entries of the same step


class Lost(Cancelled):
    """The lease ran out and another process has the job, or somebody cancelled it."""


class Work(Progress):
    """One attempt at a job. It is a `Progress`: pass it down to what does the work."""

    def __init__(self, node: Node, actor: Actor, job_id: int, worker: str) -> None:
        super().__init__()
        self.node = node
        self.actor = actor
        self.job_id = job_id
        self.finished = False
        self._worker = worker
        self._steps: list[tuple[str, int | None]] = []
        self._done = 0
        self._told = 0.0
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def finish(self, result: Any = None) -> Iterator[Session]:
        """The transaction in which the job has its effect and is done, both or neither.

        Raises `Lost` if the job is no longer ours to finish.
        """
        with self.node.write() as session:
            held = self.held(session)
            if held is None or held.cancel:
                raise Lost()
            yield session
            held.state, held.ended, held.worker, held.lease = "done", now(), None, None
            held.result = None if result is None else canonical_json(result).decode()
            session.add(JobEvent(job_id=self.job_id, kind="done"))
            self.node.audit.record(session, self.actor, "job.done", f"job:{self.job_id}")
        self.finished = True

    def held(self, session: Session) -> Job | None:
        """The job, locked, if its lease is still this attempt's."""
        found = session.get(Job, self.job_id, with_for_update=True)
        return found if found is not None and found.state == "running" and found.worker == self._worker else None

    def begin(self, name: str, total: int | None, unit: str) -> None:
        """A step was opened."""
        with self._lock:
            self._steps.append((name, total))
            self._done = 0
        self._tell("begin", name, 0, total)

    def moved(self, amount: int) -> None:
        """The innermost open step went on."""
        with self._lock:
            self._done += amount
            if not self._steps or time.monotonic() - self._told < _MOVED_EVERY:
                return
            self._told = time.monotonic()
            name, total, done = *self._steps[-1], self._done
        self._tell("moved", name, done, total)

    def end(self, name: str) -> None:
        """A step was closed."""
        with self._lock:
            _name, total = self._steps.pop()
            done, self._done = self._done, 0
        self._tell("end", name, done, total)

    def _tell(self, kind: str, text: str, done: int, total: int | None) -> None:
        if self.finished:
            return
        with self.node.write() as session:
            session.add(JobEvent(job_id=self.job_id, kind=kind, text=text_kept(text), done=done, total=total))


def actor_of(session: Session, text: str) -> Actor:
    """As whom a job acts, with the roles that they hold now; refuses an account that was disabled meanwhile."""
    kept = json.loads(text)
    scopes = None if kept["scopes"] is None else frozenset(kept["scopes"])
    if kept["kind"] == "person":
        return Actor.person(session, kept["person_id"], scopes=scopes, via="job")
    return Actor(kept["kind"], kept["name"], scopes=scopes, via="job")
