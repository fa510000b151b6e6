"""A real Slurm runs tasks: what they read and leave goes to and fro as copies; whatever is killed, nothing is lost."""

import os
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from madang.services.compute import runner, service
from portal_house import OWNER, House
from services.compute.slurm_house import Cluster, slurm  # type: ignore[import-not-found]  # beside the tests
from services.compute.test_tasks import asked  # type: ignore[import-not-found]  # beside the tests
from support import EVERYTHING

pytestmark = pytest.mark.root  # as daemons of Slurm run; its tasks never do


@pytest.fixture
def cluster(house: House, boxes: None) -> Any:
    if not house.node.database.is_sqlite:
        pytest.skip("one database is enough")
    with slurm(house) as found:
        yield found


def until(house: House, working: runner.Runner, *numbers: int, seconds: float = 120) -> list[Any]:
    end = time.monotonic() + seconds
    while True:
        working.round()
        found = [service.see(house.node, OWNER, number) for number in numbers]
        if all(each.state in service.ENDED for each in found):
            return found
        assert time.monotonic() < end, [(each.id, each.state, each.attempts) for each in found]


def test_tasks_go_to_the_nodes_and_come_back(cluster: Cluster, house: House, tmp_path: Any) -> None:
    """One with inputs and outputs, one that fails, one that is stopped; nobody of them sees the home."""
    (tmp_path / "dna.txt").write_text("acgt")
    inputs = [{"url": (tmp_path / "dna.txt").as_uri(), "path": "/inputs/dna.txt"}]
    script = "tr a-z A-Z < /inputs/dna.txt > upper.txt; mkdir -p deep/er; echo x > deep/er/y; echo said >&2; echo out"
    good = service.submit(house.node, OWNER, asked("sh", "-c", script, inputs=inputs))
    bad = service.submit(house.node, OWNER, asked("sh", "-c", f"ls {house.node.home.path} || exit 7"))
    long = service.submit(house.node, OWNER, asked("sh", "-c", "echo begun; sleep 500", seconds=600))
    working = runner.Runner(house.node)
    assert working._executor.name == "slurm"
    first, second = until(house, working, good.id, bad.id)
    assert (first.state, second.state, second.code) == ("complete", "executor-error", 7), (first.reason, second.reason)
    kept = {each["name"]: each["sha256"] for each in service.result_of(first)["outputs"]}
    assert sorted(kept) == ["deep/er/y", "upper.txt"]
    assert service.printed(house.node, OWNER, good.id)[0] == ("out\n", "said\n")
    end = time.monotonic() + 60
    while service.printed(house.node, OWNER, long.id)[0][0] != "begun\n":
        working.round()
        assert time.monotonic() < end
    service.cancel(house.node, OWNER, long.id)
    assert until(house, working, long.id)[0].state == "canceled"
    assert first.started is not None and first.started < first.ended


@pytest.mark.big
@pytest.mark.skipif(not EVERYTHING, reason="only with --all")
def test_whoever_is_killed_nothing_is_lost_or_doubled(cluster: Cluster, house: House) -> None:
    """The runner, each daemon and the node are killed while 24 tasks run; each ends once and leaves its output once."""
    count = 24
    made = service.submit_all(house.node, OWNER, [asked("sh", "-c", "sleep 1; date +%s%N > ran")] * count)
    environment = os.environ | {"MADANG_HOME": str(house.node.home.path)}

    def begun() -> "subprocess.Popen[bytes]":
        return subprocess.Popen([sys.executable, "-m", "madang.services.compute.runner"], env=environment)

    def ended() -> int:
        return len(service.list_tasks(house.node, OWNER, service.Asked(states=service.ENDED, most=100)))

    child = begun()
    try:
        for victim in ("runner", "slurmctld", "slurmd", "node", "munged"):
            before, end = ended(), time.monotonic() + 90
            while ended() < min(count, before + 3):
                assert time.monotonic() < end, victim
                time.sleep(0.2)
            if victim == "runner":
                child.send_signal(signal.SIGKILL)
                child.wait()
                child = begun()
                continue
            cluster.kill(victim)
            time.sleep(2)
            cluster.start("slurmd" if victim == "node" else victim)
        end = time.monotonic() + 180
        while ended() < count:
            assert time.monotonic() < end, [
                (each.id, each.state) for each in service.list_tasks(house.node, OWNER, service.Asked(most=100))
            ]
            time.sleep(0.5)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    found = [service.see(house.node, OWNER, each.id) for each in made]
    assert [each.state for each in found] == ["complete"] * count, [each.reason for each in found]
    for each in found:
        assert [output["name"] for output in service.result_of(each)["outputs"]] == ["ran"]
    with house.node.read() as session:
        from sqlalchemy import text

        ends = session.execute(text("SELECT count(*), count(DISTINCT thing) FROM audit_events WHERE act = 'task.end'"))
        assert tuple(ends.one()) == (count, count)


def test_a_scheduler_that_is_down_is_told_and_waited_for(cluster: Cluster, house: House) -> None:
    cluster.kill("slurmctld")
    made = service.submit(house.node, OWNER, asked("true"))
    working, end = runner.Runner(house.node), time.monotonic() + 60
    while "cluster" not in service.why_waiting(house.node, service.see(house.node, OWNER, made.id)):
        working.round()
        assert time.monotonic() < end
    cluster.start("slurmctld")
    assert until(house, working, made.id)[0].state == "complete"
