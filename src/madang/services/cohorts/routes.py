"""The pages of the shelf: definitions, what they say, what they found."""

import csv
import io
import json
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from fastapi import Query
from markupsafe import Markup
from pydantic import Field
from starlette.responses import Response

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node import jobs
from madang.node.acts import label
from madang.node.people.projects import list_projects
from madang.node.permissions import may
from madang.services.cohorts import service
from madang.services.cohorts.acts import COUNT, KEEP, OPEN_ATLAS, RETIRE
from madang.services.cohorts.models import Cohort, CohortCount, CohortVersion
from madang.web import Done, Here, Number, Room, View

room = Room("cohorts", __package__)
LARGEST = 6 << 20
Names = Annotated[str, Query(max_length=2_000)]


class CountLine(View):
    """What a version found on one version of a dataset; `persons` None: kept back, or not there yet."""

    id: int
    version: int
    dataset: str
    vocabulary: str
    state: str
    error: str
    persons: int | None
    entries: int | None
    exact: bool
    created: datetime


class Line(View):
    """A cohort on the shelf."""

    name: str
    title: str
    project: str
    state: str
    versions: int
    sha256: str
    counts: int
    created: datetime


class Shelf(View):
    """The cohorts that one may see, and the places where one may put others."""

    cohorts: list[Line]
    projects: list[str]
    datasets: list[str]


class VersionLine(View):
    """One version of a definition."""

    number: int
    sha256: str
    note: str
    person: str
    created: datetime


class Told(View):
    """A sentence of a definition and how deep it stands."""

    level: int
    text: str


class Found(View):
    """A finding of the check."""

    severity: str
    message: str
    path: str


class CohortPage(View):
    """A cohort: what it says, its versions, what they found."""

    name: str
    title: str
    project: str
    state: str
    number: int
    sha256: str
    sentences: list[Told]
    findings: list[Found]
    codes: list[dict[str, Any]]
    versions: list[VersionLine]
    counts: list[CountLine]
    datasets: list[str]
    may_keep: bool
    may_count: bool
    may_retire: bool


class CountPage(View):
    """What a version found on one version of a dataset. `described` is empty for whoever may not read the rows."""

    name: str
    title: str
    count: CountLine
    manifest: str
    sha256: str
    minimum: int
    attrition: list[tuple[str, int | None]]
    described: dict[str, Any]
    job: int | None
    may_atlas: bool


class Kept(View):
    """A definition to be put on a shelf: a file, or its text."""

    file: bytes = Field(default=b"", title="The file")
    filename: str = Field(default="", max_length=300)
    text: str = Field(default="", title="The definition", max_length=LARGEST)
    name: str = Field(default="", title="The name", max_length=63)
    title: str = Field(default="", title="The title", max_length=300)
    project: str = Field(default="", max_length=63)
    on: str = Field(default="", max_length=200)
    note: str = Field(default="", title="The note", max_length=2_000)


class Asked(View):
    """On which dataset a cohort is to be counted."""

    dataset: str = Field(title="The dataset", min_length=1, max_length=200)
    version: Number | None = None


@room.page("/cohorts", "cohorts.html")
def cohorts(visit: Here) -> Shelf:
    """The shelf of cohort definitions."""
    found = service.shelf(visit.node, visit.actor)
    projects = [each.name for each in list_projects(visit.node, visit.actor) if each.state == "active"]
    return Shelf(cohorts=[_line(each) for each in found], projects=projects, datasets=_datasets(visit))


@room.act("/cohorts", at=cohorts, largest=LARGEST)
def keep(visit: Here, given: Kept) -> Done:
    """Put a definition on the shelf: ATLAS JSON, a form in TOML, a workbook of codes."""
    loaded = _read(visit, given)
    definition = loaded.definition
    if given.title:
        definition = type(definition)(given.title, definition.text, definition.description)
    version = service.keep(
        visit.node,
        visit.actor,
        definition,
        name=given.name,
        project=given.project,
        note=given.note,
        codes=asdict(loaded.book) if loaded.book else None,
    )
    name = version.cohort.name
    text = _("Version {number} of {name} is on the shelf.")
    return Done(see=f"/cohorts/{name}", message=text.format(number=version.number, name=name))


@room.page("/cohorts/{name}", "cohort.html")
def cohort(visit: Here, name: str, version: Number | None = None) -> CohortPage:
    """A cohort: what it says, what is suspicious, what it found."""
    from madang.science.cohorts import check, explain

    found = service.see(visit.node, visit.actor, name)
    chosen = _version(found, version)
    definition = service.definition_of(chosen)
    codes = json.loads(chosen.codes)["resolved"] if chosen.codes else []
    return CohortPage(
        name=found.name,
        title=found.title,
        project=found.project.title if found.project else "",
        state=label("cohort", found.state),
        number=chosen.number,
        sha256=chosen.digest,
        sentences=[Told(level=line.level, text=line.text) for line in explain(definition)],
        findings=[Found(severity=f.severity.value, message=f.message, path=f.path) for f in check(definition)],
        codes=[_code(each) for each in codes],
        versions=[_version_line(each) for each in reversed(found.versions)],
        counts=[_count_line(visit, made) for each in found.versions[::-1] for made in each.counts],
        datasets=_datasets(visit),
        may_keep=may(visit.actor, KEEP, found),
        may_count=may(visit.actor, COUNT, found) and found.state == "kept",
        may_retire=may(visit.actor, RETIRE, found) and found.state == "kept",
    )


@room.act("/cohorts/{name}/count", at=cohort)
def count(visit: Here, name: str, given: Asked) -> Done:
    """Have a cohort counted on a dataset."""
    made = service.count(visit.node, visit.actor, name, given.dataset, given.version)
    return Done(see=f"/cohorts/{name}/counts/{made.id}", message=_("It is being counted."))


@room.act("/cohorts/{name}/retire", at=cohort)
def retire(visit: Here, name: str) -> Done:
    """Take a cohort from the shelf; what it counted stays."""
    service.retire(visit.node, visit.actor, name)
    return Done(see="/cohorts", message=_("{name} is no longer on the shelf.").format(name=name))


@room.page("/cohorts/{name}/counts/{number}", "count.html")
def counted(visit: Here, name: str, number: Number) -> CountPage:
    """What a cohort found on a version of a dataset."""
    from madang.science.cohorts.describe import Step

    found, asked, exact = service.see_count(visit.node, visit.actor, name, number)
    with visit.node.read() as session:
        rows = service.rows_of(session, asked.dataset)
    numbers = asked.numbers
    steps = [Step(step["name"], step["persons"]) for step in numbers.get("attrition", ())]
    return CountPage(
        name=found.name,
        title=found.title,
        count=_count_line(visit, asked),
        manifest=asked.manifest,
        sha256=asked.version.digest,
        minimum=1 if exact else asked.minimum,
        attrition=[(step.title(), step.persons) for step in steps] if exact else [],
        described=numbers if exact else {},
        job=asked.job_id if asked.person_id in (None, visit.actor.person_id) else None,
        may_atlas=may(visit.actor, OPEN_ATLAS, rows),
    )


@room.bytes("/cohorts/{name}/versions/{number}.json", "application/json")
def definition(visit: Here, name: str, number: Number) -> Response:
    """A version of a definition as ATLAS JSON."""
    chosen = _version(service.see(visit.node, visit.actor, name), number)
    saved = {"content-disposition": f'attachment; filename="{name}-{number}.json"'}
    return Response(chosen.expression, media_type="application/json", headers=saved)


@room.bytes("/cohorts/{name}/counts/{number}/members.csv", "text/csv")
def members(visit: Here, name: str, number: Number) -> Response:
    """The members that a count found, for those who may read the rows."""
    table = service.read_members(visit.node, visit.actor, name, number)
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(table.column_names)
    writer.writerows(row.values() for row in table.to_pylist())
    saved = {"content-disposition": f'attachment; filename="{name}-{number}-members.csv"'}
    return Response(out.getvalue(), media_type="text/csv; charset=utf-8", headers=saved)


def sections(page: CountPage) -> Markup:
    """The pictures and tables of a count, as HTML."""
    from madang.science.cohorts import report
    from madang.science.cohorts.describe import of_document

    html = "".join(report.parts(of_document(page.described)))
    return Markup(html.replace("<section>", '<section class="box">').replace("<div class=wide", '<div class="scroll"'))


def sentences_of(page: CohortPage) -> Markup:
    """The sentences of a definition, as HTML."""
    from madang.science.cohorts import Line as Sentence
    from madang.science.cohorts.report import as_html

    return Markup(as_html([Sentence(each.level, each.text) for each in page.sentences]))


def severity_name(severity: str) -> str:
    """How much a finding matters, in a word."""
    return {"error": _("error"), "warning": _("warning")}.get(severity, _("note", "severity"))


room.helpers |= {
    "sections": sections,
    "sentences_of": sentences_of,
    "severity_name": severity_name,
    "pairs": lambda names: [(name, name) for name in names],
}


def _read(visit: Here, given: Kept) -> Any:
    """The definition that was sent: a file by its kind, or text."""
    from madang.science.cohorts.load import of_file
    from madang.science.omop.release import mapped_with
    from madang.science.omop.vocabulary import KIND

    data = given.file or given.text.encode()
    if not data.strip():
        raise MadangError("cohort.file", _("There is no definition."), _("Choose a file, or paste its text."))
    words = None
    if given.on:
        lake = visit.node.home.lake()
        version = lake.find(given.on)
        words = version if version.kind == KIND else mapped_with(lake, version)
    return of_file(data, _suffix(data), given.title or given.name or _("cohort"), words)


def _suffix(data: bytes) -> str:
    """What kind of file it is, by its content: browsers do not tell names in every form."""
    if data.startswith(b"PK"):
        return ".xlsx"
    text = data[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"{"):
        return ".json"
    return ".toml" if b"[entry]" in data or text.startswith((b"[", b"name =", b"name=")) else ".csv"


def _version(found: Cohort, number: int | None) -> CohortVersion:
    if number is None and found.versions:
        return found.versions[-1]
    chosen = next((each for each in found.versions if each.number == number), None)
    if chosen is None:
        raise MadangError("cohort.none", _("The cohort has no version {number}.").format(number=number))
    return chosen


def _line(found: Cohort) -> Line:
    return Line(
        name=found.name,
        title=found.title,
        project=found.project.title if found.project else "",
        state=found.state,
        versions=len(found.versions),
        sha256=found.versions[-1].digest if found.versions else "",
        counts=sum(len(each.counts) for each in found.versions),
        created=found.created,
    )


def _version_line(found: CohortVersion) -> VersionLine:
    return VersionLine(number=found.number, sha256=found.digest, note=found.note, person="", created=found.created)


def _count_line(visit: Here, found: CohortCount) -> CountLine:
    exact = service.sees_rows(visit.node, visit.actor, found.dataset)
    done = found.state == "done"
    persons = found.persons if exact else found.told
    return CountLine(
        id=found.id,
        version=found.version.number,
        dataset=f"{found.dataset}@{found.number}",
        vocabulary=found.vocabulary,
        state=found.state,
        error=jobs.why_told(found.error),
        persons=persons if done else None,
        entries=found.entries if done and exact else None,
        exact=exact,
        created=found.created,
    )


def _code(resolved: dict[str, Any]) -> dict[str, Any]:
    """A code and what became of it, in a line."""
    names = [f"{concept['name']} [{concept['concept_id']}]" for concept in resolved["concepts"]]
    return {
        "vocabulary": resolved["code"]["vocabulary"],
        "code": resolved["code"]["code"],
        "name": resolved["code"]["name"],
        "level": resolved["level"],
        "concepts": names,
    }


def _datasets(visit: Here) -> list[str]:
    """The datasets that one may count on: those with a record, and all for whoever may read their rows."""
    from madang.science.omop.vocabulary import KIND
    from madang.services.cohorts.acts import READ_ROWS

    names = []
    with visit.node.read() as session:
        for dataset in visit.node.home.lake().datasets():
            rows = service.rows_of(session, dataset.name)
            if (rows.record or may(visit.actor, READ_ROWS, rows)) and dataset.version().kind != KIND:
                names.append(dataset.name)
    return names
