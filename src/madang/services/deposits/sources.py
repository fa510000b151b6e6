"""Files that stay where they are: where they lie, and whether they are as they were when they were hashed.

For files too large to be copied, which lie on a disk of the institution. What a file was when it was hashed is kept
(size, number of its inode, when its content and its inode changed last); a file that is another one since is withheld
until it was hashed again and found the same.
"""

import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.home import Home
from madang.services.deposits import store
from madang.services.deposits.models import Deposit, DepositFile


@dataclass(frozen=True)
class Source:
    """Where a registered file lies, and what it was when it was hashed; times in nanoseconds."""

    path: str
    bytes: int
    inode: int
    modified: int
    changed: int


def source_of(path: Path) -> Source:
    """What a file is now. Errors: `deposit.path` where it is no plain file that can be read."""
    try:
        told = path.stat(follow_symlinks=False)
        if not stat.S_ISREG(told.st_mode) or not os.access(path, os.R_OK):
            raise OSError("no plain file")
    except OSError:
        raise MadangError(
            "deposit.path",
            _("{path} is no plain file that can be read here.").format(path=path),
            _("Links, folders and devices are not registered."),
        ) from None
    return Source(str(path), told.st_size, told.st_ino, told.st_mtime_ns, told.st_ctime_ns)


def is_as_it_was(file: DepositFile) -> bool:
    """Whether a registered file looks as it did when it was hashed; one that lies in the home always does."""
    if not file.source:
        return True
    kept = Source(**json.loads(file.source))
    try:
        return source_of(Path(kept.path)) == kept
    except MadangError:
        return False


def path_of(home: Home, file: DepositFile) -> Path:
    """Where a file can be read. Errors: `deposit.changed` for a registered file that is not as it was."""
    if not file.source:
        return store.whole(home, file.sha256)
    if not is_as_it_was(file):
        raise changed(file.name)
    return Path(json.loads(file.source)["path"])


def changed(name: str) -> MadangError:
    """What is said of a registered file that changed."""
    return MadangError(
        "deposit.changed",
        _("The file {name} changed, or is gone, where it lies: it is withheld.").format(name=name),
        _("Have the deposit checked: if it has the same content still, it is given out again."),
    )


def all_as_they_were(deposit: Deposit) -> None:
    """Errors: `deposit.changed` for the first registered file of a deposit that is not as it was."""
    for file in deposit.files:
        if not is_as_it_was(file):
            raise changed(file.name)
