"""The ledger of what left: which tables can be held against each other, and a request's counts held against them."""

import json
import re
from dataclasses import replace

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake import Version
from madang.node.node import Node
from madang.science.privacy.outputs.rules import Rules
from madang.science.privacy.outputs.tables import CountTable, table_of
from madang.services.release.models import Release, ReleasedTable, ReleaseQuestion

_EXTRACT = re.compile(r"(?:extract|held)-(\d{4}-\d{4,9})")


def source(project: int | None, version: Version | None) -> str:
    """What tables can be held against each other: those of one dataset, whatever the project; else of one project."""
    return f"dataset:{version.dataset.name}" if version is not None else f"project:{project or 0}"


def entries(node: Node, session: Session, source: str, permit: str, rules: Rules) -> tuple[int, list[CountTable]]:
    """The number of the last entry of all, and the tables that a new one of `source` is held against.

    They are those of the same source, and those of extracts of the same data by other permits whose people are the
    same but for few, or a part of them: a difference of two such tables is a small group of people.
    """
    rows = session.scalars(select(ReleasedTable).order_by(ReleasedTable.id)).all()
    near = _near(node, {row.source for row in rows} - {source}, permit, rules) if permit else {}
    tables = []
    for row in rows:
        if row.source == source or row.source in near:
            table = table_of(json.loads(row.document), row.name, rules.minimum_count)
            tables.append(replace(table, population=near[row.source]) if row.source in near else table)
    return max((row.id for row in rows), default=0), tables


def _near(node: Node, sources: set[str], permit: str, rules: Rules) -> dict[str, str]:
    """Which of these sources are extracts of nearly the same people, or of some of them, by the words for theirs."""
    from madang.services.access import apart

    found = {}
    for source in sources:
        other = permit_in(source.removeprefix("dataset:"))
        if not other or other == permit:
            continue
        try:
            only = apart(node, permit, other)
        except MadangError:  # a permit that cannot be read is compared as if its people were the same
            only = (0, 0)
        if only is not None and min(only) < rules.minimum_count:
            found[source] = f"permit {other}"
    return found


def permit_in(dataset: str) -> str:
    """The permit whose extract a dataset is, by its name; empty for other datasets."""
    found = _EXTRACT.fullmatch(dataset.partition("@")[0])
    return found[1] if found else ""


def is_held(release: Release) -> bool:
    """Whether results are of rows that no permit opens: a holder computed them, the project never saw any."""
    return release.dataset.startswith("held-")


def rules_of(release: Release) -> Rules:
    """The rules by which a request was judged."""
    given = json.loads(release.rules)
    given.pop("sha256", None)
    return Rules(**given)


def source_of(release: Release) -> str:
    """What a request is of, as `source` named it when it was made."""
    name = release.dataset.partition("@")[0]
    return f"dataset:{name}" if name else f"project:{release.project_id or 0}"


def held_again(node: Node, session: Session, release: Release) -> tuple[int, bool]:
    """The ledger's last entry now, and whether the counts of a request still pass after it."""
    from madang.science.privacy.outputs.check import check

    rules = rules_of(release)
    last, ledger = entries(node, session, source_of(release), permit_in(release.dataset), rules)
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
    last = session.scalar(select(func.max(ReleasedTable.id))) or 0
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
