"""The pages of contributions: a statement of use, how one's data were used, rules of weights."""

import json
from datetime import date
from typing import Annotated

from fastapi import Path, Query
from pydantic import Field
from starlette.responses import PlainTextResponse, Response

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.permissions import check, may
from madang.services.contributions import service, using
from madang.services.contributions.acts import RULE, SEE
from madang.web import Done, Here, Number, Room, View

room = Room("contributions", __package__)
Reference = Annotated[str, Path(max_length=200)]
Day = Annotated[str, Query(pattern=r"^(|\d{4}-\d{2}-\d{2})$")]


class ThingView(View):
    """Something that a result stands on."""

    reference: str
    title: str
    kind: str
    used: int


class LinkView(View):
    """That a thing stands on another one."""

    thing: str
    on: str
    role: str


class Share(View):
    """What of the whole goes to a contributor under a rule, exactly and as a number."""

    contributor: str
    share: str
    number: float


class RuleView(View):
    """A rule of weights: what it weighs, whom it names, and who signed it."""

    id: int
    name: str
    version: int
    weights: dict[str, str]
    parties: list[str]
    signed: list[str]
    digest: str
    in_force: bool


class StatementView(View):
    """What a result stands on; `shares` is a calculation example under a rule, not a claim."""

    reference: str
    things: list[ThingView]
    links: list[LinkView]
    missing: list[str]
    rules: list[RuleView]
    rule: int
    shares: list[Share]


class PeriodView(View):
    """How often a dataset was used in a month."""

    dataset: str
    month: str
    counts: dict[str, int]


class Holder(View):
    """An organization that holds data."""

    name: str
    title: str


class Contributions(View):
    """How the data of an organization were used, and the rules of weights."""

    organization: str
    since: str
    until: str
    holders: list[Holder]
    periods: list[PeriodView]
    rules: list[RuleView]
    may_propose: bool


class Ask(View):
    """Which statement one wants to see."""

    reference: str = Field(title="The result", min_length=3, max_length=200)


class Proposed(View):
    """A rule of weights, as lines of `role = number`."""

    name: str = Field(title="The name", min_length=1, max_length=100)
    weights: str = Field(title="The weights", min_length=3, max_length=1_000)
    parties: str = Field(title="The parties", min_length=1, max_length=1_000)


class Signed(View):
    """For whom a rule is signed."""

    party: str = Field(title="The party", min_length=1, max_length=70)


class Nothing(View):
    """An act that needs nothing more."""


@room.page("/contributions", "contributions.html")
def contributions(
    visit: Here,
    organization: Annotated[str, Query(max_length=70)] = "",
    since: Day = "",
    until: Day = "",
) -> Contributions:
    """How the data that one holds were used, by period; rules of weights with their signatures."""
    check(visit.actor, SEE)
    holders = using.holders(visit.node, visit.actor)
    chosen = organization or (holders[0][0] if holders else "")
    periods = []
    if chosen:
        periods = using.use_by_holder(visit.node, visit.actor, chosen, _day(since), _day(until))
    return Contributions(
        organization=chosen,
        since=since,
        until=until,
        holders=[Holder(name=name, title=title) for name, title in holders],
        periods=[PeriodView(dataset=p.dataset, month=p.month, counts=p.counts) for p in periods],
        rules=_rules(visit),
        may_propose=may(visit.actor, RULE),
    )


@room.act("/contributions", at=contributions)
def ask(visit: Here, given: Ask) -> Done:
    """Go to the statement of a result."""
    check(visit.actor, SEE)
    return Done(see=f"/contributions/{given.reference.strip()}")


@room.act("/contributions/rules", at=contributions)
def propose(visit: Here, given: Proposed) -> Done:
    """Propose a rule of weights; it is in force once all parties that it names have signed it."""
    weights = {}
    for line in given.weights.splitlines():
        role, equals, number = line.partition("=")
        if line.strip():
            weights[role.strip()] = number.strip() if equals else ""
    made = service.propose_rule(visit.node, visit.actor, given.name.strip(), weights, given.parties.split())
    return Done(
        see="/contributions", message=_("{name} waits for signatures.").format(name=f"{made.name} {made.version}")
    )


@room.act("/contributions/rules/{number}/sign", at=contributions)
def sign_rule(visit: Here, number: Number, given: Signed) -> Done:
    """Sign a rule of weights for an organization."""
    service.sign_rule(visit.node, visit.actor, number, given.party)
    return Done(see="/contributions", message=_("Signed."))


@room.act("/contributions/forget", at=contributions)
def forget(visit: Here, given: Nothing) -> Done:
    """Be a pseudonym in every statement from now on; no count changes."""
    check(visit.actor, SEE)
    number = service.forget(visit.node, visit.actor, f"person:{visit.actor.person_id or 0}")
    return Done(see="/contributions", message=_("You are contributor {number} from now on.").format(number=number))


@room.page("/contributions/{reference}", "statement.html")
def statement(visit: Here, reference: Reference, rule: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0) -> StatementView:
    """The statement of use (데이터 이용내역서) of a result: everything that it stands on, as counts of use."""
    found = service.statement_of(visit.node, visit.actor, reference)
    shares = service.weights_of(visit.node, found, rule) if rule else {}
    titles = {thing.reference: thing.title or thing.reference for thing in found.things}
    return StatementView(
        reference=found.result.reference,
        things=[
            ThingView(reference=t.reference, title=t.title or t.reference, kind=t.kind, used=found.used[t.reference])
            for t in found.things
        ],
        links=[LinkView(thing=link.thing, on=link.on.reference, role=link.role) for link in found.links],
        missing=list(found.missing),
        rules=[each for each in _rules(visit) if each.in_force],
        rule=rule,
        shares=[
            Share(contributor=titles.get(name, name), share=str(share), number=float(share))
            for name, share in shares.items()
        ],
    )


@room.bytes("/contributions/{reference}/statement.jwt", "application/jwt")
def signed(visit: Here, reference: Reference) -> Response:
    """The statement, signed by this installation; anybody who has the ledger computes the same."""
    found = service.statement_of(visit.node, visit.actor, reference)
    return PlainTextResponse(service.sign(visit.node, found), media_type="application/jwt")


def _rules(visit: Here) -> list[RuleView]:
    told = []
    for each in service.weight_rules(visit.node):
        parties = json.loads(each.parties)
        names = sorted(one.party for one in each.signatures if one.digest == each.digest)
        told.append(
            RuleView(
                id=each.id,
                name=each.name,
                version=each.version,
                weights=json.loads(each.weights),
                parties=parties,
                signed=names,
                digest=each.digest,
                in_force=set(parties) <= set(names),
            )
        )
    return told


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise MadangError("web.value", _("{day} is no day.").format(day=text), _("Write it as 2026-12-31.")) from None


def kind_name(kind: str) -> str:
    """What a thing is, in the reader's language."""
    return {
        "dataset": _("dataset", "thing"),
        "record": _("record", "thing"),
        "release": _("release", "thing"),
        "permit": _("permit", "thing"),
        "organization": _("institution", "thing"),
        "person": _("person", "thing"),
        "curator": _("curator of mappings", "thing"),
        "contributor": _("somebody who asked to be forgotten", "thing"),
        "project": _("project", "thing"),
        "pack": _("mapping pack", "thing"),
        "book": _("reviewed mappings", "thing"),
        "vocabulary": _("vocabulary", "thing"),
        "check": _("check", "thing"),
        "certificate": _("certificate", "thing"),
        "run": _("computation", "thing"),
        "file": _("file", "thing"),
        "deposit": _("deposit", "thing"),
        "cohort": _("cohort", "thing"),
        "shortlist": _("shortlist", "thing"),
        "study": _("study of the alliance", "thing"),
        "site": _("allied site", "thing"),
    }.get(kind, kind)


def role_name(role: str) -> str:
    """As what a thing is used, in the reader's language."""
    return {
        "source": _("source", "use"),
        "vocabulary": _("vocabulary", "use"),
        "mapping": _("mapping", "use"),
        "check": _("check", "use"),
        "compute": _("computation", "use"),
        "permit": _("permit", "use"),
        "by": _("provided by", "use"),
    }.get(role, role)


def use_name(kind: str) -> str:
    """A kind of use, in the reader's language."""
    return {
        "permit": _("permits", "uses"),
        "workspace": _("workspaces", "uses"),
        "count": _("cohort counts", "uses"),
        "release": _("releases", "uses"),
        "download": _("downloads", "uses"),
    }.get(kind, kind)


room.helpers |= {
    "kind_name": kind_name,
    "role_of_use": role_name,
    "use_name": use_name,
    "kinds_of_use": lambda: using.KINDS,
    "has_statement": lambda reference: reference.partition(":")[0] in service.KINDS,
}
