"""Backups: a node as one folder, made while work goes on, and put back on an empty machine.

    backup.json     what is in it: version, revision, the audit's head, dataset hashes, SHA-256 of every file
    database/       every table as JSON lines (madang.node.dump)
    home/           keys, lake and restricted companions, files, workspaces, settings and whatever else the home holds

It holds the keys: who has it has everything. Files that a room keeps by their hash may lie in a store beside the
backups, once for all of them (`backup_store`).
"""

import contextlib
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import BinaryIO

from madang import __version__
from madang.base.canonical import sha256_of_file
from madang.base.errors import MadangError
from madang.base.progress import Progress, Silent
from madang.base.translate import _, later
from madang.lake.dataset import VERSIONS, Dataset
from madang.lake.files import PARTIAL, make_folder, put_if_absent, sentences, sync_file, sync_folder
from madang.node import backup_store
from madang.node.audit import Audit
from madang.node.audit.anchor import refuse_findings
from madang.node.audit.head import Head
from madang.node.audit.models import audit_events
from madang.node.closed import open_inside
from madang.node.database import now
from madang.node.dump import dump, load, revision_in
from madang.node.home import Home, folder_modes
from madang.node.node import Node, open_database
from madang.node.people.actor import Actor
from madang.node.permissions import allow, check, nobody_else
from madang.node.rooms import plans
from madang.node.settings import load_settings
from madang.node.upgrade import check_known, upgrade

FORMAT = 1
LEFT_OUT = {"node.db", "node.db-wal", "node.db-shm", "upgrade.lock", "indexes", "logs", "run", "backups"}
WRITTEN_INSIDE = {"workspaces"}  # what programs in boxes write: links and pipes may lie there, and change at any time
_CHUNK = 1 << 20


def left_out() -> set[str]:
    """What at the top of a home is in no backup."""
    return LEFT_OUT | {name for plan in plans() for name in plan.not_in_backup}


allow("node.backup", nobody_else, by_token=False, title=later("back the installation up"))


@dataclass(frozen=True)
class Contents:
    """What a backup says of itself."""

    format: int
    madang: str
    made: str
    revision: str
    length: int  # of the audit, and ...
    digest: str  # ... the digest of its last event
    datasets: dict[str, str]  # NAME@VERSION: manifest hash
    files: dict[str, str]  # path: SHA-256
    stored: dict[str, str] = field(default_factory=dict)  # path: SHA-256 of what lies in ...
    store: str = ""  # ... the store, and where that was
    unread: list[str] = field(default_factory=list)  # what programs in workspaces wrote and closed to everybody


def backup(
    node: Node, actor: Actor, to: Path, progress: Progress | None = None, *, store: Path | None = None
) -> Contents:
    """Write a backup into the new folder `to`; a half-written one has no backup.json and is none. With a `store` what
    is named by its hash goes there, and only what it lacks.

    The database is copied as of one moment, before the files: whatever it names is there. A dataset cannot be removed
    while it is copied.
    """
    check(actor, "node.backup")
    progress = progress or Silent()
    to = to.absolute()
    _check_target(node.home, to)
    store = store.absolute() if store is not None else None
    if store is not None:
        _check_outside(node.home, store)
    with node.write() as session:
        node.audit.record(session, actor, "node.backup", details={"to": str(to)})
    with sentences(f"write the backup {to}"):
        make_folder(to, 0o700)
        with progress.step(_("database")):
            dump(node.database, to / "database")
        hashes: dict[str, str] = {}
        datasets: dict[str, str] = {}
        for path in sorted((to / "database").iterdir()):
            hashes[f"database/{path.name}"] = sha256_of_file(path)
        with progress.step(_("files"), unit=_("bytes")) as moved:
            unread: list[str] = []
            stored: dict[str, str] = {}
            for source, place in _others(node.home):
                digest = backup_store.hash_of(place) if store is not None else ""
                if store is not None and digest and backup_store.put(store, digest, source, moved):
                    stored[f"home/{place}"] = digest
                    continue  # one that is not what its name says is kept as it is
                if place.parts[0] not in WRITTEN_INSIDE:
                    _copy(source, to / "home" / place, place, hashes, moved)
                elif not _copy_from_inside(node.home, to / "home" / place, place, hashes, moved):
                    unread.append(ascii(str(place))[1:-1])
            for dataset in _datasets(node.home):
                datasets |= _copy_dataset(node.home, dataset, to, hashes, moved)
        length, digest = _last_event(to / "database")
        made = now().isoformat(timespec="seconds").replace("+00:00", "Z")
        revision = revision_in(to / "database")
        head = (FORMAT, __version__, made, revision, length, digest)
        contents = Contents(*head, datasets, hashes, stored, str(store or ""), unread)
        text = json.dumps(asdict(contents), ensure_ascii=False, indent=1, sort_keys=True)
        for folder, _folders, _files in os.walk(to):
            sync_folder(Path(folder))
        put_if_absent(to / "backup.json", text.encode(), 0o600)
    return contents


def read_contents(folder: Path) -> Contents:
    """What is in a backup; refuses a folder that is none, or of a newer Madang."""
    path = folder / "backup.json"
    try:
        contents = Contents(**json.loads(path.read_bytes()))
        places = [Path(name) for name in (*contents.files, *contents.stored)]
        if any(place.is_absolute() or ".." in place.parts for place in places):
            raise ValueError("a path leads out of it")
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise MadangError(
            "backup.none",
            _("{folder} is no whole backup: {reason}.").format(folder=folder, reason=str(error).rstrip(".")),
            _("Take another one; a backup that was interrupted has no backup.json."),
        ) from None
    if contents.format != FORMAT:
        raise MadangError(
            "backup.newer", _("The backup is of a newer Madang ({version}).").format(version=contents.madang)
        )
    check_known(contents.revision)
    return contents


def verify_backup(folder: Path, progress: Progress | None = None, *, store: Path | None = None) -> Contents:
    """Read every byte of a backup, also of what lies in its store (`store`: where that is now); refuses one of which
    something was changed, added or lost."""
    contents = read_contents(folder)
    progress = progress or Silent()
    with sentences(f"read the backup {folder}"):
        found = {
            str(Path(where, name).relative_to(folder)) for where, _folders, names in os.walk(folder) for name in names
        }
        different = sorted(found - {"backup.json"} ^ contents.files.keys())
        with progress.step(_("checking"), len(contents.files) + len(contents.stored), _("files")):
            for name, digest in contents.files.items():
                progress.advance()
                if not different and sha256_of_file(folder / name) != digest:
                    different = [name]
            if not different:
                lost = backup_store.first_damaged(_store(contents, store), sorted(contents.stored.values()), progress)
                different = [str(backup_store.path_in(_store(contents, store), lost))] if lost else []
    if different:
        raise MadangError(
            "backup.damaged",
            _("The backup is not what was written: {file}.").format(file=different[0]),
            _("Take another one."),
        )
    return contents


def _store(contents: Contents, store: Path | None) -> Path:
    return store if store is not None else Path(contents.store)


def restore(folder: Path, home: Home, progress: Progress | None = None, *, store: Path | None = None) -> Contents:
    """Put a backup into the empty or missing home folder; what is in it afterwards.

    Everything is made beside the home and put in place at the end. With PostgreSQL the database that the settings name
    has to be empty.
    """
    progress = progress or Silent()
    contents = verify_backup(folder, progress, store=store)
    with sentences(f"restore into {home.path}"):
        if home.path.exists() and any(home.path.iterdir()):
            raise MadangError(
                "backup.home_not_empty",
                _("There is something in {folder} already.").format(folder=home.path),
                _("Restore into an empty folder: set MADANG_HOME."),
            )
        staged = Home(home.path.with_name(f"{home.path.name}.restoring"))
        if staged.path.exists():  # of a restore that was interrupted
            _make_removable(staged.path)
            shutil.rmtree(staged.path)
        make_folder(staged.path, 0o755)
        with progress.step(_("files"), len(contents.files), _("files")):
            for name in contents.files:
                progress.advance()
                if name.startswith("home/"):
                    _put_back(folder / name, staged.path, Path(name.removeprefix("home/")))
            for name, digest in contents.stored.items():
                held = backup_store.path_in(_store(contents, store), digest)
                _put_back(held, staged.path, Path(name.removeprefix("home/")))
        with progress.step(_("database")):
            _fill_database(staged, folder / "database", contents)
        for where, _folders, _files in os.walk(staged.path):
            sync_folder(Path(where))
        if home.path.exists():
            home.path.rmdir()
        os.rename(staged.path, home.path)
        sync_folder(home.path.parent)
    return contents


def _fill_database(home: Home, folder: Path, contents: Contents) -> None:
    database = open_database(home, load_settings(home.path))
    try:
        upgrade(home, database, to=contents.revision)
        load(database, folder)
        audit = Audit(home, database)
        if contents.length:
            audit.head.advance(Head(contents.length, contents.digest))
        refuse_findings(audit.verify())
    finally:
        database.close()


def _check_target(home: Home, to: Path) -> None:
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise MadangError(
            "backup.target", _("{folder} is there already.").format(folder=to), _("Name a folder that does not exist.")
        )
    _check_outside(home, to)


def _check_outside(home: Home, to: Path) -> None:
    if to.resolve().is_relative_to(home.path.resolve()):
        raise MadangError(
            "backup.inside",
            _("A backup cannot lie in the home that it is of."),
            _("Take another disk, best another machine."),
        )


def _others(home: Home) -> Iterator[tuple[Path, Path]]:
    """Every file of the home but those of datasets and those that need no backup, with its place."""
    for top in sorted(home.path.iterdir()):
        if top.name in left_out() or top.name in ("lake", "restricted"):
            continue
        for path in _files_in(top):
            place = path.relative_to(home.path)
            if place != Path("keys", "audit.head"):  # it is written anew for the events that the copy has
                yield path, place


def _datasets(home: Home) -> list[Dataset]:
    lake = home.lake()
    names = {path.parent.name for path in lake.root.glob(f"*/{VERSIONS}")}
    return [Dataset(lake, name) for name in sorted(names)]


def _copy_dataset(home: Home, dataset: Dataset, to: Path, hashes: dict[str, str], progress: Progress) -> dict[str, str]:
    """Copy a dataset: the manifests that are there now, and every file; the hashes of its versions."""
    with dataset.lock(exclusive=False):  # nobody removes anything meanwhile; new versions may come, and stay out
        numbers = dataset.numbers()
        digests = {f"{dataset.name}@{number}": dataset.load(number)[1] for number in numbers}
        manifests = {dataset.manifest_path(number) for number in numbers}
        folders = [dataset.folder, dataset.restricted_folder]
        for path in [path for folder in folders for path in _files_in(folder)]:
            place = path.relative_to(home.path)
            is_manifest = path.parent.name == VERSIONS and path.parent.parent == dataset.folder
            if not is_manifest or path in manifests:
                _copy(path, to / "home" / place, place, hashes, progress)
    return digests


def _files_in(top: Path) -> list[Path]:
    if top.is_file():
        return [top]
    found = [Path(where, name) for where, _folders, names in os.walk(top) for name in names]
    return sorted(path for path in found if not path.name.endswith(PARTIAL) and _is_plain(path))


def _is_plain(path: Path) -> bool:
    """A file, and no link, pipe, socket or device; what has gone meanwhile is none."""
    with contextlib.suppress(OSError):
        return stat.S_ISREG(path.lstat().st_mode)
    return False


def _copy(source: Path, target: Path, place: Path, hashes: dict[str, str], progress: Progress) -> None:
    """Copy a file with its mode, and note its hash; one that has gone meanwhile is left out."""
    try:
        reader = source.open("rb")
    except FileNotFoundError:
        return
    _copy_open(reader, target, place, hashes, progress)


def _copy_from_inside(home: Home, target: Path, place: Path, hashes: dict[str, str], progress: Progress) -> bool:
    """The same for what a closed program may have put there, without following a link; whether it could be read."""
    try:
        str(place).encode()
        reader = open_inside(home.path / place.parts[0], str(Path(*place.parts[1:])))
    except UnicodeEncodeError:
        return False
    except MadangError:
        return not _is_plain(home.path / place)  # it has gone, or is a link by now
    _copy_open(reader, target, place, hashes, progress)
    return True


def _copy_open(reader: BinaryIO, target: Path, place: Path, hashes: dict[str, str], progress: Progress) -> None:
    make_folder(target.parent, 0o700)
    digest = hashlib.sha256()
    with reader, target.open("xb") as writer:
        mode = stat.S_IMODE(os.fstat(reader.fileno()).st_mode) & 0o777
        while chunk := reader.read(_CHUNK):
            digest.update(chunk)
            writer.write(chunk)
            progress.advance(len(chunk))
        writer.flush()
        os.fsync(writer.fileno())
    target.chmod(mode)
    hashes[f"home/{place}"] = digest.hexdigest()


def _put_back(source: Path, home: Path, place: Path) -> None:
    """Copy a file to its place; folders on the way are as open as those of a home that was not restored."""
    target = home / place
    make_folder(target.parent, folder_modes().get(place.parts[0], 0o755))
    shutil.copyfile(source, target)
    target.chmod(stat.S_IMODE(source.stat().st_mode))
    sync_file(target)


def _make_removable(folder: Path) -> None:
    for where, _folders, _files in os.walk(folder):
        with contextlib.suppress(OSError):
            os.chmod(where, 0o700)


def _last_event(folder: Path) -> tuple[int, str]:
    """The audit's head as of the copy, from its last line."""
    length, digest = 0, Head().digest
    path = folder / f"{audit_events.name}.ndjson"
    with path.open("rb") as file:
        for line in file:
            length, digest = length + 1, json.loads(line)["digest"]
    return length, digest
