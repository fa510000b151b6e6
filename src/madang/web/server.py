"""The server that answers: one process, on a socket that listens already."""

import gc
import socket

import uvicorn
from starlette.types import ASGIApp


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there; errors are those of `socket`, OSError and OverflowError."""
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    listening = socket.create_server((host, port), family=family, backlog=512)
    # Or the second half of every answer waits 40 ms for the browser to acknowledge the first.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def settle() -> None:
    """Leave what is loaded by now out of garbage collection, for which all answers wait longer the more there is."""
    gc.collect()
    gc.freeze()


def make_server(application: ASGIApp) -> uvicorn.Server:
    """A server for `application`; `run(sockets=[...])` answers until `should_exit`."""
    config = uvicorn.Config(
        application,
        log_level="warning",
        access_log=False,  # who read what is in the audit
        server_header=False,
        proxy_headers=False,  # the setting web.proxies says which are believed
        timeout_graceful_shutdown=5,
        limit_concurrency=500,
    )
    return uvicorn.Server(config)
