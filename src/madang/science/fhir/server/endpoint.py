"""The endpoint: a request in, an answer out. Reads, searches, pages, exports in bulk, gives tokens; changes nothing."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

import orjson

from madang import __version__
from madang.science.fhir.definitions import Definitions
from madang.science.fhir.server.messages import Request, Response
from madang.science.fhir.server.search import Parameter, Unsearchable, matches, parameters_of
from madang.science.fhir.server.tokens import ASSERTION, Tokens
from madang.science.fhir.xml_write import xml_of

JSON, XML, LINES = "application/fhir+json", "application/fhir+xml", "application/fhir+ndjson"
PAGE, LARGEST_PAGE, LARGEST_BODY, JOBS = 50, 500, 100_000, 50
RESULT = ("_count", "_format", "_sort", "_total", "_summary", "_include", "_offset", "_pretty")
FORMATS = {
    "json": JSON,
    "application/json": JSON,
    JSON: JSON,
    "xml": XML,
    "text/xml": XML,
    "application/xml": XML,
    XML: XML,
}


@dataclass
class Endpoint:
    """A server of one set of resources under a base URL. Without `tokens` it is open to all."""

    base: str
    definitions: Definitions
    resources: Iterable[dict[str, Any]]
    tokens: Tokens | None = None
    store: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    jobs: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for each in self.resources:
            self.store.setdefault(each["resourceType"], {})[each["id"]] = each
        self.parameters = parameters_of(self.definitions)
        self._answers: dict[tuple[str, tuple[tuple[str, str], ...]], list[dict[str, Any]]] = {}

    def __call__(self, request: Request) -> Response:
        """Answer one request; `request.url` is what follows the base, beginning with a slash."""
        path = [part for part in request.path.split("/") if part]
        if path[:2] == [".well-known", "smart-configuration"]:
            return self._smart() if self.tokens else self._problem(404, "not-found", request)
        if path == ["metadata"]:
            return self._say(200, self.statement(), request)
        if path == ["token"] and self.tokens:
            return self._token(request)
        if self.tokens and not self.tokens.good(request.header("authorization")):
            denied = self._problem(401, "login", request)
            return Response(401, {**denied.headers, "WWW-Authenticate": "Bearer"}, denied.body)
        try:
            return self._route(request, path)
        except Unsearchable:
            return self._problem(400, "value", request)

    def _route(self, request: Request, path: list[str]) -> Response:
        if len(request.body) > LARGEST_BODY:
            return self._problem(413, "too-long", request)
        if path and path[0] == "bulk":
            return self._bulk(request, path[1:])
        if path in (["$export"], ["Patient", "$export"]):
            return self._export(request, patients=len(path) == 2)
        if request.method not in ("GET", "HEAD") and not (request.method == "POST" and path[1:] == ["_search"]):
            return self._problem(405, "not-supported", request)
        if not path or path[0] not in self.parameters:
            return self._problem(404, "not-supported", request)
        kept = self.store.get(path[0], {})
        if len(path) == 1 and request.method == "GET":
            return self._search(request, path[0], request.query)
        if path[1:] == ["_search"] and request.method == "POST":
            if request.header("content-type").partition(";")[0] != "application/x-www-form-urlencoded":
                return self._problem(415, "structure", request)
            form = parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True)
            return self._search(request, path[0], [*request.query, *form])
        found = kept.get(path[1])
        if found is None:
            return self._problem(404, "not-found", request)
        if len(path) == 2:
            return self._say(200, found, request, {"ETag": 'W/"1"', "Last-Modified": "Tue, 31 Dec 2024 15:00:00 GMT"})
        if path[2:] == ["_history"]:
            entry = {"fullUrl": f"{self.base}/{path[0]}/{path[1]}", "resource": found}
            entry |= {"request": {"method": "PUT", "url": f"{path[0]}/{path[1]}"}, "response": {"status": "200"}}
            return self._say(200, {"resourceType": "Bundle", "type": "history", "total": 1, "entry": [entry]}, request)
        if path[2:] == ["_history", "1"]:
            return self._say(200, found, request, {"ETag": 'W/"1"'})
        return self._problem(404, "not-found", request)

    # Answers.

    def _say(
        self, status: int, resource: dict[str, Any], request: Request, headers: dict[str, str] | None = None
    ) -> Response:
        wanted = dict(request.query).get("_format") or request.header("accept")
        kind = next(
            (FORMATS[one] for part in wanted.split(",") if (one := part.partition(";")[0].strip()) in FORMATS), None
        )
        accepts_any = not wanted or "*/*" in wanted or "application/*" in wanted
        if kind is None and not accepts_any:
            resource, status = _outcome("not-supported"), 406
        if kind == XML:
            body = xml_of(resource, self.definitions).encode()
        else:
            kind, body = JSON, orjson.dumps(resource)
        return Response(
            status, {"Content-Type": f"{kind}; charset=utf-8", "Cache-Control": "no-store", **(headers or {})}, body
        )

    def _problem(self, status: int, code: str, request: Request) -> Response:
        return self._say(status, _outcome(code), request)

    def _search(self, request: Request, name: str, given: list[tuple[str, str]]) -> Response:
        result = {key: value for key, value in given if key in RESULT}
        asked = tuple((key, value) for key, value in given if key not in RESULT)
        hits = self._answers.get((name, asked))
        if hits is None:
            hits = list(self.store.get(name, {}).values())
            for key, value in asked:
                parameter, modifier = self._parameter(name, key)
                if parameter is None:
                    return self._problem(400, "not-supported", request)
                hits = [each for each in hits if matches(each, parameter, value, modifier)]
            if len(self._answers) > 200:
                self._answers.clear()
            self._answers[name, asked] = hits
        count, offset = _whole(result.get("_count"), PAGE), _whole(result.get("_offset"), 0)
        count = min(count, LARGEST_PAGE)
        return self._say(200, self._page(name, list(asked), hits, count, offset, result.get("_format")), request)

    def _parameter(self, name: str, key: str) -> tuple[Parameter | None, str]:
        code, _colon, modifier = key.partition(":")
        parameter = self.parameters[name].get(code)
        allowed = {"token": ("not", "missing"), "string": ("exact", "contains", "missing")}
        if parameter and modifier and modifier not in allowed.get(parameter.kind, ("missing",)):
            typed = parameter.kind == "reference" and modifier in self.parameters
            return (parameter, modifier) if typed else (None, "")
        return parameter, modifier

    def _page(
        self,
        name: str,
        asked: list[tuple[str, str]],
        hits: list[dict[str, Any]],
        count: int,
        offset: int,
        form: str | None,
    ) -> dict[str, Any]:
        def link(start: int) -> str:
            extra = [("_count", str(count)), ("_offset", str(start))] + ([("_format", form)] if form else [])
            return f"{self.base}/{name}?{urlencode([*asked, *extra])}"

        links = [{"relation": "self", "url": link(offset)}]
        if count and offset + count < len(hits):
            links.append({"relation": "next", "url": link(offset + count)})
        bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset", "total": len(hits), "link": links}
        entries = [
            {"fullUrl": f"{self.base}/{name}/{each['id']}", "resource": each, "search": {"mode": "match"}}
            for each in hits[offset : offset + count]
        ]
        return bundle | {"entry": entries} if entries else bundle

    def statement(self) -> dict[str, Any]:
        """The CapabilityStatement of this endpoint."""
        wanted = self.definitions.capability
        security: dict[str, Any] = {"cors": False}
        if self.tokens:
            service = {
                "system": "http://terminology.hl7.org/CodeSystem/restful-security-service",
                "code": "SMART-on-FHIR",
            }
            security["service"] = [{"coding": [service]}]
        resources = [
            {
                "type": each["type"],
                "supportedProfile": [url for url, _expectation in each["profiles"]],
                "interaction": [{"code": code} for code in ("read", "vread", "history-instance", "search-type")],
                "versioning": "versioned",
                "referencePolicy": ["resolves", "local"],
                "searchParam": [
                    {"name": one.code, "type": one.kind, **({"definition": one.definition} if one.definition else {})}
                    for one in self.parameters[each["type"]].values()
                ],
            }
            for each in wanted["resources"]
        ]
        return {
            "resourceType": "CapabilityStatement",
            "status": "active",
            "date": "2025-01-01",
            "kind": "instance",
            "instantiates": [wanted["url"]],
            "software": {"name": "Madang synthetic KR Core endpoint", "version": __version__},
            "implementation": {"description": "Synthetic data; nobody in them exists.", "url": self.base},
            "fhirVersion": "4.0.1",
            "format": [JSON, XML],
            "rest": [
                {
                    "mode": "server",
                    "security": security,
                    "resource": resources,
                    "operation": [
                        {"name": "export", "definition": "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/export"}
                    ],
                }
            ],
        }

    # Security.

    def _smart(self) -> Response:
        said = {
            "token_endpoint": f"{self.base}/token",
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": ["RS384", "ES384"],
            "grant_types_supported": ["client_credentials"],
            "scopes_supported": ["system/*.rs"],
            "capabilities": ["client-confidential-asymmetric", "permission-v2"],
        }
        return Response(200, {"Content-Type": "application/json"}, orjson.dumps(said))

    def _token(self, request: Request) -> Response:
        assert self.tokens is not None
        if request.method != "POST" or len(request.body) > LARGEST_BODY:
            return self._problem(405, "not-supported", request)
        form = dict(parse_qsl(request.body.decode("ascii", "replace")))
        status, said = self.tokens.exchange(form, f"{self.base}/token")
        return Response(status, {"Content-Type": "application/json", "Cache-Control": "no-store"}, orjson.dumps(said))

    # Bulk export.

    def _export(self, request: Request, patients: bool) -> Response:
        if "respond-async" not in request.header("prefer"):
            return self._problem(400, "required", request)
        asked = dict(request.query)
        if asked.get("_outputFormat", LINES) not in (LINES, "application/ndjson", "ndjson"):
            return self._problem(400, "value", request)
        types = [each for each in asked.get("_type", ",".join(self.store)).split(",") if each]
        if any(each not in self.parameters for each in types):
            return self._problem(400, "value", request)
        if patients:
            types = [
                each for each in types if each not in ("Organization", "Practitioner", "PractitionerRole", "Medication")
            ]
        since = asked.get("_since")
        if since:
            parameter = self.parameters["Patient"]["_lastUpdated"]
            types = [
                each
                for each in types
                if any(matches(one, parameter, "gt" + since) for one in self.store.get(each, {}).values())
            ]
        while len(self.jobs) >= JOBS:
            self.jobs.pop(next(iter(self.jobs)))
        number = secrets.token_hex(8)
        self.jobs[number] = types
        return Response(202, {"Content-Location": f"{self.base}/bulk/{number}"})

    def _bulk(self, request: Request, path: list[str]) -> Response:
        types = self.jobs.get(path[0]) if path else None
        if types is None:
            return self._problem(404, "not-found", request)
        if request.method == "DELETE" and len(path) == 1:
            del self.jobs[path[0]]
            return Response(202)
        if len(path) == 2 and path[1] in types:
            lines = b"".join(orjson.dumps(each) + b"\n" for each in self.store.get(path[1], {}).values())
            return Response(200, {"Content-Type": LINES}, lines)
        if len(path) != 1:
            return self._problem(404, "not-found", request)
        output = [
            {"type": each, "url": f"{self.base}/bulk/{path[0]}/{each}", "count": len(self.store.get(each, {}))}
            for each in types
            if self.store.get(each)
        ]
        said = {
            "transactionTime": "2025-01-01T00:00:00+09:00",
            "request": f"{self.base}/$export",
            "requiresAccessToken": self.tokens is not None,
            "output": output,
            "error": [],
        }
        return Response(200, {"Content-Type": "application/json"}, orjson.dumps(said))


def _outcome(code: str) -> dict[str, Any]:
    return {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": code}]}


def _whole(text: str | None, otherwise: int) -> int:
    if text is None:
        return otherwise
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise Unsearchable(text)
    return int(text)


__all__ = ["ASSERTION", "Endpoint"]
