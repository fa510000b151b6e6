"""Tables of training: answers with their grades, changed grades, classes with their roster, badges, platforms."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship, synonym

from madang.node.database import Base, now
from madang.node.people.models import Organization, Person
from madang.node.text import Line, Machine, Prose


class Answer(Base):
    """What somebody sent for a task, and what it got. `digest` is the course's, exactly as it was then."""

    __tablename__ = "training_answers"
    __table_args__ = (Index("ix_training_answers_of", "course", "owner_id", "lesson", "task", "score", "waiting"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("persons.id", ondelete="CASCADE"), index=True)
    course: Mapped[str] = mapped_column(Machine)
    lesson: Mapped[str] = mapped_column(Machine)
    task: Mapped[str] = mapped_column(Machine)
    digest: Mapped[str] = mapped_column(Machine)
    text: Mapped[str] = mapped_column(Machine)  # as it was sent
    score: Mapped[float]
    largest: Mapped[float]
    waiting: Mapped[float] = mapped_column(default=0.0)
    feedback: Mapped[str] = mapped_column(Machine, default="[]")  # JSON: [met, text] of each case
    created: Mapped[datetime] = mapped_column(default=now, index=True)
    owner: Mapped[Person] = relationship()


class ChangedGrade(Base):
    """A grade that a teacher gave in place of the grader's, with the reason; the last one counts."""

    __tablename__ = "training_changed_grades"

    id: Mapped[int] = mapped_column(primary_key=True)
    class_id: Mapped[int] = mapped_column(ForeignKey("training_classes.id", ondelete="CASCADE"), index=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("persons.id", ondelete="CASCADE"), index=True)
    course: Mapped[str] = mapped_column(Machine)
    lesson: Mapped[str] = mapped_column(Machine)
    task: Mapped[str] = mapped_column(Machine)
    score: Mapped[float]
    reason: Mapped[str] = mapped_column(Prose(2_000))
    by_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id", ondelete="SET NULL"))
    created: Mapped[datetime] = mapped_column(default=now)


class TrainingClass(Base):
    """A group that takes a course together, with dates and a rule about assistants."""

    __tablename__ = "training_classes"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(Line(200))
    course: Mapped[str] = mapped_column(Machine, index=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organizations.id"), index=True)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id"), index=True)  # the teacher
    begins: Mapped[datetime] = mapped_column(default=now)
    ends: Mapped[datetime | None]
    assistants: Mapped[str] = mapped_column(Machine, default="say")  # allowed, say, none
    state: Mapped[str] = mapped_column(Machine, default="open")
    created: Mapped[datetime] = mapped_column(default=now)
    organization: Mapped[Organization] = relationship()
    members: Mapped[list["ClassMember"]] = relationship(order_by="ClassMember.number", cascade="all, delete-orphan")


class ClassMember(Base):
    """Somebody on the roster: a student number, a name, and the account once there is one."""

    __tablename__ = "training_class_members"
    __table_args__ = (UniqueConstraint("class_id", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    class_id: Mapped[int] = mapped_column(ForeignKey("training_classes.id", ondelete="CASCADE"), index=True)
    number: Mapped[str] = mapped_column(Line(60))
    name: Mapped[str] = mapped_column(Line(120))
    team: Mapped[str] = mapped_column(Line(60), default="")
    person_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id", ondelete="SET NULL"), index=True)


class Badge(Base):
    """An Open Badge that was given: `token` is the signed credential, `place` its place in the status list."""

    __tablename__ = "training_badges"
    __table_args__ = (UniqueConstraint("uid"), UniqueConstraint("place"))

    id: Mapped[int] = mapped_column(primary_key=True)
    uid: Mapped[str] = mapped_column(Machine)
    place: Mapped[int]
    owner_id: Mapped[int] = mapped_column(ForeignKey("persons.id"), index=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organizations.id"), index=True)
    course: Mapped[str] = mapped_column(Machine, index=True)
    digest: Mapped[str] = mapped_column(Machine, index=True)
    token: Mapped[str] = mapped_column(Machine)
    issued: Mapped[datetime] = mapped_column(default=now)
    until: Mapped[datetime]
    state: Mapped[str] = mapped_column(Machine, default="valid")
    reason: Mapped[str] = mapped_column(Prose(2_000), default="")
    owner: Mapped[Person] = relationship()


class Platform(Base):
    """A learning platform from which people are sent here by LTI 1.3, as an administrator registered it.

    `issuer` and `client` are how it names itself and us; `deployments` are the numbers, separated by blanks, that it
    gave to where it placed us. Only the hosts of its three addresses are ever asked for anything.
    """

    __tablename__ = "training_platforms"
    __table_args__ = (UniqueConstraint("issuer", "client"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(Line(120))
    issuer: Mapped[str] = mapped_column(Machine)
    client: Mapped[str] = mapped_column(Machine)
    deployments: Mapped[str] = mapped_column(Machine)
    sign_in: Mapped[str] = mapped_column(Machine)  # where the browser is sent to sign in
    tokens: Mapped[str] = mapped_column(Machine)  # where we get leave to pass grades back
    keys: Mapped[str] = mapped_column(Machine)  # where its public keys are
    state: Mapped[str] = mapped_column(Machine, default="open")
    created: Mapped[datetime] = mapped_column(default=now)


class Launch(Base):
    """A launch that was believed, so that it is believed once: `nonce` is kept as its hash, for a day."""

    __tablename__ = "training_launches"
    __table_args__ = (UniqueConstraint("nonce"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    nonce: Mapped[str] = mapped_column(Machine)
    platform_id: Mapped[int] = mapped_column(ForeignKey("training_platforms.id", ondelete="CASCADE"), index=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("persons.id", ondelete="CASCADE"), index=True)
    see: Mapped[str] = mapped_column(Machine)  # where it leads
    asked: Mapped[str] = mapped_column(Machine, default="")  # JSON: what a teacher is to choose for, if they are
    created: Mapped[datetime] = mapped_column(default=now, index=True)
    entered: Mapped[datetime | None]
    platform: Mapped[Platform] = relationship()
    owner_id: Mapped[int] = synonym("person_id")


class Placed(Base):
    """Where a platform wants somebody's grade: of a course, or one lesson or task of it; `sent` is the last passed."""

    __tablename__ = "training_placed"
    __table_args__ = (UniqueConstraint("platform_id", "person_id", "resource"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    platform_id: Mapped[int] = mapped_column(ForeignKey("training_platforms.id", ondelete="CASCADE"), index=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("persons.id", ondelete="CASCADE"), index=True)
    subject: Mapped[str] = mapped_column(Machine)  # who that is there
    resource: Mapped[str] = mapped_column(Machine)  # the place there
    course: Mapped[str] = mapped_column(Machine, index=True)
    lesson: Mapped[str] = mapped_column(Machine, default="")
    task: Mapped[str] = mapped_column(Machine, default="")
    lineitem: Mapped[str] = mapped_column(Machine)
    sent: Mapped[float | None]
    created: Mapped[datetime] = mapped_column(default=now)
    platform: Mapped[Platform] = relationship()
