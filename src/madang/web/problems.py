"""Every error of the house as an answer: problem+json (RFC 9457) for programs, a page for people."""

import logging
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.rooms import statuses
from madang.web.doors import Doors

API = ("/api/", "/ga4gh/")  # where programs ask

# What an error code means in HTTP, the first pattern that fits; everything else is bad input.
_STATUS = (
    (r"permission\.sign_in|people\.(wrong|code_needed|sign_in_again)", 401),
    (r"permission\..*|web\.origin|people\.(disabled|guarded|lacks_[a-z]+)", 403),
    (r"web\.method", 405),
    (r"web\.too_large", 413),
    (r"people\.too_many_attempts", 429),
    (r"web\.mistake", 500),
    (r"database\.(busy|unreachable|disk_full)|closed\.missing|lake\.busy", 503),
    (r".*\.(none|unknown|no_[a-z]+)", 404),
    (r".*\.(removed|withdrawn)", 410),
    (r".*\.(taken|changed|conflict|state)|people\.login_taken", 409),
)


# Where a person is led who lacks something (`Actor.lacks`, the error `people.lacks_...`).
SET_UP = {"password": "/account#password", "code": "/account/codes"}


def status_of(error: MadangError) -> int:
    """The HTTP status of an error."""
    known = statuses().get(error.code)
    return known or next((status for pattern, status in _STATUS if re.fullmatch(pattern, error.code)), 422)


def problem(error: MadangError) -> dict[str, Any]:
    """An error as RFC 9457 has it: `title` is the sentence, `detail` the hint, `code` ours."""
    found = {"type": f"urn:madang:problem:{error.code}", "title": error.message, "status": status_of(error)}
    return found | ({"detail": error.hint} if error.hint else {}) | {"code": error.code}


def answer(request: HTTPConnection, error: MadangError) -> Response:
    """The answer to whoever asked: JSON below /api, a page otherwise; who has to sign in first is sent there."""
    status = status_of(error)
    headers = {"Retry-After": "60"} if status in (429, 503) else {}
    if request.url.path.startswith(API):
        if status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return JSONResponse(problem(error), status, headers, media_type="application/problem+json")
    if error.code == "permission.sign_in" and request.scope["method"] in ("GET", "HEAD"):
        back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/sign-in?{urlencode({'next': back})}", 303)
    lacked = error.code.rpartition("lacks_")[2]
    if lacked in SET_UP and request.scope["method"] in ("GET", "HEAD"):
        return RedirectResponse(SET_UP[lacked], 303)
    from madang.web.pages import show_problem

    return show_problem(request, error, status, headers)


class Mistakes:
    """Answers what nobody foresaw: a sentence for the reader, the whole story for the log."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        begun = replaced = False

        async def watched(message: Message) -> None:
            nonlocal begun, replaced
            begun = True
            if _is_bare_refusal(message):  # whatever we answer to a body that is too large, the framework says this
                replaced = True
                await answer(HTTPConnection(scope), _of_status(413))(scope, receive, send)
            elif not replaced:
                await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception:
            logging.getLogger("madang.web").exception("a mistake at %s", scope.get("path"))
            if begun:
                raise
            message = _("Something went wrong here, and it is our mistake.")
            error = MadangError("web.mistake", message, _("It is in the log of this installation."))
            await answer(HTTPConnection(scope), error)(scope, receive, send)


def _is_bare_refusal(message: Message) -> bool:
    """Whether an answer of the framework's begins here that a body is too large; ours are never plain text."""
    return (
        message["type"] == "http.response.start"
        and message["status"] == 413
        and Headers(raw=message["headers"]).get("content-type", "").startswith("text/plain")
    )


def install(app: FastAPI) -> None:
    """Have `app` answer every error so."""

    @app.exception_handler(MadangError)
    def ours(request: Request, error: MadangError) -> Response:
        return answer(request, error)

    @app.exception_handler(RequestValidationError)
    def refused(request: Request, error: RequestValidationError) -> Response:
        return answer(request, bad_input(error.errors()[0]))

    @app.exception_handler(HTTPException)
    def known(request: Request, error: HTTPException) -> Response:
        answered = answer(request, _of_status(error.status_code))
        if error.status_code == 405:
            answered.headers["Allow"] = ", ".join(_methods(app, request))
        return answered


def _methods(app: FastAPI, request: Request) -> list[str]:
    """What the address of a request answers to."""
    within = [route for each in app.routes if isinstance(each, Doors) for route in each.routes]
    found = {
        method
        for route in [*app.routes, *within]
        if hasattr(route, "methods") and route.matches(request.scope)[0] is not Match.NONE
        for method in getattr(route, "methods", None) or ()
    }
    return sorted(found)


def bad_input(error: Mapping[str, Any], label: str = "") -> MadangError:
    """One complaint of Pydantic's as a sentence; `label` is what people call the field."""
    place = [str(part) for part in error.get("loc", ()) if part not in ("body", "query", "path")]
    name, kind, limits = label or ".".join(place) or _("The request"), str(error["type"]), error.get("ctx", {})
    if kind == "missing":
        return MadangError("web.missing", _("{name} is missing.").format(name=name))
    if kind == "string_too_short":
        return MadangError("web.value", _("{name} is missing or too short.").format(name=name))
    if kind in ("string_too_long", "bytes_too_long", "too_long"):
        most = limits.get("max_length")
        return MadangError("web.value", _("{name} is too long; {most} is the most.").format(name=name, most=most))
    if kind in ("literal_error", "enum"):
        hint = _("It can be: {values}.").format(values=limits.get("expected", ""))
        return MadangError("web.value", _("{name} cannot have this value.").format(name=name), hint)
    return MadangError("web.value", _("{name} cannot have this value.").format(name=name), str(error.get("msg", "")))


def _of_status(status: int) -> MadangError:
    if status == 404:
        return MadangError("web.none", _("There is nothing at this address."), _("Search, or go to the front page."))
    if status == 405:
        return MadangError("web.method", _("This address does not answer to that method."))
    if status == 413:
        return MadangError("web.too_large", _("The request is too large."))
    return MadangError("web.value", _("This request cannot be read."))
