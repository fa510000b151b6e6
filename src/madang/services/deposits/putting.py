"""Files of a folder into a deposit, by command: what is there already is left, md5 lists are compared."""

from dataclasses import dataclass
from pathlib import Path

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.services.deposits import service, store
from madang.services.deposits.lists import hashes_told, is_list
from madang.services.deposits.small import Small, put_small

SMALL, AT_ONCE = 1 << 20, 250  # bytes of a file that is read at once; how many are one act


@dataclass(frozen=True)
class Put:
    """How many files came, and how many were there already."""

    new: int
    old: int


def put_folder(node: Node, actor: Actor, name: str, folder: Path) -> Put:
    """Every plain file of a folder (or one file); links are not followed.

    Errors: those of `service.reserve` and `service.finish`.
    """
    top = folder if folder.is_dir() else folder.parent
    files = sorted(service.plain_files(folder)) if folder.is_dir() else [folder]
    wanted = hashes_told(path for path in files if is_list(path.name))
    there = {each.name: each for each in service.see(node, actor, name).files}
    held = {each.sha256 for each in there.values()}  # the two of a pair may have changed their names
    new = old = 0
    small: list[Small] = []
    for path in files:
        if is_list(path.name):
            continue
        known = there.get(str(path.relative_to(top)))
        size = path.stat().st_size
        if known is not None and known.sha256:
            if store.digests(path)[0] not in held:
                raise MadangError("deposit.taken", _("There is another file {name} already.").format(name=known.name))
            old += 1
            continue
        if size <= SMALL and known is None:
            small.append(Small(str(path.relative_to(top)), path, size, wanted.get(path.name, "")))
            if len(small) == AT_ONCE:
                new += put_small(node, actor, name, small)
                small = []
            continue
        place = service.reserve(node, actor, name, str(path.relative_to(top)), size, wanted.get(path.name, ""))
        at = store.offset(node.home, place.id)
        with path.open("rb") as source, store.appending(node.home, place.id, at, size) as part:
            source.seek(at)
            while piece := source.read(store.CHUNK):
                part.write(piece)
        service.finish(node, actor, name, place.id)
        new += 1
    if small:
        new += put_small(node, actor, name, small)
    return Put(new, old)
