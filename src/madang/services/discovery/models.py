"""Tables of the room: libraries of projects, what was measured, shortlists, and what was decided about compounds."""

from datetime import datetime

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from madang.node.database import Base, now
from madang.node.people.models import Person, Project
from madang.node.text import Line, Machine, Prose


class MoleculeLibrary(Base):
    """A library of a project; its molecules are the dataset of this name. `state` is open or closed."""

    __tablename__ = "molecule_libraries"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Machine, unique=True)  # of the dataset
    title: Mapped[str] = mapped_column(Line(300))
    organization_id: Mapped[int] = mapped_column(ForeignKey("organizations.id"))
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), index=True)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id"))
    state: Mapped[str] = mapped_column(Machine, default="open", server_default="open")
    created: Mapped[datetime] = mapped_column(default=now)
    project: Mapped[Project] = relationship()


class PlateAssay(Base):
    """A plate workbook that was read for a library: its curves as JSON, and the hash of the workbook."""

    __tablename__ = "plate_assays"

    id: Mapped[int] = mapped_column(primary_key=True)
    library_id: Mapped[int] = mapped_column(ForeignKey("molecule_libraries.id", ondelete="CASCADE"), index=True)
    title: Mapped[str] = mapped_column(Line(300))
    sha256: Mapped[str] = mapped_column(Machine)
    found: Mapped[str] = mapped_column(Machine)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id"))
    created: Mapped[datetime] = mapped_column(default=now)
    library: Mapped[MoleculeLibrary] = relationship()


class Shortlist(Base):
    """A ranking that people decide upon: its goals and its rows as JSON, and their hash. `state` is open or locked."""

    __tablename__ = "shortlists"

    id: Mapped[int] = mapped_column(primary_key=True)
    library_id: Mapped[int] = mapped_column(ForeignKey("molecule_libraries.id", ondelete="CASCADE"), index=True)
    title: Mapped[str] = mapped_column(Line(300))
    organization_id: Mapped[int] = mapped_column(ForeignKey("organizations.id"))
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), index=True)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id"))
    version: Mapped[int]  # of the library
    manifest: Mapped[str] = mapped_column(Machine)
    goals: Mapped[str] = mapped_column(Machine)
    rows: Mapped[str] = mapped_column(Machine)
    sha256: Mapped[str] = mapped_column(Machine)
    signed: Mapped[str] = mapped_column(Machine, default="")  # a signature by the node's key, once it is locked
    state: Mapped[str] = mapped_column(Machine, default="open", server_default="open")
    created: Mapped[datetime] = mapped_column(default=now)
    locked: Mapped[datetime | None]
    library: Mapped[MoleculeLibrary] = relationship()
    verdicts: Mapped[list["Verdict"]] = relationship(
        back_populates="shortlist", cascade="all, delete-orphan", order_by="Verdict.id"
    )


class Verdict(Base):
    """What was decided about a compound of a shortlist, by whom and why; a later one counts, earlier ones stay."""

    __tablename__ = "verdicts"

    id: Mapped[int] = mapped_column(primary_key=True)
    shortlist_id: Mapped[int] = mapped_column(ForeignKey("shortlists.id", ondelete="CASCADE"), index=True)
    compound: Mapped[str] = mapped_column(Machine)
    decision: Mapped[str] = mapped_column(Machine)
    reason: Mapped[str] = mapped_column(Prose(1_000))
    person_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id"))
    created: Mapped[datetime] = mapped_column(default=now)
    person: Mapped[Person | None] = relationship()
    shortlist: Mapped[Shortlist] = relationship(back_populates="verdicts")


class Lot(Base):
    """A lot of a compound, or a sample that was taken of a lot (`of` is its name). Assays belong to lots."""

    __tablename__ = "compound_lots"
    __table_args__ = (UniqueConstraint("library_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    library_id: Mapped[int] = mapped_column(ForeignKey("molecule_libraries.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(Line(100))
    compound: Mapped[str] = mapped_column(Machine)
    of: Mapped[str] = mapped_column(Machine, default="", server_default="")
    amount: Mapped[float | None]
    unit: Mapped[str] = mapped_column(Line(20), default="", server_default="")
    purity: Mapped[float | None]  # percent
    source: Mapped[str] = mapped_column(Line(300), default="", server_default="")
    place: Mapped[str] = mapped_column(Line(300), default="", server_default="")
    made: Mapped[str] = mapped_column(Machine, default="", server_default="")  # a date, YYYY-MM-DD
    person_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id"))
    created: Mapped[datetime] = mapped_column(default=now)
    library: Mapped[MoleculeLibrary] = relationship()


class Study(Base):
    """Something computed for a library by a job: a model that is trained (`model`) or a docking (`docking`).

    `asked` and `found` are JSON; what they name lies in a folder of the home. `state` is working, done or failed.
    """

    __tablename__ = "discovery_studies"

    id: Mapped[int] = mapped_column(primary_key=True)
    library_id: Mapped[int] = mapped_column(ForeignKey("molecule_libraries.id", ondelete="CASCADE"), index=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organizations.id"))
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), index=True)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id"))
    kind: Mapped[str] = mapped_column(Machine)
    title: Mapped[str] = mapped_column(Line(300))
    asked: Mapped[str] = mapped_column(Machine)
    found: Mapped[str] = mapped_column(Machine, default="", server_default="")
    error: Mapped[str] = mapped_column(Machine, default="", server_default="")
    state: Mapped[str] = mapped_column(Machine, default="working", server_default="working")
    job_id: Mapped[int | None]
    created: Mapped[datetime] = mapped_column(default=now)
    library: Mapped[MoleculeLibrary] = relationship()
