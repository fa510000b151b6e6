"""Tables of people: organizations, persons, roles, and how a person proves who they are."""

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship, synonym

from madang.node.database import Base, now
from madang.node.text import Line, Machine

HOUSE = 1  # the organization that is this installation itself; roles in it hold for the whole node


class Organization(Base):
    """An institution whose people work here. Number 1 is the installation itself."""

    __tablename__ = "organizations"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Machine, unique=True)  # short, for addresses: small letters, digits, hyphens
    title: Mapped[str] = mapped_column(Line(200))
    title_en: Mapped[str] = mapped_column(Line(200), default="")
    minimum: Mapped[int] = mapped_column(default=5, server_default="5")  # persons, whom a number of its data is about
    created: Mapped[datetime] = mapped_column(default=now)


class Person(Base):
    """Somebody with an account."""

    __tablename__ = "persons"

    id: Mapped[int] = mapped_column(primary_key=True)
    login: Mapped[str] = mapped_column(Machine, unique=True)  # small letters, digits and . _ - @
    name: Mapped[str] = mapped_column(Line(120))
    email: Mapped[str] = mapped_column(Line(254), default="")
    password: Mapped[str | None] = mapped_column(Machine)  # argon2id
    code_secret: Mapped[bytes | None] = mapped_column(LargeBinary)  # of one-time codes, sealed
    code_step: Mapped[int] = mapped_column(default=0)  # the last time step whose code was used
    created: Mapped[datetime] = mapped_column(default=now)
    disabled: Mapped[datetime | None]
    roles: Mapped[list["Role"]] = relationship(
        back_populates="person", cascade="all, delete-orphan", passive_deletes=True
    )
    owner_id: Mapped[int] = synonym("id")  # an account belongs to its person, as permissions ask


class Role(Base):
    """A role that a person holds in an organization, such as `steward`; `member` is the plainest."""

    __tablename__ = "roles"
    __table_args__ = (UniqueConstraint("person_id", "organization_id", "role"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("persons.id", ondelete="CASCADE"))
    organization_id: Mapped[int] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"), index=True)
    role: Mapped[str] = mapped_column(Machine)
    person: Mapped[Person] = relationship(back_populates="roles")
    organization: Mapped[Organization] = relationship()


class RecoveryCode(Base):
    """A code, kept as its hash, that stands in once for a one-time code."""

    __tablename__ = "recovery_codes"

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("persons.id", ondelete="CASCADE"), index=True)
    hash: Mapped[str] = mapped_column(Machine)
    used: Mapped[datetime | None]


class Identity(Base):
    """Who a person is at the institution's own sign-in (OpenID Connect)."""

    __tablename__ = "identities"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("persons.id", ondelete="CASCADE"), index=True)
    issuer: Mapped[str] = mapped_column(Machine)
    subject: Mapped[str] = mapped_column(Machine)
    created: Mapped[datetime] = mapped_column(default=now)


class SignInSession(Base):
    """A browser that somebody signed in with; its cookie is kept as a hash only."""

    __tablename__ = "sign_in_sessions"

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("persons.id", ondelete="CASCADE"), index=True)
    hash: Mapped[str] = mapped_column(Machine, unique=True)
    address: Mapped[str] = mapped_column(Machine, default="")
    browser: Mapped[str] = mapped_column(Machine, default="")
    method: Mapped[str] = mapped_column(Machine, default="password", server_default="password")  # or openid
    created: Mapped[datetime] = mapped_column(default=now)
    seen: Mapped[datetime] = mapped_column(default=now)
    ends: Mapped[datetime]
    owner_id: Mapped[int] = synonym("person_id")
    person: Mapped[Person] = relationship()


class ApiToken(Base):
    """What a program of a person shows instead of a password; kept as a hash only."""

    __tablename__ = "api_tokens"

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("persons.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(Line(120))
    hash: Mapped[str] = mapped_column(Machine, unique=True)
    scopes: Mapped[str] = mapped_column(Machine)  # separated by blanks
    created: Mapped[datetime] = mapped_column(default=now)
    expires: Mapped[datetime]
    used: Mapped[datetime | None]
    revoked: Mapped[datetime | None]
    owner_id: Mapped[int] = synonym("person_id")
    person: Mapped[Person] = relationship()


class Attempts(Base):
    """How often somebody tried and failed, per account and per address, since when."""

    __tablename__ = "attempts"

    bucket: Mapped[str] = mapped_column(Machine, primary_key=True)
    count: Mapped[int]
    since: Mapped[datetime] = mapped_column(index=True)


class OpenIdRequest(Base):
    """A sign-in that was sent to the institution's provider and has not come back."""

    __tablename__ = "openid_requests"

    state: Mapped[str] = mapped_column(Machine, primary_key=True)  # hash of what the browser carries
    nonce: Mapped[str] = mapped_column(Machine)
    verifier: Mapped[bytes] = mapped_column(LargeBinary)  # sealed
    person_id: Mapped[int | None]  # who wants to have it linked; None for a sign-in
    created: Mapped[datetime] = mapped_column(default=now)
