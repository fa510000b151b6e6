"""Pages of applications, for those who ask and those who decide; and the figures that everybody may see."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import Field
from sqlalchemy import select
from starlette.responses import Response

from madang.base.errors import MadangError
from madang.base.translate import _, in_language
from madang.node.acts import label
from madang.node.database import Base
from madang.node.people import projects
from madang.node.permissions import may
from madang.science.omop.cdm import TABLES
from madang.science.privacy.population import TABLES_OF, codes_in
from madang.science.privacy.recipe import SHIPPED as RECIPES
from madang.science.privacy.recipe import read_recipe
from madang.services.access import acts, codes, counting, deciding, ending, permits, procedure, service, shown, words
from madang.services.access.models import Application
from madang.services.catalog import holder_of
from madang.web import Done, Here, Number, Room, View

room = Room("access", __package__)
_ABLE = (  # what the page of an application offers
    *(acts.EDIT, acts.SUBMIT, acts.WITHDRAW, acts.APPEAL, acts.COUNT),
    *(acts.RETURN, acts.STEP, acts.VOTE, acts.DECIDE, acts.PERMIT, acts.NOT_URGENT, acts.MINUTES),
)


class Line(View):
    """An application in a list."""

    number: int
    title: str
    project: str
    holder: str
    state: str
    state_name: str
    urgent: bool
    waits: list[str]
    created: datetime


class PermitLine(View):
    """A permit in a list."""

    number: str
    project: str
    state: str
    state_name: str
    begins: datetime
    ends: datetime
    dataset: str


class Applications(View):
    """The applications and permits that one may see, and what an application can be begun for."""

    applications: list[Line]
    permits: list[PermitLine]
    projects: list[tuple[str, str]]
    datasets: list[tuple[str, str]]
    dataset: str  # that was chosen before, as on a record's page


class Page(View):
    """One application with everything of it, as the reader may see it."""

    told: dict[str, Any]
    content: dict[str, Any]
    may: list[str]
    votes: list[dict[str, Any]]
    open_steps: list[tuple[str, str]]
    tables: dict[str, list[str]]
    recipes: list[tuple[str, str]]
    voting: bool
    conflict: bool
    data_use: list[str]  # conditions of consent that the data carry


YesNo = Literal["", "yes", "no"]
YES_NO = ("genetic", "publishes", "waits_to_publish", "collaborates", "returns_results")
_SAID_OTHERWISE = {  # by the form, than by the content
    *("diagnoses", "diagnoses_too", "drugs", "more_lists", "begins", "ends", "tables", "atlas", "diseases", *YES_NO)
}


class New(View):
    """An application to begin."""

    project: str = Field(title="The project", min_length=1, max_length=63)
    dataset: str = Field(title="The data", min_length=1, max_length=100)
    title: str = Field(title="The title", min_length=1, max_length=300)
    applicant_kind: Literal["company", "research", "public", "insurer"] = Field(
        default="company", title="The applicant"
    )
    kind: Literal["new", "extension", "change"] = Field(default="new", title="The kind")
    parent: str = Field(default="", title="The permit", max_length=40)


class Edited(View):
    """What is asked for, as the form has it; tables are lines of `table: column, column = why`."""

    title: str = Field(default="", title="The title", max_length=300)
    purpose: str = Field(default="", title="The purpose", max_length=5_000)
    purpose_kind: str = Field(default="public health", title="The kind of purpose", max_length=60)
    legal_basis: str = Field(default="scientific research", title="The legal basis", max_length=60)
    diagnoses: str = Field(default="", title="Diagnoses", max_length=20_000)
    diagnoses_too: str = Field(default="", title="Further diagnoses", max_length=20_000)
    drugs: str = Field(default="", title="Drugs", max_length=20_000)
    more_lists: str = Field(default="", title="Further lists", max_length=40_000)
    urgent_reason: str = Field(default="", title="Why it is urgent", max_length=1_000)
    research: Literal["", "general", "health", "disease", "ancestry", "methods", "clinical care"] = ""
    diseases: str = Field(default="", title="Diseases", max_length=2_000)
    region: str = Field(default="", title="The region", max_length=60)
    genetic: YesNo = ""
    publishes: YesNo = ""
    waits_to_publish: YesNo = ""
    collaborates: YesNo = ""
    returns_results: YesNo = ""
    begins: str = Field(default="", title="From", pattern=r"^$|^\d{4}-\d{2}-\d{2}$")
    ends: str = Field(default="", title="To", pattern=r"^$|^\d{4}-\d{2}-\d{2}$")
    atlas: str = Field(default="", title="A definition of ATLAS", max_length=500_000)
    tables: str = Field(default="", title="Tables and columns", max_length=20_000)
    methods: str = Field(default="", title="Methods", max_length=5_000)
    outputs: str = Field(default="", title="Results", max_length=2_000)
    recipe: str = Field(default="closed-space", title="The recipe", max_length=60)
    place: Literal["closed space", "results only"] = Field(default="closed space", title="The place")
    months: int = Field(default=12, title="Months", ge=1, le=120)
    ethics: Literal["approved", "exempt", "later", "none"] = Field(default="none", title="Ethics")
    ethics_number: str = Field(default="", title="Number of the ethics paper", max_length=100)

    def content(self) -> dict[str, Any]:
        """As the application keeps it."""
        lists = [("diagnosis", self.diagnoses), ("diagnosis", self.diagnoses_too), ("drug", self.drugs)]
        lists += lists_in(self.more_lists)
        criteria = [{"kind": kind, "codes": list(codes_in(text))} for kind, text in lists if text.strip()]
        plain = self.model_dump(exclude={"title", *_SAID_OTHERWISE})
        return {
            **plain,
            **{name: {"yes": True, "no": False}.get(getattr(self, name)) for name in YES_NO},
            "diseases": list(codes_in(self.diseases)),
            "population": {"criteria": criteria, "begins": self.begins, "ends": self.ends, "atlas": self.atlas},
            "tables": tables_in(self.tables),
        }


class Workbook(View):
    """Lists of codes in a workbook (XLSX, CSV)."""

    file: bytes = Field(title="The workbook")
    name: str = Field(default="", title="Its name", max_length=100)


class Minutes(View):
    """The minutes of the committee's decision on an application."""

    told: dict[str, Any]


class Said(View):
    """Words."""

    text: str = Field(default="", title="The text", max_length=5_000)


class StepClosed(View):
    """A step to close."""

    step: str = Field(title="The step", max_length=40)
    outcome: Literal["done", "left-out"] = Field(default="done", title="The outcome")
    note: str = Field(default="", title="The note", max_length=2_000)


class Voted(View):
    """A vote on the edition that was read."""

    choice: Literal["approve", "conditional", "results-only", "refuse", "abstain"] = Field(title="The vote")
    words: str = Field(default="", title="The reasons", max_length=2_000)
    edition: int = Field(title="The edition", ge=1)


def tables_in(text: str) -> dict[str, Any]:
    """Tables as people write them: a line each, `table: column, column = why`. Errors: `access.content`."""
    found: dict[str, Any] = {}
    for line in text.splitlines():
        if not line.strip():
            continue
        table, colon, rest = line.partition(":")
        columns, _equals, why = rest.partition("=")
        names = [name.strip() for name in columns.split(",") if name.strip()]
        if not colon or not names:
            raise MadangError(
                "access.content",
                _("This line names no table with columns: {line}").format(line=line.strip()[:80]),
                _("Write it as: person: gender_concept_id, year_of_birth = why"),
            )
        found[table.strip()] = {"columns": names, "why": why.strip()}
    return found


def lists_in(text: str) -> list[tuple[str, str]]:
    """Further lists as people write them: a line each, `procedure: code, code`. Errors: `access.content`."""
    found = []
    for line in filter(str.strip, text.splitlines()):
        kind, colon, rest = line.partition(":")
        if not colon or kind.strip() not in TABLES_OF:
            raise MadangError(
                "access.content",
                _("This line names no list of codes: {line}").format(line=line.strip()[:80]),
                _("Write it as: procedure: D2700, D2800"),
            )
        found.append((kind.strip(), rest))
    return found


@room.page("/applications", "applications.html")
def applications(visit: Here, dataset: Annotated[str, Query(max_length=100)] = "") -> Applications:
    """The applications and permits that you may see."""
    found = service.list_applications(visit.node, visit.actor)
    granted = service.list_permits(visit.node, visit.actor)
    mine = [each for each in projects.list_projects(visit.node, visit.actor) if each.id in visit.actor.projects]
    return Applications(
        applications=[
            Line(
                number=each.id,
                title=each.title,
                project=each.project.title,
                holder=in_language(each.organization.title, each.organization.title_en),
                state=each.state,
                state_name=label("application", each.state),
                urgent=each.urgent,
                waits=shown.waits(each),
                created=each.created,
            )
            for each in found
        ],
        permits=[
            PermitLine(
                number=each.permit.number,
                project=each.permit.project.title,
                state=each.permit.state,
                state_name=label("permit", each.permit.state),
                begins=each.permit.begins,
                ends=each.permit.ends,
                dataset=each.permit.dataset,
            )
            for each in granted
        ],
        projects=[(each.name, each.title) for each in mine if each.state == "active"],
        datasets=_datasets(visit),
        dataset=dataset,
    )


def _datasets(visit: Here) -> list[tuple[str, str]]:
    """What can be asked for: the published controlled records of the catalog."""
    records = Base.metadata.tables.get("records")
    if records is None:
        return []
    with visit.node.read() as session:
        query = select(records.c.dataset, records.c.title, records.c.title_en).where(
            records.c.state == "published", records.c.tier.in_(("controlled", "registered", "embargoed"))
        )
        found = session.execute(query.order_by(records.c.title))
        return [(row.dataset, in_language(row.title, row.title_en)) for row in found]


@room.act("/applications", at=applications)
def begin(visit: Here, given: New) -> Done:
    """Begin an application."""
    content: dict[str, Any] = {}
    if given.kind != "new":
        grant = permits.see_permit(visit.node, visit.actor, given.parent)
        content = service.see(visit.node, visit.actor, grant.application_id).told.model_dump()
    number = service.apply(
        visit.node,
        visit.actor,
        project=given.project,
        dataset=given.dataset,
        title=given.title,
        applicant_kind=given.applicant_kind,
        kind=given.kind,
        parent=given.parent,
        content=content,
    )
    return Done(see=f"/applications/{number}", message=_("The draft is made. Say what you need, and why."))


@room.page("/applications/{number}", "application.html")
def application(visit: Here, number: Number) -> Page:
    """An application: what the rules find, which step waits for whom, and what you can do."""
    found = service.see(visit.node, visit.actor, number)
    told = shown.application_as_json(visit.node, found)
    able = [
        act.name.partition(".")[2]
        for act in _ABLE
        if may(visit.actor, act, found) and (not act.frm or found.state in act.frm)
    ]
    with visit.node.read() as session:
        holding = holder_of(session, found.dataset)
        data_use = list(holding.data_use) if holding is not None else []
        conflict = visit.actor.person_id is not None and service.conflicted(session, found, visit.actor.person_id)
    open_steps = [
        (step.name, _(procedure.NAMES[step.name].title))
        for step in service.steps_of(found)
        if step.state == "open" and step.name != "committee"
    ]
    voting = any(step.name == "committee" and step.state == "open" for step in service.steps_of(found))
    return Page(
        told=told,
        content=_form(found),
        may=able,
        votes=ending.minutes(visit.node, visit.actor, number)["votes"] if may(visit.actor, acts.STEP, found) else [],
        open_steps=open_steps,
        tables=_tables(visit, found.dataset) if "edit" in able else {},
        recipes=_recipes(),
        voting=voting,
        conflict=conflict,
        data_use=data_use,
    )


def _form(found: Application) -> dict[str, Any]:
    """The content as the form has it."""
    told = found.told
    named = {"diagnoses": "", "diagnoses_too": "", "drugs": ""}
    more = []
    for each in told.population.criteria:
        codes = ", ".join(each.codes)
        fields = {"diagnosis": ("diagnoses", "diagnoses_too"), "drug": ("drugs",)}.get(each.kind, ())
        free = next((name for name in fields if not named[name]), None)
        if free is None:
            more.append(f"{each.kind}: {codes}")
        else:
            named[free] = codes
    return {
        **told.model_dump(exclude={"population", "tables"}),
        **{name: {True: "yes", False: "no", None: ""}[getattr(told, name)] for name in YES_NO},
        **named,
        "more_lists": "\n".join(more),
        "diseases": ", ".join(told.diseases),
        "title": found.title,
        "begins": told.population.begins,
        "ends": told.population.ends,
        "atlas": told.population.atlas,
        "tables": "\n".join(
            f"{name}: {', '.join(wanted.columns)} = {wanted.why}" for name, wanted in told.tables.items()
        ),
    }


def _tables(visit: Here, dataset: str) -> dict[str, list[str]]:
    version = visit.node.home.lake().find(dataset)
    return {
        name: [column for column, _type in table.schema if column in TABLES[name]]
        for name, table in version.tables.items()
        if name in TABLES and "person_id" in TABLES[name] and table.rows
    }


def _recipes() -> list[tuple[str, str]]:
    found = [read_recipe(name) for name in RECIPES]
    return [(each.name, in_language(each.title["ko"], each.title["en"])) for each in found]


@room.act("/applications/{number}", at=application)
def edit(visit: Here, number: Number, given: Edited) -> Done:
    """Change what is asked for."""
    service.edit(visit.node, visit.actor, number, given.content(), given.title)
    return _seen(number, _("Saved. Look at what the rules find."))


@room.act("/applications/{number}/codes", at=application, largest=codes.LARGEST + (1 << 20))
def bring_codes(visit: Here, number: Number, given: Workbook) -> Done:
    """Take the lists of codes of a workbook as the population, instead of those that were there."""
    content = service.see(visit.node, visit.actor, number).told.model_dump()
    content["population"]["criteria"] = codes.criteria_in(given.file, given.name or _("codes"))
    service.edit(visit.node, visit.actor, number, content)
    counts = [len(each["codes"]) for each in content["population"]["criteria"]]
    return _seen(
        number, _("{lists} lists with {codes} codes are taken over.").format(lists=len(counts), codes=sum(counts))
    )


@room.bytes("/access/codes.csv", "text/csv")
def codes_template(visit: Here) -> Response:
    """A workbook of code lists to fill in: a row per code, with the list that it belongs to."""
    headers = {"Content-Disposition": 'attachment; filename="codes.csv"'}
    return Response(codes.TEMPLATE.encode("utf-8-sig"), media_type="text/csv", headers=headers)


@room.act("/applications/{number}/not-urgent", at=application)
def not_urgent(visit: Here, number: Number, given: Said) -> Done:
    """Say that an application can wait."""
    deciding.not_urgent(visit.node, visit.actor, number, given.text)
    return _seen(number, _("It goes the usual way."))


@room.page("/applications/{number}/minutes", "minutes.html")
def minutes(visit: Here, number: Number) -> Minutes:
    """The minutes of the committee, to be printed and signed."""
    return Minutes(told=ending.minutes(visit.node, visit.actor, number))


@room.act("/applications/{number}/count", at=application)
def count(visit: Here, number: Number) -> Done:
    """Say about how many persons fit the population."""
    told = counting.count(visit.node, visit.actor, number)
    if told.count is None:
        return _seen(number, _("Fewer than {least} persons fit.").format(least=told.least))
    return _seen(
        number,
        _("About {count} persons fit. The number is blurred so that it tells nothing of single persons.").format(
            count=told.count
        ),
    )


@room.act("/applications/{number}/submit", at=application)
def submit(visit: Here, number: Number) -> Done:
    """Hand an application in."""
    service.submit(visit.node, visit.actor, number)
    return _seen(number, _("The application is handed in."))


@room.act("/applications/{number}/withdraw", at=application)
def withdraw(visit: Here, number: Number) -> Done:
    """Take an application back."""
    service.withdraw(visit.node, visit.actor, number)
    return _seen(number, _("The application is withdrawn."))


@room.act("/applications/{number}/appeal", at=application)
def appeal(visit: Here, number: Number, given: Said) -> Done:
    """Appeal against a refusal."""
    service.appeal(visit.node, visit.actor, number, given.text)
    return _seen(number, _("The appeal is handed in; the committee votes anew."))


@room.act("/applications/{number}/ask", at=application)
def ask(visit: Here, number: Number, given: Said) -> Done:
    """Give an application back with a question."""
    deciding.ask_applicant(visit.node, visit.actor, number, given.text)
    return _seen(number, _("The applicant is asked."))


@room.act("/applications/{number}/steps", at=application)
def step(visit: Here, number: Number, given: StepClosed) -> Done:
    """Close a step."""
    deciding.close_step(visit.node, visit.actor, number, given.step, given.outcome, given.note)
    return _seen(number, _("The step is closed."))


@room.act("/applications/{number}/votes", at=application)
def vote(visit: Here, number: Number, given: Voted) -> Done:
    """Vote."""
    deciding.vote(visit.node, visit.actor, number, given.choice, given.words, given.edition)
    return _seen(number, _("Your vote is counted."))


@room.act("/applications/{number}/decide", at=application)
def decide(visit: Here, number: Number) -> Done:
    """Close the vote of the committee."""
    answer = deciding.close_vote(visit.node, visit.actor, number)
    return _seen(number, _("Decided: {answer}.").format(answer=shown.answer_word(answer)))


@room.act("/applications/{number}/permit", at=application)
def permit(visit: Here, number: Number) -> Done:
    """Issue the permit."""
    issued = permits.issue(visit.node, visit.actor, number)
    return Done(see=f"/permits/{issued}", message=_("The permit {number} is issued.").format(number=issued))


def _seen(number: int, message: str) -> Done:
    return Done(see=f"/applications/{number}", message=message)


room.helpers |= {
    "finding_word": shown.finding_word,
    "answer_word": shown.answer_word,
    "choice_word": shown.choice_word,
    "step_word": words.step_word,
    "kinds_of_applicants": words.kinds,
    "purposes": words.purposes,
    "bases": words.bases,
    "ethics_kinds": words.ethics_kinds,
    "places_of_use": words.places_of_use,
    "vote_choices": words.choices,
    "kinds_of_research": words.kinds_of_research,
    "yes_no": words.yes_no,
}
