"""Records of the catalog that keep promises: linked, judged by the rule of the funder, and what they still lack."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, joinedload

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.acts import doing
from madang.node.database import now
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.permissions import may, visible
from madang.services.grants import ledger, service
from madang.services.grants.acts import LINK, SEE
from madang.services.grants.models import Award, Promise, PromiseEvent
from madang.services.grants.rules import Rule, rule_of


def link(node: Node, actor: Actor, number: int, record: str, *, coming: bool = False) -> list[str]:
    """Say that a record of the catalog is (part of) what was promised; what is still missing for it to count.

    `coming` is for the room in which the record is still on its way, under the name that it will have.
    Errors: `grants.none`, `grants.record`.
    """
    from madang.services.catalog.models import Record

    with doing(node, actor, LINK, lambda session: service.About(service.find_promise(session, number))) as done:
        session = done.session
        found = session.scalar(select(Record).where(Record.name == record))
        if found is None and not coming:
            raise MadangError("grants.record", _("There is no record {name}.").format(name=record), _("Look it up."))
        evidence = found.versions[0].manifest if found is not None and found.versions else ""
        service.note(session, actor, number, "link", "linked", record=record, evidence=evidence)
        if found is not None:
            tell_record(session, actor, found)
        done.tell(promise=number, kind="linked", record=record)
        return missing_for(session, number, record)


def unlink(node: Node, actor: Actor, number: int, record: str) -> None:
    """Take a link back; that it was there stays in the log."""
    with doing(node, actor, LINK, lambda session: service.About(service.find_promise(session, number))) as done:
        service.note(done.session, actor, number, "link", "unlinked", record=record)
        done.tell(promise=number, kind="unlinked", record=record)


def tell_record(session: Session, actor: Actor, record: Any) -> None:
    """Put down, for every promise that a record is linked to, how valid and how open it is now."""
    newest = next((each for each in record.versions if each.state == "published"), None)
    license_ = record.told.license
    for promise in linked_promises(session, record.name):
        rule = rule_of(promise.award.rule)
        if newest is not None and newest.verdict not in ("", "unknown"):  # else who deposited had it checked, or nobody
            kind = "valid" if newest.verdict in ("good", "flawed") else "invalid"
            service.note_if_new(session, actor, promise.id, "check", kind, record=record.name, evidence=newest.manifest)
        if record.state == "published" and newest is not None:
            day, why = judged(session, promise, rule, record, license_)
            service.note_if_new(
                *(session, actor, promise.id, "release", "released"),
                record=record.name,
                tier=record.access,
                evidence=newest.manifest,
                counts=not why,
                text=why,
                day=day,
                reason=f"rule {rule.id} {rule.version}",
            )
        elif record.state == "withdrawn":
            service.note_if_new(session, actor, promise.id, "release", "withdrawn", record=record.name)


def judged(session: Session, promise: Promise, rule: Rule, record: Any, license_: str) -> tuple[date, str]:
    """From which day the release of a record keeps a promise by a rule, and why it does not (empty where it does).

    What is under embargo is released on the day on which that ends, as what comes after it.
    """
    terms = service.current(session, [promise.id], "terms").get(promise.id)
    checks = select(PromiseEvent.kind).where(
        PromiseEvent.promise_id == promise.id,
        PromiseEvent.topic == "check",
        PromiseEvent.record == record.name,
        PromiseEvent.replaced.is_(None),
    )
    is_valid = session.scalar(checks) == "valid"
    promised = terms.tier if terms else "open"
    why = rule.keeps(promised, record.access, license_, is_valid)
    if why and record.access == "embargoed" and record.embargo_end is not None:
        return record.embargo_end.date(), rule.keeps(promised, record.tier_after, license_, is_valid)
    return now().date(), why


def note_checked(session: Session, actor: Actor, record: str, evidence: str) -> None:
    """For the room in which a record is on its way: everything in it was checked and found right."""
    for promise in linked_promises(session, record):
        service.note_if_new(session, actor, promise.id, "check", "valid", record=record, evidence=evidence)


def choices(node: Node, actor: Actor, record: str) -> list[tuple[int, str, bool]]:
    """The promises that somebody may link a record to: number, what it is called, whether it is linked."""
    today, known = service.moment_of(None)
    holds = visible(actor, LINK, Award)
    with node.read() as session:
        linked = {each.id for each in linked_promises(session, record)}
        found = ledger.ledger(today, known, holds).subquery()
        query = (
            select(Promise.id, Promise.title, Award.number)
            .join(found, found.c.promise_id == Promise.id)
            .join(Award, Award.id == Promise.award_id)
            .where(or_(found.c.status.not_in(("released", "cancelled")), Promise.id.in_(linked)))
            .order_by(found.c.due, Promise.id)
            .limit(500)
        )
        return [(number, f"{award}: {title}", number in linked) for number, title, award in session.execute(query)]


def missing(node: Node, actor: Actor, record: str) -> list[tuple[int, str, list[str]]]:
    """Of each promise that a record is linked to and that one may see: number, title, what is still missing."""
    with node.read() as session:
        return [
            (each.id, each.title, missing_for(session, each.id, record))
            for each in linked_promises(session, record)
            if may(actor, SEE, each.award)
        ]


def note_record(session: Session, actor: Actor, name: str) -> None:
    """For the room that changed a record: put down what that means for the promises it is linked to."""
    from madang.services.catalog.models import Record

    found = session.scalar(select(Record).where(Record.name == name))
    if found is not None:
        tell_record(session, actor, found)


def judged_now(session: Session, promise: Promise) -> dict[int, str]:
    """Of each release that stands, by number of its event: what the rule of today says of it, where that is another
    answer than the one that was written down (a rule was changed after the fact). Empty text: it would keep it."""
    from madang.services.catalog.models import Record

    rule, told = rule_of(promise.award.rule), {}
    event = PromiseEvent
    query = select(event).where(
        event.promise_id == promise.id, event.topic == "release", event.kind == "released", event.replaced.is_(None)
    )
    for each in session.scalars(query):
        record = session.scalar(select(Record).where(Record.name == each.record, Record.state == "published"))
        if record is not None:
            _day, why = judged(session, promise, rule, record, record.told.license)
            if bool(why) == each.counts:
                told[each.id] = why
    return told


def linked_promises(session: Session, record: str) -> Sequence[Promise]:
    """The promises to which a record is linked now."""
    event = PromiseEvent
    mine = select(event.promise_id).where(
        event.topic == "link", event.kind == "linked", event.record == record, event.replaced.is_(None)
    )
    return session.scalars(select(Promise).where(Promise.id.in_(mine)).options(joinedload(Promise.award))).all()


def missing_for(session: Session, number: int, record: str) -> list[str]:
    """What a linked record still lacks for it to keep the promise, in sentences; nothing where it keeps it."""
    event = PromiseEvent
    query = select(event).where(event.promise_id == number, event.record == record, event.replaced.is_(None))
    now_of = {each.topic: each for each in session.scalars(query)}
    lacking = []
    rule = rule_of(service.find_promise(session, number).award.rule)
    if rule.validation and (now_of.get("check") is None or now_of["check"].kind != "valid"):
        lacking.append(_("It was not found valid yet."))
    release = now_of.get("release")
    if release is None or release.kind != "released":
        lacking.append(_("It is not released yet."))
    elif not release.counts:
        lacking.append(release.text)
    return lacking
