"""A real PostgreSQL on loopback for the tests: one server per test run, thrown away afterwards."""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from madang.lake.files import locked

RUN = "MADANG_TEST_POSTGRES"  # where the processes of one test run find their server
# Ends the server of a test run that was killed: it waits for the leading process to be gone.
WATCH = """while kill -0 "$1" 2>/dev/null; do sleep 1; done
if [ -e "$3/data/postmaster.pid" ]; then kill -INT "$2"; sleep 2; rm -rf "$3"; fi"""


def binaries() -> Path | None:
    """Where PostgreSQL's programs are, the newest that is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).parent if on_path and shutil.which("psql") else None


@dataclass(frozen=True)
class Postgres:
    """A running server; `psql` runs its client and gives what it prints."""

    binaries: Path
    port: int

    def psql(self, *arguments: str, database: str = "postgres", fails: bool = False) -> str:
        command = [self.binaries / "psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-d", database]
        done = subprocess.run([*command, "-X", "-q", "-A", "-t", *arguments], capture_output=True, text=True)
        assert (done.returncode != 0) == fails, done.stderr
        return done.stderr if fails else done.stdout.strip()

    def database(self, name: str, like: str = "template0") -> str:
        """A new database: an empty one, or a copy of one that nobody is connected to."""
        self.psql("-c", f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE {like}")
        return name

    def fresh(self, like: str = "template0") -> str:
        """A new database whose name nobody else has."""
        return self.database(f"test_{uuid.uuid4().hex}", like)

    def url(self, database: str) -> str:
        """How a program connects to a database."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"


def begin_run() -> None:
    """Called once by the process that leads a test run."""
    if RUN not in os.environ:
        os.environ[RUN] = tempfile.mkdtemp(prefix="madang-postgres-")
        (Path(os.environ[RUN]) / "leader").write_text(str(os.getpid()))


def end_run() -> None:
    """Stop the server, if any test asked for one."""
    folder = Path(os.environ.pop(RUN))
    try:
        if (folder / "server.json").exists():
            pid = json.loads((folder / "server.json").read_text())["pid"]
            os.kill(pid, signal.SIGINT)  # what PostgreSQL calls a fast shutdown
            deadline = time.monotonic() + 30
            while (folder / "data" / "postmaster.pid").exists() and time.monotonic() < deadline:
                time.sleep(0.05)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def server(programs: Path) -> Postgres:
    """The server of this test run, started for whoever asks first."""
    folder = Path(os.environ[RUN])
    with locked(folder / "lock", exclusive=True, patience=120, busy=RuntimeError("PostgreSQL did not start")):  # type: ignore[arg-type]  # any error will do
        known = folder / "server.json"
        if not known.exists():
            known.write_text(json.dumps(_start(programs, folder)))
        return Postgres(programs, json.loads(known.read_text())["port"])


def _start(programs: Path, folder: Path) -> dict[str, int]:
    """Start a server that trusts its only client; as root it runs as the user `postgres`, as it insists."""
    who = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    if who:
        shutil.chown(folder, "postgres", "postgres")
    initdb = [programs / "initdb", "-D", folder / "data", "-U", "postgres", "-A", "trust", "-N", "--locale=C.UTF-8"]
    subprocess.run(initdb, check=True, capture_output=True, cwd=folder, **who)
    settings = [f"port={port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={folder}", "fsync=off"]
    options = [part for setting in settings for part in ("-c", setting)]
    with (folder / "log").open("wb") as log:
        started = subprocess.Popen(
            [programs / "postgres", "-D", folder / "data", *options],
            stdout=log,
            stderr=log,
            cwd=folder,
            start_new_session=True,  # Ctrl-C on the tests must not reach it before end_run does
            **who,
        )
    ready = [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
    deadline = time.monotonic() + 60
    while subprocess.run(ready).returncode:
        assert started.poll() is None, (folder / "log").read_text()
        assert time.monotonic() < deadline, "PostgreSQL did not start"
        time.sleep(0.1)
    leader = (folder / "leader").read_text()
    watch = ["sh", "-c", WATCH, "watch", leader, str(started.pid), str(folder)]
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.Popen(watch, start_new_session=True, **quiet)
    return {"pid": started.pid, "port": port}
