"""The pages of this room: everything of one's projects, a campaign, the comparison of past runs."""

import json
from typing import Annotated, Any

from fastapi import Path
from pydantic import Field

from madang.base.translate import _
from madang.node.acts import label
from madang.node.people.projects import list_projects
from madang.node.permissions import may
from madang.services.manufacturing import service
from madang.services.manufacturing.acts import ADD, BEGIN
from madang.web import Done, Here, Room, View

room = Room("manufacturing", __package__)
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
Name = Annotated[str, Path(max_length=63)]
SHOWN = 4  # signals of which a comparison draws the course


class CampaignLine(View):
    """A campaign in a list."""

    number: int
    project: str
    title: str
    state: str
    state_name: str
    done: int


class EquipmentLine(View):
    """A piece of equipment in a list."""

    project: str
    name: str
    address: str
    simulated: bool


class Overview(View):
    """Everything of one's projects."""

    campaigns: list[CampaignLine]
    equipment: list[EquipmentLine]
    projects: list[tuple[str, str]]
    begins: list[tuple[str, str]]
    template: str


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
    suggestions: list[SuggestionView]
    best: list[dict[str, Any]]
    matters: list[tuple[str, list[tuple[str, float]]]]
    stop: str
    note: str
    description: str
    table: str
    charts: list[str]
    adds: bool


class OutsideView(View):
    """A run outside the envelope."""

    run: str
    signal: str
    begin: float
    finish: float
    share: float


class ComparisonView(View):
    """Past runs of a project, compared."""

    project: str
    runs: list[str]
    aligned_by: str
    exceptions: list[OutsideView]
    columns: list[str]
    rows: list[list[Any]]
    charts: list[str]
    adds: bool


class NewCampaign(View):
    """A campaign to begin."""

    project: str = Field(title="The project", min_length=1, max_length=63)
    name: str = Field(title="The short name", min_length=1, max_length=63)
    title: str = Field(default="", title="The title", max_length=300)
    description: str = Field(title="The description", min_length=1, max_length=service.LARGEST)


class NewEquipment(View):
    """Equipment to name."""

    project: str = Field(title="The project", min_length=1, max_length=63)
    name: str = Field(title="The short name", min_length=1, max_length=63)
    address: str = Field(title="The address", min_length=1, max_length=300)


class Results(View):
    """Results to add: a table with factors and results by name."""

    table: str = Field(title="The table", min_length=1, max_length=service.LARGEST)


class NewSheet(View):
    """A laboratory sheet to join with past runs."""

    sheet: str = Field(title="The laboratory sheet", min_length=1, max_length=service.LARGEST)


class NewRun(View):
    """A past run to add, or several of a table with a column `run`."""

    name: str = Field(default="", title="The short name", max_length=63)
    table: str = Field(title="The table", min_length=1, max_length=service.LARGEST)


@room.page("/manufacturing", "manufacturing.html")
def overview(visit: Here) -> Overview:
    """Campaigns, past runs and equipment of your projects."""
    from madang.science.bioprocess.campaign.description import TEMPLATE

    campaigns = service.list_campaigns(visit.node, visit.actor)
    projects = list_projects(visit.node, visit.actor)
    return Overview(
        campaigns=[
            CampaignLine(
                number=each.id,
                project=each.project.title,
                title=each.title,
                state=each.state,
                state_name=label("campaign", each.state),
                done=json.loads(each.answer).get("done", 0),
            )
            for each in campaigns
        ],
        equipment=[
            EquipmentLine(project=e.project.title, name=e.name, address=e.address, simulated=e.simulated)
            for e in service.list_equipment(visit.node, visit.actor)
        ],
        projects=[(each.name, each.title) for each in projects],
        begins=[
            (each.name, each.title) for each in projects if each.state == "active" and may(visit.actor, BEGIN, each)
        ],
        template=TEMPLATE.format(name="campaign.toml"),
    )


@room.act("/manufacturing/campaigns", at=overview)
def begin(visit: Here, given: NewCampaign) -> Done:
    """Begin a campaign."""
    made = service.begin_campaign(
        visit.node, visit.actor, given.project, given.name, given.title, given.description.replace("\r\n", "\n")
    )
    return Done(see=f"/manufacturing/campaigns/{made.id}", message=_("The campaign is begun."))


@room.act("/manufacturing/equipment", at=overview)
def register(visit: Here, given: NewEquipment) -> Done:
    """Name equipment of a project; it is only read."""
    service.register_equipment(visit.node, visit.actor, given.project, given.name, given.address)
    return Done(see="/manufacturing", message=_("The equipment is named; it is only read."))


@room.page("/manufacturing/campaigns/{number}", "campaign.html")
def campaign(visit: Here, number: Number) -> CampaignView:
    """A campaign: what to try next and why, what is best, what matters, when to stop."""
    found = service.see_campaign(visit.node, visit.actor, number)
    answer = json.loads(found.answer)
    factors = list(answer["suggestions"][0]["factors"]) if answer["suggestions"] else []
    factors = factors or (list(answer["best"][0]["factors"]) if answer["best"] else [])
    names = [each["name"] for each in answer["objectives"]]
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
        results=names,
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


@room.act("/manufacturing/campaigns/{number}/results", at=campaign)
def add_results(visit: Here, number: Number, given: Results) -> Done:
    """Add results to a campaign; what to try next is computed anew."""
    taken, there, refused = service.add_to_campaign(visit.node, visit.actor, number, given.table)
    text = _("{taken} experiments added, {there} were there already, {refused} not taken.")
    told = text.format(taken=taken, there=there, refused=len(refused))
    return Done(see=f"/manufacturing/campaigns/{number}", message=" ".join([told, *refused[:3]]))


@room.act("/manufacturing/campaigns/{number}/end", at=campaign)
def end(visit: Here, number: Number) -> Done:
    """End a campaign."""
    service.end_campaign(visit.node, visit.actor, number)
    return Done(see=f"/manufacturing/campaigns/{number}", message=_("The campaign is ended."))


@room.page("/manufacturing/runs/{project}", "comparison.html")
def comparison(visit: Here, project: Name) -> ComparisonView:
    """Past runs of a project on one axis: what lies outside the envelope first."""
    names, done = service.compare_runs(visit.node, visit.actor, project)
    found = next(each for each in list_projects(visit.node, visit.actor) if each.name == project)
    exceptions, charts = [], []
    if done is not None:
        exceptions = [
            OutsideView(run=e.run, signal=e.signal, begin=e.begin, finish=e.finish, share=e.share)
            for e in done.exceptions
        ]
        charts = [_course(done, name) for name in list(dict.fromkeys(e.signal for e in done.exceptions))[:SHOWN]]
    return ComparisonView(
        project=project,
        runs=names,
        aligned_by=done.aligned_by if done is not None else "",
        exceptions=exceptions,
        columns=list(done.columns) if done is not None else [],
        rows=[[_shown(cell) for cell in row] for row in done.rows] if done is not None else [],
        charts=charts,
        adds=found.state == "active" and may(visit.actor, BEGIN, found),
    )


@room.act("/manufacturing/runs/{project}", at=comparison)
def add_run(visit: Here, project: Name, given: NewRun) -> Done:
    """Add a past run to a project, or all of a table with a column `run`."""
    table = given.table.replace("\r\n", "\n")
    if given.name:
        service.add_run(visit.node, visit.actor, project, given.name, table)
        return Done(see=f"/manufacturing/runs/{project}", message=_("The run is added."))
    added = service.add_runs(visit.node, visit.actor, project, table)
    return Done(see=f"/manufacturing/runs/{project}", message=_("{count} runs are added.").format(count=len(added)))


@room.act("/manufacturing/runs/{project}/sheet", at=comparison)
def add_sheet(visit: Here, project: Name, given: NewSheet) -> Done:
    """Join a laboratory sheet with the past runs of a project."""
    joined = service.add_sheet(visit.node, visit.actor, project, given.sheet.replace("\r\n", "\n"))
    text = _("The sheet is joined with {count} runs.").format(count=len(joined))
    return Done(see=f"/manufacturing/runs/{project}", message=text)


def _shown(cell: Any) -> Any:
    return round(cell, 3) if isinstance(cell, float) else cell


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


def _course(done: Any, name: str) -> str:
    from madang.science.charts import svg
    from madang.services.manufacturing.pictures import envelope

    place = done.signals.index(name)
    outside = list(dict.fromkeys(each.run for each in done.exceptions if each.signal == name))[:6]
    runs = {run: done.values[done.runs.index(run), :, place].tolist() for run in outside}
    title = _("{name}: the envelope, and the runs that leave it").format(name=name)
    low, high = done.low[:, place].tolist(), done.high[:, place].tolist()
    return svg(envelope(done.axis.tolist(), low, high, runs, name), title)
