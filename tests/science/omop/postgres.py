"""A real PostgreSQL on loopback for a test, thrown away afterwards."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


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

    def database(self, name: str) -> str:
        """A fresh database."""
        self.psql("-c", f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0")
        return name


@contextmanager
def running(programs: Path) -> Iterator[Postgres]:
    """Start a server that trusts its only client; as root it runs as the user `postgres`, as it insists."""
    who = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="madang-postgres-"))
    try:
        if who:
            shutil.chown(folder, "postgres", "postgres")
        initdb = [programs / "initdb", "-D", folder / "data", "-U", "postgres", "-A", "trust", "-N", "--locale=C.UTF-8"]
        subprocess.run(initdb, check=True, capture_output=True, cwd=folder, **who)
        settings = [f"port={port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={folder}", "fsync=off"]
        options = [part for setting in settings for part in ("-c", setting)]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [programs / "postgres", "-D", folder / "data", *options], stdout=log, stderr=log, cwd=folder, **who
            )
        try:
            ready = [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
            deadline = time.monotonic() + 60
            while subprocess.run(ready).returncode:
                assert server.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < deadline, "PostgreSQL did not start"
                time.sleep(0.1)
            yield Postgres(programs, port)
        finally:
            server.terminate()
            server.wait(60)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
