"""Tables of deposits and their files."""

import json
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from madang.node.database import Base, now
from madang.node.text import Line, Machine, Prose


@dataclass(frozen=True)
class Sheets:
    """What the sheets of a deposit told: samples and runs, each a name of field to value; the umbrella project that it
    belongs to; its creators as they are cited, separated by commas; and the wrong cells of the sheet that came last and
    was not taken in."""

    samples: list[dict[str, str]] = field(default_factory=list)
    runs: list[dict[str, str]] = field(default_factory=list)
    umbrella: str = ""
    creators: str = ""
    wrong: list[dict[str, Any]] = field(default_factory=list)


class Deposit(Base):
    """Data on their way into the catalog. `state` is draft, submitted, approved or published."""

    __tablename__ = "deposits"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Machine, unique=True)
    title: Mapped[str] = mapped_column(Line(300))
    title_en: Mapped[str] = mapped_column(Line(300), default="")
    description: Mapped[str] = mapped_column(Prose(20_000), default="")
    model: Mapped[str] = mapped_column(Machine)
    checklist: Mapped[str] = mapped_column(Machine, default="")
    state: Mapped[str] = mapped_column(Machine, default="draft")
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id", ondelete="SET NULL"), index=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organizations.id"), index=True)
    license: Mapped[str] = mapped_column(Line(200), default="")
    consent: Mapped[str] = mapped_column(Line(300), default="")  # its scope, with codes of DUO
    ethics: Mapped[str] = mapped_column(Line(100), default="")  # number of the approval
    deidentified: Mapped[str] = mapped_column(Prose(2_000), default="")  # how that was done
    samples: Mapped[str] = mapped_column(Machine, default="[]")  # JSON of Sheets; of earlier releases samples alone
    asked: Mapped[str] = mapped_column(Prose(4_000), default="")  # by the curator, when it was given back
    accession: Mapped[str] = mapped_column(Line(100), default="")  # of the national station, noted by hand
    checked: Mapped[datetime | None]
    job_id: Mapped[int | None]  # of its check, where that takes long
    created: Mapped[datetime] = mapped_column(default=now)
    changed: Mapped[datetime] = mapped_column(default=now)
    files: Mapped[list["DepositFile"]] = relationship(
        order_by="DepositFile.name", cascade="all, delete-orphan", passive_deletes=True
    )

    @property
    def sheets(self) -> "Sheets":
        """What its sheets told."""
        told = json.loads(self.samples)
        return Sheets(told) if isinstance(told, list) else Sheets(**told)

    @sheets.setter
    def sheets(self, told: "Sheets") -> None:
        self.samples = json.dumps(asdict(told), ensure_ascii=False)


class DepositFile(Base):
    """A file of a deposit; `sha256` is empty until it is whole. `findings` and `facts` are those of its check, JSON."""

    __tablename__ = "deposit_files"
    __table_args__ = (UniqueConstraint("deposit_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    deposit_id: Mapped[int] = mapped_column(ForeignKey("deposits.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(Machine)
    bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(Machine, default="")
    md5: Mapped[str] = mapped_column(Machine, default="")
    wanted: Mapped[str] = mapped_column(Machine, default="")  # md5 or SHA-256 that the depositor says it has
    format: Mapped[str] = mapped_column(Machine, default="")
    facts: Mapped[str] = mapped_column(Machine, default="{}")
    findings: Mapped[str] = mapped_column(Machine, default="[]")
    source: Mapped[str] = mapped_column(Machine, default="", server_default="")  # JSON of a Source: where it stays
    created: Mapped[datetime] = mapped_column(default=now)
