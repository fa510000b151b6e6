"""One tokenizer for searching, in Korean and in words with spaces, and the two indexes that it feeds.

A run of Hangul becomes all its pairs of syllables and its last syllable; every other run of letters and digits is a
word. Runs of Hangul that only spaces part are joined by one more pair, so spaces do not matter. A year that is asked
for is a year of the data: records have those as tokens of their own. Text is NFC and case-folded. Tokens that are not
plain ASCII are written as hexadecimal UTF-8, so that neither database has an opinion of its own about letters. What is
asked for in words of three letters or more, and a single syllable, also finds longer ones.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator

from sqlalchemy import Select, case, delete, func, literal_column, select, table, text
from sqlalchemy.orm import Session
from sqlalchemy.sql import column

_RUN = re.compile(r"[가-힣]+|[^\W_가-힣]+")
_YEARS = re.compile(r"(?<![0-9a-z])((?:19|20)[0-9]{2})(?![0-9a-z])\s*(?:년도?)?")
YEAR = "yearofdata"  # begins the token of a year of the data
COUNTED = 10_000  # records that a question finds are counted; from then on there are so many or more
_MOST = 20  # tokens of a question
_LONGEST = 40

# FTS5's table on SQLite, a plain one with two tsvectors on PostgreSQL; made by the history of the database.
_index = table("index_records", column("rowid"), column("record_id"), column("title"), column("body"))


def tokens(written: str) -> Iterator[str]:
    """The tokens of a text, in its order, some of them again and again."""
    text, before, end = unicodedata.normalize("NFC", written).casefold(), "", 0
    for found in _RUN.finditer(text):
        run = found[0]
        if "가" <= run[0] <= "힣":
            if before and text[end : found.start()].isspace():
                yield _plain(before + run[0])
            yield from (_plain(run[i : i + 2]) for i in range(len(run) - 1))
            yield _plain(run[-1])
            before, end = run[-1], found.end()
        else:
            yield _plain(run[:_LONGEST])
            before = ""


def year_token(year: int) -> str:
    """The token of a year of the data."""
    return f"{YEAR}{year}"


def asked(question: str) -> list[tuple[str, bool]]:
    """The tokens that a hit must have, each with whether longer ones will do."""
    found: dict[tuple[str, bool], None] = {}
    text = _YEARS.sub(lambda year: f" {YEAR}{year[1]} ", unicodedata.normalize("NFC", question).casefold())
    for run in _RUN.findall(text):
        if "가" <= run[0] <= "힣":
            pairs = [_plain(run[i : i + 2]) for i in range(len(run) - 1)]
            found |= dict.fromkeys([(pair, False) for pair in pairs] or [(_plain(run), True)])
        else:
            found[_plain(run[:_LONGEST]), len(run) >= 3 and not run.startswith(YEAR)] = None
    return list(found)[:_MOST]


def _plain(word: str) -> str:
    return word if word.isascii() else "x" + word.encode().hex()


def put(session: Session, record_id: int, title: str, body: Iterable[str], years: Iterable[int] = ()) -> None:
    """Have a record found by these words, and the years of its data, from now on."""
    drop(session, record_id)
    titles, bodies = (
        list(tokens(title)),
        list(dict.fromkeys(token for part in (title, *body) for token in tokens(part))),
    )
    bodies += sorted({year_token(year) for year in years} | {f"{YEAR}{year}" for year in _YEARS.findall(title)})
    if _is_sqlite(session):
        session.execute(
            text("INSERT INTO index_records (rowid, title, body) VALUES (:id, :title, :body)"),
            {"id": record_id, "title": " ".join(titles), "body": " ".join(bodies)},
        )
        return
    session.execute(
        text(
            "INSERT INTO index_records (record_id, title, body) VALUES "
            "(:id, array_to_tsvector(CAST(:title AS text[])), array_to_tsvector(CAST(:body AS text[])))"
        ),
        {"id": record_id, "title": sorted(set(titles)), "body": sorted(set(bodies))},
    )


def drop(session: Session, record_id: int) -> None:
    """Have a record found no more."""
    key = _index.c.rowid if _is_sqlite(session) else _index.c.record_id
    session.execute(delete(_index).where(key == record_id))


def hits(session: Session, question: str, *, title: bool = False) -> Select[int]:
    """The identifiers of the records that have all words of a question (in their title); a part of a query."""
    wanted = asked(question)
    if _is_sqlite(session):
        match = " AND ".join(f'"{token}"{"*" if longer else ""}' for token, longer in wanted)
        match = f"{{title}} : ({match})" if title else f"{{body}} : ({match})"
        return select(_index.c.rowid).where(literal_column("index_records").op("MATCH")(match))
    query = " & ".join(f"'{token}'{':*' if longer else ''}" for token, longer in wanted)
    place = _index.c.title if title else _index.c.body
    return select(_index.c.record_id).where(place.op("@@")(text("CAST(:asked AS tsquery)").bindparams(asked=query)))


def page(session: Session, question: str, limit: int, start: int) -> tuple[int, list[int]]:
    """How many records have all words of a question (`COUNTED` at most), and a page of them.

    Those with the words in the title come first, then the newest.

    On SQLite the index gives its rows in their order, so only those of the page are touched.
    """
    found = hits(session, question)
    key = found.selected_columns[0]
    total = int(session.scalar(select(func.count()).select_from(found.limit(COUNTED).subquery())) or 0)
    if not _is_sqlite(session):
        titled = hits(session, question, title=True).whereclause
        order = (case((titled, 0), else_=1), key.desc())  # type: ignore[arg-type]  # it has a condition
        return total, list(session.scalars(found.order_by(*order).limit(limit).offset(start)))
    titles = hits(session, question, title=True)
    first = list(session.scalars(titles.order_by(key.desc()).limit(limit).offset(start)))
    if len(first) == limit:
        return total, first
    before = max(0, start - int(session.scalar(titles.with_only_columns(func.count(key))) or 0))
    others = found.where(key.not_in(titles)).order_by(key.desc()).limit(limit - len(first)).offset(before)
    return total, first + list(session.scalars(others))


def count(session: Session) -> int:
    """How many records the index knows."""
    return int(session.scalar(select(func.count()).select_from(_index)) or 0)


def _is_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"
