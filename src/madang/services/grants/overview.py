"""What the page of the ledger shows at once: counts, groups and the first lines; one question, remembered until the log
or an award changes."""

from collections import OrderedDict, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from threading import Lock
from typing import Any

from sqlalchemy import extract, func, select
from sqlalchemy.orm import Session

from madang.node.audit.models import audit_events
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.permissions import visible
from madang.services.grants import ledger, service
from madang.services.grants.acts import IMPORT, SEE
from madang.services.grants.models import Award, Promise, PromiseEvent

Groups = list[tuple[str, dict[str, int]]]
_KEPT = 32
_kept: OrderedDict[tuple[Any, ...], "Overview"] = OrderedDict()
_lock = Lock()


@dataclass(frozen=True)
class Overview:
    """Counts by status, the same by program, institution and year of the award, and the first lines."""

    counts: dict[str, int]
    by_program: Groups
    by_institution: Groups
    by_year: Groups
    lines: Sequence[service.Line]


def overview(node: Node, actor: Actor, *, day: date | None = None, status: str = "", limit: int = 200) -> Overview:
    """The promises that one may see, as of a day. A status is never stored: what is remembered is an answer, by the
    last entry of the log, the last import, the day, and what the reader may see."""
    today, _known = service.moment_of(day)
    holds = visible(actor, SEE, Award)
    with node.read() as session:
        key = (
            *(str(node.home.path), today, day is None, status, limit),
            str(holds.compile(compile_kwargs={"literal_binds": True})),
            session.scalar(select(func.max(PromiseEvent.id))),
            session.scalar(select(func.max(audit_events.c.number)).where(audit_events.c.act == IMPORT.name)),
        )
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
    with node.read() as session:
        found = _groups(session, day, holds)
    made = Overview(*found, service.lines(node, actor, day=day, status=status, limit=limit))
    with _lock:
        _kept[key] = made
        while len(_kept) > _KEPT:
            _kept.popitem(last=False)
    return made


def _groups(session: Session, day: date | None, holds: Any) -> tuple[dict[str, int], Groups, Groups, Groups]:
    today, known = service.moment_of(day)
    found = ledger.ledger(today, known, holds).subquery()
    by_award = (
        select(Promise.award_id, found.c.status, func.count().label("count"))
        .join(found, found.c.promise_id == Promise.id)
        .group_by(Promise.award_id, found.c.status)
        .subquery()
    )
    of = (Award.program, Award.institution, extract("year", Award.begins))
    query = (
        select(*of, by_award.c.status, func.sum(by_award.c.count))
        .join(by_award, by_award.c.award_id == Award.id)
        .group_by(*of, by_award.c.status)
    )
    counts = dict.fromkeys(ledger.STATUSES, 0)
    groups: list[defaultdict[str, dict[str, int]]] = [defaultdict(dict) for _each in of]
    for *names, status, count in session.execute(query):
        counts[status] += int(count)
        for group, name in zip(groups, names, strict=True):
            told = group["" if name is None else str(name)]
            told[status] = told.get(status, 0) + int(count)
    program, institution, year = (sorted(group.items()) for group in groups)
    return counts, program, institution, year
