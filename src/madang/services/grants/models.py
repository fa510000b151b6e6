"""Tables of grants: awards, promises, and the log from which everything about them is computed."""

from datetime import date, datetime

from sqlalchemy import Date, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from madang.node.database import Base, now
from madang.node.people.models import Organization
from madang.node.text import Line, Machine, Prose


class Award(Base):
    """Money that was given for a project, by the number under which the funder knows it."""

    __tablename__ = "awards"
    __table_args__ = (UniqueConstraint("organization_id", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(Line(100), index=True)  # national project number
    title: Mapped[str] = mapped_column(Line(500))
    organization_id: Mapped[int] = mapped_column(ForeignKey("organizations.id"), index=True)  # the funder's
    project_id: Mapped[int | None] = mapped_column(ForeignKey("projects.id", ondelete="SET NULL"), index=True)
    program: Mapped[str] = mapped_column(Line(200), default="")
    institution: Mapped[str] = mapped_column(Line(200), default="")
    leader: Mapped[str] = mapped_column(Line(120), default="")
    begins: Mapped[date | None] = mapped_column(Date)
    rule: Mapped[str] = mapped_column(Machine, default="publication-or-end")
    created: Mapped[datetime] = mapped_column(default=now)
    organization: Mapped[Organization] = relationship()
    promises: Mapped[list["Promise"]] = relationship(back_populates="award", order_by="Promise.id")


class Promise(Base):
    """A dataset that was promised with an award. What was promised about it is in the log, since plans change."""

    __tablename__ = "promises"
    __table_args__ = (UniqueConstraint("award_id", "key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    award_id: Mapped[int] = mapped_column(ForeignKey("awards.id", ondelete="CASCADE"), index=True)
    key: Mapped[str] = mapped_column(Machine)  # by which a later edition of the plan names the same one
    title: Mapped[str] = mapped_column(Line(500))
    award: Mapped[Award] = relationship(back_populates="promises")


class PromiseEvent(Base):
    """Something that happened to a promise, as it became known. Rows are added and never changed, but for `replaced`.

    `topic` groups events of which the last counts: `terms`, `life`, `request`, `excuse`, and of each linked record
    `link`, `check`, `release`. `replaced` is when the next one of its topic became known, so that any past day is one
    question.
    """

    __tablename__ = "promise_events"
    __table_args__ = (
        Index("ix_promise_events_of", "promise_id", "topic", "record"),
        Index("ix_promise_events_now", "replaced", "promise_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    promise_id: Mapped[int] = mapped_column(ForeignKey("promises.id", ondelete="CASCADE"))
    at: Mapped[datetime] = mapped_column(default=now, index=True)
    replaced: Mapped[datetime | None]
    topic: Mapped[str] = mapped_column(Machine)
    kind: Mapped[str] = mapped_column(Machine)
    record: Mapped[str] = mapped_column(Machine, default="")  # the catalog's name of it
    day: Mapped[date | None] = mapped_column(Date)  # due, end of an excuse, day of a release
    tier: Mapped[str] = mapped_column(Machine, default="")  # promised, or released in
    evidence: Mapped[str] = mapped_column(Machine, default="")  # hash of a manifest or report, or an address
    reason: Mapped[str] = mapped_column(Machine, default="")
    text: Mapped[str] = mapped_column(Prose(4_000), default="")
    by_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id", ondelete="SET NULL"))
    counts: Mapped[bool] = mapped_column(default=True)  # of a release: whether by the rule of its day it keeps it
