"""Where deposited bytes lie: parts that grow, and whole files once, by SHA-256.

A part's length on disk is its offset, so that kill -9 loses nothing that was acknowledged and doubles nothing. A part
is synced every 64 MB and when it is whole; a whole file is put in place by one rename. It is hashed while it comes, as
long as one process takes it and nobody else touched it; else it is read again once it is whole.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from madang.base.errors import MadangError
from madang.base.progress import Progress
from madang.base.translate import _
from madang.node.home import Home

SPARE = 256 << 20  # bytes that stay free for audit and database
CHUNK = 4 << 20
SYNC = 64 << 20  # bytes of a part after which it is synced
KEPT = 500  # parts whose hashes are kept on the way
_hashing: "OrderedDict[Path, Hashes]" = OrderedDict()
_guard = threading.Lock()
_pool = ThreadPoolExecutor(4, "hash")
_syncing = ThreadPoolExecutor(2, "sync")


def part(home: Home, number: int) -> Path:
    """Where the part of a file grows."""
    folder = home.folder("deposits") / "parts"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / str(number)


def whole(home: Home, sha256: str) -> Path:
    """Where a whole file lies."""
    return home.folder("deposits") / "whole" / sha256[:2] / sha256


def room_for(home: Home, more: int) -> None:
    """Errors: `deposit.space` where the disk would be too full for that many more bytes."""
    if shutil.disk_usage(home.folder("deposits")).free - SPARE < more:
        raise MadangError(
            "deposit.space", _("There is no room for this file on the disk."), _("Ask who runs this installation.")
        )


def offset(home: Home, number: int) -> int:
    """How many bytes of a part are there."""
    path = part(home, number)
    return path.stat().st_size if path.exists() else 0


@contextlib.contextmanager
def appending(home: Home, number: int, at: int, most: int) -> Iterator["Appender"]:
    """Append to a part from an offset. Errors: `deposit.offset` for another offset, or if somebody else is at it."""
    path = part(home, number)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise MadangError("deposit.offset", _("Somebody else is sending this file just now.")) from None
        if os.fstat(handle).st_size != at:
            raise MadangError("deposit.offset", _("The file goes on at another byte."), _("Ask for its offset first."))
        os.lseek(handle, at, os.SEEK_SET)
        appender = Appender(handle, at, most, _hashes_so_far(path, handle, at))
        try:
            yield appender
        finally:
            appender.settle()
            if appender.at // SYNC != at // SYNC and appender.at != most:
                _syncing.submit(_sync, path)  # nobody waits for it: what is whole was synced by `settle`
            _keep_hashes(path, handle, appender)
    finally:
        os.close(handle)


def _sync(path: Path) -> None:
    """Have what came so far on the disk; by a handle of its own, which does not hold the lock of who sends."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        os.fsync(file.fileno())


class Appender:
    """Writes pieces; more than `most` bytes in all are refused."""

    def __init__(self, handle: int, at: int, most: int, hashes: "Hashes | None" = None) -> None:
        self.handle, self.at, self.most, self.hashes = handle, at, most, hashes
        self._synced = False
        self._before = (at, hashes.copy() if hashes is not None else None)

    def write(self, piece: bytes) -> None:
        """Errors: `deposit.length`, `deposit.space`."""
        if self.at + len(piece) > self.most:
            raise MadangError("deposit.length", _("More bytes came than the file was said to have."))
        rest, before = memoryview(piece), self.at
        try:
            while rest:
                written = os.write(self.handle, rest)
                rest, self.at = rest[written:], self.at + written
        except OSError as error:
            if self.hashes is not None:
                self.hashes.update(piece[: self.at - before])
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise
            raise MadangError("deposit.space", _("The disk is full; what came so far is kept.")) from None
        if self.hashes is not None:
            self.hashes.update(piece)

    def settle(self) -> None:
        """Have a file that is whole on the disk, and all of it hashed."""
        if self.at == self.most and not self._synced:
            with contextlib.suppress(OSError):
                os.fsync(self.handle)
            self._synced = True
        if self.hashes is not None:
            self.hashes.settle()

    def back_to(self, at: int) -> None:
        """Forget what came after an offset."""
        self._synced = False
        os.ftruncate(self.handle, at)
        os.lseek(self.handle, at, os.SEEK_SET)
        self.at = at
        place, before = self._before
        self.hashes = before if at == place else Hashes() if at == 0 else None


class Hashes:
    """SHA-256 and MD5 of what came so far (the latter because sequencing centers give it), and when and how long the
    part was when they were told."""

    def __init__(self) -> None:
        self.sha, self.md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
        self.seen = (0, 0, 0)
        self._late: Future[None] | None = None  # MD5 of the last large piece

    def copy(self) -> "Hashes":
        """The same, to go back to."""
        self.settle()
        found = Hashes()
        found.sha, found.md5, found.seen = self.sha.copy(), self.md5.copy(), self.seen
        return found

    def update(self, piece: bytes | memoryview) -> None:
        """The next bytes; of a large piece MD5, which takes longer, on a thread of its own while others come."""
        self.settle()
        if len(piece) < 1 << 18:
            self.md5.update(piece)
        else:
            self._late = _pool.submit(self.md5.update, piece)
        self.sha.update(piece)

    def settle(self) -> None:
        """Wait until all that was given is hashed."""
        if self._late is not None:
            self._late.result()
            self._late = None

    def told(self) -> tuple[str, str]:
        """SHA-256 and MD5 of all that was given."""
        self.settle()
        return self.sha.hexdigest(), self.md5.hexdigest()


def _seen(handle: int) -> tuple[int, int, int]:
    told = os.fstat(handle)
    return told.st_ino, told.st_size, told.st_mtime_ns


def _hashes_so_far(path: Path, handle: int, at: int) -> Hashes | None:
    """The hashes of a part, if this process took all of it and nobody touched it since."""
    with _guard:
        kept = _hashing.pop(path, None)
    if at == 0:
        return Hashes()
    return kept if kept is not None and kept.seen == _seen(handle) else None


def _keep_hashes(path: Path, handle: int, appender: Appender) -> None:
    if appender.hashes is None:
        return
    appender.hashes.seen = _seen(handle)
    with _guard:
        _hashing[path] = appender.hashes
        while len(_hashing) > KEPT:
            _hashing.popitem(last=False)


def digests_of_part(path: Path) -> tuple[str, str]:
    """The hashes of a part that is whole: those that were made while it came, or it is read."""
    with _guard:
        kept = _hashing.pop(path, None)
    if kept is not None:
        with path.open("rb") as file:
            if kept.seen == _seen(file.fileno()):
                return kept.told()
    return digests(path)


def digests(path: Path, progress: Progress | None = None) -> tuple[str, str]:
    """SHA-256 and MD5 of a file (the latter because sequencing centers give it), each on a thread of its own where the
    file is large; bytes are counted by `progress`, which may stop it."""
    hashes = Hashes()
    with path.open("rb") as file:
        while piece := file.read(CHUNK):
            hashes.update(piece)
            if progress is not None:
                progress.advance(len(piece))
    return hashes.told()


def keep_bytes(home: Home, content: bytes, sha256: str) -> None:
    """Lay a small file down by its hash: written beside, synced, then put in place by one rename."""
    target = whole(home, sha256)
    if target.exists():
        return
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent)
    try:
        with open(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(handle)
        os.chmod(name, 0o444)
        os.replace(name, target)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(name)
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise MadangError("deposit.space", _("The disk is full; what came so far is kept.")) from None


def keep(home: Home, path: Path, sha256: str) -> None:
    """Put a part in its place for good; the same bytes lie once."""
    target = whole(home, sha256)
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if target.exists():
        path.unlink(missing_ok=True)
        return
    path.chmod(0o444)  # its folder is closed; inside the box it is read by a stand-in
    path.replace(target)
    handle = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def other_hash(name: str) -> MadangError:
    """What is said of a file that came as another one than its depositor says."""
    return MadangError(
        "deposit.hash",
        _("The file {name} is another one than its hash says.").format(name=name),
        _("It was damaged on its way, or mixed up: send it again."),
    )
