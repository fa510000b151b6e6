"""One run against one endpoint: requests within bounds, kept without their secrets, and what was seen so far."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

import orjson

from madang.science.fhir.definitions import Definitions
from madang.science.fhir.server.messages import Request, Response, Transport
from madang.science.fhir.server.search import Parameter, parameters_of
from madang.science.fhir.validator import Validator

JSON = "application/fhir+json"
MOST_REQUESTS, MOST_PAGES, ENOUGH = 5000, 40, 200  # of a run; of one search; resources of a type that are looked at
SECRET = ("authorization", "client_assertion")


class Refused(Exception):
    """A request that the kit does not make: to another host, or beyond its bounds."""


@dataclass
class Credentials:
    """How the kit signs in: a ready token, or a client of SMART backend services with its private key."""

    token: str = ""
    client: str = ""
    key: dict[str, Any] | None = None
    scope: str = "system/*.rs"


@dataclass
class Session:
    """The endpoint under test."""

    base: str
    transport: Transport
    definitions: Definitions
    credentials: Credentials | None = None
    guide: str = "kr-core"
    log: list[dict[str, Any]] = field(default_factory=list)
    seen: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    statement: dict[str, Any] | None = None
    token: str = ""
    offline: bool = False  # the resources of a folder are all there is
    trouble: dict[str, str] = field(default_factory=dict)  # of a type: why nothing of it was seen
    drawn: list[dict[str, Any]] = field(default_factory=list)  # records of a challenge
    challenge: dict[str, Any] = field(default_factory=dict)  # which challenge that is, by number and hash
    _count: int = 0

    def __post_init__(self) -> None:
        self.base = self.base.rstrip("/")
        self.parameters: dict[str, dict[str, Parameter]] = parameters_of(self.definitions)
        self.validator = Validator(self.definitions, self.guide)
        self.token = self.credentials.token if self.credentials else ""
        self._verdicts: dict[str, Any] = {}

    # Requests.

    def ask(
        self, method: str, url: str, headers: dict[str, str] | None = None, body: bytes = b"", signed: bool = True
    ) -> Response:
        """Make one request to the endpoint and keep it; `url` is absolute or follows the base."""
        whole = url if ":" in url.partition("?")[0] else f"{self.base}/{url.lstrip('/')}"
        if not self.own(whole):
            raise Refused("foreign_host")
        self._count += 1
        if self._count > MOST_REQUESTS:
            raise Refused("too_many")
        sent = {"Accept": JSON, **(headers or {})}
        if signed and self.token and "Authorization" not in sent:
            sent["Authorization"] = f"Bearer {self.token}"
        started = time.monotonic()
        answer = self.transport(Request(method, whole, sent, body))
        self.log.append(
            {
                "method": method,
                "url": whole,
                "signed": "Authorization" in sent,
                "status": answer.status,
                "error": answer.error,
                "bytes": len(answer.body),
                "milliseconds": round((time.monotonic() - started) * 1000),
            }
        )
        return answer

    def own(self, url: str) -> bool:
        """Whether a URL is on the host and scheme of the endpoint; no other is ever followed."""
        one, other = urlsplit(url), urlsplit(self.base)
        try:
            return (one.scheme, one.hostname, one.port) == (
                other.scheme,
                other.hostname,
                other.port,
            ) and not one.username
        except ValueError:
            return False

    def get(self, url: str, **headers: str) -> Response:
        """GET with JSON accepted."""
        return self.ask("GET", url, headers)

    @staticmethod
    def json(answer: Response) -> Any:
        """The parsed body, or None where it is no JSON object."""
        try:
            read = orjson.loads(answer.body)
        except orjson.JSONDecodeError:
            return None
        return read if isinstance(read, dict) else None

    # Search.

    def pages(self, answer: Response, most: int = MOST_PAGES) -> Iterator[tuple[str, Any]]:
        """The pages of a search from its first answer: (`""` or what is wrong, Bundle)."""
        visited: set[str] = set()
        for _page in range(most):
            bundle = self.json(answer)
            if answer.status != 200 or bundle is None or bundle.get("resourceType") != "Bundle":
                yield "no_bundle", None
                return
            yield "", bundle
            links = bundle.get("link")
            following = (
                next((x.get("url") for x in links if isinstance(x, dict) and x.get("relation") == "next"), None)
                if isinstance(links, list)
                else None
            )
            if not isinstance(following, str):
                return
            following = urljoin(self.base + "/", following)
            if following in visited:
                yield "circle", None
                return
            visited.add(following)
            if not self.own(following):
                yield "foreign", None
                return
            answer = self.get(following)

    @staticmethod
    def hits(bundle: Any) -> list[dict[str, Any]]:
        """The matching resources of a page."""
        entries = bundle.get("entry") if isinstance(bundle, dict) else None
        found = []
        for entry in entries if isinstance(entries, list) else ():
            resource = entry.get("resource") if isinstance(entry, dict) else None
            search = entry.get("search") if isinstance(entry, dict) else None
            mode = search.get("mode", "match") if isinstance(search, dict) else "match"
            if isinstance(resource, dict) and mode == "match" and resource.get("resourceType") != "OperationOutcome":
                found.append(resource)
        return found

    def known(self, name: str) -> dict[str, dict[str, Any]]:
        """Resources of a type by id, asked for once: first all, and where that is refused by the patients seen."""
        if name in self.seen or self.offline:
            return self.seen.get(name, {})
        self.seen[name] = {}
        self._collect(name, f"{name}?_count=100")
        if not self.seen[name] and name != "Patient" and "patient" in self.parameters.get(name, {}):
            for patient in list(self.known("Patient"))[:20]:
                self._collect(name, f"{name}?patient={patient}")
                if len(self.seen[name]) >= ENOUGH:
                    break
        return self.seen[name]

    def _collect(self, name: str, url: str) -> None:
        for wrong, bundle in self.pages(self.get(url)):
            if wrong:
                self.trouble[name] = wrong
                return
            for each in self.hits(bundle):
                if each.get("resourceType") == name and isinstance(each.get("id"), str):
                    self.seen[name].setdefault(each["id"], each)
            if len(self.seen[name]) >= ENOUGH:
                return

    def hold(self, resources: Iterable[dict[str, Any]]) -> None:
        """Take the resources of a folder in place of an endpoint."""
        self.offline = True
        for each in resources:
            self.seen.setdefault(each["resourceType"], {})[each["id"]] = each

    def verdict(self, resource: dict[str, Any]) -> Any:
        """What the validator says of a resource, asked once."""
        key = f"{resource.get('resourceType')}/{resource.get('id')}"
        if key not in self._verdicts:
            self._verdicts[key] = self.validator.validate(resource)
        return self._verdicts[key]
