"""The pages of campaigns: begun by form or description, results by form, table or workbook, and what to try next."""

import itertools
import json
from typing import Any

from fastapi import Response
from pydantic import Field

from madang.base.translate import _
from madang.node.acts import label
from madang.node.permissions import may
from madang.services.manufacturing import service
from madang.services.manufacturing.acts import ADD
from madang.services.manufacturing.routes import Number, overview, room
from madang.web import Done, Here, View

FILE = 20 << 20  # bytes of a workbook of results


class SuggestionView(View):
    """An experiment to try."""

    factors: dict[str, Any]
    expected: dict[str, str]
    why: str


class CampaignView(View):
    """A campaign: what to try next, what is best, what matters, when to stop."""

    number: int
    title: str
    project: str
    state: str
    state_name: str
    use: str
    done: int
    most: int
    factors: list[str]
    results: list[str]
    units: dict[str, str]
    suggestions: list[SuggestionView]
    best: list[dict[str, Any]]
    matters: list[tuple[str, list[tuple[str, float]]]]
    stop: str
    note: str
    description: str
    table: str
    charts: list[str]
    adds: bool


class NewCampaign(View):
    """A campaign to begin."""

    project: str = Field(title="The project", min_length=1, max_length=63)
    name: str = Field(title="The short name", min_length=1, max_length=63)
    title: str = Field(default="", title="The title", max_length=300)
    description: str = Field(title="The description", min_length=1, max_length=service.LARGEST)


class NewCampaignByForm(View):
    """A campaign to begin, as lines of what is varied and what is wanted; cells of a line stand at equal places."""

    project: str = Field(title="The project", min_length=1, max_length=63)
    name: str = Field(title="The short name", min_length=1, max_length=63)
    title: str = Field(default="", title="The title", max_length=300)
    factor: list[str] = Field(default=[], title="What is varied", max_length=100)
    low: list[str] = Field(default=[], title="From", max_length=100)
    high: list[str] = Field(default=[], title="To", max_length=100)
    scale: list[str] = Field(default=[], title="The kind of numbers", max_length=100)
    choices: list[str] = Field(default=[], title="Choices", max_length=100)
    unit: list[str] = Field(default=[], title="The unit", max_length=100)
    result: list[str] = Field(default=[], title="What is wanted", max_length=100)
    goal: list[str] = Field(default=[], title="The goal", max_length=100)
    least: list[str] = Field(default=[], title="At least", max_length=100)
    most: list[str] = Field(default=[], title="At most", max_length=100)
    result_unit: list[str] = Field(default=[], title="The unit", max_length=100)
    design: str = Field(default="latin-hypercube", title="The first experiments", max_length=63)
    first: int = Field(default=8, title="How many at first", ge=0, le=10_000)
    batch: int = Field(default=2, title="How many at a time", ge=1, le=100)
    experiments: int = Field(default=40, title="Most in all", ge=1, le=10_000)


class Results(View):
    """Results to add: a table with factors and results by name, or a file of it."""

    table: str = Field(default="", title="The table", max_length=service.LARGEST)
    file: bytes = Field(default=b"", title="The file", max_length=FILE)


class Measured(View):
    """What was measured of the suggested experiments: for each of them, every result in turn."""

    done: int = Field(title="The experiments done before", ge=0)
    value: list[str] = Field(title="The results", max_length=2_000)


@room.act("/manufacturing/campaigns", at=overview)
def begin(visit: Here, given: NewCampaign) -> Done:
    """Begin a campaign."""
    made = service.begin_campaign(
        visit.node, visit.actor, given.project, given.name, given.title, given.description.replace("\r\n", "\n")
    )
    return Done(see=f"/manufacturing/campaigns/{made.id}", message=_("The campaign is begun."))


@room.act("/manufacturing/campaigns/form", at=overview)
def begin_by_form(visit: Here, given: NewCampaignByForm) -> Done:
    """Begin a campaign that is described by lines of a form."""
    from madang.science.bioprocess.campaign import Varied, Wanted, written

    def lines(*columns: list[str]) -> list[tuple[str, ...]]:
        return [line for line in itertools.zip_longest(*columns, fillvalue="") if line[0].strip()]

    description = written(
        [Varied(*line) for line in lines(given.factor, given.low, given.high, given.scale, given.choices, given.unit)],
        [Wanted(*line) for line in lines(given.result, given.goal, given.least, given.most, given.result_unit)],
        design=given.design,
        begin=given.first,
        batch=given.batch,
        experiments=given.experiments,
    )
    made = service.begin_campaign(visit.node, visit.actor, given.project, given.name, given.title, description)
    return Done(see=f"/manufacturing/campaigns/{made.id}", message=_("The campaign is begun."))


@room.page("/manufacturing/campaigns/{number}", "campaign.html")
def campaign(visit: Here, number: Number) -> CampaignView:
    """A campaign: what to try next and why, what is best, what matters, when to stop."""
    found = service.see_campaign(visit.node, visit.actor, number)
    answer = json.loads(found.answer)
    factors = list(answer["suggestions"][0]["factors"]) if answer["suggestions"] else []
    factors = factors or (list(answer["best"][0]["factors"]) if answer["best"] else [])
    units = service.results_of(found)
    return CampaignView(
        number=found.id,
        title=found.title,
        project=found.project.name,
        state=found.state,
        state_name=label("campaign", found.state),
        use=_("Development use: confirm by experiment."),
        done=answer["done"],
        most=answer["experiments"],
        factors=factors,
        results=list(units),
        units=units,
        suggestions=[_suggestion(each) for each in answer["suggestions"]],
        best=answer["best"],
        matters=[(n, sorted(shares.items(), key=lambda each: -each[1])) for n, shares in answer["matters"].items()],
        stop=answer["stop"]["why"],
        note=answer["note"],
        description=found.description,
        table=found.results,
        charts=[_progress(answer, each) for each in answer["objectives"] if answer["done"]],
        adds=found.state == "active" and may(visit.actor, ADD, found),
    )


@room.bytes("/manufacturing/campaigns/{number}/next.csv", "text/csv")
def next_as_table(visit: Here, number: Number) -> Response:
    """What to try next as a table whose results are to be filled in."""
    found = service.see_campaign(visit.node, visit.actor, number)
    headers = {"content-disposition": f'attachment; filename="{found.name}-next.csv"'}
    return Response("\ufeff" + service.next_table(found), media_type="text/csv", headers=headers)


@room.act("/manufacturing/campaigns/{number}/results", at=campaign, largest=FILE)
def add_results(visit: Here, number: Number, given: Results) -> Done:
    """Add results to a campaign, as a table or a workbook; what to try next is computed anew."""
    return _added(number, service.add_to_campaign(visit.node, visit.actor, number, given.file or given.table))


@room.act("/manufacturing/campaigns/{number}/measured", at=campaign)
def add_measured(visit: Here, number: Number, given: Measured) -> Done:
    """Add what was measured of the suggested experiments; what to try next is computed anew."""
    return _added(number, service.add_measured(visit.node, visit.actor, number, given.done, given.value))


def _added(number: int, counts: tuple[int, int, list[str]]) -> Done:
    taken, there, refused = counts
    text = _("{taken} experiments added, {there} were there already, {refused} not taken.")
    told = text.format(taken=taken, there=there, refused=len(refused))
    return Done(see=f"/manufacturing/campaigns/{number}", message=" ".join([told, *refused[:3]]))


@room.act("/manufacturing/campaigns/{number}/end", at=campaign)
def end(visit: Here, number: Number) -> Done:
    """End a campaign."""
    service.end_campaign(visit.node, visit.actor, number)
    return Done(see=f"/manufacturing/campaigns/{number}", message=_("The campaign is ended."))


def _suggestion(each: dict[str, Any]) -> SuggestionView:
    whys = {"begin": _("starting design"), "improve": _("promises more"), "explore": _("little is known")}
    told = {n: f"{e['mean']:.4g} ({e['low']:.4g}–{e['high']:.4g})" for n, e in each["expected"].items()}
    return SuggestionView(factors=each["factors"], expected=told, why=whys[each["why"]])


def _progress(answer: dict[str, Any], objective: dict[str, Any]) -> str:
    from madang.science.charts import svg
    from madang.services.manufacturing.pictures import progress

    name = objective["name"]
    title = _("{name} of each experiment, and the best so far").format(name=name)
    return svg(progress(answer["history"][name], name, objective["maximize"]), title)
