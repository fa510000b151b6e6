"""Tables of the catalog: records, their versions and files."""

import json
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Dialect,
    ForeignKey,
    Index,
    Text,
    TypeDecorator,
    UniqueConstraint,
    and_,
    case,
)
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column, relationship

from madang.node.database import Base, now
from madang.node.people.models import Organization
from madang.node.text import Line, Machine, Prose
from madang.services.catalog.description import Description, read_description

TIERS = ("open", "registered", "controlled", "embargoed")
CATALOG = "catalog"  # the area of which lists of published records are an answer, see `node.editions`
OPEN = 1  # the fewest persons that a profile of open data tells of


class Documents(TypeDecorator[dict[str, str]]):
    """A column for the documents of a version, as JSON; nobody changes a mapping that was read or set."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: dict[str, str] | None, dialect: Dialect) -> str | None:
        """To the database."""
        return None if value is None else json.dumps(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> dict[str, str] | None:
        """From the database."""
        return None if value is None else json.loads(value)


class RecordVersion(Base):
    """A version of the dataset in its record.

    `state` is preparing, ready, published, failed (its preparing came to nothing) or removed (its data are gone).
    """

    __tablename__ = "record_versions"
    __table_args__ = (UniqueConstraint("record_id", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    record_id: Mapped[int] = mapped_column(ForeignKey("records.id", ondelete="CASCADE"), index=True)
    number: Mapped[int]  # in the lake
    manifest: Mapped[str] = mapped_column(Machine)
    state: Mapped[str] = mapped_column(Machine, default="preparing")
    job_id: Mapped[int | None]
    tables: Mapped[int] = mapped_column(default=0)
    files: Mapped[int] = mapped_column(default=0)
    rows: Mapped[int] = mapped_column(BigInteger, default=0)
    bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    verdict: Mapped[str] = mapped_column(Machine, default="")  # good, flawed, unusable, unknown
    passed: Mapped[int] = mapped_column(default=0)
    failed: Mapped[int] = mapped_column(default=0)
    fatal: Mapped[int] = mapped_column(default=0)
    certificate: Mapped[str] = mapped_column(Machine, default="")  # that is in force, and ...
    certified_until: Mapped[datetime | None]  # ... until when
    minimum: Mapped[int] = mapped_column(default=5)  # the fewest persons that its profile tells of
    documents: Mapped[dict[str, str]] = mapped_column(Documents, default=dict)  # kind to SHA-256 in files/
    damaged: Mapped[int] = mapped_column(default=0, server_default="0")  # files that are not what they should be
    hashed: Mapped[datetime | None]  # when all of them were hashed last
    created: Mapped[datetime] = mapped_column(default=now)
    published: Mapped[datetime | None]

    @property
    def is_certified(self) -> bool:
        """Whether its certificate holds now."""
        return bool(self.certificate) and self.certified_until is not None and self.certified_until > now()

    if TYPE_CHECKING:
        record: "Record"  # the other side of Record.versions


class Record(Base):
    """A dataset as people find it. `state` is draft, published or withdrawn; what remains of that is a tombstone."""

    __tablename__ = "records"
    # Whatever lists are chosen, ordered and counted by: see `finding`; what harvesters go along: see `oai`.
    __table_args__ = (
        Index("ix_records_changed", "changed", "id", "state", "organization_id"),
        Index(
            "ix_records_found",
            *("state", "published", "id", "organization_id", "kind", "tier", "tier_after", "embargo_end"),
            *("verdict", "certificate", "certified_until", "year", "rows"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Machine, unique=True)  # of its address
    dataset: Mapped[str] = mapped_column(Machine, unique=True)  # in the lake
    organization_id: Mapped[int] = mapped_column(ForeignKey("organizations.id"), index=True)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id", ondelete="SET NULL"))
    kind: Mapped[str] = mapped_column(Machine, default="cdm")
    state: Mapped[str] = mapped_column(Machine, default="draft")
    tier: Mapped[str] = mapped_column(Machine, default="controlled")
    tier_after: Mapped[str] = mapped_column(Machine, default="controlled")  # of an embargo
    embargo_reason: Mapped[str] = mapped_column(Prose(2_000), default="")
    embargo_end: Mapped[datetime | None]
    title: Mapped[str] = mapped_column(Line(300))
    title_en: Mapped[str] = mapped_column(Line(300), default="")
    description: Mapped[str] = mapped_column(Machine, default="{}")  # JSON of a Description, whose texts are clean
    verdict: Mapped[str] = mapped_column(Machine, default="")  # of the newest published version, as are ...
    certificate: Mapped[str] = mapped_column(Machine, default="")  # ... its certificate, ...
    certified_until: Mapped[datetime | None]  # ... until when that holds, and ...
    rows: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")  # ... rows and ...
    year: Mapped[int | None]  # ... the last year of its data
    withdrawn_reason: Mapped[str] = mapped_column(Prose(2_000), default="")
    created: Mapped[datetime] = mapped_column(default=now)
    changed: Mapped[datetime] = mapped_column(default=now)
    published: Mapped[datetime | None]
    edition: Mapped[int] = mapped_column(default=1)  # goes up with every change, so that none is overwritten unseen
    organization: Mapped[Organization] = relationship()
    withheld: ClassVar[bool] = False  # set by who reads a record while people are being removed from its data
    # Declared on this side alone, after its partner: another thread may ask for all tables while these are imported.
    versions: Mapped[list[RecordVersion]] = relationship(
        backref="record", order_by=RecordVersion.number.desc(), cascade="all, delete-orphan"
    )

    @hybrid_property
    def access(self) -> str:
        """The tier that holds now: an embargo that is over has given way to what was to come after it."""
        over = self.tier == "embargoed" and self.embargo_end is not None and self.embargo_end <= now()
        return self.tier_after if over else self.tier

    @access.inplace.expression
    @classmethod
    def _access(cls) -> ColumnElement[str]:
        over = and_(cls.tier == "embargoed", cls.embargo_end.is_not(None), cls.embargo_end <= now())
        return case((over, cls.tier_after), else_=cls.tier)

    @hybrid_property
    def is_certified(self) -> bool:
        """Whether a certificate of what is published holds now."""
        return bool(self.certificate) and self.certified_until is not None and self.certified_until > now()

    @is_certified.inplace.expression
    @classmethod
    def _is_certified(cls) -> ColumnElement[bool]:
        return and_(cls.certificate != "", cls.certified_until > now())

    @property
    def minimum(self) -> int:
        """The fewest persons that its pictures and numbers may be about: its holder's rule, unless it is open."""
        return OPEN if self.access == "open" else self.organization.minimum

    @property
    def told(self) -> Description:
        """The description, read."""
        return read_description(self.description)


class RecordFile(Base):
    """One file of a version; kept here so that a record of a hundred thousand files opens at once."""

    __tablename__ = "record_files"
    __table_args__ = (Index("ix_record_files_place", "version_id", "place"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("record_versions.id", ondelete="CASCADE"))
    place: Mapped[int]
    table: Mapped[str] = mapped_column(Machine)
    name: Mapped[str] = mapped_column(Machine)
    rows: Mapped[int] = mapped_column(BigInteger)
    bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(Machine)


class Wish(Base):
    """What somebody looked for and did not find; `key` is the same for the same words, however they are spaced."""

    __tablename__ = "wishes"
    __table_args__ = (UniqueConstraint("key", "person_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(Machine)
    words: Mapped[str] = mapped_column(Line(200))
    person_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id", ondelete="CASCADE"))
    created: Mapped[datetime] = mapped_column(default=now)
