"""Where the inputs of tasks are, and where what they print and leave is kept.

    compute/tasks/7/0.out 0.err        what its first command printed
    compute/tasks/7/outputs/...        what it left, moved there with its hash
    compute/attempts/7-1/...           the folders that its first attempt may write; gone when it is over
    compute/brought/SHA256             files that people brought

Addresses of inputs: `madang://task/7/NAME` (an output), `madang://file/3` (a file that was brought), and, for the owner
of the home alone, `file:///...`; of data of the catalog see `permitted`. Nothing is fetched from elsewhere.
"""

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO
from urllib.parse import unquote

from sqlalchemy import select

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake.files import make_folder
from madang.node import closed
from madang.node.acts import doing
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.people.projects import find_project
from madang.node.permissions import may, visible
from madang.services.compute import quotas
from madang.services.compute.acts import BRING, READ, USE_FILE
from madang.services.compute.definition import Definition, inside
from madang.services.compute.models import Task, TaskFile

LARGEST_FILE = 200_000_000  # bytes of a file that is brought through a form
CHECKPOINTS = "checkpoints"  # beside what a task printed
_BLOCK = 1 << 20


def folder_of(node: Node, number: int) -> Path:
    """Where what a task printed and left is kept."""
    return node.home.folder("compute") / "tasks" / str(number)


def work_folder(node: Node, number: int, attempt: int) -> Path:
    """Where one attempt of a task may write."""
    return node.home.folder("compute") / "attempts" / f"{number}-{attempt}"


def locate(node: Node, actor: Actor, definition: Definition, project: int | None = None) -> list[dict[str, Any]]:
    """Find the inputs of a task, as who asks for it may: each with its path inside and where it is here.

    What this node cannot give has an `error`, with which the task will end. Errors: `task.input` for what one may not
    read, or that is not there.
    """
    found = []
    for each in definition.inputs or ():
        place: dict[str, Any] = {"path": str(inside(each.path)), "url": each.url or "", "type": each.type}
        if each.content is not None:
            place["content"] = each.content
        elif (each.url or "").startswith(("madang://permit/", "madang://record/")):
            from madang.services.compute import permitted

            found += permitted.locate(node, actor, str(each.url), place["path"], project)
            continue
        elif (each.url or "").startswith("madang://"):
            place |= _of_ours(node, actor, str(each.url), project)
        elif (each.url or "").startswith("file://"):
            place |= _of_owner(actor, str(each.url))
        else:
            place["error"] = _("This installation fetches nothing from {url}.").format(url=repr(each.url)[:200])
        found.append(place)
    return found


def _none(url: str) -> MadangError:
    return MadangError(
        "task.input",
        _("There is no input {url} that you may read.").format(url=repr(url)[:300]),
        _("Name an output as madang://task/NUMBER/NAME, or a file as madang://file/NUMBER."),
    )


def _of_ours(node: Node, actor: Actor, url: str, project: int | None) -> dict[str, Any]:
    kind, _slash, rest = url.removeprefix("madang://").partition("/")
    number, _slash, name = rest.partition("/")
    if kind == "reference":
        from madang.services.compute.sequencing import reference_folder

        path = reference_folder(node, rest)
        return {
            "source": str(path),
            "stamp": stamp_of(path),
            "url": f"madang://reference/{path.parent.name}@{path.name}",
        }
    if not number.isdecimal() or len(number) > 9:
        raise _none(url)
    with node.read() as session:
        if kind == "task":
            task = session.get(Task, int(number))
            if task is None or not may(actor, READ, task):
                raise _none(url)
            path = output_path(node, task.id, unquote(name))
            return {"source": str(path), "stamp": stamp_of(path)} | _closed(task, project)
        brought = session.get(TaskFile, int(number)) if kind == "file" else None
        if brought is None or not may(actor, USE_FILE, brought):
            raise _none(url)
        path = node.home.folder("compute") / "brought" / brought.hash
        return {"source": str(path), "sha256": brought.hash, "stamp": stamp_of(path)}


def _closed(task: Task, project: int | None) -> dict[str, Any]:
    """Under which permit what a task left is: whoever reads it is under it, too, and of the same project."""
    permits = {each["permit"]: each for each in json.loads(task.inputs) if "permit" in each}
    if not permits:
        return {}
    if task.project_id != project or len(permits) > 1:
        raise MadangError(
            "task.input",
            _("What task {number} left is under a permit of another project, or of several.").format(number=task.id),
        )
    each = next(iter(permits.values()))
    return {"permit": each["permit"], "dataset": each["dataset"]}


def _of_owner(actor: Actor, url: str) -> dict[str, Any]:
    path = Path(unquote(url.removeprefix("file://")))
    if actor.kind != "owner":
        raise MadangError(
            "task.input", _("Only the owner of this installation can name files of this machine."), _("Bring the file.")
        )
    if not path.is_absolute() or not path.exists():
        raise MadangError("task.input", _("There is no file {path}.").format(path=repr(str(path))))
    return {"source": str(path.resolve()), "stamp": stamp_of(path)}


def brought_path(node: Node, number: int) -> Path:
    """Where the bytes of a file that was brought are. Errors: `task.input` if there is none of that number."""
    with node.read() as session:
        found = session.get(TaskFile, number)
    if found is None:
        raise _none(f"madang://file/{number}")
    return node.home.folder("compute") / "brought" / found.hash


def stamp_of(path: Path) -> list[int]:
    """By what a file is known to be the same: size, time and number; of a folder its number. Errors: `task.input`."""
    try:
        status = path.stat()
    except OSError:
        raise MadangError("task.input", _("There is no file {path}.").format(path=repr(path.name))) from None
    return [status.st_size, status.st_mtime_ns, status.st_ino] if path.is_file() else [0, 0, status.st_ino]


def output_path(node: Node, number: int, name: str) -> Path:
    """The file of an output. Errors: `task.input` if there is none of that name."""
    parts = PurePosixPath(name).parts
    path = folder_of(node, number) / "outputs" / Path(*parts)
    if not parts or any(part in ("..", "/", ".") for part in parts) or path.is_symlink() or not path.exists():
        raise MadangError("task.input", _("Task {number} left no {name}.").format(number=number, name=repr(name)[:200]))
    return path


def prepare(
    work: Path, inputs: list[dict[str, Any]], roots: list[str], folders: Sequence[str] = ()
) -> tuple[dict[str, Path], dict[str, Path]]:
    """Make the folders of an attempt and put its inputs there; what can be read and written, as {inside: here}.

    Inputs are mounted read only, or copied where the task may write around them. `sha256` of each is noted. Errors:
    `task.input`, `task.changed` where an input is no longer what was named.
    """
    shutil.rmtree(work, ignore_errors=True)
    make_folder(work, 0o700)
    write = {}
    for place, root in enumerate(roots):
        write[root] = work / f"w{place}"
        write[root].mkdir(mode=0o700)
    for folder in folders:  # where outputs are to be
        for root in roots:
            if folder.startswith(root + "/"):
                (write[root] / folder.removeprefix(root).lstrip("/")).mkdir(parents=True, exist_ok=True)
    read: dict[str, Path] = {}
    for place, each in enumerate(inputs):
        if "error" in each:
            raise MadangError("task.input", each["error"])
        try:
            mounted = _place(work, place, each, write)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise
            message = _("The input cannot be put at {path}: {why}.").format(
                path=each["path"], why=error.strerror or "?"
            )
            raise MadangError("task.input", message) from None
        if mounted is not None:
            read[each["path"]] = mounted
    return read, write


def _place(work: Path, place: int, each: dict[str, Any], write: dict[str, Path]) -> Path | None:
    """Copy an input to where the task may write, or give what is mounted."""
    source = Path(each["source"]) if "source" in each else work / f"c{place}"
    if "content" in each:
        source.write_text(each["content"], "utf-8")
        source.chmod(0o444)
    else:
        check_unchanged(each)
    if source.is_file():
        each["sha256"] = (each.get("sha256") if "stamp" in each else None) or hash_of(source)
        each["size"] = source.stat().st_size
    under = next((root for root in write if each["path"] == root or each["path"].startswith(root + "/")), None)
    if under is None:
        return _readable(source, work / f"r{place}")
    target = write[under] / each["path"].removeprefix(under).lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        shutil.copyfile(source, target)
    return None


def check_unchanged(each: dict[str, Any]) -> None:
    """Errors: `task.changed` where an input is not what was named: by its stamp, or its hash where it was sent."""
    source = Path(each["source"])
    same = stamp_of(source) == each["stamp"] if "stamp" in each else each.get("sha256") in (None, hash_of(source))
    if not same:
        raise MadangError("task.changed", _("The input {path} is no longer what was named.").format(path=each["path"]))


def _readable(source: Path, copy: Path) -> Path:
    """What is mounted: the file itself, or, where a box of a node that runs as root could not read it, a copy."""
    if os.geteuid() == 0 and source.is_file() and not source.stat().st_mode & 0o004:
        shutil.copyfile(source, copy)
        copy.chmod(0o444)
        return copy
    return source


def hash_of(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def keep_outputs(definition: Definition, write: dict[str, Path], target: Path, largest: int) -> list[dict[str, Any]]:
    """Move what a task left to the new folder `target`, hashed on the way; links and devices are left out.

    Errors: `task.output` where an output that was named is not there, or two would have one name.
    """
    make_folder(target, 0o700)
    kept: dict[str, dict[str, Any]] = {}
    for output in definition.outputs or ():
        path = str(inside(output.path)) if not re.search(r"[*?\[]", output.path) else output.path
        root = next((each for each in write if path == each or path.startswith(each + "/")), None)
        if root is None:
            raise MadangError("task.output", _("{path} is no place for outputs.").format(path=repr(path)[:200]))
        scheme = re.match(r"([a-z0-9+.-]+)://", output.url)
        if scheme and scheme[1] != "madang":
            message = _("This installation sends nothing to {url}.").format(url=repr(output.url)[:200])
            raise MadangError("task.output", message, _("Write madang://NAME: outputs are kept with the task."))
        base = [part for part in output.url.removeprefix("madang://").split("/") if part not in ("", ".")]
        if ".." in base:
            raise MadangError("task.output", _("{path} cannot name an output.").format(path=repr(output.url)[:200]))
        within = path.removeprefix(root).lstrip("/")
        prefix = (output.path_prefix or "").removeprefix(root).strip("/")
        for name, below in _named(write[root], within, output.type == "DIRECTORY", prefix):
            parts = [*base, *below] if below else (base or [PurePosixPath(path).name])
            shown = "/".join(parts)
            if not shown.isprintable():  # bytes that are no UTF-8 among them: no database and no answer could tell them
                message = _("The output {name} has a name that is no plain text.").format(name=ascii(shown)[:200])
                raise MadangError("task.output", message, _("Name files in UTF-8, without control characters."))
            if shown in kept:
                raise MadangError("task.output", _("Two outputs have the name {name}.").format(name=repr(shown)[:200]))
            kept[shown] = _move(write[root], name, target.joinpath(*parts), shown, f"{root}/{name}", largest)
    return list(kept.values())


def _named(folder: Path, within: str, whole: bool, prefix: str) -> Iterator[tuple[str, list[str]]]:
    """The files that an output names, relative to its folder, and how they are called below it: those of a pattern
    without the prefix that the output states, or by their last name.
    """

    wild = re.search(r"[*?\[]", within) is not None
    if not whole and not wild:
        yield within, []
        return
    for name, _size in closed.files_inside(folder, most=100_000):
        if wild and _fits(name, within):
            yield name, (name.removeprefix(f"{prefix}/") if prefix else PurePosixPath(name).name).split("/")
        elif whole and not wild and (not within or name.startswith(within + "/")):
            yield name, name.removeprefix(within).lstrip("/").split("/") if within else name.split("/")


def _fits(name: str, pattern: str) -> bool:
    """Whether a path fits a pattern of the shell (IEEE 1003.1, 2.13.3): no `*` or `?` stands for a slash."""
    import fnmatch

    parts, wanted = name.split("/"), pattern.split("/")
    return len(parts) == len(wanted) and all(map(fnmatch.fnmatchcase, parts, wanted))


def _move(folder: Path, name: str, target: Path, shown: str, path: str, largest: int) -> dict[str, Any]:
    make_folder(target.parent, 0o700)
    digest, size = hashlib.sha256(), 0
    with _opened(folder, name, shown, largest) as source, target.open("xb") as file:
        os.fchmod(file.fileno(), 0o444)  # its folder is closed; in a box it is read as somebody else
        while block := source.read(_BLOCK):
            digest.update(block)
            size += len(block)
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    return {"name": shown, "path": path, "size": size, "sha256": digest.hexdigest()}


def _opened(folder: Path, name: str, shown: str, largest: int) -> BinaryIO:
    try:
        return closed.open_inside(folder, name, largest=largest)
    except MadangError:
        message = _("The output {name} is not there, or is no plain file.").format(name=repr(shown)[:200])
        raise MadangError("task.output", message) from None


def checkpoints(node: Node, number: int, again: int | None = None) -> Path:
    """The folder of a task that outlives its attempts; at first what the task that it repeats had left in its own."""
    folder = folder_of(node, number) / CHECKPOINTS
    if not folder.is_dir():
        make_folder(folder.parent, 0o700)
        partial = folder.with_name(f"{CHECKPOINTS}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o700)
        if again is not None:
            copy_plain(folder_of(node, again) / CHECKPOINTS, partial)
        partial.rename(folder)
    return folder


def copy_plain(source: Path, target: Path) -> None:
    """Copy the plain files of a folder that a task wrote; links and devices are left out."""
    if not source.is_dir():
        return
    for name, size in closed.files_inside(source, most=10_000):
        copy = target / name
        copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with closed.open_inside(source, name, largest=size) as file, copy.open("wb") as kept:
            shutil.copyfileobj(file, kept, _BLOCK)


def remove_checkpoints(node: Node, number: int) -> None:
    """They are of no use any more: the task is done."""
    shutil.rmtree(folder_of(node, number) / CHECKPOINTS, ignore_errors=True)


def remove_outputs(node: Node, number: int) -> None:
    """Remove what a task left and its checkpoints; what it printed stays."""
    remove_checkpoints(node, number)
    shutil.rmtree(folder_of(node, number) / "outputs", ignore_errors=True)


def printed(node: Node, number: int, place: int, most: int) -> tuple[str, str]:
    """What a command of a task printed: (stdout, stderr), their ends where they are long."""
    return (
        _tail(folder_of(node, number) / f"{place}.out", most),
        _tail(folder_of(node, number) / f"{place}.err", most),
    )


def _tail(path: Path, most: int) -> str:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - most))
            return file.read(most).decode("utf-8", "replace").replace("\x00", "\N{REPLACEMENT CHARACTER}")
    except OSError:
        return ""


def use_so_far(node: Node, number: int) -> list[list[float]]:
    """What a running task used until now: (seconds, cores in use, bytes of memory)."""
    try:
        return list(json.loads((folder_of(node, number) / "use.json").read_text("utf-8")))
    except (OSError, ValueError):
        return []


def progress(node: Node, number: int) -> float | None:
    """How far a task is, from 0 to 1: the last percentage that any of its commands printed, if one did."""
    logs = sorted(folder_of(node, number).glob("[0-9]*.*"), key=lambda path: path.name, reverse=True)
    for path in logs:
        found = re.findall(r"(?<![\d.])(\d{1,3}(?:\.\d+)?)\s?%", _tail(path, 10_000))
        if found and float(found[-1]) <= 100:
            return float(found[-1]) / 100
    return None


def bring(node: Node, actor: Actor, name: str, data: bytes, project: str = "") -> TaskFile:
    """Keep a file as an input of tasks. Errors: `task.file` if it is empty or too large."""
    from madang.lake.files import put_if_absent
    from madang.node.text import clean_line

    if not data or len(data) > LARGEST_FILE:
        message = _("The file is empty, or larger than {most} MB.").format(most=LARGEST_FILE // 1_000_000)
        raise MadangError("task.file", message)
    shown = clean_line(PurePosixPath(name.replace("\\", "/")).name, _("The name"), 200, required=True)
    digest = hashlib.sha256(data).hexdigest()

    def new(session: Any) -> TaskFile:
        of = find_project(session, project) if project else None
        share = f"project:{of.id}" if of else actor.reference
        for holder, limit in quotas.holders(session, share):
            quotas.check_disk(session, holder, limit, len(data))
        return TaskFile(
            owner_id=actor.person_id, project_id=of.id if of else None, name=shown, hash=digest, size=len(data)
        )

    with doing(node, actor, BRING, new) as done:
        folder = node.home.folder("compute") / "brought"
        make_folder(folder, 0o700)
        put_if_absent(folder / digest, data, 0o444)
        done.tell(name=shown, hash=digest, size=len(data))
    return done.thing


def files(node: Node, actor: Actor) -> list[TaskFile]:
    """The files that one may use, the newest first."""
    with node.read() as session:
        query = select(TaskFile).where(visible(actor, USE_FILE, TaskFile)).order_by(TaskFile.id.desc()).limit(200)
        return list(session.scalars(query))
