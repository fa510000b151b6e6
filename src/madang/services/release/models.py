"""Tables of the release desk: requests with their files, votes and questions, and the ledger of what left."""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from madang.node.database import Base, now
from madang.node.people.models import Organization, Person, Project
from madang.node.text import Line, Machine, Prose


class Release(Base):
    """A request to take files away. `organization_id` is the holder of the data, whose checkers judge."""

    __tablename__ = "releases"

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int | None] = mapped_column(ForeignKey("projects.id"), index=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organizations.id"))
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id"))  # who asked; none: the owner of the home
    dataset: Mapped[str] = mapped_column(Machine, default="")  # NAME@VERSION that the results were made from
    purpose: Mapped[str] = mapped_column(Prose(5_000), default="")
    state: Mapped[str] = mapped_column(Machine, default="asked")
    rules: Mapped[str] = mapped_column(Machine, default="{}")  # JSON, as they were when it was judged
    checkers: Mapped[int] = mapped_column(default=2)  # how many have to agree
    sampled: Mapped[bool] = mapped_column(default=False)  # one checker by the holder's policy, and drawn for a second
    ledger: Mapped[int] = mapped_column(default=0)  # the last entry of the ledger that it was judged against
    asked: Mapped[datetime] = mapped_column(default=now)
    decided: Mapped[datetime | None]
    taken: Mapped[datetime | None]
    taken_by_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id"))
    project: Mapped[Project | None] = relationship()
    organization: Mapped[Organization] = relationship()
    owner: Mapped[Person | None] = relationship(foreign_keys=[owner_id])
    files: Mapped[list["ReleaseFile"]] = relationship(
        back_populates="release", cascade="all, delete-orphan", order_by="ReleaseFile.id"
    )
    votes: Mapped[list["ReleaseVote"]] = relationship(cascade="all, delete-orphan", order_by="ReleaseVote.id")
    questions: Mapped[list["ReleaseQuestion"]] = relationship(
        cascade="all, delete-orphan", order_by="ReleaseQuestion.id"
    )
    recipients: Mapped[list["ReleaseRecipient"]] = relationship(cascade="all, delete-orphan")


class ReleaseFile(Base):
    """A file of a request: what came (`sha256`), what leaves in its place (`leaves`), and what was found."""

    __tablename__ = "release_files"
    __table_args__ = (UniqueConstraint("release_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    release_id: Mapped[int] = mapped_column(ForeignKey("releases.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(Line(200))
    says: Mapped[str] = mapped_column(Prose(1_000), default="")  # what it is, in the applicant's words
    kind: Mapped[str] = mapped_column(Machine, default="")
    sha256: Mapped[str] = mapped_column(Machine)
    leaves: Mapped[str] = mapped_column(Machine)
    size: Mapped[int]
    status: Mapped[str] = mapped_column(Machine)  # pass, review, fail
    match: Mapped[str] = mapped_column(Machine, default="")  # same, different, unverified
    query: Mapped[str] = mapped_column(Machine, default="")  # JSON, the declared one
    counts: Mapped[str] = mapped_column(Machine, default="")  # JSON, the table of counts that it tells
    findings: Mapped[str] = mapped_column(Machine, default="[]")  # JSON, every criterion that was applied
    opens: Mapped[str] = mapped_column(Machine, default="[]")  # JSON, cells that would open: for checkers only
    proposal: Mapped[str] = mapped_column(Machine, default="")  # JSON, the smallest change that would let it pass
    release: Mapped[Release] = relationship(back_populates="files")

    def read(self, column: str) -> Any:
        """A column that holds JSON, read; None where it is empty."""
        text = getattr(self, column)
        return json.loads(text) if text else None


class ReleaseVote(Base):
    """What a checker says, hidden from the other until all have voted."""

    __tablename__ = "release_votes"
    __table_args__ = (UniqueConstraint("release_id", "checker_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    release_id: Mapped[int] = mapped_column(ForeignKey("releases.id", ondelete="CASCADE"), index=True)
    checker_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id"))  # none: the owner of the home
    agrees: Mapped[bool]
    words: Mapped[str] = mapped_column(Prose(2_000), default="")
    hashes: Mapped[str] = mapped_column(Machine)  # what was voted on: one hash over all files
    at: Mapped[datetime] = mapped_column(default=now)
    checker: Mapped[Person | None] = relationship()


class ReleaseQuestion(Base):
    """A question of a checker, or the applicant's answer; who asked is not shown to the applicant."""

    __tablename__ = "release_questions"

    id: Mapped[int] = mapped_column(primary_key=True)
    release_id: Mapped[int] = mapped_column(ForeignKey("releases.id", ondelete="CASCADE"), index=True)
    author_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id"))
    by_checker: Mapped[bool]
    text: Mapped[str] = mapped_column(Prose(2_000))
    at: Mapped[datetime] = mapped_column(default=now)


class ReleaseRecipient(Base):
    """Somebody who may take what was released."""

    __tablename__ = "release_recipients"
    __table_args__ = (UniqueConstraint("release_id", "person_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    release_id: Mapped[int] = mapped_column(ForeignKey("releases.id", ondelete="CASCADE"), index=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("persons.id"))
    person: Mapped[Person] = relationship()


class ReleasedTable(Base):
    """The ledger: the counts that a released file tells, for ever."""

    __tablename__ = "released_tables"

    id: Mapped[int] = mapped_column(primary_key=True)
    release_id: Mapped[int] = mapped_column(ForeignKey("releases.id"), index=True)
    source: Mapped[str] = mapped_column(Machine, index=True)  # what it is of: `dataset:NAME` or `project:7`
    name: Mapped[str] = mapped_column(Line(200))
    document: Mapped[str] = mapped_column(Machine)  # JSON, as `madang outputs check` reads it
    at: Mapped[datetime] = mapped_column(default=now)
