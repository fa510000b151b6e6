"""The ledger of what left: which tables can be held against each other, and a request's counts held against them."""

import json

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake import Version
from madang.science.privacy.outputs.check import check
from madang.science.privacy.outputs.rules import Rules
from madang.science.privacy.outputs.tables import CountTable, table_of
from madang.services.release.models import Release, ReleasedTable, ReleaseQuestion


def source(project: int | None, version: Version | None) -> str:
    """What tables can be held against each other: those of one dataset, whatever the project; else of one project."""
    return f"dataset:{version.dataset.name}" if version is not None else f"project:{project or 0}"


def entries(session: Session, source: str, rules: Rules) -> tuple[int, list[CountTable]]:
    """The number of the last entry of a source, and the tables of all of them."""
    rows = session.scalars(select(ReleasedTable).where(ReleasedTable.source == source).order_by(ReleasedTable.id)).all()
    tables = [table_of(json.loads(row.document), row.name, rules.minimum_count) for row in rows]
    return max((row.id for row in rows), default=0), tables


def rules_of(release: Release) -> Rules:
    """The rules by which a request was judged."""
    given = json.loads(release.rules)
    given.pop("sha256", None)
    return Rules(**given)


def source_of(release: Release) -> str:
    """What a request is of, as `source` named it when it was made."""
    name = release.dataset.partition("@")[0]
    return f"dataset:{name}" if name else f"project:{release.project_id or 0}"


def held_again(session: Session, release: Release) -> tuple[int, bool]:
    """The ledger's last entry now, and whether the counts of a request still pass after it."""
    rules = rules_of(release)
    last, ledger = entries(session, source_of(release), rules)
    if last == release.ledger:
        return last, True
    for each in release.files:
        if each.counts:
            table = table_of(each.read("counts"), each.name, rules.minimum_count)
            if not check(table, ledger, rules).released:
                return last, False
            ledger.append(table)
    return last, True


def enter(session: Session, release: Release, again: tuple[int, bool] | None) -> str:
    """Put the counts of an approved request into the ledger; refused if something in it forbids that by now."""
    source = source_of(release)
    last = session.scalar(select(func.max(ReleasedTable.id)).where(ReleasedTable.source == source)) or 0
    if again is None or again[0] != last:
        raise MadangError("release.meanwhile", _("Something else was released just now."), _("Vote again."))
    if not again[1]:
        words = _("Together with what was released since it was asked, counts could be worked out.")
        release.questions.append(ReleaseQuestion(author_id=None, by_checker=True, text=words))
        return "refused"
    for each in release.files:
        if each.counts:
            session.add(ReleasedTable(release_id=release.id, source=source, name=each.name, document=each.counts))
    return "approved"
