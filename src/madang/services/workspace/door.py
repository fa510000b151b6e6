"""The way from the portal to the notebooks: a ticket that is good once, and a gateway process that is there.

The portal answers in several processes, and a kernel belongs to one; so the gateway is a process of its own, started
when it is first needed by whichever process of the portal holds its lock, and ended with that one. Notebooks are
reached on another host name, which shares no cookie with the portal: the ticket says who comes.
"""

import base64
import hashlib
import hmac
import json
import os
import secrets
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake.files import locked
from madang.node.node import Node

TICKET = 30  # seconds that a ticket is good for
FILE = "gateway.json"  # in the folder `run`: where the gateway listens
_START = 20  # seconds that it may take to start
_holding = threading.Lock()


@dataclass(frozen=True)
class Ticket:
    """Who comes to which workspace; `made` in seconds since 1970, `nonce` to be used once."""

    workspace: int
    person: int
    session: int | None
    language: str
    made: float
    nonce: str


def make_ticket(node: Node, workspace: int, person: int, session: int | None, language: str) -> str:
    """A ticket as it goes into an address."""
    told = {"w": workspace, "p": person, "s": session, "l": language, "m": time.time(), "n": secrets.token_hex(16)}
    body = base64.urlsafe_b64encode(json.dumps(told).encode()).rstrip(b"=").decode()
    return f"{body}.{_sign(node, body)}"


def read_ticket(node: Node, text: str, *, since: float) -> Ticket:
    """What a ticket says that was made after `since`. Errors: `workspace.ticket`."""
    try:
        body, _dot, signature = text.partition(".")
        if not hmac.compare_digest(signature.encode(), _sign(node, body).encode()):
            raise ValueError
        told = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        ticket = Ticket(told["w"], told["p"], told["s"], told["l"], told["m"], told["n"])
        if not max(since, time.time() - TICKET) <= ticket.made <= time.time() + 1:
            raise ValueError
    except (ValueError, KeyError, TypeError):
        raise MadangError(
            "workspace.ticket", _("This way into the workspace is over."), _("Go in from the workspace's page again.")
        ) from None
    return ticket


def _sign(node: Node, body: str) -> str:
    return hmac.new(node.home.key("workspace-door"), body.encode(), hashlib.sha256).hexdigest()


def address_of(node: Node, portal: str) -> str:
    """Under which address notebooks are reached by somebody who reached the portal at `portal`, an origin."""
    if node.settings.workspace.address:
        return node.settings.workspace.address
    port = read_place(node).get("port", node.settings.workspace.port)
    other = "127.0.0.1" if urlsplit(portal).hostname == "localhost" else "localhost"
    return f"http://{other}:{port}"


def read_place(node: Node) -> dict[str, Any]:
    """Where the gateway listens, as it wrote it; empty if it is not there."""
    try:
        return dict(json.loads((node.home.folder("run") / FILE).read_text("utf-8")))
    except (OSError, ValueError):
        return {}


def is_there(node: Node) -> bool:
    """Whether a gateway answers."""
    import socket

    port = read_place(node).get("port")
    if not isinstance(port, int):
        return False
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def ensure_gateway(node: Node) -> None:
    """Have a gateway: the one that is there, or a new one. Errors: `workspace.gateway`."""
    end = time.monotonic() + _START
    while not is_there(node):
        if _holding.acquire(blocking=False):
            for name in ("run", "logs"):
                node.home.folder(name)
            threading.Thread(target=_hold, args=(node.home.path,), name="gateway", daemon=True).start()
        if time.monotonic() > end:
            raise MadangError(
                "workspace.gateway",
                _("The gateway to the notebooks did not start."),
                _("See logs/gateway.log in the home of this installation."),
            )
        time.sleep(0.05)


def _hold(home: Path) -> None:
    """In a thread: be the one process that has a gateway, as long as it lives; it ends when its input does."""
    busy = MadangError("workspace.gateway", "another process has it")
    try:
        with (
            locked(home / "run" / "gateway.lock", exclusive=True, patience=0, busy=busy),
            (home / "logs" / "gateway.log").open("ab") as log,
        ):
            environment = {
                **os.environ,
                "MADANG_HOME": str(home),
                "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
            }
            command = [sys.executable, "-m", "madang.services.workspace.gateway"]
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, env=environment
            )
            process.wait()
    except (MadangError, OSError):
        time.sleep(0.5)  # whoever waits for it asks again
    finally:
        _holding.release()
