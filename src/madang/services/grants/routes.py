"""The pages of the ledger: all awards, one award, one promise with its evidence; and what is taken away as a table."""

from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal
from urllib.parse import quote

import orjson
from fastapi import Query
from markupsafe import Markup
from starlette.responses import Response

from madang.base.errors import MadangError
from madang.base.translate import _, in_language, language
from madang.node.database import now
from madang.node.permissions import check, may
from madang.services.grants import following, ledger, linking, plans, service, tables
from madang.services.grants.acts import ALLOW, CANCEL, EXCUSE, IMPORT, LINK, LIST, PLAN, SEE
from madang.services.grants.models import Award
from madang.services.grants.overview import overview
from madang.services.grants.plans import Promised
from madang.services.grants.rules import TIERS, rule_of
from madang.services.grants.views import (
    AwardView,
    Decision,
    EventView,
    Excuse,
    FundsGiven,
    FundsView,
    Group,
    Import,
    Ledger,
    Line,
    Linked,
    Nothing,
    Prolonged,
    PromiseGiven,
    PromiseView,
    Reason,
)
from madang.services.grants.words import event_named, reason_name, status_name, tier_name, use_of_data
from madang.web import Done, Here, Number, Room

room = Room("grants", __package__)
Day = Annotated[str, Query(pattern=r"^(|\d{4}-\d{2}-\d{2})$")]
Funder = Annotated[str, Query(max_length=70)]
SHOWN = 200


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


@room.bytes("/grants/template.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
def template(visit: Here) -> Response:
    """An empty table of awards and promised datasets, to be filled and taken in."""
    _signed_in(visit)
    media = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    headers = {"Content-Disposition": 'attachment; filename="awards.xlsx"'}
    return Response(tables.template(), media_type=media, headers=headers)


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
        funder=in_language(found.organization.title, found.organization.title_en),
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
        missing = [f"{record}: {text}" for record in records for text in linking.missing_for(session, number, record)]
        names = service.names_of(session, {each.by_id for each in events})
        judged = linking.judged_now(session, found)
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
    lacking = linking.link(visit.node, visit.actor, number, given.record)
    message = _("The record is linked.") + "".join(f" {text}" for text in lacking)
    return Done(see=f"/promises/{number}", message=message)


@room.act("/promises/{number}/records/{record}/unlink", at=promise)
def unlink(visit: Here, number: Number, record: str, given: Nothing) -> Done:
    """Take a link back; that it was there stays in the log."""
    linking.unlink(visit.node, visit.actor, number, record)
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


def bars(groups: list[Group], title: str) -> Markup:
    """A picture of how many promises of each status there are by group."""
    return Markup(
        tables.picture(tuple((g.name, tuple(sorted(g.counts.items()))) for g in groups[:30]), title, language())
    )


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
