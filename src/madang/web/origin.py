"""Defense against requests that another site makes in somebody's name (CSRF).

A request that changes something must come from our own pages: browsers say so in `Sec-Fetch-Site` and `Origin`, which
no page can forge. A request with neither comes from a program; it must not bring a cookie, so it has no power but that
of its token. A few paths take forms of other sites (`Room.post_from_elsewhere`): there cookies are taken away. No
hidden fields are needed, and signing in is protected as well.
"""

from collections.abc import Collection

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.web import problems

_SAFE = {"GET", "HEAD", "OPTIONS"}


class OwnOrigin:
    """Refuses what another site sent."""

    def __init__(self, app: ASGIApp, foreign: Collection[str] = ()) -> None:
        self.app, self.foreign = app, foreign

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] in self.foreign:
            bare = [(name, value) for name, value in scope["headers"] if name not in (b"cookie", b"authorization")]
            return await self.app({**scope, "headers": bare}, receive, send)
        if scope["type"] != "http" or scope["method"] in _SAFE or _is_ours(HTTPConnection(scope)):
            return await self.app(scope, receive, send)
        error = MadangError(
            "web.origin", _("This request came from another site."), _("Open the page here and try again.")
        )
        await problems.answer(HTTPConnection(scope), error)(scope, receive, send)


def _is_ours(request: HTTPConnection) -> bool:
    """The setting `web.address` says where we are, whatever Host a proxy sends; without it the Host does."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None and site not in ("same-origin", "none"):
        return False
    if origin is not None:
        host = f"{request.url.scheme}://{request.headers.get('host', '')}"
        address: str = request.app.state.node.settings.web.address
        return origin in ({address.rstrip("/"), host} if address else {host})
    return site is not None or "cookie" not in request.headers
