"""How far the chain of events reaches, in a file beside the key: `keys/audit.head`.

It is written and synced after each commit, so a tail that is cut off the table is missed. The file has two slots of
fixed size that are written in turn: a slot torn by a power failure leaves the other one.
"""

import fcntl
import hmac
import os
import threading
from dataclasses import dataclass
from pathlib import Path

import orjson

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake.files import sentences
from madang.node.audit.chain import START, mac

_SLOT = 256


@dataclass(frozen=True, order=True)
class Head:
    """The chain's length and the digest of its last event."""

    length: int = 0
    digest: str = START


class HeadFile:
    """The file with the head. Several threads and processes may move it forward; it never goes back."""

    def __init__(self, path: Path, key: bytes) -> None:
        self.path = path
        self._key = key
        self._lock = threading.Lock()
        self._ahead = Head()  # the furthest commit in this process
        self._synced = -1

    def read(self) -> Head | None:
        """The head that was last written; None if there is no such file. Refuses one that was not signed by us."""
        with sentences("read the head of the audit"):
            try:
                data = self.path.read_bytes()
            except FileNotFoundError:
                return None
        heads = [head for head, _slot in self._slots(data)]
        if not heads:
            raise MadangError(
                "chain.head",
                _("{file} is not what this installation wrote.").format(file=self.path),
                _("Restore it from a backup, or look who changed it."),
            )
        return max(heads)

    def advance(self, head: Head) -> None:
        """Return when a head at least as far as `head` is on the disk.

        While one thread waits for the disk, others only say how far they are; the next one writes for all of them.
        """
        self._ahead = max(self._ahead, head)  # a lost race here is made good below: ours is compared again
        with self._lock:
            if self._synced >= head.length:
                return
            target = max(self._ahead, head)
            with sentences("write the head of the audit"):
                self._write(target)
            self._synced = target.length

    def _write(self, head: Head) -> None:
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            slots = sorted(self._slots(os.pread(descriptor, 2 * _SLOT, 0)))
            if slots and slots[-1][0].length >= head.length:
                return
            new = not slots
            slot = 1 - slots[-1][1] if slots else 0
            body = {"digest": head.digest, "length": head.length, "mac": self._sign(head)}
            os.pwrite(descriptor, orjson.dumps(body).ljust(_SLOT - 1) + b"\n", slot * _SLOT)
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)
        if new:
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def _sign(self, head: Head) -> str:
        return mac(self._key, f"head {head.length} {head.digest}")

    def _slots(self, data: bytes) -> list[tuple[Head, int]]:
        """The slots that are whole and signed, each with its place."""
        found = []
        for place in (0, 1):
            try:
                body = orjson.loads(data[place * _SLOT : (place + 1) * _SLOT])
                head = Head(body["length"], body["digest"])
                if hmac.compare_digest(self._sign(head), body["mac"]):
                    found.append((head, place))
            except (ValueError, KeyError, TypeError):
                continue
        return found
