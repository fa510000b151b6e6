"""The gate before ATLAS: who comes through, what goes through, when it ends; and ATLAS itself in the box."""

import http.server
import json
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from madang.node.closed import is_available
from madang.services.cohorts.atlas_door import Door, listening_at
from madang.services.cohorts.gate import COOKIE, Gate
from madang.web.server import make_server
from science.cohorts.cohort_data import concept, expression, make_version
from support import needs
from web.served import serving


class _Behind(http.server.BaseHTTPRequestHandler):
    """What stands for ATLAS: tells which headers came through."""

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        saved = {"id": 3, "name": "Mine", "expression": "{}"}
        body = json.dumps(saved if self.command == "POST" else dict(self.headers.items())).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("set-cookie", "theirs=1")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = _answer

    def log_message(self, *_: Any) -> None:
        """Silent."""

    def address_string(self) -> str:
        return "unix"


@contextmanager
def _gate(folder: Path, **options: Any) -> Iterator[tuple[Gate, str]]:
    place = folder / "s"
    with socketserver.ThreadingUnixStreamServer(str(place), _Behind) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        gate = Gate(place, "", **options)
        with serving(gate) as served:
            gate.host = f"localhost:{urlsplit(served.address).port}"
            yield gate, f"http://{gate.host}"
        server.shutdown()


def test_the_key_works_once_and_the_cookie_from_then_on(tmp_path: Path) -> None:
    with _gate(tmp_path) as (gate, address), httpx.Client() as owner:
        assert httpx.get(address).status_code == 401
        assert httpx.get(f"{address}/?key=wrong").status_code == 401
        entered = owner.get(gate.address)
        assert entered.status_code == 303 and "HttpOnly" in entered.headers["set-cookie"]
        assert httpx.get(gate.address).status_code == 401  # somebody who saw the address later
        answer = owner.get(f"{address}/WebAPI/info", headers={"X-Auth-User-ID": "root", "Authorization": "x"})
        came = {name.lower() for name in answer.json()}
        assert not came & {"x-auth-user-id", "authorization", "cookie"} and "set-cookie" not in answer.headers
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Origin": "http://evil.example"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"},
        {"Host": "127.0.0.1"},
    ],
)
def test_what_another_site_causes_is_refused(headers: dict[str, str], tmp_path: Path) -> None:
    with _gate(tmp_path) as (gate, address), httpx.Client() as owner:
        owner.get(gate.address)
        assert owner.get(f"{address}/WebAPI/info", headers=headers).status_code == 403
        assert owner.get(f"{address}/WebAPI/info").status_code == 200


def test_when_the_permission_ends_nothing_comes_through(tmp_path: Path) -> None:
    permitted = [""]
    with _gate(tmp_path, permitted=lambda: permitted[0]) as (gate, address), httpx.Client() as owner:
        owner.get(gate.address)
        assert owner.get(address).status_code == 200
        permitted[0] = "It has ended."
        assert owner.get(address).status_code == 403


def test_what_is_saved_is_told_and_too_much_is_refused(tmp_path: Path) -> None:
    told: list[tuple[int, str, str]] = []
    with _gate(tmp_path, saved=lambda *what: told.append(what)) as (gate, address), httpx.Client() as owner:
        owner.get(gate.address)
        owner.post(f"{address}/WebAPI/cohortdefinition", json={})
        owner.post(f"{address}/WebAPI/conceptset", json={})
        assert told == [(3, "Mine", "{}")]
        assert owner.post(address, content=b"x" * (9 << 20)).status_code == 413
        assert COOKIE in owner.cookies


def test_atlas_in_the_box_counts_what_the_command_counts(tmp_path: Path) -> None:
    from madang.science.cohorts import members, of_document
    from madang.services.cohorts.atlas import document, started

    if not is_available():
        needs("bwrap")
        pytest.skip("missing: a machine that lets programs be closed in")
    pytest.importorskip("duckcdm")
    version = make_version(
        tmp_path,
        {
            "concept": [concept(1)],
            "concept_ancestor": [{"ancestor_concept_id": 1, "descendant_concept_id": 1}],
            "person": [{"person_id": n, "year_of_birth": 1980, "gender_concept_id": 8507} for n in (1, 2, 3)],
            "observation_period": [
                {
                    "observation_period_id": n,
                    "person_id": n,
                    "observation_period_start_date": "2019-01-01",
                    "observation_period_end_date": "2021-01-01",
                }
                for n in (1, 2)
            ],
            "condition_occurrence": [
                {
                    "condition_occurrence_id": n,
                    "person_id": n,
                    "condition_concept_id": 1,
                    "condition_start_date": "2020-01-01",
                }
                for n in (1, 2, 3)
            ],
        },
    )
    definition = of_document(expression(), "Ones")
    with started(version, None, definitions={"ones": definition.text}, achilles=False) as atlas:
        number = atlas.numbers["ones"]
        document(atlas, f"/WebAPI/cohortdefinition/{number}/generate/MADANG")
        end = time.monotonic() + 30
        info: list[dict[str, Any]] = []
        while time.monotonic() < end and (not info or info[0]["status"] == "RUNNING"):
            time.sleep(0.1)
            info = document(atlas, f"/WebAPI/cohortdefinition/{number}/info")
        assert info[0]["personCount"] == len(members(version, definition)) == 2
        place = atlas.socket.parent
    assert not place.exists() and not atlas.is_alive


@contextmanager
def _behind_the_door(folder: Path, name: str, **options: Any) -> Iterator[Gate]:
    """A gate as it listens for the door, before a server that stands for ATLAS."""
    place = folder / f"behind-{name[:4]}"
    with socketserver.ThreadingUnixStreamServer(str(place), _Behind) as behind, listening_at(folder, name) as socket:
        threading.Thread(target=behind.serve_forever, daemon=True).start()
        gate = Gate(place, "", name=name, **options)
        server = make_server(gate)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]}, daemon=True)
        thread.start()
        yield gate
        server.should_exit = True
        thread.join(10)
        behind.shutdown()


def test_one_door_leads_to_each_gate_and_lets_nobody_through_to_another(tmp_path: Path) -> None:
    one, two = "1" * 16, "2" * 16
    permitted = [""]
    with (
        _behind_the_door(tmp_path, one) as first,
        _behind_the_door(tmp_path, two, permitted=lambda: permitted[0]) as second,
        serving(Door(tmp_path)) as served,
        httpx.Client() as anna,
        httpx.Client() as ben,
    ):
        host = urlsplit(served.address).netloc
        first.host = second.host = host
        assert httpx.get(served.address).status_code == 401
        assert httpx.get(f"{served.address}/?key={'3' * 16}.x").status_code == 401
        assert httpx.get(f"{served.address}/?key=../{one}.x").status_code == 401
        for owner, gate in ((anna, first), (ben, second)):
            assert owner.get(gate.address).status_code == 303
            answer = owner.get(f"{served.address}/WebAPI/info", headers={"Authorization": "x"})
            assert answer.status_code == 200 and "authorization" not in {name.lower() for name in answer.json()}
        theirs = ben.cookies[COOKIE].partition(".")[2]
        assert httpx.get(served.address, cookies={COOKIE: f"{one}.{theirs}"}).status_code == 401
        assert anna.get(served.address, headers={"Origin": "http://evil.example"}).status_code == 403
        assert anna.get(served.address, headers={"Host": "evil.example"}).status_code == 403
        permitted[0] = "It has ended."
        assert ben.get(served.address).status_code == 403 and anna.get(served.address).status_code == 200
        assert anna.post(served.address, content=b"x" * (9 << 20)).status_code == 413
    assert not list(tmp_path.glob("atlas-*.sock"))


def test_behind_https_the_cookie_is_secure_and_origins_are_compared(tmp_path: Path) -> None:
    with _gate(tmp_path, scheme="https") as (gate, address), httpx.Client() as owner:
        entered = owner.get(f"{address}/?key={gate.key}")
        assert gate.address.startswith("https://") and "; Secure" in entered.headers["set-cookie"]
        cookie = {COOKIE: entered.headers["set-cookie"].partition("=")[2].partition(";")[0]}
        for origin, status in ((f"https://{gate.host}", 200), (f"http://{gate.host}", 403)):
            assert httpx.get(f"{address}/x", cookies=cookie, headers={"Origin": origin}).status_code == status


def test_the_socket_of_a_killed_process_is_taken_away(tmp_path: Path) -> None:
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
        left.bind(str(tmp_path / f"atlas-{'3' * 16}.sock"))
    with listening_at(tmp_path, "4" * 16):
        assert [path.name for path in tmp_path.glob("atlas-*.sock")] == [f"atlas-{'4' * 16}.sock"]
