"""Lists of hashes as sequencing centers send them: md5sum.txt, SHA256SUMS and the like."""

import re
from collections.abc import Iterable
from pathlib import Path

from madang.node.home import Home
from madang.services.deposits import sources
from madang.services.deposits.models import Deposit

_HASH = r"(?P<hash>[0-9a-fA-F]{64}|[0-9a-fA-F]{32})"
_LINES = (
    re.compile(rf"{_HASH}(?:\s*[,;|]\s*|\s+)\*?(?P<name>.+?)\s*\Z"),  # of md5sum; tables with the hash first
    re.compile(rf"(?:MD5|SHA-?256)\s*\((?P<name>.+)\)\s*=\s*{_HASH}\s*\Z", re.I),  # of BSD, macOS and openssl
    re.compile(rf"(?P<name>[^,;|\t]+?)(?:\s*[,;|]\s*|\s+){_HASH}\s*\Z"),  # tables with the name first
)
_LIST = re.compile(r".*(md5|sha-?256|checksums?)([ _-]?(check)?sums?|s)?(\.(txt|csv|tsv|md5|sha256))?\Z", re.I)
LARGEST = 10 << 20


def is_list(name: str) -> bool:
    """Whether a file is a list of hashes, by its name."""
    return _LIST.match(name.rpartition("/")[2]) is not None


def hashes_told(lists: Iterable[Path]) -> dict[str, str]:
    """Name of file (without folders) to the hash that a list gives; lists of more than 10 MB are passed over."""
    found: dict[str, str] = {}
    for path in lists:
        if path.stat().st_size < LARGEST:
            for line in _text(path.read_bytes()).splitlines():
                plain = line.replace('"', "").strip()
                match = next((match for each in _LINES if (match := each.match(plain))), None)
                if match:
                    found[match["name"].replace("\\", "/").rpartition("/")[2].strip()] = match["hash"].lower()
    return found


def _text(content: bytes) -> str:
    """What a list says, also as Notepad and Excel save it."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", "replace")
    return content.decode("utf-8-sig", "replace")


def compare(home: Home, deposit: Deposit) -> None:
    """Note for each file the hash that a list of the deposit gives; one that was found to have its hash before keeps
    it, since it may have got another name since."""
    whole = [file for file in deposit.files if file.sha256 and is_list(file.name) and sources.is_as_it_was(file)]
    told = hashes_told(sources.path_of(home, file) for file in whole)
    for file in deposit.files:
        if not file.wanted or file.wanted not in (file.sha256, file.md5):
            file.wanted = told.get(Path(file.name).name, file.wanted)
