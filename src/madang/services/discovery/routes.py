"""The pages of the room: libraries, search with drawings, plates and their curves, shortlists and decisions."""

import json
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import Query

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.acts import label
from madang.node.people.projects import list_projects
from madang.node.permissions import may
from madang.services.discovery import service, shortlists
from madang.services.discovery.acts import CLOSE, FILL
from madang.services.discovery.helpers import HELPERS
from madang.services.discovery.lots import lots
from madang.services.discovery.models import Study
from madang.services.discovery.studies import DOCKING, MODEL, properties_of, studies
from madang.services.discovery.views import (
    AssayLine,
    AssayPage,
    Choice,
    Compound,
    CurveView,
    FileLine,
    Filling,
    Libraries,
    LibraryPage,
    Line,
    ListLine,
    Name,
    PlateView,
    QueryView,
    RejectLine,
    ResultView,
    Short,
    StudyLine,
    Text,
    Workbook,
)
from madang.web import Done, Here, Number, Room

room = Room("discovery", __package__)
SHOWN = 24


@room.page("/discovery", "libraries.html")
def libraries(visit: Here) -> Libraries:
    """The libraries of molecules of your projects."""
    if not visit.actor.is_signed_in:
        raise MadangError("permission.sign_in", _("This needs an account."), _("Sign in first."))
    found = service.libraries(visit.node, visit.actor)
    lake = visit.node.home.lake()
    lines = []
    for each in found:
        dataset = lake.dataset(each.name)
        count = int(dataset.version().info.get("compounds", 0)) if dataset.exists else 0
        lines.append(
            Line(
                name=each.name,
                title=each.title,
                project=each.project.title,
                state=label("library", each.state),
                compounds=count,
                created=each.created,
            )
        )
    known, is_owner = list_projects(visit.node, visit.actor), visit.actor.kind == "owner"
    projects = [each for each in known if is_owner or each.id in visit.actor.projects]
    return Libraries(
        libraries=lines, projects=[Choice(name=p.name, title=p.title) for p in projects if p.state == "active"]
    )


@room.act("/discovery", at=libraries)
def fill(visit: Here, given: Filling) -> Done:
    """Add molecules to a library of a project; a new name begins one."""
    data = given.file or given.text.encode()
    files = [(f"{given.name}.{given.kind}", data)]
    _library, added = service.fill(visit.node, visit.actor, given.name, given.project, files, given.title)
    account = added.accounts[0]
    text = _("{rows} rows: {compounds} compounds, {duplicates} duplicates, {rejects} rejects, {unused} unused.")
    return Done(see=f"/discovery/{given.name}", message=text.format(**asdict(account)))


@room.page("/discovery/{name}", "library.html")
def library(
    visit: Here,
    name: Name,
    similar: Text = "",
    smarts: Text = "",
    exact: Text = "",
    where: Short = "",
    top: Annotated[int, Query(ge=1, le=service.MOST_HITS)] = SHOWN,
    threshold: Annotated[float, Query(ge=0, le=1)] = 0.0,
) -> LibraryPage:
    """A library, or what a search in it finds: by similarity, substructure, structure, properties, all at once."""
    from madang.science.chemistry.library import newest, read_table, rejects_of

    found = service.see(visit.node, visit.actor, name)
    version = newest(visit.node.home.lake().dataset(name))
    given = [text.replace("\r\n", "\n") for text in (similar, smarts, exact)]
    asked = service.Query(given[0], given[1], given[2], where)
    kind = asked.kinds()
    if kind:
        answer = service.search(visit.node, visit.actor, name, asked, top, threshold)
        wanted = [(hit.compound_id, hit.score) for hit in answer.hits]
        total, compared, most = answer.total, answer.compared, answer.most
    else:
        visit.node.audit.read(visit.actor, "library.see", f"library:{found.id}")
        wanted, total, compared, most = [], None, None, None
    table = read_table(version, "compound")
    shown = _compounds(table, wanted, bool(similar.strip()), smarts) if kind else _first(table)
    mine, see_it = visit.node, (visit.actor, name)
    return LibraryPage(
        name=name,
        title=found.title,
        project=found.project.title,
        project_name=found.project.name,
        state=label("library", found.state),
        version=version.number,
        compounds=len(table),
        kind=kind,
        asked=QueryView(similar=similar, smarts=smarts, exact=exact, where=where, top=top, threshold=threshold),
        found=total,
        most=most,
        cut=bool(kind) and len(wanted) >= top,
        compared=compared,
        shown=shown,
        files=[FileLine(**{key: one[key] for key in FileLine.model_fields}) for one in version.info["files"]],
        rejects=[RejectLine(file=r.file, line=r.line, reason=r.reason) for r in rejects_of(version, 50)],
        assays=[
            AssayLine(number=a.id, title=a.title, created=a.created, **_counted(json.loads(a.found)))
            for a in service.assays(visit.node, visit.actor, name)
        ],
        lots=len(lots(mine, *see_it)),
        models=[_study_line(each) for each in studies(mine, *see_it, MODEL)],
        dockings=[_study_line(each) for each in studies(mine, *see_it, DOCKING)],
        properties=list(properties_of(mine, *see_it)),
        shortlists=[
            ListLine(number=s.id, title=s.title, state=label("shortlist", s.state), created=s.created)
            for s in shortlists.shortlists(visit.node, visit.actor, name)
        ],
        may_fill=may(visit.actor, FILL, found) and found.state == "open",
        may_close=may(visit.actor, CLOSE, found) and found.state == "open",
    )


def _first(table: Any) -> list[Compound]:
    return [_compound(row, None, "") for row in table.slice(0, SHOWN).to_pylist()]


def _counted(found: dict[str, Any]) -> dict[str, int]:
    return {"curves": len(found["curves"]), "results": len(found.get("results", ()))}


def _study_line(study: Study) -> StudyLine:
    return StudyLine(number=study.id, title=study.title, state=study.state, created=study.created)


def _compounds(table: Any, wanted: list[tuple[int, float]], scored: bool, match: str) -> list[Compound]:
    import pyarrow as pa
    import pyarrow.compute as pc

    keys = pa.array([number for number, _score in wanted], pa.int64())
    rows = {row["compound_id"]: row for row in table.filter(pc.is_in(table["compound_id"], keys)).to_pylist()}
    return [_compound(rows[number], score if scored else None, match) for number, score in wanted]


def _compound(row: dict[str, Any], score: float | None, match: str) -> Compound:
    from madang.science.chemistry.depict import drawing

    facts = {key: row[key] for key in ("id", "smiles", "weight", "logp", "tpsa", "qed", "alerts", "notes")}
    return Compound(svg=drawing(row["smiles"], match), score=score, **facts)


@room.act("/discovery/{name}/assays", at=library)
def measure(visit: Here, name: Name, given: Workbook) -> Done:
    """Read a plate workbook (controls, curves, IC50) or a table of results."""
    data = given.file or given.text.encode()
    if not data:
        raise MadangError("assay.empty", _("There is nothing to read."), _("Choose a workbook, or paste a table."))
    made = service.measure(visit.node, visit.actor, name, given.title, data)
    return Done(see=f"/discovery/{name}/assays/{made.id}", message=_("The results are read."))


@room.page("/discovery/{name}/assays/{number}", "assay.html")
def assay(visit: Here, name: Name, number: Number) -> AssayPage:
    """A plate workbook: its controls, its curves with pictures."""
    from madang.science.chemistry.curves import Curve, picture

    kept = next((one for one in service.assays(visit.node, visit.actor, name) if one.id == number), None)
    if kept is None:
        raise MadangError("assay.none", _("There are no plates {number}.").format(number=number))
    found = json.loads(kept.found)
    curves = []
    for one in found["curves"]:
        curve = Curve(**{**one, "flags": tuple(one["flags"]), "points": tuple(map(tuple, one["points"]))})
        shown = {key: one[key] for key in CurveView.model_fields if key != "svg"}
        curves.append(CurveView(**shown, svg=picture(curve)))
    plates = [PlateView(**{key: one[key] for key in PlateView.model_fields}) for one in found["plates"]]
    return AssayPage(
        library=name,
        title=kept.title,
        sha256=kept.sha256,
        created=kept.created,
        plates=plates,
        curves=curves,
        results=[ResultView(**one) for one in found.get("results", ())],
        refused=[(line, reason) for line, reason in found.get("refused", ())],
    )


@room.act("/discovery/{name}/close", at=library)
def close(visit: Here, name: Name) -> Done:
    """Close a library: nothing is added any more."""
    service.close(visit.node, visit.actor, name)
    return Done(see=f"/discovery/{name}", message=_("The library is closed."))


room.helpers |= HELPERS | {"named": lambda choices: [(each.name, each.title) for each in choices]}
