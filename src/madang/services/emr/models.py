"""The table of conformance reports that were handed in."""

from datetime import datetime

from sqlalchemy import ForeignKey
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
