"""What reverse proxies of ours say about the reader: as many entries are believed as there are proxies."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send


class Proxies:
    """Puts the address and scheme that the outermost of `count` proxies saw in place of ours."""

    def __init__(self, app: ASGIApp, count: int) -> None:
        self.app = app
        self.count = count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] == "http" and self.count:
            headers = Headers(scope=scope)
            addresses, schemes = (
                [part.strip() for part in ",".join(headers.getlist(name)).split(",") if part.strip()]
                for name in ("x-forwarded-for", "x-forwarded-proto")
            )
            scope = dict(scope)
            if len(addresses) >= self.count:
                scope["client"] = (addresses[-self.count], 0)
            scheme = schemes[-self.count :][:1]  # of fewer entries the first: not every proxy adds one
            if scheme in (["http"], ["https"]):
                scope["scheme"] = scheme[0]
        await self.app(scope, receive, send)
