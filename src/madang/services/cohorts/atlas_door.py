"""The door to ATLAS from other machines: one address for all that are open, each behind its own gate.

Each ATLAS that is opened for another machine has its gate on a socket in the folder `run`, named as the key and the
cookie of its owner begin. Whichever of these processes gets the port of the door hands every request on to the gate
that it names, unread; when it ends, the next one takes over. All that is checked is checked by the gate. The reverse
proxy that serves the portal stands before the port and hands the host name on.
"""

import asyncio
import contextlib
import http.client
import re
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from starlette.types import Receive, Scope, Send

from madang.node.node import Node
from madang.services.cohorts.gate import COOKIE, HEADERS, answer, ask_all, body_of, lifespan

_NAME = re.compile(r"([0-9a-f]{16})\.")
_OF_THE_CONNECTION = {"connection", "keep-alive", "transfer-encoding", "upgrade", "te", "trailer", "content-length"}


def socket_of(folder: Path, name: str) -> Path:
    """Where the gate of an ATLAS listens."""
    return folder / f"atlas-{name}.sock"


@contextmanager
def listening_at(folder: Path, name: str) -> Iterator[socket.socket]:
    """A socket for a gate, which nobody but this user can reach; gone afterwards."""
    for left in folder.glob("atlas-*.sock"):
        _remove_if_dead(left)
    path = socket_of(folder, name)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(path))
        path.chmod(0o600)
        listening.listen(128)
        try:
            yield listening
        finally:
            path.unlink(missing_ok=True)


def _remove_if_dead(path: Path) -> None:
    """Take away the socket of a process that was killed."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        try:
            asking.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
        except OSError:
            return


class Door:
    """An ASGI application that hands requests on to the gate that their key or cookie names."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] == "lifespan":
            return await lifespan(receive, send)
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        gate = self._gate(headers, scope)
        if gate is None:
            text = b"No ATLAS is open here for you. Open it from the portal."
            return await answer(send, 401, {"content-type": "text/plain", **HEADERS}, text)
        body = await body_of(receive, headers)
        if body is None:
            return await answer(send, 413, {"content-type": "text/plain", **HEADERS}, b"The request is too large.")
        target = scope["raw_path"].decode("latin-1").partition("?")[0]
        if scope["query_string"]:
            target += "?" + scope["query_string"].decode("latin-1")
        kept = {name: value for name, value in headers.items() if name not in _OF_THE_CONNECTION}
        try:
            status, found, data = await asyncio.to_thread(ask_all, gate, scope["method"], target, kept, body)
        except (OSError, http.client.HTTPException):
            text = b"This ATLAS has ended. Open it from the portal again."
            return await answer(send, 502, {"content-type": "text/plain", **HEADERS}, text)
        await answer(send, status, {n: v for n, v in found.items() if n not in _OF_THE_CONNECTION}, data)

    def _gate(self, headers: Mapping[str, str], scope: Scope) -> Path | None:
        given = parse_qs(scope["query_string"].decode("latin-1")).get("key", [""])[0] if scope["path"] == "/" else ""
        if not given:
            with contextlib.suppress(CookieError):
                given = getattr(SimpleCookie(headers.get("cookie", "")).get(COOKIE), "value", "")
        named = _NAME.match(given)
        path = socket_of(self.folder, named[1]) if named else None
        return path if path is not None and path.exists() else None


def keep_door(node: Node, over: threading.Event) -> None:
    """In a thread: be the door as soon as nobody else is, until it is over."""
    from madang.web.server import listen, make_server

    folder = node.home.folder("run")
    while not over.is_set():
        try:
            listening = listen("127.0.0.1", node.settings.atlas.port)
        except OSError:
            over.wait(1)
            continue
        with listening:
            server = make_server(Door(folder))

            def stop(of: Any = server) -> None:
                over.wait()
                of.should_exit = True

            threading.Thread(target=stop, daemon=True).start()
            server.run(sockets=[listening])
            time.sleep(0.1)
