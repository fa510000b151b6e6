"""Permits: issued, suspended, ended, extended, amended; the document and the visas."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from madang.base.canonical import canonical_json
from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node import signing
from madang.node.acts import doing
from madang.node.database import now
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.people.models import Permit
from madang.node.people.projects import people_of
from madang.node.permissions import may
from madang.node.text import clean_prose
from madang.science.privacy.recipe import read_recipe
from madang.services.access import acts, letters, terms
from madang.services.access.asking import check_in_force, grant_of
from madang.services.access.joining import exact
from madang.services.access.models import Application, Grant
from madang.services.access.service import find, steps_of
from madang.services.access.signed import read_permit, sign_permit, visa

DAYS_OF_A_MONTH = 30.4375


def issue(node: Node, actor: Actor, number: int) -> str:
    """Turn an approved application into a permit, or change the permit that it is about; the permit's number.

    Errors: `access.step` while a step waits, `access.two_exact` where a project or one of its people would hold two
    extracts of the same data with exact dates, which could be joined by them, `access.training` where somebody in the
    project lacks the training that the data ask for.
    """
    with doing(node, actor, acts.PERMIT, lambda session: find(session, number)) as done:
        application, session = done.thing, done.session
        waiting = [step.name for step in steps_of(application) if step.state in ("open", "waiting")]
        if waiting:
            raise MadangError(
                "access.step",
                _("Steps still wait: {steps}.").format(steps=", ".join(waiting)),
                _("Close them first."),
            )
        terms.check_training(node, session, application)
        grant = _changed(node, session, application) if application.kind != "new" else _new(node, session, application)
        permit = grant.permit
        letters.to_applicants(node, session, application, lambda: _("Your permit is issued"))
        done.tell(
            permit=permit.number,
            begins=permit.begins.isoformat(),
            ends=permit.ends.isoformat(),
            serial=grant.serial,
        )
    return permit.number


def _new(node: Node, session: Session, application: Application) -> Grant:
    told = application.told
    _check_two_exact(session, application)
    number = f"{now():%Y}-{application.id:04d}"
    begins = now()
    permit = Permit(
        number=number,
        project_id=application.project_id,
        dataset=f"extract-{number}",
        organization_id=application.organization_id,
        state="in-force",
        begins=begins,
        ends=begins + timedelta(days=round(told.months * DAYS_OF_A_MONTH)),
    )
    session.add(permit)
    session.flush()
    grant = Grant(
        permit_id=permit.id,
        application_id=application.id,
        source=application.dataset,
        terms="{}",
        serial=1,
        key_name=f"permit-{number}",
    )
    grant.permit, grant.application = permit, application
    session.add(grant)
    application.parent_id = permit.id
    _sign(node, grant, application)
    return grant


def _changed(node: Node, session: Session, application: Application) -> Grant:
    """Extension: a later end. Change: other columns, rows or recipe; the key of the pseudonyms stays."""
    permit = session.get(Permit, application.parent_id)
    assert permit is not None
    grant = grant_of(session, permit.number)
    if permit.state not in ("in-force", "suspended") or permit.ends <= now():
        raise MadangError(
            "access.not_in_force", _("The permit {number} has ended.").format(number=permit.number), _("Apply anew.")
        )
    if application.kind == "extension":
        permit.ends += timedelta(days=round(application.told.months * DAYS_OF_A_MONTH))
    else:
        _check_two_exact(session, application, besides=permit.id)
        grant.application_id = application.id
        grant.application = application
    grant.serial += 1
    _sign(node, grant, grant.application)
    return grant


def _check_two_exact(session: Session, application: Application, besides: int = 0) -> None:
    """No project and no person ever gets two extracts of one source with exact dates: equal dates would join them."""
    if read_recipe(application.told.recipe).dates != "keep" or application.answer == "results-only":
        return
    mine = {person.id for person in people_of(session, application.project_id)}
    for grant in session.scalars(select(Grant).where(Grant.source == application.dataset)):
        if grant.permit_id == besides or not exact(grant):
            continue
        theirs = {person.id for person in people_of(session, grant.permit.project_id)}
        if grant.permit.project_id == application.project_id or mine & theirs:
            raise MadangError(
                "access.two_exact",
                _("The project, or one of its people, holds {number}, whose dates are exact as well.").format(
                    number=grant.permit.number
                ),
                _("Two such extracts can be joined by their dates: ask for a change of that permit, or shifted dates."),
            )


def _sign(node: Node, grant: Grant, application: Application) -> None:
    permit, told = grant.permit, application.told
    terms = {
        "iss": signing.issuer(node.home),
        "permit": permit.number,
        "serial": grant.serial,
        "project": application.project.name,
        "source": grant.source,
        "dataset": permit.dataset,
        "answer": application.answer,
        "begins": permit.begins.isoformat(),
        "ends": permit.ends.isoformat(),
        "purpose": told.purpose,
        "tables": {name: list(wanted.columns) for name, wanted in told.tables.items()},
        "population": told.population.model_dump(),
        "recipe": read_recipe(told.recipe).document(),
        "conditions": application.conditions,
        "application": application.id,
        "edition": application.edition,
    }
    grant.terms = canonical_json(terms).decode()
    permit.document = sign_permit(node, terms)


def see_permit(node: Node, actor: Actor, number: str) -> Grant:
    """A permit. Errors: `access.none`, also where one may not know of it."""
    with node.read() as session:
        grant = grant_of(session, number)
        if not may(actor, acts.SEE_PERMIT, grant):
            raise MadangError("access.none", _("There is no permit {number}.").format(number=number))
    node.audit.read(actor, acts.SEE_PERMIT.name, grant.reference)
    return grant


def suspend(node: Node, actor: Actor, number: str, reason: str) -> None:
    """Stop a permit at once, for a time."""
    _said(node, actor, acts.SUSPEND, number, reason)


def resume(node: Node, actor: Actor, number: str, reason: str) -> None:
    """Let a suspended permit go on."""
    _said(node, actor, acts.RESUME, number, reason)


def end(node: Node, actor: Actor, number: str, reason: str) -> None:
    """End a permit before its time."""
    with doing(node, actor, acts.END, lambda session: grant_of(session, number)) as done:
        done.thing.permit.ends = min(done.thing.permit.ends, now())
        _tell(node, done.session, done.thing, lambda: _("Your permit has ended"))
        done.tell(reason=clean_prose(reason, _("The reason"), 2_000, required=True))


def report(node: Node, actor: Actor, number: str, reason: str) -> None:
    """Report that somebody may have been recognized: the permit stops at once (PIPA 28-5)."""
    text = clean_prose(reason, _("What was seen"), 2_000, required=True)
    with doing(node, actor, acts.REPORT, lambda session: grant_of(session, number)) as done:
        done.thing.suspected = text
        _tell(node, done.session, done.thing, lambda: _("Your permit is suspended: a re-identification is suspected"))
        letters.to_desk(node, done.session, done.thing.application, "steward", _suspected)
        done.tell(reason=text)


def _suspected() -> str:
    return _("A re-identification is suspected")


def _tell(node: Node, session: Session, grant: Grant, sentence: letters.Sentence) -> None:
    letters.to_applicants(node, session, grant.application, sentence)


def _said(node: Node, actor: Actor, act: Any, number: str, reason: str) -> None:
    text = clean_prose(reason, _("The reason"), 2_000, required=True)
    with doing(node, actor, act, lambda session: grant_of(session, number)) as done:
        suspended = act is acts.SUSPEND
        _tell(
            node,
            done.session,
            done.thing,
            lambda: _("Your permit is suspended") if suspended else _("Your permit goes on"),
        )
        done.tell(reason=text)


def checked_terms(node: Node, grant: Grant) -> Mapping[str, Any]:
    """The terms of a permit in force, from its signed document. Errors: `access.altered`, `access.not_in_force`."""
    terms = read_permit(node, grant.permit.document)
    told = (
        terms["permit"] == grant.permit.number
        and terms["project"] == grant.permit.project.name
        and terms["serial"] == grant.serial
        and terms["dataset"] == grant.permit.dataset
        and datetime.fromisoformat(terms["ends"]) >= grant.permit.ends  # it may have been ended before its time
    )
    if not told or canonical_json(terms).decode() != grant.terms:
        raise MadangError(
            "access.altered",
            _("What the database says of the permit {number} is not what was signed.").format(
                number=grant.permit.number
            ),
            _("Nothing is opened by it. Look at who changed it: madang audit list."),
        )
    check_in_force(grant)
    return terms


def visas(node: Node, actor: Actor, number: str) -> dict[str, str]:
    """The visas of a permit that one may carry, by account: one's own, and for the owner of the home those of all.

    Whoever has a visa is let in as the person whom it names, so nobody gets that of somebody else. Errors:
    `access.not_in_force`, `access.altered`.
    """
    from madang.node.people.models import Organization

    grant = see_permit(node, actor, number)
    checked_terms(node, grant)
    with node.read() as session:
        organization = session.get_one(Organization, grant.application.organization_id)
        people = [
            person
            for person in people_of(session, grant.permit.project_id)
            if actor.kind == "owner" or person.id == actor.person_id
        ]
        asserted = grant.application.decided or grant.permit.begins
        return {
            person.login: visa(
                node,
                subject=person.login,
                permit=number,
                dataset=grant.permit.dataset,
                source=organization.name,
                asserted=asserted,
                begins=grant.permit.begins,
                ends=grant.permit.ends,
            )
            for person in people
        }
