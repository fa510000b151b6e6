"""Tests of the statement, of security, and of SMART backend services."""

import time
from functools import partial
from typing import Any
from urllib.parse import urlencode, urlsplit

from madang.science.fhir.kit.model import (
    CAPABILITY,
    FAIL,
    NOT_APPLICABLE,
    PASS,
    REST,
    SMART,
    Finding,
    Test,
)
from madang.science.fhir.kit.session import JSON, Session
from madang.science.fhir.server.messages import Response
from madang.science.fhir.server.tokens import ASSERTION, assertion, new_client

XML = "application/fhir+xml"
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def tests(capability: dict[str, Any]) -> list[Test]:
    """The tests of this part."""
    made = [
        Test("metadata.answers", "metadata", "", "metadata", "SHALL", CAPABILITY, _metadata),
        Test("metadata.version", "metadata", "4.0.1", "version", "SHALL", CAPABILITY, _version),
        Test("metadata.profiles", "metadata", "", "profiles", "SHALL", CAPABILITY, partial(_profiles, capability)),
        Test(
            "metadata.interactions", "metadata", "", "interactions", "SHALL", CAPABILITY, partial(_actions, capability)
        ),
        Test("metadata.search", "metadata", "", "declared", "SHALL", CAPABILITY, partial(_declared, capability)),
        Test(
            "metadata.instantiates",
            "metadata",
            "",
            "instantiates",
            "SHOULD",
            CAPABILITY,
            partial(_instance, capability),
        ),
        Test("format.json", "metadata", "JSON", "json", "SHALL", CAPABILITY, _json),
        Test("format.xml", "metadata", "XML", "xml", "SHALL", CAPABILITY, _xml),
        Test("security.tls", "security", "", "tls", "SHALL", CAPABILITY, _tls),
        Test("security.no-token", "security", "", "no_token", "SHALL", CAPABILITY, partial(_denied, "")),
        Test(
            "security.bad-token",
            "security",
            "",
            "bad_token",
            "SHALL",
            CAPABILITY,
            partial(_denied, "Bearer made-up-token"),
        ),
        Test("smart.configuration", "security", "", "smart", "SHALL", SMART, _configuration),
        Test("smart.token", "security", "", "token", "SHALL", SMART, _good_token),
    ]
    for name in ("grant", "type", "signature", "expired", "audience", "client", "replayed"):
        made.append(
            Test(f"smart.wrong-{name}", "security", name, f"wrong_{name}", "SHALL", SMART, partial(_wrong, name))
        )
    made.append(Test("errors.unknown-type", "errors", "", "unknown_type", "SHALL", REST, _unknown_type))
    made.append(Test("errors.bad-value", "errors", "", "bad_value", "SHALL", CAPABILITY, _bad_value))
    made.append(Test("errors.outcome", "errors", "", "outcome", "SHOULD", REST, _outcome))
    return made


def _metadata(session: Session) -> Finding:
    answer = session.ask("GET", "metadata", signed=False)
    said = session.json(answer)
    if answer.error:
        return Finding(FAIL, "no_answer", (answer.error,))
    if answer.status != 200:
        return Finding(FAIL, "status", (200, answer.status))
    if said is None or said.get("resourceType") != "CapabilityStatement":
        return Finding(FAIL, "not_a", ("CapabilityStatement",))
    session.statement = said
    broken = [each for each in session.validator.validate(said).findings if each.severity == "error"]
    if broken:
        return Finding(FAIL, "invalid", (broken[0].path, broken[0].rule))
    return Finding(PASS)


def _statement(session: Session) -> dict[str, Any]:
    if session.statement is None:
        _metadata(session)
    return session.statement or {}


def _rest(session: Session) -> dict[str, dict[str, Any]]:
    rest = _statement(session).get("rest")
    first = rest[0] if isinstance(rest, list) and rest and isinstance(rest[0], dict) else {}
    found = first.get("resource")
    return {each.get("type", ""): each for each in found if isinstance(each, dict)} if isinstance(found, list) else {}


def _version(session: Session) -> Finding:
    return Finding(PASS) if _statement(session).get("fhirVersion") == "4.0.1" else Finding(FAIL, "other_version")


def _instance(capability: dict[str, Any], session: Session) -> Finding:
    said = _statement(session).get("instantiates") or []
    good = any(str(each).partition("|")[0] == capability["url"] for each in said)
    return Finding(PASS) if good else Finding(FAIL, "lacks", (capability["url"],))


def _lacking(lacking: list[str]) -> Finding:
    return Finding(FAIL, "lacks", (", ".join(lacking[:10]),)) if lacking else Finding(PASS)


def _profiles(capability: dict[str, Any], session: Session) -> Finding:
    said = _rest(session)
    lacking = []
    for each in capability["resources"]:
        have = [str(url).partition("|")[0] for url in said.get(each["type"], {}).get("supportedProfile", [])]
        lacking += [url for url, expectation in each["profiles"] if expectation == "SHALL" and url not in have]
        lacking += [each["type"]] if each["expectation"] == "SHALL" and each["type"] not in said else []
    return _lacking(lacking)


def _actions(capability: dict[str, Any], session: Session) -> Finding:
    said = _rest(session)
    lacking = []
    for each in capability["resources"]:
        have = {x.get("code") for x in said.get(each["type"], {}).get("interaction", []) if isinstance(x, dict)}
        lacking += [
            f"{each['type']} {code}" for code, want in each["interactions"] if want == "SHALL" and code not in have
        ]
    return _lacking(lacking)


def _declared(capability: dict[str, Any], session: Session) -> Finding:
    said = _rest(session)
    lacking = []
    for each in capability["resources"]:
        have = {x.get("name") for x in said.get(each["type"], {}).get("searchParam", []) if isinstance(x, dict)}
        lacking += [
            f"{each['type']}.{name}"
            for name, _kind, _url, want in each["search"]
            if want == "SHALL" and name not in have
        ]
    return _lacking(lacking)


def _json(session: Session) -> Finding:
    answer = session.ask("GET", "Patient?_count=1", {"Accept": JSON})
    return _formatted(answer, JSON, session.json(answer) is not None)


def _xml(session: Session) -> Finding:
    from madang.science.fhir.xml import XmlTrouble, resource_of

    answer = session.ask("GET", "Patient?_count=1", {"Accept": XML})
    try:
        read = resource_of(answer.body, session.definitions)
    except XmlTrouble:
        return _formatted(answer, XML, False)
    if read.findings:
        return Finding(FAIL, "invalid", (read.findings[0].path, read.findings[0].rule))
    return _formatted(answer, XML, True)


def _formatted(answer: Response, wanted: str, good: bool) -> Finding:
    if answer.error:
        return Finding(FAIL, "no_answer", (answer.error,))
    if answer.status != 200:
        return Finding(FAIL, "status", (200, answer.status))
    kind = answer.header("content-type").partition(";")[0].strip().lower()
    if kind != wanted:
        return Finding(FAIL, "media_type", (wanted,))
    return Finding(PASS) if good else Finding(FAIL, "not_a", (wanted,))


def _tls(session: Session) -> Finding:
    parts = urlsplit(session.base)
    if parts.scheme == "https":
        answer = session.ask("GET", "metadata", signed=False)
        return Finding(FAIL, "no_answer", (answer.error,)) if answer.error else Finding(PASS)
    if parts.hostname in LOOPBACK:
        return Finding(NOT_APPLICABLE, "loopback")
    return Finding(FAIL, "no_tls")


def _denied(header: str, session: Session) -> Finding:
    if session.credentials is None:
        return Finding(NOT_APPLICABLE, "no_credentials")
    answer = session.ask("GET", "Patient?_count=1", {"Authorization": header} if header else None, signed=False)
    if answer.status in (401, 403, 404):
        return Finding(PASS)
    return Finding(FAIL, "no_answer", (answer.error,)) if answer.error else Finding(FAIL, "let_in", (answer.status,))


def _configuration(session: Session) -> Finding:
    if session.credentials is None:
        return Finding(NOT_APPLICABLE, "no_credentials")
    said = session.json(
        session.ask("GET", ".well-known/smart-configuration", {"Accept": "application/json"}, signed=False)
    )
    if said is None:
        return Finding(FAIL, "not_a", ("smart-configuration",))
    wanted = ("token_endpoint", "capabilities", "grant_types_supported")
    lacking = [name for name in wanted if not said.get(name)]
    if "client_credentials" not in said.get("grant_types_supported", []):
        lacking.append("client_credentials")
    if isinstance(said.get("token_endpoint"), str) and not session.own(said["token_endpoint"]):
        return Finding(FAIL, "foreign")
    return _lacking(lacking)


def token_url(session: Session) -> str:
    """Where tokens are given, as the endpoint says; on its own host only."""
    said = session.json(
        session.ask("GET", ".well-known/smart-configuration", {"Accept": "application/json"}, signed=False)
    )
    url = (said or {}).get("token_endpoint")
    return url if isinstance(url, str) and session.own(url) else ""


def request_token(session: Session, url: str, form: dict[str, str]) -> Response:
    """Ask for a token."""
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    return session.ask("POST", url, headers, urlencode(form).encode(), signed=False)


def form_of(session: Session, url: str, **changed: Any) -> dict[str, str]:
    """A right request for a token, with claims changed."""
    given = session.credentials
    assert given is not None and given.key is not None
    return {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION,
        "client_assertion": assertion(given.client, given.key, url, **changed),
        "scope": given.scope,
    }


def sign_in(session: Session) -> None:
    """Get a token before the tests, where there is a key; a failure shows in the tests themselves."""
    if session.credentials and session.credentials.key and not session.token:
        _good_token(session)


def _good_token(session: Session) -> Finding:
    if session.credentials is None or session.credentials.key is None:
        return Finding(NOT_APPLICABLE, "no_key")
    url = token_url(session)
    if not url:
        return Finding(FAIL, "lacks", ("token_endpoint",))
    answer = request_token(session, url, form_of(session, url))
    said = session.json(answer)
    if answer.status != 200 or said is None:
        return Finding(FAIL, "status", (200, answer.status))
    lacking = [name for name in ("access_token", "token_type", "expires_in", "scope") if name not in said]
    if isinstance(said.get("access_token"), str):
        session.token = said["access_token"]
    if not lacking and isinstance(said["expires_in"], int) and said["expires_in"] > 3600:
        return Finding(FAIL, "long_token")
    return _lacking(lacking)


def _wrong(what: str, session: Session) -> Finding:
    if session.credentials is None or session.credentials.key is None:
        return Finding(NOT_APPLICABLE, "no_key")
    url = token_url(session)
    if not url:
        return Finding(FAIL, "lacks", ("token_endpoint",))
    form = form_of(session, url)
    if what == "grant":
        form["grant_type"] = "authorization_code"
    elif what == "type":
        form["client_assertion_type"] = "urn:ietf:params:oauth:client-assertion-type:made-up"
    elif what == "signature":
        stranger, _public = new_client()
        form["client_assertion"] = assertion(session.credentials.client, stranger, url)
    elif what == "expired":
        form = form_of(session, url, exp=int(time.time()) - 600)
    elif what == "audience":
        form = form_of(session, url, aud="https://elsewhere.example.org/token")
    elif what == "client":
        form = form_of(session, url, iss="made-up-client", sub="made-up-client")
    elif what == "replayed":
        first = request_token(session, url, form)
        if first.status != 200:
            return Finding(FAIL, "status", (200, first.status))
    answer = request_token(session, url, form)
    if answer.status in (400, 401):
        return Finding(PASS)
    return (
        Finding(FAIL, "token_given", (answer.status,)) if answer.status else Finding(FAIL, "no_answer", (answer.error,))
    )


def _unknown_type(session: Session) -> Finding:
    answer = session.get("MadeUpResource/1")
    return Finding(PASS) if answer.status in (400, 404) else Finding(FAIL, "status", ("404", answer.status))


def _bad_value(session: Session) -> Finding:
    answer = session.get("Patient?birthdate=2020-13-45")
    return Finding(PASS) if 400 <= answer.status < 500 else Finding(FAIL, "status", ("400", answer.status))


def _outcome(session: Session) -> Finding:
    answer = session.get("Patient/there-is-no-such-person")
    said = session.json(answer)
    good = said is not None and said.get("resourceType") == "OperationOutcome"
    return Finding(PASS) if good else Finding(FAIL, "not_a", ("OperationOutcome",))
