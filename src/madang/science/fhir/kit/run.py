"""A run of the kit: all tests in order, or some of them; it can be stopped and gone on with."""

import time
from collections.abc import Callable, Iterable
from typing import Any

from madang import __version__
from madang.base.progress import Progress, Silent
from madang.base.translate import _, language
from madang.science.fhir.definitions import Definitions
from madang.science.fhir.kit import basics, challenge, records, searching
from madang.science.fhir.kit.model import FAIL, OUTCOMES, Finding, Result, Test
from madang.science.fhir.kit.session import Refused, Session
from madang.science.fhir.kit.wording import said, title
from madang.science.fhir.kr_cdi import BASE, class_of
from madang.science.fhir.server.search import Unsearchable

OFFLINE = (
    "profiles",
    "must-support",
    "references",
    challenge.GROUP,
)  # groups of tests that a folder can be held against


def plan(definitions: Definitions) -> list[Test]:
    """Every test that a guide's server statement and profiles make."""
    capability = definitions.capability
    return [*basics.tests(capability), *records.tests(capability), *searching.tests(capability)]


def run(
    session: Session,
    only: Iterable[str] = (),
    done: Iterable[str] = (),
    progress: Progress | None = None,
    told: Callable[[Result], None] = lambda result: None,
) -> list[Result]:
    """Run the tests whose id is or begins with one of `only` (all, if none), but for those that are `done`.

    `told` hears each result as it comes, so that a run that is stopped keeps what it has.
    """
    progress = progress or Silent()
    chosen, left_out = tuple(only), set(done)
    tests = [
        each
        for each in [*plan(session.definitions), *challenge.tests(session.drawn)]
        if (not session.offline or each.group in OFFLINE)
        and each.id not in left_out
        and (not chosen or any(each.id == x or each.id.startswith(x + ".") for x in chosen))
    ]
    if not session.offline:
        basics.sign_in(session)
    results = []
    with progress.step(_("test"), total=len(tests), unit=_("tests")):
        for test in tests:
            progress.check()
            results.append(one(session, test))
            told(results[-1])
            progress.advance()
    return results


def one(session: Session, test: Test) -> Result:
    """Run one test. Whatever the endpoint answers, there is a result."""
    first, started = len(session.log), time.monotonic()
    try:
        finding = test.run(session)
    except Refused as refused:
        finding = Finding(FAIL, "foreign" if str(refused) == "foreign_host" else str(refused))
    except (Unsearchable, ValueError, TypeError, KeyError, AttributeError, RecursionError, IndexError):
        finding = Finding(FAIL, "malformed")  # an answer of another shape than any FHIR resource
    log = session.log[first:]
    if finding.kind == "status" and log and not log[-1]["status"]:
        finding = Finding(FAIL, "no_answer", (log[-1]["error"],))
    return Result(test, finding, log, time.monotonic() - started)


def result_document(each: Result) -> dict[str, Any]:
    """One result: the demand, the requests, what was expected and got, the clause and the repair, in both languages."""
    got_en, repair_en = said(each.finding, "en")
    got_ko, repair_ko = said(each.finding, "ko")
    english, korean = title(each.test, "en"), title(each.test, "ko")
    ko = language() == "ko"
    return {
        "id": each.test.id,
        "group": each.test.group,
        "subject": each.test.subject,
        "class": _class(each.test.subject),
        "title": korean if ko else english,
        "expectation": each.test.expectation,
        "clause": each.test.clause,
        "outcome": each.outcome,
        "expected": korean if ko else english,
        "expected_en": english,
        "expected_ko": korean,
        "got": got_ko if ko else got_en,
        "got_en": got_en,
        "got_ko": got_ko,
        "repair": repair_ko if ko else repair_en,
        "repair_en": repair_en,
        "repair_ko": repair_ko,
        "details": each.finding.details,
        "requests": each.requests,
    }


def _class(subject: str) -> str:
    """The class of KR CDI that a test is about, by its profile; empty where it is about none."""
    found = class_of(BASE + subject.removeprefix("krcore-")) if subject.startswith("krcore-") else None
    return found.id if found else ""


def document(results: list[Result], session: Session, when: str) -> dict[str, Any]:
    """The report of a run. It holds no token and no key; requests are kept with their addresses and statuses."""
    return document_of([result_document(each) for each in results], session, when)


def document_of(tests: list[dict[str, Any]], session: Session, when: str) -> dict[str, Any]:
    """The report of these results, which may be of several sittings of one run."""
    counts = {name: sum(each["outcome"] == name for each in tests) for name in OUTCOMES}
    made: dict[str, Any] = {
        "format": "madang.fhir.kit/1",
        "made_by": f"madang {__version__}",
        "kind": "self-declaration",
        "guide": session.guide,
        "target": session.base,
        "date": when,
        "packages": session.definitions.packages,
        "term_lists": session.definitions.terminology.lists,
        "summary": {"tests": len(tests), **counts},
        "tests": tests,
    }
    return made | {"challenge": session.challenge} if session.challenge else made
