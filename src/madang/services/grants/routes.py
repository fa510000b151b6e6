"""The pages of the ledger: all awards, one award, one promise with its evidence; and what is taken away as a table."""

from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal
from urllib.parse import quote

import orjson
from fastapi import Query
from markupsafe import Markup
from pydantic import Field
from starlette.responses import Response

from madang.base.errors import MadangError
from madang.base.translate import _, language
from madang.node.database import now
from madang.node.permissions import check, may
from madang.services.grants import following, ledger, plans, service, tables
from madang.services.grants.acts import ALLOW, CANCEL, EXCUSE, IMPORT, LINK, LIST, PLAN, SEE
from madang.services.grants.models import Award
from madang.services.grants.overview import overview
from madang.services.grants.plans import Promised
from madang.services.grants.rules import TIERS, rule_of
from madang.web import Done, Here, Number, Room, View

room = Room("grants", __package__)
Day = Annotated[str, Query(pattern=r"^(|\d{4}-\d{2}-\d{2})$")]
Funder = Annotated[str, Query(max_length=70)]
SHOWN = 200


class Line(View):
    """A promise and what became of it."""

    promise: int
    title: str
    award: str
    funder: str
    award_title: str
    institution: str
    status: str
    due: date | None
    tier: str
    excused_until: date | None
    released_on: date | None
    records: int


class Ledger(View):
    """All promises that one may see, counted and listed."""

    at: str
    status: str
    counts: dict[str, int]
    by_program: list["Group"]
    by_institution: list["Group"]
    by_year: list["Group"]
    lines: list[Line]
    may_import: bool


class Group(View):
    """How many promises of each status there are of one program, institution or year."""

    name: str
    counts: dict[str, int]


class AwardView(View):
    """An award and its promises."""

    number: str
    title: str
    funder: str
    program: str
    institution: str
    leader: str
    begins: date | None
    rule: str
    rule_source: str
    lines: list[Line]
    funder_name: str
    uses: dict[str, int]
    funds: list["FundsView"]
    sums: dict[str, int]
    may_promise: bool
    may_cancel: bool


class FundsView(View):
    """Private funds that somebody entered."""

    at: datetime
    promise: int
    amount: int
    currency: str
    text: str


class EventView(View):
    """Something that happened to a promise."""

    at: datetime
    topic: str
    kind: str
    record: str
    day: date | None
    tier: str
    evidence: str
    reason: str
    text: str
    counts: bool
    by: str
    by_rule_now: str | None


class PromiseView(View):
    """A promise with everything that happened to it."""

    line: Line
    rule: str
    missing: list[str]
    events: list[EventView]
    may_link: bool
    may_excuse: bool
    may_decide: bool
    may_cancel: bool
    asked: bool
    linked: list[str]


class Import(View):
    """A plan or a table to take in."""

    file: bytes = Field(title="The file", max_length=plans.LARGEST)
    kind: Literal["json", "csv", "xlsx"] = Field(default="json", title="The kind")
    organization: str = Field(default="house", title="The funder", max_length=70)
    project: str = Field(default="", title="The project", max_length=70)


class PromiseGiven(View):
    """A dataset to promise."""

    title: str = Field(title="The title", min_length=1, max_length=500)
    due: str = Field(default="", title="The day", pattern=r"^$|^\d{4}-\d{2}-\d{2}$")
    tier: Literal["open", "controlled", "metadata-only"] = Field(default="open", title="The tier")
    license: str = Field(default="", title="The license", max_length=200)


class Prolonged(View):
    """By how many days an award goes on."""

    days: int = Field(title="The days", ge=1, le=3_650)


class Reason(View):
    """Why something is taken back."""

    reason: str = Field(title="The reason", min_length=1, max_length=2_000)


class FundsGiven(View):
    """Private funds to enter."""

    amount: int = Field(title="The amount", ge=-(10**15), le=10**15)
    currency: str = Field(default="KRW", title="The currency", pattern=r"^[A-Z]{3}$")
    text: str = Field(title="The text", min_length=1, max_length=2_000)


class Linked(View):
    """A record to link."""

    record: str = Field(title="The record", min_length=1, max_length=100)


class Nothing(View):
    """An act that needs nothing more."""


class Excuse(View):
    """An excuse to ask for."""

    reason: Literal["illness", "no data", "patent", "consent", "publication", "other"] = Field(title="The reason")
    text: str = Field(title="The text", min_length=1, max_length=4_000)
    until: str = Field(default="", title="The end", pattern=r"^$|^\d{4}-\d{2}-\d{2}$")


class Decision(View):
    """What is decided on an excuse."""

    decision: Literal["allow", "refuse"] = Field(title="The decision")
    text: str = Field(default="", title="The text", max_length=4_000)


@room.page("/grants", "grants.html")
def grants(
    visit: Here,
    at: Day = "",
    status: Literal["", "promised", "due", "late", "deposited", "validated", "released", "excused", "cancelled"] = "",
) -> Ledger:
    """What was promised with public money, and what became of it, today or on a past day."""
    _signed_in(visit)
    day = _day(at)
    visit.node.audit.read(visit.actor, LIST.name, "", {"at": at, "status": status})
    found = overview(visit.node, visit.actor, day=day, status=status, limit=SHOWN)
    return Ledger(
        at=at,
        status=status,
        counts=found.counts,
        by_program=[Group(name=name, counts=counts) for name, counts in found.by_program],
        by_institution=[Group(name=name, counts=counts) for name, counts in found.by_institution],
        by_year=[Group(name=name, counts=counts) for name, counts in found.by_year],
        lines=[_line(each) for each in found.lines],
        may_import=bool(visit.actor.organizations("funder")) or visit.actor.kind == "owner",
    )


@room.act("/grants", at=grants, largest=plans.LARGEST)
def take_in(visit: Here, given: Import) -> Done:
    """Take awards and plans in: maDMP as JSON, or a table as CSV or XLSX."""
    check(visit.actor, IMPORT, Award(organization_id=_funder(visit, given.organization)))
    read = plans.read_bytes(f"file.{given.kind}", given.file)
    done = service.import_awards(
        visit.node, visit.actor, read, given.kind, organization=given.organization, project=given.project
    )
    message = _("{awards} awards and {promises} promises are new, {changed} were changed.").format(
        awards=done.awards, promises=done.promises, changed=done.changed
    )
    if read.unused:
        message += " " + _("Not used of the plan: {fields}.").format(fields=", ".join(read.unused[:8]))
    return Done(see="/grants", message=" ".join([message, *read.warnings[:3]]))


@room.page("/grants/{number}", "award.html")
def award(visit: Here, number: str, at: Day = "", funder: Funder = "") -> AwardView:
    """An award with its promises, and what followed it."""
    with visit.node.read() as session:
        found = service.find_award(session, number, funder)
        if not may(visit.actor, SEE, found):
            raise MadangError("grants.none", _("There is no award {number}.").format(number=number))
    visit.node.audit.read(visit.actor, SEE.name, f"award:{found.id}")
    rule = rule_of(found.rule)
    after = following.what_followed(visit.node, found)
    lines = service.lines(visit.node, visit.actor, day=_day(at), award=number, funder=found.organization_id)
    return AwardView(
        number=found.number,
        title=found.title,
        funder=found.organization.title,
        program=found.program,
        institution=found.institution,
        leader=found.leader,
        begins=found.begins,
        rule=rule.name,
        rule_source=rule.source,
        lines=[_line(each) for each in lines],
        funder_name=found.organization.name,
        uses=after.uses,
        funds=[FundsView(**{name: getattr(each, name) for name in FundsView.model_fields}) for each in after.funds],
        sums=after.sums,
        may_promise=may(visit.actor, PLAN, found),
        may_cancel=may(visit.actor, CANCEL, found),
    )


@room.act("/grants/{number}/promises", at=award)
def promise_dataset(visit: Here, number: str, given: PromiseGiven, funder: Funder = "") -> Done:
    """Promise a dataset: a project writes its plan here."""
    made = service.promise_dataset(
        *(visit.node, visit.actor, number),
        Promised("", given.title, _day(given.due), given.tier, given.license),
        funder,
    )
    return Done(see=f"/promises/{made}", message=_("It is promised."))


@room.act("/grants/{number}/prolong", at=award)
def prolong(visit: Here, number: str, given: Prolonged, funder: Funder = "") -> Done:
    """Move the days of all promises of an award."""
    service.prolong_award(visit.node, visit.actor, number, given.days, funder)
    return Done(see=_award_address(number, funder), message=_("The days were moved."))


@room.act("/grants/{number}/cancel", at=award)
def cancel_award(visit: Here, number: str, given: Reason, funder: Funder = "") -> Done:
    """Cancel every promise of an award."""
    count = service.cancel_award(visit.node, visit.actor, number, given.reason, funder)
    return Done(see=_award_address(number, funder), message=_("{count} promises were cancelled.").format(count=count))


@room.page("/promises/{number}", "promise.html")
def promise(visit: Here, number: Number) -> PromiseView:
    """A promise, what became of it, and the evidence: everything that happened, who decided and why."""
    found, line, events = service.events_of(visit.node, visit.actor, number)
    records = [each.record for each in events if each.topic == "link" and each.kind == "linked" and not each.replaced]
    with visit.node.read() as session:
        missing = [f"{record}: {text}" for record in records for text in service.missing_for(session, number, record)]
        names = service.names_of(session, {each.by_id for each in events})
        judged = service.judged_now(session, found)
    about = service.About(found, next((e.by_id for e in reversed(events) if e.topic == "request"), None))
    requests = [each for each in events if each.topic == "request"]
    asked = bool(requests) and requests[-1].kind == "asked"
    return PromiseView(
        line=_line(line),
        rule=rule_of(found.award.rule).name,
        missing=missing,
        events=[
            EventView(
                **{name: getattr(each, name) for name in EventView.model_fields if hasattr(each, name)},
                by=names.get(each.by_id, ""),
                by_rule_now=judged.get(each.id),
            )
            for each in reversed(events)
        ],
        may_link=may(visit.actor, LINK, about),
        may_excuse=may(visit.actor, EXCUSE, about),
        may_decide=asked and may(visit.actor, ALLOW, about),
        may_cancel=may(visit.actor, CANCEL, about) and line.status != "cancelled",
        asked=asked,
        linked=records,
    )


@room.act("/promises/{number}/records", at=promise)
def link(visit: Here, number: Number, given: Linked) -> Done:
    """Say that a record keeps a promise; what it still lacks is said at once."""
    lacking = service.link(visit.node, visit.actor, number, given.record)
    message = _("The record is linked.") + "".join(f" {text}" for text in lacking)
    return Done(see=f"/promises/{number}", message=message)


@room.act("/promises/{number}/records/{record}/unlink", at=promise)
def unlink(visit: Here, number: Number, record: str, given: Nothing) -> Done:
    """Take a link back; that it was there stays in the log."""
    service.unlink(visit.node, visit.actor, number, record)
    return Done(see=f"/promises/{number}", message=_("The link is taken back."))


@room.act("/promises/{number}/cancel", at=promise)
def cancel(visit: Here, number: Number, given: Reason) -> Done:
    """Have a promise be none any more."""
    service.cancel_promise(visit.node, visit.actor, number, given.reason)
    return Done(see=f"/promises/{number}", message=_("The promise is cancelled."))


@room.act("/promises/{number}/funds", at=promise)
def funds(visit: Here, number: Number, given: FundsGiven) -> Done:
    """Enter private funds that came with a promised dataset."""
    following.enter_funds(visit.node, visit.actor, number, given.amount, given.currency, given.text)
    return Done(see=f"/promises/{number}", message=_("Saved."))


@room.act("/promises/{number}/excuse", at=promise)
def excuse(visit: Here, number: Number, given: Excuse) -> Done:
    """Ask to be excused from a promise."""
    service.ask_excuse(visit.node, visit.actor, number, given.reason, given.text, _day(given.until))
    return Done(see=f"/promises/{number}", message=_("Somebody else decides on it."))


@room.act("/promises/{number}/decide", at=promise)
def decide(visit: Here, number: Number, given: Decision) -> Done:
    """Allow or refuse an excuse that somebody else asked for."""
    service.decide_excuse(visit.node, visit.actor, number, allow=given.decision == "allow", text=given.text)
    return Done(see=f"/promises/{number}", message=_("The decision is kept with its reason."))


@room.bytes("/grants.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
def workbook(visit: Here, at: Day = "", year: Annotated[str, Query(pattern=r"^(|\d{4})$")] = "") -> Response:
    """The whole ledger as a workbook; with a year, the sheet of results of that year."""
    _signed_in(visit)
    visit.node.audit.read(visit.actor, LIST.name, "", {"at": at, "form": "xlsx", "year": year})
    found = service.lines(visit.node, visit.actor, day=_day(at))
    chosen = tables.of_year(found, int(year)) if year else found
    content = tables.workbook(chosen, int(year) if year else None, tables.results(visit.node, chosen, visit.origin))
    name = f"grants-{year or at or now().date()}.xlsx"
    media = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    return Response(content, media_type=media, headers={"Content-Disposition": f'attachment; filename="{name}"'})


@room.bytes("/grants/template.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
def template(visit: Here) -> Response:
    """An empty table of awards and promised datasets, to be filled and taken in."""
    _signed_in(visit)
    media = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    headers = {"Content-Disposition": 'attachment; filename="awards.xlsx"'}
    return Response(tables.template(), media_type=media, headers=headers)


@room.bytes("/grants.json", "application/json")
def whole(visit: Here, at: Day = "") -> Response:
    """The whole ledger as JSON."""
    _signed_in(visit)
    visit.node.audit.read(visit.actor, LIST.name, "", {"at": at, "form": "json"})
    found = service.lines(visit.node, visit.actor, day=_day(at))
    told = {"at": at, "promises": [_line(each).model_dump(mode="json") for each in found]}
    headers = {"Content-Disposition": 'attachment; filename="grants.json"'}
    return Response(orjson.dumps(told), media_type="application/json", headers=headers)


@room.bytes("/grants.csv", "text/csv")
def csv(visit: Here, at: Day = "") -> Response:
    """The whole ledger as CSV."""
    _signed_in(visit)
    visit.node.audit.read(visit.actor, LIST.name, "", {"at": at, "form": "csv"})
    content = tables.csv_text(service.lines(visit.node, visit.actor, day=_day(at)))
    return Response(
        content, media_type="text/csv", headers={"Content-Disposition": 'attachment; filename="grants.csv"'}
    )


def _award_address(number: str, funder: str) -> str:
    return f"/grants/{quote(number, safe='')}" + (f"?funder={funder}" if funder else "")


def _signed_in(visit: Any) -> None:
    if not visit.actor.is_signed_in:
        raise MadangError("permission.sign_in", _("This needs an account."), _("Sign in first."))


def _funder(visit: Any, name: str) -> int:
    from madang.node.people.accounts import find_organization

    with visit.node.read() as session:
        return find_organization(session, name).id


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise MadangError("web.value", _("{day} is no day.").format(day=text), _("Write it as 2026-12-31.")) from None


def _line(line: service.Line) -> Line:
    return Line(
        promise=line.promise.id,
        title=line.promise.title,
        award=line.award.number,
        funder=line.award.organization.name,
        award_title=line.award.title,
        institution=line.award.institution,
        status=line.status,
        due=line.due,
        tier=line.tier,
        excused_until=line.excused_until,
        released_on=line.released_on,
        records=line.records,
    )


def status_name(status: str) -> str:
    """A status in the reader's language."""
    return {
        "promised": _("promised", "promise"),
        "due": _("due soon", "promise"),
        "late": _("late", "promise"),
        "deposited": _("deposited", "promise"),
        "validated": _("validated", "promise"),
        "released": _("released", "promise"),
        "excused": _("excused", "promise"),
        "cancelled": _("cancelled", "promise"),
    }[status]


def tier_name(tier: str) -> str:
    """A way to release, or the tier of a record, in the reader's language."""
    return {
        "open": _("open", "release"),
        "registered": _("for who signs in", "release"),
        "controlled": _("on request", "release"),
        "embargoed": _("under embargo", "release"),
        "metadata-only": _("description only", "release"),
    }.get(tier, tier)


def event_named(event: EventView) -> str:
    """An event in a few words."""
    return {
        "promised": _("promised", "event"),
        "prolonged": _("prolonged", "event"),
        "cancelled": _("cancelled", "event"),
        "linked": _("record linked", "event"),
        "unlinked": _("link taken back", "event"),
        "valid": _("found valid", "event"),
        "invalid": _("not found valid", "event"),
        "released": _("released", "event"),
        "withdrawn": _("withdrawn", "event"),
        "asked": _("asked to be excused", "event"),
        "allowed": _("excuse allowed", "event"),
        "refused": _("excuse refused", "event"),
        "soon": _("reminded before the day", "event"),
        "late": _("reminded after the day", "event"),
        "entered": _("private funds entered", "event"),
    }.get(event.kind, event.kind)


def reason_name(reason: str) -> str:
    """A reason of the list in the reader's language."""
    if reason.startswith("rule "):
        return _("By the rule {rule}.").format(rule=reason.removeprefix("rule "))
    return {
        "illness": _("illness or leave"),
        "no data": _("no data came into being"),
        "patent": _("a patent is applied for"),
        "consent": _("consent does not cover it"),
        "publication": _("the publication is not out yet"),
        "other": _("another reason"),
    }.get(reason, reason)


def bars(groups: list[Group], title: str) -> Markup:
    """A picture of how many promises of each status there are by group."""
    return Markup(
        tables.picture(tuple((g.name, tuple(sorted(g.counts.items()))) for g in groups[:30]), title, language())
    )


def use_of_data(kind: str) -> str:
    """A kind of use of data, in the reader's language."""
    return {
        "permit": _("permits", "uses"),
        "workspace": _("workspaces", "uses"),
        "count": _("cohort counts", "uses"),
        "release": _("releases", "uses"),
        "download": _("downloads", "uses"),
    }.get(kind, kind)


room.helpers |= {
    "use_of_data": use_of_data,
    "status_name": status_name,
    "tier_name": tier_name,
    "event_named": event_named,
    "reason_name": reason_name,
    "reasons": lambda: [(each, reason_name(each)) for each in service.REASONS],
    "tiers": lambda: [(each, tier_name(each)) for each in TIERS],
    "statuses": lambda: [("", _("all")), *((each, status_name(each)) for each in ledger.STATUSES)],
    "bars": bars,
    "today": lambda: datetime.now(UTC).date().isoformat(),
}
