"""Endpoints that are right but for one fault each, and the test of the kit that must find it."""

from collections.abc import Callable, Iterator
from typing import Any

import orjson

from madang.science.fhir.server.endpoint import Endpoint
from madang.science.fhir.server.messages import Request, Response

Fault = Callable[[Endpoint, Request], Response]


def _changed(change: Callable[[dict[str, Any]], Any], when: Callable[[Request], bool] = lambda request: True) -> Fault:
    """An endpoint whose JSON answers are changed where `when` holds."""

    def fault(endpoint: Endpoint, request: Request) -> Response:
        answer = endpoint(request)
        if not when(request) or not answer.body.startswith(b"{"):
            return answer
        said = orjson.loads(answer.body)
        change(said)
        return Response(answer.status, answer.headers, orjson.dumps(said))

    return fault


def _answers(status: int, when: Callable[[Request], bool], body: bytes = b"{}", **headers: str) -> Fault:
    def fault(endpoint: Endpoint, request: Request) -> Response:
        return Response(status, headers, body) if when(request) else endpoint(request)

    return fault


def _on(text: str) -> Callable[[Request], bool]:
    return lambda request: request.url.startswith(text)


def _entries(said: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for entry in said.get("entry", []):
        yield entry["resource"]


def _lying_statement(said: dict[str, Any]) -> None:
    if said.get("resourceType") == "CapabilityStatement":
        said["fhirVersion"] = "5.0.0"


def _statement(change: Callable[[dict[str, Any]], Any]) -> Fault:
    return _changed(lambda said: change(said["rest"][0]["resource"][0]), _on("/metadata"))


def _without_parameter(resource: dict[str, Any]) -> None:
    resource["searchParam"] = [each for each in resource["searchParam"] if each["name"] != "patient"]


def _each(name: str, change: Callable[[dict[str, Any]], Any]) -> Fault:
    def all_of(said: dict[str, Any]) -> None:
        for each in _entries(said):
            if each["resourceType"] == name:
                change(each)

    return _changed(all_of)


def _circle(said: dict[str, Any]) -> None:
    for link in said.get("link", []):
        if link["relation"] == "next":
            link["url"] = said["link"][0]["url"]


def _elsewhere(said: dict[str, Any]) -> None:
    for link in said.get("link", []):
        if link["relation"] == "next":
            link["url"] = "http://elsewhere.example.org/fhir/Patient?page=2"


def _ignored(parameter: str, name: str) -> Fault:
    """A search parameter that the endpoint does not look at."""

    def fault(endpoint: Endpoint, request: Request) -> Response:
        if request.path == f"/{name}" and any(key == parameter for key, _value in request.query):
            return endpoint(Request("GET", f"/{name}?_count=500", request.headers))
        return endpoint(request)

    return fault


def _no_system(endpoint: Endpoint, request: Request) -> Response:
    """Tokens whose system is not looked at."""
    if "%7C" in request.url:
        head, _mark, value = request.url.partition("=")
        return endpoint(Request(request.method, f"{head}={value.partition('%7C')[2]}", request.headers))
    return endpoint(request)


def _no_prefix(endpoint: Endpoint, request: Request) -> Response:
    for prefix in ("=ge", "=le", "=gt", "=lt"):
        if prefix in request.url:
            return endpoint(Request("GET", request.url.replace(prefix, "="), request.headers))
    return endpoint(request)


def _open(endpoint: Endpoint, request: Request) -> Response:
    tokens, endpoint.tokens = endpoint.tokens, None
    try:
        return endpoint(request) if not request.header("authorization") else _closed(endpoint, tokens, request)
    finally:
        endpoint.tokens = tokens


def _closed(endpoint: Endpoint, tokens: Any, request: Request) -> Response:
    endpoint.tokens = tokens
    return endpoint(request)


def _any_bearer(endpoint: Endpoint, request: Request) -> Response:
    tokens, endpoint.tokens = endpoint.tokens, None if request.header("authorization") else endpoint.tokens
    try:
        return endpoint(request)
    finally:
        endpoint.tokens = tokens


def _gives_tokens(when: Callable[[dict[str, str]], bool]) -> Fault:
    """A token endpoint that does not look at one thing."""
    from urllib.parse import parse_qsl

    def fault(endpoint: Endpoint, request: Request) -> Response:
        answer = endpoint(request)
        if request.path == "/token" and answer.status != 200 and when(dict(parse_qsl(request.body.decode()))):
            said = {"access_token": "x" * 40, "token_type": "bearer", "expires_in": 300, "scope": "system/*.rs"}
            return Response(200, {"Content-Type": "application/json"}, orjson.dumps(said))
        return answer

    return fault


def _drops(name: str) -> Fault:
    """An endpoint that forgets its last resource of a type in searches by a parameter."""

    def drop(said: dict[str, Any]) -> None:
        if said.get("entry") and said["entry"][0]["resource"]["resourceType"] == name:
            said["entry"] = said["entry"][1:]

    return _changed(drop, lambda request: "patient=" in request.url and "_count" not in request.url)


def _shorter_pages(said: dict[str, Any]) -> None:
    if said.get("type") == "searchset":
        said["total"] = said.get("total", 0) + 7


def _ignores_count(endpoint: Endpoint, request: Request) -> Response:
    import re

    return endpoint(
        Request(request.method, re.sub(r"_count=\d+", "_count=500", request.url), request.headers, request.body)
    )


def _bulk_links(said: dict[str, Any]) -> None:
    for each in said.get("output", []):
        each["url"] = "http://elsewhere.example.org/file"


def _bundle(change: Callable[[dict[str, Any]], Any]) -> Fault:
    """An endpoint whose results of searches are changed where they have hits."""
    return _changed(lambda said: change(said) if said.get("resourceType") == "Bundle" and said.get("entry") else None)


def _error_as_hit(said: dict[str, Any]) -> None:
    issue = [{"severity": "error", "code": "exception"}]
    outcome = {"resourceType": "OperationOutcome", "id": "o", "issue": issue}
    said["entry"].append({"fullUrl": "urn:oid:1.2.3", "resource": outcome, "search": {"mode": "match"}})


def _twice(said: dict[str, Any]) -> None:
    if said.get("type") == "searchset" and len(said.get("entry", [])) > 1:
        said["entry"][-1] = said["entry"][0]


def _narrow(said: dict[str, Any]) -> None:
    for each in _entries(said):
        if each["resourceType"] == "Patient":
            each.pop("telecom", None)


FAULTS: dict[str, tuple[str, Fault]] = {
    "no statement": ("metadata.answers", _answers(500, _on("/metadata"))),
    "another version of FHIR": ("metadata.version", _changed(_lying_statement)),
    "a profile is not declared": ("metadata.profiles", _statement(lambda each: each.update(supportedProfile=[]))),
    "an interaction is not declared": (
        "metadata.interactions",
        _statement(lambda each: each.update(interaction=[{"code": "read"}])),
    ),
    "a parameter is not declared": ("metadata.search", _statement(_without_parameter)),
    "JSON with another media type": (
        "format.json",
        lambda endpoint, request: Response(200, {"Content-Type": "text/html"}, endpoint(request).body),
    ),
    "no XML": (
        "format.xml",
        lambda endpoint, request: endpoint(
            Request(request.method, request.url, {**request.headers, "Accept": "*/*"}, request.body)
        ),
    ),
    "open to all": ("security.no-token", _open),
    "takes any token": ("security.bad-token", _any_bearer),
    "no SMART configuration": ("smart.configuration", _answers(404, _on("/.well-known"))),
    "tokens for a day": ("smart.token", _changed(lambda said: said.update(expires_in=86400), _on("/token"))),
    "any grant": ("smart.wrong-grant", _gives_tokens(lambda form: form["grant_type"] != "client_credentials")),
    "any assertion type": ("smart.wrong-type", _gives_tokens(lambda form: "made-up" in form["client_assertion_type"])),
    "signatures are not checked": ("smart.wrong-signature", _gives_tokens(lambda form: True)),
    "assertions never end": ("smart.wrong-expired", _gives_tokens(lambda form: True)),
    "any audience": ("smart.wrong-audience", _gives_tokens(lambda form: True)),
    "assertions can be used again": ("smart.wrong-replayed", _gives_tokens(lambda form: True)),
    "unknown types are empty": (
        "errors.unknown-type",
        _answers(200, _on("/MadeUpResource"), b'{"resourceType":"Bundle","type":"searchset"}'),
    ),
    "dates that cannot be are let through": (
        "errors.bad-value",
        _answers(200, lambda request: "2020-13-45" in request.url, b'{"resourceType":"Bundle","type":"searchset"}'),
    ),
    "read gives another person": (
        "read.Patient",
        _changed(lambda said: said.update(id="other"), lambda request: request.url.startswith("/Patient/person")),
    ),
    "what is not there is empty": (
        "read.missing.Patient",
        _answers(200, _on("/Patient/there-is-no"), b'{"resourceType":"Patient"}'),
    ),
    "versions cannot be read": ("vread.Patient", _answers(404, lambda request: "/_history/" in request.url)),
    "a required element is missing": (
        "valid.krcore-patient",
        _each("Patient", lambda each: each.pop("birthDate", None)),
    ),
    "a code that does not exist": (
        "valid.krcore-encounter",
        _each("Encounter", lambda each: each.update(status="over")),
    ),
    "an element is never shown": ("shown.krcore-patient", _changed(_narrow)),
    "references lead nowhere": ("references.Encounter", _answers(404, _on("/Practitioner/"))),
    "a parameter is ignored": ("search.Patient.gender", _ignored("gender", "Patient")),
    "a search forgets hits": ("search.Condition.patient", _drops("Condition")),
    "POST is not taken": (
        "post.Patient.name",
        _answers(405, lambda request: request.method == "POST" and "_search" in request.url),
    ),
    "the code system is ignored": ("system.Patient.identifier", _no_system),
    "type and id are not taken": (
        "typed.Encounter.patient",
        _answers(400, lambda request: request.url.startswith("/Encounter?patient=Patient")),
    ),
    "prefixes of dates are ignored": ("prefix.Patient.birthdate", _no_prefix),
    "an empty search is not empty": ("none.Patient", _ignored("_id", "Patient")),
    "pages in a circle": ("paging.Patient", _changed(_circle)),
    "pages lead elsewhere": ("paging.Condition", _changed(_elsewhere)),
    "the total is wrong": ("paging.Observation", _changed(_shorter_pages)),
    "a page without its own address": ("paging.Patient", _bundle(lambda said: said.update(link=said["link"][1:]))),
    "hits without addresses": ("paging.Patient", _bundle(lambda said: [e.pop("fullUrl") for e in said["entry"]])),
    "hits with relative addresses": (
        "paging.Encounter",
        _bundle(lambda said: [e.update(fullUrl=e["fullUrl"].split("/fhir/")[-1]) for e in said["entry"]]),
    ),
    "a total that is text": ("paging.Patient", _bundle(lambda said: said.update(total=str(said["total"])))),
    "a negative total": ("paging.Patient", _bundle(lambda said: said.update(total=-1))),
    "an error among the hits": ("paging.Patient", _bundle(_error_as_hit)),
    "a made-up search mode": ("paging.Patient", _bundle(lambda said: said["entry"][0].update(search={"mode": "hit"}))),
    "an element that no Bundle has": ("paging.Patient", _bundle(lambda said: said.update(page=1))),
    "_count is ignored": ("paging.Encounter", _ignores_count),
    "one resource on two pages": ("paging.Procedure", _changed(_twice)),
    "bulk files lie elsewhere": ("bulk.lines", _changed(_bulk_links, _on("/bulk/"))),
    "a bulk export cannot be cancelled": ("bulk.cancel", _answers(202, lambda request: request.method == "DELETE")),
    "HTML instead of a resource": (
        "search.Patient._id",
        _answers(200, lambda request: request.path == "/Patient", b"<html></html>", **{"Content-Type": "text/html"}),
    ),
    "no answer": ("search.Patient.name", lambda endpoint, request: Response(0, error="no answer in time")),
}
