"""The doors of LTI 1.3: platforms, the way in from one, and what a teacher chooses for it."""

from html import escape
from typing import Annotated, Any
from urllib.parse import quote, urlsplit

from fastapi import Query
from pydantic import BaseModel, Field
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from madang.base.translate import _, language, later
from madang.node.acts import label
from madang.node.people import sessions
from madang.node.permissions import may
from madang.science.grading.tasks import in_language
from madang.services.training import courses, lti, service, tokens
from madang.services.training.acts import ADD_PLATFORM
from madang.services.training.routes_teaching import room
from madang.web import Done, Here, Number, View
from madang.web.headers import POLICY
from madang.web.visit import cookie_name, is_encrypted

COOKIE = "madang_lti"


class PlatformLine(View):
    """A platform from which people come."""

    number: int
    title: str
    issuer: str
    client: str
    deployments: str
    state: str
    state_name: str


class Platforms(View):
    """The platforms, and what one of them has to know of us."""

    platforms: list[PlatformLine]
    begin: str
    launch: str
    keys: str
    may_add: bool


class Adds(BaseModel):
    """A platform as its administrator says it."""

    title: str = Field(max_length=120, title=later("Title"))
    issuer: str = Field(max_length=500, title=later("Issuer"))
    client: str = Field(max_length=250, title=later("Number for us (client_id)"))
    deployments: str = Field(max_length=2_000, title=later("Deployments"))
    sign_in: str = Field(max_length=500, title=later("Address to sign in"))
    tokens: str = Field(max_length=500, title=later("Address for tokens"))
    keys: str = Field(max_length=500, title=later("Address of its keys"))


class Place(View):
    """Something that can be chosen, and how deep it lies in its course."""

    place: str
    title: str
    depth: int


class Choice(View):
    """What a teacher may place in a platform."""

    number: int
    platform: str
    several: bool
    places: list[Place]


class Chosen(BaseModel):
    """What was chosen."""

    places: list[str] = Field(max_length=100, title=later("What is shown"))


@room.page("/training/platforms", "platforms.html")
def platforms(visit: Here) -> Platforms:
    """The learning platforms from which people come here."""
    found = lti.list_platforms(visit.node, visit.actor)
    return Platforms(
        platforms=[
            PlatformLine(
                number=each.id,
                title=each.title,
                issuer=each.issuer,
                client=each.client,
                deployments=each.deployments,
                state=each.state,
                state_name=label("platform", each.state),
            )
            for each in found
        ],
        begin=f"{visit.origin}/training/lti/login",
        launch=f"{visit.origin}{lti.LAUNCH}",
        keys=f"{visit.origin}/training/lti/keys.json",
        may_add=may(visit.actor, ADD_PLATFORM),
    )


@room.act("/training/platforms", at=platforms)
def add_platform(visit: Here, given: Adds) -> Done:
    """Register a platform."""
    lti.add_platform(visit.node, visit.actor, **given.model_dump())
    return Done(see="/training/platforms", message=_("The platform is registered."))


@room.act("/training/platforms/{number}/close", at=platforms)
def close_platform(visit: Here, number: Number) -> Done:
    """Let nobody in from it any more."""
    lti.close_platform(visit.node, visit.actor, number)
    return Done(see="/training/platforms", message=_("Nobody comes in from it any more."))


@room.bytes("/training/lti/keys.json", "application/json")
def keys(visit: Here) -> Response:
    """Our public keys, which platforms fetch."""
    return JSONResponse(tokens.our_public_keys(visit.node.home))


@room.bytes("/training/lti/login")
def login(visit: Here) -> Response:
    """Where a platform's page sends the browser first; it goes on to sign in there."""
    return _away(visit, dict(visit.request.query_params))


@room.post_from_elsewhere("/training/lti/login")
def login_by_form(visit: Here, fields: dict[str, Any]) -> Response:
    """The same as a form, which some platforms send."""
    return _away(visit, fields)


def _away(visit: Here, asked: dict[str, Any]) -> Response:
    url, state = lti.begin(visit.node, asked, visit.origin)
    answer = RedirectResponse(url, 302)
    secure = is_encrypted(visit.request)
    answer.set_cookie(COOKIE, state, 600, path="/training/lti", httponly=True, samesite="lax", secure=secure)
    return answer


@room.post_from_elsewhere(lti.LAUNCH)
def launch(visit: Here, fields: dict[str, Any]) -> Response:
    """The platform's form with its signed token: it is believed once, and the browser goes on from our own page."""
    ticket = quote(lti.believe(visit.node, fields), safe="")
    # Not a redirect: from a page of our own the browser sends the cookie that it got when it set out.
    way = escape(f"/training/lti/enter?ticket={ticket}", quote=True)
    return HTMLResponse(_ON.format(way=way, text=escape(_("Go on to the course"))))


_ON = """<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">
<meta http-equiv="refresh" content="0;url={way}">
<title>Madang</title><p><a href="{way}">{text}</a></p>"""


@room.bytes("/training/lti/enter")
def enter(visit: Here, ticket: Annotated[str, Query(max_length=2_000)] = "") -> Response:
    """Come in: a session that reaches learning only, in the browser that set out."""
    browser = visit.request.headers.get("user-agent", "")
    kept = visit.request.cookies.get(COOKIE, "")
    cookie, see, _person = lti.enter(visit.node, ticket, kept, address=visit.address, browser=browser)
    if visit.actor.session_id is not None:  # whoever was signed in here before is no more
        sessions.end_session(visit.node, visit.actor, visit.actor.session_id)
    answer = RedirectResponse(see, 303)
    secure = is_encrypted(visit.request)
    answer.set_cookie(cookie_name(visit.request), cookie, httponly=True, samesite="lax", secure=secure, path="/")
    answer.delete_cookie(COOKIE, path="/training/lti", secure=secure, httponly=True)
    return answer


@room.page("/training/lti/choose/{number}", "choose.html")
def choice(visit: Here, number: Number) -> Choice:
    """What a teacher may place in a platform: courses, lessons, tasks."""
    found = lti.find_launch(visit.node, visit.actor, number)
    places = []
    for course in courses.all_courses(service.home_of(visit.node)):
        places.append(Place(place=course.name, title=in_language(course.title, language()), depth=0))
        for lesson in course.lessons:
            at = f"{course.name}/{lesson.name}"
            places.append(Place(place=at, title=in_language(lesson.title, language()), depth=1))
            places += [
                Place(place=f"{at}/{task.name}", title=in_language(task.title, language()), depth=2)
                for task in lesson.tasks
            ]
    several = '"several": true' in found.asked
    return Choice(number=number, platform=found.platform.title, several=several, places=places)


@room.act("/training/lti/choose/{number}", at=choice)
def choose(visit: Here, number: Number, given: Chosen) -> Any:
    """Take what was chosen back to the platform: by a form of ours that somebody sends."""
    back, token = lti.choose(visit.node, visit.actor, number, given.places, visit.origin)
    if visit.request.url.path.startswith("/api/"):
        return Done(see=back, message=token)
    parts = urlsplit(back)
    policy = POLICY.replace("form-action 'self'", f"form-action {parts.scheme}://{parts.netloc}")
    page = _BACK.format(
        language=language(),
        back=escape(back, quote=True),
        token=token,
        title=escape(_("Take it back to the course")),
        text=escape(_("What you chose goes back to your learning platform with this button.")),
        button=escape(_("Take it there")),
    )
    return HTMLResponse(page, headers={"Content-Security-Policy": policy})


_BACK = """<!doctype html><html lang="{language}"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
<title>{title} · Madang</title><main><h1>{title}</h1><p>{text}</p>
<form method="post" action="{back}"><input type="hidden" name="JWT" value="{token}"><button>{button}</button></form>
</main></html>"""
