"""The tables of conformance reports that were handed in, of tests of live systems, and of challenges."""

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from madang.node.database import Base, now
from madang.node.text import Line, Machine, Prose


class ConformanceReport(Base):
    """A signed report as it was handed in: the whole document, its hash, whether its signer is known here."""

    __tablename__ = "conformance_reports"

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id"), index=True)
    product: Mapped[str] = mapped_column(Line)
    version: Mapped[str] = mapped_column(Line)
    kind: Mapped[str] = mapped_column(Machine)
    guide: Mapped[str] = mapped_column(Machine)
    target: Mapped[str] = mapped_column(Line)
    made: Mapped[str] = mapped_column(Machine)  # when, as the report says
    issuer: Mapped[str] = mapped_column(Machine)
    known: Mapped[bool]  # whether a key of this node signed it
    sha256: Mapped[str] = mapped_column(Machine, unique=True)
    document: Mapped[str] = mapped_column(Machine)  # JSON
    state: Mapped[str] = mapped_column(Machine, default="handed-in")
    reason: Mapped[str] = mapped_column(Prose, default="")
    handed_in: Mapped[datetime] = mapped_column(default=now)
    challenge_id: Mapped[int | None]  # which challenge it answered
    assessed: Mapped[str] = mapped_column(Machine, default="{}")  # JSON: what assessors noted, by criterion


class ConformanceChallenge(Base):
    """Records that an assessor drew by lot for a product, signed: whose product it is, until when it is answered."""

    __tablename__ = "conformance_challenges"

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id"), index=True)  # whose product it is
    drawn_by: Mapped[int | None] = mapped_column(ForeignKey("persons.id"), index=True)
    product: Mapped[str] = mapped_column(Line)
    version: Mapped[str] = mapped_column(Line)
    sha256: Mapped[str] = mapped_column(Machine, unique=True)
    document: Mapped[str] = mapped_column(Machine)  # JSON, signed
    state: Mapped[str] = mapped_column(Machine, default="open")
    drawn: Mapped[datetime] = mapped_column(default=now)
    due: Mapped[datetime]


class ConformanceRun(Base):
    """A test of a live system from this node: what is tested, how far it is, what came out.

    `secret` holds what the kit signs in with, sealed; it is emptied when the run ends, however it ends.
    """

    __tablename__ = "conformance_runs"

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id"), index=True)
    product: Mapped[str] = mapped_column(Line)
    version: Mapped[str] = mapped_column(Line)
    target: Mapped[str] = mapped_column(Line)
    kind: Mapped[str] = mapped_column(Machine)
    challenge_id: Mapped[int | None] = mapped_column(ForeignKey("conformance_challenges.id"), index=True)
    secret: Mapped[bytes] = mapped_column(LargeBinary, default=b"")
    state: Mapped[str] = mapped_column(Machine, default="running")
    results: Mapped[str] = mapped_column(Machine, default="[]")  # JSON, as in the report
    document: Mapped[str] = mapped_column(Machine, default="")  # the signed report, once the run is over
    brought: Mapped[str] = mapped_column(Machine, default="{}")  # JSON: records that were brought in, and what became
    job_id: Mapped[int | None]
    begun: Mapped[datetime] = mapped_column(default=now)
