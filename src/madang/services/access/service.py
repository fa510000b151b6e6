"""What applicants do: apply, edit, count a population, submit, withdraw, appeal; and what everybody sees."""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session, joinedload, selectinload

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake import Version
from madang.lake.engine import Engine
from madang.node import rooms
from madang.node.acts import doing
from madang.node.database import Base, now
from madang.node.node import Node
from madang.node.people.accounts import find_organization
from madang.node.people.actor import Actor
from madang.node.people.models import Organization, Permit, Project
from madang.node.people.projects import find_project, people_of
from madang.node.permissions import check, may, visible
from madang.node.text import clean_line, clean_prose
from madang.science.privacy.counts import Perturbed, Told, ask_persons
from madang.science.privacy.extract import Wanted
from madang.science.privacy.recipe import read_recipe
from madang.science.privacy.rules import Found, Pack, hold, read_pack
from madang.services.access import acts, letters, procedure, terms
from madang.services.access.content import Content, read_content
from madang.services.access.models import Application, Grant, Step, ToldCount, Word
from madang.services.access.people import population_in

COUNTS_PER_DAY = 100
MOST_TOLD = 2_000  # populations that are told of one version of a dataset
KINDS = ("company", "research", "public", "insurer")


@dataclass(frozen=True)
class Finding:
    """What one rule says, and who could do something about it."""

    found: Found
    pack: Pack


def find(session: Session, number: int) -> Application:
    """An application with all that belongs to it. Errors: `access.none`."""
    found = session.scalar(
        select(Application)
        .where(Application.id == number)
        .options(
            joinedload(Application.project).joinedload(Project.organization),
            joinedload(Application.organization),
            joinedload(Application.owner),
            selectinload(Application.steps),
            selectinload(Application.votes),
            selectinload(Application.words).joinedload(Word.person),
        )
    )
    if found is None:
        raise _none(number)
    return found


def _none(number: int) -> MadangError:
    return MadangError("access.none", _("There is no application {number}.").format(number=number), _("Look at yours."))


def see(node: Node, actor: Actor, number: int) -> Application:
    """An application. Errors: `access.none`, also where one may not know of it."""
    with node.read() as session:
        found = find(session, number)
        if not may(actor, acts.SEE, found):
            raise _none(number)
    node.audit.read(actor, acts.SEE.name, f"application:{number}")
    return found


def list_applications(node: Node, actor: Actor) -> Sequence[Application]:
    """The applications that one may see: urgent ones that wait, then the newest first."""
    check(actor, acts.LIST)
    with node.read() as session:
        waits_urgently = Application.urgent & Application.state.in_(("in-review", "approved"))
        query = select(Application).where(visible(actor, acts.SEE, Application))
        query = query.order_by(waits_urgently.desc(), Application.id.desc())
        loaded = (
            joinedload(Application.project),
            joinedload(Application.organization),
            selectinload(Application.steps),
        )
        return session.scalars(query.options(*loaded).limit(500)).all()


def apply(
    node: Node,
    actor: Actor,
    *,
    project: str,
    dataset: str,
    title: str,
    organization: str = "",
    content: dict[str, Any] | None = None,
    applicant_kind: str = "company",
    pack: str = "own",
    urgent: bool = False,
    kind: str = "new",
    parent: str = "",
) -> int:
    """Begin an application for data of `dataset` (in the lake); its number.

    `organization` is the holder, found through the catalog's record if not given. An extension or change names the
    permit that it is about as `parent`. Errors: `access.content`, `project.none`, `access.kind`.
    """
    asked = read_content(content or {})
    version = node.home.lake().find(dataset)
    rules = read_pack(pack)
    if applicant_kind not in KINDS or kind not in ("new", "extension", "change") or (kind != "new") != bool(parent):
        raise MadangError("access.kind", _("There is no such kind of application."), ", ".join(KINDS))

    def new(session: Session) -> Application:
        holder = _holder(session, version.dataset.name, organization)
        found = find_project(session, project)
        permit = None
        if parent:
            permit = session.scalar(select(Permit).where(Permit.number == parent, Permit.project_id == found.id))
            if permit is None:
                raise MadangError("access.none", _("There is no permit {number}.").format(number=parent))
        return Application(
            kind=kind,
            project_id=found.id,
            organization_id=holder.id,
            owner_id=actor.person_id,
            dataset=version.dataset.name,
            title=clean_line(title, _("The title"), 300, required=True),
            applicant_kind=applicant_kind,
            content=asked.model_dump_json(),
            pack=rules.name,
            urgent=urgent or bool(asked.urgent_reason.strip()),
            parent_id=permit.id if permit else None,
            edition=1,
        )

    with doing(node, actor, acts.APPLY, new) as done:
        done.tell(edition=1)
    return done.thing.id


def _holder(session: Session, dataset: str, organization: str) -> Organization:
    if organization:
        return find_organization(session, organization)
    rooms.load_models()
    records = Base.metadata.tables.get("records")  # of the catalog, where that room is installed
    number = None
    if records is not None:
        number = session.scalar(select(records.c.organization_id).where(records.c.dataset == dataset))
    found = session.get(Organization, number) if number is not None else None
    return found or find_organization(session, "house")


def edit(node: Node, actor: Actor, number: int, content: dict[str, Any], title: str = "") -> None:
    """Change what is asked for; every vote on an earlier edition is void. Errors: `access.content`, `act.state`."""
    asked = read_content(content)
    with doing(node, actor, acts.EDIT, lambda session: find(session, number)) as done:
        done.thing.content = asked.model_dump_json()
        done.thing.urgent = bool(asked.urgent_reason.strip())
        if title:
            done.thing.title = clean_line(title, _("The title"), 300, required=True)
        done.thing.edition += 1
        done.tell(edition=done.thing.edition)


def submit(node: Node, actor: Actor, number: int) -> None:
    """Hand an application in: its steps begin. Errors: `access.incomplete`, those of the population and columns."""
    check_content(node, see(node, actor, number))
    with doing(node, actor, acts.SUBMIT, lambda session: find(session, number)) as done:
        done.thing.submitted = done.thing.submitted or now()
        begin_steps(done.thing)
        letters.to_desk(node, done.session, done.thing, "steward", lambda: _("An application was handed in"))
        done.tell(edition=done.thing.edition)


def check_content(node: Node, application: Application) -> None:
    """Raise a sentence unless the application could be extracted as it is written."""
    told = application.told
    if not told.purpose.strip() or not told.tables:
        raise MadangError(
            "access.incomplete",
            _("The application has no purpose or asks for no table."),
            _("Write the purpose, and at least the table person with the columns that you need."),
        )
    if application.urgent and not told.urgent_reason.strip():
        raise MadangError(
            "access.incomplete", _("It is urgent, and the reason is missing."), _("Say why it cannot wait.")
        )
    read_recipe(told.recipe)
    version = node.home.lake().find(application.dataset)
    with Engine() as engine:
        version.attach(engine)
        population = population_in(engine, version, told.population.model_dump())
        Wanted({name: wanted.columns for name, wanted in told.tables.items()}, population).checked(engine)


def begin_steps(application: Application) -> None:
    """The steps of this edition; those that need nothing are open."""
    have = {step.name for step in application.steps if step.edition == application.edition}
    wanted = [kind for kind in procedure.wanted(application.told.model_dump()) if kind.name not in have]
    earlier = {step.name: step for step in application.steps if step.state == "done"}
    for kind in wanted:
        step = Step(edition=application.edition, name=kind.name, state="waiting")
        if kind.name == "ethics" and "ethics" in earlier:  # papers stay as they are, whatever columns change
            step.state, step.closed, step.note = "done", earlier["ethics"].closed, earlier["ethics"].note
        application.steps.append(step)
    open_ready(application)


def open_ready(application: Application) -> None:
    """Open the steps that can begin now."""
    mine = steps_of(application)
    for name in procedure.ready({step.name: step.state for step in mine}, application.urgent):
        step = next(step for step in mine if step.name == name)
        step.state, step.opened = "open", now()


def steps_of(application: Application) -> list[Step]:
    """The steps of the edition that is looked at now, in their order."""
    order = list(procedure.NAMES)
    return sorted(
        (step for step in application.steps if step.edition == application.edition), key=lambda s: order.index(s.name)
    )


def withdraw(node: Node, actor: Actor, number: int) -> None:
    """Take an application back."""
    with doing(node, actor, acts.WITHDRAW, lambda session: find(session, number)) as done:
        done.thing.decided = now()


def appeal(node: Node, actor: Actor, number: int, reason: str) -> None:
    """Appeal against a refusal, once: the committee votes anew. Errors: `access.appealed`."""
    with doing(node, actor, acts.APPEAL, lambda session: find(session, number)) as done:
        if done.thing.appealed:
            raise MadangError(
                "access.appealed", _("There was an appeal already."), _("Apply anew, with what was missing.")
            )
        text = clean_prose(reason, _("The reason"), 5_000, required=True)
        done.thing.appealed = True
        done.thing.edition += 1  # votes on what was refused do not count
        done.thing.decided, done.thing.answer = None, ""
        done.thing.words.append(Word(person_id=actor.person_id, kind="appeal", text=text))
        begin_steps(done.thing)
        for step in steps_of(done.thing):
            if step.name in ("screening", "adequacy"):
                step.state, step.closed = "left-out", now()
        open_ready(done.thing)
        letters.to_desk(node, done.session, done.thing, "committee", lambda: _("An appeal waits for your vote"))
        done.tell(reason=text[:200])


def findings(node: Node, application: Application) -> list[Finding]:
    """Every rule of the application's pack, of the ministry's frame and of what the data carry, held against it.

    Findings, never a decision.
    """
    with node.read() as session:
        members = len(people_of_committee(session, application.organization_id))
        of_the_data = terms.facts(node, session, find(session, application.id))
    settings = {"committee_members": members, "board_members": members, "quorum": "majority"}
    facts = application.told.facts(settings) | of_the_data
    found = []
    for name in dict.fromkeys((application.pack, "mohw-2025-12", "duo")):
        pack = read_pack(name)
        found += [Finding(each, pack) for each in hold(pack, facts)]
    return found


def people_of_committee(session: Session, organization_id: int) -> list[int]:
    """The persons who are members of a holder's committee."""
    from madang.node.people.models import Person, Role

    query = (
        select(Role.person_id)
        .join(Person, Person.id == Role.person_id)
        .where(Role.role == "committee", Role.organization_id == organization_id, Person.disabled.is_(None))
    )
    return sorted(session.scalars(query.distinct()))


def conflicted(session: Session, application: Application, person_id: int) -> bool:
    """Whether somebody may not vote: they are in the project, or asked for it."""
    if person_id == application.owner_id:
        return True
    return any(person.id == person_id for person in people_of(session, application.project_id))


def count(node: Node, actor: Actor, number: int, given: dict[str, Any] | None = None) -> Perturbed:
    """How many persons fit the population of an application, perturbed. Errors: `access.too_many`."""
    application = see(node, actor, number)
    return count_for(node, actor, application, given or application.told.population.model_dump())


def count_for(node: Node, actor: Actor, application: Application, given: dict[str, Any]) -> Perturbed:
    """The same for another population than the application has."""
    check(actor, acts.COUNT, application)
    version = node.home.lake().find(application.dataset)

    def persons(engine: Engine) -> str:
        return population_in(engine, version, given).persons_sql()

    answer = told_before_a_permit(node, actor, version, persons)
    with node.write() as session:
        node.audit.record(session, actor, acts.COUNT.name, f"application:{application.id}", {"dataset": version.name})
    return answer


def told_before_a_permit(node: Node, actor: Actor, version: Version, persons: Callable[[Engine], str]) -> Perturbed:
    """How many persons a SELECT of person_id finds, as it may be told to somebody without a permit; it is kept, so that
    a set that differs by few gets the same answer. `persons` gives the SELECT, for an engine that has the version
    attached. Errors: `access.too_many`."""
    with node.read() as session:
        since = now() - timedelta(days=1)
        mine = ToldCount.person_id == actor.person_id if actor.person_id else ToldCount.person_id.is_(None)
        asked = session.scalar(select(func.count()).where(mine, ToldCount.at > since)) or 0
        rows = session.execute(
            select(ToldCount.members, ToldCount.answer)
            .where(ToldCount.dataset == version.dataset.name, ToldCount.version == version.number)
            .order_by(ToldCount.id)
        ).all()
    if asked >= COUNTS_PER_DAY or len(rows) >= MOST_TOLD:
        raise MadangError(
            "access.too_many",
            _("No more populations are counted today."),
            _("Each person may count {most} a day.").format(most=COUNTS_PER_DAY),
        )
    earlier = [Told(zlib.decompress(members), Perturbed(answer)) for members, answer in rows]
    with Engine() as engine:
        version.attach(engine)
        told = ask_persons(engine, persons(engine), node.home.key("counts"), earlier)
    with node.write() as session:
        if all(each.members != told.members for each in earlier):
            session.add(
                ToldCount(
                    dataset=version.dataset.name,
                    version=version.number,
                    members=zlib.compress(told.members),
                    answer=told.answer.count,
                    person_id=actor.person_id,
                )
            )
    return told.answer


def list_permits(node: Node, actor: Actor) -> Sequence[Grant]:
    """The permits that one may see, the newest first."""
    check(actor, acts.LIST)
    with node.read() as session:
        query = (
            select(Grant)
            .join(Permit, Grant.permit_id == Permit.id)
            .where(or_(visible(actor, acts.SEE_PERMIT, Permit)))
            .options(joinedload(Grant.permit).joinedload(Permit.project), joinedload(Grant.application))
        )
        return session.scalars(query.order_by(Grant.id.desc()).limit(500)).all()


def content_of(application: Application) -> Content:
    """What is asked for."""
    return application.told
