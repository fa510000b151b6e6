"""Pages of permits: what one allows, its extracts with their risk in pictures, and its end."""

import json
from functools import lru_cache
from typing import Annotated, Any

from fastapi import Path
from markupsafe import Markup
from pydantic import Field
from starlette.responses import JSONResponse, Response

from madang.base.translate import _, in_language, language
from madang.node.acts import label
from madang.node.permissions import may
from madang.science.privacy.recipe import SHIPPED, read_recipe
from madang.services.access import acts, ending, extracting, permits, procedure, signed, studies
from madang.services.access.permits import see_permit
from madang.services.access.routes import room
from madang.web import Done, Here, Number, View

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
    asks: bool
    results_only: bool
    studies: list[dict[str, Any]]  # of a permit for results only: what was handed in, and what came of it
    follows: list[tuple[str, str]]  # the steps after the permit, and whom each waits for


class Study(View):
    """Queries by name, as a JSON file."""

    file: bytes = Field(title="The file")
    purpose: str = Field(default="", title="What it is for", max_length=2_000)


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
        for act in (acts.SUSPEND, acts.RESUME, acts.REPORT, acts.END, acts.EXTRACT, acts.DESTROY, acts.STUDY, acts.RUN)
        if may(visit.actor, act, grant) and (not act.frm or grant.state in act.frm)
    ]
    results_only = terms["answer"] == "results-only"
    out_of_place = {"extract"} if grant.state != "in-force" or results_only else set[str]()
    out_of_place |= set() if results_only else {"study", "run"}
    able = [name for name in able if name not in out_of_place]
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
        results_only=results_only,
        studies=[{name: value for name, value in each.items() if name != "by_id"} for each in studies.of(grant)],
        follows=[(_(step.title), _(step.who)) for step in procedure.AFTER],
        asks=grant.state in ("in-force", "suspended") and visit.actor.in_project(grant.project_id),
    )


@room.act("/permits/{number}/extract", at=permit_page)
def make_extract(visit: Here, number: Permit) -> Done:
    """Make the extract."""
    done = extracting.extract(visit.node, visit.actor, number)
    return _seen(number, _("The extract {name} is made.").format(name=f"{done.dataset}@{done.version}"))


@room.act("/permits/{number}/recipes", at=permit_page)
def try_recipes(visit: Here, number: Permit) -> Done:
    """Try the recipes that ship against each other on the permitted rows."""
    extracting.try_recipes(visit.node, visit.actor, number, list(SHIPPED))
    return _seen(number, _("The recipes were tried; nothing of it is kept but the figures."))


@room.act("/permits/{number}/studies", at=permit_page, largest=studies.LARGEST + (1 << 16))
def hand_in(visit: Here, number: Permit, given: Study) -> Done:
    """Hand in a study, to be run by the holder."""
    studies.hand_in(visit.node, visit.actor, number, given.file, given.purpose)
    return _seen(number, _("The study is handed in; the data steward runs it."))


@room.act("/permits/{number}/studies/{study}/run", at=permit_page)
def run_study(visit: Here, number: Permit, study: Number) -> Done:
    """Run a study over the permitted rows, and ask for the release of its results."""
    release = studies.run(visit.node, visit.actor, number, study)
    if release is None:
        return _seen(number, _("No query of it could be computed."))
    return _seen(
        number, _("It was run; its results are at the release desk, number {release}.").format(release=release)
    )


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


def risk_picture(report: dict[str, Any]) -> Markup:
    """Columns: who is singled out by one, two, three known events, before and after each recipe that was tried."""
    named = [(_("before the recipe"), report["recipes"][0]["before"])] if report.get("recipes") else []
    named += [(recipe_named(each["name"]), each["after"]) for each in report.get("recipes", ())]
    if not named and report.get("after"):
        named = [(_("before the recipe"), report["before"]), (_("in the extract"), report["after"])]
    percent = _("persons singled out, %")
    rows = [
        {"place": str(each["known_events"]), "part": name, percent: round(100 * each["share"], 1)}
        for name, found in named
        for each in found["singled_out"]
    ]
    return Markup(_drawn(tuple(tuple(row.items()) for row in rows), percent, _("Risk per person"), language()))


@lru_cache(maxsize=64)
def _drawn(rows: tuple[tuple[tuple[str, Any], ...], ...], value: str, title: str, speech: str) -> str:
    from madang.science import charts

    told = [dict(row) for row in rows]
    parts = list(dict.fromkeys(row["part"] for row in told))
    colors = dict(zip(parts, charts.SERIES, strict=False))
    # As narrow as a telephone, where a wider one would shrink with its letters.
    drawn = charts.columns(told, place="place", value=value, part="part", colors=colors, width=300)
    return charts.svg(drawn, title)


def recipe_named(name: str) -> str:
    """What people call a recipe that ships."""
    title = read_recipe(name).title
    return in_language(title["ko"], title["en"]) if name in SHIPPED else name


def moved_on_average(utility: list[dict[str, Any]]) -> float:
    """The mean of how far the answers move."""
    told = [min(1.0, each["moved"]) for each in utility if each["moved"] is not None]
    return sum(told) / len(told) if told else 0.0


room.helpers |= {"risk_picture": risk_picture, "recipe_named": recipe_named, "moved_on_average": moved_on_average}
