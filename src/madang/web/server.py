"""The server that answers: one process, on a socket that listens already."""

import uvicorn
from starlette.types import ASGIApp


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
