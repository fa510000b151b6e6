"""One request: whose it is, and in which language."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection

from madang.base.errors import MadangError
from madang.base.translate import _, language
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.people.sessions import actor_of_cookie
from madang.node.people.tokens import actor_of_token


@dataclass(frozen=True)
class Visit:
    """What every function of a page gets first: the node, who is there, and the request where it is needed."""

    request: HTTPConnection
    node: Node
    actor: Actor

    @property
    def language(self) -> str:
        """The language that this reader reads."""
        return language()

    @property
    def address(self) -> str:
        """From where they come."""
        return address_of(self.request)

    @property
    def origin(self) -> str:
        """How people reach this installation, as `https://data.example.org`."""
        return origin_of(self.request)


def visit_of(request: HTTPConnection) -> Visit:
    """Who is there: whoever a token stands for, else whoever a cookie stands for, else a stranger."""
    node: Node = request.app.state.node
    address = address_of(request)
    scheme, _blank, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        actor = actor_of_token(node, secret.strip(), address)
        if actor is None:
            raise MadangError(
                "permission.sign_in", _("This token is not valid."), _("It was revoked, has expired, or never was.")
            )
        return Visit(request, node, actor)
    cookie = request.cookies.get(cookie_name(request), "")
    path = str(request.scope["path"]).removeprefix("/api/v1")
    found = actor_of_cookie(node, cookie, address, path) if cookie else None
    return Visit(request, node, found or Actor.stranger(address))


async def _visit(request: Request) -> Visit:
    if "authorization" in request.headers or cookie_name(request) in request.cookies:
        return await run_in_threadpool(visit_of, request)
    return visit_of(request)  # a stranger, which needs no question to the database


Here = Annotated[Visit, Depends(_visit)]


def is_encrypted(request: HTTPConnection) -> bool:
    """Whether the reader's browser speaks TLS, to us or to our proxy."""
    return bool(request.scope["scheme"] == "https")  # `request.url` takes as long to make as the question


def cookie_name(request: HTTPConnection) -> str:
    """The name of the session's cookie; `__Host-` binds it to this host and to TLS."""
    return "__Host-madang" if is_encrypted(request) else "madang"


def address_of(request: HTTPConnection) -> str:
    """The reader's address; `web.proxies` entries of X-Forwarded-For are believed, see `application`."""
    return request.client.host if request.client else ""


def origin_of(request: HTTPConnection) -> str:
    """Scheme and host under which people reach us: the setting, otherwise what the browser asked for."""
    node: Node = request.app.state.node
    return node.settings.web.address or f"{request.url.scheme}://{request.url.netloc}"
