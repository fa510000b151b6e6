"""Registering files where they lie: whoever runs the installation does it, since a path of the machine says nothing of
whose file it is."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from madang.base.errors import MadangError
from madang.base.progress import Progress, Silent
from madang.base.translate import _
from madang.node.acts import doing
from madang.node.database import now
from madang.node.home import Home
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.permissions import check as check_allowed
from madang.services.deposits import service, store
from madang.services.deposits.acts import REGISTER
from madang.services.deposits.lists import LARGEST, hashes_told, is_list
from madang.services.deposits.models import DepositFile
from madang.services.deposits.sources import changed, is_as_it_was, source_of


def register(node: Node, actor: Actor, name: str, place: Path, progress: Progress | None = None) -> int:
    """Register a file, or all plain files of a folder, without copying them; how many are new.

    Lists of hashes in the folder are compared and not registered themselves. Names are those within the folder. A file
    that was registered already and is as it was is passed over, so that a second run goes on where the first stopped.

    Errors: `deposit.path`, `deposit.taken`, `deposit.hash`, those of permissions.
    """
    progress = progress or Silent()
    deposit = service.see(node, actor, name)
    check_allowed(actor, REGISTER, deposit)
    top = (place if place.is_dir() else place.parent).resolve()
    _not_of_the_home(node.home, top)
    paths = sorted(service.plain_files(top)) if place.is_dir() else [top / place.name]
    wanted = hashes_told(path for path in paths if is_list(path.name) and path.stat().st_size < LARGEST)
    there = {file.name: file for file in deposit.files}
    new = 0
    for path in paths:
        if is_list(path.name):
            continue
        inside = str(path.relative_to(top))
        known = there.get(inside)
        if known is not None and known.source and is_as_it_was(known):
            continue
        with progress.step(_("hash {name}").format(name=inside), path.stat().st_size, "B"):
            _register(node, actor, name, inside, path, wanted.get(path.name, ""), progress)
        new += 1
    return new


def _register(node: Node, actor: Actor, name: str, inside: str, path: Path, wanted: str, progress: Progress) -> None:
    service.file_name(inside)
    source = source_of(path)
    sha256, md5 = store.digests(path, progress)
    if source_of(path) != source:
        raise changed(inside)
    if wanted and wanted not in (sha256, md5):
        raise store.other_hash(inside)
    with doing(node, actor, REGISTER, lambda session: service.not_frozen(service.find(session, actor, name))) as done:
        deposit = done.thing
        service.holds_files(deposit)
        found = service.place_for(deposit, inside, source.bytes, wanted)
        if found.sha256:
            raise MadangError("deposit.taken", _("There is a file {name} already.").format(name=found.name))
        found.sha256, found.md5, found.source = sha256, md5, json.dumps(asdict(source))
        deposit.changed, deposit.checked = now(), None
        done.tell(file=inside, bytes=source.bytes, sha256=sha256)


def look_again(node: Node, files: Iterable[DepositFile], progress: Progress) -> None:
    """Hash registered files again that are not as they were: one with the same content is taken for the same, from now
    on; of one with another its hash stays, and it stays withheld."""
    for file in files:
        if not file.source or is_as_it_was(file):
            continue
        try:
            source = source_of(Path(json.loads(file.source)["path"]))
        except MadangError:
            continue
        with progress.step(_("hash {name}").format(name=file.name), source.bytes, "B"):
            same = source.bytes == file.bytes and store.digests(Path(source.path), progress)[0] == file.sha256
        if same and source_of(Path(source.path)) == source:
            with node.write() as session:
                kept = session.get(DepositFile, file.id)
                if kept is not None and kept.sha256 == file.sha256:
                    kept.source = file.source = json.dumps(asdict(source))


def _not_of_the_home(home: Home, top: Path) -> None:
    inside = home.path.resolve()
    if top == inside or inside in top.parents or top in inside.parents:
        raise MadangError(
            "deposit.path",
            _("{path} holds the installation itself, or lies in it.").format(path=top),
            _("Register a folder of its own."),
        )
