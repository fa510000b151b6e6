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
from madang.services.cohorts.gate import COOKIE, Gate
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
