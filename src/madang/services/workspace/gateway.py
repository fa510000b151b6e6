"""The gateway: the only way to a kernel. Run as a program by a process of the portal (`door`).

It answers a written list of requests (`ROUTES`) and nothing else: there are no websockets, no files, no raw contents,
no terminals, no conversion, no names of kernels. Who asks comes with a cookie of its own that stands for a ticket of
the portal; at every request it is asked again whether they may, in the database. Requests that change something must
come from its own pages, by Origin.
"""

import asyncio
import json
import os
import secrets
import sys
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from madang.base.errors import MadangError
from madang.base.translate import _, speaking
from madang.node.database import now
from madang.node.node import Node, opened
from madang.node.people.actor import Actor
from madang.node.people.models import SignInSession
from madang.services.workspace import bring, door, notebooks, service
from madang.services.workspace.page import STATIC, notebook_page
from madang.services.workspace.spaces import Space

COOKIE = "madang-notebooks"
LARGEST = 4 << 20  # bytes of a request
_FRESH = 1.0  # seconds for which an answer of the database is believed
_SESSION = 12 * 3600  # seconds
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


@dataclass
class Guest:
    """Who came with a ticket."""

    ticket: door.Ticket
    checked: float = 0.0
    seen: float = field(default_factory=time.monotonic)
    came: float = field(default_factory=time.monotonic)


@dataclass
class Shown:
    """What a person was shown in a workspace since it was last written down."""

    cells: int = 0
    size: int = 0
    pictures: int = 0
    refused: int = 0
    hour: deque[tuple[float, int]] = field(default_factory=deque)


class Gateway:
    """What the requests share: who is there, and which workspaces are awake."""

    def __init__(self, node: Node, hosts: Callable[[], set[str]]) -> None:
        self.node, self.hosts = node, hosts
        self.since = time.time()
        self.guests: dict[str, Guest] = {}
        self.nonces: dict[str, float] = {}
        self.spaces: dict[int, Space] = {}
        self.shown: dict[tuple[int, int], Shown] = {}
        self.lock = threading.RLock()

    # Who is there

    def enter(self, text: str) -> tuple[str, door.Ticket]:
        """A new guest by a ticket; their cookie. Errors: `workspace.ticket`, `workspace.closed`."""
        ticket = door.read_ticket(self.node, text, since=self.since)
        with self.lock:
            self.nonces = {nonce: at for nonce, at in self.nonces.items() if at > time.time() - 2 * door.TICKET}
            if ticket.nonce in self.nonces:
                raise MadangError("workspace.ticket", _("This way into the workspace was used already."))
            self.nonces[ticket.nonce] = time.time()
        self._check(ticket)
        cookie = secrets.token_urlsafe(32)
        self.guests[cookie] = Guest(ticket, time.monotonic())
        return cookie, ticket

    def guest(self, cookie: str) -> Guest:
        """Who a cookie stands for, if they may still be here. Errors: `permission.sign_in`, `workspace.closed`."""
        guest = self.guests.get(cookie)
        if guest is None or time.monotonic() - guest.came > _SESSION:
            raise MadangError("permission.sign_in", _("Go in from the workspace's page in the portal."))
        if time.monotonic() - guest.checked > _FRESH:
            try:
                self._check(guest.ticket)
            except MadangError:
                self.guests.pop(cookie, None)
                raise
            guest.checked = time.monotonic()
        guest.seen = time.monotonic()
        return guest

    def _check(self, ticket: door.Ticket) -> None:
        """Ask the database whether somebody may be in a workspace now: account, session, project, permit."""
        workspace = service.find(self.node, ticket.workspace)
        with self.node.read() as session:
            kept = session.get(SignInSession, ticket.session) if ticket.session is not None else None
            if ticket.session is not None and (kept is None or kept.ends <= now()):
                raise MadangError("permission.sign_in", _("You signed out of the portal."), _("Sign in again."))
            actor = Actor.person(session, ticket.person, session_id=ticket.session)
        reason = service.why_closed(self.node, actor, workspace)
        if reason:
            raise MadangError("workspace.closed", reason)
        if kept is not None and (now() - kept.seen).total_seconds() > 60:
            with self.node.write() as session:
                again = session.get(SignInSession, ticket.session)
                if again is not None:
                    again.seen = now()

    # Workspaces

    def space(self, guest: Guest) -> Space:
        """The workspace of a guest."""
        number = guest.ticket.workspace
        with self.lock:
            if number not in self.spaces:
                found = service.find(self.node, number)
                self.spaces[number] = Space(self.node, found, lambda *asked: self.spend(number, *asked))
            return self.spaces[number]

    def wake(self, space: Space) -> None:
        """Wake it, if not too many are awake. Errors: `workspace.busy`."""
        with self.lock:
            awake = [each for each in self.spaces.values() if each.is_awake and each is not space]
            if len(awake) >= self.node.settings.workspace.at_once:
                idle = [each for each in awake if not each.waiting and not each.listeners]
                if not idle:
                    raise MadangError(
                        "workspace.busy", _("Too many workspaces are awake."), _("Try again in a few minutes.")
                    )
                min(idle, key=lambda each: each.last).sleep()
            space.workspace = service.find(self.node, space.workspace.id)
            space.wake()

    def spend(self, number: int, person: int, size: int, pictures: int) -> bool:
        """Count what a person is shown; whether they may be shown it."""
        with self.lock:
            shown = self.shown.setdefault((number, person), Shown())
            while shown.hour and shown.hour[0][0] < time.monotonic() - 3600:
                shown.hour.popleft()
            if sum(each for _at, each in shown.hour) + size > self.node.settings.workspace.shown_mb << 20:
                shown.refused += 1
                return False
            shown.hour.append((time.monotonic(), size))
            if len(shown.hour) > 1000:  # put together what is old enough
                (at, first), (_other, second) = shown.hour.popleft(), shown.hour.popleft()
                shown.hour.appendleft((at, first + second))
            shown.size += size
            shown.pictures += pictures
            return True

    def look_after(self, stopped: threading.Event) -> None:
        """In a thread, for good: end what may not be open, put to sleep what is idle, write down what was shown."""
        last_sums = last_sweep = time.monotonic()
        while not stopped.wait(1):
            try:
                self._tend()
                if time.monotonic() - last_sweep > 60:
                    service.sweep(self.node)
                    last_sweep = time.monotonic()
                if time.monotonic() - last_sums > 300:
                    self.write_sums()
                    last_sums = time.monotonic()
                self._status()
            except Exception as error:  # tomorrow's database is not ours to choose; a space without an answer closes
                print(f"look after: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
                for space in list(self.spaces.values()):
                    if space.is_awake and time.monotonic() - space.last > 600:
                        space.sleep()

    def _tend(self) -> None:
        idle = self.node.settings.workspace.idle_minutes * 60
        for cookie, guest in list(self.guests.items()):  # whoever listens asks nothing, so it is asked for them
            try:
                self.guest_still(cookie, guest)
            except MadangError:
                self.guests.pop(cookie, None)
        for number, space in list(self.spaces.items()):
            found = service.find(self.node, number)
            over = found.state != "open" or (found.permit is not None and not service.in_force(found.permit))
            asked = found.stopped is not None and found.stopped.timestamp() > self.woken(space)
            if over or asked or (space.is_awake and not space.waiting and time.monotonic() - space.last > idle):
                space.sleep(_("This workspace has ended.") if over else "")
            if over:
                space.say(say="over")
                del self.spaces[number]

    def woken(self, space: Space) -> float:
        """When a space last began something, in seconds since 1970."""
        return time.time() - (time.monotonic() - space.last)

    def guest_still(self, cookie: str, guest: Guest) -> None:
        """Ask again for somebody who only listens."""
        if time.monotonic() - guest.checked > 2:
            seen = guest.seen
            self.guest(cookie)
            guest.seen = seen

    def write_sums(self) -> None:
        """Write what was shown into the audit, in sums."""
        with self.lock:
            told = [(key, each) for key, each in self.shown.items() if each.cells or each.size or each.refused]
        for (number, person), each in told:
            service.used(self.node, number, person, each.cells, each.size, each.pictures, each.refused)
            each.cells = each.size = each.pictures = each.refused = 0

    def _status(self) -> None:
        awake = {}
        for number, space in self.spaces.items():
            if space.running is not None and space.is_awake:
                use = space.running.use
                awake[str(number)] = {
                    **{"memory": use.memory, "disk": use.disk, "processes": use.processes},
                    "people": len(
                        {guest.ticket.person for guest in self.guests.values() if guest.ticket.workspace == number}
                    ),
                }
        path = self.node.home.folder("run") / service.STATUS
        partial = path.with_suffix(".part")
        partial.write_text(json.dumps({"at": time.time(), "awake": awake}))
        partial.replace(path)

    def close(self) -> None:
        """End all boxes."""
        for space in list(self.spaces.values()):
            space.sleep()
        self.write_sums()


# The written list of requests

Answer = Callable[[Gateway, Guest, dict[str, Any]], Any]


def _folder(gateway: Gateway, guest: Guest) -> Path:
    return service.folder_of(gateway.node, guest.ticket.workspace) / "notebooks"


def do_list(gateway: Gateway, guest: Guest, _given: dict[str, Any]) -> Any:
    """The names of the notebooks, and whether the workspace is awake."""
    space = gateway.space(guest)
    names = notebooks.list_notebooks(_folder(gateway, guest))
    waiting = [{"notebook": each.notebook, "cell": each.cell} for each in space.waiting]
    return {"notebooks": names, "awake": space.is_awake, "waiting": waiting}


def do_load(gateway: Gateway, guest: Guest, given: dict[str, Any]) -> Any:
    """One notebook."""
    return notebooks.load(_folder(gateway, guest), given["name"])


def do_create(gateway: Gateway, guest: Guest, given: dict[str, Any]) -> Any:
    """A new notebook."""
    space = gateway.space(guest)
    with space.books:
        made = notebooks.create(_folder(gateway, guest), given["name"])
    space.say(say="notebooks")
    return made


def do_save(gateway: Gateway, guest: Guest, given: dict[str, Any]) -> Any:
    """Keep a notebook's text."""
    space = gateway.space(guest)
    with space.books:
        made = notebooks.save(_folder(gateway, guest), given["name"], given["version"], given["cells"])
    page = given.get("page", "")  # which of somebody's pages it was, so that this one does not load it again
    page = page if isinstance(page, str) and len(page) <= 40 else ""
    space.say(say="saved", notebook=made["name"], version=made["version"], page=page)
    return {"version": made["version"]}


def do_remove(gateway: Gateway, guest: Guest, given: dict[str, Any]) -> Any:
    """Take a notebook away."""
    space = gateway.space(guest)
    with space.books:
        notebooks.remove(_folder(gateway, guest), given["name"])
    space.say(say="notebooks")
    return {}


def do_wake(gateway: Gateway, guest: Guest, _given: dict[str, Any]) -> Any:
    """Wake the workspace; comes back once its kernel is ready."""
    space = gateway.space(guest)
    gateway.wake(space)
    space.ready.wait(20)
    return {"awake": space.is_awake}


def do_run(gateway: Gateway, guest: Guest, given: dict[str, Any]) -> Any:
    """Run a cell as it was saved or as it is given."""
    space = gateway.space(guest)
    code, name, cell = given["code"], given["notebook"], given["cell"]
    known = {each["id"] for each in notebooks.load(_folder(gateway, guest), name)["cells"]}
    if not isinstance(code, str) or len(code) > notebooks.CODE or cell not in known:
        raise MadangError("workspace.notebook", _("This is no cell of the notebook."))
    gateway.wake(space)
    space.run(name, cell, code, guest.ticket.person)
    with gateway.lock:
        gateway.shown.setdefault((guest.ticket.workspace, guest.ticket.person), Shown()).cells += 1
    return {}


def do_complete(gateway: Gateway, guest: Guest, given: dict[str, Any]) -> Any:
    """Ask for names that may stand at a place."""
    if isinstance(given["code"], str) and isinstance(given["at"], int) and len(given["code"]) <= notebooks.CODE:
        gateway.space(guest).complete(given["code"], given["at"])
    return {}


def do_stop(gateway: Gateway, guest: Guest, _given: dict[str, Any]) -> Any:
    """Interrupt what runs."""
    gateway.space(guest).stop_cell()
    return {}


def do_sleep(gateway: Gateway, guest: Guest, _given: dict[str, Any]) -> Any:
    """End the kernel; it begins anew with the next cell."""
    gateway.space(guest).sleep()
    return {}


ROUTES: dict[str, Answer] = {
    "list": do_list,
    "load": do_load,
    "create": do_create,
    "save": do_save,
    "remove": do_remove,
    "wake": do_wake,
    "run": do_run,
    "complete": do_complete,
    "stop": do_stop,
    "sleep": do_sleep,
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

    def guest_of(request: Request) -> Guest:
        return gateway.guest(request.cookies.get(COOKIE, ""))

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
        answer.set_cookie(COOKIE, cookie, httponly=True, samesite="strict", secure=secure, path="/")
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
        cookie = request.cookies.get(COOKIE, "")
        loop, waiting = asyncio.get_running_loop(), asyncio.Queue[dict[str, Any]](maxsize=5_000)

        def put(message: dict[str, Any]) -> None:
            if not waiting.full():
                waiting.put_nowait(message)

        number = id(waiting)

        def listen(message: dict[str, Any]) -> None:
            loop.call_soon_threadsafe(put, message)

        space.listeners[number] = listen

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
