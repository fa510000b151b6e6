"""Tests of what the endpoint holds: read, versions, profiles, must-support, references, bulk export."""

import time
from functools import partial
from typing import Any
from urllib.parse import urljoin

import orjson

from madang.science.fhir.kit.model import (
    BULK,
    CAPABILITY,
    FAIL,
    GUIDE,
    NOT_APPLICABLE,
    NOT_SHOWN,
    PASS,
    REST,
    Finding,
    Test,
)
from madang.science.fhir.kit.session import Refused, Session
from madang.science.fhir.shown import Shown, supported

POLLS, EXAMPLES = 60, 5


def tests(capability: dict[str, Any]) -> list[Test]:
    """The tests of this part."""
    made = []
    for each in capability["resources"]:
        name = each["type"]
        wanted = dict(each["interactions"])
        made.append(
            Test(f"read.{name}", "read", name, "read", wanted.get("read") or "SHALL", REST, partial(_read, name))
        )
        made.append(Test(f"read.missing.{name}", "read", name, "missing", "SHALL", REST, partial(_missing, name)))
        if wanted.get("vread") in ("SHALL", "SHOULD"):
            made.append(Test(f"vread.{name}", "read", name, "vread", wanted["vread"], REST, partial(_vread, name)))
        if wanted.get("history-instance") in ("SHALL", "SHOULD"):
            made.append(
                Test(
                    f"history.{name}",
                    "read",
                    name,
                    "history",
                    wanted["history-instance"],
                    REST,
                    partial(_history, name),
                )
            )
        for url, expectation in each["profiles"]:
            short = url.rpartition("/")[2]
            clause = f"{GUIDE}StructureDefinition-{short}.html"
            made.append(
                Test(f"valid.{short}", "profiles", short, "valid", expectation, clause, partial(_valid, name, url))
            )
            made.append(
                Test(f"shown.{short}", "must-support", short, "shown", expectation, clause, partial(_shown, name, url))
            )
        made.append(
            Test(f"references.{name}", "references", name, "references", "SHALL", CAPABILITY, partial(_refers, name))
        )
    for kind in ("kick-off", "lines", "cancel", "no-token"):
        made.append(Test(f"bulk.{kind}", "bulk", kind, f"bulk_{kind}", "MAY", BULK, partial(_bulk, kind)))
    return made


def _nothing(session: Session, name: str) -> Finding:
    why = session.trouble.get(name)
    return Finding(FAIL, f"search_{why}", (name,)) if why else Finding(NOT_SHOWN, "no_resource", (name,))


def _read(name: str, session: Session) -> Finding:
    known = session.known(name)
    if not known:
        return _nothing(session, name)
    for identifier in list(known)[:EXAMPLES]:
        answer = session.get(f"{name}/{identifier}")
        said = session.json(answer)
        if answer.status != 200 or said is None:
            return (
                Finding(FAIL, "no_answer", (answer.error,))
                if answer.error
                else Finding(FAIL, "status", (200, answer.status))
            )
        if said.get("resourceType") != name or said.get("id") != identifier:
            return Finding(FAIL, "other_resource")
        if _content(said) != _content(known[identifier]):
            return Finding(FAIL, "differs")
    return Finding(PASS)


def _content(resource: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in resource.items() if key not in ("meta", "text")}


def _missing(name: str, session: Session) -> Finding:
    answer = session.get(f"{name}/there-is-no-such-thing")
    return Finding(PASS) if answer.status in (404, 410) else Finding(FAIL, "status", (404, answer.status))


def _vread(name: str, session: Session) -> Finding:
    known = session.known(name)
    if not known:
        return _nothing(session, name)
    identifier = next(iter(known))
    read = session.json(session.get(f"{name}/{identifier}")) or {}
    version = (read.get("meta") or {}).get("versionId")
    if not version:
        return Finding(FAIL, "lacks", ("meta.versionId",))
    answer = session.get(f"{name}/{identifier}/_history/{version}")
    said = session.json(answer)
    if answer.status != 200 or said is None:
        return Finding(FAIL, "status", (200, answer.status))
    return Finding(PASS) if (said.get("meta") or {}).get("versionId") == version else Finding(FAIL, "other_resource")


def _history(name: str, session: Session) -> Finding:
    known = session.known(name)
    if not known:
        return _nothing(session, name)
    said = session.json(session.get(f"{name}/{next(iter(known))}/_history"))
    good = said is not None and said.get("resourceType") == "Bundle" and said.get("type") == "history"
    return Finding(PASS) if good else Finding(FAIL, "not_a", ("Bundle (history)",))


def _of(session: Session, name: str, url: str) -> list[Any]:
    """The verdicts on those resources that are held against a profile."""
    return [verdict for each in session.known(name).values() if url in (verdict := session.verdict(each)).profiles]


def _valid(name: str, url: str, session: Session) -> Finding:
    verdicts = _of(session, name, url)
    if not verdicts:
        return (
            _nothing(session, name)
            if not session.known(name)
            else Finding(NOT_SHOWN, "no_resource", (url.rpartition("/")[2],))
        )
    from madang.science.fhir.wording import sentence

    broken = [verdict for verdict in verdicts if not verdict.valid]
    if not broken:
        return Finding(PASS)
    details = [
        {
            "resource": f"{verdict.type}/{verdict.id}",
            "path": each.path,
            "rule": each.rule,
            "severity": each.severity,
            "message_en": sentence(each.kind, each.about, "en"),
            "message_ko": sentence(each.kind, each.about, "ko"),
        }
        for verdict in broken[:20]
        for each in verdict.findings
        if each.severity == "error"
    ]
    return Finding(FAIL, "not_valid", (len(broken), len(verdicts)), details[:50])


def _shown(name: str, url: str, session: Session) -> Finding:
    wanted = supported(session.validator.compiler, url)
    if not wanted:
        return Finding(NOT_APPLICABLE, "nothing_supported")
    shown = Shown()
    for verdict in _of(session, name, url):
        shown.look(session.validator.compiler, verdict)
    lacking = sorted(set(wanted) - shown.elements.get(url, set()))
    if not lacking:
        return Finding(PASS)
    return Finding(NOT_SHOWN, "not_shown", (", ".join(lacking),))


def _refers(name: str, session: Session) -> Finding:
    known = session.known(name)
    if not known:
        return _nothing(session, name)
    asked: set[str] = set()
    if session.offline:
        return _within(session, known)
    for each in known.values():
        for text in session.verdict(each).context.references:
            local = text.removeprefix(session.base + "/")
            if ":" not in local and local.count("/") == 1:
                asked.add(local)
    by_type: dict[str, list[str]] = {}
    for local in sorted(asked):
        by_type.setdefault(local.partition("/")[0], []).append(local)
    for local in [one for some in by_type.values() for one in (some[0], some[-1])]:
        kind = local.partition("/")[0]
        answer = session.get(local)
        if answer.status != 200:
            return Finding(FAIL, "lost", (kind, answer.status))
    return Finding(PASS)


def _within(session: Session, known: dict[str, dict[str, Any]]) -> Finding:
    """In a folder what is referred to is in the folder."""
    lost: dict[str, int] = {}
    for each in known.values():
        for text in session.verdict(each).context.references:
            kind, _slash, identifier = text.partition("/_history/")[0].rpartition("/")
            kind = kind.rpartition("/")[2]
            if kind in session.parameters and identifier not in session.seen.get(kind, {}):
                lost[kind] = lost.get(kind, 0) + 1
    if lost:
        return Finding(FAIL, "lost_within", (", ".join(f"{kind}: {count}" for kind, count in sorted(lost.items())),))
    return Finding(PASS)


def _bulk(kind: str, session: Session) -> Finding:
    answer = session.ask("GET", "$export?_type=Patient", {"Prefer": "respond-async"})
    if answer.status in (400, 403, 404, 405, 501):
        return Finding(NOT_APPLICABLE, "no_bulk")
    status = answer.header("content-location")
    if answer.status != 202 or not status:
        return Finding(FAIL, "lacks", ("202, Content-Location",))
    status = urljoin(session.base + "/", status)
    if not session.own(status):
        return Finding(FAIL, "foreign")
    if kind == "cancel":
        gone = session.ask("DELETE", status)
        after = session.get(status)
        good = gone.status == 202 and after.status in (404, 410)
        return Finding(PASS) if good else Finding(FAIL, "status", ("202, 404", f"{gone.status}, {after.status}"))
    for _poll in range(POLLS):
        answer = session.ask("GET", status, {"Accept": "application/json"})
        if answer.status != 202:
            break
        time.sleep(
            min(float(answer.header("retry-after") or 0.5), 5.0) if answer.header("retry-after").isdigit() else 0.5
        )
    said = session.json(answer)
    if answer.status != 200 or said is None:
        return Finding(FAIL, "status", (200, answer.status))
    lacking = [
        each for each in ("transactionTime", "request", "requiresAccessToken", "output", "error") if each not in said
    ]
    if lacking:
        return Finding(FAIL, "lacks", (", ".join(lacking),))
    urls = [each.get("url", "") for each in said["output"] if isinstance(each, dict)]
    if kind == "kick-off":
        return Finding(PASS)
    if not urls:
        return Finding(NOT_SHOWN, "no_resource", ("Patient",))
    if any(not session.own(str(url)) for url in urls):
        return Finding(FAIL, "foreign")
    if kind == "no-token":
        if session.credentials is None or said.get("requiresAccessToken") is not True:
            return Finding(NOT_APPLICABLE, "no_credentials")
        answer = session.ask("GET", urls[0], signed=False)
        return Finding(PASS) if answer.status in (401, 403, 404) else Finding(FAIL, "let_in", (answer.status,))
    return _lines(session, urls)


def _lines(session: Session, urls: list[str]) -> Finding:
    count = 0
    for url in urls[:EXAMPLES]:
        answer = session.ask("GET", url, {"Accept": "application/fhir+ndjson"})
        if answer.status != 200:
            return Finding(FAIL, "status", (200, answer.status))
        for line in answer.body.split(b"\n")[:1000]:
            if not line.strip():
                continue
            try:
                resource = orjson.loads(line)
            except orjson.JSONDecodeError:
                return Finding(FAIL, "not_a", ("NDJSON",))
            if not isinstance(resource, dict) or resource.get("resourceType") != "Patient":
                return Finding(FAIL, "other_resource")
            if not session.validator.validate(resource).valid:
                return Finding(FAIL, "not_valid", (1, count + 1))
            count += 1
    return Finding(PASS) if count else Finding(NOT_SHOWN, "no_resource", ("Patient",))


__all__ = ["Refused", "tests"]
