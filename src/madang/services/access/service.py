"""What applicants do: apply, edit, count a population, submit, withdraw, appeal; and what everybody sees."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, joinedload, selectinload

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake.engine import Engine
from madang.node.acts import doing
from madang.node.database import now
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.people.models import Permit, Project
from madang.node.people.projects import find_project, people_of
from madang.node.permissions import check, may, visible
from madang.node.text import clean_line, clean_prose
from madang.science.privacy.extract import Wanted
from madang.science.privacy.recipe import read_recipe
from madang.science.privacy.rules import Found, Pack, hold, read_pack
from madang.services.access import acts, letters, procedure, terms
from madang.services.access.content import Content, read_content
from madang.services.access.models import Application, Grant, Step, Word
from madang.services.access.people import population_in
from madang.services.access.sources import Source, source_of

RECUSED = "recused"  # what is kept of a member who stands aside for good, among the votes
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

    The holder is that of the catalog's record, and no other `organization` can be named. An extension or change names
    the permit that it is about as `parent`, and is of the same data. Errors: `access.content`, `access.dataset`,
    `project.none`, `access.kind`.
    """
    asked = read_content(content or {})
    rules = read_pack(pack)
    if applicant_kind not in KINDS or kind not in ("new", "extension", "change") or (kind != "new") != bool(parent):
        raise MadangError("access.kind", _("There is no such kind of application."), ", ".join(KINDS))
    source = source_of(node, actor, dataset, organization)

    def new(session: Session) -> Application:
        found = find_project(session, project)
        permit = _parent(session, parent, found.id, source) if parent else None
        return Application(
            kind=kind,
            project_id=found.id,
            organization_id=source.organization_id,
            owner_id=actor.person_id,
            dataset=source.dataset,
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


def _parent(session: Session, number: str, project_id: int, source: Source) -> Permit:
    """The permit of the project that an extension or change is about: of the same data, and so of the same holder."""
    query = select(Grant).join(Permit, Permit.id == Grant.permit_id)
    grant = session.scalar(query.where(Permit.number == number, Permit.project_id == project_id))
    if grant is None:
        raise MadangError("access.none", _("There is no permit {number}.").format(number=number))
    if grant.source != source.dataset or grant.permit.organization_id != source.organization_id:
        raise MadangError(
            "access.dataset",
            _("The permit {number} is for other data: {dataset}.").format(number=number, dataset=grant.source),
            _("An extension or a change is of the same data; apply anew for others."),
        )
    return grant.permit


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
    """Whether somebody may not vote: they asked for it, or are in the project, or were while it was decided."""
    recused = any(each.person_id == person_id and each.choice == RECUSED for each in application.votes)
    if person_id == application.owner_id or recused:
        return True
    return any(person.id == person_id for person in people_of(session, application.project_id))


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
