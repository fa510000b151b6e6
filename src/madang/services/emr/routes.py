"""The pages of EMR conformance: validate synthetic resources, hand in a report, read and judge reports."""

from datetime import datetime
from typing import Any

import orjson
from pydantic import Field
from starlette.responses import Response

from madang.base.translate import _
from madang.node.permissions import may
from madang.services.emr import challenges, checking, running, schemes, service
from madang.services.emr.acts import ASSESS, NOTE, REPORT, RETURN, TAKE
from madang.services.emr.body_routes import ChallengeLine, Held, challenge_line, criteria_of
from madang.services.emr.models import ConformanceReport
from madang.services.emr.reading import Group, by_class, by_group, open_tests
from madang.services.emr.run_routes import RunLine, run_line
from madang.services.emr.testing import outcome_names
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
    runs: list[RunLine]
    challenges: list[ChallengeLine]
    may_draw: bool


class HandInPage(View):
    """The page on which a report is handed in."""


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
    basis: str
    scheme: str
    scheme_title: str
    criteria: list[Held]
    slots: int
    may_note: bool
    notable: list[tuple[str, str]]


class Note(View):
    """What an assessor notes of a criterion that people look at."""

    criterion: str = Field(min_length=1, max_length=40, title="The criterion")
    verdict: str = Field(min_length=1, max_length=10, title="`met` or `not met`")
    text: str = Field(min_length=1, max_length=5_000, title="The reason")


class Judgement(View):
    """Why a report is taken or returned."""

    reason: str = Field(title="The reason", min_length=1, max_length=5_000)


@room.page("/emr", "emr.html")
def front(visit: Here) -> Front:
    """What the room is for, and the reports that one may see."""
    return Front(
        reports=[_line(each) for each in service.reports(visit.node, visit.actor)],
        runs=[run_line(each) for each in running.runs(visit.node, visit.actor)],
        challenges=[challenge_line(each) for each in challenges.challenges(visit.node, visit.actor)],
        may_draw=may(visit.actor, ASSESS),
    )


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
def hand_in_page(visit: Here) -> HandInPage:
    """Where a signed report is handed in."""
    return HandInPage()


@room.act("/emr/hand-in", at=hand_in_page, largest=service.LARGEST + 100_000)
def hand_in(visit: Here, given: HandIn) -> Done:
    """Hand in a signed report."""
    made = service.hand_in(visit.node, visit.actor, given.file, given.product, given.version)
    return Done(see=f"/emr/reports/{made.id}", message=_("The report was handed in."))


@room.page("/emr/reports/{number}", "emr_report.html")
def report(visit: Here, number: Number) -> One:
    """A report by groups of tests, with what failed or was not shown, and its repair."""
    found = service.see(visit.node, visit.actor, number)
    tests = orjson.loads(found.document)["tests"]
    scheme = schemes.scheme_of(visit.node.home, schemes.FRAME)
    may_note = found.state in NOTE.frm and may(visit.actor, NOTE, found)
    return One(
        **_line(found).model_dump(exclude={"handed_in"}),
        guide=found.guide,
        made=found.made,
        issuer=found.issuer,
        known=found.known,
        sha256=found.sha256,
        reason=found.reason,
        may_judge=found.state == "handed-in" and may(visit.actor, TAKE, found) and may(visit.actor, RETURN, found),
        outcomes=list(outcome_names().values()),
        classes=by_class(tests),
        groups=by_group(tests),
        open=open_tests(tests),
        basis=schemes.basis_of(found),
        scheme=scheme.name,
        scheme_title=str(scheme.title),
        criteria=criteria_of(scheme, found),
        slots=scheme.slots,
        may_note=may_note,
        notable=[(each.id, str(each.text)) for each in scheme.criteria if each.shown not in ("automatic", "slot")],
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


@room.act("/emr/reports/{number}/schemes/{name}/note", at=report)
def note(visit: Here, number: Number, name: str, given: Note) -> Done:
    """Note how a criterion is shown that people look at."""
    schemes.note(visit.node, visit.actor, number, name, given.criterion, given.verdict, given.text)
    return Done(see=f"/emr/reports/{number}", message=_("The criterion was noted."))


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
