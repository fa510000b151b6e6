"""The gate before ATLAS: only who holds the key of this start comes through, from this site, while it is permitted.

ATLAS's own server has no sign-in. The gate listens on loopback under a host name of its own, so that it shares no
cookie with the portal; it takes the key once from the address and then as a cookie, refuses other host names and
requests that another site caused, hands on nothing of a request but what ATLAS needs, and asks before every request
whether it is still permitted. What is saved in ATLAS is told to the shelf before the answer goes back.
"""

import asyncio
import http.client
import json
import re
import secrets
import socket
from collections.abc import Callable, Mapping
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

from starlette.types import Receive, Scope, Send

COOKIE = "madang_atlas"
LARGEST = 8 << 20  # bytes of a request
SECONDS = 600
_HANDED_ON = ("accept", "accept-language", "content-type", "if-none-match", "if-modified-since")
_HANDED_BACK = ("content-type", "etag", "last-modified", "location")
_DEFINITION = re.compile(r"/WebAPI/cohortdefinition/?(\d+)?/?")
_POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; connect-src 'self'; form-action 'self'; "
    "base-uri 'self'; frame-ancestors 'none'; object-src 'none'"
)
HEADERS = {
    "content-security-policy": _POLICY,  # ATLAS's build needs inline scripts; nothing is loaded from or sent elsewhere
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}

Saved = Callable[[int, str, str], None]
"""Told of a definition that was saved in ATLAS: its number there, its name, its expression as JSON."""


class Gate:
    """An ASGI application that hands requests on to the socket of one ATLAS.

    `permitted` is asked before every request and answers "" or why not; `saved` is told of definitions. `host` is the
    only name that is answered to, by `scheme`. The address with `key` in it is what its owner is given; key and cookie
    begin with `name` and a point, where several are reached at one address.
    """

    def __init__(
        self,
        socket_path: Path,
        host: str,
        permitted: Callable[[], str] = lambda: "",
        saved: Saved | None = None,
        *,
        scheme: str = "http",
        name: str = "",
    ) -> None:
        self.socket_path = socket_path
        self.host = host
        self.permitted = permitted
        self.saved = saved
        self.scheme = scheme
        before = f"{name}." if name else ""
        self.key = before + secrets.token_urlsafe(32)
        self._cookie = before + secrets.token_urlsafe(32)
        self._used = False

    @property
    def address(self) -> str:
        """Where its owner begins; the key works once."""
        return f"{self.scheme}://{self.host}/?{urlencode({'key': self.key})}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] == "lifespan":
            return await lifespan(receive, send)
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        refused = self._refused(headers, scope)
        if refused:
            return await _answer(send, 403, {"content-type": "text/plain; charset=utf-8"}, refused.encode())
        if self._takes_key(scope):
            secure = "; Secure" if self.scheme == "https" else ""
            cookie = f"{COOKIE}={self._cookie}; HttpOnly; SameSite=Lax; Path=/{secure}"
            return await _answer(send, 303, {"location": "/", "set-cookie": cookie}, b"")
        if not self._has_cookie(headers):
            text = b"This address works only with the key that was shown when ATLAS was started."
            return await _answer(send, 401, {"content-type": "text/plain"}, text)
        body = await body_of(receive, headers)
        if body is None:
            return await _answer(send, 413, {"content-type": "text/plain"}, b"The request is too large.")
        target = scope["raw_path"].decode("latin-1").partition("?")[0]
        if scope["query_string"]:
            target += "?" + scope["query_string"].decode("latin-1")
        try:
            status, found, data = await asyncio.to_thread(self._ask, scope["method"], target, headers, body)
        except (OSError, http.client.HTTPException):
            return await _answer(send, 502, {"content-type": "text/plain"}, b"ATLAS does not answer.")
        if self.saved is not None and status < 300 and scope["method"] in ("POST", "PUT"):
            await asyncio.to_thread(self._tell, scope["path"], data)
        await _answer(send, status, {**found, **HEADERS}, data)

    def _refused(self, headers: Mapping[str, str], scope: Scope) -> str:
        if headers.get("host", "") != self.host:
            return "This name is not answered to."
        site = headers.get("sec-fetch-site", "none")
        opening = headers.get("sec-fetch-mode", "navigate") == "navigate" and scope["method"] in ("GET", "HEAD")
        if site not in ("same-origin", "none") and not opening:
            return "Another site caused this request."
        origin = headers.get("origin")
        if origin is not None and origin != f"{self.scheme}://{self.host}":
            return "Another site caused this request."
        return self.permitted()

    def _takes_key(self, scope: Scope) -> bool:
        given = parse_qs(scope["query_string"].decode("latin-1")).get("key", [""])[0]
        if scope["path"] != "/" or scope["method"] != "GET" or self._used:
            return False
        self._used = secrets.compare_digest(given.encode(), self.key.encode())
        return self._used

    def _has_cookie(self, headers: Mapping[str, str]) -> bool:
        try:
            found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return False
        return found is not None and secrets.compare_digest(found.value.encode(), self._cookie.encode())

    def _ask(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        handed = {name: headers[name] for name in _HANDED_ON if name in headers}
        return ask(self.socket_path, method, target, handed, body)

    def _tell(self, path: str, data: bytes) -> None:
        if self.saved is None or not _DEFINITION.fullmatch(path):
            return
        try:
            found = json.loads(data)
            self.saved(int(found["id"]), str(found["name"]), str(found["expression"]))
        except (ValueError, KeyError, TypeError):
            return  # it was no definition that was answered


class _Unix(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("atlas", timeout=SECONDS)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(SECONDS)
        self.sock.connect(str(self.path))


def ask(
    socket_path: Path, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b""
) -> tuple[int, dict[str, str], bytes]:
    """One request to ATLAS on its socket: status, the headers that are handed back, content."""
    status, every, data = ask_all(socket_path, method, target, headers, body)
    return status, {name: value for name, value in every.items() if name in _HANDED_BACK}, data


def ask_all(
    socket_path: Path, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b""
) -> tuple[int, dict[str, str], bytes]:
    """One request to a server on a socket: status, all headers of the answer, content."""
    connection = _Unix(socket_path)
    try:
        connection.request(method, target, body or None, dict(headers or {}))
        response = connection.getresponse()
        data = response.read()
        return response.status, dict(_pairs(response)), data
    finally:
        connection.close()


def _pairs(response: http.client.HTTPResponse) -> list[tuple[str, str]]:
    return [(name.lower(), value) for name, value in response.getheaders()]


async def body_of(receive: Receive, headers: Mapping[str, str]) -> bytes | None:
    """The content of a request; None if it is too large."""
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > LARGEST:
        return None
    found, more = bytearray(), True
    while more:
        message: Any = await receive()
        found += message.get("body", b"")
        more = message.get("more_body", False)
        if len(found) > LARGEST:
            return None
    return bytes(found)


async def _answer(send: Send, status: int, headers: Mapping[str, str], body: bytes) -> None:
    await answer(send, status, {**HEADERS, **headers}, body)


async def answer(send: Send, status: int, headers: Mapping[str, str], body: bytes) -> None:
    """Answer a request with these headers."""
    every = {**headers, "content-length": str(len(body))}
    pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in every.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})


async def lifespan(receive: Receive, send: Send) -> None:
    """Answer that all is well when the server starts and ends."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
