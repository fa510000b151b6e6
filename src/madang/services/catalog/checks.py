"""The quality of a version on a page of the portal: three sentences for who does not know the words, what failed in
sentences with what to do, and the whole report for who wants every number."""

from collections.abc import Mapping
from typing import Any

import orjson

from madang.base.translate import _
from madang.node import files
from madang.node.permissions import check
from madang.services.catalog import service
from madang.services.catalog.acts import READ
from madang.services.catalog.routes import room
from madang.web import Here, Number, View


class Failure(View):
    """A check that failed: what is wrong, and what to do about it, in the reader's language."""

    check: str
    severity: str
    fatal: bool
    sentence: str
    hint: str


class Category(View):
    """Checks of one kind: how many passed, failed, and could not apply."""

    name: str
    passed: int
    failed: int
    other: int


class ChecksPage(View):
    """The checks of a version."""

    name: str
    title: str
    version: int
    verdict: str
    passed: int
    failed: int
    fatal: int
    categories: list[Category]
    failures: list[Failure]
    more: int


@room.page("/records/{name}/checks", "checks.html")
def checks(visit: Here, name: str, version: Number | None = None) -> ChecksPage:
    """What was checked of a version, and what failed: for whoever may read the data."""
    found = service.see(visit.node, visit.actor, name)
    check(visit.actor, READ, found)
    current = service.version_of(visit.actor, found, version)
    visit.node.audit.read(visit.actor, "record.quality", f"record:{found.id}")
    kept = current.documents.get(f"checks-{visit.language}")
    told: Mapping[str, Any] = orjson.loads(files.read(visit.node.home, kept)) if kept else {}
    return ChecksPage(
        name=found.name,
        title=found.title,
        version=current.number,
        verdict=current.verdict,
        passed=current.passed,
        failed=current.failed,
        fatal=current.fatal,
        categories=told.get("categories", []),
        failures=told.get("failures", []),
        more=told.get("more", 0),
    )


CATEGORIES = {
    "Conformance": lambda: _("Does it follow the model?"),
    "Completeness": lambda: _("Is it all there?"),
    "Plausibility": lambda: _("Can it be true?"),
}

room.helpers |= {"category_named": lambda name: CATEGORIES[name]() if name in CATEGORIES else name}
