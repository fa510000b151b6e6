"""The pages of people: signing in and out, one's own account."""

import re
from datetime import datetime
from typing import Annotated

from fastapi import Query
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import selectinload
from starlette.responses import RedirectResponse, Response

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.people import accounts, codes, openid, sessions, sign_in, tokens
from madang.node.people.models import Person, Role
from madang.node.permissions import check
from madang.web import Done, Here, Room, View
from madang.web.visit import cookie_name, is_encrypted

room = Room("people", __package__)
_PATH = re.compile(r"/(?![/\\])[^\s\\]*")


class SignInPage(View):
    """Where people sign in; `next` is the page that they wanted."""

    next: str
    provider: str


class SignIn(View):
    """Who signs in."""

    login: str = Field(title="The account", min_length=1, max_length=200)
    password: str = Field(title="The password", min_length=1, max_length=1_000)
    code: str = Field(default="", title="The one-time code", max_length=50)
    next: str = Field(default="/", max_length=2_000)


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


class Account(View):
    """One's own account."""

    login: str
    name: str
    email: str
    roles: list[str]
    has_codes: bool
    sessions: list[Session]
    tokens: list[Token]


class NewPassword(View):
    """A new password, and the one that holds now."""

    current: str = Field(title="The current password", min_length=1, max_length=1_000)
    new: str = Field(title="The new password", min_length=1, max_length=1_000)


class NewToken(View):
    """A token to be made."""

    name: str = Field(title="The name", min_length=1, max_length=120)
    scope: str = Field(default="read", title="What it may do", max_length=500)
    days: int = Field(default=30, title="The days", ge=1, le=3_650)


class Secret(View):
    """Something that is shown this once."""

    title: str
    secrets: list[str]


class CodesPage(View):
    """A secret for one-time codes, to be confirmed by a code."""

    secret: str
    picture: str


class NewCodes(View):
    """The secret that an authenticator has, and a code that proves it."""

    secret: str = Field(title="The secret", min_length=16, max_length=64, pattern="^[A-Z2-7]+$")
    code: str = Field(title="The one-time code", min_length=6, max_length=10)


class Ended(View):
    """Which one is ended."""

    id: int = Field(title="The number", ge=1)


@room.page("/sign-in", "sign_in.html")
def sign_in_page(visit: Here, next: Annotated[str, Query(max_length=2_000)] = "/") -> SignInPage:
    """Where people sign in."""
    offered = openid.is_offered(visit.node)
    settings = visit.node.settings.openid
    return SignInPage(next=_own(next), provider=(settings.title or settings.issuer) if offered else "")


@room.act("/sign-in", at=sign_in_page)
def enter(visit: Here, given: SignIn) -> Response:
    """Sign in; the answer brings the cookie."""
    browser = visit.request.headers.get("user-agent", "")
    cookie = sign_in.sign_in(
        visit.node, given.login, given.password, given.code, address=visit.address, browser=browser
    )
    if visit.actor.session_id is not None:  # whoever was signed in here before is no more
        sessions.end_session(visit.node, visit.actor, visit.actor.session_id)
    return _signed_in(visit, cookie, given.next)


def _signed_in(visit: Here, cookie: str, next: str) -> Response:
    answer = RedirectResponse(_own(next), 303)
    secure = is_encrypted(visit.request)
    answer.set_cookie(cookie_name(visit.request), cookie, httponly=True, samesite="lax", secure=secure, path="/")
    return answer


def _own(next: str) -> str:
    """A path of this site, whatever was asked for."""
    return next if _PATH.fullmatch(next) else "/"


@room.act("/sign-out", at=sign_in_page)
def leave(visit: Here) -> Response:
    """Sign out; the session is over."""
    if visit.actor.session_id is not None:
        sessions.end_session(visit.node, visit.actor, visit.actor.session_id)
    answer = RedirectResponse("/", 303)
    answer.delete_cookie(cookie_name(visit.request), path="/", secure=is_encrypted(visit.request), httponly=True)
    return answer


@room.page("/account", "account.html")
def account(visit: Here) -> Account:
    """Your account: roles, sessions, tokens."""
    person = _person(visit)
    known: dict[str, list[str]] = {}
    for role in person.roles:
        known.setdefault(role.organization.title, []).append(role.role)
    return Account(
        login=person.login,
        name=person.name,
        email=person.email,
        roles=[f"{title}: {', '.join(sorted(names))}" for title, names in known.items()],
        has_codes=person.code_secret is not None,
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
    )


def _person(visit: Here) -> Person:
    if visit.actor.person_id is None:
        raise MadangError("permission.sign_in", _("This needs an account."), _("Sign in first."))
    with visit.node.read() as session:
        roles = selectinload(Person.roles).selectinload(Role.organization)
        person = session.scalar(select(Person).where(Person.id == visit.actor.person_id).options(roles))
        check(visit.actor, "account.edit", person)
        assert person is not None  # an account that is gone has no session
        return person


@room.act("/account/password", at=account)
def password(visit: Here, given: NewPassword) -> Done:
    """Set your password; you are signed out everywhere else."""
    _person(visit)  # so that a stranger is asked to sign in, whatever they sent
    accounts.change_password(visit.node, visit.actor, given.current, given.new)
    return Done(see="/account", message=_("The password is changed."))


@room.act("/account/tokens", at=account)
def make_token(visit: Here, given: NewToken) -> Secret:
    """Make an API token; its secret is shown this once."""
    _person(visit)
    secret = tokens.make_token(visit.node, visit.actor, given.name, given.scope.split(), given.days)
    return Secret(title=_("Your new token. It is shown this once."), secrets=[secret])


@room.act("/account/tokens/revoke", at=account)
def revoke_token(visit: Here, given: Ended) -> Done:
    """Have a token stand for nobody from now on."""
    _person(visit)
    tokens.revoke_token(visit.node, visit.actor, given.id)
    return Done(see="/account", message=_("The token is revoked."))


@room.act("/account/sessions/end", at=account)
def end_session(visit: Here, given: Ended) -> Done:
    """End one of your sessions."""
    _person(visit)
    sessions.end_session(visit.node, visit.actor, given.id)
    return Done(see="/account", message=_("The session is over."))


@room.act("/account/sessions/end-others", at=account)
def end_others(visit: Here) -> Done:
    """End all your sessions but this one."""
    count = sessions.end_other_sessions(visit.node, visit.actor)
    return Done(see="/account", message=_("{count} sessions are over.").format(count=count))


@room.page("/account/codes", "codes.html")
def codes_page(visit: Here) -> CodesPage:
    """Where one-time codes are set up: a secret for an authenticator, which counts only once it is confirmed."""
    import segno

    secret = codes.new_secret()
    address = codes.secret_address(visit.node, _person(visit), secret)
    picture = segno.make(address, micro=False).svg_data_uri(scale=5, border=3, light="#fff", dark="#000")
    return CodesPage(secret=secret, picture=picture)


@room.act("/account/codes", at=codes_page)
def set_up_codes(visit: Here, given: NewCodes) -> Secret:
    """Ask for one-time codes from now on; the recovery codes are shown this once."""
    recovery = codes.set_up_codes(visit.node, visit.actor, given.secret, given.code)
    title = _("Your recovery codes. They are shown this once; each stands in for a code once.")
    return Secret(title=title, secrets=recovery)
