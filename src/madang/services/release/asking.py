"""What is looked at before a request is computed: whose it is, of which data, and how many there are already."""

from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake import Version
from madang.node.database import now
from madang.node.node import Node
from madang.node.people import Actor
from madang.node.people.models import Permit
from madang.services.release.models import Release

MOST_OPEN = 20  # requests of one person for one project in review at a time
MOST_A_DAY = 200  # requests of one person, those too that a rule refuses at once


def project_of(session: Session, version: Version | None, project: int | None) -> int | None:
    """Whose request it is: whoever could name another project would choose who counts as partial. Errors:
    `release.dataset`."""
    if version is None:
        return project
    theirs = session.scalar(select(Permit.project_id).where(Permit.dataset == version.dataset.name))
    if theirs is not None and project not in (None, theirs):
        raise MadangError(
            "release.dataset",
            _("{name} is the extract of another project.").format(name=version.dataset.name),
            _("Ask for the project that has the permit."),
        )
    return project if theirs is None else theirs


def check_number(session: Session, actor: Actor, project: int | None) -> None:
    """Before anything is computed: nobody has more than so many requests in review, or asks more than so many a day."""
    mine = Release.owner_id == actor.person_id if actor.person_id else Release.owner_id.is_(None)
    count = select(func.count()).select_from(Release)
    waiting = session.scalar(count.where(Release.state == "asked", Release.project_id == project, mine)) or 0
    today = session.scalar(count.where(Release.asked > now() - timedelta(days=1), mine)) or 0
    if waiting >= MOST_OPEN:
        raise MadangError(
            "release.too_many",
            _("{n} requests are in review already.").format(n=waiting),
            _("Wait for their answers, or withdraw some."),
        )
    if today >= MOST_A_DAY:
        raise MadangError(
            "release.too_many",
            _("{n} requests were made within a day.").format(n=today),
            _("Ask for several files in one request, as a ZIP."),
        )


def version_of(node: Node, actor: Actor, dataset: str) -> Version | None:
    """The version that results were made from, if a permit of the actor's opens it. Errors: `release.dataset`."""
    if not dataset:
        return None
    found = node.home.lake().find(dataset)
    name = found.dataset.name
    if actor.kind != "owner" and name not in actor.permitted():
        raise MadangError(
            "release.dataset", _("No permit of yours opens {name}.").format(name=name), _("Name the extract.")
        )
    return found
