"""What else may go wrong: disks that are full, schedulers that are slow or drained, names that are taken twice."""

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from madang.services.compute import runner, service, slurm, staging
from madang.services.compute.runner import work_off
from portal_house import OWNER, House
from services.compute.slurm_house import Cluster  # type: ignore[import-not-found]  # beside the tests
from services.compute.test_slurm import cluster, until  # type: ignore[import-not-found]  # noqa: F401  # a fixture
from services.compute.test_tasks import asked, done, member  # type: ignore[import-not-found]  # beside the tests
from support import MISSING


@contextlib.contextmanager
def full(folder: Path, megabytes: int = 1) -> Iterator[None]:
    """A file system of so little room where a folder is."""
    if os.geteuid() != 0:
        pytest.skip(f"{MISSING}the rights to mount a small file system")
    folder.mkdir(parents=True, exist_ok=True)
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700", "none", str(folder)]
    if subprocess.run(mounting, capture_output=True, check=False).returncode != 0:
        pytest.skip(f"{MISSING}the rights to mount a small file system")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.root
@pytest.mark.usefixtures("boxes")
@pytest.mark.parametrize("place", ["attempts", "tasks"])
def test_a_full_disk_ends_what_fills_it_and_nothing_else(place: str, house: House) -> None:
    """Where tasks work, and where what they leave is kept: each ends with a sentence, and the next one is done."""
    compute = house.node.home.folder("compute")
    many = asked("sh", "-c", "head -c 3000000 /dev/zero > big && echo said")
    many["resources"]["disk_gb"] = 1
    with full(compute / place):
        made = service.submit(house.node, OWNER, many)
        copied = asked(
            "sh", "-c", "rm /task/*", inputs=[{"path": f"/task/{n}", "content": "x" * 90_000} for n in range(11)]
        )
        second = service.submit(house.node, OWNER, copied)
        work_off(house.node)
        first, last = (service.see(house.node, OWNER, each.id) for each in (made, second))
        if place == "attempts":
            assert first.state == "executor-error" and first.code
            assert last.state == "system-error" and "space" in last.reason
        else:
            assert first.state == "system-error" and "space" in first.reason
            assert last.state == "complete"  # it leaves nothing that is large
        assert not service.result_of(first)["outputs"]
        assert list((compute / "attempts").iterdir()) == []  # what they filled is free again
    assert done(house, "sh", "-c", "echo ok > ok").state == "complete"


@pytest.mark.usefixtures("boxes")
def test_one_name_of_output_belongs_to_each_who_uses_it(house: House) -> None:
    """Two people, at the same time; and within one task a second file of a name is refused."""
    people = member(house), member(house, "steward")
    made = [
        service.submit(house.node, who, asked("sh", "-c", f"echo {place} > result.txt"))
        for place, who in enumerate(people)
    ]
    work_off(house.node)
    for place, each in enumerate(made):
        assert staging.output_path(house.node, each.id, "result.txt").read_text() == f"{place}\n"
    outputs = [{"path": f"/task/{name}", "url": "madang://result.txt"} for name in ("a", "b")]
    twice = service.submit(house.node, OWNER, asked("sh", "-c", "echo 1 > a; echo 2 > b") | {"outputs": outputs})
    work_off(house.node)
    found = service.see(house.node, OWNER, twice.id)
    assert found.state == "system-error" and "result.txt" in found.reason


@pytest.mark.usefixtures("boxes")
def test_what_cannot_even_begin_and_what_is_over_at_once_have_ends(house: House) -> None:
    never = done(house, "/no/such/program")
    assert never.state == "executor-error" and never.code == 127
    many = service.submit_all(house.node, OWNER, [asked("true")] * 20)
    work_off(house.node)
    assert {service.see(house.node, OWNER, each.id).state for each in many} == {"complete"}


@pytest.mark.root  # as daemons of Slurm run; its tasks never do
def test_a_drained_cluster_is_told_and_goes_on_afterwards(cluster: Cluster, house: House) -> None:  # noqa: F811  # fixtures are taken by their names
    name = socket.gethostname().split(".")[0]

    def node(*words: str) -> None:
        command = ["scontrol", "update", f"NodeName={name}", *words]
        subprocess.run(command, env=cluster.environment, check=True, capture_output=True, timeout=60)

    node("State=DRAIN", "Reason=test")
    made = service.submit(house.node, OWNER, asked("true"))
    working, end = runner.Runner(house.node), time.monotonic() + 90
    while "wait" not in service.why_waiting(house.node, service.see(house.node, OWNER, made.id)):
        working.round()
        assert time.monotonic() < end
    assert service.see(house.node, OWNER, made.id).state == "initializing"
    node("State=RESUME")
    (found,) = until(house, working, made.id)
    assert found.state == "complete" and found.attempts == 1
    assert service.why_waiting(house.node, found) == ""


def test_a_scheduler_that_does_not_answer_holds_nobody_up(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its commands hang: tasks wait with a sentence, and a stop of one that waits is done at once."""
    for command in ("sbatch", "squeue", "sinfo"):
        (tmp_path / command).write_text("#!/bin/sh\nexec sleep 60\n")
        (tmp_path / command).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(slurm, "_PATIENCE", 0.3)
    (tmp_path / "exchange").mkdir()
    settings = house.node.home.folder("compute") / "cluster.toml"
    settings.write_text(f'executor = "slurm"\nfolder = "{tmp_path / "exchange"}"\ncores = 2\nmemory = "4G"\n')
    made = [service.submit(house.node, OWNER, asked("true")) for _each in range(2)]
    working: Any = runner.Runner(house.node)
    end = time.monotonic() + 60
    while "cluster" not in service.why_waiting(house.node, service.see(house.node, OWNER, made[0].id)):
        working.round()
        assert time.monotonic() < end
    service.cancel(house.node, OWNER, made[0].id)
    (stopped,) = until(house, working, made[0].id)
    assert stopped.state == "canceled"
    assert service.see(house.node, OWNER, made[1].id).state == "initializing"
    assert working.is_busy
