"""The pages of the body that assesses: challenges that it draws, schemes that reports are held against, its notes."""

import json
from datetime import datetime

import orjson
from pydantic import Field
from starlette.responses import Response

from madang.base.translate import _
from madang.node.permissions import may
from madang.services.certification import Automatic, Scheme, Slot
from madang.services.emr import challenges, schemes
from madang.services.emr.acts import ASSESS, CHALLENGE, WITHDRAW
from madang.services.emr.models import ConformanceChallenge, ConformanceReport
from madang.web import Done, Here, Number, Room, View

room = Room("emr", __package__)


class ChallengeLine(View):
    """A challenge in a list."""

    number: int
    product: str
    version: str
    state: str
    state_name: str
    drawn: datetime
    due: datetime


class ChallengePage(View):
    """Where challenges are drawn."""

    challenges: list[ChallengeLine]
    may_draw: bool


class Draw(View):
    """For whose product a challenge is drawn, and until when it may be answered."""

    login: str = Field(min_length=1, max_length=200, title="Account of the applicant")
    product: str = Field(min_length=1, max_length=200, title="The product")
    version: str = Field(min_length=1, max_length=100, title="The version")
    days: int = Field(default=14, title="Days to answer")
    persons: int = Field(default=3, title="Persons to draw")


class ChallengeView(ChallengeLine):
    """A challenge: what was drawn, and how it is answered."""

    sha256: str
    records: dict[str, int]
    may_withdraw: bool


class Held(View):
    """What became of one criterion."""

    id: str
    division: str
    text: str
    shown_by: str
    verdict: str
    verdict_name: str
    measured: str
    counts: bool
    note: str


class CriterionView(View):
    """A criterion of a scheme."""

    id: str
    text: str
    shown_by: str
    source: str


class DivisionView(View):
    """A division of a scheme with its criteria."""

    title: str
    criteria: list[CriterionView]


class SchemeView(View):
    """A scheme for products: what is publicly known, its criteria, and how many wait for their text."""

    name: str
    version: int
    title: str
    summary: str
    months: int
    sha256: str
    facts: list[tuple[str, str]]
    divisions: list[DivisionView]
    slots: int
    own: bool
    others: list[str]


@room.page("/emr/challenges", "emr_challenges.html")
def challenge_list(visit: Here) -> ChallengePage:
    """The challenges that one may see; assessors draw them here."""
    found = challenges.challenges(visit.node, visit.actor)
    return ChallengePage(challenges=[challenge_line(each) for each in found], may_draw=may(visit.actor, ASSESS))


@room.act("/emr/challenges", at=challenge_list)
def draw(visit: Here, given: Draw) -> Done:
    """Draw records for a product."""
    made = challenges.draw(
        visit.node, visit.actor, given.login, given.product, given.version, given.days, given.persons
    )
    return Done(see=f"/emr/challenges/{made.id}", message=_("The challenge was drawn."))


@room.page("/emr/challenges/{number}", "emr_challenge.html")
def challenge(visit: Here, number: Number) -> ChallengeView:
    """A challenge: its records to load, and how to answer it."""
    found = challenges.see(visit.node, visit.actor, number)
    counts: dict[str, int] = {}
    for each in json.loads(found.document)["records"]:
        counts[each["resourceType"]] = counts.get(each["resourceType"], 0) + 1
    return ChallengeView(
        **challenge_line(found).model_dump(),
        sha256=found.sha256,
        records=counts,
        may_withdraw=found.state in WITHDRAW.frm and may(visit.actor, WITHDRAW, found),
    )


@room.bytes("/emr/challenges/{number}/challenge.json", "application/json")
def challenge_file(visit: Here, number: Number) -> Response:
    """The signed challenge, for `madang fhir test --challenge`."""
    return Response(challenges.see(visit.node, visit.actor, number).document, media_type="application/json")


@room.bytes("/emr/challenges/{number}/records.ndjson", "application/x-ndjson")
def challenge_records(visit: Here, number: Number) -> Response:
    """The records of a challenge, to load into the system under test."""
    found = json.loads(challenges.see(visit.node, visit.actor, number).document)["records"]
    return Response(b"".join(orjson.dumps(each) + b"\n" for each in found), media_type="application/x-ndjson")


@room.act("/emr/challenges/{number}/withdraw", at=challenge)
def withdraw(visit: Here, number: Number) -> Done:
    """Withdraw a challenge."""
    challenges.withdraw(visit.node, visit.actor, number)
    return Done(see=f"/emr/challenges/{number}", message=_("The challenge was withdrawn."))


@room.page("/emr/schemes/{name}", "emr_scheme.html")
def scheme(visit: Here, name: str) -> SchemeView:
    """A scheme for products, as far as it is public or the body filled it in."""
    found = schemes.scheme_of(visit.node.home, name)
    words = schemes.shown_words()
    divisions = [
        DivisionView(
            title=str(division.title),
            criteria=[
                CriterionView(
                    id=each.id,
                    text=str(each.text),
                    shown_by=words[each.shown],
                    source=str(each.source) if isinstance(each, Slot) else "",
                )
                for each in found.criteria
                if each.division == key
            ],
        )
        for key, division in found.divisions.items()
    ]
    return SchemeView(
        name=found.name,
        version=found.version,
        title=str(found.title),
        summary=str(found.summary),
        months=found.months,
        sha256=found.digest,
        facts=[(str(each.text), str(each.source)) for each in found.facts],
        divisions=divisions,
        slots=found.slots,
        own=found.digest != schemes.frame().digest,
        others=[each for each in schemes.schemes(visit.node.home) if each != name],
    )


def criteria_of(scheme: Scheme, report: ConformanceReport) -> list[Held]:
    """What became of the criteria of a scheme by a report; slots are left out, since nothing can meet them."""
    words, verdicts = schemes.shown_words(), schemes.verdict_words()
    return [
        Held(
            id=each.outcome.criterion.id,
            division=str(scheme.divisions[each.outcome.criterion.division].title),
            text=str(each.outcome.criterion.text),
            shown_by=words[each.outcome.criterion.shown],
            verdict=each.verdict,
            verdict_name=verdicts[each.verdict],
            measured=_measured(each),
            counts=each.counts,
            note=each.note,
        )
        for each in schemes.held_against(scheme, report)
        if not isinstance(each.outcome.criterion, Slot)
    ]


def _measured(each: schemes.Held) -> str:
    """What was measured, in words where it is a word."""
    criterion = each.outcome.criterion
    if not isinstance(criterion, Automatic):
        return ""
    if criterion.measure == "evidence":
        return {"assessment": _("Assessment"), "challenge": _("Challenge")}.get(each.shown, "")
    return each.shown


def challenge_line(each: ConformanceChallenge) -> ChallengeLine:
    """A challenge in a list."""
    return ChallengeLine(
        number=each.id,
        product=each.product,
        version=each.version,
        state=each.state,
        state_name=_(CHALLENGE.labels[each.state]),
        drawn=each.drawn,
        due=each.due,
    )
