"""What people do with awards and promises, one function each."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import and_, select, update
from sqlalchemy.orm import Session, joinedload

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.acts import doing, told_of
from madang.node.database import now
from madang.node.node import Node
from madang.node.people.accounts import find_organization
from madang.node.people.actor import Actor
from madang.node.people.models import Person, Project
from madang.node.people.projects import find_project
from madang.node.permissions import check, may, visible
from madang.node.text import clean_line, clean_prose
from madang.services.grants import ledger
from madang.services.grants.acts import ALLOW, CANCEL, EXCUSE, IMPORT, PLAN, SEE, Imported
from madang.services.grants.models import Award, Promise, PromiseEvent
from madang.services.grants.plans import AwardRow, Promised, Read
from madang.services.grants.rules import TIERS, USUAL, rule_of

REASONS = ("illness", "no data", "patent", "consent", "publication", "other")


@dataclass(frozen=True)
class Line:
    """A promise with its award and what became of it."""

    promise: Promise
    award: Award
    status: str
    due: date | None
    tier: str
    excused_until: date | None
    released_on: date | None
    records: int


@dataclass(frozen=True)
class ImportDone:
    """What an import did, and what was not used of its file."""

    awards: int
    promises: int
    changed: int
    read: Read


def moment_of(day: date | None) -> tuple[date, datetime | None]:
    """Today and now, or a past day and its end: what was known then."""
    if day is None or day >= now().date():
        return now().date(), None
    return day, datetime.combine(day + timedelta(days=1), time(), UTC) - timedelta(microseconds=1)


def import_awards(
    node: Node, actor: Actor, read: Read, file: str, *, organization: str = "house", project: str = "", rule: str = ""
) -> ImportDone:
    """Take awards and plans in; what is known already is brought up to date, nothing is doubled.

    Errors: `grants.rule`, `people.no_organization`, `project.none`.
    """
    for name in {each.rule for each in read.awards if each.rule} | ({rule} if rule else set()):
        rule_of(name)

    def holder(session: Session) -> Any:
        return Award(organization_id=find_organization(session, organization).id)

    made = promises = changed = 0
    with node.write() as session:
        check(actor, IMPORT, holder(session))
        funder = find_organization(session, organization).id
        owner = find_project(session, project).id if project else None
        for row in read.awards:
            award = session.scalar(select(Award).where(Award.organization_id == funder, Award.number == row.number))
            is_new = award is None
            if award is None:
                award = Award(number=row.number, organization_id=funder, rule=row.rule or rule or USUAL)
                session.add(award)
            _describe(award, row, rule)
            award.project_id = owner or award.project_id
            session.flush()
            added, moved = _promise_all(session, actor, award, row)
            made, promises, changed = made + is_new, promises + added, changed + moved
        told = Imported(file=file[:200], awards=made, promises=promises)
        told_of(session, node, actor, IMPORT, f"organization:{funder}", told.model_dump(mode="json"))
    return ImportDone(made, promises, changed, read)


def _describe(award: Award, row: AwardRow, rule: str) -> None:
    award.title = row.title
    for name in ("program", "institution", "leader", "begins"):
        value = getattr(row, name)
        if value:
            setattr(award, name, value)
    if row.rule or rule:
        award.rule = row.rule or rule


def _promise_all(session: Session, actor: Actor, award: Award, row: AwardRow) -> tuple[int, int]:
    known = {each.key: each for each in session.scalars(select(Promise).where(Promise.award_id == award.id))}
    terms = current(session, [each.id for each in known.values()], "terms")
    added = changed = 0
    for promised in row.promises:
        promise = known.get(promised.key)
        due = rule_of(award.rule).due(promised.due, row.ends)
        if promise is None:
            promise = Promise(award_id=award.id, key=promised.key, title=promised.title)
            session.add(promise)
            session.flush()
            known[promised.key] = promise
            added += 1
        else:
            before = terms.get(promise.id)
            if before is not None and (before.day, before.tier) == (due, promised.tier):
                continue
            changed += 1
            promise.title = promised.title
        note(session, actor, promise.id, "terms", "promised", day=due, tier=promised.tier, text=promised.license)
    return added, changed


def promise_dataset(node: Node, actor: Actor, award_number: str, promised: Promised, funder: str = "") -> int:
    """Promise a dataset in the portal; the promise's number. Errors: `grants.none`, `grants.tier`, `grants.taken`."""
    if promised.tier not in TIERS:
        raise MadangError("grants.tier", _("There is no such way to release."), ", ".join(TIERS))
    with doing(node, actor, PLAN, lambda session: find_award(session, award_number, funder)) as done:
        session, award = done.session, done.thing
        title = clean_line(promised.title, _("The title"), 500, required=True)
        key = promised.key or title
        if session.scalar(select(Promise.id).where(Promise.award_id == award.id, Promise.key == key)) is not None:
            raise MadangError("grants.taken", _("This award promises {title} already.").format(title=title))
        promise = Promise(award_id=award.id, key=key[:300], title=title)
        session.add(promise)
        session.flush()
        due = rule_of(award.rule).due(promised.due, None)
        note(session, actor, promise.id, "terms", "promised", day=due, tier=promised.tier, text=promised.license)
        done.tell(promise=promise.id, kind="promised")
        return promise.id


def find_award(session: Session, number: str, funder: str = "") -> Award:
    """An award by its number, of a funder where several use that number. Errors: `grants.none`, `grants.several`."""
    query = select(Award).where(Award.number == number).options(joinedload(Award.organization))
    if funder:
        query = query.where(Award.organization_id == find_organization(session, funder).id)
    found = session.scalars(query).all()
    if not found:
        raise MadangError("grants.none", _("There is no award {number}.").format(number=number), _("Look at the list."))
    if len(found) > 1:
        raise MadangError(
            "grants.several",
            _("Several funders have an award {number}.").format(number=number),
            _("Say which one: {names}.").format(names=", ".join(each.organization.name for each in found)),
        )
    return found[0]


def find_promise(session: Session, number: int) -> Promise:
    """A promise with its award. Errors: `grants.none`."""
    found = session.scalar(select(Promise).where(Promise.id == number).options(joinedload(Promise.award)))
    if found is None:
        raise MadangError("grants.none", _("There is no promise {number}.").format(number=number))
    return found


@dataclass(frozen=True)
class About:
    """A promise as rules ask about it: whose award it is, whose project, and who asked for what is decided."""

    promise: Promise
    asked_by: int | None = None

    @property
    def id(self) -> int:
        """The promise's number."""
        return self.promise.id

    @property
    def organization_id(self) -> int:
        """The funder's."""
        return self.promise.award.organization_id

    @property
    def project_id(self) -> int | None:
        """The project that the award is for."""
        return self.promise.award.project_id


def names_of(session: Session, persons: Collection[int | None]) -> dict[int | None, str]:
    """The names of people by number; the owner of the home and the node itself have none."""
    query = select(Person.id, Person.name).where(Person.id.in_([each for each in persons if each is not None]))
    return {number: name for number, name in session.execute(query)}


def cancel_promise(node: Node, actor: Actor, number: int, reason: str) -> None:
    """Have a promise be none any more, as when its award was cancelled."""
    reason = clean_prose(reason, _("The reason"), 2_000, required=True)
    with doing(node, actor, CANCEL, lambda session: About(find_promise(session, number))) as done:
        note(done.session, actor, number, "life", "cancelled", text=reason)
        done.tell(promise=number, kind="cancelled", reason=reason)


def cancel_award(node: Node, actor: Actor, number: str, reason: str, funder: str = "") -> int:
    """Cancel every promise of an award; how many there were."""
    with node.read() as session:
        promises = [each.id for each in find_award(session, number, funder).promises]
    for each in promises:
        cancel_promise(node, actor, each, reason)
    return len(promises)


def prolong_award(node: Node, actor: Actor, number: str, days: int, funder: str = "") -> None:
    """Move the days of an award's promises that are not over. Errors: `grants.days`."""
    if not 1 <= days <= 3_650:
        raise MadangError("grants.days", _("An award is prolonged by 1 to 3,650 days."))
    with doing(node, actor, PLAN, lambda session: find_award(session, number, funder)) as done:
        session = done.session
        promises = [each.id for each in done.thing.promises]
        for each in current(session, promises, "terms").values():
            if each.day is not None:
                moved = each.day + timedelta(days=days)
                note(session, actor, each.promise_id, "terms", "prolonged", day=moved, tier=each.tier, text=each.text)
        done.tell(promise=0, kind="prolonged", reason=f"{days} days")


def ask_excuse(node: Node, actor: Actor, number: int, reason: str, text: str, until: date | None) -> None:
    """Ask to be excused from a promise until a day. Errors: `grants.reason`, `grants.day`."""
    if reason not in REASONS:
        raise MadangError("grants.reason", _("This is no reason of the list."), ", ".join(REASONS))
    if until is not None and until <= now().date():
        raise MadangError("grants.day", _("An excuse ends on a day that is still to come."))
    said = clean_prose(text, _("The text"), 4_000, required=True)
    with doing(node, actor, EXCUSE, lambda session: About(find_promise(session, number))) as done:
        note(done.session, actor, number, "request", "asked", day=until, reason=reason, text=said)
        done.tell(promise=number, kind="asked", reason=reason)


def decide_excuse(node: Node, actor: Actor, number: int, *, allow: bool, text: str = "") -> None:
    """Allow or refuse an excuse that somebody else asked for. Errors: `grants.no_excuse`."""

    def find(session: Session) -> About:
        asked = current(session, [number], "request").get(number)
        if asked is None or asked.kind != "asked":
            raise MadangError("grants.no_excuse", _("Nobody asked to be excused from this promise."))
        return About(find_promise(session, number), asked.by_id)

    with doing(node, actor, ALLOW, find) as done:
        asked = current(done.session, [number], "request")[number]
        kind = "allowed" if allow else "refused"
        said = clean_prose(text, _("The text"), 4_000) or asked.text
        for topic in ("request", "excuse") if allow else ("request",):
            note(done.session, actor, number, topic, kind, day=asked.day, reason=asked.reason, text=said)
        done.tell(promise=number, kind=kind, reason=asked.reason)


def lines(
    node: Node,
    actor: Actor,
    *,
    day: date | None = None,
    status: str = "",
    award: str = "",
    funder: int = 0,
    promise: int = 0,
    limit: int | None = None,
) -> list[Line]:
    """The promises that one may see, as of a day; those that are late come first."""
    today, known = moment_of(day)
    holds = visible(actor, SEE, Award)
    if award:
        holds = and_(holds, Award.number == award)
    if funder:
        holds = and_(holds, Award.organization_id == funder)
    with node.read() as session:
        found = ledger.ledger(today, known, holds).subquery()
        query = (
            select(Promise, Award, found)
            .join(found, found.c.promise_id == Promise.id)
            .join(Award, Award.id == Promise.award_id)
            .options(joinedload(Award.organization))
        )
        if status:
            query = query.where(found.c.status == status)
        if promise:
            query = query.where(Promise.id == promise)
        order = (found.c.status != "late", found.c.due.is_(None), found.c.due, Promise.id)
        rows = session.execute(query.order_by(*order).limit(limit)).all()
    return [_line(row) for row in rows]


def _line(row: Any) -> Line:
    promise, award = row[0], row[1]
    return Line(
        promise,
        award,
        row.status,
        _as_day(row.due),
        row.tier,
        _as_day(row.excused_until),
        _as_day(row.released_on),
        int(row.records or 0),
    )


def _as_day(value: Any) -> date | None:
    return date.fromisoformat(value) if isinstance(value, str) else value


def all_counts(node: Node, actor: Actor, day: date | None = None) -> dict[str, int]:
    """How many promises of each status one may see."""
    today, known = moment_of(day)
    with node.read() as session:
        return ledger.counts(session, today, known, visible(actor, SEE, Award))


def events_of(node: Node, actor: Actor, number: int) -> tuple[Promise, Line, Sequence[PromiseEvent]]:
    """A promise, what became of it, and everything that happened to it. Errors: `grants.none`."""
    with node.read() as session:
        promise = find_promise(session, number)
        if not may(actor, SEE, promise.award):
            raise MadangError("grants.none", _("There is no promise {number}.").format(number=number))
        query = select(PromiseEvent).where(PromiseEvent.promise_id == number).order_by(PromiseEvent.id)
        events = session.scalars(query).all()
    node.audit.read(actor, SEE.name, f"promise:{number}")
    award = promise.award
    line = lines(node, actor, award=award.number, funder=award.organization_id, promise=number)[0]
    return promise, line, events


def awards(node: Node, actor: Actor) -> Sequence[Award]:
    """The awards that one may see."""
    with node.read() as session:
        query = select(Award).where(visible(actor, SEE, Award)).options(joinedload(Award.organization))
        return session.scalars(query.order_by(Award.id.desc())).all()


def projects_of(node: Node, actor: Actor) -> Sequence[Project]:
    """The projects that an award may be for."""
    with node.read() as session:
        return session.scalars(select(Project).order_by(Project.id)).all()


def current(session: Session, promises: Sequence[int], topic: str) -> dict[int, PromiseEvent]:
    """The last event of a topic of each of some promises."""
    event = PromiseEvent
    query = select(event).where(event.promise_id.in_(promises), event.topic == topic, event.replaced.is_(None))
    return {each.promise_id: each for each in session.scalars(query)}


def note(session: Session, actor: Actor, promise: int, topic: str, kind: str, **more: Any) -> None:
    """Add an event to the log; from this moment on the one before it of its topic is replaced."""
    at = now()
    event = PromiseEvent
    same = (event.promise_id == promise, event.topic == topic, event.record == more.get("record", ""))
    session.execute(update(event).where(*same, event.replaced.is_(None)).values(replaced=at))
    session.add(PromiseEvent(promise_id=promise, topic=topic, kind=kind, at=at, by_id=actor.person_id, **more))
    session.flush()


def note_if_new(session: Session, actor: Actor, promise: int, topic: str, kind: str, **more: Any) -> None:
    """The same, unless the last event of its topic says it already."""
    event = PromiseEvent
    same = (event.promise_id == promise, event.topic == topic, event.record == more.get("record", ""))
    last = session.scalar(select(event).where(*same, event.replaced.is_(None)))
    if (
        last is not None
        and last.kind == kind
        and (last.tier, last.counts)
        == (
            more.get("tier", ""),
            more.get("counts", True),
        )
    ):
        return
    note(session, actor, promise, topic, kind, **more)
