"""The page of a statement of use."""

from typing import Annotated

from fastapi import Path
from starlette.responses import PlainTextResponse, Response

from madang.base.translate import _
from madang.services.contributions import service
from madang.web import Here, Room, View

room = Room("contributions", __package__)
Reference = Annotated[str, Path(max_length=200)]


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


class StatementView(View):
    """What a result stands on."""

    reference: str
    things: list[ThingView]
    links: list[LinkView]
    missing: list[str]


@room.page("/contributions/{reference}", "statement.html")
def statement(visit: Here, reference: Reference) -> StatementView:
    """The statement of use (데이터 이용내역서) of a result: everything that it stands on, as counts of use."""
    found = service.statement_of(visit.node, visit.actor, reference)
    return StatementView(
        reference=found.result.reference,
        things=[
            ThingView(reference=t.reference, title=t.title or t.reference, kind=t.kind, used=found.used[t.reference])
            for t in found.things
        ],
        links=[LinkView(thing=link.thing, on=link.on.reference, role=link.role) for link in found.links],
        missing=list(found.missing),
    )


@room.bytes("/contributions/{reference}/statement.jwt", "application/jwt")
def signed(visit: Here, reference: Reference) -> Response:
    """The statement, signed by this installation; anybody who has the ledger computes the same."""
    found = service.statement_of(visit.node, visit.actor, reference)
    return PlainTextResponse(service.sign(visit.node, found), media_type="application/jwt")


def kind_name(kind: str) -> str:
    """What a thing is, in the reader's language."""
    return {
        "dataset": _("dataset", "thing"),
        "record": _("record", "thing"),
        "release": _("release", "thing"),
        "permit": _("permit", "thing"),
        "organization": _("institution", "thing"),
        "person": _("person", "thing"),
        "contributor": _("person", "thing"),
        "project": _("project", "thing"),
        "pack": _("mapping pack", "thing"),
        "check": _("check", "thing"),
        "run": _("computation", "thing"),
        "model": _("model", "thing"),
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


room.helpers |= {"kind_name": kind_name, "use_name": role_name}
