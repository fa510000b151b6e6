"""Tables of the alliance: partners and agreements, what is shared, studies and what was told for them."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from madang.node.database import Base, now
from madang.node.text import Line, Machine

ONLINE = ("online", "simulated")  # ways of sites that come for questions; the others bring what they bring


class Partner(Base):
    """Another node, as we know it."""

    __tablename__ = "alliance_partners"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Line(100), unique=True)
    state: Mapped[str] = mapped_column(Machine, default="invited")
    address: Mapped[str] = mapped_column(Machine, default="")  # where it answers; empty: it comes to us
    key: Mapped[str] = mapped_column(Machine, default="")  # its public Ed25519 key, base64url
    code_hash: Mapped[str] = mapped_column(Machine, default="")
    until: Mapped[datetime | None]  # of the invitation; afterwards of the key
    authority: Mapped[str] = mapped_column(Machine, default="")  # PEM of who vouches for its TLS certificate
    standing: Mapped[str] = mapped_column(Machine, default="")  # estimators approved by rule, with commas
    way: Mapped[str] = mapped_column(Machine, default="online")
    sent: Mapped[int] = mapped_column(default=0)  # number of the last message that it answered
    pending: Mapped[bytes | None] = mapped_column(LargeBinary)  # the next, as long as it is not answered
    received: Mapped[int] = mapped_column(default=0)
    received_digest: Mapped[str] = mapped_column(Machine, default="")
    replied: Mapped[bytes | None] = mapped_column(LargeBinary)
    seen: Mapped[datetime | None]
    created: Mapped[datetime] = mapped_column(default=now)
    agreements: Mapped[list["Agreement"]] = relationship(order_by="Agreement.version", cascade="all, delete-orphan")


class Agreement(Base):
    """One version of what two nodes agree on; in force once both have signed."""

    __tablename__ = "alliance_agreements"
    __table_args__ = (UniqueConstraint("partner_id", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    partner_id: Mapped[int] = mapped_column(ForeignKey("alliance_partners.id", ondelete="CASCADE"))
    version: Mapped[int]
    document: Mapped[str] = mapped_column(Machine)  # canonical JSON
    ours: Mapped[str] = mapped_column(Machine, default="")  # signatures, base64
    theirs: Mapped[str] = mapped_column(Machine, default="")
    created: Mapped[datetime] = mapped_column(default=now)


class Share(Base):
    """Data that studies can ask about under a name: a file that was taken in, or a query on a version of a dataset."""

    __tablename__ = "alliance_shares"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Line(100), unique=True)
    source: Mapped[str] = mapped_column(Machine)  # JSON: {"file": hash} or {"dataset": "x@1", "sql": ...}
    digest: Mapped[str] = mapped_column(Machine)
    units: Mapped[str] = mapped_column(Machine, default="{}")
    vocabulary: Mapped[str] = mapped_column(Machine, default="")
    country: Mapped[str] = mapped_column(Machine, default="")
    created: Mapped[datetime] = mapped_column(default=now)


class AllianceStudy(Base):
    """A study: one that is asked from here (`partner_id` empty), or one that a partner asks."""

    __tablename__ = "alliance_studies"
    __table_args__ = (UniqueConstraint("uid", "partner_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    uid: Mapped[str] = mapped_column(Machine, index=True)
    partner_id: Mapped[int | None] = mapped_column(ForeignKey("alliance_partners.id"), index=True)
    title: Mapped[str] = mapped_column(Line(200))
    digest: Mapped[str] = mapped_column(Machine, index=True)
    document: Mapped[str] = mapped_column(Machine)  # JSON
    state: Mapped[str] = mapped_column(Machine, default="open")
    problem: Mapped[str] = mapped_column(Machine, default="")
    answer: Mapped[str] = mapped_column(Machine, default="")  # JSON
    together: Mapped[str] = mapped_column(Machine, default="")  # of a received one with masks: who is in, JSON
    decided: Mapped[bool] = mapped_column(default=False)  # whether the asking node was told of the decision
    created: Mapped[datetime] = mapped_column(default=now)
    partner: Mapped[Partner | None] = relationship()
    sites: Mapped[list["StudySite"]] = relationship(order_by="StudySite.id", cascade="all, delete-orphan")

    @property
    def reference(self) -> str:
        """How events name it."""
        return f"study:{self.id}"


class StudySite(Base):
    """A site of a study that is asked from here, and how it stands."""

    __tablename__ = "alliance_study_sites"
    __table_args__ = (UniqueConstraint("study_id", "partner_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("alliance_studies.id", ondelete="CASCADE"), index=True)
    partner_id: Mapped[int] = mapped_column(ForeignKey("alliance_partners.id"))
    state: Mapped[str] = mapped_column(Machine, default="sent")  # sent approved refused fell-out withdrew
    way: Mapped[str] = mapped_column(Machine, default="online")
    told: Mapped[str] = mapped_column(Machine, default="{}")  # versions, country, mask key, reason: JSON
    at: Mapped[datetime] = mapped_column(default=now)
    partner: Mapped[Partner] = relationship()


class StudyRound(Base):
    """A question to all sites of a study."""

    __tablename__ = "alliance_rounds"
    __table_args__ = (UniqueConstraint("study_id", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("alliance_studies.id", ondelete="CASCADE"))
    number: Mapped[int]
    digest: Mapped[str] = mapped_column(Machine)
    question: Mapped[str] = mapped_column(Machine)  # JSON


class StudyPart(Base):
    """What was told to a question: by a site (`site_id`), or by us of a received study."""

    __tablename__ = "alliance_parts"
    __table_args__ = (
        UniqueConstraint("study_id", "site_id", "digest"),
        Index("ix_alliance_parts_of", "study_id", "digest"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("alliance_studies.id", ondelete="CASCADE"))
    site_id: Mapped[int | None] = mapped_column(ForeignKey("alliance_study_sites.id", ondelete="CASCADE"))
    digest: Mapped[str] = mapped_column(Machine)
    step: Mapped[str] = mapped_column(Machine)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    at: Mapped[datetime] = mapped_column(default=now)


class RowsTold(Base):
    """Which rows of a share some answer was about: what later answers are compared with, whoever asked."""

    __tablename__ = "alliance_rows_told"

    id: Mapped[int] = mapped_column(primary_key=True)
    share: Mapped[str] = mapped_column(Machine, index=True)  # digest of the data
    study_id: Mapped[int] = mapped_column(ForeignKey("alliance_studies.id", ondelete="CASCADE"))
    members: Mapped[bytes] = mapped_column(LargeBinary)  # packed bits, compressed
    size: Mapped[int]
