"""Tables of contributions: names apart from everything else, and rules with their signatures."""

from datetime import datetime

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from madang.node.database import Base, now
from madang.node.text import Line, Machine


class Contributor(Base):
    """Somebody who contributed: events and statements hold the number, the name stands here alone.

    Forgetting a name leaves every hash and every sum as it was.
    """

    __tablename__ = "contributors"

    id: Mapped[int] = mapped_column(primary_key=True)
    reference: Mapped[str] = mapped_column(Machine, unique=True)  # person:12, or curator:NAME of a book of mappings
    name: Mapped[str] = mapped_column(Line(200), default="")
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id", ondelete="SET NULL"))
    forgotten: Mapped[datetime | None]


class WeightRule(Base):
    """A rule by which a weight may be computed, in force once every party that it names has signed it."""

    __tablename__ = "weight_rules"
    __table_args__ = (UniqueConstraint("name", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Machine)
    version: Mapped[int] = mapped_column(default=1)
    weights: Mapped[str] = mapped_column(Machine)  # JSON: role to a fraction as text
    parties: Mapped[str] = mapped_column(Machine)  # JSON: names of organizations
    digest: Mapped[str] = mapped_column(Machine)  # SHA-256 of both
    created: Mapped[datetime] = mapped_column(default=now)
    signatures: Mapped[list["WeightSignature"]] = relationship(cascade="all, delete-orphan", passive_deletes=True)


class WeightSignature(Base):
    """That a party signed a rule, by whom, and over which text."""

    __tablename__ = "weight_signatures"
    __table_args__ = (UniqueConstraint("rule_id", "party"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    rule_id: Mapped[int] = mapped_column(ForeignKey("weight_rules.id", ondelete="CASCADE"))
    party: Mapped[str] = mapped_column(Machine)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id", ondelete="SET NULL"))
    digest: Mapped[str] = mapped_column(Machine)
    at: Mapped[datetime] = mapped_column(default=now)
