"""`madang serve` with more than one process: they answer together, are started anew, and none is left behind."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[tuple[int, str]]:
    """Number and address of a portal of two processes."""
    environment = os.environ | {"MADANG_HOME": str(tmp_path), "MADANG_LANG": "en", "MADANG_WEB_PROCESSES": "2"}
    command = [str(Path(sys.executable).with_name("madang")), "serve", "--port", "0"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as served:
        assert served.stdout is not None
        try:
            found = re.search(r"http://[\d.:]+", served.stdout.readline())
            assert found is not None
            yield served.pid, found[0]
        finally:
            served.send_signal(signal.SIGCONT)
            served.terminate()


def helpers_of(number: int) -> list[int]:
    listed = subprocess.run(["pgrep", "-P", str(number), "-f", "madang.app.helper"], capture_output=True, text=True)
    return [int(line) for line in listed.stdout.split()]


def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.1)


def answers(address: str) -> bool:
    try:
        return httpx.get(address + "/records", timeout=2).status_code == 200
    except httpx.TransportError:
        return False


def test_either_process_answers_and_one_that_dies_is_started_anew(portal: tuple[int, str]) -> None:
    first, address = portal
    until(lambda: answers(address) and len(helpers_of(first)) == 1)
    [helper] = helpers_of(first)
    os.kill(first, signal.SIGSTOP)
    until(lambda: answers(address))
    os.kill(first, signal.SIGCONT)
    os.kill(helper, signal.SIGKILL)
    until(lambda: answers(address) and helpers_of(first) not in ([], [helper]))


@pytest.mark.sampled
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_no_process_is_left_behind(portal: tuple[int, str], end: signal.Signals) -> None:
    first, address = portal
    until(lambda: answers(address) and len(helpers_of(first)) == 1)
    [helper] = helpers_of(first)
    os.kill(first, end)
    until(lambda: not Path(f"/proc/{helper}/cmdline").exists() or not Path(f"/proc/{helper}/cmdline").read_bytes())
    assert not answers(address)
