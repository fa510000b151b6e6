"""LTI 1.3: people who come from a learning platform, and what they come for.

The platform's page sends the browser to `begin`, which sends it back to sign in there; what comes then is a form of
the platform's with a signed token (`believe`), the one kind of form of another site that is let in. It counts once, and
only in the browser that began: that has a cookie with the state, which is looked at when the browser comes in from our
own page (`enter`). The session that it gets reaches learning only (`RoomPlan.narrow`).

Standards: IMS Security Framework 1.0, LTI 1.3, Deep Linking 2.0.
"""

import hmac
import json
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.acts import doing
from madang.node.database import now
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.people.models import Identity, Person
from madang.node.people.sessions import begin_session, hash_of
from madang.node.permissions import check
from madang.node.text import clean_line
from madang.science.grading.tasks import in_language, is_name
from madang.services.training import courses, tokens
from madang.services.training.acts import ADD_PLATFORM, CHOOSE, CLOSE_PLATFORM, LIST_PLATFORMS
from madang.services.training.models import Launch, Placed, Platform
from madang.services.training.service import home_of
from madang.services.training.tokens import refused

METHOD = "lti"  # how a session of somebody who came so began
LAUNCH = "/training/lti/launch"
CLAIM = "https://purl.imsglobal.org/spec/lti/claim/"
DEEP = "https://purl.imsglobal.org/spec/lti-dl/claim/"
GRADES = "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"
SCORE_SCOPE = "https://purl.imsglobal.org/spec/lti-ags/scope/score"
_PATIENCE = 600  # seconds from when somebody sets out until they are back
_KEPT = timedelta(days=1)  # how long a launch is known, so that it does not count again
_TEACHES = ("#Instructor", "#ContentDeveloper", "#Administrator", "#TeachingAssistant")


@dataclass(frozen=True)
class Wanted:
    """What a launch leads to: a course, or a lesson or task of it; all empty where it names none."""

    course: str = ""
    lesson: str = ""
    task: str = ""

    @property
    def path(self) -> str:
        """Where that is seen."""
        parts = [each for each in (self.course, self.lesson, self.task) if each]
        return "/".join(["/training", "courses", *parts]) if parts else "/training"


# Platforms


def add_platform(
    node: Node,
    actor: Actor,
    *,
    title: str,
    issuer: str,
    client: str,
    deployments: str,
    sign_in: str,
    tokens: str,
    keys: str,
) -> int:
    """Register a platform; its number. Errors: `lti.platform`."""
    check(actor, ADD_PLATFORM)
    for url in (issuer, sign_in, tokens, keys):
        parts = urlsplit(url)
        if parts.scheme not in ("https", "http") or not parts.netloc or "@" in parts.netloc or len(url) > 500:
            raise MadangError("lti.platform", _("{url} is no address of the web.").format(url=url[:100]))
    if not client.strip() or not deployments.split() or len(client) > 250 or len(deployments) > 2_000:
        raise MadangError(
            "lti.platform",
            _("The platform's number for us (client_id) and at least one deployment are needed."),
            _("The platform shows them once we are registered there."),
        )
    made = Platform(
        title=clean_line(title, _("Title"), 120, required=True),
        issuer=issuer,
        client=client.strip(),
        deployments=" ".join(deployments.split()),
        sign_in=sign_in,
        tokens=tokens,
        keys=keys,
    )
    with node.read() as session:
        if session.scalar(select(Platform.id).filter_by(issuer=made.issuer, client=made.client)) is not None:
            raise MadangError("lti.platform", _("This platform is registered already."))
    with doing(node, actor, ADD_PLATFORM, lambda session: made) as done:
        done.tell(issuer=made.issuer, client=made.client)
    return made.id


def list_platforms(node: Node, actor: Actor) -> Sequence[Platform]:
    """All platforms, for who answers for the installation."""
    check(actor, LIST_PLATFORMS)
    with node.read() as session:
        return session.scalars(select(Platform).order_by(Platform.id)).all()


def close_platform(node: Node, actor: Actor, number: int) -> None:
    """Let nobody in from a platform any more. Errors: `lti.none`."""

    def find(session: Session) -> Platform:
        found = session.get(Platform, number)
        if found is None:
            raise MadangError("lti.none", _("There is no platform {number}.").format(number=number))
        return found

    with doing(node, actor, CLOSE_PLATFORM, find) as done:
        done.tell(issuer=done.thing.issuer, client=done.thing.client)


# Launches


def begin(node: Node, asked: Mapping[str, Any], origin: str) -> tuple[str, str]:
    """Where to send a browser that a platform's page sent, and the state that its cookie keeps.

    Errors: `lti.refused`.
    """
    platform = _platform(node, str(asked.get("iss", "")), str(asked.get("client_id", "")))
    hint = asked.get("login_hint")
    if not isinstance(hint, str) or not hint or len(hint) > 4_000:
        raise refused(_("it does not say who comes"))
    nonce = secrets.token_urlsafe(24)
    state = _signed(node, "state", {"n": nonce, "p": platform.id, "m": int(time.time())})
    query = {
        "scope": "openid",
        "response_type": "id_token",
        "response_mode": "form_post",
        "prompt": "none",
        "client_id": platform.client,
        "redirect_uri": f"{origin}{LAUNCH}",
        "login_hint": hint,
        "state": state,
        "nonce": nonce,
    }
    message = asked.get("lti_message_hint")
    if isinstance(message, str) and len(message) <= 4_000:
        query["lti_message_hint"] = message
    mark = "&" if urlsplit(platform.sign_in).query else "?"
    return f"{platform.sign_in}{mark}{urlencode(query)}", state


def _platform(node: Node, issuer: str, client: str = "") -> Platform:
    with node.read() as session:
        found = session.scalars(select(Platform).where(Platform.issuer == issuer, Platform.state == "open")).all()
    fits = [each for each in found if not client or each.client == client]
    if len(fits) != 1:
        raise refused(_("this platform is not registered here"))
    return fits[0]


def believe(node: Node, fields: Mapping[str, Any]) -> str:
    """The ticket by which the browser comes in after a platform's form. Errors: `lti.refused`, `people.disabled`."""
    state, token = fields.get("state"), fields.get("id_token")
    if not isinstance(state, str) or not isinstance(token, str):
        error = fields.get("error")
        raise refused(str(error)[:100] if isinstance(error, str) else _("it has no token"))
    told = _read(node, "state", state)
    with node.read() as session:
        platform = session.get(Platform, told["p"])
    if platform is None or platform.state != "open":
        raise refused(_("this platform is not registered here"))
    claims = tokens.claims_of(platform, token)
    if not hmac.compare_digest(str(claims["nonce"]), str(told["n"])):
        raise refused(_("it belongs to another launch"))
    _check_message(platform, claims)
    wanted = _wanted(node, claims)
    asked = _asked(claims)
    with node.write() as session:
        at = now()
        session.execute(delete(Launch).where(Launch.created < at - _KEPT))
        nonce = hash_of(str(claims["nonce"]))
        if session.scalar(select(Launch.id).where(Launch.nonce == nonce)) is not None:
            raise refused(_("it was used already"))
        person = _person(session, node, platform, claims)
        launch = Launch(nonce=nonce, platform_id=platform.id, person_id=person.id, see=wanted.path, asked=asked)
        session.add(launch)
        _place(session, platform, person, claims, wanted)
        session.flush()
        number = launch.id
    return _signed(node, "ticket", {"l": number, "n": told["n"], "m": int(time.time())})


def enter(node: Node, ticket: str, kept: str, *, address: str = "", browser: str = "") -> tuple[str, str, Person]:
    """A session for who came: its cookie, where to go, and who it is. `kept` is the state of the browser's cookie.

    Errors: `lti.refused` where it is another browser, too late, or was done already.
    """
    told = _read(node, "ticket", ticket)
    if not kept:
        raise refused(_("this browser did not begin it, or it is in a frame: open it in a window of its own"))
    if _read(node, "state", kept)["n"] != told["n"]:
        raise refused(_("another browser began it"))
    with node.write() as session:
        launch = session.get(Launch, told["l"], with_for_update=True)
        if launch is None or launch.entered is not None:
            raise refused(_("it was used already"))
        launch.entered = now()
        person = session.get_one(Person, launch.person_id)
        cookie = begin_session(session, node, person, address=address, browser=browser, method=METHOD)
        see = f"/training/lti/choose/{launch.id}" if launch.asked else launch.see
        session.expunge(person)
    return cookie, see, person


def _check_message(platform: Platform, claims: Mapping[str, Any]) -> None:
    """Errors: `lti.refused` where the claims of LTI are not as they have to be."""
    if claims.get(f"{CLAIM}version") != "1.3.0":
        raise refused(_("it is no LTI 1.3"))
    if claims.get(f"{CLAIM}deployment_id") not in platform.deployments.split():
        raise refused(_("it comes from a place (deployment) that is not registered here"))
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= 255 or not subject.isprintable():
        raise refused(_("it does not say who comes"))
    kind = claims.get(f"{CLAIM}message_type")
    if kind == "LtiResourceLinkRequest":
        link = claims.get(f"{CLAIM}resource_link")
        if not isinstance(link, dict) or not isinstance(link.get("id"), str) or not 0 < len(link["id"]) <= 255:
            raise refused(_("it does not say from which place it comes"))
    elif kind != "LtiDeepLinkingRequest":
        raise refused(_("it is no kind of message that is known here"))


def _wanted(node: Node, claims: Mapping[str, Any]) -> Wanted:
    """What the launch is for, by what was chosen when it was placed, else by its address."""
    custom = claims.get(f"{CLAIM}custom")
    given = [custom.get(each) for each in ("course", "lesson", "task")] if isinstance(custom, dict) else []
    if not any(given):
        path = urlsplit(str(claims.get(f"{CLAIM}target_link_uri", ""))).path
        given = [*path.removeprefix("/training/courses/").split("/")] if path.startswith("/training/courses/") else []
    names = [each for each in given if isinstance(each, str) and is_name(each)][:3]
    wanted = Wanted(*names)
    if not wanted.course:
        return Wanted()
    found = courses.find_course(wanted.course, home_of(node))
    if wanted.lesson:
        lesson = found.lesson(wanted.lesson)
        if wanted.task:
            lesson.task(wanted.task)
    return wanted


def _asked(claims: Mapping[str, Any]) -> str:
    """What a teacher is to choose for, as JSON; empty where it is no such launch. Errors: `lti.refused`."""
    if claims.get(f"{CLAIM}message_type") != "LtiDeepLinkingRequest":
        return ""
    roles = claims.get(f"{CLAIM}roles")
    teaches = isinstance(roles, list) and any(str(each).endswith(_TEACHES) for each in roles)
    settings = claims.get(f"{DEEP}deep_linking_settings")
    back = settings.get("deep_link_return_url") if isinstance(settings, dict) else None
    if not teaches:
        raise refused(_("only a teacher chooses what is shown"))
    if not isinstance(back, str) or urlsplit(back).scheme not in ("https", "http") or len(back) > 2_000:
        raise refused(_("it does not say where to go back to"))
    assert isinstance(settings, dict)
    kept = {"back": back, "data": settings.get("data"), "deployment": claims[f"{CLAIM}deployment_id"]}
    kept["several"] = settings.get("accept_multiple") is True
    text = json.dumps(kept)
    if len(text) > 20_000:
        raise refused(_("it is too large"))
    return text


def _person(session: Session, node: Node, platform: Platform, claims: Mapping[str, Any]) -> Person:
    """The account of whom a platform vouches for; made at the first launch, without a password and without a role."""
    issuer = f"lti {platform.issuer} {platform.client}"
    known = session.scalar(select(Identity).filter_by(issuer=issuer, subject=claims["sub"]))
    if known is not None:
        person = session.get_one(Person, known.person_id)
        if person.disabled:
            raise MadangError("people.disabled", _("The account {login} is disabled.").format(login=person.login))
        return person
    parts = [claims.get("name") or " ".join(str(claims.get(each, "")) for each in ("given_name", "family_name"))]
    name = "".join(each for each in str(parts[0]) if each.isprintable()).strip()[:120] or _("learner")
    person = Person(login=f"lti-{secrets.token_hex(6)}", name=clean_line(name, _("The name"), 120, required=True))
    session.add(person)
    session.flush()
    session.add(Identity(person_id=person.id, issuer=issuer, subject=claims["sub"]))
    node.audit.record(session, Actor.node(), "person.create", f"person:{person.id}", {"login": person.login})
    return person


def _place(session: Session, platform: Platform, person: Person, claims: Mapping[str, Any], wanted: Wanted) -> None:
    """Keep where the platform wants the grade, if it lets us pass one."""
    endpoint, link = claims.get(GRADES), claims.get(f"{CLAIM}resource_link")
    if not isinstance(endpoint, dict) or not isinstance(link, dict) or not wanted.course:
        return
    lineitem, scopes = endpoint.get("lineitem"), endpoint.get("scope")
    if not isinstance(lineitem, str) or not isinstance(scopes, list) or SCORE_SCOPE not in scopes:
        return
    if tokens.place_of(lineitem) not in tokens.hosts_of(platform) or len(lineitem) > 2_000:
        return
    known = session.scalar(select(Placed).filter_by(platform_id=platform.id, person_id=person.id, resource=link["id"]))
    placed = known or Placed(platform_id=platform.id, person_id=person.id, resource=link["id"])
    placed.subject, placed.lineitem = claims["sub"], lineitem
    placed.course, placed.lesson, placed.task = wanted.course, wanted.lesson, wanted.task
    session.add(placed)


# Choosing what is shown there (Deep Linking 2.0)


def find_launch(node: Node, actor: Actor, number: int) -> Launch:
    """A launch of one's own at which something is to be chosen. Errors: `lti.none`."""
    with node.read() as session:
        found = session.get(Launch, number)
        if found is None or not found.asked or found.person_id != actor.person_id:
            raise MadangError(
                "lti.none", _("There is nothing to choose here."), _("Begin again from the course there.")
            )
        check(actor, CHOOSE, found)
        _loaded = found.platform
        session.expunge_all()
    return found


def choose(node: Node, actor: Actor, number: int, places: Sequence[str], origin: str) -> tuple[str, str]:
    """Where a browser takes what was chosen, and the token that it takes there.

    `places` are COURSE, COURSE/LESSON or COURSE/LESSON/TASK. Errors: `lti.none`, `course.none`, `lti.one`.
    """
    launch = find_launch(node, actor, number)
    asked = json.loads(launch.asked)
    if not places or (len(places) > 1 and not asked["several"]):
        raise MadangError("lti.one", _("Choose one course, lesson or task."))
    at = int(time.time())
    claims = {
        "iss": launch.platform.client,
        "aud": launch.platform.issuer,
        "iat": at,
        "exp": at + 300,
        "nonce": secrets.token_urlsafe(24),
        f"{CLAIM}deployment_id": asked["deployment"],
        f"{CLAIM}message_type": "LtiDeepLinkingResponse",
        f"{CLAIM}version": "1.3.0",
        f"{DEEP}content_items": [_item(node, each, origin) for each in places],
    }
    if asked["data"] is not None:
        claims[f"{DEEP}data"] = asked["data"]
    return asked["back"], tokens.sign(node.home, claims)


def _item(node: Node, place: str, origin: str) -> dict[str, Any]:
    """A course, lesson or task as a link that a platform places."""
    names = [each for each in place.split("/") if is_name(each)][:3]
    wanted = Wanted(*names)
    course = courses.find_course(wanted.course or "-", home_of(node))
    title = course.title
    if wanted.lesson:
        title = course.lesson(wanted.lesson).title
        if wanted.task:
            title = course.lesson(wanted.lesson).task(wanted.task).title
    label = in_language(title, node.settings.language)
    custom = {name: value for name, value in vars(wanted).items() if value}
    return {
        "type": "ltiResourceLink",
        "title": label,
        "text": in_language(course.summary, node.settings.language),
        "url": f"{origin}{LAUNCH}",
        "custom": custom,
        "window": {"targetName": "_blank"},
        "lineItem": {
            "scoreMaximum": courses.largest_of(course, wanted.lesson, wanted.task),
            "label": label,
            "resourceId": "/".join(names),
        },
    }


# What browsers carry for us


def _signed(node: Node, kind: str, told: Mapping[str, Any]) -> str:
    body = urlsafe_b64encode(json.dumps(told).encode()).rstrip(b"=").decode()
    return f"{body}.{_mark(node, kind, body)}"


def _read(node: Node, kind: str, text: str) -> dict[str, Any]:
    """What we signed some minutes ago. Errors: `lti.refused`."""
    body, _dot, signature = text.partition(".")
    if not hmac.compare_digest(signature.encode(), _mark(node, kind, body).encode()):
        raise refused(_("it was not begun here"))
    told: dict[str, Any] = json.loads(tokens.decoded(body))
    if not -5 <= time.time() - told["m"] <= _PATIENCE:
        raise refused(_("it took too long"))
    return told


def _mark(node: Node, kind: str, body: str) -> str:
    return hmac.new(node.home.key("lti-state"), f"{kind}.{body}".encode(errors="replace"), "sha256").hexdigest()
