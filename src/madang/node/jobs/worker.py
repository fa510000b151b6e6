"""The child process: claims a job, runs it, looks for the next, and goes when there is none.

`python -m madang.node.jobs.worker SLOT PACKAGE...`, started by the keeper. A job that some room lists is found by its
stable name; others by `module:name`, if it is of one of the packages.
"""

import contextlib
import importlib
import json
import os
import secrets
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from madang.base.errors import Cancelled, MadangError
from madang.base.translate import LANGUAGES, _, keeping, language, speaking
from madang.node import rooms
from madang.node.database import now
from madang.node.jobs.keeper import LANES, lanes_of, slot_lock
from madang.node.jobs.models import Job, JobEvent, text_kept
from madang.node.jobs.queue import came_to_nothing, end
from madang.node.jobs.work import Work, actor_of
from madang.node.node import Node

PASSING = ("database.busy", "database.unreachable", "database.disk_full", "lake.disk_full")  # worth another try
OUTPUT = 64_000  # characters of its output that are kept in the database; all of it is in logs/


def main(slot: int, packages: Sequence[str]) -> None:
    """Work until there is nothing to do."""
    node = Node.open()
    try:
        with slot_lock(node, slot, 1):  # others look for a moment whether it is free
            while run_next(node, packages, lanes_of(node, slot)):
                pass
    except MadangError as error:
        if error.code != "work.slot":  # another process has the slot: all is well
            print(error, file=sys.stderr)
    finally:
        node.close()


def run_next(node: Node, packages: Sequence[str], lanes: Sequence[str] = LANES) -> bool:
    """Claim one job of these lanes and run it; False if none is due."""
    worker = secrets.token_hex(8)
    with node.write() as session:
        found = claim(session, node, worker, lanes)
        if found is None:
            return False
        work_id, function, arguments, acts_as = found.id, found.function, found.arguments, found.actor
        attempt = found.attempts
    output = node.home.folder("logs") / f"job-{work_id}-{attempt}.log"
    spoken = json.loads(acts_as).get("language", "")
    # What it keeps is in the language of who began it; what it says on the way and why it failed is in the reader's.
    with captured(output), speaking(spoken if spoken in LANGUAGES else language()), keeping():
        try:
            with node.read() as session:
                actor = actor_of(session, acts_as)
        except MadangError as error:
            _give_up(node, work_id, worker, "failed", error, output)
            return True
        work = Work(node, actor, work_id, worker)
        stopped = threading.Event()
        heart = threading.Thread(target=_beat, args=(node, work, worker, stopped), daemon=True)
        heart.start()
        try:
            result = _function(function, packages)(work, **json.loads(arguments))
            if not work.finished:
                with work.finish(result):
                    pass
        except Cancelled as error:
            _give_up(node, work_id, worker, "cancelled", error, output)
        except MadangError as error:
            _give_up(node, work_id, worker, "waiting" if error.code in PASSING else "failed", error, output)
        except Exception as error:
            traceback.print_exc()
            what = f"{type(error).__name__}: {error}"
            said = MadangError("work.unexpected", _("This should not have happened: {error}.").format(error=what))
            _give_up(node, work_id, worker, "failed", said, output)
        finally:
            stopped.set()
            heart.join()
    _keep_output(node, work_id, output)
    return True


def claim(session: Session, node: Node, worker: str, lanes: Sequence[str] = LANES) -> Job | None:
    """The next job that is due, now leased to `worker`; those whose process died come first, or are given up."""
    at = now()
    settings = node.settings.jobs
    abandoned = select(Job).where(Job.state == "running", Job.lease < at).with_for_update(skip_locked=True)
    for each in session.scalars(abandoned):
        if each.cancel:
            end(session, each, "cancelled")
            came_to_nothing(session, node, each)
        elif each.attempts >= settings.attempts:
            message = _("Its process died {count} times.").format(count=each.attempts)
            end(session, each, "failed", MadangError("work.died", message))
            came_to_nothing(session, node, each)
        else:
            each.state, each.worker, each.lease = "waiting", None, None
            session.add(JobEvent(job_id=each.id, kind="waiting"))
    session.flush()
    due = select(Job).where(Job.state == "waiting", Job.not_before <= at, Job.lane.in_(lanes)).order_by(Job.id)
    found = session.scalar(due.limit(1).with_for_update(skip_locked=True))
    if found is not None:
        found.state, found.worker, found.started = "running", worker, at
        found.lease = at + timedelta(seconds=settings.lease_seconds)
        found.attempts += 1
        session.add(JobEvent(job_id=found.id, kind="started", done=found.attempts))
    return found


def _beat(node: Node, work: Work, worker: str, stopped: threading.Event) -> None:
    """Renew the lease until the work is over; stop the work if somebody asked for it or the lease is lost."""
    lease = node.settings.jobs.lease_seconds
    asked: float | None = None
    while not stopped.wait(min(lease / 4, 1.0)):
        with contextlib.suppress(MadangError), node.write() as session:
            held = work.held(session)
            if held is not None:
                held.lease = now() + timedelta(seconds=lease)
            if (held is None or held.cancel) and not work.finished and asked is None:
                asked = time.monotonic()
                work.cancel()
        if asked is not None and time.monotonic() - asked > node.settings.jobs.grace_seconds:
            _give_up(node, work.job_id, worker, "cancelled", Cancelled(), None)
            os._exit(1)  # it does not listen


def _give_up(node: Node, job_id: int, worker: str, state: str, error: MadangError, output: Path | None) -> None:
    """Put down that this attempt came to nothing, if the job is still ours."""
    with node.write() as session:
        found = session.get(Job, job_id, with_for_update=True)
        if found is None or found.worker != worker or found.state != "running":
            return
        if state == "waiting" and found.attempts < node.settings.jobs.attempts:
            found.state, found.worker, found.lease = "waiting", None, None
            found.not_before = now() + timedelta(seconds=5 * 4**found.attempts)
            session.add(JobEvent(job_id=job_id, kind="waiting", text=text_kept(error.message)))
            return
        state = "failed" if state == "waiting" else state
        end(session, found, state, None if state == "cancelled" else error)
        came_to_nothing(session, node, found)
        actor = actor_or_node(session, found.actor)
        node.audit.record(session, actor, f"job.{state}", f"job:{job_id}", {"code": error.code})


def actor_or_node(session: Session, text: str) -> Any:
    """As whom the end of a job is audited; the node itself where the account is gone or disabled."""
    from madang.node.people.actor import Actor

    try:
        return actor_of(session, text)
    except MadangError:
        return Actor.node()


def _function(name: str, packages: Sequence[str]) -> Callable[..., Any]:
    """The function that a job names: by its stable name, or of a package that may have jobs; marked as a job."""
    known = rooms.job_kind(name)
    if known is not None:
        return cast("Callable[..., Any]", known[0].load(known[1].function))
    module, _colon, attribute = name.partition(":")
    function: Callable[..., Any] | None = None
    if module.split(".")[0] in packages:
        with contextlib.suppress(ModuleNotFoundError):
            function = getattr(importlib.import_module(module), attribute, None)
    if function is None or not getattr(function, "is_job", False):
        raise MadangError("work.function", _("There is no job {function} here.").format(function=name))
    return function


@contextlib.contextmanager
def captured(path: Path) -> Iterator[None]:
    """Have everything that is printed, by other programs too, go to a file."""
    kept = [os.dup(1), os.dup(2)]
    with path.open("a", buffering=1, encoding="utf-8", errors="replace") as file:
        path.chmod(0o600)
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        try:
            with contextlib.redirect_stdout(file), contextlib.redirect_stderr(file):
                yield
        finally:
            for place, saved in enumerate(kept, 1):
                os.dup2(saved, place)
                os.close(saved)


def _keep_output(node: Node, job_id: int, output: Path) -> None:
    text = (
        output.read_bytes()[-4 * OUTPUT :]
        .decode("utf-8", "replace")[-OUTPUT:]
        .replace("\x00", "\N{REPLACEMENT CHARACTER}")
    )
    if text:
        with node.write() as session:
            found = session.get(Job, job_id)
            if found is not None:
                found.output = text
    else:
        output.unlink(missing_ok=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
