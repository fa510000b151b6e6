"""Which language a page speaks: what its reader chose, what their browser asks for, what the settings say."""

from collections.abc import Iterable
from urllib.parse import parse_qs

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from madang.base.translate import LANGUAGES, speaking

COOKIE = "madang_language"
_YEAR = 365 * 24 * 3600


class Languages:
    """Has every request answered in its reader's language; `?lang=ko` on any address chooses, and is remembered."""

    def __init__(self, app: ASGIApp, default: str) -> None:
        self.app = app
        self.default = default

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        request = HTTPConnection(scope)
        chosen = _first(parse_qs(scope["query_string"].decode("latin-1")).get("lang", []))
        language = chosen or _first([request.cookies.get(COOKIE, "")]) or _asked_for(request) or self.default

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("Content-Language", language)
                headers.add_vary_header("Accept-Language, Cookie")
                if chosen:
                    headers.append("Set-Cookie", f"{COOKIE}={chosen}; Path=/; Max-Age={_YEAR}; SameSite=Lax; HttpOnly")
            await send(message)

        with speaking(language):
            await self.app(scope, receive, answer)


def _first(words: Iterable[str]) -> str:
    return next((word for word in words if word in LANGUAGES), "")


def _asked_for(request: HTTPConnection) -> str:
    """The language that the browser likes best of ours."""
    best, weight = "", 0.0
    for part in request.headers.get("accept-language", "").split(","):
        name, _semicolon, options = part.strip().partition(";")
        tag = name.strip().lower().split("-")[0]
        try:
            liked = float(options.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        if tag in LANGUAGES and liked > weight:
            best, weight = tag, liked
    return best
