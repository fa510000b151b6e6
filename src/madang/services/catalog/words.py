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

from sqlalchemy import Select, delete, func, literal_column, select, table, text
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
    add(session, [(record_id, title, body, years)])


def add(session: Session, records: Iterable[tuple[int, str, Iterable[str], Iterable[int]]]) -> None:
    """Have many records found that the index does not know: identifier, title, words and years of each."""
    rows, sqlite = [], _is_sqlite(session)
    for record_id, title, body, years in records:
        titles = list(tokens(title))
        bodies = list(dict.fromkeys(token for part in (title, *body) for token in tokens(part)))
        bodies += sorted({year_token(year) for year in years} | {f"{YEAR}{year}" for year in _YEARS.findall(title)})
        both = [" ".join(titles), " ".join(bodies)] if sqlite else [sorted(set(titles)), sorted(set(bodies))]
        rows.append({"id": record_id, "title": both[0], "body": both[1]})
    into = (
        "INSERT INTO index_records (rowid, title, body) VALUES (:id, :title, :body)"
        if sqlite
        else "INSERT INTO index_records (record_id, title, body) VALUES "
        "(:id, array_to_tsvector(CAST(:title AS text[])), array_to_tsvector(CAST(:body AS text[])))"
    )
    if rows:
        session.execute(text(into), rows)


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

    Those with the words in the title come first, then the newest; these two are asked for one after the other, so that
    only the records of the page are looked at, which the indexes give in their order.
    """
    found, titles = (
        _given_once(session, hits(session, question)),
        _given_once(session, hits(session, question, title=True)),
    )
    total = _counted(session, found)
    key = titles.selected_columns[0]
    first = list(session.scalars(titles.order_by(key.desc()).limit(limit).offset(start)))
    if len(first) == limit:
        return total, first
    before = max(0, start - _counted(session, titles)) if start else 0
    if total == COUNTED:
        found = hits(session, question)  # so many that the newest are soon found one by one
    key = found.selected_columns[0]
    others = found.where(key.not_in(titles)).order_by(key.desc()).limit(limit - len(first)).offset(before)
    return total, first + list(session.scalars(others))


def _given_once(session: Session, found: Select[int]) -> Select[int]:
    """Hits as a part that PostgreSQL takes from its index, even where only some of them are wanted."""
    if _is_sqlite(session):
        return found
    return select(found.cte().prefix_with("MATERIALIZED").c.record_id)


def _counted(session: Session, found: Select[int]) -> int:
    """How many hits there are, `COUNTED` at most."""
    return int(session.scalar(select(func.count()).select_from(found.limit(COUNTED).subquery())) or 0)


def count(session: Session) -> int:
    """How many records the index knows."""
    return int(session.scalar(select(func.count()).select_from(_index)) or 0)


def _is_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"
