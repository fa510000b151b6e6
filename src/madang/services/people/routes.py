"""The pages of signing in and out, with a password or through the institution's provider; the rest is beside it."""

import re
from typing import Annotated
from urllib.parse import quote, unquote

from fastapi import Query
from pydantic import Field
from starlette.responses import RedirectResponse, Response

from madang.base.translate import _
from madang.node.people import openid, sessions, sign_in
from madang.web import Here, Room, View, notes
from madang.web.problems import SET_UP
from madang.web.visit import cookie_name, is_encrypted

room = Room("people", __package__)
_PATH = re.compile(r"/(?![/\\])[^\s\\]*")
BACK = "/sign-in/openid/back"


class SignInPage(View):
    """Where people sign in; `next` is the page that they wanted, `provider` what the other way in is called."""

    next: str
    provider: str


class SignIn(View):
    """Who signs in."""

    login: str = Field(title="The account", min_length=1, max_length=200)
    password: str = Field(title="The password", min_length=1, max_length=1_000)
    code: str = Field(default="", title="The one-time code", max_length=50)
    next: str = Field(default="/", max_length=2_000)


Next = Annotated[str, Query(max_length=2_000)]


@room.page("/sign-in", "sign_in.html")
def sign_in_page(visit: Here, next: Next = "/") -> SignInPage:
    """Where people sign in."""
    return SignInPage(next=_own(next), provider=provider_of(visit))


@room.act("/sign-in", at=sign_in_page)
def enter(visit: Here, given: SignIn) -> Response:
    """Sign in; the answer brings the cookie."""
    browser = visit.request.headers.get("user-agent", "")
    cookie = sign_in.sign_in(
        visit.node, given.login, given.password, given.code, address=visit.address, browser=browser
    )
    return _signed_in(visit, cookie, given.next)


@room.act("/sign-out", at=sign_in_page)
def leave(visit: Here) -> Response:
    """Sign out; the session is over."""
    if visit.actor.session_id is not None:
        sessions.end_session(visit.node, visit.actor, visit.actor.session_id)
    answer = RedirectResponse("/", 303)
    answer.delete_cookie(cookie_name(visit.request), path="/", secure=is_encrypted(visit.request), httponly=True)
    return answer


@room.bytes("/sign-in/openid")
def to_provider(visit: Here, next: Next = "/") -> Response:
    """Go to the institution's provider to sign in there; the answer brings the cookie that knows the way back."""
    url, state = openid.begin(visit.node, visit.origin + BACK)
    answer = RedirectResponse(url, 303)
    secure = is_encrypted(visit.request)
    answer.set_cookie(_asked(visit), f"{state}~{quote(_own(next), safe='/')}", 600, httponly=True, secure=secure)
    return answer


@room.bytes(BACK)
def from_provider(visit: Here) -> Response:
    """Where the provider sends the browser back to: somebody signs in, or an identity is linked to their account."""
    kept, _mark, next = visit.request.cookies.get(_asked(visit), "").partition("~")
    query = dict(visit.request.query_params)
    vouched = openid.finish(visit.node, visit.actor, visit.origin + BACK, kept, query)
    if vouched.person_id is not None:
        openid.link_identity(visit.node, visit.actor, vouched)
        answer: Response = RedirectResponse("/account", 303)
        notes.leave(answer, visit.request, _("The identity is linked; you can sign in through it."))
        return answer
    browser = visit.request.headers.get("user-agent", "")
    cookie = openid.sign_in_with_identity(visit.node, vouched, address=visit.address, browser=browser)
    answer = _signed_in(visit, cookie, unquote(next))
    answer.delete_cookie(_asked(visit), secure=is_encrypted(visit.request), httponly=True)
    return answer


def provider_of(visit: Here) -> str:
    """What the institution's provider is called; nothing, if there is none."""
    settings = visit.node.settings.openid
    return (settings.title or settings.issuer) if openid.is_offered(visit.node) else ""


def _signed_in(visit: Here, cookie: str, next: str) -> Response:
    if visit.actor.session_id is not None:  # whoever was signed in here before is no more
        sessions.end_session(visit.node, visit.actor, visit.actor.session_id)
    wanted = _own(next)
    answer = RedirectResponse(_first(visit, cookie) or ("/start" if wanted == "/" else wanted), 303)
    secure = is_encrypted(visit.request)
    answer.set_cookie(cookie_name(visit.request), cookie, httponly=True, samesite="lax", secure=secure, path="/")
    return answer


def _first(visit: Here, cookie: str) -> str:
    """Where somebody goes who has to choose a password or set up codes before anything else."""
    actor = sessions.actor_of_cookie(visit.node, cookie, visit.address)
    return SET_UP.get(actor.lacks, "") if actor else ""


def _asked(visit: Here) -> str:
    """The name of the cookie of a sign-in that is at the provider."""
    return f"{cookie_name(visit.request)}_openid"


def _own(next: str) -> str:
    """A path of this site, whatever was asked for."""
    return next if _PATH.fullmatch(next) else "/"
