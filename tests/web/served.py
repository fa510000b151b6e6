"""A web application on a real socket of loopback, for the tests."""

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from madang.web.server import listen, make_server


@dataclass(frozen=True)
class Served:
    """Where it answers; `get` and `post` are requests of somebody without a memory, `browser` keeps cookies."""

    address: str

    def get(self, path: str, **more: Any) -> httpx.Response:
        return httpx.get(self.address + path, timeout=60, **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        return httpx.post(self.address + path, timeout=60, **more)

    def browser(self, cookies: dict[str, str] | None = None) -> httpx.Client:
        return httpx.Client(base_url=self.address, timeout=60, cookies=cookies)


@contextlib.contextmanager
def serving(application: Any) -> Iterator[Served]:
    """Serve it for the length of a block."""
    listening = listen("127.0.0.1", 0)
    server = make_server(application)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 60
    while not server.started:
        assert thread.is_alive() and time.monotonic() < deadline, "the server did not start"
        time.sleep(0.01)
    try:
        yield Served(f"http://127.0.0.1:{listening.getsockname()[1]}")
    finally:
        server.should_exit = True
        thread.join(30)
        listening.close()
