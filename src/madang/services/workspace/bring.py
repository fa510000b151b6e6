"""Bringing files into a workspace (반입): reviewed where the holder wants it, in the ledger, never the other way."""

import hashlib
import os
import re
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.acts import doing
from madang.node.database import now
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.permissions import may, visible
from madang.services.workspace.acts import ACCEPT, BRING, REFUSE
from madang.services.workspace.models import Brought, Workspace
from madang.services.workspace.service import folder_of, see

LARGEST = 20 << 20  # bytes of a file
_NAME = re.compile(r"[\w가-힣][\w가-힣 .()+-]{0,99}")
_SUFFIXES = (
    *(".csv", ".tsv", ".txt", ".md", ".json", ".toml", ".yaml", ".yml", ".xml"),
    *(".py", ".r", ".sql", ".ipynb", ".parquet", ".xlsx", ".whl", ".gz"),
)


def bring(node: Node, actor: Actor, number: int, name: str, data: bytes, reason: str) -> Brought:
    """Bring a file into a workspace: it is there at once, or once a steward has looked at it.

    Nothing of it is opened or unpacked by the node. Errors: `workspace.file_name`, `workspace.file_size`,
    `workspace.file_taken`.
    """
    workspace = see(node, actor, number)
    name = os.path.basename(name.replace("\\", "/")).strip()
    if not _NAME.fullmatch(name) or not name.lower().endswith(_SUFFIXES):
        raise MadangError(
            "workspace.file_name",
            _("A file of this name cannot be brought in."),
            _("Tables, code lists, programs and packages can: {kinds}.").format(kinds=", ".join(_SUFFIXES)),
        )
    if not 0 < len(data) <= LARGEST:
        raise MadangError("workspace.file_size", _("A file may have 1 byte to {most} MB.").format(most=LARGEST >> 20))
    hashed = hashlib.sha256(data).hexdigest()
    review = node.settings.workspace.review_files and not may(actor, ACCEPT, workspace)
    folder = folder_of(node, number)
    with node.read() as session:
        known = select(Brought.id).where(
            Brought.workspace_id == number, Brought.name == name, Brought.state.in_(("asked", "accepted"))
        )
        if session.scalar(known) is not None:
            raise MadangError(
                "workspace.file_taken",
                _("A file {name} is there already.").format(name=name),
                _("Give the file another name."),
            )
    _put(folder / "asked" / hashed, data)
    with doing(node, actor, BRING, lambda session: _workspace(session, number)) as done:
        brought = Brought(
            workspace_id=number,
            name=name,
            hash=hashed,
            size=len(data),
            reason=reason.strip()[:300],
            asked_by_id=actor.person_id,
            organization_id=workspace.organization_id,
            state="asked" if review else "accepted",
        )
        done.session.add(brought)
        done.session.flush()
        done.tell(name=name, hash=hashed, size=len(data))
        made = brought.id
    if not review:
        _hand_over(node, number, name, hashed)
    return find_brought(node, made)


def _workspace(session: Session, number: int) -> Workspace:
    found = session.get(Workspace, number)
    if found is None:
        raise MadangError("workspace.none", _("There is no workspace {number}.").format(number=number))
    return found


def _put(path, data: bytes) -> None:  # type: ignore[no-untyped-def]  # a path
    partial = path.with_suffix(".part")
    with partial.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.chmod(0o444)
    partial.replace(path)


def _hand_over(node: Node, number: int, name: str, hashed: str) -> None:
    """Have an accepted file in the folder that is mounted."""
    folder = folder_of(node, number)
    _put(folder / "brought" / name, (folder / "asked" / hashed).read_bytes())


def find_brought(node: Node, number: int) -> Brought:
    """A file that was brought. Errors: `brought.none`."""
    with node.read() as session:
        found = session.scalar(_query().where(Brought.id == number))
    if found is None:
        raise MadangError("brought.none", _("There is no such file."))
    return found


def _query():  # type: ignore[no-untyped-def]  # SQLAlchemy's type says nothing that the name does not
    return select(Brought).options(selectinload(Brought.workspace), selectinload(Brought.asked_by))


def files_of(node: Node, number: int) -> Sequence[Brought]:
    """What was brought into a workspace, the newest first; the caller has seen it."""
    with node.read() as session:
        return session.scalars(_query().where(Brought.workspace_id == number).order_by(Brought.id.desc())).all()


def waiting(node: Node, actor: Actor) -> Sequence[Brought]:
    """The files that wait for this person's decision."""
    with node.read() as session:
        query = _query().where(Brought.state == "asked", visible(actor, ACCEPT, Brought)).order_by(Brought.id)
        return session.scalars(query.limit(100)).all()


def decide(node: Node, actor: Actor, number: int, accept: bool) -> Brought:
    """Accept a file that waits, or refuse it."""

    def locked(session: Session) -> Brought:
        found = session.get(Brought, number, with_for_update=True)
        if found is None:
            raise MadangError("brought.none", _("There is no such file."))
        return found

    with doing(node, actor, ACCEPT if accept else REFUSE, locked) as done:
        done.thing.decided, done.thing.decided_by_id = now(), actor.person_id
        done.tell(name=done.thing.name, hash=done.thing.hash, size=done.thing.size)
        workspace, name, hashed = done.thing.workspace_id, done.thing.name, done.thing.hash
    if accept:
        _hand_over(node, workspace, name, hashed)
    return find_brought(node, number)


def content(node: Node, actor: Actor, number: int) -> tuple[str, bytes]:
    """A file that waits, for whoever decides: its name and bytes."""
    found = find_brought(node, number)
    if not may(actor, ACCEPT, found):
        raise MadangError("brought.none", _("There is no such file."))
    node.audit.read(actor, ACCEPT.name, f"brought:{number}", {"hash": found.hash})
    return found.name, (folder_of(node, found.workspace_id) / "asked" / found.hash).read_bytes()


def repair(node: Node) -> None:
    """Hand over what was accepted when a process was killed before it could."""
    with node.read() as session:
        accepted = session.scalars(_query().where(Brought.state == "accepted")).all()
    for each in accepted:
        folder = node.home.folder("workspaces") / str(each.workspace_id)
        lost = each.workspace.state != "destroyed" and not (folder / "brought" / each.name).exists()
        if lost and (folder / "asked" / each.hash).exists():
            _hand_over(node, each.workspace_id, each.name, each.hash)
