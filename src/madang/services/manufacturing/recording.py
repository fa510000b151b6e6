"""Runs that are recorded from equipment while they go on: each by a process of its own, which the portal starts again
if it died. A lock of the kernel is its lease. Equipment is only read; where it is simulated, the process starts the
simulated plant too.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake.files import locked
from madang.node.acts import doing
from madang.node.database import after_commit
from madang.node.home import Home
from madang.node.node import Node
from madang.node.people import Actor
from madang.node.text import clean_line
from madang.services.manufacturing.acts import RECORD, STOP
from madang.services.manufacturing.models import Equipment, Study
from madang.services.manufacturing.studies import RUN, _found

LONGEST = 60 * 86_400.0  # seconds of one recording
_TICK = 2.0
MODULE = "madang.services.manufacturing.recording"


def begin_recording(
    node: Node,
    actor: Actor,
    equipment: int,
    title: str,
    *,
    unit: str = "",
    golden: int = 0,
    faults: tuple[str, ...] = (),
    speed: float = 600.0,
    seconds: float = LONGEST,
    at_once: bool = True,
) -> Study:
    """Record a run from equipment of a project until somebody ends it. `unit` is the part of the equipment whose
    signals are shown first, `golden` a study of good runs that it is held against; `faults` and `speed` (process
    seconds per second) are of simulated equipment alone. Errors: `equipment.none`, those of faults."""
    from madang.science.bioprocess.plant.faults import read_fault

    for text in faults:
        read_fault(text)
    named = clean_line(title, _("The title"), 300, required=True)
    with doing(node, actor, RECORD, lambda session: _equipment(session, equipment).project) as done:
        of = _equipment(done.session, equipment)
        if faults and not of.simulated:
            raise MadangError("equipment.real", _("Only simulated equipment has faults on request."))
        asked: dict[str, Any] = {"equipment": of.name, "address": of.address, "simulated": of.simulated, "unit": unit}
        asked |= {"golden": golden, "faults": list(faults), "seconds": min(seconds, LONGEST)}
        asked["speed"] = speed if of.simulated else 1.0
        made = Study(project_id=of.project_id, owner_id=actor.person_id, kind=RUN, title=named, asked=json.dumps(asked))
        done.session.add(made)
        done.session.flush()
        number = made.id
        if at_once:  # else it begins when the portal opens
            after_commit(done.session, lambda: _spawn(node.home, number))
        done.tell(name=named)
    return made


def stop_recording(node: Node, actor: Actor, number: int) -> None:
    """End a recording; it becomes a version of the lake."""
    with doing(node, actor, STOP, lambda session: _found(session, number).project) as done:
        study = _found(done.session, number)
        if study.kind != RUN or study.state != "working":
            raise MadangError("recording.state", _("This is no recording that goes on."))
        study.state = "ending"
        done.tell(name=study.title)


def opened(node: Node) -> None:
    """Called when the portal opens: recordings whose process died go on."""
    with node.read() as session:
        query = select(Study.id).where(Study.kind == RUN, Study.state.in_(("working", "ending")))
        numbers = session.scalars(query).all()
    for number in numbers:
        if _is_free(node.home, number):
            _spawn(node.home, number)


def log_folder(home: Home, number: int) -> Path:
    """Where the readings of a recording are."""
    return home.folder("runs") / f"study-{number}"


def _spawn(home: Home, number: int) -> None:
    with (home.folder("logs") / "recorder.log").open("ab") as output:
        subprocess.Popen(
            [sys.executable, "-m", MODULE, str(number)],
            env={**os.environ, "MADANG_HOME": str(home.path)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def _lock(home: Home, number: int) -> contextlib.AbstractContextManager[None]:
    busy = MadangError("recording.busy", "The recorder works.")
    return locked(home.folder("run") / f"recorder-{number}.lock", exclusive=True, patience=0, busy=busy)


def _is_free(home: Home, number: int) -> bool:
    try:
        with _lock(home, number):
            return True
    except MadangError as error:
        if error.code != "recording.busy":
            raise
        return False


def keep_recording(node: Node, number: int) -> None:
    """Record until somebody ends it, then make a version of it; nothing where another process does so already."""
    try:
        with _lock(node.home, number):
            _record(node, number)
    except MadangError as error:
        if error.code != "recording.busy":
            print(error, file=sys.stderr)
            _ended(node, number, "failed", {}, str(error))


def main(number: int) -> None:
    """What the process of a recording does."""
    node = Node.open()
    try:
        keep_recording(node, number)
    finally:
        node.close()


def _record(node: Node, number: int) -> None:
    from madang.science.bioprocess.runs.record import record
    from madang.science.bioprocess.runs.table import finish

    with node.read() as session:
        study = _found(session, number)
        asked, state = json.loads(study.asked), study.state
    folder = log_folder(node.home, number)
    begun = folder / "begun"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not begun.exists():
        begun.write_text(f"{time.time():.3f}")
    left = asked["seconds"] - (time.time() - float(begun.read_text()))
    if state == "working" and left > 0:
        with _plant(node, number, asked) as address:
            looked = [time.monotonic()]

            def stopped() -> bool:
                if time.monotonic() - looked[0] < _TICK:
                    return False
                looked[0] = time.monotonic()
                with node.read() as session:
                    kept = session.get(Study, number)
                    return kept is None or kept.state != "working"

            record(address, folder, left, stopped=stopped)
    version = finish(folder, node.home.lake(), f"run-study-{number}", {"run": f"study-{number}"})
    _ended(node, number, "done", {"version": version}, "")


@contextlib.contextmanager
def _plant(node: Node, number: int, asked: dict[str, Any]) -> Any:
    """The address to record from; simulated equipment runs as long as the block does."""
    if not asked["simulated"]:
        yield asked["address"]
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = node.home.folder("plant") / f"study-{number}"
    command = [sys.executable, "-m", MODULE, "plant", str(port)]
    command += [str(asked["speed"]), str(folder), *asked["faults"]]
    plant = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        yield f"opc.tcp://127.0.0.1:{port}/madang/plant"
    finally:
        plant.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            plant.wait(10)
        plant.kill()
        plant.wait()


def _ended(node: Node, number: int, state: str, answer: dict[str, Any], error: str) -> None:
    with node.write() as session:
        kept = session.get(Study, number)
        if kept is not None:
            kept.state, kept.answer, kept.error = state, json.dumps(answer), error


def _equipment(session: Session, number: int) -> Equipment:
    found = session.get(Equipment, number)
    if found is None:
        raise MadangError("equipment.none", _("There is no such equipment."), _("Look at yours."))
    return found


def plant(port: int, speed: float, folder: Path, faults: list[str]) -> None:
    """Be the simulated plant, as long as the process that started this one lives."""
    from madang.science.bioprocess.plant.faults import read_fault
    from madang.science.bioprocess.plant.server import Plan, serve

    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()
    serve(Plan(folder, port, speed, 1.0, tuple(read_fault(text) for text in faults)))


if __name__ == "__main__":
    if sys.argv[1] == "plant":
        plant(int(sys.argv[2]), float(sys.argv[3]), Path(sys.argv[4]), sys.argv[5:])
    else:
        main(int(sys.argv[1]))
