"""What an endpoint may do to the kit over a real connection: the kit says so, in bounded time and memory."""

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from madang.science.fhir.definitions import shipped
from madang.science.fhir.kit.run import run
from madang.science.fhir.kit.session import Session
from madang.science.fhir.server.messages import Request, Response
from madang.services.emr import client
from madang.services.emr.client import Connection

Talk = Callable[[socket.socket], None]


@contextmanager
def server(talk: Talk, around: ssl.SSLContext | None = None) -> Iterator[str]:
    """A server that answers each connection by `talk`; its base URL."""
    sock = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def one(connection: socket.socket) -> None:
        try:
            with around.wrap_socket(connection, server_side=True) if around else connection as spoken:
                spoken.recv(65536)
                talk(spoken)
        except OSError:
            pass  # the kit went away, which is what is asked of it

    def serve() -> None:
        while not over.is_set():
            try:
                connection, _address = sock.accept()
            except OSError:
                return
            threading.Thread(target=one, args=(connection,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"{'https' if around else 'http'}://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        over.set()
        sock.close()


def ask(base: str) -> Response:
    connection = Connection()
    try:
        return connection(Request("GET", base + "/Patient/1", {}))
    finally:
        connection.close()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\n"


def test_an_answer_of_ten_gigabytes_is_left_where_it_becomes_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "LARGEST", 5_000_000)
    sent = 0

    def talk(spoken: socket.socket) -> None:
        nonlocal sent
        spoken.sendall(HEAD + b"Content-Length: 10000000000\r\n\r\n")
        for _part in range(10_000):
            spoken.sendall(b"x" * 1_000_000)
            sent += 1_000_000

    with server(talk) as base:
        answer = ask(base)
    assert (answer.status, answer.error, answer.body) == (0, "too large", b"")
    assert sent < 100_000_000


def test_a_packed_answer_is_counted_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    import gzip

    monkeypatch.setattr(client, "LARGEST", 5_000_000)
    packed = gzip.compress(b"\0" * 200_000_000, 9, mtime=0)

    def talk(spoken: socket.socket) -> None:
        spoken.sendall(HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed)

    with server(talk) as base:
        assert ask(base).error == "too large"


def test_an_answer_that_never_ends_is_left_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "WHOLE", 1.0)

    def talk(spoken: socket.socket) -> None:
        spoken.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        while True:
            spoken.sendall(b"1\r\n \r\n")
            time.sleep(0.05)

    with server(talk) as base:
        assert ask(base).error == "too slow"


def test_a_server_that_says_nothing_is_left_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "SILENCE", 0.5)
    with server(lambda spoken: time.sleep(30)) as base:
        assert ask(base).error == "no answer in time"


@pytest.mark.parametrize(
    "said",
    [b"", b"\x00\xff" * 50, b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{", b"HTTP/9 x\r\n\r\n", b"<html>"],
)
def test_a_connection_that_breaks_is_said(said: bytes) -> None:
    with server(lambda spoken: spoken.sendall(said)) as base:
        answer = ask(base)
    assert answer.status == 0 and answer.error


def test_a_redirect_is_not_followed() -> None:
    asked: list[bytes] = []
    with server(lambda spoken: asked.append(b"!")) as other:

        def talk(spoken: socket.socket) -> None:
            spoken.sendall(
                b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: %s/Patient/1\r\n\r\n" % other.encode()
            )

        with server(talk) as base:
            answer = ask(base)
            kit = Session(base, Connection(), shipped("kr-core"))
            (found,) = run(kit, ("metadata.answers",))
    assert answer.status == 302 and found.outcome == "fail"
    assert asked == []


def test_a_certificate_that_nobody_vouches_for_is_said(tmp_path: Path) -> None:
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    begun = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(begun).not_valid_after(begun + datetime.timedelta(days=9000))
    held = serialization.Encoding.PEM
    plain = key.private_bytes(held, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "both.pem").write_bytes(plain + made.sign(key, hashes.SHA256()).public_bytes(held))
    around = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    around.load_cert_chain(tmp_path / "both.pem")
    with server(lambda spoken: spoken.sendall(HEAD + b"Content-Length: 2\r\n\r\n{}"), around) as base:
        assert ask(base).error == "bad certificate"


def test_a_system_that_changes_between_two_tests_is_judged_by_what_each_test_saw() -> None:
    """The second look at a person finds another one: the test that looks again says so, and the first one stays."""
    from madang.science.fhir.server.endpoint import Endpoint
    from madang.science.fhir.server.made_up import made_up_lives, resources

    base = "https://changing.test/fhir"
    endpoint = Endpoint(base, shipped("kr-core"), list(resources(made_up_lives(2))), None)
    changed = False

    def send(request: Request) -> Response:
        inner = Request(request.method, request.url.removeprefix(base), request.headers, request.body)
        answer = endpoint(inner)
        if changed and inner.url.startswith("/Patient/"):
            return Response(404, {"Content-Type": "application/fhir+json"}, b'{"resourceType":"OperationOutcome"}')
        if changed and answer.body.startswith(b"{"):
            said = json.loads(answer.body)
            for entry in said.get("entry", []):
                entry["resource"]["id"] = "other-" + entry["resource"].get("id", "")
            return Response(answer.status, answer.headers, json.dumps(said).encode())
        return answer

    kit = Session(base, send, shipped("kr-core"))
    (first,) = run(kit, ("read.Patient",))
    changed = True
    (again,) = run(kit, ("read.Patient",))
    assert (first.outcome, again.outcome) == ("pass", "fail")
    assert first.finding != again.finding
