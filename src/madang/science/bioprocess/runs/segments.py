"""The segment log: blocks of readings appended to files and synced; what was synced survives kill -9 and power loss.

A file is a sequence of blocks: a header (magic, kind, length, CRC-32) and the payload. Kinds are `T` (tags, JSON),
`V` (readings, binary) and `E` (events, JSON: gaps and what else a reader must know). A block that was being written
when the process died fails its length or its checksum; it is cut off when the log is opened for writing, and whoever
reads stops before it.
"""

import fcntl
import json
import os
import struct
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake.files import make_folder, sentences, sync_folder

MAGIC = b"MdSg"
HEADER = struct.Struct("<4scxxxII")  # magic, kind, length, CRC-32
ROLL = 32_000_000  # bytes after which a new file begins
LONGEST = 64_000_000  # bytes of one block
READING = np.dtype([("tag", "<u4"), ("status", "<u4"), ("source", "<i8"), ("server", "<i8"), ("value", "<f8")])
Readings = NDArray[np.void]


@dataclass(frozen=True)
class Tag:
    """One signal: its name in the equipment, a display name and a unit."""

    name: str
    title: str = ""
    unit: str = ""


@dataclass(frozen=True)
class Log:
    """What is in a log: tags by number, readings in the order in which they came, events, bytes that were cut off."""

    tags: tuple[Tag, ...]
    readings: Readings
    events: tuple[Mapping[str, Any], ...]
    torn: int = 0


@dataclass
class Writer:
    """Appends to a log; made by `open_log`. One process writes; a second one is refused."""

    folder: Path
    tags: dict[str, int]
    _lock: int
    _file: int
    _size: int
    _number: int
    _waiting: list[tuple[int, int, int, int, float]] = field(default_factory=list)
    _dirty: bool = False
    _units: dict[str, str] = field(default_factory=dict)

    def tag(self, tag: Tag) -> int:
        """The number of a tag, given at first use; a unit other than before is noted as an event."""
        before = self._units.get(tag.name, tag.unit)
        self._units[tag.name] = tag.unit
        if before != tag.unit:
            now = time.time_ns() // 1000
            self.event("unit", tag=tag.name, begin=now, text=f"{before or '-'} > {tag.unit or '-'}")
            self._block(b"T", json.dumps([[tag.name, tag.title, tag.unit]], ensure_ascii=False).encode())
        if tag.name not in self.tags:
            self.tags[tag.name] = len(self.tags)
            self._block(b"T", json.dumps([[tag.name, tag.title, tag.unit]], ensure_ascii=False).encode())
        return self.tags[tag.name]

    def add(self, tag: int, source: int, server: int, value: float, status: int = 0) -> None:
        """Keep a reading (times in microseconds since 1970, UTC) until the next `write`."""
        self._waiting.append((tag, status, source, server, value))

    def add_many(self, readings: Readings) -> None:
        """Write readings as they are, at once."""
        for begin in range(0, len(readings), 500_000):
            self._block(b"V", readings[begin : begin + 500_000].tobytes())

    def write(self) -> int:
        """Hand what waits to the operating system: it outlives this process. Returns the number of readings."""
        count = len(self._waiting)
        if count:
            self.add_many(np.array(self._waiting, dtype=READING))
            self._waiting.clear()
        return count

    def event(self, kind: str, **about: Any) -> None:
        """Note an event: a `gap`, a `renamed` tag, readings that came `late`."""
        self.write()
        self._block(b"E", json.dumps({"kind": kind, **about}, ensure_ascii=False, sort_keys=True).encode())

    def sync(self) -> None:
        """Return when everything is on the disk: it outlives a power failure."""
        self.write()
        if self._dirty:
            os.fsync(self._file)
            self._dirty = False

    def close(self) -> None:
        """Sync and let others write."""
        self.sync()
        os.close(self._file)
        os.close(self._lock)

    def _block(self, kind: bytes, payload: bytes) -> None:
        if self._size >= ROLL:
            self.sync() if not self._waiting else os.fsync(self._file)
            os.close(self._file)
            self._number += 1
            self._file, self._size = _new_file(self.folder, self._number)
        data = HEADER.pack(MAGIC, kind, len(payload), zlib.crc32(payload, ord(kind))) + payload
        with sentences(_("write the run")):
            done = 0
            while done < len(data):
                done += os.write(self._file, data[done:])
        self._size += len(data)
        self._dirty = True


def open_log(folder: Path) -> Writer:
    """Open a log for writing, made if needed; a torn end is cut off. Raises `runs.busy` while another one writes."""
    with sentences(_("open the run")):
        make_folder(folder, 0o700)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise MadangError("runs.busy", _("Another process records this run.")) from None
        files = _files(folder)
        tags: dict[str, int] = {}
        units: dict[str, str] = {}
        for path in files:
            good = 0
            for kind, payload, end in _blocks(path):
                good = end
                if kind == b"T":
                    for name, _title, unit in json.loads(payload):
                        tags.setdefault(name, len(tags))
                        units[name] = unit
            torn = path.stat().st_size - good
            if torn:
                os.truncate(path, good)
        number = int(files[-1].stem) if files else 0
        if files:
            file = os.open(files[-1], os.O_WRONLY | os.O_APPEND)
            size = files[-1].stat().st_size
            os.fsync(file)
        else:
            file, size = _new_file(folder, number)
    return Writer(folder, tags, lock, file, size, number, _units=units)


def read_log(folder: Path, after: int = 0) -> Log:
    """Everything in a log, also while another process writes it; `after`: only readings whose source time is later.

    Raises `runs.unknown` where there is no log.
    """
    files = _files(folder)
    if not files:
        raise MadangError("runs.unknown", _("There is no run in {folder}.").format(folder=folder))
    tags: dict[str, Tag] = {}
    parts, events, torn = [np.empty(0, dtype=READING)], [], 0
    for path in files:
        good = 0
        for kind, payload, end in _blocks(path):
            good = end
            if kind == b"T":
                for name, title, unit in json.loads(payload):
                    tags.setdefault(name, Tag(name, title, unit))
            elif kind == b"E":
                events.append(json.loads(payload))
            else:
                readings = np.frombuffer(payload, dtype=READING)
                parts.append(readings[readings["source"] > after] if after else readings)
        torn += path.stat().st_size - good
    return Log(tuple(tags.values()), np.concatenate(parts), tuple(events), torn)


def unique(readings: Readings) -> Readings:
    """Readings without exact repeats, in order of tag and source time; what came twice is the same reading."""
    if not len(readings):
        return readings
    bits = readings["value"].view("<i8")
    order = np.lexsort((readings["server"], bits, readings["status"], readings["source"], readings["tag"]))
    ordered, values = readings[order], bits[order]
    same = (
        (ordered["tag"][1:] == ordered["tag"][:-1])
        & (ordered["source"][1:] == ordered["source"][:-1])
        & (ordered["status"][1:] == ordered["status"][:-1])
        & (values[1:] == values[:-1])
    )
    return ordered[np.concatenate([[True], ~same])]


def _files(folder: Path) -> Sequence[Path]:
    return sorted(folder.glob("[0-9]*.seg"))


def _new_file(folder: Path, number: int) -> tuple[int, int]:
    path = folder / f"{number:06d}.seg"
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
    sync_folder(folder)
    return file, 0


def _blocks(path: Path) -> Iterator[tuple[bytes, bytes, int]]:
    """Whole blocks of a file: kind, payload, and where the block ends."""
    with path.open("rb") as file:
        end = 0
        while len(head := file.read(HEADER.size)) == HEADER.size:
            magic, kind, length, check = HEADER.unpack(head)
            if magic != MAGIC or length > LONGEST:
                return
            payload = file.read(length)
            if len(payload) < length or zlib.crc32(payload, ord(kind)) != check:
                return
            end += HEADER.size + length
            yield kind, payload, end
