"""The pages of runs on sequencing data: what there is, a new one, one of them with its variants and report."""

from typing import Any

from fastapi.responses import HTMLResponse
from pydantic import Field
from starlette.responses import Response

from madang.base.errors import MadangError
from madang.base.translate import _, language
from madang.node.acts import label
from madang.services.compute import sequencing, service, staging
from madang.services.compute.definition import machine
from madang.services.compute.routes import OutputLine, outputs_of, projects_of, room
from madang.web import Done, Here, Number, View
from madang.web.headers import ALONE

_SHOWN = 50  # runs of a page
_REPORTS = {"ko": "report.ko.html", "en": "report.html"}


class RunLine(View):
    """A run on sequencing data in a list."""

    number: int
    name: str
    state_name: str
    created: str


class SequencingView(View):
    """Runs on sequencing data, and what a new one needs."""

    runs: list[RunLine]
    files: list[tuple[str, str]]
    references: list[tuple[str, str]]
    projects: list[tuple[str, str]]


class NewRun(View):
    """A germline run to ask for."""

    first: int = Field(title="The first file of reads", ge=1, le=2**31 - 1)
    second: int | None = Field(default=None, title="The second file of reads", ge=1, le=2**31 - 1)
    reference: str = Field(title="The reference", min_length=1, max_length=100)
    sample: str = Field(default="", title="The name of the sample", max_length=100)
    project: str = Field(default="", title="The project", max_length=63)


class GermlineView(View):
    """A germline run: figures, and the variants of a region or gene."""

    number: int
    name: str
    state: str
    state_name: str
    open: bool
    figures: list[tuple[str, str]]
    region: str
    gene: str
    variants: list[dict[str, Any]]
    outputs: list[OutputLine]
    total: int


@room.bytes("/compute/{number}/report", "text/html")
def report(visit: Here, number: Number) -> Response:
    """The report of a germline run, in the reader's language; it can neither run, load nor send anything."""
    found, summary = sequencing.see_run(visit.node, visit.actor, number)
    if not summary:
        raise MadangError("task.none", _("There is no report yet."))
    path = staging.output_path(visit.node, found.id, _REPORTS[language()])
    return HTMLResponse(path.read_text("utf-8"), headers={"Content-Security-Policy": ALONE})


@room.page("/sequencing", "sequencing.html")
def sequencing_page(visit: Here) -> SequencingView:
    """Runs on sequencing data, and where a new one is asked for."""
    runs = service.list_tasks(visit.node, visit.actor, service.Asked(kind=sequencing.KIND, most=_SHOWN))
    return SequencingView(
        runs=[
            RunLine(number=e.id, name=e.name, state_name=label("task", e.state), created=e.created.isoformat())
            for e in runs
        ],
        files=[(str(each.id), each.name) for each in staging.files(visit.node, visit.actor)],
        references=[(e.reference, f"{e.title} ({e.reference})") for e in sequencing.references(visit.node)],
        projects=projects_of(visit),
    )


@room.act("/sequencing/runs", at=sequencing_page)
def ask_run(visit: Here, given: NewRun) -> Done:
    """Ask for the small variants of one sample."""
    files = [given.first] + ([given.second] if given.second else [])
    wanted = sequencing.Wanted(
        tuple(f"madang://file/{each}" for each in files),
        f"madang://reference/{given.reference}",
        given.sample,
        cores=min(2, machine().cores),
    )
    made = sequencing.ask_germline(visit.node, visit.actor, wanted, given.project)
    return Done(see=f"/compute/{made.id}", message=_("The run is asked for."))


@room.page("/sequencing/{number}", "germline.html")
def germline(visit: Here, number: Number, region: str = "", gene: str = "") -> GermlineView:
    """A germline run: its figures, and the variants of a region or a gene."""
    from madang.science.sequencing.report import figures

    found, summary = sequencing.see_run(visit.node, visit.actor, number)
    variants = []
    if summary:
        variants = sequencing.variants_of(visit.node, visit.actor, number, region[:200], gene[:200])
    return GermlineView(
        number=found.id,
        name=service.title_of(found),
        state=found.state,
        state_name=label("task", found.state),
        open=found.state not in service.ENDED,
        figures=figures(summary) if summary else [],
        region=region[:200],
        gene=gene[:200],
        variants=variants,
        outputs=outputs_of(found),
        total=summary["variants"]["total"] if summary else 0,
    )
