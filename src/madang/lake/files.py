"""Files that survive: written whole or not at all, synced, and put in place only where nothing stands yet."""

import contextlib
import errno
import fcntl
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from madang.base.errors import MadangError

PARTIAL = ".partial"  # ending of files that are not yet put in place


@contextlib.contextmanager
def sentences(what: str) -> Iterator[None]:
    """Turn an `OSError` while `what` (for example "write dataset 'nhis'") into one sentence."""
    try:
        yield
    except OSError as error:
        raise explain(error, what) from None


def explain(error: OSError, what: str) -> MadangError:
    """The sentence for an `OSError` that came while `what`."""
    place = f" ({error.filename})" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return MadangError("lake.disk_full", f"Cannot {what}: the disk is full{place}.", "Free some space, run again.")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return MadangError("lake.permission", f"Cannot {what}: no permission{place}.")
    return MadangError("lake.files", f"Cannot {what}: {error.strerror or error}{place}.")


def make_folder(path: Path, mode: int) -> None:
    """Make `path` and its parents; folders made now get `mode`, those that exist are left alone. Nothing is synced."""
    missing = []
    folder = path
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for folder in reversed(missing):
        with contextlib.suppress(FileExistsError):  # another writer was faster
            folder.mkdir(mode)


def sync_file(path: Path) -> None:
    """Return when the bytes of `path` are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


sync_folder = sync_file  # a folder is synced the same way: its entries are then on the disk


def write_partial(folder: Path, data: bytes, mode: int, durable: bool = True) -> Path:
    """A new file in `folder` that nobody looks at, to be put in place by the caller; synced if it must be durable."""
    path = folder / f"{uuid.uuid4().hex}{PARTIAL}"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.chmod(path, mode)
    except BaseException:
        with contextlib.suppress(OSError):  # why it could not be written is what has to be heard
            path.unlink(missing_ok=True)
        raise
    return path


def put_if_absent(path: Path, data: bytes, mode: int, durable: bool = True) -> bool:
    """Make `path` with `data`, whole; False (and nothing changed) if there is such a file already.

    Unless `durable` is false, the file outlives a power failure once this returns.
    """
    partial = write_partial(path.parent, data, mode, durable)
    try:
        os.link(partial, path)
    except FileExistsError:
        return False
    finally:
        partial.unlink()
    if durable:
        sync_folder(path.parent)
    return True


def put_instead(path: Path, data: bytes, mode: int) -> None:
    """Replace `path` by `data`; a reader sees the old file or the new one."""
    partial = write_partial(path.parent, data, mode)
    try:
        os.replace(partial, path)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


@contextlib.contextmanager
def locked(path: Path, *, exclusive: bool, patience: float, busy: MadangError) -> Iterator[None]:
    """Hold a lock on the file `path` (made if needed), shared or exclusive; the kernel frees it if we are killed.

    Raises `busy` if others hold it for longer than `patience` seconds.
    """
    with sentences("lock the dataset"):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        operation = (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(descriptor, operation)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise busy from None
                time.sleep(0.05)
        yield
    finally:
        os.close(descriptor)
