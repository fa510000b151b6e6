"""The kit against the own endpoint: nothing is wrong with it; each of many faults is found by the right test."""

from functools import cache

import pytest
from faults import FAULTS, Fault

from madang.science.fhir.definitions import Definitions, shipped
from madang.science.fhir.kit.model import Result
from madang.science.fhir.kit.run import document, plan, run
from madang.science.fhir.kit.session import Credentials, Session
from madang.science.fhir.server.endpoint import Endpoint
from madang.science.fhir.server.made_up import made_up_lives, resources
from madang.science.fhir.server.messages import Request, Response
from madang.science.fhir.server.tokens import Tokens, new_client

BASE = "http://127.0.0.1:1/fhir"


@cache
def guide() -> Definitions:
    return shipped("kr-core")


def kit(fault: Fault | None = None, only: tuple[str, ...] = (), persons: int = 12) -> tuple[list[Result], Session]:
    private, public = new_client()
    endpoint = Endpoint(BASE, guide(), resources(made_up_lives(persons)), Tokens({"kit": public}))

    def send(request: Request) -> Response:
        inner = Request(request.method, request.url.removeprefix(BASE), request.headers, request.body)
        return fault(endpoint, inner) if fault else endpoint(inner)

    session = Session(BASE, send, guide(), Credentials(client="kit", key=private))
    return run(session, only), session


def test_the_own_endpoint_passes_with_nothing_left_out() -> None:
    results, session = kit()
    assert len(results) == len(plan(guide())) > 300
    assert {each.test.id: each.finding for each in results if each.outcome not in ("pass", "not applicable")} == {}
    left_out = {each.finding.kind for each in results if each.outcome == "not applicable"}
    assert left_out == {"loopback", "nothing_supported", "plain_code"}
    text = str(document(results, session, "2025-01-01T00:00:00Z"))
    assert session.token not in text and "client_assertion" not in text


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_by_the_right_test(name: str) -> None:
    wanted, fault = FAULTS[name]
    (found,), _session = kit(fault, (wanted,))
    assert found.test.id == wanted
    assert found.outcome in ("fail", "warning", "not shown"), found.finding
    assert found.finding.kind
    (right,), _session = kit(None, (wanted,))
    assert right.outcome == "pass"


def test_no_request_goes_to_another_host() -> None:
    asked: list[str] = []

    def watch(endpoint: Endpoint, request: Request) -> Response:
        asked.append(request.url)
        return FAULTS["pages lead elsewhere"][1](endpoint, request)

    results, _session = kit(watch, ("paging",))
    assert all(url.startswith("/") for url in asked)
    assert any(each.finding.kind == "search_foreign" for each in results)
