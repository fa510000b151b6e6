"""The pages of an alliance: partners, studies with their answers, approvals; and the address at which partners come."""

import json
from typing import Annotated, Any, Literal

from fastapi import Query
from fastapi.responses import Response
from markupsafe import Markup
from pydantic import Field
from sqlalchemy.orm import Session

from madang.base.errors import MadangError
from madang.base.translate import _, later
from madang.node import jobs
from madang.node.permissions import check, may
from madang.science.federated.study import KINDS, read_study
from madang.services.alliance import agent, answering, byhand, coordinate, discover, partners, wire
from madang.services.alliance.acts import APPROVE, ASK, CONFIRM, INVITE, LEAVE, SEE
from madang.services.alliance.crate import crate_of
from madang.services.alliance.examples import FORMS, Fields, begun, example, kinds, written
from madang.services.alliance.pictures import bars, calibrated, forest, roc, survival
from madang.services.alliance.running import run_job
from madang.services.alliance.serving import message
from madang.services.alliance.shown import overview, partner_told, study_shown
from madang.web import Done, Here, Number, Room, View
from madang.web.room import PREFIX

room = Room("alliance", __package__)
for _path in (wire.PATH, wire.PATH.removeprefix(PREFIX)):
    room.router.add_api_route(_path, message, methods=["POST"], include_in_schema=False, max_body_size=wire.LARGEST)


Field_ = Annotated[str, Query(max_length=1_000, description="A field of a study that is written by the form.")]


class Overview(View):
    """Partners, studies, and what is shared here."""

    words: str
    code: str
    partners: list[dict[str, Any]]
    studies: list[dict[str, Any]]
    shares: list[dict[str, Any]]
    discovered: list[dict[str, Any]]
    watched: list[dict[str, Any]]
    can_try: bool
    kind: str
    data: str
    example: str
    fields: dict[str, str]
    columns: list[str]
    problem: str
    may_invite: bool
    may_ask: bool


class PartnerView(View):
    """A partner with the agreement in force."""

    told: dict[str, Any]
    agreement: dict[str, Any]
    proposal: dict[str, Any]
    our_words: str
    shares: list[dict[str, Any]]
    may_confirm: bool
    may_leave: bool


class StudyView(View):
    """A study in words, its sites, its answer."""

    told: dict[str, Any]
    may_decide: bool
    may_run: bool
    by_hand: list[str]


class Invite(View):
    """Whom to invite."""

    name: str = Field(default="", title="The name", max_length=80)
    agreement: str = Field(default="", title="The agreement", max_length=50_000)


class Join(View):
    """The code of an invitation."""

    code: str = Field(title="The code", min_length=20, max_length=1_000)
    authority: str = Field(default="", title="The TLS certificate", max_length=50_000)


class Reason(View):
    """Why."""

    reason: str = Field(default="", title="The reason", max_length=500)


class Question(View):
    """A study to ask."""

    study: str = Field(title="The study", min_length=1, max_length=100_000)
    only_try: Literal["", "yes"] = Field(default="", title="Whether it is tried on the simulated sites")


def _overview(visit: Any, code: str = "", kind: str = "", data: str = "", given: Fields | None = None) -> Overview:
    told = overview(visit.node, visit.actor)
    share = next((each for each in told["discovered"] if not data or each["name"] == data), None)
    written_ = kind in FORMS and given is not None and given.given
    text = example(kind, share) if kind in KINDS else ""
    problem = ""
    if written_ and given is not None:
        text = written(kind, share, given, data)
        try:
            read_study(text)
        except MadangError as error:
            problem = " ".join(filter(None, (error.message, error.hint)))
    fields_ = {} if kind not in FORMS else vars(given if written_ and given is not None else begun(kind, share))
    told |= {"kind": kind, "data": data, "example": text, "fields": fields_, "problem": problem}
    told["columns"] = [each["name"] for each in share["columns"]] if share else []
    visit.node.audit.read(visit.actor, SEE.name)
    can_try = any(each["way"] == "simulated" and each["state"] == "confirmed" for each in told["partners"])
    return Overview(
        **told, code=code, can_try=can_try, may_invite=may(visit.actor, INVITE), may_ask=may(visit.actor, ASK)
    )


@room.page("/alliance", "alliance.html")
def alliance(
    visit: Here,
    kind: Annotated[str, Query(max_length=40, description="The kind of a study to begin with.")] = "",
    data: Annotated[str, Query(max_length=100, description="The data that it is about.")] = "",
    title: Field_ = "",
    purpose: Field_ = "",
    where: Annotated[str, Query(max_length=4_000, description="Conditions, one on each line.")] = "",
    outcome: Field_ = "",
    time: Field_ = "",
    event: Field_ = "",
    by: Field_ = "",
    columns: Field_ = "",
    terms: Field_ = "",
    family: Field_ = "",
    ties: Field_ = "",
    bin: Field_ = "",
    per_site: Field_ = "",
    by_site: Field_ = "",
    secure: Field_ = "",
) -> Overview:
    """Partners, studies, and what is shared here; with fields of a study also its TOML, to be looked over and asked."""
    given = Fields(
        *(title, purpose, where, outcome, time, event, by, columns, terms, family, ties, bin, per_site, by_site),
        secure,
    )
    return _overview(visit, kind=kind, data=data, given=given)


@room.act("/alliance/invite", at=alliance)
def invite(visit: Here, given: Invite) -> Overview:
    """Invite a node; its code is shown this once."""
    document = partners.read_agreement(given.agreement.encode()) if given.agreement else None
    address = visit.node.settings.web.address or visit.origin
    _made, code = partners.invite(visit.node, visit.actor, given.name, document, address)
    return _overview(visit, code)


@room.act("/alliance/join", at=alliance)
def join(visit: Here, given: Join) -> Done:
    """Accept an invitation."""
    made = partners.join(visit.node, visit.actor, given.code, authority=given.authority)
    return Done(see=f"/alliance/partners/{made.id}", message=_("Compare the words of both keys with its operator."))


def _begin(session: Session, visit: Here, arguments: dict[str, Any], title: str) -> None:
    jobs.start(session, visit.node, visit.actor, run_job, arguments, later("Ask partners: {title}"), title=title)


@room.act("/alliance/ask", at=alliance)
def ask(visit: Here, given: Question) -> Done:
    """Ask partners a study."""
    simulated = given.only_try == "yes"
    study = coordinate.ask(visit.node, visit.actor, read_study(given.study), simulated=simulated)
    with visit.node.write() as session:
        _begin(session, visit, {"study": study.id}, study.title)
    said = _("It is tried on the simulated sites.") if simulated else _("The partners are asked.")
    return Done(see=f"/alliance/studies/{study.id}", message=said)


@room.page("/alliance/partners/{number}", "partner.html")
def partner(visit: Here, number: Number) -> PartnerView:
    """A partner: its key in words, the agreement, what is approved by rule."""
    check(visit.actor, SEE)
    with visit.node.read() as session:
        found = partners.find(session, str(number))
    visit.node.audit.read(visit.actor, SEE.name, f"partner:{found.id}")
    told = partner_told(found)
    by_version = {each.version: json.loads(each.document) for each in found.agreements}
    return PartnerView(
        told=told,
        agreement=by_version.get(told["agreement"], {}),
        proposal=by_version.get(told["proposed"], {}),
        shares=discover.told_by(visit.node, found),
        our_words=wire.in_words(wire.identity(visit.node.home).public),
        may_confirm=found.state == "joined" and may(visit.actor, CONFIRM),
        may_leave=found.state != "left" and may(visit.actor, LEAVE),
    )


@room.act("/alliance/partners/{number}/confirm", at=partner)
def confirm(visit: Here, number: Number) -> Done:
    """Confirm that the key is the partner's."""
    made = partners.confirm(visit.node, visit.actor, str(number))
    return Done(see=f"/alliance/partners/{number}", message=_("{partner} is confirmed.").format(partner=made.name))


@room.act("/alliance/partners/{number}/agree", at=partner)
def agree(visit: Here, number: Number) -> Done:
    """Sign the agreement that the partner proposed."""
    partners.agree(visit.node, visit.actor, str(number))
    return Done(see=f"/alliance/partners/{number}", message=_("The agreement is signed by both."))


@room.act("/alliance/partners/{number}/leave", at=partner)
def leave(visit: Here, number: Number, given: Reason) -> Done:
    """Leave a partner, at once."""
    check(visit.actor, LEAVE)
    made = agent.goodbye(visit.node, visit.actor, str(number), given.reason)
    return Done(see="/alliance", message=_("{partner} was left.").format(partner=made.name))


@room.page("/alliance/studies/{number}", "study.html")
def study(visit: Here, number: Number) -> StudyView:
    """A study: what it asks, who is in it, the answer."""
    told = study_shown(visit.node, visit.actor, number)
    return StudyView(
        told=told,
        may_decide=not told["ours"] and told["state"] in ("waiting", "approved") and may(visit.actor, APPROVE),
        may_run=told["ours"] and told["state"] in ("open", "stopped", "running") and may(visit.actor, ASK),
        by_hand=[each["site"] for each in told["sites"] if each["way"] == "hand"] if may(visit.actor, ASK) else [],
    )


@room.act("/alliance/studies/{number}/approve", at=study)
def approve(visit: Here, number: Number, given: Reason) -> Done:
    """Approve a study of a partner."""
    check(visit.actor, APPROVE)
    answering.approve(visit.node, visit.actor, number, given.reason)
    return Done(see=f"/alliance/studies/{number}", message=_("The study is approved."))


@room.act("/alliance/studies/{number}/refuse", at=study)
def refuse(visit: Here, number: Number, given: Reason) -> Done:
    """Refuse a study of a partner, or withdraw from it."""
    check(visit.actor, APPROVE)
    answering.refuse(visit.node, visit.actor, number, given.reason)
    return Done(see=f"/alliance/studies/{number}", message=_("The study is refused."))


@room.act("/alliance/studies/{number}/run", at=study)
def run(visit: Here, number: Number) -> Done:
    """Run a study with the sites that have approved."""
    check(visit.actor, ASK)
    study = coordinate.find_asked(visit.node, visit.actor, number)
    with visit.node.write() as session:
        _begin(session, visit, {"study": number, "wait": 5.0}, study.title)
    return Done(see=f"/alliance/studies/{number}", message=_("The study runs."))


class Form(View):
    """A filled form of a site that answers by hand."""

    partner: str = Field(title="The site", min_length=1, max_length=100)
    table: str = Field(title="The table", min_length=1, max_length=1_000_000)
    source: str = Field(title="Who told the numbers", min_length=1, max_length=300)


@room.act("/alliance/studies/{number}/hand", at=study)
def hand(visit: Here, number: Number, given: Form) -> Done:
    """Take in what a site answers by hand."""
    byhand.taken(visit.node, visit.actor, number, given.partner, given.table.encode(), given.source)
    return Done(see=f"/alliance/studies/{number}", message=_("The numbers are taken in."))


@room.bytes("/alliance/studies/{number}/form.csv", "text/csv")
def form(visit: Here, number: Number) -> Response:
    """The form of a study for sites that answer by hand."""
    text = byhand.form(visit.node, visit.actor, number)
    return Response(text, headers=_saved(f"study-{number}.csv"), media_type="text/csv")


@room.bytes("/alliance/studies/{number}/crate.zip", "application/zip")
def crate(visit: Here, number: Number) -> Response:
    """An answer as an RO-Crate."""
    data = crate_of(visit.node, visit.actor, number)
    return Response(data, headers=_saved(f"study-{number}.zip"), media_type="application/zip")


def _saved(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}


def qr(text: str) -> Markup:
    """A text as a QR code."""
    import segno

    return Markup(segno.make(text, error="m").svg_inline(scale=3, border=2))


room.helpers |= {
    "qr": qr,
    "forest": forest,
    "survival": survival,
    "bars": bars,
    "kinds": kinds,
    "named": lambda names: [(each, each) for each in names],
    "calibrated": calibrated,
    "roc": roc,
    "as_json": lambda v: json.dumps(v, indent=1, ensure_ascii=False),
}
