"""What people can do with workspaces: open, look, put to sleep, end, open again, destroy."""

import contextlib
import json
import os
import stat
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake import Version
from madang.node import closed
from madang.node.acts import doing, told_of
from madang.node.database import now
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.people.models import HOUSE, Permit
from madang.node.people.projects import find_project
from madang.node.permissions import check, may, visible
from madang.services.workspace.acts import DESTROY, END, ENTER, OPEN, RENEW, SEE, STOP, USE
from madang.services.workspace.models import Workspace

STATUS = "workspaces.json"  # in the folder `run`: what is awake, written by the gateway
_FRESH = 10  # seconds for which that is believed


@dataclass(frozen=True)
class Right:
    """What somebody may work on, and by which right."""

    version: Version
    record: str
    permit: Permit | None
    organization_id: int
    project_id: int | None
    title: str


@dataclass(frozen=True)
class Awake:
    """What a workspace uses that is awake: bytes of memory and disk, processes, people who look at it."""

    memory: int
    disk: int
    processes: int
    people: int


def open_workspace(node: Node, actor: Actor, reference: str, *, project: str = "", title: str = "") -> Workspace:
    """Open a workspace by a permit's number, or on a dataset that the actor may read.

    One that the same people have open on the same data is given again. Errors: `workspace.no_right`,
    `closed.missing`, `project.none`, `access.no_extract`, `access.not_in_force`.
    """
    right = find_right(node, actor, reference, project)
    check(actor, OPEN)
    if not closed.is_available():
        closed.Box(closed.Limits(1, 1 << 28)).run(["true"])  # raises, with the reason
    with node.read() as session:
        for each in session.scalars(_query().where(Workspace.dataset == right.version.dataset.name)):
            same = (each.state, each.version, each.project_id) == ("open", right.version.number, right.project_id)
            if same and (right.project_id is not None or each.owner_id == actor.person_id):
                return each

    def new(session: Session) -> Workspace:
        return Workspace(
            title=title.strip() or right.title,
            dataset=right.version.dataset.name,
            version=right.version.number,
            digest=right.version.digest,
            record=right.record,
            permit_id=right.permit.id if right.permit else None,
            project_id=right.project_id,
            owner_id=actor.person_id,
            organization_id=right.organization_id,
        )

    with doing(node, actor, OPEN, new) as done:
        done.tell(**_opened(done.thing, right))
    folder_of(node, done.thing.id)
    return find(node, done.thing.id)


def _opened(workspace: Workspace, right: Right) -> dict[str, object]:
    return {
        "dataset": workspace.dataset,
        "version": workspace.version,
        "digest": workspace.digest,
        "permit": right.permit.number if right.permit else "",
        "project": str(right.project_id or ""),
    }


def find_right(node: Node, actor: Actor, reference: str, project: str = "") -> Right:
    """By which right somebody may work on a permit's extract or a dataset. Errors: see `open_workspace`."""
    with node.read() as session:
        permit = session.scalar(select(Permit).where(Permit.number == reference).options(selectinload(Permit.project)))
        project_id = find_project(session, project).id if project else None
    if project_id is not None and actor.kind != "owner" and not actor.in_project(project_id):
        raise _no_right()
    if permit is not None:
        if actor.kind != "owner" and not actor.in_project(permit.project_id):
            raise _no_right()
        if not in_force(permit):
            raise MadangError(
                "workspace.no_right",
                _("The permit {number} is not in force.").format(number=permit.number),
                _("Ask for it to be renewed."),
            )
        version = _extract(node, permit)
        return Right(version, "", permit, permit.organization_id, permit.project_id, permit.project.title)
    return _by_dataset(node, actor, reference, project_id)


def _extract(node: Node, permit: Permit) -> Version:
    from madang.services.access import extract_of

    try:
        extract: Version = extract_of(node, permit.number)
        return extract
    except MadangError as error:
        if error.code != "access.none":
            raise
    return node.home.lake().find(permit.dataset)  # a permit that another room than that of applications gave


def _by_dataset(node: Node, actor: Actor, reference: str, project_id: int | None) -> Right:
    from madang.services.catalog import service as catalog

    name, _at, number = reference.partition("@")
    try:
        record = catalog.see(node, actor, name)
    except MadangError as error:
        if error.code != "catalog.none" or actor.kind != "owner":
            raise
        version = node.home.lake().find(reference)  # the owner of the home may work on what is in no catalog
        return Right(version, "", None, HOUSE, project_id, version.dataset.name)
    shown = catalog.published_version(record, int(number) if number.isdigit() else None)
    if not may(actor, "record.read", record):
        raise _no_right()
    version = node.home.lake().dataset(record.dataset).version(shown.number)
    return Right(version, record.name, None, record.organization_id, project_id, record.title)


def _no_right() -> MadangError:
    return MadangError(
        "workspace.no_right",
        _("You may not work on these data."),
        _("Ask for them: a permit opens a workspace for your project."),
    )


def in_force(permit: Permit) -> bool:
    """Whether a permit is in force at this moment."""
    return permit.state == "in-force" and permit.begins <= now() < permit.ends


def why_closed(node: Node, actor: Actor, workspace: Workspace) -> str:
    """Why somebody may not work in a workspace at this moment; empty where they may. Asked at every turn."""
    if workspace.state != "open":
        return _("This workspace has ended.")
    if not may(actor, ENTER, workspace):
        return _("You are not among the people of this workspace.")
    if workspace.permit_id is not None:
        if workspace.permit is None or not in_force(workspace.permit):
            return _("The permit of this workspace is not in force.")
        return ""
    if workspace.record and not _may_read(node, actor, workspace.record):
        return _("These data may no longer be read by you.")
    return ""


def _may_read(node: Node, actor: Actor, name: str) -> bool:
    from madang.services.catalog.models import Record

    with node.read() as session:
        record = session.scalar(select(Record).where(Record.name == name))
        return record is not None and may(actor, "record.read", record)


def find(node: Node, number: int) -> Workspace:
    """A workspace by its number. Errors: `workspace.none`."""
    with node.read() as session:
        found = session.scalar(_query().where(Workspace.id == number))
    if found is None:
        raise MadangError("workspace.none", _("There is no workspace {number}.").format(number=number))
    return found


def see(node: Node, actor: Actor, number: int) -> Workspace:
    """The same for somebody who may know of it. Errors: `workspace.none`, also where they may not."""
    found = find(node, number)
    if not may(actor, SEE, found):
        raise MadangError("workspace.none", _("There is no workspace {number}.").format(number=number))
    return found


def list_workspaces(node: Node, actor: Actor, *, everything: bool = False) -> Sequence[Workspace]:
    """Those that somebody may know of, the newest first; only open ones unless `everything`."""
    query = _query().where(visible(actor, SEE, Workspace)).order_by(Workspace.id.desc())
    if not everything:
        query = query.where(Workspace.state == "open")
    with node.read() as session:
        return session.scalars(query.limit(500)).all()


def _query():  # type: ignore[no-untyped-def]  # SQLAlchemy's type says nothing that the name does not
    return select(Workspace).options(
        selectinload(Workspace.permit), selectinload(Workspace.project), selectinload(Workspace.owner)
    )


def _locked(session: Session, number: int) -> Workspace:
    found = session.get(Workspace, number, with_for_update=True)
    if found is None:
        raise MadangError("workspace.none", _("There is no workspace {number}.").format(number=number))
    return found


def stop(node: Node, actor: Actor, number: int, reason: str = "") -> Workspace:
    """Put a workspace to sleep: its processes end, its files stay. The gateway does it within two seconds."""
    see(node, actor, number)
    with doing(node, actor, STOP, lambda session: _locked(session, number)) as done:
        done.thing.stopped = now()
        done.tell(reason=reason)
    return find(node, number)


def end(node: Node, actor: Actor, number: int, reason: str = "") -> Workspace:
    """End a workspace: its data are shown no more, its code and logs are kept until `kept_until`."""
    if actor.kind != "node":
        see(node, actor, number)
    with doing(node, actor, END, lambda session: _locked(session, number)) as done:
        done.thing.ended = done.thing.stopped = now()
        done.thing.kept_until = now() + timedelta(days=node.settings.workspace.keep_days)
        done.tell(reason=reason, kept_until=f"{done.thing.kept_until:%Y-%m-%d}")
    return find(node, number)


def renew(node: Node, actor: Actor, number: int, reference: str = "") -> Workspace:
    """Open a dormant workspace again, with its code, by a permit that is in force or on data that can be read."""
    found = see(node, actor, number)
    if found.course:
        return _renew_course(node, actor, number)
    wanted = reference or (found.permit.number if found.permit else found.record or found.dataset)
    right = find_right(node, actor, wanted)
    version = right.version
    if right.version.dataset.name == found.dataset:  # the same extract, whatever came after it
        version = right.version.dataset.version(found.version)
    elif right.project_id != found.project_id:
        raise _no_right()
    with doing(node, actor, RENEW, lambda session: _locked(session, number)) as done:
        thing = done.thing
        thing.permit_id = right.permit.id if right.permit else None
        thing.dataset, thing.version, thing.digest = version.dataset.name, version.number, version.digest
        thing.ended = thing.kept_until = None
        done.tell(**_opened(thing, right))
    return find(node, number)


def _renew_course(node: Node, actor: Actor, number: int) -> Workspace:
    with doing(node, actor, RENEW, lambda session: _locked(session, number)) as done:
        done.thing.ended = done.thing.kept_until = None
        done.tell(dataset=done.thing.shows, version=0, digest=done.thing.digest, permit="", project="")
    return find(node, number)


def destroy(node: Node, actor: Actor, number: int) -> Workspace:
    """Destroy what a dormant workspace kept; the event is the record of it."""
    see(node, actor, number)
    folder = folder_of(node, number)
    sizes = [each.st_size for each in _inside(folder) if not stat.S_ISDIR(each.st_mode)]
    with doing(node, actor, DESTROY, lambda session: _locked(session, number)) as done:
        done.thing.destroyed = now()
        done.tell(files=len(sizes), bytes=sum(sizes), dataset=done.thing.shows, version=done.thing.version)
    closed.remove_inside(folder)
    return find(node, number)


def sweep(node: Node) -> None:
    """What the clock does: workspaces whose permit is over become dormant; what was destroyed has no folder."""
    with node.read() as session:
        open_ones = session.scalars(_query().where(Workspace.state == "open", Workspace.permit_id.is_not(None))).all()
        gone = session.scalars(select(Workspace.id).where(Workspace.state == "destroyed")).all()
    for each in open_ones:
        if each.permit is not None and (each.permit.state == "ended" or each.permit.ends <= now()):
            end(node, Actor.node(), each.id, "the permit ended")
    for number in gone:
        closed.remove_inside(node.home.folder("workspaces") / str(number))


def entered(node: Node, actor: Actor, workspace: Workspace) -> None:
    """Write down that somebody goes in, and so may read the data. Errors: `workspace.closed`."""
    check(actor, ENTER, workspace)
    reason = why_closed(node, actor, workspace)
    if reason:
        raise MadangError("workspace.closed", reason, _("Open it again by a permit that is in force."))
    details = {"dataset": workspace.shows, "version": workspace.version, "digest": workspace.digest}
    node.audit.read(actor, ENTER.name, f"workspace:{workspace.id}", details)
    with node.write() as session:
        _locked(session, workspace.id).used = now()


def used(node: Node, workspace: int, person: int | None, cells: int, size: int, pictures: int, refused: int) -> None:
    """Write down, in sums, what somebody was shown."""
    details = {"person": person, "cells": cells, "bytes": size, "pictures": pictures, "refused": refused}
    with node.write() as session:
        told_of(session, node, Actor.node(), USE, f"workspace:{workspace}", USE.details(**details).model_dump())  # type: ignore[misc]  # it has details


def awake(node: Node) -> dict[int, Awake]:
    """The workspaces that are awake, and what they use, as the gateway last wrote it."""
    try:
        told = json.loads((node.home.folder("run") / STATUS).read_text("utf-8"))
        if time.time() - told["at"] > _FRESH:
            return {}
        return {int(number): Awake(**use) for number, use in told["awake"].items()}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def folder_of(node: Node, number: int) -> Path:
    """A workspace's folder: `files` that its programs write, `notebooks` and `brought` that only the node writes."""
    folder = node.home.folder("workspaces") / str(number)
    for name in ("files", "notebooks", "brought", "asked"):
        (folder / name).mkdir(parents=True, exist_ok=True, mode=0o755)
    return folder


def disk_of(node: Node, number: int) -> int:
    """Bytes of everything that a workspace keeps."""
    return sum(each.st_blocks * 512 for each in _inside(node.home.folder("workspaces") / str(number)))


def _inside(folder: Path) -> Iterator[os.stat_result]:
    """The status of everything in a folder, as far as it can be seen."""
    with contextlib.suppress(MadangError, OSError):
        for _here, _name, status in closed.everything_inside(folder):
            yield status
