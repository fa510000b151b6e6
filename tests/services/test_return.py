"""A portal that was killed at its work, backed up and put back on an empty machine: what people find is the same."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from madang.app.portal import portal
from madang.node.backup import backup, restore
from madang.node.home import Home
from madang.node.jobs.models import Job
from madang.node.node import Node
from madang.services.catalog import service
from portal_house import OWNER, PEOPLE, VISITS, House, commit
from web.served import serving

QUESTIONS = ("/api/v1/records?q=서울", "/api/v1/records?q=clinic", "/api/v1/records/ours", "/api/v1/records")


def test_killed_at_work_backed_up_and_put_back_it_is_the_same_portal(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not house.node.database.is_sqlite:
        pytest.skip("a backup moves between databases in a test of its own")
    house.published("ours", title="서울 기록", title_en="Clinic of Seoul")
    commit(house.node, "next", person=PEOPLE, visit_occurrence=VISITS)
    service.make(house.node, OWNER, "next", "hospital")  # whose job waits

    environment = os.environ | {"MADANG_HOME": str(house.node.home.path)}
    command = [str(Path(sys.executable).with_name("madang")), "serve", "--port", "0"]
    served = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert served.stdout is not None
        found = re.search(r"http://\S+", served.stdout.readline())
        assert found is not None
        said = {path: httpx.get(found[0] + path, timeout=60).json() for path in QUESTIONS}
        assert said[QUESTIONS[0]]["total"] == said[QUESTIONS[1]]["total"] == 1
        until_running(house.node)
    finally:
        for process in [*children_of(served.pid), served.pid]:
            os.kill(process, signal.SIGKILL)
        served.wait()
        served.stdout.close()  # type: ignore[union-attr]  # it is a pipe

    made = backup(house.node, OWNER, tmp_path / "backup")
    restore(tmp_path / "backup", Home(tmp_path / "elsewhere"))
    monkeypatch.setenv("MADANG_HOME", str(tmp_path / "elsewhere"))
    again = Node.open(Home(tmp_path / "elsewhere"))
    report = again.audit.verify()
    assert (report.length, report.digest, report.findings) == (made.length, made.digest, [])
    lake, old = again.home.lake(), house.node.home.lake()
    assert {d.name: d.version().digest for d in lake.datasets()} == {d.name: d.version().digest for d in old.datasets()}
    with serving(portal(again, keeper=False)) as site:
        for path, answer in said.items():
            here = site.get(path).text.replace(site.address, found[0])
            assert httpx.Response(200, text=here).json() == answer, path
    again.close()


def until_running(node: Node) -> None:
    """Wait until somebody works at a job."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with node.read() as session:
            if session.query(Job).filter(Job.state == "running").count():
                return
        time.sleep(0.02)
    raise AssertionError("nobody works")


def children_of(process: int) -> list[int]:
    """All processes that a process started, and those they started."""
    listed = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [each for child in map(int, listed) for each in (*children_of(child), child)]
