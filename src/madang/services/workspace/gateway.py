"""The gateway: the only way to a kernel. Run as a program by a process of the portal (`door`).

It answers a written list of requests (`asked.ROUTES`) and nothing else: there are no websockets, no files, no raw
contents, no terminals, no conversion, no names of kernels. Who asks comes with a cookie of its own that stands for a
ticket of the portal; at every request it is asked again whether they may, in the database. Requests that change
something must come from its own pages, by Origin.
"""

import asyncio
import json
import os
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from madang.base.errors import MadangError
from madang.base.translate import _, speaking
from madang.node.node import opened
from madang.services.workspace import bring, door, service
from madang.services.workspace.asked import ROUTES, Answer
from madang.services.workspace.guests import Gateway, Guest
from madang.services.workspace.page import STATIC, notebook_page

COOKIE = "madang-notebooks"
LARGEST = 4 << 20  # bytes of a request
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_IN = '<!doctype html><link rel="icon" href="data:,"><meta http-equiv="refresh" content="0;url=/"><title>Madang</title>'
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=(), clipboard-read=()",
    "Cache-Control": "no-store",
}


def problem(error: MadangError) -> Response:
    """An error as the page reads it."""
    statuses = {"permission.sign_in": 401, "workspace.closed": 403, "workspace.ticket": 403, "workspace.busy": 503}
    told = {"code": error.code, "message": error.message, "hint": error.hint}
    return JSONResponse(told, statuses.get(error.code, 409 if error.code.endswith(("changed", "taken")) else 422))


async def _given(request: Request) -> dict[str, Any]:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LARGEST:
            raise MadangError("workspace.notebook", _("This is too large."))
    try:
        told = json.loads(body or b"{}")
        if not isinstance(told, dict):
            raise ValueError
    except (ValueError, RecursionError):
        raise MadangError("workspace.notebook", _("This is no request that can be read.")) from None
    return told


def make_gateway(gateway: Gateway) -> Any:
    """The application."""

    def cookie_name() -> str:
        """With https a name that no other host can set a cookie of."""
        return f"__Host-{COOKIE}" if gateway.node.settings.workspace.address.startswith("https:") else COOKIE

    def guest_of(request: Request) -> Guest:
        return gateway.guest(request.cookies.get(cookie_name(), ""))

    def endpoint(answer: Answer) -> Callable[[Request], Awaitable[Response]]:
        async def asked(request: Request) -> Response:
            try:
                given = await _given(request)
            except MadangError as error:
                return problem(error)

            def work() -> Response:
                guest = guest_of(request)
                with speaking(guest.ticket.language):
                    try:
                        return JSONResponse(answer(gateway, guest, given))
                    except (KeyError, TypeError):
                        raise MadangError("workspace.notebook", _("This is no request that can be read.")) from None

            try:
                return await run_in_threadpool(work)
            except MadangError as error:
                return problem(error)

        return asked

    async def enter(request: Request) -> Response:
        try:
            cookie, _ticket = await run_in_threadpool(gateway.enter, request.query_params.get("ticket", ""))
        except MadangError as error:
            return problem(error)
        # Not a redirect: the browser would count it as another site's request and leave the cookie at home.
        answer = HTMLResponse(_IN)
        secure = gateway.node.settings.workspace.address.startswith("https:")
        answer.set_cookie(cookie_name(), cookie, httponly=True, samesite="strict", secure=secure, path="/")
        return answer

    async def page(request: Request) -> Response:
        try:
            guest = await run_in_threadpool(guest_of, request)
        except MadangError as error:
            return HTMLResponse(notebook_page(None, error), 401)
        workspace = await run_in_threadpool(service.find, gateway.node, guest.ticket.workspace)
        with speaking(guest.ticket.language):
            return HTMLResponse(notebook_page(workspace, None))

    async def static(request: Request) -> Response:
        kind, data = STATIC.get(request.path_params["name"], ("", b""))
        return Response(data, media_type=kind) if kind else Response(status_code=404)

    async def events(request: Request) -> Response:
        try:
            guest = await run_in_threadpool(guest_of, request)
        except MadangError as error:
            return problem(error)
        space = gateway.space(guest)
        cookie = request.cookies.get(cookie_name(), "")
        loop, waiting = asyncio.get_running_loop(), asyncio.Queue[dict[str, Any]](maxsize=5_000)

        def put(message: dict[str, Any]) -> None:
            if not waiting.full():
                waiting.put_nowait(message)

        number = id(waiting)

        def listen(message: dict[str, Any]) -> None:
            loop.call_soon_threadsafe(put, message)

        try:
            space.listen(number, listen)
        except MadangError as error:
            return problem(error)

        async def told() -> AsyncIterator[bytes]:
            try:
                yield b"retry: 1000\n\n"
                while cookie in gateway.guests:
                    try:
                        message = await asyncio.wait_for(waiting.get(), 2)
                        yield b"data: " + json.dumps(message, ensure_ascii=False).encode() + b"\n\n"
                    except TimeoutError:
                        yield b": here\n\n"
                yield b'data: {"say": "over"}\n\n'
            finally:
                space.listeners.pop(number, None)

        return StreamingResponse(told(), media_type="text/event-stream")

    routes = [Route(f"/do/{name}", endpoint(answer), methods=["POST"]) for name, answer in ROUTES.items()]
    routes += [Route("/enter", enter), Route("/", page), Route("/static/{name}", static), Route("/events", events)]
    return Doors(Starlette(routes=routes), gateway)


class Doors:
    """What holds for every request: its host, where it comes from, no websocket, and the headers of every answer."""

    def __init__(self, app: Any, gateway: Gateway) -> None:
        self.app, self.gateway = app, gateway

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """As ASGI has it."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def answer(message: Any) -> None:
            if message["type"] == "http.response.start":
                given = {name.lower() for name, _value in message["headers"]}
                more = [(n.lower().encode(), v.encode()) for n, v in HEADERS.items() if n.lower().encode() not in given]
                message = {**message, "headers": [*message["headers"], *more]}
            await send(message)

        request = Request(scope)
        refused = self._refused(request)
        if refused:
            await Response(status_code=refused)(scope, receive, answer)
            return
        await self.app(scope, receive, answer)

    def _refused(self, request: Request) -> int:
        host, origin = request.headers.get("host", ""), request.headers.get("origin")
        site = request.headers.get("sec-fetch-site")
        if host not in self.gateway.hosts():
            return 421
        if "upgrade" in request.headers or request.method not in ("GET", "HEAD", "POST"):
            return 405
        ours = {f"http://{host}", f"https://{host}"}
        if request.method == "POST" and (origin not in ours or site not in (None, "same-origin")):
            return 403
        if request.url.path != "/enter" and (site not in (None, "same-origin", "none") or origin not in (None, *ours)):
            return 403
        return 0


def main() -> None:
    """The program: answer until the process that started it is gone."""
    from madang.web.server import listen, make_server

    with opened() as node:
        settings = node.settings.workspace
        try:
            listening = listen("127.0.0.1", settings.port)
        except OSError:
            listening = listen("127.0.0.1", 0)
        port = listening.getsockname()[1]
        hosts = {f"localhost:{port}", f"127.0.0.1:{port}"}
        if settings.address:
            hosts = {settings.address.partition("://")[2]}
        gateway = Gateway(node, lambda: hosts)
        server = make_server(make_gateway(gateway))
        path = node.home.folder("run") / door.FILE
        path.write_text(json.dumps({"port": port, "pid": os.getpid()}))
        stopped = threading.Event()

        def follow() -> None:
            sys.stdin.buffer.read()
            server.should_exit = True
            stopped.set()
            time.sleep(5)
            os._exit(0)

        for target, given in ((follow, ()), (gateway.look_after, (stopped,))):
            threading.Thread(target=target, args=given, daemon=True).start()
        service.sweep(node)
        bring.repair(node)
        try:
            server.run(sockets=[listening])
        finally:
            gateway.close()
            path.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
