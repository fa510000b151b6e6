"""The pages of EMR conformance: validate synthetic resources, hand in a report, read and judge reports."""

from datetime import datetime
from typing import Any

import orjson
from pydantic import Field
from starlette.responses import Response

from madang.base.translate import _
from madang.node.permissions import may
from madang.science.fhir.kr_cdi import CLASSES
from madang.services.emr import checking, service
from madang.services.emr.acts import REPORT, RETURN, TAKE
from madang.services.emr.models import ConformanceReport
from madang.services.emr.testing import group_names, outcome_names
from madang.web import Done, Here, Number, Room, View

room = Room("emr", __package__)


class Line(View):
    """A report in a list."""

    number: int
    product: str
    version: str
    kind: str
    target: str
    state: str
    state_name: str
    handed_in: datetime


class Front(View):
    """The front page of the room."""

    reports: list[Line]


class File(View):
    """Resources to validate: a file, or pasted text."""

    file: bytes = Field(default=b"", max_length=checking.LARGEST, title="The file")
    text: str = Field(default="", max_length=1_000_000, title="The resources")


class CheckedView(View):
    """What validation says; kept nowhere."""

    summary: dict[str, Any]
    classes: list[dict[str, Any]]
    findings: list[dict[str, Any]]
    more: int


class Validate(View):
    """Where resources are validated."""

    largest: int = checking.LARGEST // 1_000_000


class HandIn(View):
    """A report to hand in, and of which product it is."""

    product: str = Field(title="The product", min_length=1, max_length=200)
    version: str = Field(title="The version", min_length=1, max_length=100)
    file: bytes = Field(max_length=service.LARGEST, title="The report")


class Group(View):
    """The outcomes of a group of tests."""

    name: str
    counts: list[int]


class One(View):
    """A report, whole."""

    number: int
    product: str
    version: str
    kind: str
    guide: str
    target: str
    made: str
    issuer: str
    known: bool
    sha256: str
    state: str
    state_name: str
    reason: str
    may_judge: bool
    outcomes: list[str]
    classes: list[Group]
    groups: list[Group]
    open: list[dict[str, Any]]


class Judgement(View):
    """Why a report is taken or returned."""

    reason: str = Field(title="The reason", min_length=1, max_length=5_000)


@room.page("/emr", "emr.html")
def front(visit: Here) -> Front:
    """What the room is for, and the reports that one may see."""
    return Front(reports=[_line(each) for each in service.reports(visit.node, visit.actor)])


@room.page("/emr/validate", "emr_validate.html")
def validate_page(visit: Here) -> Validate:
    """Where synthetic resources are held against KR Core."""
    return Validate()


@room.act("/emr/validate", at=validate_page, largest=checking.LARGEST + 1_100_000)
def validate(visit: Here, given: File) -> CheckedView:
    """Hold synthetic resources against KR Core; nothing is kept."""
    checked = checking.check_file(given.file or given.text.encode())
    return CheckedView(summary=checked.summary, classes=checked.classes, findings=checked.findings, more=checked.more)


@room.page("/emr/hand-in", "emr_hand_in.html")
def hand_in_page(visit: Here) -> Front:
    """Where a signed report is handed in."""
    return Front(reports=[])


@room.act("/emr/hand-in", at=hand_in_page, largest=service.LARGEST + 100_000)
def hand_in(visit: Here, given: HandIn) -> Done:
    """Hand in a signed report."""
    made = service.hand_in(visit.node, visit.actor, given.file, given.product, given.version)
    return Done(see=f"/emr/reports/{made.id}", message=_("The report was handed in."))


@room.page("/emr/reports/{number}", "emr_report.html")
def report(visit: Here, number: Number) -> One:
    """A report by groups of tests, with what failed or was not shown, and its repair."""
    found = service.see(visit.node, visit.actor, number)
    document = orjson.loads(found.document)
    names = outcome_names()
    groups: dict[str, dict[str, int]] = {}
    for each in document["tests"]:
        counts = groups.setdefault(str(each["group"]), dict.fromkeys(names, 0))
        if each["outcome"] in counts:
            counts[each["outcome"]] += 1
    return One(
        **_line(found).model_dump(exclude={"handed_in"}),
        guide=found.guide,
        made=found.made,
        issuer=found.issuer,
        known=found.known,
        sha256=found.sha256,
        reason=found.reason,
        may_judge=found.state == "handed-in" and may(visit.actor, TAKE, found) and may(visit.actor, RETURN, found),
        outcomes=list(names.values()),
        classes=_by_class(document["tests"], names),
        groups=[
            Group(name=group_names().get(name, name), counts=list(counts.values())) for name, counts in groups.items()
        ],
        open=[_open(each, names) for each in document["tests"] if each["outcome"] in ("fail", "warning", "not shown")],
    )


@room.bytes("/emr/reports/{number}/report.json", "application/json")
def document(visit: Here, number: Number) -> Response:
    """The report as it was handed in."""
    return Response(service.see(visit.node, visit.actor, number).document, media_type="application/json")


@room.act("/emr/reports/{number}/take", at=report)
def take(visit: Here, number: Number, given: Judgement) -> Done:
    """Take a report as evidence."""
    service.judge(visit.node, visit.actor, number, True, given.reason)
    return Done(see=f"/emr/reports/{number}", message=_("The report is taken as evidence."))


@room.act("/emr/reports/{number}/return", at=report)
def give_back(visit: Here, number: Number, given: Judgement) -> Done:
    """Return a report."""
    service.judge(visit.node, visit.actor, number, False, given.reason)
    return Done(see=f"/emr/reports/{number}", message=_("The report is returned."))


def _line(each: ConformanceReport) -> Line:
    return Line(
        number=each.id,
        product=each.product,
        version=each.version,
        kind=each.kind,
        target=each.target,
        state=each.state,
        state_name=_(REPORT.labels[each.state]),
        handed_in=each.handed_in,
    )


def _by_class(tests: list[dict[str, Any]], names: dict[str, str]) -> list[Group]:
    """The outcomes by class of KR CDI, of those classes that a test is about."""
    found = {each.id: (each.name, dict.fromkeys(names, 0)) for each in CLASSES}
    for each in tests:
        held = found.get(str(each.get("class", "")))
        if held is not None and each["outcome"] in held[1]:
            held[1][each["outcome"]] += 1
    return [Group(name=name, counts=list(counts.values())) for name, counts in found.values() if any(counts.values())]


def _open(each: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    from madang.base.translate import in_language

    def said(name: str) -> str:
        return in_language(str(each.get(f"{name}_ko", "")), str(each.get(f"{name}_en", "")))

    return {
        "id": str(each["id"]),
        "title": said("expected"),
        "got": said("got"),
        "repair": said("repair"),
        "clause": str(each["clause"]),
        "expectation": str(each["expectation"]),
        "outcome": each["outcome"],
        "outcome_name": names[each["outcome"]],
        "details": [
            {
                "resource": str(one.get("resource", "")),
                "path": str(one.get("path", "")),
                "message": in_language(str(one.get("message_ko", "")), str(one.get("message_en", ""))),
            }
            for one in (each.get("details") or [])[:5]
            if isinstance(one, dict)
        ],
    }
