"""Tables of the shelf: cohorts, the versions of their definitions, and what they counted."""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from madang.node.database import Base, now
from madang.node.people.models import Person, Project
from madang.node.text import Line, Machine, Prose

HOUSE, PROJECT = "house", "project"
TOLD = "told"  # beside what was described: the number of persons that is told before a permit


class Cohort(Base):
    """A definition on the shelf. `place` says whose shelf: that of the house, or of a project. `state` is kept or
    retired."""

    __tablename__ = "cohorts"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Machine, unique=True)  # of its address
    title: Mapped[str] = mapped_column(Line(300))
    place: Mapped[str] = mapped_column(Machine)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organizations.id"))
    project_id: Mapped[int | None] = mapped_column(ForeignKey("projects.id"), index=True)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id"))
    state: Mapped[str] = mapped_column(Machine, default="kept", server_default="kept")
    created: Mapped[datetime] = mapped_column(default=now)
    versions: Mapped[list["CohortVersion"]] = relationship(
        back_populates="cohort", cascade="all, delete-orphan", order_by="CohortVersion.number"
    )
    project: Mapped[Project | None] = relationship()
    owner: Mapped[Person | None] = relationship()


class CohortVersion(Base):
    """One version of a definition: the expression as canonical JSON and its hash. It never changes."""

    __tablename__ = "cohort_versions"
    __table_args__ = (UniqueConstraint("cohort_id", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    cohort_id: Mapped[int] = mapped_column(ForeignKey("cohorts.id", ondelete="CASCADE"))
    number: Mapped[int]
    expression: Mapped[str] = mapped_column(Machine)
    digest: Mapped[str] = mapped_column(Machine, index=True)
    note: Mapped[str] = mapped_column(Prose(2_000), default="")
    codes: Mapped[str] = mapped_column(Machine, default="")  # what became of the codes it was written with, as JSON
    person_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id"))
    created: Mapped[datetime] = mapped_column(default=now)
    cohort: Mapped[Cohort] = relationship(back_populates="versions")
    counts: Mapped[list["CohortCount"]] = relationship(
        back_populates="version", cascade="all, delete-orphan", order_by="CohortCount.id.desc()"
    )


class CohortCount(Base):
    """What a version found on one version of a dataset. `state` is counting, done or failed.

    `described` has exact numbers; whoever may not read the rows gets them through the holder's minimum. The members
    lie in a file of the home, which only those who may read the rows are given.
    """

    __tablename__ = "cohort_counts"

    id: Mapped[int] = mapped_column(primary_key=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("cohort_versions.id", ondelete="CASCADE"), index=True)
    dataset: Mapped[str] = mapped_column(Machine, index=True)
    number: Mapped[int]  # of the dataset's version
    manifest: Mapped[str] = mapped_column(Machine)
    vocabulary: Mapped[str] = mapped_column(Machine, default="")
    state: Mapped[str] = mapped_column(Machine, default="counting")
    error: Mapped[str] = mapped_column(Machine, default="")
    persons: Mapped[int] = mapped_column(BigInteger, default=0)
    entries: Mapped[int] = mapped_column(BigInteger, default=0)
    described: Mapped[str] = mapped_column(Machine, default="")
    organization_id: Mapped[int | None] = mapped_column(ForeignKey("organizations.id"))  # the holder's
    minimum: Mapped[int] = mapped_column(default=10)  # the holder's
    job_id: Mapped[int | None]
    person_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id"))
    created: Mapped[datetime] = mapped_column(default=now)
    version: Mapped[CohortVersion] = relationship(back_populates="counts")

    @property
    def numbers(self) -> dict[str, Any]:
        """What was described, read; empty until it is done."""
        return {name: value for name, value in self._read().items() if name != TOLD}

    @property
    def told(self) -> int | None:
        """The number of persons as it is told to whoever may not read the rows; None: it is not."""
        told = self._read().get(TOLD)
        return told if told is None or told >= self.minimum else None

    def _read(self) -> dict[str, Any]:
        return dict(json.loads(self.described)) if self.described else {}
