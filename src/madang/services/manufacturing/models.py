"""The tables of this room: campaigns, cultivations and equipment of projects."""

from datetime import datetime

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from madang.node.database import Base, now
from madang.node.people import Project
from madang.node.text import Line, Machine, Prose


class Campaign(Base):
    """A campaign of experiments: its description (TOML), its results (CSV), what to try next (JSON)."""

    __tablename__ = "manufacturing_campaigns"
    __table_args__ = (UniqueConstraint("project_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), index=True)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id", ondelete="SET NULL"))
    name: Mapped[str] = mapped_column(Machine)
    title: Mapped[str] = mapped_column(Line(300))
    state: Mapped[str] = mapped_column(Machine, default="active", server_default="active")
    description: Mapped[str] = mapped_column(Prose)
    results: Mapped[str] = mapped_column(Machine, default="")
    answer: Mapped[str] = mapped_column(Machine, default="{}")
    created: Mapped[datetime] = mapped_column(default=now)
    project: Mapped[Project] = relationship()


class Cultivation(Base):
    """A run that is over: its signals over hours, as CSV."""

    __tablename__ = "manufacturing_cultivations"
    __table_args__ = (UniqueConstraint("project_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), index=True)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id", ondelete="SET NULL"))
    name: Mapped[str] = mapped_column(Machine)
    table: Mapped[str] = mapped_column(Machine)
    created: Mapped[datetime] = mapped_column(default=now)
    project: Mapped[Project] = relationship()


class Equipment(Base):
    """A piece of equipment of a project: its name, its address of OPC UA, and whether it is simulated. Read only."""

    __tablename__ = "manufacturing_equipment"
    __table_args__ = (UniqueConstraint("project_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), index=True)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id", ondelete="SET NULL"))
    name: Mapped[str] = mapped_column(Machine)
    address: Mapped[str] = mapped_column(Line(300))
    simulated: Mapped[bool] = mapped_column(default=False)
    created: Mapped[datetime] = mapped_column(default=now)
    project: Mapped[Project] = relationship()


class Study(Base):
    """What is computed or recorded for a project: a twin (`twin`), a loop of the foundry (`foundry`), normal operation
    that was learned (`watch`), or a run that is recorded from equipment (`run`).

    `asked` is the description as it was given, `answer` JSON; what they name lies in a folder of the home. `state` is
    working, done or failed.
    """

    __tablename__ = "manufacturing_studies"

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), index=True)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id", ondelete="SET NULL"))
    kind: Mapped[str] = mapped_column(Machine)
    title: Mapped[str] = mapped_column(Line(300))
    asked: Mapped[str] = mapped_column(Machine)
    answer: Mapped[str] = mapped_column(Machine, default="", server_default="")
    error: Mapped[str] = mapped_column(Machine, default="", server_default="")
    state: Mapped[str] = mapped_column(Machine, default="working", server_default="working")
    job_id: Mapped[int | None]
    created: Mapped[datetime] = mapped_column(default=now)
    project: Mapped[Project] = relationship()
