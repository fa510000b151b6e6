"""What people do with cohorts: keep definitions, count them on datasets, see what was found."""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from madang.base.errors import MadangError
from madang.base.translate import _, later
from madang.lake import Version
from madang.node import jobs
from madang.node.acts import doing
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.people.models import HOUSE as HOUSE_ORGANIZATION
from madang.node.people.projects import find_project
from madang.node.permissions import check, may, visible
from madang.node.text import clean_line, clean_prose
from madang.science.cohorts.definition import Definition
from madang.services.catalog import holder_of
from madang.services.cohorts.acts import COUNT, KEEP, READ_ROWS, RETIRE, SEE
from madang.services.cohorts.models import HOUSE, PROJECT, TOLD, Cohort, CohortCount, CohortVersion

MINIMUM = 10  # of datasets that have no record yet, whose holder has said nothing
_PARTS = (  # all that is shown of a cohort
    selectinload(Cohort.versions).selectinload(CohortVersion.counts).selectinload(CohortCount.version),
    selectinload(Cohort.versions).selectinload(CohortVersion.cohort),
    selectinload(Cohort.project),
    selectinload(Cohort.owner),
)
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{1,62}")


@dataclass(frozen=True)
class Rows:
    """A dataset as permissions ask about it: whose it is, and its name."""

    dataset: str
    organization_id: int | None
    minimum: int = MINIMUM
    record: str = ""
    open: bool = False

    @property
    def reference(self) -> str:
        """How events name it."""
        return f"dataset:{self.dataset}"


def rows_of(session: Session, dataset: str) -> Rows:
    """A dataset as permissions ask about it."""
    held = holder_of(session, dataset)
    if held is None:
        return Rows(dataset, None)
    return Rows(dataset, held.organization_id, held.minimum, held.record, held.open)


def keep(
    node: Node,
    actor: Actor,
    definition: Definition,
    *,
    name: str = "",
    project: str = "",
    note: str = "",
    codes: Any = None,
) -> CohortVersion:
    """Put a definition on a shelf: a new cohort, or the next version of one that has this name.

    The shelf is that of the house unless a project is named. A version with the same hash is not made twice. Errors:
    `cohort.name`, `cohort.elsewhere` where the name is on another shelf, `cohort.cannot_run` where circe refuses it.
    """
    from madang.science.cohorts.seam import check_shape

    check_shape(definition)
    title = clean_line(definition.name, _("The title"), 300) or name
    name = (name or _named(title, definition.digest)).strip().lower()
    if not _NAME.fullmatch(name):
        raise MadangError(
            "cohort.name",
            _("{name} cannot be the name of a cohort.").format(name=repr(name)),
            _("Use 2 to 63 small letters, digits and hyphens."),
        )

    def found(session: Session) -> Cohort:
        kept = _with_all(session, name)
        if kept is not None:
            if (kept.project.name if kept.project else "") != project:
                raise MadangError(
                    "cohort.elsewhere",
                    _("The name {name} is on another shelf.").format(name=name),
                    _("Choose another."),
                )
            return kept
        belongs = find_project(session, project) if project else None
        return Cohort(
            name=name,
            title=title or name,
            place=PROJECT if belongs else HOUSE,
            organization_id=belongs.organization_id if belongs else HOUSE_ORGANIZATION,
            project_id=belongs.id if belongs else None,
            owner_id=actor.person_id,
            state="kept",
            versions=[],
        )

    with doing(node, actor, KEEP, found) as done:
        newest = done.thing.versions[-1] if done.thing.versions else None
        if newest is None or newest.digest != definition.digest:
            newest = CohortVersion(
                number=1 + (newest.number if newest else 0),
                expression=definition.text,
                digest=definition.digest,
                note=clean_prose(note, _("The note"), 2_000),
                codes=json.dumps(codes, ensure_ascii=False) if codes else "",
                person_id=actor.person_id,
                counts=[],
            )
            done.thing.versions.append(newest)
            done.session.add(done.thing)
        done.tell(name=name, version=newest.number, sha256=newest.digest)
    return newest


def _named(title: str, digest: str) -> str:
    """A name for addresses, made of a title; of the hash where the title has no Latin letters."""
    plain = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
    return plain[:63].strip("-") if len(plain) > 1 else f"cohort-{digest[:8]}"


def _with_all(session: Session, name: str) -> Cohort | None:
    return session.scalar(select(Cohort).where(Cohort.name == name).options(*_PARTS))


def find(session: Session, name: str) -> Cohort:
    """A cohort by its name. Errors: `cohort.none`."""
    found = _with_all(session, name)
    if found is None:
        raise MadangError("cohort.none", _("There is no cohort {name}.").format(name=name), _("Look at the shelf."))
    return found


def see(node: Node, actor: Actor, name: str) -> Cohort:
    """A cohort with its versions and counts. Errors: `cohort.none`, also where one may not know of it."""
    with node.read() as session:
        found = find(session, name)
        if not may(actor, SEE, found):
            raise MadangError("cohort.none", _("There is no cohort {name}.").format(name=name), _("Look at the shelf."))
    return found


def shelf(node: Node, actor: Actor, *, retired: bool = False) -> Sequence[Cohort]:
    """The cohorts that one may see, the newest first."""
    if not actor.is_signed_in:
        raise MadangError("permission.sign_in", _("This needs an account."), _("Sign in first."))
    with node.read() as session:
        query = select(Cohort).where(visible(actor, SEE, Cohort)).order_by(Cohort.id.desc())
        if not retired:
            query = query.where(Cohort.state == "kept")
        return session.scalars(query.options(*_PARTS)).all()


def definition_of(version: CohortVersion) -> Definition:
    """The definition of a version on the shelf."""
    return Definition(version.cohort.title, version.expression)


def retire(node: Node, actor: Actor, name: str) -> None:
    """Take a cohort from the shelf; its versions and counts stay."""
    with doing(node, actor, RETIRE, lambda session: find(session, name)):
        pass


def count(node: Node, actor: Actor, name: str, reference: str, number: int | None = None) -> CohortCount:
    """Have a version of a cohort (the newest) counted on a version of a dataset, as a job.

    Errors: `cohort.no_version`; `lake.*` where there is no such dataset; `cohort.closed` where one may not know it.
    """
    version = node.home.lake().find(reference)
    with doing(node, actor, COUNT, lambda session: find(session, name)) as done:
        chosen = next((each for each in done.thing.versions if number in (None, each.number)), None)
        if number is None and done.thing.versions:
            chosen = done.thing.versions[-1]
        if chosen is None:
            raise MadangError("cohort.no_version", _("The cohort has no version {number}.").format(number=number))
        rows = rows_of(done.session, version.dataset.name)
        if not rows.record and not may(actor, READ_ROWS, rows):
            message = _("There is no dataset {name}.").format(name=version.dataset.name)
            raise MadangError("lake.not_found", message)
        made = CohortCount(
            version=chosen,
            dataset=version.dataset.name,
            number=version.number,
            manifest=version.digest,
            organization_id=rows.organization_id,
            minimum=rows.minimum,
            person_id=actor.person_id,
        )
        done.session.add(made)
        done.session.flush()
        title, values = later("Count {name} on {version}"), {"name": name, "version": version.name}
        made.job_id = jobs.start(done.session, node, actor, count_job, {"count": made.id}, title, **values)
        done.tell(name=name, version=chosen.number, dataset=version.name)
    return made


@jobs.job
def count_job(work: jobs.Work, *, count: int) -> None:
    """The job that counts a cohort: describes it, and keeps its members in a file of the home."""
    from madang.science.cohorts.describe import describe_opened
    from madang.science.cohorts.members import generate
    from madang.science.cohorts.members import rows as member_rows
    from madang.science.cohorts.opened import opened

    node = work.node
    with node.read() as session:
        asked = session.get(CohortCount, count)
        if asked is None:
            raise MadangError("cohort.none", _("There is no such count."))
        definition = definition_of(asked.version)
        dataset, number = asked.dataset, asked.number
    version: Version = node.home.lake().dataset(dataset).version(number)
    with opened(version, progress=work) as found:
        counted = generate(found, definition, statistics=True)
        described = describe_opened(found, counted, work)
        table = member_rows(found)
    write_members(node, count, table)
    with node.read() as session:
        is_open = rows_of(session, dataset).open
    told = None if is_open else _told(node, work.actor, version, table["subject_id"].to_pylist())
    with work.finish({"persons": counted.persons}) as session:
        asked = session.get(CohortCount, count)
        if asked is not None:
            asked.state = "done"
            asked.vocabulary = found.release
            asked.persons, asked.entries = counted.persons, counted.entries
            asked.described = json.dumps(asdict(described) | {TOLD: told}, ensure_ascii=False)


def _told(node: Node, actor: Actor, version: Version, subjects: Sequence[int]) -> int | None:
    """How many persons may be told to whoever has no permit, by the rule of the access room; None: nothing."""
    from madang.services.access import count_before_a_permit

    try:
        told: int | None = count_before_a_permit(node, actor, version, set(subjects))
    except MadangError as error:
        if error.code != "access.too_many":
            raise
        return None
    return told


def count_failed(session: Session, node: Node, state: str, *, count: int) -> None:
    """Called where a count came to nothing."""
    asked = session.get(CohortCount, count)
    if asked is not None and asked.state == "counting":
        asked.state = "failed"
        job = session.get(jobs.Job, asked.job_id) if asked.job_id else None
        asked.error = jobs.why_kept(job, state)


def members_file(node: Node, count: int) -> Path:
    """Where the members of a count are kept."""
    return node.home.folder("cohorts") / f"{count}.parquet"


def write_members(node: Node, count: int, table: Any) -> None:
    """Keep the members of a count, for those who may read the rows."""
    import io

    import pyarrow.parquet as pq

    from madang.lake.files import put_instead

    data = io.BytesIO()
    pq.write_table(table, data, compression="zstd")
    put_instead(members_file(node, count), data.getvalue(), 0o600)


def see_count(node: Node, actor: Actor, name: str, count: int) -> tuple[Cohort, CohortCount, bool]:
    """A count of a cohort, and whether one may see exact numbers. Errors: `cohort.none`."""
    cohort = see(node, actor, name)
    found = next((each for version in cohort.versions for each in version.counts if each.id == count), None)
    if found is None:
        raise MadangError("cohort.none", _("There is no such count."), _("Look at the shelf."))
    return cohort, found, sees_rows(node, actor, found.dataset)


def sees_rows(node: Node, actor: Actor, dataset: str) -> bool:
    """Whether one may read the rows of a dataset."""
    with node.read() as session:
        return may(actor, READ_ROWS, rows_of(session, dataset))


def read_members(node: Node, actor: Actor, name: str, count: int) -> Any:
    """The members that a count found. Errors: those of `check`, `cohort.none`; the event is written first."""
    import pyarrow.parquet as pq

    _cohort, found, _exact = see_count(node, actor, name, count)
    with node.read() as session:
        check(actor, READ_ROWS, rows_of(session, found.dataset))
    path = members_file(node, count)
    if found.state != "done" or not path.exists():
        raise MadangError("cohort.none", _("The members of this count are not there."), _("Count it again."))
    node.audit.read(actor, READ_ROWS.name, f"dataset:{found.dataset}", {"cohort": name, "count": count})
    return pq.read_table(path)
