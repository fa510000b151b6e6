"""Files of an S3-compatible store into a deposit: in pieces, hashed while they come, going on where it was stopped."""

import json
import tempfile
from pathlib import Path

from madang.base.errors import MadangError
from madang.base.progress import Progress, Silent
from madang.base.translate import _
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.permissions import check
from madang.services.deposits import service, store
from madang.services.deposits.acts import DESCRIBE
from madang.services.deposits.lists import LARGEST, hashes_told, is_list
from madang.services.deposits.models import DepositFile
from madang.services.deposits.putting import Put
from madang.services.deposits.s3 import Bucket, Thing


def fetch(node: Node, actor: Actor, name: str, bucket: Bucket, prefix: str, progress: Progress | None = None) -> Put:
    """Everything of a bucket below a folder; lists of hashes there are compared and not fetched themselves. What is
    there with the same size, and the hash of the list where it has one, is passed over.

    Errors: those of `service.reserve`, `service.finish`, `Bucket.things` and `Bucket.read`.
    """
    progress = progress or Silent()
    deposit = service.see(node, actor, name)
    check(actor, DESCRIBE, deposit)
    if prefix and not prefix.endswith("/"):
        prefix += "/"
    things = list(bucket.things(prefix))
    if not things:
        raise MadangError(
            "deposit.store",
            _("There is nothing in {name} below {folder}.").format(name=bucket.name, folder=prefix or "/"),
            _("Look at the folder."),
        )
    wanted = _hashes(bucket, things)
    there = {each.name: each for each in deposit.files}
    new = old = 0
    for thing in things:
        inside, hash_ = thing.key.removeprefix(prefix), wanted.get(Path(thing.key).name, "")
        if is_list(thing.key):
            continue
        known = there.get(inside)
        if known is not None and known.sha256 and known.bytes == thing.bytes:
            if hash_ and hash_ not in (known.sha256, known.md5):
                raise MadangError("deposit.taken", _("There is another file {name} already.").format(name=inside))
            old += 1
            continue
        place = service.reserve(node, actor, name, inside, thing.bytes, hash_, origin=f"s3://{bucket.name}")
        with progress.step(_("fetch {name}").format(name=inside), thing.bytes, "B"):
            _fetch(node, bucket, thing, place, progress)
        service.finish(node, actor, name, place.id)
        new += 1
    return Put(new, old)


def _fetch(node: Node, bucket: Bucket, thing: Thing, place: DepositFile, progress: Progress) -> None:
    at = store.offset(node.home, place.id)
    same = _is_of(node, place.id, thing.mark)
    progress.advance(at if same else 0)
    while at < thing.bytes or not same:
        with store.appending(node.home, place.id, at, thing.bytes) as part:
            if not same:  # what is there came from elsewhere, or of another content
                part.back_to(0)
                at, same = 0, True
                continue
            piece = bucket.read(thing, at)
            part.write(piece)
            at = part.at
        progress.advance(len(piece))


def _is_of(node: Node, number: int, mark: str) -> bool:
    """Whether what is there of a file came from the content of that mark; from now on it does."""
    with node.write() as session:
        kept = session.get_one(DepositFile, number)
        before = json.loads(kept.facts).get("mark")
        kept.facts = json.dumps({"mark": mark})
    return bool(mark) and before == mark


def _hashes(bucket: Bucket, things: list[Thing]) -> dict[str, str]:
    """What lists of hashes in the bucket tell."""
    with tempfile.TemporaryDirectory() as folder:
        paths: list[Path] = []
        for thing in things:
            if is_list(thing.key) and 0 < thing.bytes < LARGEST:
                paths.append(Path(folder) / str(len(paths)))
                paths[-1].write_bytes(bucket.read(thing, 0))
        return hashes_told(paths)
