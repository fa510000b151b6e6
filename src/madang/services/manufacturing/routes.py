"""The pages of this room: everything of one's projects, and the comparison of past runs."""

import json
from typing import Annotated, Any

from fastapi import Path
from pydantic import Field

from madang.base.translate import _
from madang.node.acts import label
from madang.node.people.projects import list_projects
from madang.node.permissions import may
from madang.services.manufacturing import cultivations, service, words
from madang.services.manufacturing.acts import BEGIN
from madang.web import Done, Here, Room, View

room = Room("manufacturing", __package__)
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
Name = Annotated[str, Path(max_length=63)]
FILES = 40 << 20  # bytes of the files of runs in one form
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
    factor_lines: int
    result_lines: int
    scales: list[tuple[str, str]]
    goals: list[tuple[str, str]]
    designs: list[tuple[str, str]]


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


class NewEquipment(View):
    """Equipment to name."""

    project: str = Field(title="The project", min_length=1, max_length=63)
    name: str = Field(title="The short name", min_length=1, max_length=63)
    address: str = Field(title="The address", min_length=1, max_length=300)


class NewSheet(View):
    """A laboratory sheet to join with past runs."""

    sheet: str = Field(default="", title="The laboratory sheet", max_length=service.LARGEST)
    file: bytes = Field(default=b"", title="Its file", max_length=service.LARGEST)


class NewRun(View):
    """A past run to add, or several of a table with a column `run`."""

    name: str = Field(default="", title="The short name", max_length=63)
    table: str = Field(default="", title="The table", max_length=service.LARGEST)
    files: list[bytes] = Field(default=[], title="The files", max_length=cultivations.FILES)
    files_name: list[str] = Field(default=[], title="Their names", max_length=cultivations.FILES)


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
        factor_lines=8,
        result_lines=4,
        scales=[("number", _("any number")), ("whole", _("whole number")), ("log", _("on a log scale"))],
        goals=[("maximize", _("make large")), ("minimize", _("make small")), ("keep", _("keep in a range"))],
        designs=list(words.designs().items()),
    )


@room.act("/manufacturing/equipment", at=overview)
def register(visit: Here, given: NewEquipment) -> Done:
    """Name equipment of a project; it is only read."""
    service.register_equipment(visit.node, visit.actor, given.project, given.name, given.address)
    return Done(see="/manufacturing", message=_("The equipment is named; it is only read."))


@room.page("/manufacturing/runs/{project}", "comparison.html")
def comparison(visit: Here, project: Name) -> ComparisonView:
    """Past runs of a project on one axis: what lies outside the envelope first."""
    names, done = cultivations.compare_runs(visit.node, visit.actor, project)
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


@room.act("/manufacturing/runs/{project}", at=comparison, largest=FILES)
def add_run(visit: Here, project: Name, given: NewRun) -> Done:
    """Add a past run to a project, all of a table with a column `run`, or a file each."""
    if any(given.files):
        added = cultivations.add_run_files(visit.node, visit.actor, project, given.files_name, given.files)
        return Done(see=f"/manufacturing/runs/{project}", message=_("{count} runs are added.").format(count=len(added)))
    table = given.table.replace("\r\n", "\n")
    if given.name:
        cultivations.add_run(visit.node, visit.actor, project, given.name, table)
        return Done(see=f"/manufacturing/runs/{project}", message=_("The run is added."))
    added = cultivations.add_runs(visit.node, visit.actor, project, table)
    return Done(see=f"/manufacturing/runs/{project}", message=_("{count} runs are added.").format(count=len(added)))


@room.act("/manufacturing/runs/{project}/sheet", at=comparison, largest=FILES)
def add_sheet(visit: Here, project: Name, given: NewSheet) -> Done:
    """Join a laboratory sheet with the past runs of a project."""
    joined = cultivations.add_sheet(visit.node, visit.actor, project, given.file or given.sheet)
    text = _("The sheet is joined with {count} runs.").format(count=len(joined))
    return Done(see=f"/manufacturing/runs/{project}", message=text)


def _shown(cell: Any) -> Any:
    return round(cell, 3) if isinstance(cell, float) else cell


def _course(done: Any, name: str) -> str:
    from madang.science.charts import svg
    from madang.services.manufacturing.pictures import envelope

    place = done.signals.index(name)
    outside = list(dict.fromkeys(each.run for each in done.exceptions if each.signal == name))[:6]
    runs = {run: done.values[done.runs.index(run), :, place].tolist() for run in outside}
    title = _("{name}: the envelope, and the runs that leave it").format(name=name)
    low, high = done.low[:, place].tolist(), done.high[:, place].tolist()
    return svg(envelope(done.axis.tolist(), low, high, runs, name), title)
