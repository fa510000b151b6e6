"""The register: one row for each certificate. What was said is in its signed files; whether it holds is in its row."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from madang.node.database import Base
from madang.node.text import Machine, Prose
from madang.services.certification.credential import Certificate


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

    @classmethod
    def of(cls, certificate: Certificate, digest: str, dataset: str, version: int) -> "Registered":
        """The row of a certificate that has none; it has no state yet."""
        return cls(
            number=certificate.number,
            digest=digest,
            dataset=dataset,
            version=version,
            manifest=certificate.manifest,
            scheme=certificate.scheme,
            report=certificate.report,
            issuer=certificate.issuer,
            status_list=certificate.status_list,
            valid_from=certificate.valid_from,
            valid_until=certificate.valid_until,
            since=certificate.valid_from,
        )

    def told(self, state: str) -> dict[str, str]:
        """What an event says of it that leads to `state`."""
        return {
            "dataset": f"{self.dataset}@{self.version}",
            "manifest": self.manifest,
            "scheme": self.scheme,
            "number": self.number,
            "state": state,
            "until": self.valid_until.isoformat(),
            "reason": self.reason or "",
        }
