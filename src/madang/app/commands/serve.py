"""`madang serve`: the portal, until somebody stops it."""

import socket
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from madang.base.errors import MadangError
from madang.base.translate import _

if TYPE_CHECKING:
    from madang.node.node import Node
    from madang.node.settings import Settings


def command(
    host: Annotated[str, typer.Option(help=_("Address to listen on; the setting web.host if not given."))] = "",
    port: Annotated[
        int, typer.Option(help=_("Port to listen on, 0 for a free one; the setting web.port if not given."), min=-1)
    ] = -1,
) -> None:
    """Serve the portal of this installation to browsers and programs, until Ctrl-C."""
    from madang.node.node import opened

    with opened() as node:
        serve(node, _listening(node.settings, host or node.settings.web.host, port))


def serve(node: "Node", listening: socket.socket) -> None:
    """Answer on that socket; returns when asked to stop."""
    from madang.app.portal import portal
    from madang.base.console import console
    from madang.web.helpers import Helpers
    from madang.web.server import make_server, settle

    address = node.settings.web.address or address_of(listening)
    console().print(_("The portal is at {address} (Ctrl-C ends it).").format(address=address), markup=False)
    helper = [sys.executable, "-m", "madang.app.helper"]
    with Helpers(helper, listening, node.settings.web.processes - 1, {"MADANG_HOME": str(node.home.path)}):
        server = make_server(portal(node))
        settle()
        server.run(sockets=[listening])


def address_of(listening: socket.socket) -> str:
    """Where a browser finds a socket that listens."""
    host, port = listening.getsockname()[:2]
    named = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{named}:{port}"


def _listening(settings: "Settings", host: str, port: int) -> socket.socket:
    from madang.web.server import listen

    wanted = settings.web.port if port < 0 else port
    try:
        return listen(host, wanted)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise MadangError(
            "serve.port",
            _("The portal cannot listen on {host}:{port} ({reason}).").format(host=host, port=wanted, reason=reason),
            _("Give another one with --port, or 0 for any that is free."),
        ) from None
