"""The tables of this room: tasks, their tags, files that people bring, quotas and prices."""

from datetime import date, datetime

from sqlalchemy import BigInteger, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from madang.node.database import Base, now
from madang.node.people.models import Person, Project
from madang.node.text import Line, Machine


class Task(Base):
    """One piece of work: what was asked (`definition`, as TES has it), how it goes, what came of it.

    `share` is who uses the machine by it (`project:3`, `person:5`, `owner`). `inputs` says where its inputs were found
    when it was asked for, `result` its logs and outputs; both are JSON. Sizes are bytes. `cancel` is when somebody
    asked for its end.
    """

    __tablename__ = "compute_tasks"
    __table_args__ = (Index("ix_compute_tasks_turn", "state", "share", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id"), index=True)
    project_id: Mapped[int | None] = mapped_column(ForeignKey("projects.id"), index=True)
    share: Mapped[str] = mapped_column(Machine, index=True)
    kind: Mapped[str] = mapped_column(Machine, default="task")
    state: Mapped[str] = mapped_column(Machine, default="queued")
    name: Mapped[str] = mapped_column(Line(300), default="", index=True)
    definition: Mapped[str] = mapped_column(Machine)
    inputs: Mapped[str] = mapped_column(Machine, default="[]")
    cores: Mapped[int]
    memory: Mapped[int] = mapped_column(BigInteger)
    disk: Mapped[int] = mapped_column(BigInteger)
    seconds: Mapped[int]
    attempts: Mapped[int] = mapped_column(default=0)
    created: Mapped[datetime] = mapped_column(default=now)
    started: Mapped[datetime | None]
    ended: Mapped[datetime | None]
    cancel: Mapped[datetime | None]
    code: Mapped[int | None]
    reason: Mapped[str] = mapped_column(Machine, default="")
    result: Mapped[str] = mapped_column(Machine, default="{}")
    cpu: Mapped[float] = mapped_column(default=0.0)  # seconds of processor time, as far as it was seen
    peak: Mapped[int] = mapped_column(BigInteger, default=0)  # of memory, as far as it was seen
    gpus: Mapped[int] = mapped_column(default=0, server_default="0")
    kept: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")  # bytes of what it left that are kept
    again_id: Mapped[int | None] = mapped_column(ForeignKey("compute_tasks.id"))  # which task it repeats
    owner: Mapped[Person | None] = relationship()
    project: Mapped[Project | None] = relationship()


class TaskTag(Base):
    """A tag of a task."""

    __tablename__ = "compute_tags"
    __table_args__ = (Index("ix_compute_tags_key", "key", "value"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    task_id: Mapped[int] = mapped_column(ForeignKey("compute_tasks.id", ondelete="CASCADE"), index=True)
    key: Mapped[str] = mapped_column(Machine)
    value: Mapped[str] = mapped_column(Machine)


class TaskFile(Base):
    """A file that somebody brought, as an input of tasks; its bytes are kept by their hash."""

    __tablename__ = "compute_files"

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id"), index=True)
    project_id: Mapped[int | None] = mapped_column(ForeignKey("projects.id"), index=True)
    name: Mapped[str] = mapped_column(Line(300))
    hash: Mapped[str] = mapped_column(Machine)  # SHA-256
    size: Mapped[int] = mapped_column(BigInteger)
    created: Mapped[datetime] = mapped_column(default=now)


class Quota(Base):
    """What a share may use: hours of cores and GPUs within 30 days, cores and bytes of memory at one time, bytes kept.

    `share` is `project:3`, `person:5` or `organization:2` (all projects of it together), empty for everybody else.
    """

    __tablename__ = "compute_quotas"

    id: Mapped[int] = mapped_column(primary_key=True)
    share: Mapped[str] = mapped_column(Machine, unique=True)
    core_hours: Mapped[float | None]
    cores: Mapped[int | None]
    gpu_hours: Mapped[float | None]
    memory: Mapped[int | None] = mapped_column(BigInteger)
    disk: Mapped[int | None] = mapped_column(BigInteger)


class Price(Base):
    """What use costs from a day on until the next price: an hour of a core, of a GPU, a gigabyte for 30 days."""

    __tablename__ = "compute_prices"

    id: Mapped[int] = mapped_column(primary_key=True)
    begins: Mapped[date] = mapped_column(unique=True)
    currency: Mapped[str] = mapped_column(Machine)  # ISO 4217
    core_hour: Mapped[float]
    gpu_hour: Mapped[float]
    gigabyte: Mapped[float]
