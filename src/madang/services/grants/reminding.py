"""Reminders by e-mail: of promises whose day is near, and of those that are late, to who answers for the project.

Each reminder is an event of its promise, so that nobody gets it twice and the evidence says that it was sent.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from madang.base.translate import _, speaking
from madang.node import mail
from madang.node.database import now
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.people.models import Person, ProjectMember
from madang.node.permissions import check
from madang.services.grants import service
from madang.services.grants.acts import REMIND
from madang.services.grants.models import PromiseEvent

AGAIN = 30  # days after which a late promise is spoken of again
LEADER = "principal-investigator"
_done: dict[Path, date] = {}  # by home: the day whose reminders this process has written


@dataclass(frozen=True)
class Due:
    """A promise to remind of."""

    line: service.Line
    kind: str  # soon, late


def remind(node: Node, actor: Actor) -> int:
    """Write the e-mails that are due today; how many. Called twice on a day, it writes none again."""
    check(actor, REMIND)
    today = now().date()
    language = node.settings.language
    with speaking(language):
        waiting = [
            Due(line, "late" if status == "late" else "soon")
            for status in ("due", "late")
            for line in service.lines(node, Actor.owner(), status=status)
        ]
        if not waiting:
            return 0
        with node.write() as session:
            told: dict[str, list[Due]] = defaultdict(list)
            for due in _not_told(session, waiting, today):
                people = _people(session, due.line.award.project_id)
                for address in people:
                    told[address].append(due)
                if people:
                    service.note(
                        *(session, actor, due.line.promise.id, "reminder", due.kind),
                        day=due.line.due,
                        text=_("To {count} people.").format(count=len(people)),
                    )
            for address, several in told.items():
                mail.write(session, address, _subject(several), _body(node, several))
            return len(told)


def keep(node: Node) -> None:
    """What the keeper calls every few seconds: the reminders of a day, once a day and when the portal opens."""
    today = now().date()
    if _done.get(node.home.path) != today:
        _done[node.home.path] = today
        remind(node, Actor.node())


def _not_told(session: Session, waiting: list[Due], today: date) -> Iterable[Due]:
    event = PromiseEvent
    last: dict[int, PromiseEvent] = {}
    numbers = [each.line.promise.id for each in waiting]
    for start in range(0, len(numbers), 500):
        some = numbers[start : start + 500]
        query = select(event).where(event.promise_id.in_(some), event.topic == "reminder", event.replaced.is_(None))
        last |= {each.promise_id: each for each in session.scalars(query)}
    for each in waiting:
        before = last.get(each.line.promise.id)
        is_news = before is None or (before.kind, before.day) != (each.kind, each.line.due)
        if is_news or (before is not None and _is_long_ago(before, each, today)):
            yield each


def _is_long_ago(before: PromiseEvent, due: Due, today: date) -> bool:
    return due.kind == "late" and before.at.date() + timedelta(days=AGAIN) <= today


def _people(session: Session, project: int | None) -> list[str]:
    """The e-mail addresses of the principal investigators of a project, of all its members where it has none."""
    if project is None:
        return []
    at = now()
    query = (
        select(Person.email, ProjectMember.role)
        .join(ProjectMember, ProjectMember.person_id == Person.id)
        .where(ProjectMember.project_id == project, Person.email != "", Person.disabled.is_(None))
        .where(ProjectMember.begins <= at, ProjectMember.ends.is_(None) | (ProjectMember.ends > at))
    )
    found = session.execute(query).all()
    leaders = [email for email, role in found if role == LEADER]
    return sorted(set(leaders or [email for email, _role in found]))


def _subject(several: list[Due]) -> str:
    late = sum(each.kind == "late" for each in several)
    if late:
        return _("{count} promised datasets are late").format(count=late)
    return _("{count} promised datasets are due soon").format(count=len(several))


def _body(node: Node, several: list[Due]) -> str:
    web = node.settings.web
    base = web.address or f"http://{web.host}:{web.port}"
    lines = [_("These datasets were promised with public money:"), ""]
    for each in several:
        days = abs((each.line.due - now().date()).days) if each.line.due is not None else 0
        when = _("late by {days} days") if each.kind == "late" else _("due in {days} days")
        lines += [
            f"{each.line.promise.title} ({each.line.award.number})",
            f"  {each.line.due}, {when.format(days=days)}",
            f"  {base}/promises/{each.line.promise.id}",
            "",
        ]
    lines.append(_("Deposit them, link what you have deposited, or ask to be excused with a reason."))
    return "\n".join(lines)
