"""What an upload is measured against: a server that hashes what comes (SHA-256 and MD5) and writes it, and no more."""

import hashlib
import os
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

SIZE = 600_000_000
state: dict[str, Any] = {}


async def upload(request: Request) -> Response:
    """The next bytes; a new file where they begin at 0, synced once it is whole."""
    at = int(request.headers["upload-offset"])
    if at == 0:
        state.update(file=open(os.environ["PLAIN"], "wb"), hashes=[hashlib.sha256(), hashlib.md5()])  # noqa: SIM115  # closed when the request ends
    async for piece in request.stream():
        state["file"].write(piece)
        for each in state["hashes"]:
            each.update(piece)
    if state["file"].tell() >= SIZE:
        state["file"].flush()
        os.fsync(state["file"].fileno())
        state["file"].close()
    return Response(status_code=204)


app = Starlette(routes=[Route("/upload", upload, methods=["PATCH"])])
