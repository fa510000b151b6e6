"""The one way out: nothing in our own network, nothing that changes its mind, nothing without end."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from madang.base.errors import MadangError
from madang.node.outgoing import Bounds, Outgoing


class Hall(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/redirect":
            self.send_response(302)
            self.send_header("Location", self.headers["X-To"])
            self.end_headers()
            return
        self.send_response(200)
        self.end_headers()
        if self.path == "/endless":
            for _piece in range(100):
                self.wfile.write(b"x" * 100_000)
            return
        self.wfile.write(f"{self.headers['Host']} {self.headers.get('Authorization', '-')}".encode())

    def log_message(self, *_given: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hall)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


PRIVATE = ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "fe80::1", "::ffff:127.0.0.1", "0.0.0.0", "224.0.0.1"]


@pytest.mark.parametrize("address", PRIVATE)
def test_what_resolves_into_our_own_network_is_not_reached(address: str) -> None:
    with pytest.raises(MadangError, match="do not go to"):
        Outgoing(resolve=lambda host, port: [address]).check("https://example.org/")
    with pytest.raises(MadangError):
        Outgoing(resolve=lambda host, port: ["93.184.216.34", address]).check("https://example.org/")


@pytest.mark.parametrize(
    "url",
    [
        *("http://example.org/", "file:///etc/passwd", "https://", "https://user:secret@example.org/", "gopher://x/"),
        *("https://example.org:99999/", "//example.org/", ""),
    ],
)
def test_what_is_no_address_by_https_is_not_reached(url: str) -> None:
    with pytest.raises(MadangError, match="do not go to"):
        Outgoing(resolve=lambda host, port: ["93.184.216.34"]).check(url)


def test_the_address_that_was_looked_at_is_the_one_that_is_connected_to(port: int) -> None:
    looks = iter([["127.0.0.1"], ["192.0.2.1"]])  # at a second look it would lead elsewhere
    out = Outgoing(frozenset({f"lab.example:{port}"}), resolve=lambda host, port: next(looks))
    answer = out.request("GET", f"http://lab.example:{port}/", headers={"Authorization": "Bearer x"})
    assert answer.body.decode() == f"lab.example:{port} Bearer x"


def test_redirects_are_looked_at_like_the_first_address_and_carry_no_secret_elsewhere(port: int) -> None:
    out = Outgoing(frozenset({f"lab.example:{port}"}), resolve=lambda host, port: ["127.0.0.1"])
    with pytest.raises(MadangError, match="do not go to"):
        out.request("GET", f"http://lab.example:{port}/redirect", headers={"X-To": "https://inside.example/"})
    both = Outgoing(frozenset({f"lab.example:{port}", f"other.example:{port}"}), resolve=out.resolve)
    there = {"X-To": f"http://other.example:{port}/", "Authorization": "Bearer x"}
    assert both.request("GET", f"http://lab.example:{port}/redirect", headers=there).body.endswith(b" -")
    round_and_round = {"X-To": "/redirect"}
    with pytest.raises(MadangError, match="leads on and on"):
        out.request("GET", f"http://lab.example:{port}/redirect", headers=round_and_round)


def test_an_answer_without_end_is_cut_off(port: int) -> None:
    out = Outgoing(frozenset({"lab.example"}), resolve=lambda host, port: ["127.0.0.1"], bounds=Bounds(bytes=200_000))
    with pytest.raises(MadangError, match="larger than"):
        out.request("GET", f"http://lab.example:{port}/endless")


def test_only_listed_hosts_where_that_is_said() -> None:
    out = Outgoing(frozenset({"lab.example"}), only_listed=True, resolve=lambda host, port: ["93.184.216.34"])
    assert out.check("https://lab.example/")[0] == "lab.example"
    with pytest.raises(MadangError):
        out.check("https://example.org/")
