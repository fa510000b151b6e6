"""Tables of access: applications, their steps, votes and words; what permits hold; counts that were told."""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from madang.node.database import Base, now
from madang.node.people.models import Organization, Permit, Person, Project
from madang.node.text import Line, Machine, Prose
from madang.services.access.content import Content


class Application(Base):
    """What a project asks a holder for. Votes belong to an `edition`: a change of the content makes them void."""

    __tablename__ = "applications"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(Machine, default="new")  # new, extension, change
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), index=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organizations.id"), index=True)  # the holder
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id", ondelete="SET NULL"))
    dataset: Mapped[str] = mapped_column(Machine)  # the source, in the lake
    title: Mapped[str] = mapped_column(Line(300))
    applicant_kind: Mapped[str] = mapped_column(Machine, default="company")
    content: Mapped[str] = mapped_column(Machine)  # JSON of a Content
    pack: Mapped[str] = mapped_column(Machine, default="own")
    state: Mapped[str] = mapped_column(Machine, default="draft", index=True)
    edition: Mapped[int] = mapped_column(default=1)
    urgent: Mapped[bool] = mapped_column(default=False)
    appealed: Mapped[bool] = mapped_column(default=False)
    answer: Mapped[str] = mapped_column(Machine, default="")  # closed-space, results-only, refused
    conditions: Mapped[str] = mapped_column(Prose(5_000), default="")
    reasons: Mapped[str] = mapped_column(Prose(5_000), default="")
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("permits.id"))  # which it is about, or which it led to
    created: Mapped[datetime] = mapped_column(default=now)
    submitted: Mapped[datetime | None]
    decided: Mapped[datetime | None]
    project: Mapped[Project] = relationship()
    organization: Mapped[Organization] = relationship()
    owner: Mapped[Person | None] = relationship()
    steps: Mapped[list["Step"]] = relationship(order_by="Step.id", cascade="all, delete-orphan")
    votes: Mapped[list["Vote"]] = relationship(order_by="Vote.id", cascade="all, delete-orphan")
    words: Mapped[list["Word"]] = relationship(order_by="Word.id", cascade="all, delete-orphan")

    @property
    def told(self) -> Content:
        """What is asked for, read."""
        return Content.model_validate_json(self.content)


class Step(Base):
    """One step of the procedure of an application. `state` is waiting, open, done, refused or left-out."""

    __tablename__ = "application_steps"
    __table_args__ = (UniqueConstraint("application_id", "edition", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    application_id: Mapped[int] = mapped_column(ForeignKey("applications.id", ondelete="CASCADE"), index=True)
    edition: Mapped[int]
    name: Mapped[str] = mapped_column(Machine)
    state: Mapped[str] = mapped_column(Machine, default="waiting")
    opened: Mapped[datetime | None]
    closed: Mapped[datetime | None]
    by_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id", ondelete="SET NULL"))
    note: Mapped[str] = mapped_column(Prose(2_000), default="")


class Vote(Base):
    """What a member of the committee said of one edition; the newest of a person counts."""

    __tablename__ = "application_votes"

    id: Mapped[int] = mapped_column(primary_key=True)
    application_id: Mapped[int] = mapped_column(ForeignKey("applications.id", ondelete="CASCADE"), index=True)
    edition: Mapped[int]
    person_id: Mapped[int] = mapped_column(ForeignKey("persons.id", ondelete="CASCADE"))
    choice: Mapped[str] = mapped_column(Machine)  # approve, conditional, results-only, refuse, abstain, recused
    words: Mapped[str] = mapped_column(Prose(2_000), default="")
    at: Mapped[datetime] = mapped_column(default=now)
    person: Mapped[Person] = relationship()


class Word(Base):
    """Something that somebody said about an application: a question, an answer, a reason."""

    __tablename__ = "application_words"

    id: Mapped[int] = mapped_column(primary_key=True)
    application_id: Mapped[int] = mapped_column(ForeignKey("applications.id", ondelete="CASCADE"), index=True)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id", ondelete="SET NULL"))
    kind: Mapped[str] = mapped_column(Machine)  # question, appeal, note
    text: Mapped[str] = mapped_column(Prose(5_000))
    at: Mapped[datetime] = mapped_column(default=now)
    person: Mapped[Person | None] = relationship()


class Grant(Base):
    """What a permit holds beside what the house knows of it: its application, its signed terms, its extracts, its end.

    `terms` is a projection of the signed document; extracts are made from the document alone.
    """

    __tablename__ = "permit_grants"

    id: Mapped[int] = mapped_column(primary_key=True)
    permit_id: Mapped[int] = mapped_column(ForeignKey("permits.id"), unique=True)
    application_id: Mapped[int] = mapped_column(ForeignKey("applications.id"))
    source: Mapped[str] = mapped_column(Machine)  # the dataset that extracts are made of
    terms: Mapped[str] = mapped_column(Machine)  # JSON
    serial: Mapped[int] = mapped_column(default=1)  # goes up with every amendment
    key_name: Mapped[str] = mapped_column(Machine)  # of the pseudonyms, in the home's keys
    version: Mapped[int | None]  # the newest extract
    report: Mapped[str] = mapped_column(Machine, default="")  # JSON: risk and loss of the newest extract
    suspected: Mapped[str] = mapped_column(Prose(2_000), default="")  # a re-identification that was reported
    destroyed: Mapped[datetime | None]
    destruction: Mapped[str] = mapped_column(Machine, default="")  # JSON
    permit: Mapped[Permit] = relationship()
    application: Mapped[Application] = relationship()

    @property
    def agreed(self) -> dict[str, Any]:
        """The terms, read."""
        return dict(json.loads(self.terms))

    @property
    def organization_id(self) -> int:
        """The holder, for rules."""
        return self.permit.organization_id

    @property
    def project_id(self) -> int:
        """The project, for rules."""
        return self.permit.project_id

    @property
    def state(self) -> str:
        """That of the permit."""
        return self.permit.state

    @state.setter
    def state(self, value: str) -> None:
        self.permit.state = value

    @property
    def reference(self) -> str:
        """How events name it."""
        return f"permit:{self.permit.number}"


class ToldCount(Base):
    """A count of a population that was told, kept so that one that differs little gets the same answer."""

    __tablename__ = "told_counts"

    id: Mapped[int] = mapped_column(primary_key=True)
    dataset: Mapped[str] = mapped_column(Machine, index=True)
    version: Mapped[int]
    members: Mapped[bytes] = mapped_column(LargeBinary)  # a bit per person, compressed
    answer: Mapped[int | None]
    person_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id", ondelete="SET NULL"))
    at: Mapped[datetime] = mapped_column(default=now)
