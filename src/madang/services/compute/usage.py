"""What shares used within 30 days, what is in use now, what is left of their quotas, and what it costs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.database import now
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.people.models import Organization, Person, Project
from madang.node.permissions import check, visible
from madang.services.compute import prices, quotas
from madang.services.compute.acts import OPEN, OVERSEE, SEE
from madang.services.compute.definition import GB
from madang.services.compute.models import Price, Task
from madang.services.compute.quotas import DAYS, Limits


@dataclass
class Used:
    """What a share used within 30 days, and uses now. Hours; `kept`, `memory`: bytes; `costs` in `currency`.

    `cores` and `memory` are those that are in use now. `costs` is of the hours at the price of the day on which each
    task ended, and of what is kept now for 30 days.
    """

    share: str
    title: str
    tasks: int = 0
    core_hours: float = 0.0
    gpu_hours: float = 0.0
    kept: int = 0
    waiting: int = 0
    running: int = 0
    cores: int = 0
    memory: int = 0
    costs: float | None = None
    currency: str = ""
    limits: Limits = field(default_factory=Limits)

    @property
    def limit(self) -> float | None:
        """The core hours that it may use within 30 days."""
        return self.limits.core_hours


def usage(node: Node, actor: Actor) -> list[Used]:
    """What each share used, of the tasks that one may see, the largest first."""
    if not actor.is_signed_in:
        raise MadangError("permission.sign_in", _("This needs an account."), _("Sign in first."))
    at = now()
    mine = visible(actor, SEE, Task)
    with node.read() as session:
        rows: dict[str, Used] = {}

        def row(share: str) -> Used:
            if share not in rows:
                rows[share] = Used(share, title_of(session, share), limits=_limits(session, share))
            return rows[share]

        known = prices.prices_in(session)
        _count_ended(session, row, known, [mine, Task.ended >= at - timedelta(days=DAYS)])
        _count_open(session, row, [mine, Task.state.in_((*OPEN, "canceling"))])
        price = prices.price_on(known, at.date())
        for share, each in rows.items():
            each.kept = quotas.kept_bytes(session, [share])
            if price is not None:
                each.costs = (each.costs or 0.0) + each.kept / GB * price.gigabyte
                each.currency = price.currency
    return sorted(rows.values(), key=lambda each: -each.core_hours)


def _count_ended(
    session: Session, row: Callable[[str], Used], known: Sequence[Price], wanted: Sequence[ColumnElement[bool]]
) -> None:
    query = select(Task.share, Task.cores, Task.gpus, Task.started, Task.ended).where(*wanted)
    for share, cores, gpus, start, end in session.execute(query):
        each, hours = row(share), (end - start).total_seconds() / 3600 if start and end else 0.0
        each.tasks += 1
        each.core_hours += cores * hours
        each.gpu_hours += gpus * hours
        price = prices.price_on(known, end.date()) if end else None
        if price is not None:
            spent = prices.cost_of(price, core_hours=cores * hours, gpu_hours=gpus * hours)
            each.costs = (each.costs or 0.0) + spent


def _count_open(session: Session, row: Callable[[str], Used], wanted: Sequence[ColumnElement[bool]]) -> None:
    sums = (func.count(), func.sum(Task.cores), func.sum(Task.memory))
    query = select(Task.share, Task.state, *sums).where(*wanted).group_by(Task.share, Task.state)
    for share, state, count, cores, memory in session.execute(query):
        each = row(share)
        if state == "queued":
            each.waiting += count
        else:
            each.running += count
            each.cores += int(cores)
            each.memory += int(memory)


def _limits(session: Session, share: str) -> Limits:
    found = quotas.limit_of(session, share)
    return Limits(**{name: getattr(found, name) for name in Limits.__dataclass_fields__}) if found else Limits()


def title_of(session: Session, share: str) -> str:
    """What people call a share."""
    kind, _colon, number = share.partition(":")
    if not share:
        return _("everybody else")
    if kind == "project":
        project = session.get(Project, int(number))
        return project.title if project is not None else share
    if kind == "person":
        person = session.get(Person, int(number))
        return person.name if person is not None else share
    if kind == "organization":
        organization = session.get(Organization, int(number))
        return organization.title if organization is not None else share
    return _("owner of this installation")


def left_lines(used: Used) -> list[str]:
    """What a share used, and of how much, in sentences."""
    limits, found = used.limits, []
    disk = None if limits.disk is None else limits.disk / GB
    for value, most, text, of in (
        (used.core_hours, limits.core_hours, _("{used} core hours"), _("{used} of {most} core hours")),
        (used.gpu_hours, limits.gpu_hours, _("{used} GPU hours"), _("{used} of {most} GPU hours")),
        (used.kept / GB, disk, _("{used} GB kept"), _("{used} of {most} GB kept")),
    ):
        if most is not None:
            found.append(of.format(used=f"{value:.2f}", most=f"{most:g}"))
        elif value:
            found.append(text.format(used=f"{value:.2f}"))
    if used.costs is not None:
        found.append(_("costs: {cost}").format(cost=f"{used.costs:,.2f} {used.currency}"))
    return found


@dataclass(frozen=True)
class QuotaLine:
    """A quota, and what is used of it."""

    share: str
    title: str
    limits: Limits
    core_hours: float
    gpu_hours: float
    kept: int


def quota_lines(node: Node, actor: Actor) -> list[QuotaLine]:
    """All quotas with what is used of each, for operators."""
    with node.read() as session:
        check(actor, OVERSEE)
        found = []
        for each in quotas.every_quota(session):
            shares = quotas.shares_of(session, each.share) if each.share else []
            cores, gpus = quotas.used_hours(session, shares)
            kept = quotas.kept_bytes(session, shares)
            told = Limits(**{name: getattr(each, name) for name in Limits.__dataclass_fields__})
            found.append(QuotaLine(each.share, title_of(session, each.share), told, cores, gpus, kept))
        return found
