"""A sentence for the next page: what an act did. It travels in a cookie of a minute and is shown as text, once."""

from urllib.parse import quote, unquote

from starlette.requests import HTTPConnection
from starlette.responses import Response

from madang.web.visit import is_encrypted

COOKIE = "madang_note"


def leave(answer: Response, request: HTTPConnection, sentence: str) -> None:
    """Have the next page show `sentence`."""
    if sentence:
        answer.set_cookie(
            COOKIE, quote(sentence[:500]), max_age=60, httponly=True, samesite="lax", secure=is_encrypted(request)
        )


def take(request: HTTPConnection) -> str:
    """The sentence that waits to be shown, or nothing."""
    return unquote(request.cookies.get(COOKIE, ""))[:500]
