"""ATLAS on exactly one version of a dataset: its server in the box, with the gate before it."""

import contextlib
import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake import Version
from madang.lake.engine import quote_name, quote_paths
from madang.lake.files import locked
from madang.node.closed import Box, Limits, Running
from madang.science.cohorts.opened import view_statements
from madang.science.cohorts.seam import CDM
from madang.services.cohorts import atlas_box
from madang.services.cohorts.gate import ask

FOLDER = "/scratch"  # inside the box
MEMORY = 3 << 30
STARTS_WITHIN = 60.0  # seconds
_PREFIX = "madang-atlas-"
_BUSY = MadangError("atlas.busy", "Another process has it.")
_IN_CAPITALS = ("vocabulary", "domain")


@dataclass
class Atlas:
    """One ATLAS that runs: `socket` is where it answers, `progress` what it last said about Achilles."""

    version: Version
    running: Running
    socket: Path
    numbers: dict[str, int] = field(default_factory=dict)
    progress: str = ""

    @property
    def is_alive(self) -> bool:
        """Whether its box still runs."""
        return self.running.is_alive

    def put(self, name: str, expression: str) -> int:
        """Put a definition into its store; the number that it has there."""
        body = json.dumps({"name": name, "expressionType": "SIMPLE_EXPRESSION", "expression": expression}).encode()
        status, _headers, data = ask(
            self.socket, "POST", "/WebAPI/cohortdefinition", {"content-type": "application/json"}, body
        )
        if status != 200:
            raise MadangError("atlas.failed", _("ATLAS did not take the definition {name}.").format(name=name))
        self.numbers[name] = int(json.loads(data)["id"])
        return self.numbers[name]


@contextmanager
def started(
    version: Version,
    vocabulary: Version | None,
    *,
    definitions: Mapping[str, str] | None = None,
    minimum: int = 5,
    achilles: bool = True,
    memory: int = MEMORY,
    threads: int | None = None,
    user: str = "madang",
    say: Callable[[str], None] | None = None,
) -> Iterator[Atlas]:
    """Start ATLAS on a version and end it afterwards; nothing is left then.

    `definitions` (expressions as JSON, by name) are in its store from the start. Achilles results are computed in the
    background, without cells about fewer than `minimum` persons; `say` is told how far they are. Errors:
    `closed.missing` where nothing can be closed in, `atlas.failed` where it does not start.
    """
    _sweep()
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    lock = contextlib.ExitStack()
    lock.enter_context(locked(_lock_of(folder), exclusive=True, patience=0, busy=_BUSY))
    try:
        inside = _files(version, vocabulary)
        config = {
            "socket": f"{FOLDER}/socket",
            "database": f"{FOLDER}/data.duckdb",
            "store": f"{FOLDER}/store.duckdb",
            "views": _views(inside),
            "source": version.name,
            "user": user,
            "memory": f"{memory >> 20}MiB",
            "threads": threads,
            "minimum": minimum,
            "achilles": achilles,
        }
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
        box = Box(
            Limits(seconds=None, memory=memory + (1 << 30), scratch=64 << 20, disk=16 << 30, open_files=1024),
            read={place: path for files, _columns in inside.values() for place, path in files},
            write={FOLDER: folder},
            folder=FOLDER,
            name="atlas",
        )
        running = box.start([box.python, "-P", atlas_box.__file__, f"{FOLDER}/config.json"])
        try:
            atlas = Atlas(version, running, folder / "socket")
            threading.Thread(target=_listen, args=(atlas, say), daemon=True).start()
            _wait(atlas)
            for name, expression in (definitions or {}).items():
                atlas.put(name, expression)
            yield atlas
        finally:
            running.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _lock_of(folder).unlink(missing_ok=True)
        lock.close()


def _lock_of(folder: Path) -> Path:
    """The file that the process holds whose folder it is; the kernel lets go of it when that process dies."""
    return folder.with_name(f"{folder.name}.lock")


def _sweep() -> None:
    """Remove what processes have left that were killed: their scratch folders, with what was found in them."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*.lock"):
        if path.stat().st_uid != os.geteuid():
            continue
        with (
            contextlib.suppress(MadangError, OSError),
            locked(path, exclusive=True, patience=0, busy=_BUSY),
        ):
            shutil.rmtree(path.with_suffix(""), ignore_errors=True)
            path.unlink(missing_ok=True)


def _files(version: Version, vocabulary: Version | None) -> dict[str, tuple[list[tuple[str, Path]], list[str]]]:
    """By table: its files as (path inside, path here), and the columns that it has."""
    found: dict[str, tuple[list[tuple[str, Path]], list[str]]] = {}
    for each in (vocabulary, version):  # a table that both have is the version's own
        for name, table in each.tables.items() if each is not None else ():
            files = [(f"/data/{name}/{number}.parquet", path) for number, path in enumerate(table.paths)]
            found[name.lower()] = (files, [column for column, _kind in table.schema])
    return found


def _views(inside: Mapping[str, tuple[list[tuple[str, Path]], list[str]]]) -> list[str]:
    """The statements that lay the tables open. Of two tables ATLAS's WebAPI looks for columns in capitals only."""
    given = {name: ([place for place, _path in files], columns) for name, (files, columns) in inside.items()}
    loud = {name: given.pop(name) for name in _IN_CAPITALS if name in given}
    statements = view_statements(given)
    for name, (places, columns) in loud.items():
        listed = ", ".join(f"{quote_name(column)} AS {quote_name(column.upper())}" for column in columns)
        statements.append(f"CREATE VIEW {CDM}.{name} AS SELECT {listed} FROM read_parquet({quote_paths(places)})")
    return statements


def _listen(atlas: Atlas, say: Callable[[str], None] | None) -> None:
    """Read what the box says until it ends, so that its pipe never fills."""
    for line in iter(atlas.running.stdout.readline, b""):
        atlas.progress = line.decode("utf-8", "replace").strip()
        if say is not None:
            say(atlas.progress)


def _wait(atlas: Atlas) -> None:
    end = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < end and atlas.is_alive:
        try:
            if ask(atlas.socket, "GET", "/WebAPI/info")[0] == 200:
                return
        except OSError:
            time.sleep(0.05)
    reason = ""
    if not atlas.is_alive:
        lines = atlas.running.stderr.read(4096).decode("utf-8", "replace").strip().splitlines()
        reason = str(atlas.running.error or (lines[-1] if lines else ""))
    raise MadangError("atlas.failed", _("ATLAS did not start. {reason}").format(reason=reason).strip())


def document(atlas: Atlas, path: str) -> Any:
    """What ATLAS's WebAPI answers to a GET, as JSON. Errors: `atlas.failed`."""
    status, _headers, data = ask(atlas.socket, "GET", path)
    if status != 200:
        raise MadangError("atlas.failed", _("ATLAS does not answer to {path}.").format(path=path))
    return json.loads(data)
