"""Pages of permits: what one allows, its extracts with their risk in pictures, and its end."""

import json
from typing import Annotated, Any

from fastapi import Path
from pydantic import Field
from starlette.responses import JSONResponse, Response

from madang.base.translate import _, in_language
from madang.node.acts import label
from madang.node.permissions import may
from madang.services.access import acts, ending, extracting, permits, signed
from madang.services.access.permits import see_permit
from madang.services.access.routes import room
from madang.web import Done, Here, View

Permit = Annotated[str, Path(pattern=r"^\d{4}-\d{4,9}$")]


class PermitPage(View):
    """A permit."""

    number: str
    state: str
    state_name: str
    begins: str
    ends: str
    project: str
    project_title: str
    source: str
    dataset: str
    extract: int | None
    application: int
    purpose: str
    conditions: str
    tables: dict[str, list[str]]
    population: dict[str, Any]
    recipe: dict[str, Any]
    recipe_title: str
    report: dict[str, Any] | None
    suspected: str
    destruction: dict[str, Any] | None
    document: str
    may: list[str]


class Reason(View):
    """Why."""

    text: str = Field(title="The reason", min_length=1, max_length=2_000)


@room.page("/permits/{number}", "permit.html")
def permit_page(visit: Here, number: Permit) -> PermitPage:
    """A permit: what it allows, until when, what was made of it, and how it ends."""
    grant = see_permit(visit.node, visit.actor, number)
    terms = signed.read_permit(visit.node, grant.permit.document)
    title = terms["recipe"]["title"]
    able = [
        act.name.partition(".")[2]
        for act in (acts.SUSPEND, acts.RESUME, acts.REPORT, acts.END, acts.EXTRACT, acts.DESTROY)
        if may(visit.actor, act, grant) and (not act.frm or grant.state in act.frm)
    ]
    if grant.state != "in-force":
        able = [name for name in able if name != "extract"]
    return PermitPage(
        number=number,
        state=grant.state,
        state_name=label("permit", grant.state),
        begins=grant.permit.begins.isoformat(),
        ends=grant.permit.ends.isoformat(),
        project=grant.permit.project.name,
        project_title=grant.permit.project.title,
        source=grant.source,
        dataset=grant.permit.dataset,
        extract=grant.version,
        application=grant.application_id,
        purpose=terms["purpose"],
        conditions=terms["conditions"],
        tables=terms["tables"],
        population=terms["population"],
        recipe=terms["recipe"],
        recipe_title=in_language(title["ko"], title["en"]),
        report=json.loads(grant.report) if grant.report else None,
        suspected=grant.suspected,
        destruction=json.loads(grant.destruction) if grant.destruction else None,
        document=grant.permit.document,
        may=able,
    )


@room.act("/permits/{number}/extract", at=permit_page)
def make_extract(visit: Here, number: Permit) -> Done:
    """Make the extract."""
    done = extracting.extract(visit.node, visit.actor, number)
    return _seen(number, _("The extract {name} is made.").format(name=f"{done.dataset}@{done.version}"))


@room.act("/permits/{number}/suspend", at=permit_page)
def suspend(visit: Here, number: Permit, given: Reason) -> Done:
    """Stop a permit for a time."""
    permits.suspend(visit.node, visit.actor, number, given.text)
    return _seen(number, _("The permit is suspended: it opens nothing from now on."))


@room.act("/permits/{number}/resume", at=permit_page)
def resume(visit: Here, number: Permit, given: Reason) -> Done:
    """Let a permit go on."""
    permits.resume(visit.node, visit.actor, number, given.text)
    return _seen(number, _("The permit is in force again."))


@room.act("/permits/{number}/report", at=permit_page)
def report(visit: Here, number: Permit, given: Reason) -> Done:
    """Report that somebody may have been recognized."""
    permits.report(visit.node, visit.actor, number, given.text)
    return _seen(number, _("Thank you. The permit is stopped at once; the holder looks into it."))


@room.act("/permits/{number}/end", at=permit_page)
def end(visit: Here, number: Permit, given: Reason) -> Done:
    """End a permit."""
    permits.end(visit.node, visit.actor, number, given.text)
    return _seen(number, _("The permit has ended."))


@room.act("/permits/{number}/destroy", at=permit_page)
def destroy(visit: Here, number: Permit, given: Reason) -> Done:
    """Destroy the extract and its key."""
    ending.destroy(visit.node, visit.actor, number, given.text)
    return _seen(number, _("The extract and its key are destroyed; the record says what cannot be shown."))


@room.bytes("/permits/{number}/visas.json", "application/json")
def visas(visit: Here, number: Permit) -> Response:
    """A GA4GH visa for each person of the project."""
    return JSONResponse(permits.visas(visit.node, visit.actor, number))


@room.bytes("/permits/{number}/permit.jwt", "application/jwt")
def document(visit: Here, number: Permit) -> Response:
    """The signed permit."""
    return Response(see_permit(visit.node, visit.actor, number).permit.document, media_type="application/jwt")


@room.bytes("/permits/{number}/record.json", "application/json")
def record(visit: Here, number: Permit) -> Response:
    """The record of processing of pseudonymized data (가명정보 처리 기록)."""
    grant = see_permit(visit.node, visit.actor, number)
    return JSONResponse(ending.processing_record(visit.node, visit.actor, grant.application_id))


@room.bytes("/access/visa-keys.json", "application/json")
def visa_keys(visit: Here) -> Response:
    """The public key with which visas are verified (JWK Set)."""
    return JSONResponse(signed.visa_keys(visit.node))


def _seen(number: str, message: str) -> Done:
    return Done(see=f"/permits/{number}", message=message)
