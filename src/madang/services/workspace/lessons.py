"""Workspaces of courses: somebody's own, on the data of its lessons, with notebooks that the course gave."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import select

from madang.base.errors import MadangError
from madang.node import closed
from madang.node.acts import doing
from madang.node.database import now
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.people.models import HOUSE
from madang.node.permissions import check
from madang.services.workspace import notebooks, service
from madang.services.workspace.acts import ENTER, OPEN
from madang.services.workspace.models import Workspace


def open_course(node: Node, actor: Actor, course: str, title: str, digest: str) -> int:
    """One's own workspace of a course, the one that is open or a new one; its number. Errors: `closed.missing`."""
    check(actor, OPEN)
    known = find_course(node, actor, course)
    if known is not None:
        return known
    if not closed.is_available():
        closed.Box(closed.Limits(1, 1 << 28)).run(["true"])  # raises, with the reason
    made = Workspace(
        title=title,
        dataset="",
        version=0,
        digest=digest,
        course=course,
        owner_id=actor.person_id,
        organization_id=HOUSE,
    )
    with doing(node, actor, OPEN, lambda session: made) as done:
        done.tell(dataset=f"course:{course}", version=0, digest=digest, permit="", project="")
    service.folder_of(node, made.id)
    return made.id


def find_course(node: Node, actor: Actor, course: str) -> int | None:
    """The number of one's own open workspace of a course; None where there is none."""
    with node.read() as session:
        wanted = select(Workspace.id).where(Workspace.course == course, Workspace.state == "open")
        return session.scalar(
            wanted.where(Workspace.owner_id == actor.person_id).order_by(Workspace.id.desc()).limit(1)
        )


def put_notebook(node: Node, actor: Actor, number: int, name: str, cells: Sequence[dict[str, Any]]) -> bool:
    """Put a notebook there, unless it is there; whether it came. Its cells have `kind`, `source` and maybe `id`."""
    check(actor, ENTER, service.find(node, number))
    folder = _notebooks(node, number)
    if name in notebooks.list_notebooks(folder):
        return False
    made = notebooks.create(folder, name)
    kept = [
        notebooks.new_cell(each["source"], each["kind"]) | {key: each[key] for key in ("id",) if key in each}
        for each in cells
    ]
    notebooks.save(folder, name, made["version"], kept)
    return True


def source_of_cell(node: Node, actor: Actor, number: int, name: str, cell: str) -> str | None:
    """What stands in a cell of a notebook; None where it is gone. Errors: `workspace.closed`."""
    found = service.find(node, number)
    reason = service.why_closed(node, actor, found)
    if reason:
        raise MadangError("workspace.closed", reason)
    try:
        cells = notebooks.load(_notebooks(node, number), name)["cells"]
    except MadangError:
        return None
    return next((str(each["source"]) for each in cells if each["id"] == cell), None)


def clear_course(node: Node, person: int, course: str) -> bool:
    """Put somebody's workspace of a course to sleep and take its files and notebooks away; whether there was one.

    The caller has checked that it may be done.
    """
    with node.write() as session:
        wanted = select(Workspace).where(Workspace.course == course, Workspace.state == "open")
        found = session.scalar(wanted.where(Workspace.owner_id == person).order_by(Workspace.id.desc()).limit(1))
        if found is None:
            return False
        found.stopped = now()
        number = found.id
    folder = service.folder_of(node, number)
    for name in ("files", "notebooks"):
        for path in (folder / name).iterdir():
            if path.is_dir() and not path.is_symlink():
                closed.remove_inside(path)
            else:
                path.unlink(missing_ok=True)
    return True


def _notebooks(node: Node, number: int) -> Path:
    return service.folder_of(node, number) / "notebooks"


def data_of(node: Node, course: str) -> dict[str, Path]:
    """What the workspace of a course shows, as the course says. Errors: those of the course, `workspace.changed`."""
    from madang.services.training import course_data

    try:
        shown: dict[str, Path] = course_data(node, course)
    except MadangError as error:
        raise MadangError("workspace.changed", error.message, error.hint) from None
    return shown
