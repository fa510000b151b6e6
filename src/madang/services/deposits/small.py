"""Many small files at once: hashed and synced by several threads, written down by one act."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.acts import doing
from madang.node.database import now
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.services.deposits import service, store
from madang.services.deposits.acts import PUT
from madang.services.deposits.models import DepositFile


@dataclass(frozen=True)
class Small:
    """A small file that is read at once: its name in the deposit, where it lies, how many bytes, what hash is said."""

    name: str
    path: Path
    bytes: int
    wanted: str = ""


def put_small(node: Node, actor: Actor, name: str, files: Sequence[Small]) -> int:
    """Put many small files in by one act: each is hashed, compared and synced before any is written down; those that
    are right are in before the first that is not is told.

    What a stop leaves are whole files that nothing names, which the same files put again take up. Errors: those of
    `reserve` and `finish`.
    """
    store.room_for(node.home, sum(each.bytes for each in files))
    kept: list[tuple[Small, str, str]] = []
    refused: list[MadangError] = []
    with ThreadPoolExecutor(8) as pool:
        for each, found in zip(files, pool.map(lambda one: _kept(node, one), files), strict=True):
            refused.append(found) if isinstance(found, MadangError) else kept.append((each, *found))
    if kept:
        _write_down(node, actor, name, kept)
    if refused:
        raise refused[0]
    return len(kept)


def _write_down(node: Node, actor: Actor, name: str, kept: list[tuple[Small, str, str]]) -> None:
    with doing(node, actor, PUT, lambda session: service.not_frozen(service.find(session, actor, name))) as done:
        deposit = done.thing
        service.holds_files(deposit)
        taken = {each.name.casefold(): each for each in deposit.files}
        if len(deposit.files) + len(kept) > service.MOST_FILES:
            raise MadangError(
                "deposit.length", _("A deposit has at most {most} files.").format(most=service.MOST_FILES)
            )
        for small, sha256, md5 in kept:
            there = taken.get(small.name.casefold())
            if there is not None and (there.name, there.bytes, there.sha256) != (small.name, small.bytes, ""):
                raise MadangError("deposit.taken", _("There is a file {name} already.").format(name=there.name))
            found = there or DepositFile(deposit_id=deposit.id, name=small.name, bytes=small.bytes, wanted=small.wanted)
            if there is None:
                deposit.files.append(found)
                taken[small.name.casefold()] = found
            found.sha256, found.md5 = sha256, md5
        deposit.changed, deposit.checked = now(), None
        digest = hashlib.sha256("".join(sha256 for _small, sha256, _md5 in kept).encode()).hexdigest()
        done.tell(file=f"{len(kept)} files", bytes=sum(small.bytes for small, *_hashes in kept), sha256=digest)


def _kept(node: Node, small: Small) -> tuple[str, str] | MadangError:
    """Hash a small file, and lay it down by its hash; or what hinders that: `deposit.hash`, `deposit.offset`."""
    try:
        return _hashed(node, small)
    except MadangError as error:
        return error


def _hashed(node: Node, small: Small) -> tuple[str, str]:
    service.file_name(small.name)
    content = small.path.read_bytes()
    if len(content) != small.bytes:
        raise MadangError("deposit.offset", _("The file {name} changed while it was read.").format(name=small.name))
    sha256 = hashlib.sha256(content).hexdigest()
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if small.wanted and small.wanted.lower() not in (sha256, md5):
        raise store.other_hash(small.name)
    store.keep_bytes(node.home, content, sha256)
    return sha256, md5
