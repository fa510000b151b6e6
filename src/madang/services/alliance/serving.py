"""The address at which partners come: in the portal, or alone with TLS of its own."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.node import Node
from madang.services.alliance import exchange, wire

MOST_AT_ONCE = 120  # partners that wait for a question at the same time


async def message(request: Request) -> Response:
    """Take a signed message of a partner."""
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > wire.LARGEST:
        return _problem(MadangError("alliance.body", _("A message is too large.")), 413)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > wire.LARGEST:
            return _problem(MadangError("alliance.body", _("A message is too large.")), 413)
    headers = {name.lower(): value for name, value in request.headers.items()}
    node: Node = request.app.state.node
    try:
        status, given, answer = await run_in_threadpool(exchange.received, node, headers, bytes(body))
    except MadangError as error:
        status = {"alliance.order": 409, "alliance.body": 422, "alliance.code": 422}.get(error.code, 401)
        return _problem(error, status)
    return Response(answer, status, given)


def _problem(error: MadangError, status: int) -> Response:
    told = {"title": error.message, "detail": error.message, "code": error.code, "hint": error.hint, "status": status}
    return JSONResponse(told, status, media_type="application/problem+json")


def application(node: Node) -> Any:
    """Only that address, for a process of its own."""
    from anyio.to_thread import current_default_thread_limiter
    from starlette.applications import Starlette
    from starlette.routing import Route

    @contextlib.asynccontextmanager
    async def life(_app: Any) -> AsyncIterator[None]:
        current_default_thread_limiter().total_tokens = MOST_AT_ONCE
        yield

    app = Starlette(routes=[Route(wire.PATH, message, methods=["POST"])], lifespan=life)
    app.state.node = node
    return app


def serve(node: Node, host: str, port: int, certificate: Path | None, key: Path | None, authority: Path | None) -> None:
    """Answer partners, with TLS where a certificate is given, with mutual TLS where an authority is, until Ctrl-C."""
    import ssl

    import uvicorn

    from madang.web.server import listen

    try:
        listening = listen(host, port)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        why = _("Nothing can listen on {host}:{port} ({reason}).").format(host=host, port=port, reason=reason)
        raise MadangError("serve.port", why) from None
    tls: dict[str, Any] = {}
    if certificate is not None and key is not None:
        tls = {"ssl_certfile": str(certificate), "ssl_keyfile": str(key)}
        if authority is not None:
            tls |= {"ssl_ca_certs": str(authority), "ssl_cert_reqs": ssl.CERT_REQUIRED}
    app = application(node)
    from madang.base.console import console

    scheme = "https" if tls else "http"
    at = listening.getsockname()[1]
    console().print(_("Partners are answered at {address}.").format(address=f"{scheme}://{host}:{at}"), markup=False)
    try:
        config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False, **tls)
        uvicorn.Server(config).run(sockets=[listening])
    except (OSError, ssl.SSLError) as error:
        raise MadangError(
            "alliance.authority", _("The certificate cannot be used: {reason}.").format(reason=error)
        ) from None
