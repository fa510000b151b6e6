"""The register: one row for each certificate. What was said is in its signed files; whether it holds is in its row."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from madang.node.database import Base
from madang.node.text import Machine, Prose


class Registered(Base):
    """A certificate of the register. `state` is issued, suspended or revoked, `since` when and by `reason` why."""

    __tablename__ = "certificates"

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(Machine, unique=True)
    digest: Mapped[str] = mapped_column(Machine)  # SHA-256 of the bytes of certificate.jwt
    dataset: Mapped[str] = mapped_column(Machine)  # its whole name; a certificate cuts a long one
    version: Mapped[int]
    manifest: Mapped[str] = mapped_column(Machine, index=True)
    scheme: Mapped[str] = mapped_column(Machine)  # NAME@VERSION
    report: Mapped[str] = mapped_column(Machine)  # SHA-256 of report.json
    issuer: Mapped[str] = mapped_column(Machine)
    status_list: Mapped[str] = mapped_column(Machine)
    valid_from: Mapped[datetime]
    valid_until: Mapped[datetime]
    state: Mapped[str] = mapped_column(Machine, default="issued")
    since: Mapped[datetime]
    reason: Mapped[str] = mapped_column(Prose(20_000), default="")

    @property
    def reference(self) -> str:
        """How events name it."""
        return f"certificate:{self.number}"
