"""A DOI by the REST interface of DataCite, played by a server of this test."""

import base64
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from madang.base.errors import MadangError
from madang.node.people.actor import Actor
from madang.services.catalog import exporting, fair, identifying, service
from madang.services.catalog.forms import validate, violations
from portal_house import OWNER, House, describe
from services.catalog.hostile_records import entries
from support import shared_data

KEY = "Basic " + base64.b64encode(b"HOUSE.DATA:secret").decode()


class Peer(HTTPServer):
    asked: list[tuple[str, str, dict[str, str], Any]]
    status = 201


class Handler(BaseHTTPRequestHandler):
    server: Peer

    def do_PUT(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.command, self.path, dict(self.headers), body))
        refused = self.headers["Authorization"] != KEY
        self.send_response(401 if refused else self.server.status)
        self.end_headers()
        told = {"errors": [{"title": "Bad credentials."}]} if refused or self.server.status > 201 else body
        self.wfile.write(json.dumps(told).encode())

    def log_message(self, *_what: object) -> None:
        pass


@pytest.fixture
def peer() -> Iterator[Peer]:
    server = Peer(("127.0.0.1", 0), Handler)
    server.asked = []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def account(house: House, peer: Peer, **more: str) -> None:
    told = {"address": f"http://127.0.0.1:{peer.server_port}", "prefix": "10.12345", "repository": "HOUSE.DATA"}
    given = house.node.settings.model_dump() | {"datacite": told | {"password": "secret"} | more}
    given["outgoing"]["hosts"] = f"127.0.0.1:{peer.server_port}"
    house.node.settings = type(house.node.settings).model_validate(given)


def test_a_doi_is_registered_again_with_what_changed_and_stands_in_every_form(house: House, peer: Peer) -> None:
    house.published("ours")
    account(house, peer)
    sent = identifying.document(house.node, OWNER, "ours")  # what a dry run shows
    assert peer.asked == []
    doi = identifying.register(house.node, OWNER, "ours")
    assert doi.startswith("10.12345/madang.ours.")
    command, path, headers, body = peer.asked[0]
    assert (command, path, headers["Content-Type"]) == ("PUT", f"/dois/{doi}", "application/vnd.api+json")
    assert body == sent and body["data"]["attributes"]["event"] == "publish"
    assert body["data"]["attributes"]["url"].endswith("/records/ours")
    record = service.see(house.node, OWNER, "ours")
    assert record.told.doi == doi
    entry = exporting.entry_of(house.node, OWNER, record, "https://madang.example.kr")
    assert entry.doi == doi and not violations(validate(entry))
    assert exporting.links(entry)["cite-as"] == [{"href": f"https://doi.org/{doi}"}]
    describe(house.node, "ours", description="말을 바꿨습니다")
    assert identifying.register(house.node, OWNER, "ours") == doi  # the same for good
    assert "말을 바꿨습니다" in json.dumps(peer.asked[1][3], ensure_ascii=False)


def test_what_datacite_refuses_leaves_the_record_as_it_was(house: House, peer: Peer) -> None:
    house.published("ours")
    house.drafted("secret")
    with pytest.raises(MadangError, match="no account"):
        identifying.register(house.node, OWNER, "ours")
    account(house, peer, password="wrong")
    with pytest.raises(MadangError, match=r"401.*Bad credentials"):
        identifying.register(house.node, OWNER, "ours")
    account(house, peer)
    peer.status = 422
    with pytest.raises(MadangError, match="422"):
        identifying.register(house.node, OWNER, "ours")
    assert service.see(house.node, OWNER, "ours").told.doi == ""
    with pytest.raises(MadangError):
        identifying.document(house.node, Actor.stranger(), "ours")
    peer.status = 201
    with pytest.raises(MadangError, match="cannot be done now"):
        identifying.register(house.node, OWNER, "secret")
    assert service.see(house.node, OWNER, "secret").told.doi == ""
    assert "secret" not in repr(house.node.settings.datacite)


def test_our_metrics_are_those_of_f_uji_with_their_points() -> None:
    told = shared_data("fair_metrics/metrics_v0.8.yaml").read_text()  # only these two of its fields are needed
    names = re.findall(r"^- metric_identifier: (\S+)", told, re.M)
    points = [int(each) for each in re.findall(r"^  total_score: (\d+)", told, re.M)]
    wanted = dict(zip(names, points, strict=True))
    assert len(wanted) == 17
    for entry in entries(20):
        found = fair.assess(entry)
        assert {each.metric: each.total for each in found} == wanted
        assert all(0 <= each.earned <= each.total and each.sentence for each in found)
        assert all((each.earned == each.total) == ("left to raise" in each.sentence) for each in found)
