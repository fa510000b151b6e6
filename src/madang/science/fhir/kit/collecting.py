"""All records of a system under test: by bulk export where it has one, else by a search of each type."""

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin

import orjson

from madang.science.fhir.kit.session import Session

MOST_RECORDS, MOST_PAGES, POLLS = 1_000_000, 2_000, 600


def collected(session: Session) -> Iterator[dict[str, Any]]:
    """Every record that the system gives, each once; a folder's in its place. Foreign hosts are never followed."""
    if session.offline:
        for kept in session.seen.values():
            yield from kept.values()
        return
    urls = _export(session)
    seen: set[tuple[str, str]] = set()
    for each in _lines(session, urls) if urls is not None else _searched(session):
        key = (str(each.get("resourceType")), str(each.get("id")))
        if key not in seen and len(seen) < MOST_RECORDS:
            seen.add(key)
            yield each


def _export(session: Session) -> list[str] | None:
    """The files of a bulk export; None where the system has none, or gives it up."""
    answer = session.ask("GET", "$export", {"Prefer": "respond-async"})
    status = urljoin(session.base + "/", answer.header("content-location"))
    if answer.status != 202 or not answer.header("content-location") or not session.own(status):
        return None
    for _poll in range(POLLS):
        answer = session.ask("GET", status, {"Accept": "application/json"})
        if answer.status != 202:
            break
        wait = answer.header("retry-after")
        time.sleep(min(float(wait), 10.0) if wait.isdigit() else 0.5)
    said = session.json(answer) if answer.status == 200 else None
    output = said.get("output") if said else None
    if not isinstance(output, list):
        return None
    urls = [each.get("url") for each in output if isinstance(each, dict)]
    return [url for url in urls if isinstance(url, str) and session.own(url)]


def _lines(session: Session, urls: list[str]) -> Iterator[dict[str, Any]]:
    for url in urls:
        answer = session.ask("GET", url, {"Accept": "application/fhir+ndjson"})
        for line in answer.body.split(b"\n") if answer.status == 200 else ():
            if line.strip():
                yield from _object(line)


def _object(line: bytes) -> Iterator[dict[str, Any]]:
    try:
        read = orjson.loads(line)
    except orjson.JSONDecodeError:
        return
    if isinstance(read, dict) and isinstance(read.get("resourceType"), str):
        yield read


def _searched(session: Session) -> Iterator[dict[str, Any]]:
    for name in session.parameters:
        for wrong, bundle in session.pages(session.get(f"{name}?_count=200"), MOST_PAGES):
            if wrong:
                break
            yield from session.hits(bundle)
