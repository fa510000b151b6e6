"""What people do with records, one function each: find, see, make, describe, publish, withdraw."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError
from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session, joinedload, selectinload

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake import Version
from madang.node.acts import doing, doing_in
from madang.node.database import now
from madang.node.node import Node
from madang.node.people.accounts import find_organization
from madang.node.people.actor import Actor
from madang.node.people.models import Organization
from madang.node.permissions import check, may, visible
from madang.node.text import clean_line, clean_prose
from madang.services import certification
from madang.services.catalog import life, words
from madang.services.catalog.acts import ADD, EDIT, HOLDER, MAKE, PUBLISH, SEE, WIDEN, WITHDRAW
from madang.services.catalog.description import Description
from madang.services.catalog.disclosure import BEING_REMOVED
from madang.services.catalog.models import TIERS, Record, RecordFile, RecordVersion
from madang.services.catalog.preparing import begin_again, take_in

FILES = 200
MOST = 1_000  # persons that a holder may set as the fewest
AGAIN = ("failed", "removed")  # a version in these states is prepared anew when it is added once more
KINDS = ("standardize", "import", "synthesize")
_BY_NAME = (  # all in one question: this is what most pages begin with
    select(Record, BEING_REMOVED)
    .where(Record.name == bindparam("name"))
    .options(joinedload(Record.versions), joinedload(Record.organization))
)


def see(node: Node, actor: Actor, name: str) -> Record:
    """A record with its versions. Errors: `catalog.none`, also where the actor may not know of it."""
    with node.read() as session:
        record = _record(session, actor, name)
    node.audit.read(actor, SEE.name, f"record:{record.id}")
    return record


def files_of(node: Node, version: RecordVersion, page: int = 1) -> Sequence[RecordFile]:
    """One page of the files of a version; the caller has seen its record."""
    with node.read() as session:
        query = select(RecordFile).where(RecordFile.version_id == version.id).order_by(RecordFile.place)
        return session.scalars(query.limit(FILES).offset((max(1, page) - 1) * FILES)).all()


def mine(node: Node, actor: Actor) -> tuple[Sequence[Record], list[Version]]:
    """The records that the actor answers for, and the datasets of the node that have none yet."""
    if not stewarded(node, actor):
        check(actor, MAKE, Record(organization_id=None))
    with node.read() as session:
        query = select(Record).where(visible(actor, EDIT, Record)).order_by(Record.changed.desc())
        records = session.scalars(query.options(selectinload(Record.versions), selectinload(Record.organization))).all()
        known = set(session.scalars(select(Record.dataset)))
    free = []
    for dataset in node.home.lake().datasets():
        if dataset.name not in known:
            try:
                version = dataset.version()
            except MadangError:
                continue  # a damaged one is the doctor's business
            if version.kind in KINDS:
                free.append(version)
    return records, free


def stewarded(node: Node, actor: Actor) -> Sequence[Organization]:
    """The organizations for which the actor may make records."""
    with node.read() as session:
        every = session.scalars(select(Organization).order_by(Organization.id)).all()
    return [each for each in every if may(actor, MAKE, Record(organization_id=each.id))]


def make(node: Node, actor: Actor, dataset: str, organization: str, *, kind: str = "cdm") -> str:
    """A draft of a record for a dataset of the lake, filled in as far as the data say; its name.

    What has to be computed (verdict, profile) is begun as a job. Errors: `catalog.taken`, `catalog.kind`.
    """
    version = node.home.lake().find(dataset)
    if version.kind not in KINDS:
        raise MadangError("catalog.kind", _("{name} is no dataset to publish.").format(name=version.name))
    told = life.told_by(version)

    def new(session: Session) -> Record:
        holder = find_organization(session, organization)
        check(actor, MAKE, Record(organization_id=holder.id))
        if session.scalar(select(Record.id).where(Record.dataset == version.dataset.name)) is not None:
            raise MadangError("catalog.taken", _("{name} has a record already.").format(name=version.dataset.name))
        return Record(
            name=re.sub(r"[^a-z0-9]+", "-", version.dataset.name.lower()).strip("-")[:80],
            dataset=version.dataset.name,
            kind=kind,
            organization_id=holder.id,
            owner_id=actor.person_id,
            title=told.title,
            title_en=told.title,
            description=told.description.model_dump_json(),
        )

    with doing(node, actor, MAKE, new) as done:
        done.session.add(done.thing)
        done.session.flush()
        take_in(done.session, node, actor, done.thing, version)
        done.tell(dataset=version.name)
    return done.thing.name


def set_minimum(node: Node, actor: Actor, organization: str, minimum: int) -> None:
    """Have nothing told of a holder's data that are not open that is about fewer persons; profiles are made anew.

    Until that is done, those that tell too much are not shown. Errors: `catalog.minimum`.
    """
    if not 1 <= minimum <= MOST:
        raise MadangError("catalog.minimum", _("The smallest number of persons is from 1 to {most}.").format(most=MOST))
    with doing(node, actor, HOLDER, lambda session: _Holding(find_organization(session, organization))) as done:
        holder = done.thing.organization
        holder.minimum = minimum
        done.tell(minimum=minimum)
        for record in done.session.scalars(select(Record).where(Record.organization_id == holder.id)):
            life.edited(done.session, node, actor, record)
            begin_again(done.session, node, actor, record)


@dataclass(frozen=True)
class _Holding:
    """An organization as the one that answers for its data, which is what the rule is about."""

    organization: Organization

    @property
    def organization_id(self) -> int:
        return self.organization.id

    @property
    def reference(self) -> str:
        return f"organization:{self.organization.id}"


def add_version(node: Node, actor: Actor, name: str) -> None:
    """Take the newest version of the dataset into its record, to be published. Errors: `catalog.no_version`."""
    with doing(node, actor, ADD, lambda session: _record(session, actor, name)) as done:
        record, session = done.thing, done.session
        version = node.home.lake().find(record.dataset)
        if any(known.number == version.number and known.state not in AGAIN for known in record.versions):
            raise MadangError("catalog.no_version", _("{name} is in the record already.").format(name=version.name))
        for known in [each for each in record.versions if each.number == version.number]:
            session.delete(known)
        session.flush()
        take_in(session, node, actor, record, version)
        done.tell(dataset=version.name)


@dataclass(frozen=True)
class Edited:
    """What a steward wrote about a record; `edition` is the one that they saw."""

    edition: int
    title: str
    title_en: str
    tier: str
    tier_after: str
    embargo_reason: str
    embargo_end: datetime | None
    description: Description
    confirmed: bool = False  # that more people may have the data


def edit(node: Node, actor: Actor, name: str, given: Edited) -> None:
    """Describe a record anew. Errors: `catalog.changed` where somebody else did meanwhile, `catalog.tier`."""
    if given.tier not in TIERS or given.tier_after not in TIERS[:3]:
        raise MadangError("catalog.tier", _("There is no such tier."))
    reason = clean_prose(given.embargo_reason, _("The reason"), 2_000)
    if given.tier == "embargoed" and (given.embargo_end is None or not reason):
        raise MadangError("catalog.tier", _("An embargo needs a reason and an end."), _("Fill both in."))
    with doing(node, actor, EDIT, lambda session: _record(session, actor, name)) as done:
        record = done.thing
        if record.edition != given.edition:
            raise MadangError(
                "catalog.changed",
                _("Somebody else changed this record meanwhile."),
                _("Load the page again, look at the changes, and write yours once more."),
            )
        ends_anew = given.embargo_end != record.embargo_end or record.tier != "embargoed"
        if given.tier == "embargoed" and ends_anew and given.embargo_end is not None and given.embargo_end <= now():
            raise MadangError(
                "catalog.embargo",
                _("An embargo ends on a day that is still to come."),
                _("Choose a later day, or another access."),
            )
        if record.state == "published":
            _check_way(node, given.tier, given.tier_after, given.description)
        wider = widening(record, given)
        if wider is not None and record.state == "published":
            if not given.confirmed:
                hint = _("Tick the box if that is what you want.")
                raise MadangError("catalog.confirm", widening_in_words(*wider), hint)
            with doing_in(done.session, node, actor, WIDEN, lambda session: record) as opening:
                opening.tell(before=wider[0], after=wider[1], at=wider[2].isoformat())
        record.title = clean_line(given.title, _("The title"), 300, required=True)
        record.title_en = clean_line(given.title_en, _("The title"), 300)
        record.tier, record.tier_after = given.tier, given.tier_after
        record.embargo_reason, record.embargo_end = reason, given.embargo_end
        record.description = given.description.model_dump_json()
        record.changed, record.edition = now(), record.edition + 1
        life.edited(done.session, node, actor, record)
        begin_again(done.session, node, actor, record)
        done.tell(tier=record.tier, edition=record.edition)


def describe(node: Node, actor: Actor, name: str, **told: str) -> None:
    """Change some fields of a description (or `title`, `title_en`), and leave the others.

    Errors: `catalog.field` where there is no such field or it takes no such value, those of `edit`.
    """
    record = see(node, actor, name)
    titles = {field: told.pop(field, getattr(record, field)) for field in ("title", "title_en")}
    try:
        description = Description.model_validate(record.told.model_dump() | told)
    except ValidationError as error:
        where = error.errors()[0]
        raise MadangError(
            "catalog.field",
            _("The field {field} cannot be {value}.").format(field=where["loc"][0], value=repr(where["input"])[:80]),
            _("The fields: {names}.").format(names=", ".join(Description.model_fields)),
        ) from None
    after = (record.tier, record.tier_after, record.embargo_reason, record.embargo_end)
    edit(node, actor, name, Edited(record.edition, titles["title"], titles["title_en"], *after, description))


def widening(record: Record, given: Edited) -> tuple[str, str, datetime] | None:
    """Whether more people could have the data, now or after an embargo: from which tier, to which, from when on."""
    openness = ("embargoed", "controlled", "registered", "open")
    before, at = record.access, now()
    if openness.index(given.tier) > openness.index(before):
        return before, given.tier, at
    if given.tier == "embargoed" and record.tier == "embargoed" and given.embargo_end is not None:
        sooner = record.embargo_end is not None and given.embargo_end < record.embargo_end
        if sooner or openness.index(given.tier_after) > openness.index(record.tier_after):
            return before, given.tier_after, given.embargo_end
    return None


def widening_in_words(before: str, after: str, at: datetime) -> str:
    """What opening a record to more people means, as a sentence."""
    who = {
        "open": _("everybody can download the data"),
        "registered": _("everybody who has an account can download the data"),
        "controlled": _("people can ask for the data, and pictures of what is in them are shown"),
    }[after]
    day = at.date().isoformat()
    return _("From {day} on {who}; what was taken away cannot be taken back.").format(day=day, who=who)


def publish(node: Node, actor: Actor, name: str, number: int) -> None:
    """Let everybody find a version that is ready. Errors: `catalog.state`."""
    with doing(node, actor, PUBLISH, lambda session: _record(session, actor, name)) as done:
        record = done.thing
        version = next((each for each in record.versions if each.number == number), None)
        if version is None or version.state != "ready":
            raise MadangError(
                "catalog.state",
                _("This version cannot be published now."),
                _("It has to be prepared, and its record not withdrawn."),
            )
        _check_way(node, record.tier, record.tier_after, record.told)
        life.published(done.session, node, record, version)
        done.tell(version=number, manifest=version.manifest)


def _check_way(node: Node, tier: str, tier_after: str, told: Description) -> None:
    """Data that are asked for need somebody to ask and a way to do it, or nobody ever gets them."""
    if "controlled" not in (tier, tier_after if tier == "embargoed" else ""):
        return
    missing = [] if told.contact or node.settings.institution.email else [_("a contact")]
    missing += [] if told.access_rights else [_("how access is given")]
    if missing:
        raise MadangError(
            "catalog.way",
            _("Data on request need {what}, so that people know how to get them.").format(what=", ".join(missing)),
            _("Fill it in on the record's page, under access."),
        )


def withdraw(node: Node, actor: Actor, name: str, reason: str) -> None:
    """Take a record back for good: a tombstone with the reason stays, so that citations still lead somewhere."""
    reason = clean_prose(reason, _("The reason"), 2_000, required=True)
    with doing(node, actor, WITHDRAW, lambda session: _record(session, actor, name)) as done:
        life.withdrawn(done.session, done.thing, reason)
        done.tell(reason=reason)


def version_of(actor: Actor, record: Record, number: int | None) -> RecordVersion:
    """The version of that number; without one the newest that is published, else the newest that is ready.

    What is only ready, whoever edits the record sees, and nobody else. Errors: `catalog.no_version`.
    """
    return _version(record, number, ("published", "ready") if may(actor, EDIT, record) else ("published",))


def published_version(record: Record, number: int | None) -> RecordVersion:
    """The same for whoever takes bytes away: of what is only ready nobody gets any, of what is damaged neither.

    Errors: `catalog.no_version`, `catalog.damaged`.
    """
    version = _version(record, number, ("published",))
    check_whole(version)
    return version


def check_whole(version: RecordVersion) -> None:
    """Refuse a version of which a file is damaged (see `hashing`): `catalog.damaged`."""
    if version.damaged:
        raise MadangError(
            "catalog.damaged",
            _("A file of this version was damaged on this machine, so it is withheld until it is mended."),
            _("The administrators of this installation know; try again later, or take another version."),
        )


def _version(record: Record, number: int | None, states: tuple[str, ...]) -> RecordVersion:
    seen = [each for each in record.versions if each.state in states and number in (None, each.number)]
    if record.withheld:
        raise MadangError(
            "catalog.withheld",
            _("People are being removed from these data, so nothing of them is shown."),
            _("Come back in a moment."),
        )
    if not seen or record.state == "withdrawn":
        raise MadangError("catalog.no_version", _("There is no such version."), _("See the record's page."))
    return next((each for each in seen if each.state == "published"), seen[0])


def portal_opened(node: Node) -> None:
    """Bring up to date what an earlier release or a restore left open."""
    rebuild_words(node)
    with node.read() as session:
        old = session.scalar(
            select(RecordVersion.id).where(RecordVersion.certificate != "", RecordVersion.certified_until.is_(None))
        )
    if old is None:
        return
    certification.first_use(node)
    with node.write() as session:  # of a release that did not keep until when certificates hold
        for version in session.scalars(select(RecordVersion).where(RecordVersion.certificate != "")):
            found = certification.holding(session, version.manifest)
            version.certificate = found.number if found is not None else ""
            version.certified_until = found.valid_until if found is not None else None
            if version.record.certificate and version.state == "published":
                life.summarize(version.record, version)


def rebuild_words(node: Node) -> None:
    """Make the index of words anew where it is empty though there are records, as after a restore."""
    with node.read() as session:
        if (
            words.count(session)
            or session.scalar(select(Record.id).where(Record.state == "published").limit(1)) is None
        ):
            return
    with node.write() as session:
        for record in session.scalars(select(Record).where(Record.state == "published")):
            life.index(session, node, record)


def _record(session: Session, actor: Actor, name: str) -> Record:
    row = session.execute(_BY_NAME, {"name": name}).unique().one_or_none()
    found, being_removed = row if row is not None else (None, False)
    if found is not None and being_removed:
        found.withheld = True  # type: ignore[misc]  # of this one, as it was read just now
    if found is None or not may(actor, SEE, found):
        raise MadangError("catalog.none", _("There is no record {name}.").format(name=name), _("Search for it."))
    return found
