"""What runs on a node of a cluster: takes tasks from the exchange folder, one after the other, and puts them back done.

    python -m madang.services.compute.pilot FOLDER CLASS SECONDS

It knows nothing of the installation: no home, no database, no key. A task is a folder; whoever renames it from
`waiting` has it, so it is run once. A file of its name in `stop` ends it. What it left is hashed here, and again where
it is kept.
"""

import json
import os
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from madang.node import closed
from madang.services.compute import boxes, staging
from madang.services.compute.definition import Definition, folders, roots

IDLE = 5.0  # seconds without work after which it goes
RESULT, SPEC, STOP, BEGUN = "result.json", "spec.json", "stop", "begun"
_TICK = 0.2


def main(folder: Path, kind: str, seconds: float) -> None:
    """Work until there has been nothing to do for a while, or another task might not end in time."""
    end = time.monotonic() + seconds
    mine = folder / "taken" / (os.environ.get("SLURM_JOB_ID") or f"p{os.getpid()}")
    mine.mkdir(parents=True, exist_ok=True)
    quiet = time.monotonic()
    while time.monotonic() - quiet < IDLE:
        task = _taken(folder / "waiting" / kind, mine, end - time.monotonic())
        if task is None:
            time.sleep(_TICK)
            continue
        _work(folder, task)
        task.rename(folder / "done" / task.name)
        quiet = time.monotonic()


def _taken(waiting: Path, mine: Path, left: float) -> Path | None:
    """The first task that waits and can end in the time that is left."""
    try:
        names = sorted(os.listdir(waiting), key=lambda name: [int(part) for part in name.split("-")])
    except (OSError, ValueError):
        return None
    for name in names:
        try:
            (waiting / name).rename(mine / name)
        except OSError:  # another one was faster
            continue
        if json.loads((mine / name / SPEC).read_text("utf-8"))["seconds"] <= left:
            return mine / name
        (mine / name).rename(waiting / name)
        return None
    return None


def _work(folder: Path, task: Path) -> None:
    """Run a task and write down how it ended; the result is there whole or not at all."""
    spec = json.loads((task / SPEC).read_text("utf-8"))
    (task / BEGUN).write_text(str(time.time()))
    stop, over = threading.Event(), threading.Event()
    threading.Thread(target=_listen, args=(folder / STOP / task.name, stop, over), daemon=True).start()
    told: dict[str, Any]
    try:
        told = _ran(task, spec, stop)
    except Exception as error:
        told = {"failed": f"{type(error).__name__}: {error}"[:500]}
    over.set()
    partial = task / f"{RESULT}.partial"
    partial.write_text(json.dumps(told), "utf-8")
    partial.rename(task / RESULT)


def _ran(task: Path, spec: dict[str, Any], stop: threading.Event) -> dict[str, Any]:
    definition = Definition.model_validate(spec["definition"])
    inputs = [each | ({"source": str(task / each["source"])} if "source" in each else {}) for each in spec["inputs"]]
    read, write = staging.prepare(task / "work", inputs, roots(definition), folders(definition))
    left = {root: path.relative_to(task).as_posix() for root, path in write.items()}
    mounted = dict(write)
    if spec["checkpoints"]:
        mounted[spec["checkpoints"]] = task / staging.CHECKPOINTS
        mounted[spec["checkpoints"]].mkdir(exist_ok=True)
    limits = boxes.Limits(spec["cores"], spec["memory"], spec["disk"], spec["seconds"], tuple(_gpus(spec["gpus"])))
    ran = boxes.run(definition, limits, spec["environments"], read, mounted, task, stop)
    hashes = {}
    if ran.code == 0 and not ran.reason:
        for root, path in write.items():
            for name, _size in closed.files_inside(path, most=100_000):
                hashes[f"{root}/{name}"] = staging.hash_of(path / name)
    return {"ran": asdict(ran), "write": left, "hashes": hashes}


def _gpus(count: int) -> list[str]:
    """The GPUs that the scheduler gave this job."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    return [f"/dev/nvidia{each}" for each in given.split(",") if each.isdecimal()][:count]


def _listen(path: Path, stop: threading.Event, over: threading.Event) -> None:
    while not over.wait(0.5):
        if path.exists():
            stop.set()
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]))
