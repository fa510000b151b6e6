"""Tables of people: organizations, persons, roles, and how a person proves who they are."""

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column, relationship, synonym

from madang.node.database import Base, now
from madang.node.text import Line, Machine, Prose

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
    must_change: Mapped[bool] = mapped_column(default=False, server_default=false())  # a password that somebody gave
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


class Handover(Base):
    """A role that a person has handed to another for a time (대결·위임); who acts in it is seen in every event."""

    __tablename__ = "handovers"

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("persons.id", ondelete="CASCADE"))  # whose role it is
    to_id: Mapped[int] = mapped_column(ForeignKey("persons.id", ondelete="CASCADE"), index=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))
    role: Mapped[str] = mapped_column(Machine)
    reason: Mapped[str] = mapped_column(Line(300), default="")
    begins: Mapped[datetime]
    ends: Mapped[datetime]
    revoked: Mapped[datetime | None]
    owner_id: Mapped[int] = synonym("person_id")


class Project(Base):
    """What permits, workspaces, jobs, deposits and studies name: people of an organization with a purpose.

    `state` is active or ended.
    """

    __tablename__ = "projects"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Machine, unique=True)  # for addresses: small letters, digits, hyphens
    title: Mapped[str] = mapped_column(Line(300))
    purpose: Mapped[str] = mapped_column(Prose(5_000), default="")
    organization_id: Mapped[int] = mapped_column(ForeignKey("organizations.id"), index=True)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id", ondelete="SET NULL"))  # who began it
    state: Mapped[str] = mapped_column(Machine, default="active", server_default="active")
    created: Mapped[datetime] = mapped_column(default=now)
    ends: Mapped[datetime | None]
    organization: Mapped[Organization] = relationship()
    members: Mapped[list["ProjectMember"]] = relationship(
        back_populates="project", cascade="all, delete-orphan", passive_deletes=True
    )
    approvals: Mapped[list["ProjectApproval"]] = relationship(
        back_populates="project", cascade="all, delete-orphan", passive_deletes=True
    )
    project_id: Mapped[int] = synonym("id")


class ProjectMember(Base):
    """Somebody in a project, in one role, from a day until a day."""

    __tablename__ = "project_members"
    __table_args__ = (UniqueConstraint("project_id", "person_id", "role"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    person_id: Mapped[int] = mapped_column(ForeignKey("persons.id", ondelete="CASCADE"), index=True)
    role: Mapped[str] = mapped_column(Machine, default="project-member")
    begins: Mapped[datetime] = mapped_column(default=now)
    ends: Mapped[datetime | None]
    project: Mapped[Project] = relationship(back_populates="members")
    person: Mapped[Person] = relationship()


class ProjectApproval(Base):
    """An approval that somebody outside gave a project: an ethics board, a data review board; its number and end."""

    __tablename__ = "project_approvals"

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(Machine)  # ethics, data-review, other
    body: Mapped[str] = mapped_column(Line(200))
    number: Mapped[str] = mapped_column(Line(100))
    given: Mapped[datetime]
    ends: Mapped[datetime | None]
    document: Mapped[str] = mapped_column(Machine, default="")  # SHA-256 of a file of the home
    project: Mapped[Project] = relationship(back_populates="approvals")


class Permit(Base):
    """That a project may use a dataset, from when until when. The room that decides writes it; the house's one table
    of permissions asks it. `state` is in-force, suspended or ended; what the clock ends needs no state.
    """

    __tablename__ = "permits"

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(Machine, unique=True)  # as people cite it
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), index=True)
    dataset: Mapped[str] = mapped_column(Machine, index=True)  # which it opens: the extract made for it, or a whole one
    organization_id: Mapped[int] = mapped_column(ForeignKey("organizations.id"))  # the holder's
    state: Mapped[str] = mapped_column(Machine, default="in-force", server_default="in-force")
    begins: Mapped[datetime]
    ends: Mapped[datetime]
    document: Mapped[str] = mapped_column(Machine, default="")  # the signed permit
    created: Mapped[datetime] = mapped_column(default=now)
    project: Mapped[Project] = relationship()


class RecoveryCode(Base):
    """A code, kept as its hash, that stands in once for a one-time code."""

    __tablename__ = "recovery_codes"

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("persons.id", ondelete="CASCADE"), index=True)
    hash: Mapped[str] = mapped_column(Machine)
    used: Mapped[datetime | None]


class Invitation(Base):
    """A link, kept as its hash, with which somebody chooses the password of their account once."""

    __tablename__ = "invitations"

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("persons.id", ondelete="CASCADE"), index=True)
    hash: Mapped[str] = mapped_column(Machine, unique=True)
    created: Mapped[datetime] = mapped_column(default=now)
    ends: Mapped[datetime]


class GuardedChange(Base):
    """A change of an account that needs a second person; `kind` is role, password or codes, `state` is asked, done or
    refused."""

    __tablename__ = "guarded_changes"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(Machine)
    person_id: Mapped[int] = mapped_column(ForeignKey("persons.id", ondelete="CASCADE"), index=True)
    asked_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id", ondelete="SET NULL"))
    details: Mapped[str] = mapped_column(Machine, default="{}")  # JSON
    secret: Mapped[str] = mapped_column(Machine, default="")  # hash of the password to be set, while it waits
    state: Mapped[str] = mapped_column(Machine, index=True)
    created: Mapped[datetime] = mapped_column(default=now)
    decided: Mapped[datetime | None]
    decided_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id", ondelete="SET NULL"))
    person: Mapped[Person] = relationship(foreign_keys=person_id)
    asked: Mapped[Person | None] = relationship(foreign_keys=asked_id)
    decider: Mapped[Person | None] = relationship(foreign_keys=decided_id)


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
