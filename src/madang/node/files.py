"""Documents of an installation, kept by the hash of their content in `files/`."""

import hashlib
from pathlib import Path

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake.files import make_folder, put_if_absent, sentences, sync_folder
from madang.node.home import Home


def keep(home: Home, content: bytes) -> str:
    """Keep a document, durably; its SHA-256 in hexadecimal, by which it is read again."""
    name = hashlib.sha256(content).hexdigest()
    path = _path(home, name)
    with sentences("keep a document"):
        make_folder(path.parent, 0o700)
        put_if_absent(path, content, 0o400)
    return name


def read(home: Home, sha256: str) -> bytes:
    """A document, checked. Errors: `files.none`, `files.damaged`."""
    path = _path(home, sha256)
    try:
        content = path.read_bytes()
    except OSError:
        raise MadangError("files.none", _("This document is not there any more."), "") from None
    if hashlib.sha256(content).hexdigest() != sha256:
        raise MadangError("files.damaged", _("This document is damaged."), _("Restore it from a backup."))
    return content


def remove(home: Home, sha256: str) -> None:
    """Take a document from the disk; nothing happens if it is not there."""
    path = _path(home, sha256)
    with sentences("remove a document"):
        path.unlink(missing_ok=True)
        if path.parent.is_dir():
            sync_folder(path.parent)


def _path(home: Home, sha256: str) -> Path:
    return home.folder("files") / sha256[:2] / sha256
