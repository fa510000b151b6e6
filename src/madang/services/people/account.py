"""The pages of one's own account: password, one-time codes, sessions, tokens, identities at a provider.

Whatever changes how somebody proves who they are wants the proof of now once more: `Proved`.
"""

from datetime import datetime
from typing import Any

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from madang.base.errors import MadangError
from madang.base.translate import _, in_language
from madang.node.people import accounts, codes, openid, second, sessions, tokens
from madang.node.people.models import Person, Role
from madang.node.people.proof import Proof
from madang.node.permissions import check
from madang.services.people.roles import role_named
from madang.services.people.routes import BACK, provider_of, room
from madang.web import Done, Here, Number, View


class Session(View):
    """A browser that is signed in."""

    id: int
    address: str
    browser: str
    method: str
    created: datetime
    seen: datetime
    here: bool


class Token(View):
    """An API token, without its secret."""

    id: int
    name: str
    scopes: str
    created: datetime
    expires: datetime
    used: datetime | None
    revoked: datetime | None


class Linked(View):
    """An identity at a provider that signs in here."""

    id: int
    issuer: str
    subject: str


class Own(View):
    """What proves who one is."""

    login: str
    has_password: bool
    has_codes: bool


class Account(Own):
    """One's own account; `lacks` is what has to be set up before anything else."""

    lacks: str
    name: str
    email: str
    roles: list[str]
    sessions: list[Session]
    tokens: list[Token]
    linked: list[Linked]
    provider: str


class Secrets(View):
    """Something that is shown this once."""

    title: str
    secrets: list[str]


class CodesPage(Own):
    """A secret for one-time codes, to be confirmed by a code."""

    secret: str


class Way(View):
    """Where to go on, at another site."""

    title: str
    address: str


class Proved(View):
    """What proves once more who somebody is, as they sign in now."""

    password: str = Field(default="", title="The current password", max_length=1_000)
    code: str = Field(default="", title="The one-time code", max_length=50)

    @property
    def proof(self) -> Proof:
        """The same, for the node."""
        return Proof(self.password, self.code)


class NewPassword(Proved):
    """A new password."""

    new: str = Field(title="The new password", min_length=1, max_length=1_000)


class NewToken(Proved):
    """A token to be made."""

    name: str = Field(title="The name", min_length=1, max_length=120)
    scope: str = Field(default="read", title="What it may do", max_length=500)
    days: int = Field(default=30, title="The days", ge=1, le=3_650)


class NewCodes(Proved):
    """The secret that an authenticator has, and its code, which proves that it has it."""

    secret: str = Field(title="The secret", min_length=16, max_length=64, pattern="^[A-Z2-7]+$")
    new_code: str = Field(title="The code of the new secret", min_length=6, max_length=10)


class Numbered(View):
    """Which one is meant."""

    id: Number = Field(title="The number")


@room.page("/account", "account.html")
def account(visit: Here) -> Account:
    """Your account: roles, sessions, tokens."""
    person = _person(visit)
    known: dict[str, list[str]] = {}
    for role in person.roles:
        title = in_language(role.organization.title, role.organization.title_en)
        known.setdefault(title, []).append(role_named(role.role))
    return Account(
        **_proves(person),
        lacks=visit.actor.lacks,
        name=person.name,
        email=person.email,
        roles=[f"{title}: {', '.join(sorted(names))}" for title, names in known.items()],
        sessions=[
            Session(
                id=each.id,
                address=each.address,
                browser=each.browser,
                method=each.method,
                created=each.created,
                seen=each.seen,
                here=each.id == visit.actor.session_id,
            )
            for each in sessions.list_sessions(visit.node, visit.actor, person.id)
        ],
        tokens=[
            Token(
                id=each.id,
                name=each.name,
                scopes=each.scopes,
                created=each.created,
                expires=each.expires,
                used=each.used,
                revoked=each.revoked,
            )
            for each in tokens.list_tokens(visit.node, visit.actor, person.id)
        ],
        linked=[
            Linked(id=each.id, issuer=each.issuer, subject=each.subject)
            for each in openid.identities(visit.node, visit.actor)
        ],
        provider=provider_of(visit),
    )


def _person(visit: Here) -> Person:
    """Who is signed in; every act asks, so that a stranger is told to sign in whatever they sent."""
    if visit.actor.person_id is None:
        raise MadangError("permission.sign_in", _("This needs an account."), _("Sign in first."))
    with visit.node.read() as session:
        roles = selectinload(Person.roles).selectinload(Role.organization)
        person = session.scalar(select(Person).where(Person.id == visit.actor.person_id).options(roles))
        check(visit.actor, "account.edit", person)
        assert person is not None  # an account that is gone has no session
        return person


def _proves(person: Person) -> dict[str, Any]:
    return {
        "login": person.login,
        "has_password": person.password is not None,
        "has_codes": person.code_secret is not None,
    }


def own(visit: Here) -> Own | None:
    """What proves who somebody is; None for who is no person."""
    return None if visit.actor.person_id is None else Own(**_proves(_person(visit)))


@room.act("/account/password", at=account)
def password(visit: Here, given: NewPassword) -> Done:
    """Set your password; you are signed out everywhere else."""
    _person(visit)
    accounts.change_password(visit.node, visit.actor, given.proof, given.new)
    return Done(see="/account", message=_("The password is changed."))


@room.act("/account/tokens", at=account)
def make_token(visit: Here, given: NewToken) -> Secrets:
    """Make an API token; its secret is shown this once."""
    _person(visit)
    secret = tokens.make_token(visit.node, visit.actor, given.proof, given.name, given.scope.split(), given.days)
    return Secrets(title=_("Your new token. It is shown this once."), secrets=[secret])


@room.act("/account/tokens/revoke", at=account)
def revoke_token(visit: Here, given: Numbered) -> Done:
    """Have a token stand for nobody from now on."""
    _person(visit)
    tokens.revoke_token(visit.node, visit.actor, given.id)
    return Done(see="/account", message=_("The token is revoked."))


@room.act("/account/sessions/end", at=account)
def end_session(visit: Here, given: Numbered) -> Done:
    """End one of your sessions."""
    _person(visit)
    sessions.end_session(visit.node, visit.actor, given.id)
    return Done(see="/account", message=_("The session is over."))


@room.act("/account/sessions/end-others", at=account)
def end_others(visit: Here) -> Done:
    """End all your sessions but this one."""
    count = sessions.end_other_sessions(visit.node, visit.actor)
    return Done(see="/account", message=_("{count} sessions are over.").format(count=count))


@room.act("/account/link", at=account)
def link(visit: Here, given: Proved) -> Way:
    """Link your identity at the institution's provider, which is asked about it next."""
    _person(visit)
    url, _state = openid.begin_link(visit.node, visit.actor, given.proof, visit.origin + BACK)
    return Way(title=_("Sign in there, and you come back here."), address=url)


@room.act("/account/unlink", at=account)
def unlink(visit: Here, given: Numbered) -> Done:
    """Have an identity at a provider sign in here no longer."""
    _person(visit)
    openid.unlink_identity(visit.node, visit.actor, given.id)
    return Done(see="/account", message=_("The identity is no longer linked."))


@room.page("/account/codes", "codes.html")
def codes_page(visit: Here) -> CodesPage:
    """Where one-time codes are set up: a secret for an authenticator, which counts only once it is confirmed."""
    return CodesPage(secret=codes.new_secret(), **_proves(_person(visit)))


@room.act("/account/codes", at=codes_page)
def set_up_codes(visit: Here, given: NewCodes) -> Secrets:
    """Ask for one-time codes from now on; the recovery codes are shown this once."""
    _person(visit)
    recovery = second.set_up_codes(visit.node, visit.actor, given.proof, given.secret, given.new_code)
    return _recovery(recovery)


@room.act("/account/codes/recovery", at=codes_page)
def renew_recovery_codes(visit: Here, given: Proved) -> Secrets:
    """Make new recovery codes; the old ones are void."""
    _person(visit)
    return _recovery(second.new_recovery_codes(visit.node, visit.actor, given.proof))


def _recovery(codes: list[str]) -> Secrets:
    title = _("Your recovery codes. They are shown this once; each stands in for a code once.")
    return Secrets(title=title, secrets=codes)


def picture_of(visit: Here, secret: str) -> str:
    """The secret of one-time codes as a QR code, for the `src` of a picture."""
    import segno

    address = codes.secret_address(visit.node, _person(visit), secret)
    return str(segno.make(address, micro=False).svg_data_uri(scale=5, border=3, light="#fff", dark="#000"))


room.helpers |= {"picture_of": picture_of}
