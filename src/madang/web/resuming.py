"""Long answers that can be taken up again where they broke off: ETag, Range and If-Range (RFC 9110).

What is streamed has to come out byte for byte the same each time; a rest is made by making all and leaving out what is
there already. One range is answered; whatever else is asked for gets the whole, as the standard allows.
"""

import re
from collections.abc import Callable, Iterator

from starlette.requests import HTTPConnection
from starlette.responses import Response, StreamingResponse

_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_MOST = 4_096  # answers whose length is remembered
_lengths: dict[str, int] = {}  # by ETag, which names the bytes


def resumable(
    request: HTTPConnection,
    content: Callable[[], Iterator[bytes]],
    *,
    length: int | None,
    etag: str,
    media: str,
    name: str,
) -> Response:
    """A file called `name` in pieces that `content` makes; `etag` says which bytes they are.

    Where `length` is None it is counted, by making all once, only for who asks for a part; from the first time that
    all of it was made it is known.
    """
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "ETag": f'"{etag}"',
        "Accept-Ranges": "bytes",
    }
    if f'"{etag}"' in (given.strip() for given in request.headers.get("if-none-match", "").split(",")):
        return Response(status_code=304, headers=headers)
    length = length if length is not None else _lengths.get(etag)
    asked = _RANGE.fullmatch(request.headers.get("range", "").strip())
    if asked and request.headers.get("if-range", f'"{etag}"') == f'"{etag}"':
        whole = length if length is not None else _remember(etag, sum(map(len, content())))
        first = int(asked[1])
        last = min(int(asked[2]) if asked[2] else whole - 1, whole - 1)
        if first >= whole or first > last:
            return Response(status_code=416, headers=headers | {"Content-Range": f"bytes */{whole}"})
        part = {"Content-Range": f"bytes {first}-{last}/{whole}", "Content-Length": str(last - first + 1)}
        return StreamingResponse(_part(content(), first, last), 206, headers | part, media)
    if length is None:
        return StreamingResponse(_counted(etag, content()), media_type=media, headers=headers)
    return StreamingResponse(content(), media_type=media, headers=headers | {"Content-Length": str(length)})


def _counted(etag: str, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The pieces; once all were taken, their length is known."""
    length = 0
    for piece in pieces:
        length += len(piece)
        yield piece
    _remember(etag, length)


def _remember(etag: str, length: int) -> int:
    while len(_lengths) >= _MOST:
        _lengths.pop(next(iter(_lengths)), None)
    _lengths[etag] = length
    return length


def _part(pieces: Iterator[bytes], first: int, last: int) -> Iterator[bytes]:
    """The bytes from `first` to `last`, both included."""
    at = 0
    for piece in pieces:
        if at > last:
            return
        kept = piece[max(0, first - at) : last + 1 - at]
        at += len(piece)
        if kept:
            yield kept
