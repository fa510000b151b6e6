"""Run on a small disk of its own: a deposit from its first byte to its publication, the disk full at each step.

    python full_disk.py FOLDER LEFT ...

Before each step in turn all room but so many bytes is taken. The refusal is one sentence, nothing is half there, and
with room again the same step goes on to the end. Prints JSON: the runs, and how often each step was refused.
"""

import hashlib
import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from madang.base.errors import MadangError
from madang.node import jobs
from madang.node.database import now
from madang.node.home import Home
from madang.node.jobs.worker import run_next
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.science.formats import look
from madang.services.catalog import service as catalog
from madang.services.deposits import checks, putting, reading, service, store

OWNER = Actor.owner()
FULL = {"deposit.space", "database.disk_full", "lake.disk_full", "engine.disk_full"}
BIG = os.urandom(300_000)
SMALL = {f"s{number}.bin": os.urandom(9_000) for number in range(12)}


def main(folder: Path, left: list[int]) -> None:
    """The matrix."""
    store.SPARE = 0  # what keeps a disk from filling up; here it is to be full
    jobs.queue.wake = lambda node: None
    reading.look_together = lambda group: [  # no closed process: what is read writes nothing
        json.loads(json.dumps(look(path, name).__dict__, default=lambda each: each.__dict__)) for path, name in group
    ]
    node = Node.open(Home(folder / "home"))
    refused: Counter[str] = Counter()
    number = 0
    for step in _steps(node, "", folder):
        for room in left:
            number += 1
            _run(node, folder, f"d{number}", step, room, refused)
    node.close()
    print(json.dumps({"runs": number, "refused": refused}))


def _run(node: Node, folder: Path, name: str, step: str, left: int, refused: Counter[str]) -> None:
    given = folder / "given"
    shutil.rmtree(given, ignore_errors=True)
    given.mkdir()
    for file, content in SMALL.items():
        (given / file).write_bytes(name.encode() + content)
    (given / "big.bin").write_bytes(name.encode() + BIG)
    ballast = folder / "ballast"
    for what, act in _steps(node, name, given).items():
        if what == step:
            _fill(ballast, shutil.disk_usage(folder).free - left)
        try:
            act()
        except MadangError as error:
            if error.code not in FULL:
                raise
            refused[what] += 1
            _whole_or_nothing(node, name)
            ballast.unlink(missing_ok=True)
            act()
        ballast.unlink(missing_ok=True)
        _whole_or_nothing(node, name)
    deposit = service.see(node, OWNER, name)
    assert deposit.state == "published", deposit.state
    assert sorted(file.name for file in deposit.files) == sorted([*SMALL, "big.bin", "part.bin"])
    for file in deposit.files:
        content = store.whole(node.home, file.sha256).read_bytes()
        kept = BIG if file.name == "big.bin" else BIG[::-1] if file.name == "part.bin" else SMALL[file.name]
        assert content == name.encode() + kept, file.name
    deposits = node.home.folder("deposits")
    assert not list(deposits.glob("parts/*")), "a part is left over"
    assert all(len(path.name) == 64 for path in deposits.glob("whole/*/*")), "a temporary file is left over"


def _fill(ballast: Path, size: int) -> None:
    with ballast.open("wb") as file:
        piece = b"\x01" * (1 << 20)
        try:
            while size > 0:
                size -= file.write(piece[: min(size, len(piece))])
                file.flush()
        except OSError:
            pass  # to the last block


def _steps(node: Node, name: str, given: Path) -> dict[str, Callable[[], object]]:
    content = name.encode() + BIG[::-1]

    def begin() -> None:
        try:
            service.see(node, OWNER, name)
        except MadangError:
            service.begin(node, OWNER, name, "table", "house")

    def upload() -> None:
        """In pieces, as the protocol does: from where it is."""
        file = service.reserve(node, OWNER, name, "part.bin", len(content), hashlib.sha256(content).hexdigest())
        at = store.offset(node.home, file.id)
        while at < len(content):
            with store.appending(node.home, file.id, at, file.bytes) as part:
                part.write(content[at : at + 70_000])
                at = part.at
        service.finish(node, OWNER, name, file.id)

    def prepare() -> None:
        while run_next(node, ("madang",)):
            pass
        found = catalog.see(node, OWNER, f"deposit-{name}").versions[0]
        if found.state in ("ready", "published"):
            return
        with node.write() as session:  # it is tried again by itself, after a while: that is now
            job = session.get(jobs.Job, found.job_id)
            assert job is not None and job.state in ("waiting", "failed"), job
            job.state, job.not_before = "waiting", now()
        raise MadangError("lake.disk_full", "the job came to nothing")

    def uploaded() -> None:
        if not any(file.name == "part.bin" and file.sha256 for file in service.see(node, OWNER, name).files):
            upload()

    def in_state(wanted: str, act: Callable[[], object]) -> Callable[[], object]:
        """Done again only where it was not done: an answer may be lost after the act."""
        return lambda: act() if service.see(node, OWNER, name).state == wanted else None

    record = f"deposit-{name}"
    return {
        "begin": begin,
        "describe": lambda: service.describe(node, OWNER, name, description="d", license="CC0-1.0"),
        "put": lambda: putting.put_folder(node, OWNER, name, given),
        "upload": uploaded,
        "check": lambda: checks.check(node, OWNER, name),
        "submit": in_state("draft", lambda: service.submit(node, OWNER, name)),
        "approve": in_state("submitted", lambda: service.approve(node, OWNER, name)),
        "prepare": prepare,
        "publish": in_state("approved", lambda: catalog.publish(node, OWNER, record, 1)),
    }


def _whole_or_nothing(node: Node, name: str) -> None:
    """What is said to be whole is; what is published is so on both sides."""
    try:
        deposit = service.see(node, OWNER, name)
    except MadangError as error:
        if error.code == "deposit.none" or error.code in FULL:
            return
        raise
    for file in deposit.files:
        if file.sha256:
            content = store.whole(node.home, file.sha256).read_bytes()
            assert hashlib.sha256(content).hexdigest() == file.sha256 and len(content) == file.bytes, file.name
    try:
        record = catalog.see(node, OWNER, f"deposit-{name}")
    except MadangError:
        assert deposit.state != "published"
        return
    assert (record.state == "published") == (deposit.state == "published"), (record.state, deposit.state)


if __name__ == "__main__":
    main(Path(sys.argv[1]), [int(each) for each in sys.argv[2:]])
