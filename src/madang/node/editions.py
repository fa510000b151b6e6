"""Answers that many ask for, kept in memory until what they are about changes.

What is asked about is an area, such as the catalog. Its edition is a number in the database that goes up with every
change, in the same transaction. An answer is kept under the edition that its reader's transaction saw, so it is never
older than an answer from the database would be, whichever process made the change.
"""

import threading
from collections.abc import Callable, Hashable
from typing import TypeVar, cast

from sqlalchemy import BigInteger, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from madang.node.database import Base
from madang.node.text import Machine

_MOST = 200  # answers about one area
_NOTHING: tuple[int, dict[Hashable, object]] = (-1, {})  # is known of an area that nobody asked about yet
_T = TypeVar("_T")
_NUMBER = text("SELECT number FROM editions WHERE area = :area")
_CHANGED = text(
    "INSERT INTO editions (area, number) VALUES (:area, 1) "
    "ON CONFLICT (area) DO UPDATE SET number = editions.number + 1"
)


class Edition(Base):
    """How often an area has changed."""

    __tablename__ = "editions"

    area: Mapped[str] = mapped_column(Machine, primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger)


def changed(session: Session, area: str) -> None:
    """Say within a `write()` that answers about this area may have changed."""
    session.execute(_CHANGED, {"area": area})


class Answers:
    """The answers that one process keeps. They are shared by threads, so nobody changes them."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[int, dict[Hashable, object]]] = {}
        self._lock = threading.Lock()

    def get(self, session: Session, area: str, question: Hashable, answer: Callable[[], _T]) -> _T:
        """The answer that is kept, or else that of `answer`, which asks in the same `session`."""
        edition = int(session.connection().scalar(_NUMBER, {"area": area}) or 0)
        with self._lock:
            known, answers = self._kept.get(area, _NOTHING)
            if known == edition and question in answers:
                return cast(_T, answers[question])
        found = answer()
        with self._lock:
            known, answers = self._kept.get(area, _NOTHING)
            if edition > known or len(answers) >= _MOST:
                known, answers = self._kept[area] = max(edition, known), {}
            if edition == known:
                answers[question] = found
        return found
