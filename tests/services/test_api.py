"""What the OpenAPI description promises holds for whatever is sent: generated requests to every operation."""

from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import CHECKS

from portal_house import OURS, House
from web.served import Served

# Events come until a job is over; the SQL page has its own attacks, and starts a process for each request.
LEFT_OUT = ("/events", "/ask")
ASKED = ("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance")


@pytest.mark.sampled
@pytest.mark.parametrize("role", ["", "steward", "auditor", "administrator"])
def test_every_operation_answers_as_described(house: House, site: Served, role: str) -> None:
    house.published("closed", tier="controlled")
    house.drafted("draft")
    schema = schemathesis.openapi.from_url(f"{site.address}/api/v1/openapi.json")
    checks = CHECKS.get_by_names(list(ASKED))
    cookies = {"madang": house.cookies[role]} if role else {}
    operations = [found.ok() for found in schema.get_all_operations()]
    operations = [each for each in operations if not each.path.endswith(LEFT_OUT)]
    assert len(operations) > 40
    for operation in operations:
        ask(operation, lambda case: case.call(headers=OURS, cookies=cookies, timeout=60, allow_redirects=False), checks)
    assert house.node.audit.verify().findings == []


def ask(operation: Any, call: Callable[[Any], Any], checks: list[Any]) -> None:
    """Send generated requests to one operation and hold each answer against the description."""

    @settings(max_examples=max(3, settings().max_examples // 5), suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy())
    def send(case: Any) -> None:
        case.validate_response(call(case), checks=checks)

    send()
