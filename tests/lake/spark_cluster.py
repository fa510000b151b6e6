"""A standalone cluster of Spark on this machine: a master and two workers of one core."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from madang.lake.spark.engine import installed


@dataclass
class Cluster:
    """A cluster that runs: its address, and the processes of its workers."""

    address: str
    workers: list["subprocess.Popen[bytes]"]

    def executors(self) -> list[int]:
        """The processes that compute: children of the workers."""
        found = []
        for worker in self.workers:
            waiting = [worker.pid]
            while waiting:
                with contextlib.suppress(OSError):
                    current = waiting.pop()
                    for task in os.listdir(f"/proc/{current}/task"):
                        waiting += map(int, Path(f"/proc/{current}/task/{task}/children").read_text().split())
                    if b"CoarseGrainedExecutorBackend" in Path(f"/proc/{current}/cmdline").read_bytes():
                        found.append(current)
        return found


class Killing:
    """Kills executors of a cluster while work is done there, each at a random moment."""

    def __init__(self, cluster: Cluster, seed: int) -> None:
        self.killed: list[int] = []
        self._cluster, self._draw, self._taken = cluster, random.Random(seed), 0.0

    @contextlib.contextmanager
    def during(self) -> Iterator[None]:
        """A round of the work; the first one only says how long a round takes."""
        begun = time.monotonic()
        killer = threading.Thread(target=self._kill, args=(self._draw.uniform(0, self._taken),), daemon=True)
        if self._taken:
            killer.start()
        yield
        if self._taken:
            killer.join()
        self._taken = time.monotonic() - begun

    def _kill(self, after: float) -> None:
        """One of several; with none left there would be nobody to go on."""
        time.sleep(after)
        running = self._cluster.executors()
        if len(running) > 1:
            self.killed.append(self._draw.choice(running))
            with contextlib.suppress(OSError):
                os.kill(self.killed[-1], signal.SIGKILL)


def _free() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@contextlib.contextmanager
def standalone(folder: Path) -> Iterator[Cluster]:
    """Start it, and end it with all that it started."""
    (home,) = installed().parents[1].glob("lib/python3*/site-packages/pyspark")
    environment = {
        **{name: os.environ[name] for name in ("PATH", "JAVA_HOME", "HOME") if name in os.environ},
        **{"SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_DAEMON_MEMORY": "256m", "TZ": "UTC"},
        "PYSPARK_PYTHON": str(installed()),
    }
    port, started = _free(), []

    def start(name: str, *words: str) -> "subprocess.Popen[bytes]":
        command = [str(home / "bin" / "spark-class"), f"org.apache.spark.deploy.{name}", *words]
        with (folder / f"{len(started)}.log").open("wb") as log:
            made = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
        started.append(made)
        return made

    try:
        host = ["--host", "127.0.0.1"]
        start("master.Master", *host, "--port", str(port), "--webui-port", str(_free()))
        end = time.monotonic() + 120
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert time.monotonic() < end, (folder / "0.log").read_text()
            time.sleep(0.3)
        address = f"spark://127.0.0.1:{port}"
        words = ["--cores", "1", "--memory", "1g", "--webui-port"]
        workers = [
            start("worker.Worker", *host, *words, str(_free()), "--work-dir", str(folder / f"w{n}"), address)
            for n in (0, 1)
        ]
        yield Cluster(address, workers)
    finally:
        for process in reversed(started):
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
