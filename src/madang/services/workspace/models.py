"""The tables of workspaces."""

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from madang.node.database import Base, now
from madang.node.people.models import Permit, Person, Project
from madang.node.text import Line, Machine


class Workspace(Base):
    """A space in which the people of a project work on one version of a dataset.

    `dataset` and `version` are those of the lake; `record` is the name in the catalog, if it came from there. That of a
    course has no dataset of its own (an empty name, version 0), and the course's digest. Without a project it is its
    owner's alone. What the clock or a permit ends is found by asking, see `service.why_closed`.
    """

    __tablename__ = "workspaces"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(Line)
    dataset: Mapped[str] = mapped_column(Machine, index=True)
    version: Mapped[int]
    digest: Mapped[str] = mapped_column(Machine)  # of the version's manifest
    record: Mapped[str] = mapped_column(Machine, default="")
    course: Mapped[str] = mapped_column(Machine, default="", server_default="")  # whose lessons' data it shows, if so
    permit_id: Mapped[int | None] = mapped_column(ForeignKey("permits.id"), index=True)
    project_id: Mapped[int | None] = mapped_column(ForeignKey("projects.id"), index=True)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id"), index=True)  # who opened it
    organization_id: Mapped[int] = mapped_column(ForeignKey("organizations.id"))  # the holder's
    state: Mapped[str] = mapped_column(Machine, default="open")
    created: Mapped[datetime] = mapped_column(default=now)
    used: Mapped[datetime] = mapped_column(default=now)  # when somebody was last in it
    stopped: Mapped[datetime | None]  # when somebody last asked for it to be put to sleep
    ended: Mapped[datetime | None]
    kept_until: Mapped[datetime | None]  # code and logs, once it is dormant
    destroyed: Mapped[datetime | None]
    permit: Mapped[Permit | None] = relationship()
    project: Mapped[Project | None] = relationship()
    owner: Mapped[Person | None] = relationship()

    @property
    def shows(self) -> str:
        """Whose data it shows: the dataset's name, or `course:` and the name of a course."""
        return f"course:{self.course}" if self.course else self.dataset


class Brought(Base):
    """A file that somebody brings into a workspace; it is there once it is accepted."""

    __tablename__ = "workspace_files"

    id: Mapped[int] = mapped_column(primary_key=True)
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(Line)
    hash: Mapped[str] = mapped_column(Machine)  # SHA-256
    size: Mapped[int]
    reason: Mapped[str] = mapped_column(Line)
    state: Mapped[str] = mapped_column(Machine, default="asked")
    asked_by_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id"))
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id"))
    organization_id: Mapped[int] = mapped_column(ForeignKey("organizations.id"))  # the holder's, who decides
    created: Mapped[datetime] = mapped_column(default=now)
    decided: Mapped[datetime | None]
    workspace: Mapped[Workspace] = relationship()
    asked_by: Mapped[Person | None] = relationship(foreign_keys=[asked_by_id])

    @property
    def project_id(self) -> int | None:
        """Whose workspace it goes into."""
        return self.workspace.project_id

    @property
    def owner_id(self) -> int | None:
        """Who opened that workspace."""
        return self.workspace.owner_id
