"""Inputs from the catalog, and inputs under a permit, whose results stay until they are released.

    madang://record/NAME@3/TABLE      a published version (the newest without @) that one may read
    madang://permit/NUMBER/TABLE      the extract of a permit, for a task of the permit's project

Without TABLE it is all of them, each a folder of Parquet files. What a task makes of data under a permit is closed:
what it printed and left is given to nobody. It can be read by further tasks under the permit, put into a workspace of
the permit, and leave by a release, which people judge. A task whose permit is not in force does not begin, and is
stopped where it runs.
"""

import json
import shutil
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake import Version
from madang.node.acts import doing_in
from madang.node.database import now
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.people.models import Permit
from madang.services.compute import staging
from madang.services.compute.acts import PLACE
from madang.services.compute.models import Task


def locate(node: Node, actor: Actor, url: str, path: str, project: int | None) -> list[dict[str, Any]]:
    """Where the files of a record or permit are, for a task of that project. Errors: `task.input`, those of rooms."""
    kind, _slash, rest = url.removeprefix("madang://").partition("/")
    name, _slash, table = rest.partition("/")
    more: dict[str, Any] = {}
    if kind == "permit":
        version = extract_for(node, actor, name, project or 0)
        more = {"permit": name, "dataset": version.name}
    else:
        version = _published(node, actor, name)
    if table and table not in version.tables:
        raise MadangError("task.input", _("{name} has no table {table}.").format(name=name, table=repr(table)[:100]))
    found = []
    for each, held in sorted(version.tables.items()):
        if table in ("", each):
            folder = path if table else f"{path}/{each}"
            for place, (file, source) in enumerate(zip(held.files, held.paths, strict=True)):
                where = {"path": f"{folder}/{place}.parquet", "url": url, "type": "FILE", "source": str(source)}
                found.append(where | {"sha256": file.sha256, "stamp": staging.stamp_of(source)} | more)
    return found


def _published(node: Node, actor: Actor, name: str) -> Version:
    from madang.node.permissions import check
    from madang.services.catalog import service as catalog

    record_name, _at, number = name.partition("@")
    record = catalog.see(node, actor, record_name)
    shown = catalog.published_version(record, int(number) if number.isdecimal() and len(number) < 9 else None)
    check(actor, "record.read", record)
    node.audit.read(actor, "record.download", f"record:{record.id}", {"version": shown.number, "form": "task"})
    return node.home.lake().dataset(record.dataset).version(shown.number)


def extract_for(node: Node, actor: Actor, number: str, project: int | None = None, *, shown: bool = False) -> Version:
    """The extract of a permit in force, for somebody of its project; `project`: that it has to be.

    `shown`: who asks has shown that they may know of it.

    Errors: `task.input`, `task.permit`, those of access.
    """
    with node.read() as session:
        permit = session.scalar(select(Permit).where(Permit.number == number))
        known = permit is not None and (shown or actor.kind == "owner" or actor.in_project(permit.project_id))
        if permit is None or not known:
            raise MadangError("task.input", _("There is no permit {number} of yours.").format(number=repr(number)[:50]))
        if project is not None and permit.project_id != project:
            raise MadangError(
                "task.input",
                _("The permit {number} is another project's.").format(number=number),
                _("Make it a task of the permit's project."),
            )
        check_in_force(session, [number])
        dataset = permit.dataset
    from madang.services.access import extract_of

    try:
        extract: Version = extract_of(node, number)
        return extract
    except MadangError as error:
        if error.code != "access.none":
            raise
    return node.home.lake().find(dataset)  # a permit that another room than that of applications gave


def permits_in(inputs: str) -> tuple[str, ...]:
    """The permits under which the inputs of a task are, by the text that is kept of them."""
    if '"permit"' not in inputs:
        return ()
    return tuple(sorted({str(each["permit"]) for each in json.loads(inputs) if "permit" in each}))


def check_in_force(session: Session, numbers: Iterable[str]) -> None:
    """Errors: `task.permit` where one of these permits opens nothing at this moment."""
    for number in numbers:
        permit = session.scalar(select(Permit).where(Permit.number == number))
        if permit is None or permit.state != "in-force" or not permit.begins <= now() < permit.ends:
            raise MadangError("task.permit", _("The permit {number} is not in force.").format(number=number))


def permits_of(node: Node, actor: Actor) -> list[tuple[str, str]]:
    """The permits in force of the projects that somebody is in: number, and what it is called."""
    query = select(Permit).where(Permit.state == "in-force", Permit.begins <= now(), Permit.ends > now())
    if actor.kind != "owner":
        query = query.where(Permit.project_id.in_(list(actor.projects)))
    with node.read() as session:
        found = session.scalars(query.options(selectinload(Permit.project)).order_by(Permit.id).limit(100)).all()
    return [(each.number, f"{each.number} ({each.project.title})") for each in found]


def project_of(node: Node, actor: Actor, number: str) -> str:
    """The name of the project that holds a permit. Errors: `task.input` where it is none of theirs."""
    with node.read() as session:
        permit = session.scalar(select(Permit).where(Permit.number == number).options(selectinload(Permit.project)))
        if permit is None or not (actor.kind == "owner" or actor.in_project(permit.project_id)):
            raise MadangError("task.input", _("There is no permit {number} of yours.").format(number=repr(number)[:50]))
        return permit.project.name


def workspaces_of(node: Node, actor: Actor, task: Task) -> list[tuple[str, str]]:
    """The open workspaces into which what a task left may be put."""
    from madang.services.workspace import list_workspaces

    permits = set(permits_in(task.inputs))
    return [
        (str(each.id), each.title)
        for each in list_workspaces(node, actor)
        if each.state == "open"
        and each.project_id == task.project_id
        and permits <= ({each.permit.number} if each.permit is not None else set())
    ]


def check_leaves(actor: Actor, task: Task) -> None:
    """Errors: `task.closed` where what a task printed and left may only leave by a release."""
    permits = permits_in(task.inputs)
    if permits and actor.kind != "owner":
        raise MadangError(
            "task.closed",
            _("What this task made of data under the permit {number} stays here.").format(number=", ".join(permits)),
            _("Ask for its release, or look at it in a workspace of the permit."),
        )


def ask_release(node: Node, actor: Actor, task: Task, names: Sequence[str], purpose: str) -> int:
    """Ask for the release of what a task left; the number of the request. Errors: those of the release desk."""
    from madang.services.release import ask
    from madang.services.release.examine import Upload

    sets = {each["dataset"] for each in json.loads(task.inputs) if "dataset" in each}
    uploads = []
    for name in names:
        path = staging.output_path(node, task.id, name)
        if not path.is_file():
            raise MadangError("task.input", _("Task {number} left no {name}.").format(number=task.id, name=repr(name)))
        says = _("left by task {number}").format(number=task.id)
        uploads.append(Upload(path.name, path.read_bytes(), says))
    project = task.project.name if task.project is not None else ""
    dataset = sets.pop() if len(sets) == 1 else ""
    number: int = ask(node, actor, uploads, project=project, dataset=dataset, purpose=purpose)
    return number


def into_workspace(node: Node, actor: Actor, task: Task, workspace: int) -> int:
    """Put what a task printed and left where a workspace of its permit can read it; how many files.

    Errors: `task.workspace` if it is no workspace of the task's project and permit.
    """
    from madang.services.workspace import folder_of, see

    found = see(node, actor, workspace)
    permits = permits_in(task.inputs)
    theirs = {found.permit.number} if found.permit is not None else set()
    if found.state != "open" or found.project_id != task.project_id or not set(permits) <= theirs:
        raise MadangError("task.workspace", _("That is no open workspace of this task's project and permit."))
    source = staging.folder_of(node, task.id)
    target = folder_of(node, workspace) / "brought" / f"task-{task.id}"
    with node.write() as session, doing_in(session, node, actor, PLACE, lambda _session: task) as done:
        if permits:
            check_in_force(session, permits)
        done.tell(workspace=workspace, permits=list(permits))
    partial = target.with_name(f"{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    count = 0
    partial.mkdir(mode=0o755, parents=True)
    kept = [path for path in source.rglob("*") if path.is_file() and not path.is_symlink()]
    for path in kept:
        if path.parent == source and path.suffix not in (".out", ".err"):
            continue
        if staging.CHECKPOINTS in path.relative_to(source).parts[0]:
            continue
        copy = partial / path.relative_to(source)
        copy.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
        copy.chmod(0o444)
        count += 1
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)
    return count
