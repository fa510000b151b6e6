"""The executor `slurm`: a cluster runs the tasks; this host alone opens the home, and what goes to and fro is copies.

    FOLDER/waiting/CLASS/7-1/     the first attempt of task 7, for whoever takes it
    FOLDER/taken/JOB/7-1/         a job of the cluster has it
    FOLDER/done/7-1/              it is over; the runner moves what it left into the home, comparing hashes

A job (`pilot`) carries many tasks of one class of needs, so a short task costs a rename and not a job. Every step is
one rename, and what a task is stands in these folders alone: when the runner dies the tasks go on, and the next runner
finds them. A job that the scheduler no longer knows took its unfinished tasks with it: they are begun again. Of a
scheduler that does not answer nothing is concluded.
"""

import contextlib
import hashlib
import json
import logging
import os
import pwd
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

import madang
from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake.files import make_folder
from madang.node import closed
from madang.node.database import now
from madang.node.node import Node
from madang.services.compute import boxes, staging
from madang.services.compute.cluster import STATE, cluster_of
from madang.services.compute.definition import Needs, checkpoints_of, environment_of
from madang.services.compute.executing import Held, Outcome, keep, lost, outcome_of, state_of
from madang.services.compute.models import Task
from madang.services.compute.pilot import BEGUN, RESULT, SPEC, STOP

_MOST = 500  # tasks that are with the cluster at one time
_POLL = 0.1  # seconds between two looks into the folders
_ASK = 2.0  # and between two questions to the scheduler
_LOOK = 15.0  # and about its nodes
_PATIENCE = 20.0  # for an answer of the scheduler
_MISSED = 3  # so many answers without a job, and it is gone
_OWN = 300 << 20  # bytes of memory that a pilot needs for itself
_STREAMS = ("out", "err")
_SPARE = 600  # seconds of a job beyond those of its tasks
_log = logging.getLogger(__name__)


class Slurm:
    """Has a cluster run tasks, through `sbatch`, `squeue` and `scancel`."""

    name = "slurm"

    def __init__(self, node: Node) -> None:
        cluster = cluster_of(node.home)
        assert cluster is not None
        self._node, self._cluster = node, cluster
        # So that several installations can share a cluster.
        self._job = "madang-" + hashlib.sha256(str(cluster.folder).encode()).hexdigest()[:8]
        self._with: dict[str, Held] = {}  # by the name of its folder
        self._asked, self._looked = 0.0, -_LOOK
        self._nodes: list[dict[str, Any]] = []
        self._missed: dict[str, int] = {}
        self._over: list[Outcome] = []
        # Whoever runs tasks may move them; where they are made, and told to stop, only the runner writes.
        for name in ("waiting", "taken", "done"):
            (cluster.folder / name).mkdir(parents=True, exist_ok=True)
            self._give(cluster.folder / name)
        shutil.rmtree(cluster.folder / "making", ignore_errors=True)
        for name in ("making", "stop"):
            (cluster.folder / name).mkdir(exist_ok=True)

    def wants(self, task: Task | None, taken: Sequence[Held]) -> bool:
        """Up to a number that keeps all jobs busy."""
        return len(self._with) + len(taken) < _MOST

    def begin(self, held: Held) -> None:
        """Copy what a task needs to where the nodes see it."""
        folder = self._cluster.folder

        def make(outcome: Outcome) -> None:
            making = folder / "making" / _name(held)
            shutil.rmtree(making, ignore_errors=True)
            making.mkdir()
            inputs = [self._copied(each, making, place) for place, each in enumerate(held.inputs)]
            needs = held.needs
            spec = {
                "definition": held.definition.model_dump(mode="json", exclude_none=True),
                "inputs": inputs,
                "checkpoints": checkpoints_of(held.definition),
                "environments": [environment_of(each.image) for each in held.definition.executors],
                **{name: getattr(needs, name) for name in ("cores", "memory", "disk", "seconds", "gpus")},
            }
            if spec["checkpoints"]:
                staging.copy_plain(
                    staging.checkpoints(self._node, held.number, held.again), making / staging.CHECKPOINTS
                )
            (making / SPEC).write_text(json.dumps(spec), "utf-8")
            for path in (making, *making.rglob("*")):
                self._give(path)
            waiting = folder / "waiting" / _class(needs)
            waiting.mkdir(exist_ok=True)
            self._give(waiting)
            making.rename(waiting / _name(held))

        outcome = outcome_of(held, make)
        if outcome.reason:
            self._over.append(outcome)
        else:
            self._with[_name(held)] = held

    def _copied(self, each: dict[str, Any], making: Path, place: int) -> dict[str, Any]:
        """An input as the node finds it: beside its description, with the hash that it had here."""
        if "error" in each:
            raise MadangError("task.input", each["error"])
        told = {key: value for key, value in each.items() if key not in ("source", "stamp")}
        if "source" in each:
            staging.check_unchanged(each)
            source, copy = Path(each["source"]), making / f"i{place}"
            if source.is_dir():
                shutil.copytree(source, copy)
            else:
                shutil.copyfile(source, copy)
                each["sha256"] = told["sha256"] = staging.hash_of(copy)
                each["size"] = copy.stat().st_size
            told["source"] = copy.name
        return told

    def _give(self, path: Path) -> None:
        """To the user as whom jobs run, where this process could be anybody."""
        if os.geteuid() == 0 and self._cluster.user:
            found = pwd.getpwnam(self._cluster.user)
            os.chown(path, found.pw_uid, found.pw_gid, follow_symlinks=False)

    def stop(self, held: Held) -> None:
        """Take it back where it waits; otherwise have its pilot end it."""
        waiting = self._cluster.folder / "waiting" / _class(held.needs) / _name(held)
        taken_back = self._cluster.folder / "making" / _name(held)
        try:
            waiting.rename(taken_back)
        except OSError:
            (self._cluster.folder / STOP / _name(held)).touch()
            return
        shutil.rmtree(taken_back, ignore_errors=True)
        self._with.pop(_name(held), None)
        self._over.append(Outcome(held, "canceled"))

    def ended(self, seconds: float) -> list[Outcome]:
        """What is done, and what is lost."""
        time.sleep(min(seconds, _POLL))
        over, self._over = self._over, []
        for name in _names(self._cluster.folder / "done"):
            path, held = self._cluster.folder / "done" / name, self._with.pop(name, None)
            if held is not None:
                over.append(outcome_of(held, lambda outcome, path=path: self._take_home(path, outcome)))
            shutil.rmtree(path, ignore_errors=True)  # also what nobody waits for any more
            (self._cluster.folder / STOP / name).unlink(missing_ok=True)
        if self._with and time.monotonic() - self._asked >= _ASK:
            self._look_at_taken()
            over += self._ask()
            self._asked = time.monotonic()
        return over

    def _take_home(self, path: Path, outcome: Outcome) -> None:
        """What a task printed and left, into the home; nothing that it names is followed out of its folder."""
        held = outcome.held
        self._keep_checkpoints(path, held)
        with closed.open_inside(path, RESULT, largest=100 << 20) as file:
            told = json.load(file)
        held.began = held.began or self._began(path)
        self._copy_logs(path, held)
        if "failed" in told:
            outcome.reason = _("The node of the cluster could not run it: {reason}").format(reason=told["failed"])
            return
        outcome.ran = TypeAdapter(boxes.Ran).validate_python(told["ran"])
        outcome.state, outcome.reason = state_of(outcome.ran), outcome.ran.reason
        keep(self._node, outcome, {root: _within(path, where) for root, where in told["write"].items()})
        for each in outcome.outputs:
            if told["hashes"].get(each["path"], each["sha256"]) != each["sha256"]:
                outcome.state = "system-error"
                outcome.reason = _("The output {name} changed on its way.").format(name=repr(each["name"])[:200])

    def _keep_checkpoints(self, path: Path, held: Held) -> None:
        """What a task left for its next attempt, in place of what an earlier one had."""
        left = path / staging.CHECKPOINTS
        if not checkpoints_of(held.definition) or not left.is_dir() or left.is_symlink():
            return
        folder = staging.checkpoints(self._node, held.number, held.again)
        partial = folder.with_name(f"{staging.CHECKPOINTS}.new")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o700)
        staging.copy_plain(left, partial)
        shutil.rmtree(folder)
        partial.rename(folder)

    def _copy_logs(self, path: Path, held: Held) -> None:
        """What a task printed so far, and what it uses."""
        folder = staging.folder_of(self._node, held.number)
        make_folder(folder, 0o700)
        places = range(len(held.definition.executors))
        for log in (boxes.USE, *(f"{place}.{ending}" for place in places for ending in _STREAMS)):
            _copy_log(path, folder / log)

    def _began(self, path: Path) -> datetime:
        try:
            with closed.open_inside(path, BEGUN, largest=100) as file:
                return datetime.fromtimestamp(float(file.read()), UTC)
        except (MadangError, ValueError):
            return now()

    def _look_at_taken(self) -> None:
        for job in _names(self._cluster.folder / "taken"):
            for name in _names(self._cluster.folder / "taken" / job):
                held = self._with.get(name)
                path = self._cluster.folder / "taken" / job / name
                if held is not None:
                    held.began = held.began or self._began(path)
                    self._copy_logs(path, held)

    def _ask(self) -> list[Outcome]:
        """Ask the scheduler for its jobs: those that are missing lost their tasks, and those that lack are begun."""
        try:
            answer = self._command("squeue", "--noheader", "--name", self._job, "--format", "%i|%T|%k|%r")
        except MadangError as error:
            self._told(error.message)
            return []
        self._look_at_nodes()
        rows = [line.strip().split("|", 3) for line in answer.splitlines() if line.count("|") >= 3]
        alive = {row[0] for row in rows if row[1] not in _GONE}
        over: list[Outcome] = []
        for job in _names(self._cluster.folder / "taken"):
            self._missed[job] = 0 if job in alive else self._missed.get(job, 0) + 1
            if self._missed[job] >= _MISSED:
                over += self._lost(self._cluster.folder / "taken" / job)
                self._missed.pop(job)
        said = self._submit([row[2] for row in rows if row[0] in alive])
        pending = [row[3] for row in rows if row[1] == "PENDING"]
        if not said and pending and len(pending) == len(alive) and not self._is_anything_taken():
            said = _("The cluster lets all jobs wait: {reason}.").format(reason=pending[0].strip("() ")[:200])
        self._told(said)
        return over

    def _is_anything_taken(self) -> bool:
        folder = self._cluster.folder / "taken"
        return any(_names(folder / job) for job in _names(folder))

    def _lost(self, job: Path) -> list[Outcome]:
        over = []
        for name in _names(job):
            held = self._with.pop(name, None)
            if held is not None:
                with contextlib.suppress(MadangError, OSError):
                    self._keep_checkpoints(job / name, held)
                over.append(lost(held))
            shutil.rmtree(job / name, ignore_errors=True)
        with contextlib.suppress(OSError):
            job.rmdir()
        return over

    def _submit(self, classes: list[str]) -> str:
        """Begin as many jobs as there are tasks that wait, up to the most; what the scheduler said against it."""
        said = ""
        for kind in _names(self._cluster.folder / "waiting"):
            waiting = len(_names(self._cluster.folder / "waiting" / kind))
            wanted = min(waiting, self._cluster.jobs)
            for _each in range(wanted - classes.count(kind)):
                if len(classes) >= self._cluster.jobs:
                    return said
                try:
                    self._sbatch(kind)
                except MadangError as error:
                    said = error.message
                    break
                classes.append(kind)
        return said

    def _sbatch(self, kind: str) -> None:
        cores, megabytes, seconds, gpus = (int(part) for part in kind.split("-"))
        lasts = 2 * seconds + _SPARE
        python, source = self._cluster.python or sys.executable, str(Path(madang.__file__).parent.parent)
        words = ["env", f"PYTHONPATH={source}", python] if not self._cluster.python else [python]
        words += ["-m", "madang.services.compute.pilot", str(self._cluster.folder), kind, str(lasts - _SPARE // 2)]
        script = f"#!/bin/sh\nexec {shlex.join(words)}\n"
        options = ["--job-name", self._job, "--comment", kind, "--cpus-per-task", str(cores)]
        options += ["--mem", f"{megabytes + (_OWN >> 20)}M", "--time", str(-(-lasts // 60)), "--no-requeue"]
        options += ["--output", "/dev/null", "--error", "/dev/null", "--chdir", "/", "--export", "NONE"]
        options += ["--gres", f"gpu:{gpus}"] if gpus else []
        options += ["--partition", self._cluster.partition] if self._cluster.partition else []
        self._command("sbatch", "--parsable", *options, *self._cluster.options, given=script)

    def _command(self, *command: str, given: str = "") -> str:
        """Run a command of the scheduler, as the user of the tasks; what it says. Errors: `task.cluster`."""
        as_user = []
        if os.geteuid() == 0 and self._cluster.user:
            found = pwd.getpwnam(self._cluster.user)
            as_user = ["setpriv", "--reuid", str(found.pw_uid), "--regid", str(found.pw_gid), "--clear-groups", "--"]
        try:
            ran = subprocess.run(
                [*as_user, *command],
                input=given,
                capture_output=True,
                text=True,
                timeout=_PATIENCE,
                check=False,
                cwd="/",
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise MadangError("task.cluster", _no_answer(type(error).__name__)) from None
        if ran.returncode != 0:
            raise MadangError("task.cluster", _no_answer(ran.stderr.strip().splitlines()[-1:] or ran.returncode))
        return ran.stdout

    def _told(self, said: str) -> None:
        """Leave for those who ask why tasks wait what the scheduler said."""
        path = self._node.home.folder("compute") / STATE
        with contextlib.suppress(OSError):
            told = {"at": now().isoformat(), "said": said, "nodes": self._nodes}
            path.write_text(json.dumps(told), "utf-8")

    def _look_at_nodes(self) -> None:
        """What the scheduler says of its nodes, for the operator's page; a matter of form, so errors are no matter."""
        if time.monotonic() - self._looked < _LOOK:
            return
        self._looked = time.monotonic()
        with contextlib.suppress(MadangError, ValueError):
            rows = self._command("sinfo", "--noheader", "--Node", "--format", "%N|%T|%c|%C|%m").splitlines()
            found = {}
            for name, state, cores, busy, megabytes in (row.split("|") for row in rows):  # once for each partition
                in_use = int(busy.split("/")[0])  # allocated/idle/other/total
                memory = int(megabytes) << 20
                found[name] = {"name": name, "state": state, "cores": int(cores), "in_use": in_use, "memory": memory}
            self._nodes = list(found.values())

    def adopt(self, task: Task) -> Held | None:
        """A task that is with the cluster is still ours."""
        held = Held.of(task)
        places = [self._cluster.folder / "waiting" / _class(held.needs) / _name(held)]
        places += self._cluster.folder.glob(f"taken/*/{_name(held)}")
        places.append(self._cluster.folder / "done" / _name(held))
        if not any(place.exists() for place in places):
            return None
        held.began, held.noted = task.started, task.state == "running"
        self._with[_name(held)] = held
        if task.state == "canceling":
            held.stop.set()
            self.stop(held)
        return held

    def finish(self) -> None:
        """Jobs without work go by themselves."""


_GONE = ("BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "TIMEOUT")


def _name(held: Held) -> str:
    return f"{held.number}-{held.attempt}"


def _class(needs: Needs) -> str:
    """Tasks of one class can follow each other in one job: cores, megabytes in steps of 256, seconds by powers of 2."""
    megabytes = -(-needs.memory // (256 << 20)) * 256
    return f"{needs.cores}-{megabytes}-{1 << max(6, (needs.seconds - 1).bit_length())}-{needs.gpus}"


def _names(folder: Path) -> list[str]:
    with contextlib.suppress(OSError):
        return os.listdir(folder)
    return []


def _within(path: Path, where: str) -> Path:
    """A folder that a pilot names: below its own, without any link."""
    found = path / where
    if found.resolve() != path.resolve() / where:
        raise MadangError("task.cluster", _no_answer(repr(where)))
    return found


def _copy_log(folder: Path, target: Path) -> None:
    """Copy a log as far as it is there, unless ours is as long."""
    with contextlib.suppress(MadangError, OSError):
        with closed.open_inside(folder, target.name, largest=boxes.LARGEST_LOG + 100) as source:
            size = os.fstat(source.fileno()).st_size
            if target.exists() and target.stat().st_size == size:
                return
            partial = target.with_suffix(".partial")
            partial.write_bytes(source.read(size))
        partial.replace(target)


def _no_answer(reason: Any) -> str:
    return _("The cluster does not do its work: {reason}").format(reason=str(reason)[:300])
