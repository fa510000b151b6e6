"""Finding records: by words and by what they are, the newest, and how many there are.

What a list of records is chosen, ordered and counted by stands in one index of the table (`ix_records_found`), so no
record is read that is not shown; what is found by words alone, the index of words answers alone. What was found is
kept until the catalog changes, unless time alone can change it, as the end of an embargo does.
"""

import difflib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from itertools import islice

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, select
from sqlalchemy.orm import Session, joinedload, selectinload

from madang.base.translate import language
from madang.node.database import now
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.people.models import Organization
from madang.node.permissions import check
from madang.services.catalog import contents, words
from madang.services.catalog.acts import SEARCH
from madang.services.catalog.models import CATALOG, TIERS, Record

PAGE = 20
EXAMPLES = 4
_PUBLISHED = Record.state == "published"


@dataclass(frozen=True)
class Filters:
    """What a search is narrowed to; empty: nothing."""

    tier: str = ""
    organization: str = ""
    verdict: str = ""
    certified: bool = False
    year: int | None = None
    kind: str = ""

    @property
    def narrow(self) -> bool:
        """Whether there is any."""
        return any(getattr(self, field.name) for field in fields(self))


_CERTIFIED = Filters(certified=True)


@dataclass(frozen=True)
class Found:
    """One page of hits, how many there are altogether, and the organizations to filter by."""

    records: Sequence[Record]
    total: int
    organizations: Sequence[Organization]


@dataclass(frozen=True)
class Overview:
    """How many published records there are, how many of them are certified, all their rows, the newest of them, and
    words that find something."""

    records: int
    certified: int
    rows: int
    newest: Sequence[Record]
    examples: Sequence[str] = ()


def search(node: Node, actor: Actor, question: str, filters: Filters, page: int = 1, *, mine: bool = True) -> Found:
    """The published records that have all words of the question: with them in the title first, then the newest. None
    where it is not `mine` that are looked for."""
    check(actor, SEARCH)
    with node.read() as session:
        if not mine:
            found = replace(_found(session, question, filters, page), records=[], total=0)
        elif filters.tier or filters.certified:  # what time alone can change
            found = _found(session, question, filters, page)
        else:
            asked = ("search", question, filters, page)
            found = node.answers.get(session, CATALOG, asked, lambda: _found(session, question, filters, page))
    node.audit.read(actor, "record.search", "", {"question": question[:200]})
    return found


@dataclass(frozen=True)
class Way:
    """A way out of an empty answer: a question that finds something, what of the first was changed, and how much."""

    question: str
    kind: str  # near: spelled otherwise; without: with one word less
    changed: str
    total: int


def ways_out(node: Node, question: str, most: int = 6) -> list[Way]:
    """Near misses of a question that finds nothing, and what is found without one of its words."""
    parts = question.split()[:8]

    def look(session: Session) -> list[Way]:
        found = []
        known = _known_words(session, node)
        for place, part in enumerate(parts):
            if not words.asked(part) or words.page(session, part, 1, 0)[0]:
                continue
            for near in difflib.get_close_matches(part.casefold(), known, 2, 0.65):
                asked = " ".join([*parts[:place], near, *parts[place + 1 :]])
                total = words.page(session, asked, 1, 0)[0]
                if total:
                    found.append(Way(asked, "near", near, total))
        for place, part in enumerate(parts):
            rest = " ".join([*parts[:place], *parts[place + 1 :]])
            total = words.page(session, rest, 1, 0)[0] if words.asked(rest) else 0
            if total:
                found.append(Way(rest, "without", part, total))
        return list(dict.fromkeys(found))[:most]

    with node.read() as session:
        known: list[Way] = node.answers.get(session, CATALOG, ("ways", question, most), lambda: look(session))
    return known


def _known_words(session: Session, node: Node) -> list[str]:
    """Words that the newest records are found by: of their titles, and of what is in their data."""
    newest = _newest(session, _PUBLISHED, 50)
    found: dict[str, None] = {}
    for record in newest:
        texts = [record.title, record.title_en, *record.told.keyword, *record.told.keyword_en]
        version = next((each for each in record.versions if each.state == "published"), None)
        if version is not None and record.access != "embargoed" and version.minimum >= record.minimum:
            texts += contents.said(node.home, version.documents)
        for text in texts:
            found |= dict.fromkeys(word for word in text.casefold().replace(",", " ").split() if len(word) > 1)
            if len(text) <= 40:
                found[text.casefold()] = None
        if len(found) > 20_000:
            break
    return list(found)


def overview(node: Node, count: int, words_for: Callable[[Sequence[Record]], Sequence[str]] | None = None) -> Overview:
    """What there is altogether, and the `count` records that were published last.

    `words_for` are words that people look for, in the reader's language, given the newest records: the first that find
    something here are the examples.
    """

    def look(session: Session) -> tuple[Overview, datetime | None]:
        found, until = _overview(session, count)
        tried = words_for(found.newest) if words_for is not None else ()
        return replace(found, examples=list(islice(_finding(session, tried), EXAMPLES))), until

    asked = ("overview", count, language() if words_for is not None else "")
    with node.read() as session:
        found, until = node.answers.get(session, CATALOG, asked, lambda: look(session))
        if until is not None and until <= now():  # one has ended since, which changes nothing in the database
            found = replace(found, certified=_count(session, and_(_PUBLISHED, *_conditions(session, _CERTIFIED))))
        return found


def _finding(session: Session, tried: Sequence[str]) -> Iterator[str]:
    return (word for word in tried if words.page(session, word, 1, 0)[0])


def _overview(session: Session, count: int) -> tuple[Overview, datetime | None]:
    """And until when it holds if nothing changes: the first end of a certificate."""
    row = session.execute(select(func.count(), func.sum(Record.rows)).where(_PUBLISHED)).one()
    records, rows = (int(value or 0) for value in row)
    holds = and_(_PUBLISHED, *_conditions(session, _CERTIFIED))
    certified, until = session.execute(select(func.count(), func.min(Record.certified_until)).where(holds)).one()
    return Overview(records, certified, rows, _newest(session, _PUBLISHED, count)), until


def _found(session: Session, question: str, filters: Filters, page: int) -> Found:
    start = (max(1, page) - 1) * PAGE
    holds = and_(_PUBLISHED, *_conditions(session, filters))
    if words.asked(question):
        if filters.narrow:
            holds = and_(holds, Record.id.in_(words.hits(session, question)))
            titled = case((Record.id.in_(words.hits(session, question, title=True)), 0), else_=1)
            chosen = select(Record.id).where(holds).order_by(titled, Record.id.desc()).limit(PAGE).offset(start)
            total, ids = _count(session, holds), list(session.scalars(chosen))
        else:
            total, ids = words.page(session, question, PAGE, start)
        rows = {each.id: each for each in session.scalars(_whole().where(_PUBLISHED, Record.id.in_(ids)))}
        records = [rows[number] for number in ids if number in rows]
    elif question.strip():
        total, records = 0, []
    else:
        total, records = _count(session, holds), _newest(session, holds, PAGE, start)
    holders = exists().where(Record.organization_id == Organization.id, _PUBLISHED)
    organizations = session.scalars(select(Organization).where(holders).order_by(Organization.id)).all()
    return Found(records, total, organizations)


def _conditions(session: Session, filters: Filters) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if filters.tier in TIERS:
        found.append(Record.access == filters.tier)
    if filters.organization:
        holder = session.scalar(select(Organization.id).where(Organization.name == filters.organization))
        found.append(Record.organization_id == (holder or 0))
    if filters.verdict:
        found.append(Record.verdict == filters.verdict)
    if filters.certified:
        found.append(and_(Record.certificate != "", Record.certified_until > now()))
    if filters.year is not None:
        found.append(Record.id.in_(words.hits(session, str(filters.year))))
    if filters.kind:
        found.append(Record.kind == filters.kind)
    return found


def _whole() -> Select[Record]:
    return select(Record).options(joinedload(Record.organization), selectinload(Record.versions))


def _newest(session: Session, holds: ColumnElement[bool], count: int, start: int = 0) -> list[Record]:
    chosen = select(Record.id).where(holds).order_by(Record.published.desc(), Record.id.desc())
    ids = chosen.limit(count).offset(start).subquery()  # so that the index alone decides which rows are read
    query = _whole().where(Record.id.in_(select(ids.c.id))).order_by(Record.published.desc(), Record.id.desc())
    return list(session.scalars(query))


def _count(session: Session, holds: ColumnElement[bool]) -> int:
    return int(session.scalar(select(func.count()).select_from(Record).where(holds)) or 0)
