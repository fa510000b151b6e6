"""Uploads by the tus 1.0 protocol (creation, checksum, termination by forgetting): they go on after any stop."""

import asyncio
import base64
import binascii
import hashlib
from typing import Annotated

from fastapi import Path, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.services.deposits import service, store
from madang.services.deposits.acts import DESCRIBE
from madang.services.deposits.routes import room
from madang.web.room import PREFIX
from madang.web.visit import Visit, visit_of

HEADERS = {"Tus-Resumable": "1.0.0", "Cache-Control": "no-store"}
PIECE = 2 << 20
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]


async def options(request: Request) -> Response:
    """What this server can do."""
    told = {
        "Tus-Version": "1.0.0",
        "Tus-Extension": "creation,checksum",
        "Tus-Max-Size": str(service.LARGEST),
        "Tus-Checksum-Algorithm": "sha256,sha1,md5",
    }
    return Response(status_code=204, headers=HEADERS | told)


async def create(name: str, request: Request) -> Response:
    """A place for a file: Upload-Length, and Upload-Metadata with `filename` and perhaps `sha256` or `md5`."""
    visit = visit_of(request)
    size = _number(request, "upload-length")
    told = _metadata(request.headers.get("upload-metadata", ""))
    wanted = told.get("sha256") or told.get("md5") or ""
    file = told.get("filename") or told.get("name") or ""

    def reserve() -> int:
        found = service.reserve(visit.node, visit.actor, name, file, size, wanted)
        if size == 0:
            service.finish(visit.node, visit.actor, name, found.id)
        return found.id

    number = await run_in_threadpool(reserve)
    place = f"/deposits/{name}/uploads/{number}"
    return Response(status_code=201, headers=HEADERS | {"Location": f"{visit.origin}{place}"})


async def head(name: str, number: Number, request: Request) -> Response:
    """How many bytes are there."""
    visit = visit_of(request)

    def where() -> tuple[int, int]:
        file = service.file_of(service.see(visit.node, visit.actor, name), number)
        return (file.bytes if file.sha256 else store.offset(visit.node.home, number)), file.bytes

    at, size = await run_in_threadpool(where)
    return Response(status_code=200, headers=HEADERS | {"Upload-Offset": str(at), "Upload-Length": str(size)})


async def patch(name: str, number: Number, request: Request) -> Response:
    """The next bytes, from the offset that the file has; when all are there, it is hashed."""
    visit = visit_of(request)
    if request.headers.get("content-type", "") != "application/offset+octet-stream":
        raise MadangError("deposit.media", _("The bytes of an upload are sent as application/offset+octet-stream."))
    at = _number(request, "upload-offset")
    size = await run_in_threadpool(_may_write, visit, name, number)
    algorithm, wanted = _checksum(request.headers.get("upload-checksum", ""))
    with store.appending(visit.node.home, number, at, size) as part:
        await _taken(request, part, algorithm)
        if algorithm is not None and algorithm.digest() != wanted:
            part.back_to(at)
            raise MadangError("deposit.checksum", _("These bytes are others than their checksum says."))
        end = part.at
    if end == size:
        await run_in_threadpool(service.finish, visit.node, visit.actor, name, number)
    return Response(status_code=204, headers=HEADERS | {"Upload-Offset": str(end)})


async def _taken(request: Request, part: store.Appender, algorithm: "hashlib._Hash | None") -> None:
    """Write what comes; while a piece is written and hashed the next one comes."""
    held: list[bytes] = []
    length = 0
    writing: asyncio.Future[None] | None = None
    try:
        async for piece in request.stream():
            held.append(piece)
            length += len(piece)
            if algorithm is not None:
                algorithm.update(piece)
            if length >= PIECE:
                if writing is not None:
                    await writing
                writing = asyncio.ensure_future(run_in_threadpool(part.write, b"".join(held)))
                held, length = [], 0
    finally:  # whatever ended it, nothing is written any more once the part is let go
        if writing is not None:
            await writing
    await run_in_threadpool(part.write, b"".join(held))
    await run_in_threadpool(part.settle)


def _may_write(visit: Visit, name: str, number: int) -> int:
    """How many bytes the file will have, for who may send them. Each piece asks, so the other files are not loaded."""
    from madang.node.permissions import check

    with visit.node.read() as session:  # only the whole file is an event
        deposit, file = service.found_alone(session, visit.actor, name, number)
    check(visit.actor, DESCRIBE, deposit)
    if deposit.state != "draft" or file.sha256:
        raise MadangError("deposit.offset", _("The file is whole already, or the deposit was submitted."))
    return file.bytes


def _number(request: Request, name: str) -> int:
    text = request.headers.get(name, "")
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise MadangError("deposit.length", _("The header {name} is missing or no number.").format(name=name))
    return int(text)


def _metadata(text: str) -> dict[str, str]:
    found = {}
    try:
        for pair in filter(None, text.split(",")):
            key, _space, value = pair.strip().partition(" ")
            found[key] = base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise MadangError("deposit.file_name", _("The Upload-Metadata cannot be read.")) from None
    return found


def _checksum(text: str) -> tuple["hashlib._Hash | None", bytes]:
    if not text:
        return None, b""
    name, _space, value = text.partition(" ")
    try:
        if name not in ("sha256", "sha1", "md5"):
            raise ValueError
        return hashlib.new(name, usedforsecurity=False), base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise MadangError("deposit.field", _("The Upload-Checksum cannot be read.")) from None


for _prefix in ("", PREFIX):
    for _path, _function, _method in (
        ("/deposits/{name}/uploads", options, "OPTIONS"),
        ("/deposits/{name}/uploads", create, "POST"),
        ("/deposits/{name}/uploads/{number}", head, "HEAD"),
        ("/deposits/{name}/uploads/{number}", patch, "PATCH"),
    ):
        room.router.add_api_route(
            _prefix + _path,
            _function,
            methods=[_method],
            include_in_schema=False,
            response_model=None,
            max_body_size=service.LARGEST,
        )
