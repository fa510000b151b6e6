"""What a project, person or organization may compute: hours within 30 days, cores and memory at one time, disk."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.acts import doing
from madang.node.database import now
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.people.models import Organization, Person, Project
from madang.services.compute.acts import LIMIT
from madang.services.compute.definition import GB, Needs
from madang.services.compute.models import Quota, Task, TaskFile

DAYS = 30


@dataclass(frozen=True)
class Limits:
    """What a share may use; None: no limit. Hours are of the last 30 days, `memory` and `disk` are bytes."""

    core_hours: float | None = None
    cores: int | None = None
    gpu_hours: float | None = None
    memory: int | None = None
    disk: int | None = None


def limit_of(session: Session, share: str) -> Quota | None:
    """The quota of a share, otherwise that of everybody; the owner of the home has none, an organization its own."""
    if share == "owner":
        return None
    asked = (share,) if share.startswith("organization:") else (share, "")
    found = {each.share: each for each in session.scalars(select(Quota).where(Quota.share.in_(asked)))}
    return found.get(share, found.get(""))


def holders(session: Session, share: str) -> list[tuple[str, Quota]]:
    """Whose quotas bind a share: its own, and that of the organization of a project."""
    kind, _colon, number = share.partition(":")
    asked = [share]
    if kind == "project":
        project = session.get(Project, int(number))
        asked += [f"organization:{project.organization_id}"] if project is not None else []
    return [(each, limit) for each in asked if (limit := limit_of(session, each)) is not None]


def shares_of(session: Session, holder: str) -> list[str]:
    """The shares that a quota counts together: the projects of an organization, otherwise itself."""
    kind, _colon, number = holder.partition(":")
    if kind != "organization":
        return [holder]
    found = session.scalars(select(Project.id).where(Project.organization_id == int(number)))
    return [f"project:{each}" for each in found]


def used_hours(session: Session, shares: Sequence[str]) -> tuple[float, float]:
    """Hours of cores and of GPUs that shares used within 30 days, those of what runs too."""
    at = now()
    query = select(Task.cores, Task.gpus, Task.started, Task.ended).where(
        Task.share.in_(shares),
        Task.started.is_not(None),
        (Task.ended.is_(None)) | (Task.ended >= at - timedelta(days=DAYS)),
    )
    core_seconds = gpu_seconds = 0.0
    for cores, gpus, start, end in session.execute(query):
        seconds = ((end or at) - (start or at)).total_seconds()
        core_seconds += cores * seconds
        gpu_seconds += gpus * seconds
    return core_seconds / 3600, gpu_seconds / 3600


def kept_bytes(session: Session, shares: Sequence[str]) -> int:
    """Bytes of the files that shares brought, and of what their tasks left."""
    total = session.scalar(select(func.sum(Task.kept)).where(Task.share.in_(shares))) or 0
    for share in shares:
        kind, _colon, number = share.partition(":")
        if kind in ("project", "person"):
            size = select(func.sum(TaskFile.size))
            mine = size.where(TaskFile.project_id == int(number))
            if kind == "person":
                mine = size.where(TaskFile.owner_id == int(number), TaskFile.project_id.is_(None))
            total += session.scalar(mine) or 0
    return int(total)


def check_room(session: Session, share: str, needed: Sequence[Needs]) -> None:
    """Errors: `task.quota` where nothing is left, or a task asks for more than may be in use at once."""
    for holder, limit in holders(session, share):
        for each in needed:
            _check_at_once(each, limit)
        _check_hours(session, holder, limit, any(each.gpus for each in needed))
        check_disk(session, holder, limit)


def _check_at_once(needs: Needs, limit: Quota) -> None:
    if limit.cores is not None and needs.cores > limit.cores:
        raise _refused(_("The task asks for {cores} cores; the quota is {most}."), cores=needs.cores, most=limit.cores)
    if limit.memory is not None and needs.memory > limit.memory:
        text = _("The task asks for {memory} GB of memory; the quota is {most}.")
        raise _refused(text, memory=f"{needs.memory / GB:g}", most=f"{limit.memory / GB:g}")


def _check_hours(session: Session, holder: str, limit: Quota, on_gpu: bool) -> None:
    if limit.core_hours is None and limit.gpu_hours is None:
        return
    core_hours, gpu_hours = used_hours(session, shares_of(session, holder))
    if limit.core_hours is not None and core_hours >= limit.core_hours:
        raise _refused(_("The quota of {hours} core hours within 30 days is used up."), hours=f"{limit.core_hours:g}")
    if on_gpu and limit.gpu_hours is not None and gpu_hours >= limit.gpu_hours:
        raise _refused(_("The quota of {hours} GPU hours within 30 days is used up."), hours=f"{limit.gpu_hours:g}")


def check_disk(session: Session, holder: str, limit: Quota, more: int = 0) -> None:
    """Errors: `task.quota` where so many bytes more would not fit into what may be kept."""
    if limit.disk is None or kept_bytes(session, shares_of(session, holder)) + max(1, more) <= limit.disk:
        return
    raise MadangError(
        "task.quota",
        _("The quota of {size} GB of kept files is used up.").format(size=f"{limit.disk / GB:g}"),
        _("Remove what older tasks left, or ask the operator for more."),
    )


def _refused(text: str, **values: object) -> MadangError:
    return MadangError("task.quota", text.format(**values), _("Ask for less, wait, or ask the operator for more."))


class InUse:
    """Cores and memory that are in use now, by each that has a quota; the runner counts with it whose turn it is."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._binding: dict[str, list[tuple[str, Quota]]] = {}
        self._used: dict[str, tuple[int, int]] = {}

    def add(self, share: str, cores: int, memory: int) -> None:
        """Somebody uses so much more."""
        for holder, _limit in self._of(share):
            before = self._used.get(holder, (0, 0))
            self._used[holder] = (before[0] + cores, before[1] + memory)

    def fits(self, share: str, cores: int, memory: int) -> bool:
        """Whether so much more is within every quota."""
        for holder, limit in self._of(share):
            used = self._used.get(holder, (0, 0))
            if limit.cores is not None and used[0] + cores > limit.cores:
                return False
            if limit.memory is not None and used[1] + memory > limit.memory:
                return False
        return True

    def _of(self, share: str) -> list[tuple[str, Quota]]:
        if share not in self._binding:
            self._binding[share] = holders(self._session, share)
        return self._binding[share]


def read_share(session: Session, text: str) -> str:
    """A share as people write it: `project:NAME`, `person:LOGIN`, `organization:NAME`, or numbers; `everybody` for the
    rest. An empty text is none: a form that lost it would change the limits of all.

    Errors: `task.share` where there is none of that name.
    """
    if text == "everybody":
        return ""
    kind, _colon, name = text.partition(":")
    models: dict[str, tuple[Any, Any]] = {"project": (Project, Project.name), "person": (Person, Person.login)}
    models |= {"organization": (Organization, Organization.name)}
    found = None
    if kind in models and name:
        model, column = models[kind]
        by_number = name.isdecimal() and len(name) < 10
        found = session.scalar(select(model.id).where(model.id == int(name) if by_number else column == name))
    if found is None:
        message = _("{share} names no project, person or organization.").format(share=repr(text)[:100])
        raise MadangError("task.share", message, "project:kidney, person:kim, organization:hospital, everybody")
    return f"{kind}:{found}"


def set_quota(node: Node, actor: Actor, share: str, limits: Limits) -> None:
    """Set what a share may use (see `read_share`); without limits its quota is gone. Errors: `task.share`."""
    told = {each.name: getattr(limits, each.name) for each in fields(limits)}
    if any(value is not None and value < 0 for value in told.values()):
        raise MadangError("task.share", _("A quota cannot be negative."))
    named = ""

    def found(session: Session) -> Quota:
        nonlocal named
        named = read_share(session, share)
        return session.scalar(select(Quota).where(Quota.share == named)) or Quota(share=named)

    with doing(node, actor, LIMIT, found) as done:
        for name, value in told.items():
            setattr(done.thing, name, value)
        done.tell(share=named, **told)


def every_quota(session: Session) -> Iterator[Quota]:
    """All quotas, that of everybody first."""
    yield from session.scalars(select(Quota).order_by(Quota.share))
