"""Files that a box has written, as its owner may read them: a program inside can put links, pipes and devices there.

A path from inside is followed without any link, and only a plain file is opened.
"""

import contextlib
import errno
import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from madang.base.errors import MadangError
from madang.base.translate import _

_DEEPEST = 32  # folders below each other, of a file that is taken out
_MOST_DEEP = 100  # and of anything that a program may make


def open_inside(folder: Path, name: str, *, largest: int | None = None) -> BinaryIO:
    """The file `name` (relative, as a program in the box named it) in `folder`, opened to be read.

    Errors: `closed.file` if it is no plain file there, or has more than `largest` bytes.
    """
    descriptor = _descend(folder, name)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or (largest is not None and status.st_size > largest):
        os.close(descriptor)
        raise _no_file(name)
    return os.fdopen(descriptor, "rb")


def _descend(folder: Path, name: str) -> int:
    parts = PurePosixPath(name).parts
    if not parts or "\0" in name or len(parts) > _DEEPEST or any(part in ("/", "..", ".") for part in parts):
        raise _no_file(name)
    here = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in parts[:-1]:
            below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=here)
            os.close(here)
            here = below
        # O_NONBLOCK: a pipe without a writer would wait for ever.
        return os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=here)
    except OSError:
        raise _no_file(name) from None
    finally:
        os.close(here)


def copy_out(folder: Path, name: str, target: Path, *, largest: int) -> int:
    """Copy a file from inside to the new file `target` (0600); how many bytes. Errors: `closed.file`."""
    copied = 0
    with open_inside(folder, name, largest=largest) as source:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            while block := source.read(1 << 20):
                copied += len(block)
                if copied > largest:  # it grows while it is read
                    break
                file.write(block)
    if copied > largest:
        target.unlink()
        raise _no_file(name)
    return copied


def files_inside(folder: Path, *, most: int = 10_000) -> Iterator[tuple[str, int]]:
    """The plain files in `folder` as (relative path, bytes), sorted within each folder; at most `most` of them."""
    waiting, given = [PurePosixPath()], 0
    while waiting:
        place = waiting.pop()
        for entry in _entries(folder, place):
            if entry.is_dir(follow_symlinks=False) and len(place.parts) < _DEEPEST - 1:
                waiting.append(place / entry.name)
            elif entry.is_file(follow_symlinks=False):
                with contextlib.suppress(OSError):
                    size = entry.stat(follow_symlinks=False).st_size
                    given += 1
                    if given > most:
                        return
                    yield str(place / entry.name), size


def _entries(folder: Path, place: PurePosixPath) -> list[os.DirEntry[str]]:
    # Between listing and looking a folder may be exchanged for a link: only names come out of here, and whoever opens
    # them goes through `open_inside`.
    with contextlib.suppress(OSError), os.scandir(folder / place) as entries:
        return sorted(entries, key=lambda entry: entry.name)
    return []


def everything_inside(folder: Path | str) -> Iterator[tuple[int, str, os.stat_result]]:
    """All that a program made in `folder`, as (descriptor of the folder that holds it, name, status of it itself).

    It goes from folder to folder by descriptors, since a path may be longer than any call takes and a tree deeper than
    any recursion goes; links are not followed. What vanishes meanwhile is left out. Errors: `closed.disk` for folders
    that lie too deep, or that are closed to us: there a program could hide what it fills the disk with.
    """
    places: list[tuple[int, Iterator[os.DirEntry[str]]]] = []
    try:
        places.append(_opened(str(folder), None))
        while places:
            here, entries = places[-1]
            entry = next(entries, None)
            if entry is None:
                os.close(places.pop()[0])
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            yield here, entry.name, status
            if not stat.S_ISDIR(status.st_mode):
                continue
            if len(places) >= _MOST_DEEP:
                raise _hidden(_("It made more than {count} folders below each other.").format(count=_MOST_DEEP))
            try:
                places.append(_opened(entry.name, here))
            except OSError as error:
                if error.errno == errno.EACCES:
                    raise _hidden(_("It closed one of its folders to whoever counts what it writes.")) from None
    finally:
        for here, _entries_of in places:
            os.close(here)


def _opened(name: str, within: int | None) -> tuple[int, Iterator[os.DirEntry[str]]]:
    here = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=within)
    try:
        return here, iter(os.scandir(here))
    except OSError:
        os.close(here)
        raise


def _hidden(message: str) -> MadangError:
    return MadangError("closed.disk", message, _("Delete those folders."))


def remove_inside(folder: Path) -> None:
    """Take away a folder that a program wrote, however deep it goes and whatever modes it has; links are not followed.

    By chmod and rm, which go by descriptors: those of Python end at a thousand folders, and would keep what is to go.
    """
    for command in (["chmod", "-R", "u+rwX"], ["rm", "-rf"]):
        subprocess.run([*command, "--", str(folder)], capture_output=True, check=False)


def _no_file(name: str) -> MadangError:
    return MadangError("closed.file", _("{name} is no file that can be taken from there.").format(name=repr(name)))
