"""What a project or person may compute: core hours within 30 days, cores at one time."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.acts import doing
from madang.node.database import now
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.services.compute.acts import LIMIT
from madang.services.compute.definition import Needs
from madang.services.compute.models import Quota, Task


def limit_of(session: Session, share: str) -> Quota | None:
    """The quota of a share, otherwise that of everybody; the owner of the home has none."""
    if share == "owner":
        return None
    found = {each.share: each for each in session.scalars(select(Quota).where(Quota.share.in_((share, ""))))}
    return found.get(share, found.get(""))


def used_hours(session: Session, share: str) -> float:
    """Core hours that a share used within 30 days, those of what runs too."""
    at = now()
    query = select(Task.cores, Task.started, Task.ended).where(
        Task.share == share,
        Task.started.is_not(None),
        (Task.ended.is_(None)) | (Task.ended >= at - timedelta(days=30)),
    )
    rows = session.execute(query)
    return sum(float(cores) * ((end or at) - (start or at)).total_seconds() for cores, start, end in rows) / 3600


def check_room(session: Session, share: str, needed: Sequence[Needs]) -> None:
    """Errors: `task.quota` where nothing is left, or a task asks for more cores than may be in use at once."""
    limit = limit_of(session, share)
    if limit is None:
        return
    most = max((each.cores for each in needed), default=0)
    if limit.cores is not None and most > limit.cores:
        raise MadangError(
            "task.quota",
            _("The task asks for {cores} cores; the quota is {most}.").format(cores=most, most=limit.cores),
            _("Ask for less, or ask the operator for more."),
        )
    if limit.core_hours is not None and used_hours(session, share) >= limit.core_hours:
        raise MadangError(
            "task.quota",
            _("The quota of {hours} core hours within 30 days is used up.").format(hours=f"{limit.core_hours:g}"),
            _("Wait, or ask the operator for more."),
        )


def set_quota(node: Node, actor: Actor, share: str, core_hours: float | None, cores: int | None) -> None:
    """Set what a share (`project:3`, `person:5`, empty for everybody else) may use. Errors: `task.share`."""
    kind, colon, number = share.partition(":")
    if share and (kind not in ("project", "person") or not colon or not number.isdecimal()):
        raise MadangError("task.share", _("{share} names no project or person.").format(share=repr(share)), "project:3")
    if (core_hours is not None and core_hours < 0) or (cores is not None and cores < 0):
        raise MadangError("task.share", _("A quota cannot be negative."))

    def found(session: Session) -> Quota:
        return session.scalar(select(Quota).where(Quota.share == share)) or Quota(share=share)

    with doing(node, actor, LIMIT, found) as done:
        done.thing.core_hours, done.thing.cores = core_hours, cores
        done.tell(share=share, core_hours=core_hours, cores=cores)
