"""Lists of hashes as sequencing centers send them: md5sum.txt, SHA256SUMS and the like."""

import re
from collections.abc import Iterable
from pathlib import Path

_LINE = re.compile(r"([0-9a-fA-F]{32}|[0-9a-fA-F]{64})\s+\*?(.+?)\s*\Z")
_LIST = re.compile(r".*(md5|sha256)(sums?)?(\.txt)?\Z", re.I)
LARGEST = 10 << 20


def is_list(name: str) -> bool:
    """Whether a file is a list of hashes, by its name."""
    return _LIST.match(name.rpartition("/")[2]) is not None


def hashes_told(lists: Iterable[Path]) -> dict[str, str]:
    """Name of file (without folders) to the hash that a list gives; lists of more than 10 MB are passed over."""
    found: dict[str, str] = {}
    for path in lists:
        if path.stat().st_size < LARGEST:
            for line in path.read_text("utf-8", "replace").splitlines():
                if match := _LINE.match(line):
                    found[Path(match[2]).name] = match[1].lower()
    return found
