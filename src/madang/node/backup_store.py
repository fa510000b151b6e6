"""A store of backups: files that are named by their hash lie there once, whichever backups need them.

What a home keeps by hash (deposits of terabytes) never changes, so that each backup copies only what the store lacks.
A backup lists every one by its hash; whoever checks or restores it reads every one.
"""

import contextlib
import hashlib
import os
import re
import tempfile
from pathlib import Path

from madang.base.canonical import sha256_of_file
from madang.base.progress import Progress
from madang.lake.files import PARTIAL, make_folder, sync_folder
from madang.node.rooms import plans

_HASH = re.compile(r"[0-9a-f]{64}")
_CHUNK = 1 << 20


def hash_of(place: Path) -> str:
    """The hash that names a file of a home, by its place; empty where it is named otherwise."""
    folders = {Path(each) for plan in plans() for each in plan.named_by_hash}
    return place.name if _HASH.fullmatch(place.name) and folders & set(place.parents) else ""


def path_in(store: Path, digest: str) -> Path:
    """Where a file lies in a store."""
    return store / digest[:2] / digest


def put(store: Path, digest: str, source: Path, progress: Progress) -> bool:
    """Have a file in the store, which is copied only if it is not there; False where it is not what its name says.

    One that is there with another length, from a disk that failed, is put anew.
    """
    target = path_in(store, digest)
    size = source.stat().st_size
    with contextlib.suppress(FileNotFoundError):
        if target.stat().st_size == size:
            progress.advance(size)
            return True
    make_folder(target.parent, 0o700)
    handle, name = tempfile.mkstemp(dir=target.parent, suffix=PARTIAL)
    read = hashlib.sha256()
    try:
        with source.open("rb") as reader, open(handle, "wb") as writer:
            while chunk := reader.read(_CHUNK):
                read.update(chunk)
                writer.write(chunk)
                progress.advance(len(chunk))
            writer.flush()
            os.fsync(handle)
        if read.hexdigest() != digest:
            return False
        os.chmod(name, 0o444)
        os.replace(name, target)
        sync_folder(target.parent)
        return True
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)


def first_damaged(store: Path, digests: list[str], progress: Progress) -> str:
    """Read every one of them; the hash of the first that is lost or another, empty where all are whole."""
    for digest in digests:
        path = path_in(store, digest)
        progress.advance()
        if not path.is_file() or sha256_of_file(path) != digest:
            return digest
    return ""
