"""The pages of models and dockings."""

import json
from typing import Any

from starlette.responses import FileResponse, Response

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node import jobs
from madang.services.discovery import studies
from madang.services.discovery.helpers import HELPERS
from madang.services.discovery.models import Study
from madang.services.discovery.routes import library
from madang.services.discovery.views import Name
from madang.services.discovery.views_studies import (
    DockedLine,
    DockingPage,
    DroppedLine,
    ModelPage,
    Molecules,
    NewDocking,
    NewModel,
    Predicted,
    Split,
)
from madang.web import Done, Here, Number, Room

room = Room("discovery", __package__)
LARGEST = 20 << 20  # bytes of a table or a receptor
SHOWN = 50  # ligands that a page draws
DROPPED = 20  # rows that a page lists
FILES = {"scores.csv": "text/csv", "poses.sdf": "chemical/x-mdl-sdfile", "report.json": "application/json"}


@room.act("/discovery/{name}/models", at=library, largest=LARGEST)
def train(visit: Here, name: Name, given: NewModel) -> Done:
    """Train a model from a table, or from what was measured for the library."""
    made = studies.train(
        visit.node,
        visit.actor,
        name,
        given.name,
        table=given.file,
        kind=given.kind,
        structure=given.structure,
        value=given.value,
        date=given.date,
        light=given.light,
    )
    return Done(see=f"/discovery/{name}/models/{made.id}", message=_("The model is being trained."))


@room.page("/discovery/{name}/models/{number}", "model.html")
def model(visit: Here, name: Name, number: Number) -> ModelPage:
    """The card of a model: data, splits, figures with intervals, calibration, where it must not be used."""
    study = _study(visit, name, number, studies.MODEL)
    visit.node.audit.read(visit.actor, "library.see", f"library:{study.library_id}")
    return _model_page(visit, study, [])


@room.act("/discovery/{name}/models/{number}/predictions", at=model)
def predict(visit: Here, name: Name, number: Number, given: Molecules) -> ModelPage:
    """Predict values with intervals for molecules; they stand in the audit as a keyed hash only."""
    from madang.science.chemistry.depict import drawing

    study = _study(visit, name, number, studies.MODEL)
    said = studies.predict(visit.node, visit.actor, name, number, given.text, given.level)
    pictures = [drawing(each["given"].split()[0]) if not each["problem"] else "" for each in said]
    return _model_page(visit, study, [Predicted(svg=svg, **each) for each, svg in zip(said, pictures, strict=True)])


@room.bytes("/discovery/{name}/models/{number}/library.csv", "text/csv")
def predictions(visit: Here, name: Name, number: Number) -> Response:
    """What a model says of every compound of the library, as CSV."""
    _study(visit, name, number, studies.MODEL)
    path = studies.file_of(visit.node, visit.actor, name, number, "library.csv")
    return FileResponse(path, media_type="text/csv", filename=f"{name}-predicted.csv")


@room.act("/discovery/{name}/dockings", at=library, largest=LARGEST)
def dock(visit: Here, name: Name, given: NewDocking) -> Done:
    """Dock the library into a receptor."""
    wanted = given.model_dump()
    made = studies.dock(visit.node, visit.actor, name, wanted.pop("name"), **wanted)
    return Done(see=f"/discovery/{name}/dockings/{made.id}", message=_("The library is being docked."))


@room.page("/discovery/{name}/dockings/{number}", "docking.html")
def docking(visit: Here, name: Name, number: Number) -> DockingPage:
    """A docking: how far it is, the control, the receptor's report, ligands by score, and those that failed."""
    study = _study(visit, name, number, studies.DOCKING)
    visit.node.audit.read(visit.actor, "library.see", f"library:{study.library_id}")
    found = json.loads(study.found) if study.found else {}
    far, total = studies.how_far(visit.node, study)
    return DockingPage(
        number=study.id,
        library=name,
        title=study.title,
        state=study.state,
        error=jobs.why_told(study.error),
        job=study.job_id,
        far=far,
        total=total,
        docked=found.get("docked", 0),
        failed=found.get("failed", 0),
        control=found.get("control"),
        no_control=found.get("no_control", ""),
        receptor=found.get("receptor", {}),
        box=found.get("box", {}),
        ligands=[_ligand(one) for one in found.get("ligands", ())[:SHOWN] if one["score"] is not None],
        problems=[_ligand(one) for one in found.get("problems", ())[:SHOWN]],
    )


@room.bytes("/discovery/{name}/dockings/{number}/{file}", *FILES.values())
def docked_file(visit: Here, name: Name, number: Number, file: str) -> Response:
    """The table (scores.csv), the poses (poses.sdf) or the report (report.json) of a docking."""
    _study(visit, name, number, studies.DOCKING)
    if file not in FILES:
        raise MadangError("study.none", _("There is nothing of this number."), _("Look at the library."))
    path = studies.file_of(visit.node, visit.actor, name, number, file)
    return FileResponse(path, media_type=FILES[file], filename=f"{name}-{file}")


def _study(visit: Here, name: str, number: int, kind: str) -> Study:
    found = studies.see_study(visit.node, visit.actor, name, number)
    if found.kind != kind:
        raise MadangError("study.none", _("There is nothing of this number."), _("Look at the library."))
    return found


def _ligand(one: dict[str, Any]) -> DockedLine:
    from madang.science.chemistry.depict import drawing

    return DockedLine(svg=drawing(one["smiles"]), **one)


def _model_page(visit: Here, study: Study, predicted: list[Predicted]) -> ModelPage:
    from madang.services.discovery.pictures import of_model

    asked, found = json.loads(study.asked), json.loads(study.found) if study.found else {}
    card = studies.card_of(visit.node, study) if study.state == "done" else {}
    data = card.get("assay", {})
    return ModelPage(
        number=study.id,
        library=study.library.name,
        title=study.title,
        state=study.state,
        error=jobs.why_told(study.error),
        job=study.job_id,
        name=asked["name"],
        version=found.get("version", 0),
        hash=found.get("hash", ""),
        method=card.get("method", ""),
        kind=card.get("kind", ""),
        measure="AUROC" if card.get("kind") == "classes" else "r",
        rows=data.get("rows", 0),
        compounds=data.get("compounds", 0),
        repeats=data.get("repeats", 0),
        dropped=[DroppedLine(**each) for each in data.get("dropped", ())[:DROPPED]],
        left_out=len(data.get("dropped", ())),
        range=data.get("range", []),
        splits=[_split(name, each, card["kind"] == "classes") for name, each in card.get("splits", {}).items()],
        domain=card.get("domain", {}),
        before=found.get("before"),
        now=found.get("now"),
        predicted_library=found.get("predicted", 0),
        charts=of_model(card) if card else [],
        predictions=predicted,
    )


def _split(name: str, found: dict[str, Any], classes: bool) -> Split:
    main, second = ("auroc", "brier") if classes else ("pearson_r", "mae")
    own, interval = found["model"], found["model"].get("interval") or [None, None]
    return Split(
        name=name,
        molecules=own["count"],
        figure=own.get(main),
        low=interval[0],
        high=interval[1],
        error=own.get(second),
        baseline=found["baseline"].get(main),
        covered=found.get("coverage", {}).get("0.9"),
    )


def split_named(name: str) -> str:
    """A way of splitting in the reader's language."""
    words = {
        "random": _("scattered molecules"),
        "cluster": _("whole clusters"),
        "scaffold": _("scaffolds"),
        "time": _("the newest fifth"),
    }
    return words.get(name, name)


def method_named(method: str) -> str:
    """How a model was learned, in the reader's language."""
    words = {
        "gradient-boosted trees and kernel regression": _("gradient-boosted trees and kernel regression"),
        "gradient-boosted trees": _("gradient-boosted trees"),
    }
    return words.get(method, method)


room.helpers |= HELPERS | {"split_named": split_named, "method_named": method_named}
